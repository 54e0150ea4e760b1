//! Building twice from nothing, to find out whether the result is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::base::{ContentHash, DiffId, Failure, Kind};
use crate::build::{self, Built, Doors};
use crate::host::lock::{FileLock, Sharing};
use crate::host::{fs, random};
use crate::oci::layer::{Entry, Kind as EntryKind, Reader};
use crate::report::Context;
use crate::snapshot::Snapshots;

/// Differences that are shown.
const SHOWN: usize = 50;
/// What temporary stores begin with.
const PREFIX: &str = "verify-";

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The ids of both images.
    pub images: [String; 2],
    /// Layers of the image.
    pub layers: usize,
    /// The first differences; none means that the build is reproducible here.
    pub differences: Vec<Difference>,
    /// Differences that are not shown.
    pub more: usize,
}

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The layer with what made it, or `configuration`.
    pub layer: String,
    /// The file, or the place in the configuration.
    pub path: String,
    /// What of it.
    pub field: &'static str,
    /// As the first build made it.
    pub first: String,
    /// As the second build made it.
    pub second: String,
}

/// Builds twice, each time in a store of its own without any known result, and compares.
///
/// # Errors
/// If a build fails or its layers cannot be read.
pub async fn run(cx: &Context, doors: &Doors, request: &build::Request) -> Result<Report, Failure> {
    let _lease = doors.store().lease()?;
    let places = [Place::make(doors.home())?, Place::make(doors.home())?];
    let stores = [doors.apart(places[0].path.clone()), doors.apart(places[1].path.clone())];
    let request = build::Request {
        no_cache: true,
        cache_from: Vec::new(),
        cache_to: Vec::new(),
        tags: Vec::new(),
        outputs: Vec::new(),
        run: build::RunOptions { cache_mounts: build::CacheMountOptions::default(), ..request.run.clone() },
        ..request.clone()
    };
    let first = build::run(cx, &stores[0], request.clone()).await?;
    // Whoever writes down the time of day shall be found.
    let second = cx.clock.now().subsec_nanos();
    tokio::time::sleep(Duration::from_nanos(1_000_000_000 - u64::from(second))).await;
    let second = build::run(cx, &stores[1], build::Request { pull: false, ..request }).await?;
    let snapshots = [stores[0].snapshots()?, stores[1].snapshots()?];
    let images = [first, second];
    let report = build::blocking(move || Ok(compare(&images, [&snapshots[0], &snapshots[1]]))).await?;
    drop(places);
    report
}

fn compare(images: &[Built; 2], snapshots: [&Snapshots; 2]) -> Result<Report, Failure> {
    let mut found = Vec::new();
    let configs = [&images[0], &images[1]].map(|image| serde_json::to_value(&image.config));
    if let [Ok(first), Ok(second)] = &configs {
        values(&mut found, String::new(), first, second);
    }
    let [first, second] = [&images[0], &images[1]].map(|image| image.config.layers());
    for index in 0..first.len().max(second.len()) {
        let title = title(&images[0], index);
        match (first.get(index), second.get(index)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                let lists = [entries(snapshots[0], a)?, entries(snapshots[1], b)?];
                layers(&mut found, &title, &lists);
            }
            (a, b) => found.push(Difference {
                layer: title,
                path: String::new(),
                field: "layer",
                first: a.map(ToString::to_string).unwrap_or_default(),
                second: b.map(ToString::to_string).unwrap_or_default(),
            }),
        }
    }
    // Layers first: what the configuration says of them follows from them.
    found.sort_by_key(|difference| difference.layer == CONFIGURATION);
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    let images = [images[0].id.to_string(), images[1].id.to_string()];
    Ok(Report { images, layers: first.len(), differences: found, more })
}

const CONFIGURATION: &str = "configuration";

/// `3: RUN make`.
fn title(image: &Built, index: usize) -> String {
    let made = image.config.history.iter().filter(|entry| !entry.empty_layer).nth(index);
    let words = made.map(|entry| entry.created_by.split_whitespace().collect::<Vec<_>>().join(" "));
    let words: String = words.unwrap_or_default().trim_end_matches(" # buildkit").chars().take(60).collect();
    format!("{}: {words}", index + 1)
}

