//! A tar as files by name.

use std::collections::BTreeMap;
use std::io::{self, Read};

use tar::{EntryType, Header};

use crate::oci::Error;
use crate::oci::archive::{Body, Files, Source};

const BLOCK: u64 = 512;
/// Archives of images have one entry a blob; more than this is an attack on memory.
const MOST_ENTRIES: usize = 200_000;
/// Largest extension header: it holds a name.
const LONGEST_EXTENSION: u64 = 1 << 20;
/// Links that lead to links.
const DEEPEST_LINK: usize = 16;

const WHAT: &str = "the archive";

/// The files of a tar, found by one pass over its headers.
pub struct TarFiles<S> {
    source: S,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    File {
        offset: u64,
        size: u64,
    },
    /// To another entry, by its full name.
    Link(String),
}

/// What extension headers said about the next entry.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<S: Source> TarFiles<S> {
    /// Reads the headers.
    ///
    /// # Errors
    /// If it is not a tar, or one that no tool writes for images: cut short, with names that leave it, with sparse
    /// files, with too many entries.
    pub fn scan(source: S) -> Result<Self, Error> {
        let mut entries = BTreeMap::new();
        let mut offset = 0;
        let mut extension = Extension::default();
        while let Some(header) = read_header(&source, offset)? {
            let data = offset + BLOCK;
            let said = header.entry_size().map_err(|_| broken("a header has no valid size"))?;
            let kind = header.entry_type();
            let size = match &extension.size {
                Some(size) if !is_extension(kind) => *size,
                _ => said,
            };
            let end = data.checked_add(size).ok_or_else(|| broken("an entry is longer than anything"))?;
            if size > 0 && read_some(&source, end - 1, &mut [0])? == 0 {
                return Err(broken("it is cut short"));
            }
            if is_extension(kind) {
                extension.take(kind, &read_range(&source, data, size)?)?;
            } else {
                let named = std::mem::take(&mut extension);
                add(&mut entries, &header, named, (data, size))?;
            }
            offset = end.checked_next_multiple_of(BLOCK).ok_or_else(|| broken("it is too long"))?;
        }
        Ok(Self { source, entries })
    }

    fn find(&self, name: &str) -> Result<Option<(u64, u64)>, Error> {
        let mut name = name;
        for _ in 0..DEEPEST_LINK {
            match self.entries.get(name) {
                None => return Ok(None),
                Some(Entry::File { offset, size }) => return Ok(Some((*offset, *size))),
                Some(Entry::Link(target)) => name = target,
            }
        }
        Err(broken("its links lead in a circle"))
    }
}

impl<S: Source> Files for TarFiles<S> {
    fn open(&self, name: &str) -> Result<Option<Body<'_>>, Error> {
        let Some((offset, size)) = self.find(name)? else { return Ok(None) };
        Ok(Some(Body { size, reader: Box::new(Range { source: &self.source, offset, left: size }) }))
    }
}

struct Range<'a, S> {
    source: &'a S,
    offset: u64,
    left: u64,
}

impl<S: Source> Read for Range<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        if want == 0 {
            return Ok(0);
        }
        let n = self.source.read_at(self.offset, &mut buf[..want])?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive became shorter"));
        }
        self.offset += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

fn broken(rule: &str) -> Error {
    Error::malformed(WHAT, rule)
}

fn is_extension(kind: EntryType) -> bool {
    kind.is_gnu_longname()
        || kind.is_gnu_longlink()
        || kind.is_pax_local_extensions()
        || kind.is_pax_global_extensions()
}

fn read_some(source: &impl Source, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
    loop {
        match source.read_at(offset, buf) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(|source| Error::Stream { action: "read the archive", source }),
        }
    }
}

