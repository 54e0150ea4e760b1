//! A place to try things in: a store, contexts, the real binary, as root or as an ordinary user, an embedded registry.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// The ordinary user that `tests/prepare` makes, with subordinate ids.
pub const USER: &str = "lap-test";

/// Who runs the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever runs the tests.
    Caller,
    /// The ordinary user.
    Ordinary,
}

/// Whether the tests run as root: then both ladders are tried, the ordinary user by stepping down.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// All who can run the binary here.
pub fn everybody() -> Vec<Who> {
    if is_root() { vec![Who::Caller, Who::Ordinary] } else { vec![Who::Caller] }
}

/// Says that something is over when it is dropped, also by a test that fails: who disturbs it has to end as well.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A folder with a binary, a store and contexts.
pub struct Lab {
    dir: tempfile::TempDir,
    who: Who,
    store: String,
}

/// Copies a file that is going to be executed. Not by this process: a child that another thread starts meanwhile would hold
/// it open for writing for a moment, and nobody could execute it ("Text file busy").
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("--reflink=auto").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "cp {} {}", from.display(), to.display());
}

impl Lab {
    /// A lab for `who`.
    pub fn new(who: Who) -> Self {
        let dir = tempfile::Builder::new().prefix("lap-lab-").tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let lab = Self { dir, who, store: "store".into() };
        // The ordinary user may not be able to reach the build folder.
        copy_program(Path::new(env!("CARGO_BIN_EXE_lap")), &lab.path("lap"));
        for folder in ["store", "home", "out"] {
            fs::create_dir(lab.path(folder)).unwrap();
            lab.give(&lab.path(folder));
        }
        lab
    }

    /// The same lab with another, empty store.
    pub fn with_store(mut self, name: &str) -> Self {
        self.store = name.into();
        let path = self.path(name);
        if !path.exists() {
            fs::create_dir(&path).unwrap();
            self.give(&path);
        }
        self
    }

    /// Who runs the binary here.
    pub fn who(&self) -> Who {
        self.who
    }

    /// A path in the lab.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder of the store.
    pub fn store(&self) -> PathBuf {
        self.path(&self.store)
    }

    /// The user and group of [`USER`], where the binary runs as that one and not as the caller.
    pub fn ids(&self) -> Option<(u32, u32)> {
        if self.who == Who::Caller {
            return None;
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|line| line.starts_with(&format!("{USER}:")));
        let line = line.unwrap_or_else(|| panic!("user {USER} is missing: run tests/prepare"));
        let field = |n: usize| line.split(':').nth(n).unwrap().parse().unwrap();
        Some((field(2), field(3)))
    }

    /// Gives a path to whoever runs the binary.
    pub fn give(&self, path: &Path) {
        if self.who == Who::Ordinary {
            let status = Command::new("chown").arg(USER).arg(path).status().unwrap();
            assert!(status.success(), "user {USER} is missing: run tests/prepare");
        }
    }

    /// Writes a context: pairs of path and content; a path ending in `*` is made executable.
    pub fn context(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = self.path(name);
        fs::create_dir_all(&root).unwrap();
        for (file, content) in files {
            let path = root.join(file.trim_end_matches('*'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            let mode = if file.ends_with('*') { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        root
    }

    /// A context that also holds a static busybox.
    pub fn busybox_context(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = self.context(name, files);
        let busybox = Path::new("/bin/busybox");
        assert!(busybox.exists(), "busybox is missing: install the package busybox-static");
        fs::copy(busybox, root.join("busybox")).unwrap();
        root
    }

    /// The binary with `arguments`, ready to run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.who {
            Who::Caller => Command::new(self.path("lap")),
            Who::Ordinary => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", USER, "--regid", USER, "--init-groups", "--inh-caps=-all", "--"]);
                command.arg(self.path("lap"));
                command
            }
        };
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.path("home"))
            .env("LAP_HOME", self.store())
            .env("LAP_PROGRESS", "plain")
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.command(arguments);
        loop {
            match command.output() {
                // Another thread was starting a program while the binary was copied here, and held it for a moment.
                Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                output => return Outcome::of(output.unwrap()),
            }
        }
    }

    /// Runs the binary and expects success.
    pub fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert!(outcome.code == 0, "lap {arguments:?} as {:?}: {outcome}", self.who);
        outcome
    }

    /// Builds a context with a Dockerfile's text and gives the image's id.
    pub fn build(&self, context: &Path, dockerfile: &str, more: &[&str]) -> Outcome {
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        let mut arguments = vec!["image", "build"];
        arguments.extend(more);
        let context = context.to_str().unwrap();
        arguments.push(context);
        self.run(&arguments)
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; 128 + n for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// How a finished process ended.
    pub fn of(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = output.status.signal().map(|signal| 128 + signal);
        Self {
            code: output.status.code().or(signal).unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails the test unless it succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        assert!(self.code == 0, "{self}");
        self
    }

    /// Fails the test unless it failed and said `words`.
    #[track_caller]
    pub fn failure(self, words: &[&str]) -> Self {
        assert!(self.code != 0, "it succeeded: {self}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in: {self}");
        }
        assert!(!self.stderr.contains("panicked"), "{self}");
        self
    }

    /// A line of the summary, for example `digest`.
    pub fn field(&self, name: &str) -> String {
        let line = self.stdout.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in: {self}")).trim().to_owned()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The embedded registry on a free port of loopback, stopped when dropped.
pub struct Registry {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Registry {
    /// Starts one in `lab`.
    pub fn start(lab: &Lab) -> Self {
        let root = lab.path("registry");
        let mut child = Command::new(lab.path("lap"))
            .args(["registry", "serve", "--addr", "127.0.0.1:0", "--root"])
            .arg(&root)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find_map(|word| {
            let word = word.trim_start_matches("http://").trim_end_matches(['/', '.']);
            word.starts_with("127.0.0.1:").then(|| word.to_owned())
        });
        Self { child, address: address.unwrap_or_else(|| panic!("no address in {line:?}")) }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
