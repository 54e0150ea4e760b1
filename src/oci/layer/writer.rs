//! Writing layer archives: one spelling for one tree.
//!
//! USTAR where an entry fits it, one PAX header before it where it does not. Whole seconds, numeric ids, no user or
//! group names, directories end with a slash: what Go's writer does with the headers BuildKit hands it.

use std::io::{self, Read, Write};

use super::entry::clean;
use super::pax::Records;
use super::{Entry, Error, Kind, WHITEOUT_PREFIX, number, pax};

const BLOCK: usize = 512;

/// Writes an archive. The caller decides the order of entries; equal calls give equal bytes.
pub struct Writer<W> {
    inner: W,
    buffer: Box<[u8]>,
}

impl<W: Write> Writer<W> {
    /// A writer of an archive that begins at the current place of `inner`. Many small writes are made to it.
    pub fn new(inner: W) -> Self {
        Self { inner, buffer: vec![0; 256 * 1024].into_boxed_slice() }
    }

    /// Writes an entry. `content` must give exactly [`Entry::size`] bytes; only files have any.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that means a whiteout or is not clean, [`Error::Content`] if the content is not as
    /// long as announced, [`Error::Io`] if writing or reading fails.
    pub fn append(&mut self, entry: &Entry, content: impl Read) -> Result<(), Error> {
        let refused = |reason| Error::Name { name: entry.display(), reason };
        if entry.name().starts_with(WHITEOUT_PREFIX) {
            return Err(refused("names beginning with `.wh.` mean deletions in layers and cannot be stored"));
        }
        if clean(&entry.path, usize::MAX).map_err(refused)? != entry.path {
            return Err(refused("the name is not clean"));
        }
        self.header(entry)?;
        if entry.kind == Kind::File { self.content(entry, content) } else { Ok(()) }
    }

    /// Writes the whiteout of `path`: an empty file of mode 0 and time 0.
    ///
    /// # Errors
    /// If writing fails or the path has no last component.
    pub fn whiteout(&mut self, path: &[u8]) -> Result<(), Error> {
        let removed = Entry::new(path, Kind::File, 0);
        let refused = |reason| Error::Name { name: removed.display(), reason };
        if removed.name().is_empty() {
            return Err(refused("the root cannot be removed"));
        }
        let mut entry = Entry::new(removed.directory(), Kind::File, 0);
        if !entry.path.is_empty() {
            entry.path.push(b'/');
        }
        entry.path.extend_from_slice(WHITEOUT_PREFIX);
        entry.path.extend_from_slice(removed.name());
        self.header(&entry)
    }

