//! Disks that are full and disks that may only be read: mounted in a namespace of their own by `unshare`.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use lapstrake::base::{BlobDigest, Failure};
use lapstrake::content::{Error, OpenOptions, Store};

use crate::worker;

/// Runs this binary's part `work` after `mount` was run in a new mount namespace, with `$DIR` as the store's folder.
fn run_mounted(mount: &str, work: &str, store: &Path) {
    let inner = worker::command(work, store, 0);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-ec", &format!("{mount}; exec \"$0\" \"$@\"")]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("DIR", store).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("unshare of util-linux is installed");
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert!(child.wait().unwrap().success(), "{words}");
}

#[test]
fn full() {
    let dir = tempfile::tempdir().unwrap();
    run_mounted("mount -t tmpfs -o size=1m tmpfs \"$DIR\"", "FullDisk", dir.path());
}

#[test]
fn read_only() {
    let dir = tempfile::tempdir().unwrap();
    let blob = crate::open(dir.path()).put(b"blob").unwrap();
    worker::build(&crate::open(dir.path()), 0, 0);
    run_mounted(
        "mount --bind \"$DIR\" \"$DIR\" && mount -o remount,bind,ro \"$DIR\"",
        "ReadOnly",
        dir.path(),
    );
    assert!(crate::open(dir.path()).has(&blob));
}

/// The parts that run inside; says whether `work` is one of them.
pub fn process(work: &str, path: &Path) -> bool {
    match work {
        "FullDisk" => on_a_full_disk(path),
        "ReadOnly" => on_a_disk_that_may_only_be_read(path),
        _ => return false,
    }
    true
}

fn told(error: Error, words: &[&str]) {
    let failure = Failure::from(error);
    let told = format!("{failure}\n{}\n{}", failure.causes().join("\n"), failure.hints().join("\n"));
    for word in words {
        assert!(told.contains(word), "{word:?} is missing in:\n{told}");
    }
}

fn on_a_full_disk(path: &Path) {
    let store = crate::open(path);
    let small = store.put(b"small").unwrap();
    let mount = path.canonicalize().unwrap();
    let words = [mount.to_str().unwrap(), "lap image prune", "LAP_HOME", "No space left"];
    let large = vec![7; 4 << 20];
    told(store.put(&large).unwrap_err(), &words);
    told(store.put_stream(&mut large.as_slice()).unwrap_err(), &words);
    let mut layer = store.layer_writer(lapstrake::oci::compress::Compression::None).unwrap();
    told(Error::from_stream(layer.write_all(&large).unwrap_err()), &words);
    drop(layer);
    let mut ingest = store.ingest(&BlobDigest::of(&large), Some(4 << 20)).unwrap();
    told(Error::from_stream(ingest.write_all(&large).unwrap_err()), &words);
    // What there is is whole, what there is not is not there, and there is room again once the partial one goes.
    assert_eq!(crate::problems(&store), []);
    assert!(!store.has(&BlobDigest::of(&large)));
    assert_eq!(store.read_blob(&small, 10).unwrap(), b"small");
    ingest.reset().unwrap();
    store.put(&[1; 1000]).unwrap();
}

fn on_a_disk_that_may_only_be_read(path: &Path) {
    let store = Store::open(path, &OpenOptions::default()).unwrap();
    assert!(!store.is_writable());
    assert_eq!(crate::problems(&store), []);
    let image = &store.images().unwrap()[0];
    let image = store.image(&image.descriptor, &lapstrake::base::Platform::host()).unwrap();
    assert_eq!(store.layer_blobs(&image.config.layers()[0]).unwrap().len(), 1);
    assert_eq!(store.du().unwrap().images.len(), 1);
    let _lease = store.lease().unwrap();
    assert!(store.has(&image.descriptor.digest));
    let words = ["read-only", "LAP_HOME"];
    told(store.put(b"new").unwrap_err(), &words);
    told(store.tag(&"x".parse().unwrap(), &image.descriptor).unwrap_err(), &words);
    told(store.prune(&crate::cx(), &Default::default()).unwrap_err(), &words);
    told(store.ingest(&image.descriptor.digest, None).err().unwrap(), &words);
    let fresh = path.join("fresh");
    told(Store::open(fresh, &OpenOptions::default()).unwrap_err(), &["read-only", "LAP_HOME"]);
}
