//! Archives that try to write outside, each of the ways that once worked on somebody. A file, a directory and a mode
//! beside the target are watched: nothing may touch them.

use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::elevated::as_root;
use super::folder::Folder;
use super::*;
use crate::base::DiffId;
use crate::host::fs;
use crate::oci::layer::{Entry, Kind, Limits, Writer};

/// A place with something outside of the target to lose.
struct Yard {
    folder: tempfile::TempDir,
    target: PathBuf,
}

impl Yard {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "precious").unwrap();
        std::fs::set_permissions(&outside, std::fs::Permissions::from_mode(0o711)).unwrap();
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        Self { folder, target }
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    /// Unpacks, and looks whether the outside is as it was.
    fn unpack(&self, archive: Vec<u8>) -> Result<unpack::Outcome> {
        let outcome =
            unpack::unpack(&DiffId::of(&archive), archive.as_slice(), &self.target, Limits::default());
        let outside = self.outside();
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"precious");
        assert_eq!(fs::read_dir(&outside).unwrap().len(), 1);
        let meta = fs::metadata(&outside).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.uid()), (0o711, 0));
        assert_eq!(fs::metadata(outside.join("file")).unwrap().nlink(), 1);
        outcome
    }

    fn link(&self, name: &str) -> (Entry, &'static [u8]) {
        let target = self.outside().into_os_string().into_encoded_bytes();
        (Entry::new(name, Kind::Symlink(target), 0o777), b"")
    }
}

fn file(path: &str) -> (Entry, &'static [u8]) {
    (Entry { size: 4, ..Entry::new(path, Kind::File, 0o644) }, b"evil")
}

fn directory(path: &str) -> (Entry, &'static [u8]) {
    (Entry { uid: 7, ..Entry::new(path, Kind::Directory, 0o777) }, b"")
}

fn hard(path: &str, target: &str) -> (Entry, &'static [u8]) {
    (Entry::new(path, Kind::Hardlink(target.into()), 0o644), b"")
}