/// Differences of two documents, by the path of the value. That layers differ is told where they do.
fn values(found: &mut Vec<Difference>, path: String, first: &Value, second: &Value) {
    if first == second || path == "/rootfs/diff_ids" {
        return;
    }
    match (first, second) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let at = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                values(found, format!("{path}/{key}"), &at(a), &at(b));
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for index in 0..a.len().max(b.len()) {
                let at = |list: &[Value]| list.get(index).cloned().unwrap_or(Value::Null);
                values(found, format!("{path}/{index}"), &at(a), &at(b));
            }
        }
        _ => found.push(Difference {
            layer: CONFIGURATION.into(),
            path,
            field: "value",
            first: first.to_string(),
            second: second.to_string(),
        }),
    }
}

/// What of an entry is compared, by name.
type Facts = BTreeMap<&'static str, String>;

fn layers(found: &mut Vec<Difference>, title: &str, lists: &[BTreeMap<String, Facts>; 2]) {
    let paths: BTreeSet<&String> = lists[0].keys().chain(lists[1].keys()).collect();
    let mut push = |path: &String, field, first: Option<&String>, second: Option<&String>| {
        let words = |value: Option<&String>| value.cloned().unwrap_or_else(|| "missing".into());
        let (first, second) = (words(first), words(second));
        found.push(Difference { layer: title.to_owned(), path: path.clone(), field, first, second });
    };
    let there = "there".to_owned();
    for path in paths {
        match (lists[0].get(path), lists[1].get(path)) {
            (Some(a), Some(b)) => {
                let fields: BTreeSet<&&str> = a.keys().chain(b.keys()).collect();
                let differing = fields.into_iter().filter(|field| a.get(*field) != b.get(*field));
                differing.for_each(|field| push(path, field, a.get(field), b.get(field)));
            }
            (a, b) => push(path, "entry", a.map(|_| &there), b.map(|_| &there)),
        }
    }
}

/// Every entry of a layer with its facts.
fn entries(snapshots: &Snapshots, layer: &DiffId) -> Result<BTreeMap<String, Facts>, Failure> {
    let unreadable =
        |e: io::Error| Failure::new(Kind::Environment, format!("read layer {layer}")).caused_by(&e);
    let (reader, writer) = io::pipe().map_err(unreadable)?;
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || snapshots.write_tar(layer, io::BufWriter::new(writer)));
        let read = read(reader).map_err(unreadable);
        let written = writing.join().map_err(|_| Failure::new(Kind::Bug, "a worker thread failed"))?;
        // Its failure is the cause of the reader's.
        written?;
        read
    })
}

fn read(tar: impl Read) -> io::Result<BTreeMap<String, Facts>> {
    let mut reader = Reader::new(io::BufReader::new(tar));
    let mut entries = BTreeMap::new();
    while let Some(entry) = reader.next_entry().map_err(io::Error::other)? {
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut reader, &mut hasher)?;
        let content = ContentHash::from_bytes(*hasher.finalize().as_bytes());
        entries.insert(entry.display(), facts(&entry, &content));
    }
    // What follows the last entry belongs to the archive too.
    reader.finish().map_err(io::Error::other)?;
    Ok(entries)
}

