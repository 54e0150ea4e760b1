//! Archives as text: one entry a line, `kind NAME [MODE UID:GID] [more]`.
//!
//! `dir d 0750 5:6`, `file d/f 0644 7:8 the rest of the line`, `link d/l TARGET`, `hard d/h d/f`,
//! `fifo d/p`, `device d/n MAJOR:MINOR`, `file f 0644 0:0 security.capability=HEX text` for an attribute, and
//! `program bin/busybox` for the static BusyBox of this machine, with `applets bin sh ls …` for links to it. `\n` in the
//! text of a file is a line break.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use tar::{Builder, EntryType, Header};

/// The time of entries: 2012-11-25.
const ENTRY_TIME: u64 = 1_353_800_000;

/// An archive, compressed as `kind` says: `none`, `gzip`, `bzip2`, `xz`, `zstd`.
pub fn make(kind: &str, body: &[u8]) -> Vec<u8> {
    compress(kind, &tar_of(body))
}

/// `bytes`, compressed.
pub fn compress(kind: &str, bytes: &[u8]) -> Vec<u8> {
    match kind {
        "none" => bytes.to_vec(),
        "gzip" => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        "bzip2" => {
            let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        "xz" => {
            let mut child =
                Command::new("xz").args(["-1", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
            let child = child.as_mut().expect("install the package xz-utils");
            child.stdin.take().unwrap().write_all(bytes).unwrap();
            let mut out = Vec::new();
            child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
            assert!(child.wait().unwrap().success());
            out
        }
        "zstd" => zstd::encode_all(bytes, 1).unwrap(),
        other => panic!("no compression is called {other}"),
    }
}

/// The plain tar of an archive's text.
pub fn tar_of(body: &[u8]) -> Vec<u8> {
    let mut out = Builder::new(Vec::new());
    for line in body.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        match line.strip_prefix(b"applets bin ") {
            Some(names) => {
                for name in names.split(|b| *b == b' ') {
                    append(&mut out, &[b"link bin/", name, b" busybox"].concat());
                }
            }
            None => append(&mut out, line),
        }
    }
    out.into_inner().unwrap()
}

fn append(out: &mut Builder<Vec<u8>>, line: &[u8]) {
    let mut words = line.splitn(3, |b| *b == b' ');
    let kind = String::from_utf8(words.next().unwrap().to_vec()).unwrap();
    let name = words.next().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(line)));
    let rest = String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
    let mut header = Header::new_ustar();
    header.set_mtime(ENTRY_TIME);
    header.set_size(0);
    set_name(&mut header, name);
    header.set_mode(0o644);
    let mut content = Vec::new();
    match kind.as_str() {
        "dir" => {
            header.set_entry_type(EntryType::Directory);
            owner_and_mode(&mut header, &rest);
        }
        "file" => content = file(out, &mut header, &rest),
        "program" => {
            owner_and_mode(&mut header, "");
            content = std::fs::read("/bin/busybox").expect("install the package busybox-static");
        }
        "link" | "hard" => {
            header.set_entry_type(if kind == "link" { EntryType::Symlink } else { EntryType::Link });
            header.set_link_name_literal(rest.as_bytes()).unwrap();
            if kind == "link" {
                header.set_mode(0o777);
            }
        }
        "fifo" => header.set_entry_type(EntryType::Fifo),
        "device" => {
            let (major, minor) = rest.split_once(':').expect("MAJOR:MINOR");
            header.set_entry_type(EntryType::Char);
            header.set_device_major(major.parse().unwrap()).unwrap();
            header.set_device_minor(minor.parse().unwrap()).unwrap();
        }
        other => panic!("no entry is called {other}"),
    }
    if !matches!(kind.as_str(), "dir" | "file" | "program") {
        header.set_uid(0);
        header.set_gid(0);
    }
    header.set_size(content.len() as u64);
    header.set_cksum();
    out.append(&header, content.as_slice()).unwrap();
}

/// Writes the name as it is: archives may say `..` and `/`.
fn set_name(header: &mut Header, name: &[u8]) {
    let field = &mut header.as_old_mut().name;
    assert!(name.len() <= field.len(), "a name of at most 100 bytes");
    field[..name.len()].copy_from_slice(name);
}

fn owner_and_mode<'a>(header: &mut Header, rest: &'a str) -> &'a str {
    let mut words = rest.splitn(3, ' ');
    let mode = words.next().filter(|word| !word.is_empty()).unwrap_or("755");
    let owner = words.next().unwrap_or("0:0");
    let (uid, gid) = owner.split_once(':').expect("UID:GID");
    header.set_mode(u32::from_str_radix(mode, 8).unwrap());
    header.set_uid(uid.parse().unwrap());
    header.set_gid(gid.parse().unwrap());
    words.next().unwrap_or_default()
}

/// A file's content, after its attribute has been written.
fn file(out: &mut Builder<Vec<u8>>, header: &mut Header, rest: &str) -> Vec<u8> {
    let text = owner_and_mode(header, rest);
    let Some((name, value)) = text.split_once(' ').unwrap_or((text, "")).0.split_once('=') else {
        return text.replace("\\n", "\n").into_bytes();
    };
    if !name.contains('.') {
        return text.replace("\\n", "\n").into_bytes();
    }
    let bytes = hex::decode(value).expect("an attribute in hex");
    let key = format!("SCHILY.xattr.{name}");
    out.append_pax_extensions([(key.as_str(), bytes.as_slice())]).unwrap();
    text.split_once(' ').map_or("", |(_, text)| text).as_bytes().to_vec()
}