    /// Ends the archive and gives the stream back, flushed.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> Result<W, Error> {
        self.inner.write_all(&[0; 2 * BLOCK]).and_then(|()| self.inner.flush()).map_err(Error::write)?;
        Ok(self.inner)
    }

    fn header(&mut self, entry: &Entry) -> Result<(), Error> {
        let mut block = [0; BLOCK];
        let mut records = Vec::new();
        let mut path = entry.path.clone();
        if entry.kind == Kind::Directory {
            path.extend_from_slice(if path.is_empty() { b"./" } else { b"/" });
        }
        put_path(&mut block, &path, &mut records);
        let (type_flag, link, device) = match &entry.kind {
            Kind::File => (b'0', None, None),
            Kind::Hardlink(target) => (b'1', Some(target), None),
            Kind::Symlink(target) => (b'2', Some(target), None),
            Kind::CharDevice { major, minor } => (b'3', None, Some((*major, *minor))),
            Kind::BlockDevice { major, minor } => (b'4', None, Some((*major, *minor))),
            Kind::Directory => (b'5', None, None),
            Kind::Fifo => (b'6', None, None),
        };
        block[156] = type_flag;
        if let Some(link) = link {
            if link.len() > 100 || !plain(link) {
                put_text(&mut records, b"linkpath", link);
            }
            copy_into(&mut block[157..257], link);
        }
        let (major, minor) = device.unwrap_or_default();
        let fits = number::write_octal(&mut block[329..337], u64::from(major))
            && number::write_octal(&mut block[337..345], u64::from(minor));
        if !fits {
            let reason = format!("its device number {major}:{minor} is too large");
            return Err(Error::Unsupported { name: entry.display(), reason });
        }
        put_numbers(&mut block, entry, &mut records);
        for (name, value) in &entry.xattrs {
            records.push(([pax::XATTR, name].concat(), value.clone()));
        }
        if !records.is_empty() {
            self.extension(entry, records)?;
        }
        self.block(block)
    }

    fn extension(&mut self, entry: &Entry, mut records: Records) -> Result<(), Error> {
        // First of all, for it says how to read the others.
        records.sort_by(|a, b| (a.0 != b"hdrcharset", &a.0).cmp(&(b.0 != b"hdrcharset", &b.0)));
        let mut data = Vec::new();
        for (key, value) in &records {
            pax::push(&mut data, key, value);
        }
        let mut block = [0; BLOCK];
        let name: Vec<u8> = entry.name().iter().copied().filter(u8::is_ascii).take(80).collect();
        copy_into(&mut block[..100], &[b"PaxHeaders.0/", name.as_slice()].concat());
        block[156] = b'x';
        let mut header = Entry::new(Vec::new(), Kind::File, 0o644);
        header.size = data.len() as u64;
        put_numbers(&mut block, &header, &mut Vec::new());
        number::write_octal(&mut block[329..337], 0);
        number::write_octal(&mut block[337..345], 0);
        self.block(block)?;
        data.resize(data.len().next_multiple_of(BLOCK), 0);
        self.inner.write_all(&data).map_err(Error::write)
    }

    fn block(&mut self, mut block: [u8; BLOCK]) -> Result<(), Error> {
        block[257..265].copy_from_slice(b"ustar\x0000");
        // The sum counts its own field as blanks, and closes with a NUL and a blank.
        block[148..156].fill(b' ');
        let sum = block.iter().map(|&b| u64::from(b)).sum();
        number::write_octal(&mut block[148..155], sum);
        self.inner.write_all(&block).map_err(Error::write)
    }

    fn content(&mut self, entry: &Entry, mut content: impl Read) -> Result<(), Error> {
        let changed = |found| Error::Content { name: entry.display(), expected: entry.size, found };
        let mut left = entry.size;
        loop {
            // One byte more than is left, to see whether the file grew.
            let wanted = usize::try_from(left + 1).unwrap_or(usize::MAX).min(self.buffer.len());
            let count = match content.read(&mut self.buffer[..wanted]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(Error::read)?,
            };
            if count == 0 {
                break;
            }
            left = left.checked_sub(count as u64).ok_or_else(|| changed(entry.size + 1))?;
            self.inner.write_all(&self.buffer[..count]).map_err(Error::write)?;
        }
        if left > 0 {
            return Err(changed(entry.size - left));
        }
        let padding = (entry.size.next_multiple_of(BLOCK as u64) - entry.size) as usize;
        self.inner.write_all(&[0; BLOCK][..padding]).map_err(Error::write)
    }
}

/// Whether a text may stand in a USTAR field: other bytes go into a PAX record where they are UTF-8, as Go does; bytes
/// that are no UTF-8 stand in the field as they are.
fn plain(text: &[u8]) -> bool {
    text.is_ascii() || std::str::from_utf8(text).is_err()
}

fn put_text(records: &mut Records, key: &[u8], text: &[u8]) {
    if std::str::from_utf8(text).is_err() && !records.iter().any(|(k, _)| k == b"hdrcharset") {
        records.push((b"hdrcharset".to_vec(), b"BINARY".to_vec()));
    }
    records.push((key.to_vec(), text.to_vec()));
}

fn put_path(block: &mut [u8; BLOCK], path: &[u8], records: &mut Records) {
    if path.len() <= 100 && plain(path) {
        return copy_into(&mut block[..100], path);
    }
    // The prefix ends where the name begins, at a slash that belongs to neither.
    let split = (path.len().saturating_sub(101)..path.len().saturating_sub(1).min(156))
        .find(|&at| path[at] == b'/' && at > 0);
    match split.filter(|_| plain(path)) {
        Some(at) => {
            copy_into(&mut block[345..500], &path[..at]);
            copy_into(&mut block[..100], &path[at + 1..]);
        }
        None => {
            put_text(records, b"path", path);
            // For readers that know no PAX.
            copy_into(&mut block[..100], path);
        }
    }
}

fn put_numbers(block: &mut [u8; BLOCK], entry: &Entry, records: &mut Records) {
    number::write_octal(&mut block[100..108], u64::from(entry.mode & 0o7777));
    let mut put = |range: std::ops::Range<usize>, key: &[u8], value: i64| {
        if !u64::try_from(value).is_ok_and(|v| number::write_octal(&mut block[range.clone()], v)) {
            number::write_octal(&mut block[range], 0);
            records.push((key.to_vec(), value.to_string().into_bytes()));
        }
    };
    put(108..116, b"uid", i64::from(entry.uid));
    put(116..124, b"gid", i64::from(entry.gid));
    let size = if entry.kind == Kind::File { entry.size } else { 0 };
    put(124..136, b"size", i64::try_from(size).unwrap_or(i64::MAX));
    put(136..148, b"mtime", entry.mtime);
}

fn copy_into(field: &mut [u8], text: &[u8]) {
    let count = text.len().min(field.len());
    field[..count].copy_from_slice(&text[..count]);
}
