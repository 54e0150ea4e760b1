//! Tests that need mounts and other people's files.

use std::process::Command;

/// Runs `body` as root, at least of a user namespace: an ordinary user runs the named test again in one, for which it
/// needs a range of subordinate ids. Mounts stay in a namespace of their own either way.
pub(super) fn as_root(test: &str, body: impl FnOnce()) {
    if rustix::process::geteuid().is_root() {
        return body();
    }
    let status = Command::new("unshare")
        .args(["--map-root-user", "--map-auto", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("snapshot::{test}"), "--nocapture"])
        .status()
        .expect("install util-linux for `unshare` and uidmap for `newuidmap`");
    assert!(status.success(), "{test} failed in a user namespace (does /etc/subuid give this user a range?)");
}
