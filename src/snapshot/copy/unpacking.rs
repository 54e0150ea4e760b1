//! Archives as whole trees: contexts that come as one file.

use std::path::Path;

use super::archive;
use crate::host::fs::File;
use crate::report::Context;
use crate::snapshot::apply::Applier;
use crate::snapshot::rooted::Rooted;
use crate::snapshot::{Error, Result};

/// Unpacks an archive (a tar, plain or compressed by gzip, bzip2, xz or zstd) into the tree at `root`, with the owners it
/// says; directories that entries take for granted get the time `created`. Gives what had to be left out, or `None` if the
/// file is no archive.
///
/// # Errors
/// [`Error::Archive`], [`Error::Cancelled`], [`Error::Host`].
pub fn unpack(cx: &Context, file: File, root: &Path, created: i64) -> Result<Option<Vec<String>>> {
    let opened =
        archive::open(file, &cx.limits).map_err(|e| Error::system("read an archive for", root, e))?;
    let Some(mut reader) = opened else { return Ok(None) };
    let tree = Rooted::open(root)?;
    let mut applier = Applier::new(&tree, "the build context", Path::new(""), None).implicit_time(created);
    let broken = |source| Error::Archive { what: "the build context".into(), source };
    while let Some(entry) = reader.next_entry().map_err(broken)? {
        if cx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        applier.put(&entry, &mut reader)?;
    }
    applier.finish_times()?;
    Ok(Some(std::mem::take(&mut applier.notes)))
}
