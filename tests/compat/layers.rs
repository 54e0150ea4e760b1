//! Layer archives beside the tools everybody has: GNU tar and bsdtar read what we write, and we read what they write,
//! in each of their dialects.

use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use lapstrake::oci::layer::{Entry, Kind, Reader, Writer};

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}: install tar and libarchive-tools"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    assert!(said.is_empty(), "{program} {arguments:?} complains: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn entries(bytes: &[u8]) -> Vec<(Entry, Vec<u8>)> {
    let mut reader = Reader::new(bytes);
    let mut out = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        out.push((entry, content));
    }
    out
}

#[test]
fn tar_and_bsdtar_read_our_layers() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{}/name", "directory".repeat(20));
    let mut writer = Writer::new(Vec::new());
    let mut put = |path: &str, kind: Kind, content: &[u8]| {
        let mut entry = Entry::new(path, kind, 0o640);
        (entry.size, entry.uid, entry.gid) = (content.len() as u64, 3_000_000, 5);
        entry.mtime = 1_700_000_000;
        entry.xattrs.insert(b"user.lines".to_vec(), b"a\nb=c\n".to_vec());
        writer.append(&entry, content).unwrap();
    };
    put("dir", Kind::Directory, b"");
    put("dir/f\u{fc}r", Kind::File, b"umlaut");
    put(&long, Kind::File, b"long");
    put("link", Kind::Symlink(long.clone().into_bytes()), b"");
    put("hard", Kind::Hardlink(long.clone().into_bytes()), b"");
    writer.whiteout(b"dir/gone").unwrap();
    std::fs::write(folder.path().join("layer.tar"), writer.finish().unwrap()).unwrap();
    let expected = format!("dir/\ndir/f\u{fc}r\n{long}\nlink\nhard\ndir/.wh.gone\n");
    let names = run("tar", &["--quoting-style=literal", "-tf", "layer.tar"], folder.path());
    assert_eq!(names, expected);
    assert_eq!(run("bsdtar", &["-tf", "layer.tar"], folder.path()), expected);
    let table = run("tar", &["--numeric-owner", "-tvf", "layer.tar"], folder.path());
    assert!(table.contains("-rw-r----- 3000000/5"), "{table}");
    assert_eq!(run("tar", &["-xOf", "layer.tar", &long], folder.path()), "long");
    assert_eq!(run("bsdtar", &["-xOf", "layer.tar", &long], folder.path()), "long");
}

/// A tree with long names, several names of one file and a file with holes.
fn tree(folder: &Path) {
    use std::os::unix::fs::FileExt as _;
    let deep = folder.join("t").join("d".repeat(90)).join("e".repeat(90));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("f\u{fc}r"), "deep").unwrap();
    std::fs::hard_link(deep.join("f\u{fc}r"), folder.join("t/hard")).unwrap();
    std::os::unix::fs::symlink("x".repeat(150), folder.join("t/link")).unwrap();
    let holes = std::fs::File::create(folder.join("t/holes")).unwrap();
    for n in 0..30 {
        holes.write_all_at(format!("part {n}").as_bytes(), n << 17).unwrap();
    }
    holes.set_len(5 << 20).unwrap();
}

#[test]
fn we_read_every_dialect_of_tar_and_bsdtar() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let holes = std::fs::read(folder.path().join("t/holes")).unwrap();
    let dialects: [(&str, &[&str]); 8] = [
        ("tar", &["--format=gnu"]),
        ("tar", &["--format=gnu", "--sparse"]),
        ("tar", &["--format=posix"]),
        ("tar", &["--format=posix", "--sparse", "--sparse-version=0.0"]),
        ("tar", &["--format=posix", "--sparse", "--sparse-version=0.1"]),
        ("tar", &["--format=posix", "--sparse", "--sparse-version=1.0"]),
        ("bsdtar", &["--format=pax"]),
        ("bsdtar", &["--format=gnutar"]),
    ];
    for (program, options) in dialects {
        let arguments = [options, &["--numeric-owner", "-cf", "out.tar", "t"]].concat();
        run(program, &arguments, folder.path());
        let bytes = std::fs::read(folder.path().join("out.tar")).unwrap();
        let found = entries(&bytes);
        let get = |end: &str| {
            let hit = found.iter().find(|(entry, _)| entry.path.ends_with(end.as_bytes()));
            hit.unwrap_or_else(|| panic!("{program} {options:?}: no {end}"))
        };
        assert_eq!(found.len(), 7, "{program} {options:?}");
        assert!(get("/holes").1 == holes, "{program} {options:?}");
        assert_eq!(get("/link").0.kind, Kind::Symlink(vec![b'x'; 150]), "{program} {options:?}");
        let mut names = [get("/f\u{fc}r"), get("/hard")];
        names.sort_by_key(|(entry, _)| matches!(entry.kind, Kind::Hardlink(_)));
        let (first, second) = (names[0], names[1]);
        assert_eq!(first.1, b"deep", "{program} {options:?}");
        assert_eq!(second.0.kind, Kind::Hardlink(first.0.path.clone()), "{program} {options:?}");
    }
}
