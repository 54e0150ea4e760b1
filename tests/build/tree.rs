//! A real Debian tree with installed packages, owners, setuid files, hard links, deletions and replaced folders: built by
//! an ordinary user, and unpacked by other tools exactly as we see it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::lab::{Lab, Who, is_root};

const DOCKERFILE: &str = "FROM debian:test\n\
    RUN apt-get update && apt-get install -y --no-install-recommends iputils-ping libcap2-bin \\\n\
     && rm -rf /var/lib/apt/lists/* /var/log/*\n\
    RUN useradd -m app && mkdir /data && chown app:users /data && chmod 2775 /data \\\n\
     && cp /bin/cat /usr/local/bin/first && chmod 4755 /usr/local/bin/first \\\n\
     && ln /usr/local/bin/first /usr/local/bin/second && chown 65534:65534 /srv \\\n\
     && rm -rf /usr/share/doc && mv /opt /moved && rm -r /media && echo file > /media \\\n\
     && rm -r /usr/games && mkdir /usr/games && chmod 700 /usr/games\n";

/// Lists everything with type, mode, owner, links (of files) and size; what is mounted over in a container left out.
const LIST: &str = "find . -xdev \\( -path ./proc -o -path ./dev -o -path ./sys -o -path ./etc/hosts -o -path \
    ./etc/resolv.conf \\) -prune -o \\( -type d -printf '%p d %m %U:%G\\n' -o -printf '%p %y %m %U:%G %n %s %l\\n' \\)";

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; run tests/prepare"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A Debian root file system, made once per build folder.
pub fn debian_root() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let tar = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-root.tar");
    if !tar.exists() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-helpers/scripts/debian");
        run(Command::new(script).arg(&tar));
    }
    tar
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn an_installed_tree_is_what_others_unpack() {
    let who = if is_root() { Who::Ordinary } else { Who::Caller };
    let lab = Lab::new(who);
    let base = lab.context("base", &[]);
    std::fs::copy(debian_root(), base.join("root.tar")).unwrap();
    lab.build(&base, "FROM scratch\nADD root.tar /\n", &["-t", "debian:test"]).success();
    let context = lab.context("c", &[]);
    let built =
        lab.build(&context, DOCKERFILE, &["-t", "tree:1", "-o", "type=oci,dest=out/tree.tar"]).success();

    let layout = lab.path("layout");
    let archive = format!("oci-archive:{}", lab.path("out/tree.tar").display());
    run(Command::new("skopeo").args(["copy", "-q", &archive, &format!("oci:{}:1", layout.display())]));
    let digest = run(Command::new("skopeo").args(["inspect", "--format", "{{.Digest}}", &archive]));
    assert_eq!(digest.trim(), built.field("digest"));

    let bundle = lab.path("bundle");
    let mut unpack = Command::new("umoci");
    unpack.args(["unpack", "--image", &format!("{}:1", layout.display())]);
    if !is_root() {
        unpack.arg("--rootless");
    }
    run(unpack.arg(&bundle));
    let theirs = run(Command::new("sh").args(["-c", LIST]).current_dir(bundle.join("rootfs")));
    let ours = lab.ok(&["image", "run", "--rm", "tree:1", "sh", "-c", &format!("cd / && {LIST}")]).stdout;
    if is_root() {
        assert_eq!(sorted(&ours), sorted(&theirs));
        let caps = run(Command::new("getcap").arg(bundle.join("rootfs/bin/ping")));
        assert!(caps.contains("cap_net_raw"), "{caps}");
    } else {
        // An ordinary user's umoci cannot give files to others; all the rest must agree.
        let paths = |text: &str| {
            sorted(text).iter().map(|l| l.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(paths(&ours), paths(&theirs));
    }
    let caps = lab.ok(&["image", "run", "--rm", "tree:1", "getcap", "/bin/ping"]).stdout;
    assert!(caps.contains("cap_net_raw=ep"), "{caps}");
}
