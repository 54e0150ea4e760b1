//! Reading layer archives of any dialect.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::entry::clean;
use super::pax::Records;
use super::sparse::{self, MOST_SEGMENTS, Segment};
use super::{Entry, Error, Kind, number, pax};

const BLOCK: usize = 512;

/// How much of an archive is believed before it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the extension headers of one entry (PAX records, GNU long names), and of all that hold for the rest of
    /// the archive.
    pub extension: u64,
    /// Directories in a name.
    pub depth: usize,
    /// Entries.
    pub entries: u64,
}

/// What [`Error::Limit`] says there are too many of when an archive has too many entries.
pub const ENTRIES: &str = "entries";

impl Default for Limits {
    fn default() -> Self {
        Self { extension: 1 << 20, depth: 1000, entries: 20_000_000 }
    }
}

/// Reads the entries of an uncompressed archive in order. After [`Reader::next_entry`] the reader itself gives the
/// content of that entry.
///
/// What is accepted: USTAR, PAX with local and global records, GNU long names and links, old GNU sparse files and PAX
/// sparse 0.0, 0.1 and 1.0, base-256 numbers, pre-POSIX headers. An archive ends at a zero block or at the end of the
/// stream; what follows a zero block is not looked at.
pub struct Reader<R> {
    inner: R,
    limits: Limits,
    /// Bytes taken from `inner`.
    offset: u64,
    entries: u64,
    /// What holds for the rest of the archive, by key.
    globals: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Bytes of keys and values in there.
    globals_size: u64,
    content: Content,
    name: String,
    ended: bool,
}

/// What is left of the current entry.
#[derive(Default)]
struct Content {
    /// Stored bytes still to come.
    stored: u64,
    /// Bytes after them that fill the last block.
    padding: u64,
    /// Length of the file and how much of it was given out; only for files with holes.
    size: u64,
    given: u64,
    map: Option<Vec<Segment>>,
    /// The segment being given out.
    segment: usize,
}

/// What extension headers say about the entry that follows them.
#[derive(Default)]
struct Extensions {
    records: Records,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    /// Bytes of all records.
    size: u64,
    any: bool,
}

impl Extensions {
    fn record(&self, key: &[u8]) -> Option<&[u8]> {
        self.records.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.as_slice())
    }

    fn path(&self) -> Option<&[u8]> {
        self.record(b"GNU.sparse.name").or_else(|| self.record(b"path")).filter(|v| !v.is_empty())
    }
}

/// What an archive says of the names and numbers of an entry, before they are judged.
struct Raw {
    offset: u64,
    header: Box<[u8; BLOCK]>,
    name: Vec<u8>,
    link: Vec<u8>,
    stored: u64,
}

impl<R: Read> Reader<R> {
    /// A reader with the default [`Limits`].
    pub fn new(inner: R) -> Self {
        Self::with_limits(inner, Limits::default())
    }

    /// A reader with limits of one's own.
    pub fn with_limits(inner: R, limits: Limits) -> Self {
        Self {
            inner,
            limits,
            offset: 0,
            entries: 0,
            globals: BTreeMap::new(),
            globals_size: 0,
            content: Content::default(),
            name: String::new(),
            ended: false,
        }
    }

