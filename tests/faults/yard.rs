//! A store of layers with something precious beside it: whatever is unpacked, nothing may touch that.

use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lapstrake::base::{DiffId, Failure, Kind};
use lapstrake::oci::layer::Limits;
use lapstrake::snapshot::{Choice, Error, LayerInfo, Snapshots, View};

/// Runs `body` as root, at least of a user namespace. `test` is the module's path and the test's name.
pub fn as_root(module: &str, test: &str, body: impl FnOnce()) {
    if rustix::process::geteuid().is_root() {
        return body();
    }
    let module = module.split_once("::").map_or(module, |(_, inner)| inner);
    let status = std::process::Command::new("unshare")
        .args(["--map-root-user", "--map-auto", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::{test}"), "--nocapture"])
        .status()
        .expect("install util-linux for `unshare` and uidmap for `newuidmap`");
    assert!(status.success(), "{test} failed in a user namespace (does /etc/subuid give this user a range?)");
}

/// Tests, each of its own name, as root.
macro_rules! hostile {
    ($($(#[$doc:meta])* $name:ident => $body:expr;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            crate::yard::as_root(module_path!(), stringify!($name), || $body);
        }
    )*};
}
pub(crate) use hostile;

/// Fails unless `work` is done in `seconds`; generous, for a machine that does other things too.
pub fn within<T>(seconds: u64, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(seconds), "it took {took:?}, more than {seconds} s");
    done
}

/// A folder with a store of layers and something outside of it.
pub struct Yard {
    folder: tempfile::TempDir,
    pub store: Snapshots,
    pub limits: Limits,
}

impl Yard {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("file"), "precious").unwrap();
        std::fs::set_permissions(&outside, std::fs::Permissions::from_mode(0o711)).unwrap();
        let store = Snapshots::open(folder.path().join("store"), Choice::Auto).unwrap();
        Self { folder, store, limits: Limits::default() }
    }

    /// The place nothing may be written to, absolute.
    pub fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    /// The same as text.
    pub fn outside_text(&self) -> String {
        self.outside().to_str().unwrap().to_owned()
    }

    /// Unpacks what `archive` gives as the layer `layer`, and looks whether the outside is as it was.
    pub fn unpack_as(&self, layer: &DiffId, archive: impl Read + Send) -> Result<LayerInfo, Error> {
        let outcome = self.store.unpack_within(layer, archive, self.limits);
        let outside = self.outside();
        assert_eq!(std::fs::read(outside.join("file")).unwrap(), b"precious");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
        let meta = std::fs::metadata(&outside).unwrap();
        assert_eq!(meta.mode() & 0o7777, 0o711);
        assert_eq!(std::fs::metadata(outside.join("file")).unwrap().nlink(), 1);
        if outcome.is_err() {
            assert!(self.store.list().unwrap().is_empty(), "a layer stayed behind");
            assert_eq!(self.store.clean_stale().unwrap(), 0, "scratch files stayed behind");
        }
        outcome
    }

    /// Unpacks an archive under its own digest and shows its tree.
    pub fn unpack(&self, archive: &[u8]) -> View {
        let layer = DiffId::of(archive);
        self.unpack_as(&layer, archive).unwrap_or_else(|e| panic!("{}", told(&e.into())));
        self.store.view(&[layer]).unwrap()
    }

    /// Unpacks an archive, which must be refused as bad input with `words`.
    pub fn refuses(&self, archive: &[u8], words: &[&str]) {
        let outcome = self.unpack_as(&DiffId::of(archive), archive);
        is_refused(outcome.map(|_| ()).map_err(Failure::from), words);
    }
}

/// Everything a failure tells.
pub fn told(failure: &Failure) -> String {
    format!("{failure}: {} [{}]", failure.causes().join(": "), failure.hints().join("; "))
}

/// The outcome must be a failure for bad input that tells `words`.
pub fn is_refused(outcome: Result<(), Failure>, words: &[&str]) {
    let failure = outcome.expect_err("it was not refused");
    let told = told(&failure);
    assert_eq!(failure.kind(), Kind::Input, "{told}");
    for word in words {
        assert!(told.contains(word), "no {word:?} in: {told}");
    }
}

/// The content of a file of a tree, without following links.
pub fn content(root: &Path, path: &str) -> Vec<u8> {
    let path = root.join(path);
    assert!(std::fs::symlink_metadata(&path).unwrap().is_file(), "{} is no file", path.display());
    std::fs::read(path).unwrap()
}
