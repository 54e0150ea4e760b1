//! Where sandbox tests play: a BusyBox root, an upper directory, and the driver (`examples/sandbox.rs`) started as root or
//! as an ordinary user.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use lapstrake::base::{DiffId, Platform};
use lapstrake::content::{OpenOptions, Store};
use lapstrake::oci::{Descriptor, ImageConfig, RuntimeConfig, media};
use serde_json::{Value, json};

/// The ordinary user of tests started as root.
const USER: &str = "lap-test";

/// Who runs the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Root: rootful namespaces.
    Root,
    /// An ordinary user with sub-ids.
    User,
}

/// A root file system and a place for changes.
pub struct Stage {
    who: Who,
    dir: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// What the driver said about it.
    pub said: Value,
}

impl Outcome {
    pub fn code(&self) -> i64 {
        self.said["code"].as_i64().unwrap_or_else(|| panic!("no exit code: {self:?}"))
    }
}

/// Runs a test as everybody we can be.
pub fn as_everybody(test: impl Fn(Stage)) {
    if rustix::process::geteuid().is_root() {
        test(Stage::new(Who::Root));
        test(Stage::new(Who::User));
    } else {
        eprintln!("not root: the rootful half is left out");
        test(Stage::new(Who::User));
    }
}

const APPLETS: &[&str] = &[
    "sh", "ls", "cat", "id", "mount", "hostname", "grep", "touch", "sleep", "true", "false", "mkdir", "rm",
    "chown", "mknod", "ip", "env", "chroot", "unshare", "su", "tty", "head", "kill", "readlink", "stat",
    "mv", "stty", "setsid", "echo", "pwd", "test", "umask", "date", "wc", "dd", "ps", "trap", "ln", "chmod",
];