    /// The next entry; what was not read of the last one is skipped. `None` at the end.
    ///
    /// # Errors
    /// If the archive is broken, cut short, hostile ([`Error::Name`]) or passes a limit.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        self.skip_content()?;
        let mut extensions = Extensions::default();
        loop {
            let offset = self.offset;
            let Some(header) = self.header()? else {
                if extensions.any {
                    return Err(Error::Truncated { place: "extension headers".into() });
                }
                return Ok(None);
            };
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(Error::Limit { limit: self.limits.entries, what: ENTRIES });
            }
            let size = field(&header[124..136], offset, "size")?;
            let size = u64::try_from(size).map_err(|_| broken(offset, "the size is negative"))?;
            match header[156] {
                b'x' | b'X' => {
                    extensions.size = self.counted(extensions.size + size)?;
                    let records = self.records(size, offset)?;
                    extensions.records.extend(records);
                }
                b'g' => {
                    self.take_globals(size, offset)?;
                    // They say nothing about which entry follows.
                    continue;
                }
                b'L' => extensions.name = Some(self.long_name(size)?),
                b'K' => extensions.link = Some(self.long_name(size)?),
                // A volume's label.
                b'V' => self.skip(padded(size))?,
                _ => return self.entry(offset, header, size, extensions).map(Some),
            }
            extensions.any = true;
        }
    }

    /// Reads to the end of the stream, past the end of the archive, and gives the stream back. Whoever digests the
    /// stream must do this: padding belongs to the digest.
    ///
    /// # Errors
    /// If the stream fails, or there are broken entries on the way.
    pub fn finish(mut self) -> Result<R, Error> {
        while !self.ended {
            self.next_entry()?;
        }
        io::copy(&mut self.inner, &mut io::sink()).map_err(Error::read)?;
        Ok(self.inner)
    }

    /// Reads stored bytes of the current entry without filling holes: the segments of [`Entry::sparse`] one after
    /// another. For entries without holes it is the same as reading.
    ///
    /// # Errors
    /// If the stream fails or ends.
    pub fn read_stored(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let wanted = usize::try_from(self.content.stored).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let count = loop {
            match self.inner.read(&mut buffer[..wanted]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(Error::read)?,
            }
        };
        if count == 0 {
            return Err(Error::Truncated { place: format!("the content of {:?}", self.name) });
        }
        self.offset += count as u64;
        self.content.stored -= count as u64;
        Ok(count)
    }

    /// Appends all stored bytes of the current entry that were not read yet: for entries whose size was looked at.
    ///
    /// # Errors
    /// If the stream fails or ends.
    pub fn read_content(&mut self, content: &mut Vec<u8>) -> Result<(), Error> {
        let length = self.content.stored;
        let read = (&mut self.inner).take(length).read_to_end(content).map_err(Error::read)? as u64;
        self.offset += read;
        self.content.stored -= read;
        if read < length {
            return Err(Error::Truncated { place: format!("the content of {:?}", self.name) });
        }
        Ok(())
    }

    fn entry(
        &mut self,
        offset: u64,
        header: Box<[u8; BLOCK]>,
        size: u64,
        extensions: Extensions,
    ) -> Result<Entry, Error> {
        let stored = match extensions.record(b"size") {
            Some(text) if !text.is_empty() => {
                pax::decimal(text).ok_or_else(|| broken(offset, "the PAX size is no number"))?
            }
            _ => size,
        };
        let name = extensions.path().map(<[u8]>::to_vec);
        let name = name.or_else(|| extensions.name.clone()).unwrap_or_else(|| header_name(&header));
        let link = extensions.record(b"linkpath").filter(|v| !v.is_empty()).map(<[u8]>::to_vec);
        let link = link.or_else(|| extensions.link.clone()).unwrap_or_else(|| text(&header[157..257]));
        self.name = String::from_utf8_lossy(&name).into_owned();
        let raw = Raw { offset, header, name, link, stored };
        let kind = self.kind(&raw)?;
        let path = clean(&raw.name, self.limits.depth).map_err(|reason| self.refused(reason))?;
        if path.is_empty() && kind != Kind::Directory {
            return Err(self.refused("only a directory can be the root"));
        }
        let mut entry = Entry::new(path, kind, 0);
        self.metadata(&raw, &extensions, &mut entry)?;
        self.begin_content(&raw, &extensions, &mut entry)?;
        Ok(entry)
    }

    fn refused(&self, reason: &'static str) -> Error {
        Error::Name { name: self.name.clone(), reason }
    }

    fn kind(&self, raw: &Raw) -> Result<Kind, Error> {
        let device = || -> Result<(u32, u32), Error> {
            let part = |bytes, what| {
                u32::try_from(field(bytes, raw.offset, what)?)
                    .map_err(|_| broken(raw.offset, "a device number is out of range"))
            };
            Ok((part(&raw.header[329..337], "major number")?, part(&raw.header[337..345], "minor number")?))
        };
        Ok(match raw.header[156] {
            // Before POSIX a directory was a file whose name ends with a slash.
            b'0' | 0 | b'7' | b'S' if !raw.name.ends_with(b"/") => Kind::File,
            b'0' | 0 | b'7' | b'5' | b'D' => Kind::Directory,
            b'1' => {
                let target = clean(&raw.link, self.limits.depth)
                    .map_err(|_| self.refused("the hard link's target leads outside"))?;
                if target.is_empty() {
                    return Err(self.refused("the hard link has no target"));
                }
                Kind::Hardlink(target)
            }
            b'2' if raw.link.is_empty() => return Err(self.refused("the symbolic link has no target")),
            b'2' if raw.link.contains(&0) => {
                return Err(self.refused("the symbolic link's target contains a NUL byte"));
            }
            b'2' => Kind::Symlink(raw.link.clone()),
            b'3' => device().map(|(major, minor)| Kind::CharDevice { major, minor })?,
            b'4' => device().map(|(major, minor)| Kind::BlockDevice { major, minor })?,
            b'6' => Kind::Fifo,
            other => {
                let reason = format!("its type is {:?}", char::from(other));
                return Err(Error::Unsupported { name: self.name.clone(), reason });
            }
        })
    }

    fn metadata(&self, raw: &Raw, extensions: &Extensions, entry: &mut Entry) -> Result<(), Error> {
        let offset = raw.offset;
        let mode = field(&raw.header[100..108], offset, "mode")?;
        entry.mode = u32::try_from(mode & 0o7777).unwrap_or(0);
        let id = |key: &[u8], bytes: &[u8], what| -> Result<u32, Error> {
            let number = match self.record(extensions, key) {
                Some(text) => pax::decimal(text).and_then(|n| i64::try_from(n).ok()),
                None => number::read(bytes),
            };
            // The last number means "leave as it is" to chown.
            let id = number.and_then(|n| u32::try_from(n).ok()).filter(|&id| id != u32::MAX);
            id.ok_or_else(|| broken(offset, format!("the {what} of {:?} is out of range", self.name)))
        };
        entry.uid = id(b"uid", &raw.header[108..116], "owner")?;
        entry.gid = id(b"gid", &raw.header[116..124], "group")?;
        (entry.mtime, entry.mtime_nanos) = match self.record(extensions, b"mtime") {
            Some(text) => pax::time(text)
                .ok_or_else(|| broken(offset, format!("the time of {:?} is no number", self.name)))?,
            None => (field(&raw.header[136..148], offset, "time")?, 0),
        };
        let local = extensions.records.iter().map(|(key, value)| (key, value));
        for (key, value) in self.globals.iter().chain(local) {
            let Some(name) = key.strip_prefix(pax::XATTR).filter(|n| !n.is_empty() && !n.contains(&0)) else {
                continue;
            };
            entry.xattrs.insert(name.to_vec(), value.clone());
        }
        Ok(())
    }

    /// A local record, else a global one; an empty value takes a global one back.
    fn record<'a>(&'a self, extensions: &'a Extensions, key: &[u8]) -> Option<&'a [u8]> {
        let global = || self.globals.get(key).map(Vec::as_slice);
        extensions.record(key).or_else(global).filter(|v| !v.is_empty())
    }

    fn begin_content(&mut self, raw: &Raw, extensions: &Extensions, entry: &mut Entry) -> Result<(), Error> {
        // Only files have content, whatever the header of another kind announces (Go and GNU tar: the same).
        // A dump directory has a list of names.
        let stored = match (&entry.kind, raw.header[156]) {
            (Kind::File, _) | (_, b'D') => raw.stored,
            _ => 0,
        };
        let padding = padded(stored) - stored;
        self.content = Content { stored, padding, ..Content::default() };
        if entry.kind != Kind::File {
            return self.skip_content();
        }
        entry.size = stored;
        let map = if raw.header[156] == b'S' {
            Some(self.old_sparse(raw, entry)?)
        } else {
            self.pax_sparse(raw, extensions, entry)?
        };
        if let Some(map) = map {
            sparse::check(&map, entry.size, self.content.stored)
                .map_err(|reason| broken(raw.offset, reason))?;
            self.content.size = entry.size;
            self.content.map = Some(map.clone());
            entry.sparse = Some(map);
        }
        Ok(())
    }

    /// GNU tar: "Old GNU Format": four slots in the header, continuation blocks of 21.
    fn old_sparse(&mut self, raw: &Raw, entry: &mut Entry) -> Result<Vec<Segment>, Error> {
        let wrong = |reason| broken(raw.offset, reason);
        let size = field(&raw.header[483..495], raw.offset, "real size")?;
        entry.size = u64::try_from(size).map_err(|_| wrong("the real size is negative"))?;
        let mut map = Vec::new();
        sparse::slots(&raw.header[386..482], &mut map).map_err(wrong)?;
        let mut more = raw.header[482] != 0;
        while more {
            let Some(block) = self.block()? else {
                return Err(Error::Truncated { place: format!("the sparse map of {:?}", self.name) });
            };
            sparse::slots(&block[..504], &mut map).map_err(wrong)?;
            if map.len() > MOST_SEGMENTS {
                return Err(Error::Limit { limit: MOST_SEGMENTS as u64, what: "segments of a sparse file" });
            }
            more = block[504] != 0;
        }
        Ok(map)
    }

    /// GNU tar: "PAX Format, Versions 0.0 and 0.1" and "Version 1.0".
    fn pax_sparse(
        &mut self,
        raw: &Raw,
        extensions: &Extensions,
        entry: &mut Entry,
    ) -> Result<Option<Vec<Segment>>, Error> {
        let wrong = |reason| broken(raw.offset, reason);
        let size =
            extensions.record(b"GNU.sparse.realsize").or_else(|| extensions.record(b"GNU.sparse.size"));
        let Some(size) = size else { return Ok(None) };
        entry.size = pax::decimal(size).ok_or_else(|| wrong("the real size is no number"))?;
        if extensions.record(b"GNU.sparse.major") != Some(b"1") {
            return sparse::from_records(&extensions.records).map(Some).map_err(wrong);
        }
        // The map stands before the content: a count, then pairs, a number a line, filled up to a block.
        let mut numbers = Vec::new();
        let mut wanted = 1;
        let mut digits = Vec::new();
        while numbers.len() < wanted {
            if self.content.stored < BLOCK as u64 {
                return Err(wrong("the sparse map is longer than the entry"));
            }
            let Some(block) = self.block()? else {
                return Err(Error::Truncated { place: format!("the sparse map of {:?}", self.name) });
            };
            self.content.stored -= BLOCK as u64;
            for &byte in block.iter() {
                if numbers.len() == wanted {
                    break;
                }
                if byte != b'\n' {
                    digits.push(byte);
                    continue;
                }
                let number = pax::decimal(&digits).filter(|_| digits.len() < 20);
                let number = number.ok_or_else(|| wrong("a number of the sparse map is no number"))?;
                digits.clear();
                if numbers.is_empty() {
                    let count = usize::try_from(number).ok().filter(|&count| count <= MOST_SEGMENTS);
                    wanted += 2 * count.ok_or_else(|| wrong("the sparse map is too long"))?;
                }
                numbers.push(number);
            }
        }
        sparse::pairs(&numbers[1..]).map(Some).map_err(wrong)
    }

    fn header(&mut self) -> Result<Option<Box<[u8; BLOCK]>>, Error> {
        if self.ended {
            return Ok(None);
        }
        let offset = self.offset;
        let Some(block) = self.block()?.filter(|block| block.iter().any(|&b| b != 0)) else {
            self.ended = true;
            return Ok(None);
        };
        if !is_archive(block.as_slice()) {
            return Err(broken(offset, "the checksum is wrong"));
        }
        Ok(Some(block))
    }

    /// The next block; `None` at the end of the stream.
    fn block(&mut self) -> Result<Option<Box<[u8; BLOCK]>>, Error> {
        let mut block = Box::new([0; BLOCK]);
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => {
                    return Err(Error::Truncated { place: format!("the block at byte {}", self.offset) });
                }
                Ok(count) => filled += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::read(e)),
            }
        }
        self.offset += BLOCK as u64;
        Ok(Some(block))
    }

    /// Refuses extension headers that are longer than any honest ones.
    fn counted(&self, size: u64) -> Result<u64, Error> {
        let limit = self.limits.extension;
        if size > limit { Err(Error::Limit { limit, what: "bytes in extension headers" }) } else { Ok(size) }
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        self.counted(size)?;
        let mut data = Vec::new();
        let read = (&mut self.inner).take(padded(size)).read_to_end(&mut data).map_err(Error::read)?;
        self.offset += read as u64;
        if (read as u64) < padded(size) {
            return Err(Error::Truncated { place: "an extension header".into() });
        }
        data.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(data)
    }

    fn records(&mut self, size: u64, offset: u64) -> Result<Records, Error> {
        let data = self.extension(size)?;
        pax::parse(&data).map_err(|reason| broken(offset, reason))
    }

    fn take_globals(&mut self, size: u64, offset: u64) -> Result<(), Error> {
        for (key, value) in self.records(size, offset)? {
            let (key_size, new) = (key.len() as u64, value.len() as u64);
            match self.globals.insert(key, value) {
                Some(old) => self.globals_size = self.globals_size - old.len() as u64 + new,
                None => self.globals_size += key_size + new,
            }
            self.counted(self.globals_size)?;
        }
        Ok(())
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        self.extension(size).map(|data| text(&data))
    }

    fn skip_content(&mut self) -> Result<(), Error> {
        let left = self.content.stored + self.content.padding;
        self.content = Content::default();
        self.skip(left)
    }

    fn skip(&mut self, count: u64) -> Result<(), Error> {
        let skipped = io::copy(&mut (&mut self.inner).take(count), &mut io::sink()).map_err(Error::read)?;
        self.offset += skipped;
        if skipped < count {
            return Err(Error::Truncated { place: format!("the content of {:?}", self.name) });
        }
        Ok(())
    }
}

