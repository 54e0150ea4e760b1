//! Which files ADD unpacks: told by content, never by name.

use std::io::{self, BufReader, Cursor, Read, Seek as _};

use crate::host::fs::File;
use crate::oci::compress::{at_most, decompress};
use crate::oci::layer::{self, Reader, is_archive};
use crate::report::Limits;

/// An archive ready to be read.
pub(super) type Archive = Reader<Box<dyn Read>>;

const BZIP2: &[u8] = b"BZh";
const XZ: &[u8] = b"\xfd7zXZ\0";
/// KiB that decompression of xz may need: twice what its highest level asks for.
const XZ_MEMORY: u32 = 128 << 10;

/// Opens a file as a tar archive, plain or compressed by gzip, zstd, bzip2 or xz; `None` if it is none.
pub(super) fn open(mut file: File, limits: &Limits) -> io::Result<Option<Archive>> {
    let mut magic = Vec::new();
    (&mut file).take(6).read_to_end(&mut magic)?;
    file.rewind()?;
    let file = BufReader::with_capacity(128 << 10, file);
    let mut content: Box<dyn Read> = if magic.starts_with(BZIP2) {
        Box::new(bzip2::bufread::MultiBzDecoder::new(file))
    } else if magic == XZ {
        Box::new(lzma_rust2::XzReader::new_mem_limit(file, true, XZ_MEMORY))
    } else {
        Box::new(decompress(file)?)
    };
    let mut head = Vec::new();
    // What looks compressed and is not, or holds something else, is an ordinary file.
    match (&mut content).take(512).read_to_end(&mut head) {
        Err(e) if e.kind() == io::ErrorKind::OutOfMemory => return Err(e),
        Ok(_) if is_archive(&head) => {}
        _ => return Ok(None),
    }
    let content = at_most(Cursor::new(head).chain(content), limits.layer_size);
    let limits = layer::Limits { entries: limits.layer_entries, ..layer::Limits::default() };
    Ok(Some(Reader::with_limits(Box::new(content), limits)))
}
