//! Lays out what a case is about: the files of its context and of other folders, with modes, times, links and
//! attributes, as the one who builds owns them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, mknodat, setxattr, utimensat,
};

use super::archive;
use super::case::{Case, Part};

/// The time of files that say none: 2008-01-10.
pub const FILE_TIME: i64 = 1_200_000_000;

/// A case, laid out.
pub struct Laid {
    /// The folder with everything.
    pub root: PathBuf,
    /// Who owns it: user and group.
    owner: Option<(u32, u32)>,
    times: Vec<(PathBuf, i64)>,
    paths: BTreeSet<PathBuf>,
}

impl Laid {
    /// Lays out `case` below `root`, which is new.
    pub fn new(case: &Case, root: &Path, owner: Option<(u32, u32)>) -> Self {
        let mut laid = Self { root: root.to_owned(), owner, times: Vec::new(), paths: BTreeSet::new() };
        laid.folder(&laid.context());
        for part in &case.parts {
            laid.part(part);
        }
        laid.settle();
        laid
    }

    /// The build context.
    pub fn context(&self) -> PathBuf {
        self.root.join("context")
    }

    /// A folder beside it, written `@name` in cases.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The regular files laid out, for naming their contents.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path).filter(|path| {
            fs::symlink_metadata(path)
                .is_ok_and(|found| found.file_type().is_file() && found.len() < (8 << 20))
        })
    }

    /// Where a path of a case is: `a/b` in the context, `@name/a/b` in a folder beside it.
    fn place(&mut self, word: &[u8]) -> PathBuf {
        let path = match word.strip_prefix(b"@") {
            Some(beside) => self.root.join(OsStr::from_bytes(beside)),
            None => self.context().join(OsStr::from_bytes(word)),
        };
        if let Some(parent) = path.parent() {
            self.folder(parent);
        }
        self.paths.insert(path.clone());
        path
    }

    fn folder(&mut self, path: &Path) {
        if path.is_dir() {
            return;
        }
        if let Some(parent) = path.parent() {
            self.folder(parent);
        }
        fs::create_dir(path).unwrap();
        self.finish(path, 0o755);
    }

    /// Owner and mode; times come last.
    fn finish(&mut self, path: &Path, mode: u32) {
        if let Some((uid, gid)) = self.owner {
            chown(path, Some(uid), Some(gid)).unwrap();
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        self.times.push((path.to_owned(), FILE_TIME));
    }

    fn part(&mut self, part: &Part) {
        let words = part.words();
        match part.word.as_str() {
            "Dockerfile" => {
                let path = self.place(words.first().map_or(&b"Dockerfile"[..], Vec::as_slice));
                fs::write(&path, &part.body).unwrap();
                self.finish(&path, 0o644);
            }
            "file" => {
                let path = self.place(&words[0]);
                fs::write(&path, &part.body).unwrap();
                self.finish(&path, mode(words.get(1), 0o644));
                self.time(&path, words.get(2));
            }
            "dir" => {
                let path = self.place(&words[0]);
                self.folder(&path);
                self.finish(&path, mode(words.get(1), 0o755));
                self.time(&path, words.get(2));
            }
            "link" => {
                let path = self.place(&words[0]);
                symlink(OsStr::from_bytes(&words[1]), &path).unwrap();
                if let Some((uid, gid)) = self.owner {
                    lchown(&path, Some(uid), Some(gid)).unwrap();
                }
                self.times.push((path, FILE_TIME));
            }
            "hard" => {
                let (path, old) = (self.place(&words[0]), self.place(&words[1]));
                fs::hard_link(old, path).unwrap();
            }
            "sparse" => {
                let path = self.place(&words[0]);
                let size = String::from_utf8_lossy(&words[1]).parse().unwrap();
                fs::File::create(&path).unwrap().set_len(size).unwrap();
                self.finish(&path, 0o644);
            }
            "xattr" => {
                let path = self.place(&words[0]);
                let value = hex::decode(&words[2]).unwrap();
                setxattr(&path, words[1].as_slice(), &value, XattrFlags::empty()).unwrap();
            }
            "archive" => {
                let path = self.place(&words[0]);
                let kind = String::from_utf8_lossy(&words[1]);
                fs::write(&path, archive::make(&kind, &part.body)).unwrap();
                self.finish(&path, 0o644);
            }
            "commit" => self.commit(&words),
            _ => self.special(part, &words),
        }
    }

    fn special(&mut self, part: &Part, words: &[Vec<u8>]) {
        match part.word.as_str() {
            "fifo" => {
                let path = self.place(&words[0]);
                mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
                self.finish(&path, 0o644);
            }
            "socket" => {
                let path = self.place(&words[0]);
                mknodat(CWD, &path, FileType::Socket, Mode::from_raw_mode(0o755), 0).unwrap();
                self.finish(&path, 0o755);
            }
            _ => {}
        }
    }

    fn time(&mut self, path: &Path, word: Option<&Vec<u8>>) {
        if let Some(word) = word {
            let seconds = String::from_utf8_lossy(word).parse().unwrap();
            self.times.push((path.to_owned(), seconds));
        }
    }

    /// Commits what lies in a folder so far, at a time and by a name that never change, and perhaps tags it.
    fn commit(&self, words: &[Vec<u8>]) {
        let text = |n: usize| words.get(n).map(|word| String::from_utf8_lossy(word).into_owned());
        let folder = self.root.join(text(0).unwrap().trim_start_matches('@'));
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.args(["-c", "init.defaultBranch=main", "-c", "safe.directory=*"]).args(arguments);
            command.current_dir(&folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
            command.env("HOME", &self.root).env("GIT_CONFIG_NOSYSTEM", "1");
            for who in ["AUTHOR", "COMMITTER"] {
                command.env(format!("GIT_{who}_NAME"), "A").env(format!("GIT_{who}_EMAIL"), "a@example.org");
                command.env(format!("GIT_{who}_DATE"), "1300000000 +0000");
            }
            let output = command.output().unwrap();
            assert!(
                output.status.success(),
                "git {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        if !folder.join(".git").exists() {
            git(&["init", "-q"]);
            git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        }
        git(&["add", "-A"]);
        git(&["commit", "-q", "--allow-empty", "-m", "change"]);
        if let Some(tag) = text(1) {
            git(&["tag", &tag]);
        }
    }

    /// Part of every time, another one in every case: BuildKit takes a file of the same name, size and time for the one
    /// that it was given before.
    fn nanoseconds(&self) -> i64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.root.hash(&mut hasher);
        i64::try_from(hasher.finish() % 1_000_000_000).unwrap()
    }

    /// Sets all times, the deepest first, so that nothing touches a folder after its turn.
    fn settle(&mut self) {
        let explicit: Vec<_> = std::mem::take(&mut self.times);
        let mut times: std::collections::BTreeMap<PathBuf, i64> = Default::default();
        times.extend(explicit);
        for (path, seconds) in times.iter().rev() {
            let time = Timespec { tv_sec: *seconds, tv_nsec: self.nanoseconds() };
            let both = Timestamps { last_access: time, last_modification: time };
            utimensat(CWD, path, &both, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        }
    }
}

fn mode(word: Option<&Vec<u8>>, otherwise: u32) -> u32 {
    word.map_or(otherwise, |word| u32::from_str_radix(&String::from_utf8_lossy(word), 8).unwrap())
}
