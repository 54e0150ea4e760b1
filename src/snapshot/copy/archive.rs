//! Which files ADD unpacks: told by content, never by name.

use std::io::{self, BufReader, Cursor, Read, Seek as _};

use crate::host::fs::File;
use crate::oci::compress::decompress;
use crate::oci::layer::{Reader, is_archive};

/// An archive ready to be read.
pub(super) type Archive = Reader<Box<dyn Read>>;

const BZIP2: &[u8] = b"BZh";
const XZ: &[u8] = b"\xfd7zXZ\0";

/// Opens a file as a tar archive, plain or compressed by gzip, zstd, bzip2 or xz; `None` if it is none.
pub(super) fn open(mut file: File) -> io::Result<Option<Archive>> {
    let mut magic = Vec::new();
    (&mut file).take(6).read_to_end(&mut magic)?;
    file.rewind()?;
    let file = BufReader::with_capacity(128 << 10, file);
    let mut content: Box<dyn Read> = if magic.starts_with(BZIP2) {
        Box::new(bzip2::bufread::MultiBzDecoder::new(file))
    } else if magic == XZ {
        Box::new(lzma_rust2::XzReader::new(file, true))
    } else {
        Box::new(decompress(file)?)
    };
    let mut head = Vec::new();
    // What looks compressed and is not, or holds something else, is an ordinary file.
    if (&mut content).take(512).read_to_end(&mut head).is_err() || !is_archive(&head) {
        return Ok(None);
    }
    Ok(Some(Reader::new(Box::new(Cursor::new(head).chain(content)))))
}
