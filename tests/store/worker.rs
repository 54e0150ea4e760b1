//! What the other processes do.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lapstrake::base::{BlobDigest, DiffId, Platform};
use lapstrake::content::{PruneOptions, Store};
use lapstrake::oci::ImageConfig;
use lapstrake::oci::compress::Compression;

const WORK: &str = "LAPSTRAKE_TEST_WORK";

/// Images of [`Work::BuildAll`].
pub const IMAGES: u64 = 15;

/// What a worker is to do.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Make images until killed.
    Build,
    /// Make [`IMAGES`] images and look after each whether it is whole.
    BuildAll,
    /// Receive blobs in small pieces until killed, going on where a killed one stopped.
    Download,
    /// Prune again and again while images are made.
    Prune,
}

/// This binary again, doing `work` in the store at `path`.
pub fn command(work: &str, path: &Path, seed: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "worker::process", "--nocapture", "--test-threads=1"]);
    command.env(WORK, format!("{work} {seed} {}", path.display())).stdout(Stdio::null());
    command
}

/// Starts a worker.
pub fn spawn(work: Work, path: &Path, seed: u64) -> Child {
    command(&format!("{work:?}"), path, seed).spawn().unwrap()
}

/// The worker's side. As a test of its own, without the variable, it shows that a worker's image is whole.
#[test]
fn process() {
    let Ok(work) = std::env::var(WORK) else {
        let dir = tempfile::tempdir().unwrap();
        let store = super::open(dir.path());
        build(&store, 0, 0);
        assert_eq!(super::problems(&store), []);
        return;
    };
    let mut words = work.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    let (work, seed, path) = (word(), word().parse::<u64>().unwrap(), word());
    if super::disk::process(work, Path::new(path)) {
        return;
    }
    let store = super::open(Path::new(path));
    match work {
        "Build" => (0..u64::MAX).for_each(|n| drop(build(&store, seed, n))),
        "BuildAll" => (0..IMAGES).for_each(|n| drop(build(&store, seed, n))),
        "Download" => (0..u64::MAX).for_each(|n| download(&store, n)),
        "Prune" => (0..60).for_each(|_| drop(store.prune(&super::cx(), &PruneOptions::default()).unwrap())),
        other => panic!("unknown work {other}"),
    }
}

/// Makes and names an image of one layer, under a lease.
pub fn build(store: &Store, seed: u64, n: u64) -> DiffId {
    let _lease = store.lease().unwrap();
    let mut writer = store.layer_writer(Compression::Gzip(1)).unwrap();
    for part in 0..40u64 {
        writer.write_all(&(seed + part * n).to_le_bytes().repeat(500)).unwrap();
    }
    let layer = writer.commit().unwrap();
    let mut config = ImageConfig::new(&Platform::host());
    config.author = format!("{seed} {n}");
    config.rootfs.diff_ids.push(layer.diff_id().clone());
    let image = store.put_image(&config, vec![layer.descriptor()]).unwrap();
    store.tag(&format!("image:{seed}-{n}").parse().unwrap(), &image.descriptor).unwrap();
    for digest in [&image.descriptor.digest, &image.manifest.config.digest, layer.digest()] {
        assert!(store.has(digest), "{digest} was pruned");
    }
    layer.diff_id().clone()
}

/// Receives a blob in small pieces.
fn download(store: &Store, n: u64) {
    let data = n.to_le_bytes().repeat(20_000);
    let digest = BlobDigest::of(&data);
    let mut ingest = store.ingest(&digest, Some(data.len() as u64)).unwrap();
    let from = usize::try_from(ingest.position()).unwrap();
    for part in data[from..].chunks(999) {
        ingest.write_all(part).unwrap();
    }
    ingest.commit().unwrap();
}
