//! What came out of a build, as lines of text that are equal where images are: configuration, history, the entries of
//! every layer, and the tree, without what no Dockerfile decides (times of the build, addresses, the bytes of BusyBox).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::tree::{self, Entry, SHOWN, Tree};

/// An answer: lines.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Answer {
    pub lines: Vec<String>,
}

/// What is needed to say an answer without accidents.
pub struct Terms<'a> {
    /// Diff ids of base layers.
    pub base_layers: Vec<String>,
    /// Whether a time is one that the builder gave because it made the thing now.
    pub now: Box<dyn Fn(i64) -> bool + 'a>,
    /// Whether times of folders are told: BuildKit's own change from run to run.
    pub folder_times: bool,
    /// Addresses and folders, and what stands for them.
    pub names: Vec<(String, String)>,
    /// SHA-256 of contents that may change from machine to machine, and what stands for them.
    pub contents: BTreeMap<String, String>,
    /// Paths that are not told, nor what is below them.
    pub omitted: Vec<String>,
}

impl Terms<'_> {
    /// Names the contents of files.
    pub fn name_contents<'a>(&mut self, root: &Path, files: impl Iterator<Item = &'a Path>) {
        let busybox = fs::read("/bin/busybox").expect("install the package busybox-static");
        self.contents.insert(hex::encode(Sha256::digest(&busybox)), "BusyBox".into());
        for path in files {
            let bytes = fs::read(path).unwrap();
            if bytes.len() > SHOWN || std::str::from_utf8(&bytes).is_err() {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                self.contents.entry(hex::encode(Sha256::digest(&bytes))).or_insert(name);
            }
        }
    }

    /// Text without accidents.
    pub fn tell(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// Whether something is told of a path (or of its whiteout).
    fn tells(&self, path: &[u8]) -> bool {
        let text = String::from_utf8_lossy(path).replace("/.wh.", "/");
        !self.omitted.iter().any(|omitted| {
            text.strip_prefix(omitted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn time(&self, seconds: i64) -> String {
        if (self.now)(seconds) { "now".into() } else { seconds.to_string() }
    }

    fn content(&self, content: &tree::Content) -> String {
        if let Some(name) = self.contents.get(&content.sha256) {
            return format!("<{name}>");
        }
        match std::str::from_utf8(&content.start) {
            Ok(text) if content.start.len() <= SHOWN => format!("{:?}", self.tell(text)),
            _ => format!("{} bytes {}", content.size, &content.sha256[..16]),
        }
    }

    fn entry(&self, path: &[u8], entry: &Entry) -> String {
        let mut line = format!("{} {}", self.tell(&path.escape_ascii().to_string()), entry.kind);
        if entry.kind == 'h' {
            let _ = write!(line, " = {}", entry.link.escape_ascii());
            return line;
        }
        let _ = write!(line, " {:o} {}:{}", entry.mode, entry.uid, entry.gid);
        if entry.kind != 'd' || self.folder_times {
            let _ = write!(line, " {}", self.time(entry.mtime));
        }
        match entry.kind {
            'f' => line += &format!(" {}", self.content(&entry.content)),
            'l' => line += &format!(" -> {}", entry.link.escape_ascii()),
            'c' | 'b' => line += &format!(" {}:{}", entry.device.0, entry.device.1),
            _ => {}
        }
        for (name, value) in &entry.attributes {
            let _ = write!(line, " {name}={}", hex::encode(value));
        }
        line
    }
}

/// An OCI layout.
enum Layout {
    /// All files of a tar.
    Tar(BTreeMap<String, Vec<u8>>),
    /// A folder, which many images may share.
    Folder(PathBuf),
}

impl Layout {
    fn open(place: &Path) -> Self {
        if place.is_dir() {
            return Self::Folder(place.to_owned());
        }
        let mut archive = tar::Archive::new(fs::File::open(place).unwrap());
        let mut files = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(name.trim_start_matches("./").to_owned(), bytes);
        }
        Self::Tar(files)
    }

    fn file(&self, name: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Tar(files) => Cow::Borrowed(&files[name]),
            Self::Folder(root) => Cow::Owned(fs::read(root.join(name)).unwrap()),
        }
    }
}

/// Says what the image is that was written last into an OCI archive or folder.
pub fn of_image(place: &Path, terms: &Terms<'_>) -> Answer {
    let layout = Layout::open(place);
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        layout.file(&format!("blobs/{}", digest.replace(':', "/")))
    };
    let index = json(&layout.file("index.json"));
    let mut manifest = index["manifests"].as_array().unwrap().last().unwrap().clone();
    while manifest["config"].is_null() {
        let inner = json(&blob(&manifest));
        manifest = if inner["manifests"].is_null() { inner } else { inner["manifests"][0].clone() };
    }
    let config = json(&blob(&manifest["config"]));
    let mut answer = Answer::default();
    answer.configuration(&config, terms);
    let mut tree = Tree::default();
    let mut base = Tree::default();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (layers, diff_ids) = (list(&manifest["layers"]), list(&config["rootfs"]["diff_ids"]));
    assert_eq!(layers.len(), diff_ids.len(), "one diff id for every layer");
    for (layer, diff_id) in layers.iter().zip(&diff_ids) {
        let is_base = terms.base_layers.iter().any(|base| Some(base.as_str()) == diff_id.as_str());
        let entries = entries(layer, diff_id.as_str().unwrap(), || blob(layer), is_base);
        tree.apply(&entries);
        if is_base {
            answer.line("layer of the base");
            base = tree.clone();
            continue;
        }
        answer.line("layer");
        let told = entries.iter().filter(|(path, _)| terms.tells(path));
        let mut lines: Vec<_> = told.map(|(path, entry)| terms.entry(path, entry)).collect();
        lines.sort_unstable();
        lines.iter().for_each(|line| answer.line(&format!("  {line}")));
    }
    answer.tree(&base, &tree, terms);
    answer
}

/// What is in a layer.
type Entries = Vec<(Vec<u8>, Entry)>;

/// Reads a layer and compares it with its diff id; one of a base, which many cases share, is read once.
fn entries<'a>(
    layer: &Value,
    diff_id: &str,
    read: impl FnOnce() -> Cow<'a, [u8]>,
    is_base: bool,
) -> Arc<Entries> {
    static KNOWN: Mutex<BTreeMap<String, Arc<Entries>>> = Mutex::new(BTreeMap::new());
    let digest = layer["digest"].as_str().unwrap();
    let name = format!("{digest} {diff_id}");
    if let Some(known) = KNOWN.lock().unwrap().get(&name) {
        return Arc::clone(known);
    }
    let blob = read();
    let found = format!("sha256:{}", hex::encode(Sha256::digest(&blob)));
    assert_eq!(found, digest, "a blob is not what the manifest says");
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(&*blob).read_to_end(&mut bytes).unwrap();
    let found = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
    assert_eq!(found, diff_id, "a layer is not what the configuration says");
    let entries = Arc::new(tree::read_layer(&bytes));
    if is_base {
        KNOWN.lock().unwrap().insert(name, Arc::clone(&entries));
    }
    entries
}