fn facts(entry: &Entry, content: &ContentHash) -> Facts {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (kind, target) = match &entry.kind {
        EntryKind::File => ("file".to_owned(), String::new()),
        EntryKind::Directory => ("directory".to_owned(), String::new()),
        EntryKind::Symlink(to) => ("symbolic link".to_owned(), text(to)),
        EntryKind::Hardlink(to) => ("hard link".to_owned(), text(to)),
        EntryKind::Fifo => ("fifo".to_owned(), String::new()),
        EntryKind::CharDevice { major, minor } => {
            (format!("character device {major}:{minor}"), String::new())
        }
        EntryKind::BlockDevice { major, minor } => (format!("block device {major}:{minor}"), String::new()),
    };
    let attributes: Vec<String> =
        entry.xattrs.iter().map(|(name, value)| format!("{}={}", text(name), hex::encode(value))).collect();
    let mut facts = Facts::from([
        ("type", kind),
        ("target", target),
        ("mode", format!("{:04o}", entry.mode)),
        ("owner", format!("{}:{}", entry.uid, entry.gid)),
        ("time", entry.mtime.to_string()),
        ("attributes", attributes.join(" ")),
    ]);
    if entry.kind == EntryKind::File {
        facts.insert("size", entry.size.to_string());
        facts.insert("content", content.to_string()[..16].to_owned());
    }
    facts
}

/// A temporary store: a folder that goes when dropped, with a lock beside it by which others know that it is in use.
struct Place {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: FileLock,
}

impl Place {
    fn make(home: &Path) -> Result<Self, Failure> {
        let parent = home.join("tmp");
        fs::create_dir_all(&parent)?;
        clean(home)?;
        let path = parent.join(format!("{PREFIX}{}", random::token()));
        let lock_path = path.with_extension("lock");
        let lock = FileLock::wait(&lock_path, Sharing::Exclusive)?;
        fs::create_dir_all(path.join("locks"))?;
        Ok(Self { path, lock_path, _lock: lock })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stays is found by the next one.
        if fs::remove_dir_all(&self.path).is_ok() {
            let _ = fs::remove_file(&self.lock_path);
        }
    }
}

/// Removes the temporary stores of processes that were killed; gives how many.
///
/// # Errors
/// If one cannot be removed.
pub fn clean(home: &Path) -> Result<usize, Failure> {
    let parent = home.join("tmp");
    let mut cleaned = 0;
    if !fs::exists(&parent) {
        return Ok(cleaned);
    }
    for entry in fs::read_dir(&parent)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".lock").filter(|name| name.starts_with(PREFIX)) else { continue };
        let Some(_lock) = FileLock::attempt(entry.path(), Sharing::Exclusive)? else { continue };
        fs::remove_dir_all(parent.join(name))?;
        fs::remove_file(entry.path())?;
        cleaned += 1;
    }
    Ok(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(files: &[(&str, &str, i64)]) -> Vec<u8> {
        let mut writer = crate::oci::layer::Writer::new(Vec::new());
        for (path, content, mtime) in files {
            let size = content.len() as u64;
            let entry = Entry { size, mtime: *mtime, ..Entry::new(*path, EntryKind::File, 0o644) };
            writer.append(&entry, content.as_bytes()).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn each_field_that_differs_is_a_line() {
        let first = read(tar(&[("a", "1", 5), ("b", "x", 5), ("c", "", 5)]).as_slice()).unwrap();
        let second = read(tar(&[("a", "2", 5), ("b", "x", 6), ("d", "", 5)]).as_slice()).unwrap();
        let mut found = Vec::new();
        layers(&mut found, "1: RUN x", &[first, second]);
        let lines: Vec<_> = found.iter().map(|d| (d.path.as_str(), d.field)).collect();
        assert_eq!(lines, [("a", "content"), ("b", "time"), ("c", "entry"), ("d", "entry")]);
        assert_eq!((found[2].first.as_str(), found[2].second.as_str()), ("there", "missing"));
    }

    #[test]
    fn documents_differ_by_their_paths() {
        let first = serde_json::json!({"config": {"Env": ["A=1", "B=2"]}, "created": "x", "rootfs": {"diff_ids": [1]}});
        let second = serde_json::json!({"config": {"Env": ["A=1", "B=3"]}, "rootfs": {"diff_ids": [2]}});
        let mut found = Vec::new();
        values(&mut found, String::new(), &first, &second);
        let lines: Vec<_> = found.iter().map(|d| (d.path.as_str(), d.second.as_str())).collect();
        assert_eq!(lines, [("/config/Env/1", "\"B=3\""), ("/created", "null")]);
    }
}