/// The content of the current entry, holes filled with zeros.
impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(map) = &self.content.map else { return Ok(self.read_stored(buffer)?) };
        while map.get(self.content.segment).is_some_and(|s| s.offset + s.length <= self.content.given) {
            self.content.segment += 1;
        }
        let until = match map.get(self.content.segment) {
            Some(segment) if segment.offset <= self.content.given => {
                let left = segment.offset + segment.length - self.content.given;
                let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                let count = self.read_stored(&mut buffer[..wanted])?;
                self.content.given += count as u64;
                return Ok(count);
            }
            Some(segment) => segment.offset,
            None => self.content.size,
        };
        let zeros = usize::try_from(until - self.content.given).unwrap_or(usize::MAX).min(buffer.len());
        buffer[..zeros].fill(0);
        self.content.given += zeros as u64;
        Ok(zeros)
    }
}

/// Whether bytes begin with a tar header: one whose sum is right.
pub fn is_archive(head: &[u8]) -> bool {
    let Some(block) = head.first_chunk::<BLOCK>() else { return false };
    block.iter().any(|&b| b != 0) && sums(block).map(Some).contains(&number::read(&block[148..156]))
}

/// The sum of a header's bytes, and as some old tools made it: of signed bytes.
fn sums(block: &[u8; BLOCK]) -> [i64; 2] {
    let sum = |byte: fn(u8) -> i64| -> i64 {
        let fields = block[..148].iter().chain(&block[156..]).map(|&b| byte(b));
        fields.sum::<i64>() + 8 * i64::from(b' ')
    };
    [sum(i64::from), sum(|b| i64::from(b.cast_signed()))]
}

fn broken(offset: u64, reason: impl Into<String>) -> Error {
    Error::Header { offset, reason: reason.into() }
}

fn field(bytes: &[u8], offset: u64, what: &str) -> Result<i64, Error> {
    number::read(bytes).ok_or_else(|| broken(offset, format!("the {what} is no number")))
}

/// Bytes rounded up to whole blocks.
fn padded(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK as u64).unwrap_or(u64::MAX)
}

/// Bytes before the first NUL.
fn text(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|&b| b == 0).next().unwrap_or_default().to_vec()
}

/// The name a header gives by itself: with its prefix where the dialect has one.
fn header_name(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = text(&header[..100]);
    // GNU's magic continues with blanks; its headers have other fields in the place of the prefix.
    let prefix = if &header[257..263] != b"ustar\0" {
        Vec::new()
    } else if &header[508..512] == b"tar\0" {
        text(&header[345..476])
    } else {
        text(&header[345..500])
    };
    if prefix.is_empty() { name } else { [prefix.as_slice(), &name].join(&b'/') }
}