impl Answer {
    fn line(&mut self, text: &str) {
        self.lines.push(text.to_owned());
    }

    fn configuration(&mut self, image: &Value, terms: &Terms<'_>) {
        for name in ["architecture", "os", "variant", "author"] {
            if let Some(text) = image[name].as_str().filter(|text| !["amd64", "linux"].contains(text)) {
                self.line(&format!("{name} {text}"));
            }
        }
        for (name, value) in image["config"].as_object().into_iter().flatten() {
            self.line(&terms.tell(&format!("config {name} {value}")));
        }
        for entry in image["history"].as_array().into_iter().flatten() {
            let layer = if entry["empty_layer"] == true { "" } else { " layer" };
            let text = entry["created_by"].as_str().unwrap_or_default();
            let comment = match entry["comment"].as_str() {
                Some("buildkit.dockerfile.v0" | "made by hand") => String::new(),
                other => format!(" comment {other:?}"),
            };
            self.line(&terms.tell(&format!("history{layer}{comment} {text:?}")));
        }
    }

    /// The tree, but for what the base has too.
    fn tree(&mut self, base: &Tree, tree: &Tree, terms: &Terms<'_>) {
        self.line("tree");
        let here = tree.paths();
        for path in base.paths().into_iter().filter(|path| terms.tells(path)) {
            let folder = path.iter().rposition(|b| *b == b'/').map_or(&b"."[..], |at| &path[..at]);
            let gone_with_folder = folder != b"." && !here.contains(folder);
            if !here.contains(path) && !gone_with_folder {
                self.line(&format!("  - {}", path.escape_ascii()));
            }
        }
        let known: BTreeMap<_, _> =
            base.list().into_iter().map(|(path, entry, same)| (path, (entry, same))).collect();
        for (path, entry, same) in tree.list().into_iter().filter(|(path, ..)| terms.tells(path)) {
            let unchanged = |old: &Entry| {
                let time = if entry.kind == 'd' && !terms.folder_times { entry.mtime } else { old.mtime };
                Entry { mtime: time, ..old.clone() } == *entry
            };
            if known.get(path).is_some_and(|(old, link)| unchanged(old) && *link == same) {
                continue;
            }
            let same = same.map_or_else(String::new, |same| format!(" = {}", same.escape_ascii()));
            self.line(&format!("  {}{same}", terms.entry(path, entry)));
        }
    }