fn archive(entries: &[(Entry, &[u8])], whiteouts: &[&str]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in entries {
        writer.append(entry, *content).unwrap();
    }
    for path in whiteouts {
        writer.whiteout(path.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn links_do_not_lead_out() {
    as_root("hostile::links_do_not_lead_out", || {
        let yard = Yard::new();
        let inside = yard.target.join(yard.outside().strip_prefix("/").unwrap());
        // A file below a link, then over the link itself, then below it again.
        let attack =
            [yard.link("l"), file("l/file"), file("l"), yard.link("m"), directory("m"), file("m/file")];
        yard.unpack(archive(&attack, &[])).unwrap();
        assert_eq!(fs::read(inside.join("file")).unwrap(), b"evil");
        assert!(fs::symlink_metadata(yard.target.join("l")).unwrap().is_file());
        assert!(fs::symlink_metadata(yard.target.join("m")).unwrap().is_dir());

        let yard = Yard::new();
        let up = (Entry::new("up", Kind::Symlink(b"../../../../..".to_vec()), 0o777), &b""[..]);
        let chain = (Entry::new("chain", Kind::Symlink(b"up/outside".to_vec()), 0o777), &b""[..]);
        yard.unpack(archive(&[up, chain, file("up/file"), file("chain/file")], &[])).unwrap();
        assert_eq!(fs::read(yard.target.join("file")).unwrap(), b"evil");

        let yard = Yard::new();
        let round = (Entry::new("round", Kind::Symlink(b"round".to_vec()), 0o777), &b""[..]);
        assert!(yard.unpack(archive(&[round, file("round/file")], &[])).is_err());
    });
}

#[test]
fn hard_links_stay_inside() {
    as_root("hostile::hard_links_stay_inside", || {
        for target in [yard_path, |_: &Yard| "l/file".to_owned()] {
            let yard = Yard::new();
            let attack = [yard.link("l"), hard("h", &target(&yard)), file("h")];
            let error = yard.unpack(archive(&attack, &[])).unwrap_err();
            assert!(error.to_string().contains("link to"), "{error}");
        }
        // To the link itself is allowed; writing over the name breaks the pair.
        let yard = Yard::new();
        yard.unpack(archive(&[yard.link("l"), hard("h", "l"), file("h")], &[])).unwrap();
        assert!(fs::symlink_metadata(yard.target.join("l")).unwrap().is_symlink());
    });
}

fn yard_path(yard: &Yard) -> String {
    yard.outside().join("file").strip_prefix("/").unwrap().to_str().unwrap().to_owned()
}

#[test]
fn whiteouts_remove_nothing_outside() {
    as_root("hostile::whiteouts_remove_nothing_outside", || {
        let yard = Yard::new();
        // The last spells an opaque mark.
        yard.unpack(archive(&[yard.link("l")], &["l/file", "l/.wh..opq"])).unwrap();
        for name in [".", ".."] {
            let yard = Yard::new();
            let error = yard.unpack(archive(&[directory("d")], &[&format!("d/{name}")])).unwrap_err();
            assert!(matches!(error, Error::Archive { .. }), "{error}");
        }
        // A whiteout is about lower layers, never about its own.
        let yard = Yard::new();
        yard.unpack(archive(&[file("kept"), directory("dir"), file("dir/in")], &["kept", "dir"])).unwrap();
        assert!(fs::exists(yard.target.join("kept")) && fs::exists(yard.target.join("dir/in")));
        assert!(Folder::at(&yard.target.join("dir")).unwrap().is_opaque().unwrap());
    });
}

#[test]
fn entries_may_change_kind_but_not_place() {
    as_root("hostile::entries_may_change_kind_but_not_place", || {
        let yard = Yard::new();
        let fifo = (Entry::new("x", Kind::Fifo, 0o600), &b""[..]);
        let attack =
            [directory("x"), file("x/in"), fifo, yard.link("x"), directory("x"), file("x/again"), file("y")];
        yard.unpack(archive(&attack, &["y"])).unwrap();
        assert_eq!(fs::read_dir(yard.target.join("x")).unwrap().len(), 1);
        let error = Yard::new().unpack(archive(&[file("f"), file("f/below")], &[])).unwrap_err();
        assert!(error.to_string().contains('f'), "{error}");
    });
}

#[test]
fn overlay_marks_cannot_be_smuggled_in() {
    as_root("hostile::overlay_marks_cannot_be_smuggled_in", || {
        let yard = Yard::new();
        let mut marked = directory("d");
        for name in ["user.overlay.opaque", "trusted.overlay.opaque", "user.overlay.redirect", "user.fine"] {
            marked.0.xattrs.insert(name.into(), b"y".to_vec());
        }
        let device = (Entry::new("gone", Kind::CharDevice { major: 0, minor: 0 }, 0o600), &b""[..]);
        let outcome = yard.unpack(archive(&[marked, device], &[])).unwrap();
        assert_eq!(outcome.notes.len(), 1, "{:?}", outcome.notes);
        assert!(!fs::exists(yard.target.join("gone")));
        let attributes = Folder::at(&yard.target.join("d")).unwrap().attributes("".as_ref()).unwrap();
        assert_eq!(attributes, [b"user.fine".to_vec()]);
    });
}

#[test]
fn owners_do_not_cost_setuid_bits_and_capabilities() {
    as_root("hostile::owners_do_not_cost_setuid_bits_and_capabilities", || {
        let yard = Yard::new();
        let mut tool = file("tool");
        (tool.0.uid, tool.0.gid, tool.0.mode) = (12, 34, 0o6755);
        let capability = hex::decode("0100000200200000000000000000000000000000").unwrap();
        tool.0.xattrs.insert(b"security.capability".to_vec(), capability.clone());
        yard.unpack(archive(&[tool], &[])).unwrap();
        let meta = fs::metadata(yard.target.join("tool")).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o6755, 12, 34));
        let folder = Folder::at(&yard.target).unwrap();
        let found = folder.attribute("tool".as_ref(), "security.capability".as_ref()).unwrap();
        assert_eq!(found, Some(capability));
    });
}

#[test]
fn holes_are_holes_and_the_whole_stream_is_read() {
    as_root("hostile::holes_are_holes_and_the_whole_stream_is_read", || {
        let yard = Yard::new();
        // A terabyte, of which two bytes are stored: PAX sparse 0.1, written by hand.
        let size = 1u64 << 40;
        let mut records = Vec::new();
        for (key, value) in
            [("GNU.sparse.size", size.to_string()), ("GNU.sparse.map", format!("{},2", size - 2))]
        {
            let length = key.len() + value.len() + 3;
            let length = length + (length + 2).to_string().len();
            records.extend(format!("{length} {key}={value}\n").bytes());
        }
        let mut extension = archive(&[(Entry { size: records.len() as u64, ..file("x").0 }, &records)], &[]);
        extension.truncate(1024);
        extension[156] = b'x';
        extension[148..156].fill(b' ');
        let sum: u32 = extension[..512].iter().map(|&b| u32::from(b)).sum();
        extension[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let stored = archive(&[(Entry { size: 2, ..file("holes").0 }, b"ab")], &[]);
        let bytes = [extension, stored, b"trailing garbage belongs to the digest".to_vec()].concat();
        yard.unpack(bytes).unwrap();
        let meta = fs::metadata(yard.target.join("holes")).unwrap();
        assert_eq!(meta.len(), size);
        assert!(meta.blocks() < 1000);
        let mut file = fs::open(yard.target.join("holes")).unwrap();
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(size - 3)).unwrap();
        let mut end = Vec::new();
        file.read_to_end(&mut end).unwrap();
        assert_eq!(end, b"\0ab");
    });
}

#[test]
fn ids_without_a_place_are_named() {
    // Nobody can give a file to an id that is not mapped; as real root every id is.
    let error = apply::chown_error(Path::new("/x").into(), 70_000, 0, rustix::io::Errno::INVAL);
    let failure = crate::base::Failure::from(error);
    assert!(failure.message().contains("/x to 70000:0") && failure.hints()[0].contains("/etc/subuid"));
}