/// The header at `offset`, or `None` at the end: zeros, or nothing at all.
fn read_header(source: &impl Source, offset: u64) -> Result<Option<Header>, Error> {
    let mut header = Header::new_old();
    let bytes = header.as_mut_bytes();
    let mut filled = 0;
    while filled < bytes.len() {
        match read_some(source, offset + filled as u64, &mut bytes[filled..])? {
            0 if filled == 0 && offset > 0 => return Ok(None),
            0 => return Err(broken(if offset == 0 { "it is not a tar" } else { "it is cut short" })),
            n => filled += n,
        }
    }
    if bytes.iter().all(|b| *b == 0) {
        return Ok(None);
    }
    let sum: u32 = bytes[..148].iter().chain(&bytes[156..]).map(|b| u32::from(*b)).sum::<u32>() + 8 * 32;
    if header.cksum().ok() != Some(sum) {
        return Err(broken(if offset == 0 { "it is not a tar" } else { "a header has a wrong checksum" }));
    }
    Ok(Some(header))
}

fn read_range(source: &impl Source, offset: u64, size: u64) -> Result<Vec<u8>, Error> {
    if size > LONGEST_EXTENSION {
        return Err(broken("a header is longer than any name"));
    }
    let mut bytes = Vec::new();
    Range { source, offset, left: size }
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Stream { action: "read the archive", source })?;
    Ok(bytes)
}

impl Extension {
    fn take(&mut self, kind: EntryType, data: &[u8]) -> Result<(), Error> {
        let text = || data.split(|b| *b == 0).next().unwrap_or_default().to_vec();
        if kind.is_gnu_longname() {
            self.name = Some(text());
        } else if kind.is_gnu_longlink() {
            self.link = Some(text());
        } else if kind.is_pax_local_extensions() {
            self.take_pax(data)?;
        }
        Ok(())
    }

    /// Records are `length key=value\n`; the length counts, because a value may hold line ends.
    fn take_pax(&mut self, mut data: &[u8]) -> Result<(), Error> {
        while !data.is_empty() {
            let record = || {
                let space = data.iter().take(20).position(|b| *b == b' ')?;
                let length: usize = std::str::from_utf8(&data[..space]).ok()?.parse().ok()?;
                let body = data.get(space + 1..length)?.strip_suffix(b"\n")?;
                let equals = body.iter().position(|b| *b == b'=')?;
                Some((length, &body[..equals], &body[equals + 1..]))
            };
            let (length, key, value) = record().ok_or_else(|| broken("a PAX header is malformed"))?;
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    self.size = Some(size.ok_or_else(|| broken("a PAX header has no valid size"))?);
                }
                key if key.starts_with(b"GNU.sparse.") => return Err(broken("it has sparse files")),
                _ => {}
            }
            data = &data[length..];
        }
        Ok(())
    }
}

fn add(
    entries: &mut BTreeMap<String, Entry>,
    header: &Header,
    extension: Extension,
    (offset, size): (u64, u64),
) -> Result<(), Error> {
    let kind = header.entry_type();
    let raw = extension.name.unwrap_or_else(|| header.path_bytes().into_owned());
    // Names of blobs and manifests are ASCII; what is not text cannot be asked for.
    let Some(name) = std::str::from_utf8(&raw).ok() else { return Ok(()) };
    let name = normalise("", name)?;
    let link = || {
        let raw =
            extension.link.or_else(|| header.link_name_bytes().map(|l| l.into_owned())).unwrap_or_default();
        String::from_utf8(raw).map_err(|_| broken("a link is not text"))
    };
    let entry = match kind {
        EntryType::GNUSparse => return Err(broken("it has sparse files")),
        EntryType::Regular | EntryType::Continuous => Entry::File { offset, size },
        EntryType::Link => Entry::Link(normalise("", &link()?)?),
        EntryType::Symlink => {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            Entry::Link(normalise(folder, &link()?)?)
        }
        // Folders and devices are no blobs.
        _ => return Ok(()),
    };
    entries.insert(name, entry);
    if entries.len() > MOST_ENTRIES {
        return Err(broken("it has more entries than any image"));
    }
    Ok(())
}