impl Stage {
    fn new(who: Who) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let base = dir.path().join("base");
        for name in ["bin", "etc", "root", "home/app", "tmp"] {
            fs::create_dir_all(base.join(name)).unwrap();
        }
        for name in ["upper", "work"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        crate::lab::copy_program(Path::new("/bin/busybox"), &base.join("bin/busybox"));
        for name in APPLETS {
            symlink("busybox", base.join("bin").join(name)).unwrap();
        }
        fs::set_permissions(base.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        let passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n";
        fs::write(base.join("etc/passwd"), passwd).unwrap();
        fs::write(base.join("etc/group"), "root:x:0:\napp:x:1001:\nvideo:x:44:app\nstaff:x:50:\n").unwrap();
        let stage = Self { who, dir };
        stage.hand_over(stage.dir.path());
        stage
    }

    /// What was made here belongs to whoever runs the sandbox.
    fn hand_over(&self, path: &Path) {
        if self.who == Who::Root || !rustix::process::geteuid().is_root() {
            return;
        }
        let (uid, gid) = user();
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            std::os::unix::fs::lchown(&path, Some(uid), Some(gid)).unwrap();
            if path.is_dir() && !path.is_symlink() {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }

    /// A file of the root file system (lowest layer).
    pub fn base(&self, path: &str) -> PathBuf {
        self.dir.path().join("base").join(path)
    }

    /// A file of the changes.
    pub fn upper(&self, path: &str) -> PathBuf {
        self.dir.path().join("upper").join(path)
    }

    /// A file beside both.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Writes a file, with its directories, that belongs to whoever runs the sandbox.
    pub fn put(&self, path: &Path, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        let mut path = path;
        while path != self.dir.path() {
            if self.who == Who::User && rustix::process::geteuid().is_root() {
                let (uid, gid) = user();
                chown(path, Some(uid), Some(gid)).unwrap();
            }
            path = path.parent().unwrap();
        }
    }

    /// Runs a shell script.
    pub fn sh(&self, script: &str) -> Outcome {
        self.run(json!({ "args": ["/bin/sh", "-c", script] }))
    }

    /// Runs a shell script with more said about it.
    pub fn sh_with(&self, script: &str, mut wish: Value) -> Outcome {
        wish["args"] = json!(["/bin/sh", "-c", script]);
        self.run(wish)
    }

    /// Runs what is wished for.
    pub fn run(&self, wish: Value) -> Outcome {
        finish(self.start(wish, &[]), self)
    }

    /// Starts what is wished for.
    pub fn start(&self, wish: Value, flags: &[&str]) -> Child {
        self.spawn(&self.as_who(), wish, flags)
    }

    /// Starts what is wished for under another program.
    pub fn start_under(&self, outer: &[&str], wish: Value) -> Child {
        let mut words: Vec<String> = outer.iter().map(|w| (*w).to_owned()).collect();
        words.extend(self.as_who());
        self.spawn(&words, wish, &[])
    }

    /// Starts what is wished for as a user without sub-ids.
    pub fn start_as_stranger(&self, wish: Value) -> Child {
        let words = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--reset-env"];
        self.spawn(&words.map(str::to_owned), wish, &[])
    }

    fn spawn(&self, outer: &[String], mut wish: Value, flags: &[&str]) -> Child {
        if wish["root"].is_null() {
            wish["root"] = json!({ "overlay": {
                "lowers": [self.dir.path().join("base")],
                "upper": self.dir.path().join("upper"),
                "work": self.dir.path().join("work"),
            }});
        }
        let file = self.beside("wish.json");
        self.put(&file, &wish.to_string());
        let answer = self.beside("answer.json");
        let _ = fs::remove_file(&answer);
        self.put(&answer, "");
        fs::set_permissions(&answer, fs::Permissions::from_mode(0o666)).unwrap();
        // The result goes to descriptor 3.
        let script = "answer=$1; shift; exec \"$@\" 3>\"$answer\"";
        let mut words: Vec<String> = outer.to_vec();
        words.extend(["sh", "-c", script, "sh"].map(str::to_owned));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(&answer).arg(driver()).arg(&file).args(flags);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn as_who(&self) -> Vec<String> {
        if self.who == Who::Root || !rustix::process::geteuid().is_root() {
            return Vec::new();
        }
        let id = format!("--reuid={USER}");
        let group = format!("--regid={USER}");
        ["setpriv", &id, &group, "--init-groups", "--reset-env"].map(str::to_owned).to_vec()
    }

    /// A command line of `lap` on a store of this stage's own, by whoever runs it.
    pub fn lap(&self, arguments: &[&str]) -> Command {
        let mut words = self.as_who();
        words.extend(["env".to_owned(), format!("LAP_HOME={}", self.beside("home").display())]);
        words.push(env!("CARGO_BIN_EXE_lap").to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Puts an image of the base into the store of [`Stage::lap`].
    pub fn make_image(&self, name: &str, change: impl FnOnce(&mut RuntimeConfig)) {
        let mut tar = Command::new("tar");
        tar.args(["--owner=0", "--group=0", "-C"]).arg(self.base("")).args(["-c", "."]);
        let layer = tar.output().unwrap().stdout;
        let store = Store::open(self.beside("home"), &OpenOptions::default()).unwrap();
        store.put(&layer).unwrap();
        let mut config = ImageConfig::new(&Platform::host());
        config.rootfs.diff_ids.push(DiffId::of(&layer));
        change(&mut config.config);
        let image = store.put_image(&config, vec![Descriptor::of(media::OCI_LAYER, &layer)]).unwrap();
        store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
        drop(store);
        self.hand_over(&self.beside("home"));
    }

    /// What the driver said.
    pub fn answer(&self) -> Value {
        let text = fs::read_to_string(self.beside("answer.json")).unwrap();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    pub fn who(&self) -> Who {
        self.who
    }
}

/// Waits for what was started.
pub fn finish(child: Child, stage: &Stage) -> Outcome {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome { stdout: text(output.stdout), stderr: text(output.stderr), said: stage.answer() }
}

fn user() -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with(&format!("{USER}:")));
    let line = line.expect("user lap-test is missing: run `make prepare` or tests/prepare");
    let field = |n: usize| line.split(':').nth(n).unwrap().parse().unwrap();
    (field(2), field(3))
}

/// The built example, which `cargo test` makes.
fn driver() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let built = here.parent().unwrap().parent().unwrap().join("examples/sandbox");
    assert!(built.exists(), "run `cargo build --example sandbox` first: {} is missing", built.display());
    built
}

/// Seconds nobody else sleeps, for a process that is looked for by its command line: years, and another number each time.
pub fn ages() -> String {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    format!("1{:07}{:02}s", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed))
}

/// Processes on this machine whose command line has `word` in it.
pub fn processes_with(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if !pid.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(word) {
            found.push(format!("{pid} {line}"));
        }
    }
    found
}
