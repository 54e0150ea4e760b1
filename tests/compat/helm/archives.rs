//! Archives of charts that mean harm: each is refused with words, in bounded time and memory, and nothing is written but
//! where the user said.

use std::io::Write as _;
use std::path::Path;

use super::Lab;
use super::tar::{archive, directory, file, hardlink, head, pax, symlink};

const CHART: &[u8] = b"apiVersion: v2\nname: web\nversion: 1.0.0\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A chart with more entries behind its `Chart.yaml`.
fn chart(more: &[Vec<u8>]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> =
        std::iter::once(file("web/Chart.yaml", CHART)).chain(more.iter().cloned()).collect();
    gzip(&archive(&parts))
}

fn listing(folder: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            out.push(entry.path().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    out.sort();
    out
}

/// Every way that reads an archive fails with these words, and only `open` is new afterwards.
fn refused(bytes: &[u8], words: &str) {
    let lab = Lab::new(&format!("{} helm", env!("CARGO_BIN_EXE_lap")));
    let work = lab.root.path().join("work");
    let put = "rm -rf web web.tgz open cache config && mkdir open";
    assert!(lab.run(put).status.success());
    std::fs::write(work.join("web.tgz"), bytes).unwrap();
    std::fs::write(work.join("www/web.tgz"), bytes).unwrap();
    let before = listing(lab.root.path());
    for line in [
        "helm template rel web.tgz",
        "helm show values web.tgz",
        "helm lint web.tgz",
        "helm pull $HTTP/plain/web.tgz --untar -d open",
        "helm push web.tgz oci://$REG/charts --plain-http",
        "helm template rel $HTTP/plain/web.tgz",
    ] {
        // Far more than is needed, far less than a bomb has.
        let output = lab.run(&format!("ulimit -v 6000000; {line}"));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert!(said.contains(words), "{line}: {said}");
    }
    let inside = |path: &String| path.contains("/work/open/") || path.contains("/work/cache");
    let after: Vec<String> = listing(lab.root.path()).into_iter().filter(|path| !inside(path)).collect();
    assert_eq!(after, before);
    let written = listing(&work.join("open"));
    assert!(written.iter().all(|path| Path::new(path).is_dir()), "{written:?}");
}

#[test]
fn paths_that_lead_up() {
    refused(&chart(&[file("web/../../evil", b"x")]), "chart illegally references parent directory");
}

#[test]
fn absolute_paths() {
    refused(&chart(&[file("web//tmp/evil", b"x")]), "chart illegally contains absolute paths");
}

#[test]
fn paths_with_backslashes() {
    refused(&chart(&[file("web\\..\\..\\evil", b"x")]), "chart illegally references parent directory");
}

#[test]
fn drive_letters() {
    refused(&chart(&[file("web/c:/evil", b"x")]), "chart contains illegally named files");
}

#[test]
fn long_names_that_lead_up() {
    let up = pax(b'x', &[("path", b"web/a/../../../evil")]);
    refused(&chart(&[[up, file("web/good", b"x")].concat()]), "chart illegally references parent directory");
}

#[test]
fn names_of_charts_that_lead_up() {
    let evil = file("web/Chart.yaml", b"apiVersion: v2\nname: ../../evil\nversion: 1.0.0\n");
    refused(&gzip(&archive(&[evil])), "is invalid");
}

#[test]
fn archives_that_grow_without_a_bound() {
    // 300 MB of zeros in one file, and in many.
    let zeros = vec![0u8; 60 << 20];
    let parts: Vec<Vec<u8>> = (0..5).map(|n| file(&format!("web/files/{n}"), &zeros)).collect();
    refused(&chart(&parts), "larger than the maximum size");
}

#[test]
fn more_files_than_anybody_has() {
    let parts: Vec<Vec<u8>> = (0..100_001).map(|n| file(&format!("web/f/{n}"), b"")).collect();
    refused(&chart(&parts), "more than 100000 entries");
}

#[test]
fn archives_that_are_cut_off() {
    let whole = chart(&[file("web/values.yaml", &vec![b'#'; 100_000])]);
    refused(&whole[..whole.len() / 2], "");
    refused(b"\x1f\x8b\x08", "");
    refused(b"", "");
}

#[test]
fn archives_without_a_chart() {
    refused(&gzip(&archive(&[directory("web")])), "");
    refused(&gzip(&archive(&[file("Chart.yaml", CHART)])), "");
}

#[test]
fn links_and_devices_are_empty_files() {
    let lab = Lab::new(&format!("{} helm", env!("CARGO_BIN_EXE_lap")));
    let parts = [
        symlink("web/templates/passwd.yaml", "/etc/passwd"),
        hardlink("web/templates/shadow.yaml", "/etc/shadow"),
        symlink("web/out", "/tmp"),
        head("web/device", b'3', 0),
        head("web/pipe", b'6', 0),
        file("web/templates/a.yaml", b"kind: A\n"),
    ];
    std::fs::write(lab.root.path().join("work/www/web.tgz"), chart(&parts)).unwrap();
    let output = lab.run("mkdir open && helm pull $HTTP/plain/web.tgz --untar -d open 2>&1");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for path in listing(&lab.root.path().join("work/open")) {
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        assert!(kind.is_dir() || kind.is_file(), "{path} is {kind:?}");
    }
    let output = lab.run("helm template rel open/web");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "---\n# Source: web/templates/a.yaml\nkind: A\n");
}

#[test]
fn links_out_of_the_way_are_replaced_not_followed() {
    // An entry below a link of the same archive must not go through it.
    let lab = Lab::new(&format!("{} helm", env!("CARGO_BIN_EXE_lap")));
    let parts = [symlink("web/files", "../../outside"), file("web/files/evil", b"x")];
    std::fs::write(lab.root.path().join("work/www/web.tgz"), chart(&parts)).unwrap();
    let output = lab.run("mkdir open outside; helm pull $HTTP/plain/web.tgz --untar -d open");
    assert!(matches!(output.status.code(), Some(0 | 1)));
    assert!(listing(&lab.root.path().join("work/outside")).is_empty());
}