/// The name within the archive, seen from `folder`.
fn normalise(folder: &str, name: &str) -> Result<String, Error> {
    if name.starts_with('/') {
        return Err(broken("it has absolute names"));
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| broken("it has names that lead out of it"))?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        build(&mut builder);
        builder.into_inner().unwrap()
    }

    fn file(builder: &mut tar::Builder<Vec<u8>>, name: &str, data: &[u8]) {
        let mut header = Header::new_gnu();
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, name, data).unwrap();
    }

    fn link(builder: &mut tar::Builder<Vec<u8>>, kind: EntryType, name: &str, target: &str) {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        builder.append_link(&mut header, name, target).unwrap();
    }

    fn read(bytes: &[u8], name: &str) -> Result<Option<Vec<u8>>, Error> {
        let files = TarFiles::scan(bytes)?;
        let body = files.open(name)?;
        body.map(|body| body.read(name, 1000)).transpose()
    }

    #[test]
    fn files_and_links_by_name() {
        let long = format!("{}/layer.tar", "n".repeat(150));
        let bytes = tar(|b| {
            file(b, "./manifest.json", b"[]");
            file(b, "a/layer.tar", b"first");
            file(b, "a/layer.tar", b"layer");
            link(b, EntryType::Symlink, "b/layer.tar", "../a/layer.tar");
            link(b, EntryType::Link, "c", "a/layer.tar");
            file(b, &long, b"long");
            b.append_pax_extensions([("path", b"pax/name".as_slice()), ("comment", b"a\nb")]).unwrap();
            file(b, "short", b"pax");
        });
        for (name, data) in [
            ("manifest.json", "[]"),
            ("a/layer.tar", "layer"),
            ("b/layer.tar", "layer"),
            ("c", "layer"),
            (&long, "long"),
            ("pax/name", "pax"),
        ] {
            assert_eq!(read(&bytes, name).unwrap().as_deref(), Some(data.as_bytes()), "{name}");
        }
        assert_eq!(read(&bytes, "short").unwrap(), None);
        assert!(matches!(
            TarFiles::scan(&bytes[..]).unwrap().open("c").unwrap().unwrap().read("c", 4),
            Err(Error::TooLarge { .. })
        ));
    }

    #[test]
    fn hostile_archives() {
        let reason = |bytes: &[u8], name: &str| {
            let error = read(bytes, name).unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            (error.to_string(), source)
        };
        let with_name = |name: &[u8]| {
            tar(|b| {
                let mut header = Header::new_gnu();
                header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name);
                header.set_size(0);
                header.set_cksum();
                b.append(&header, &b""[..]).unwrap();
            })
        };
        assert!(reason(&with_name(b"../out"), "x").1.contains("lead out"));
        assert!(reason(&with_name(b"a/../../out"), "x").1.contains("lead out"));
        assert!(reason(&with_name(b"/etc/passwd"), "x").1.contains("absolute"));
        let circle = tar(|b| {
            link(b, EntryType::Symlink, "a", "b");
            link(b, EntryType::Symlink, "b", "a");
        });
        assert!(reason(&circle, "a").1.contains("circle"));
        let out = tar(|b| link(b, EntryType::Symlink, "a", "../../etc/passwd"));
        assert!(reason(&out, "a").1.contains("lead out"));
        assert!(reason(b"", "a").1.contains("not a tar"));
        assert!(reason(&[b'x'; 2000], "a").1.contains("not a tar"));
        let whole = tar(|b| file(b, "a", &[7; 1000]));
        assert!(reason(&whole[..1200], "a").1.contains("cut short"));
        assert!(reason(&whole[..700], "a").1.contains("cut short"));
        let huge = tar(|b| {
            let mut header = Header::new_gnu();
            header.set_path("a").unwrap();
            header.set_size(u64::MAX);
            header.set_cksum();
            b.append(&header, &b""[..]).unwrap();
        });
        assert!(!reason(&huge, "a").1.is_empty());
    }
}