    /// A build that failed: its words, and the lines it names.
    pub fn of_failure(message: &str, lines: Option<(usize, usize)>, terms: &Terms<'_>) -> Self {
        let mut answer = Self::default();
        answer.line(&format!("fails {:?}", terms.tell(message)));
        match lines {
            Some((from, to)) if from == to => answer.line(&format!("line {from}")),
            Some((from, to)) => answer.line(&format!("lines {from}-{to}")),
            None => {}
        }
        answer
    }

    /// The lines that a failure names.
    fn place(&self) -> Option<(usize, usize)> {
        let place = self.lines.get(1)?;
        let numbers = place.strip_prefix("lines ").or_else(|| place.strip_prefix("line "))?;
        let (from, to) = numbers.split_once('-').unwrap_or((numbers, numbers));
        Some((from.parse().ok()?, to.parse().ok()?))
    }

    fn failed(&self) -> bool {
        self.lines.first().is_some_and(|line| line.starts_with("fails "))
    }

    /// Whether `self`, ours, is what `theirs` is. A failure has words of its own, but names the place they name, or
    /// a place inside it, or one where they name none.
    pub fn agrees(&self, theirs: &Self) -> bool {
        match (self.failed(), theirs.failed()) {
            (false, false) => self == theirs,
            (true, true) => match (self.place(), theirs.place()) {
                (_, None) => true,
                (Some((from, to)), Some((first, last))) => first <= from && to <= last,
                (None, Some(_)) => false,
            },
            _ => false,
        }
    }

    /// What is different, line by line.
    pub fn difference(&self, theirs: &Self) -> String {
        if self.failed() || theirs.failed() {
            return format!(
                "{}\n",
                self.lines.iter().chain(&theirs.lines).take(4).cloned().collect::<Vec<_>>().join("\n")
            );
        }
        let mut only_ours = self.lines.clone();
        let mut out = String::new();
        for line in &theirs.lines {
            match only_ours.iter().position(|own| own == line) {
                Some(at) => drop(only_ours.remove(at)),
                None => drop(writeln!(out, "  BuildKit  {line}")),
            }
        }
        for line in only_ours {
            let _ = writeln!(out, "  lap       {line}");
        }
        if out.is_empty() {
            out = "  the same lines in another order\n".into();
        }
        out
    }
}
