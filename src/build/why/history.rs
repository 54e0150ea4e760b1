//! Where stories are kept: `<store>/builds/<project>/<time>-<token>.json`, lists of files in `files/` beside them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::{ContentHash, KeyHasher};
use crate::build::Error;
use crate::build::why::{FileList, Story};
use crate::host::{fs, random};

/// Stories kept of a project. They are thinned when there are twice as many.
const KEPT: usize = 10;
/// Projects that are kept.
const PROJECTS: usize = 200;
/// Larger than the story of any Dockerfile that is written by hand.
const LIMIT: u64 = 64 << 20;

/// The stories of one store.
#[derive(Clone, Debug)]
pub struct History {
    root: PathBuf,
}

/// A story with the place it came from.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What was kept.
    pub story: Story,
    folder: PathBuf,
    name: String,
}

impl History {
    /// The stories below a store's folder.
    pub fn of(home: &Path) -> Self {
        Self { root: home.join("builds") }
    }

    /// The folder of a project.
    fn project(&self, context: &str, dockerfile: &str) -> PathBuf {
        let mut key = KeyHasher::new("lapstrake project v1");
        key.field("context", context).field("dockerfile", dockerfile);
        self.root.join(&key.finish().to_string()[..32])
    }

    /// Keeps a story.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, story: &Story, now: Duration) -> Result<(), Error> {
        let folder = self.project(&story.context, &story.dockerfile);
        if !fs::exists(&folder) {
            self.forget_projects();
            fs::create_dir_all(&folder)?;
        }
        let name = format!("{:020}-{}.json", now.as_nanos(), &random::token()[..8]);
        let bytes = serde_json::to_vec(story).map_err(|e| Error::Bug(e.to_string()))?;
        publish(&folder, &name, &bytes)?;
        thin(&folder)
    }

    /// Keeps the list of what was read. `content` is its name: equal content is kept once.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_files(
        &self,
        (context, dockerfile): (&str, &str),
        content: &ContentHash,
        list: impl FnOnce() -> Result<FileList, Error>,
    ) -> Result<(), Error> {
        let folder = self.project(context, dockerfile).join("files");
        let name = format!("{content}.json");
        if fs::exists(folder.join(&name)) {
            return Ok(());
        }
        fs::create_dir_all(&folder)?;
        let bytes = serde_json::to_vec(&list()?).map_err(|e| Error::Bug(e.to_string()))?;
        publish(&folder, &name, &bytes)
    }

    /// The newest story that `wanted` accepts, of all projects.
    ///
    /// # Errors
    /// If the folders cannot be listed. Stories that cannot be read are left out.
    pub fn newest(&self, wanted: impl Fn(&Story) -> bool) -> Result<Option<Kept>, Error> {
        let mut all = Vec::new();
        for folder in folders(&self.root)? {
            all.extend(stories(&folder)?.into_iter().map(|name| (name, folder.clone())));
        }
        all.sort();
        let mut newest = all.into_iter().rev().filter_map(|(name, folder)| read(&folder, name));
        Ok(newest.find(|kept| wanted(&kept.story)))
    }

    /// The earlier stories of the same project, newest first.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn before(&self, kept: &Kept) -> Result<Vec<Story>, Error> {
        let earlier = stories(&kept.folder)?.into_iter().filter(|name| *name < kept.name).rev();
        Ok(earlier.filter_map(|name| read(&kept.folder, name)).map(|kept| kept.story).collect())
    }

    /// The list of files that `content` stands for, if it is kept.
    pub fn files(kept: &Kept, content: &ContentHash) -> Option<FileList> {
        let bytes =
            fs::read_limited(kept.folder.join("files").join(format!("{content}.json")), LIMIT).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Makes room for another project. What cannot be removed is tried again next time.
    fn forget_projects(&self) {
        let Ok(folders) = folders(&self.root) else { return };
        let mut ages: Vec<_> =
            folders.into_iter().map(|f| (stories(&f).ok().and_then(|mut s| s.pop()), f)).collect();
        ages.sort();
        for (_, folder) in ages.iter().take((ages.len() + 1).saturating_sub(PROJECTS)) {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Appears whole or not at all; it need not survive a power failure.
fn publish(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let temporary = folder.join(format!(".{}.tmp", random::token()));
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, folder.join(name)));
    if written.is_err() {
        // What is told is why it could not be written.
        let _ = fs::remove_file(&temporary);
    }
    Ok(written?)
}

fn folders(root: &Path) -> Result<Vec<PathBuf>, Error> {
    if !fs::exists(root) {
        return Ok(Vec::new());
    }
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    Ok(fs::read_dir(root)?.iter().filter(|entry| is_folder(entry)).map(fs::DirEntry::path).collect())
}

/// Names of the stories in a folder, oldest first.
fn stories(folder: &Path) -> Result<Vec<String>, Error> {
    if !fs::exists(folder) {
        return Ok(Vec::new());
    }
    let names = fs::read_dir(folder)?.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| name.ends_with(".json")).collect())
}

fn read(folder: &Path, name: String) -> Option<Kept> {
    let bytes = fs::read_limited(folder.join(&name), LIMIT).ok()?;
    let story: Story = serde_json::from_slice(&bytes).ok()?;
    (story.version == Story::VERSION).then(|| Kept { story, folder: folder.to_owned(), name })
}

/// Removes the oldest stories, lists that no story speaks of, and what killed processes left.
fn thin(folder: &Path) -> Result<(), Error> {
    let names = stories(folder)?;
    if names.len() < 2 * KEPT {
        return Ok(());
    }
    let (old, kept) = names.split_at(names.len() - KEPT);
    for name in old {
        fs::remove_file(folder.join(name))?;
    }
    let kept = kept.iter().filter_map(|name| read(folder, name.clone()));
    let spoken_of: BTreeSet<String> = kept
        .flat_map(|kept| kept.story.steps)
        .flat_map(|step| step.looked)
        .filter_map(|looked| looked.content.map(|content| format!("{content}.json")))
        .collect();
    for place in [folder.to_owned(), folder.join("files")] {
        let Ok(entries) = fs::read_dir(&place) else { continue };
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_list = place.ends_with("files");
            if name.ends_with(".tmp") || is_list && !spoken_of.contains(&name) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::tree::Listed;
    use std::collections::BTreeMap;

    fn story(context: &str, began: i64) -> Story {
        Story {
            version: Story::VERSION,
            began,
            context: context.into(),
            dockerfile: "Dockerfile".into(),
            images: vec![],
            arguments: BTreeMap::new(),
            steps: vec![],
        }
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let history = History::of(dir.path());
        assert!(history.newest(|_| true).unwrap().is_none());
        let content = ContentHash::of(b"files");
        let list = || Ok(FileList::new(&[Listed { path: b"a".to_vec(), mode: 0, hash: content }]));
        history.keep_files(("one", "Dockerfile"), &content, list).unwrap();
        for n in 0..25 {
            history.keep(&story("one", n), Duration::from_secs(100 + n.unsigned_abs())).unwrap();
        }
        history.keep(&story("two", 3), Duration::from_secs(50)).unwrap();
        let newest = history.newest(|_| true).unwrap().unwrap();
        assert_eq!((newest.story.context.as_str(), newest.story.began), ("one", 24));
        let before = history.before(&newest).unwrap();
        assert_eq!(before.iter().map(|s| s.began).next(), Some(23));
        assert!(before.len() >= KEPT - 1 && before.len() < 2 * KEPT, "{}", before.len());
        assert!(History::files(&newest, &content).is_none(), "no story speaks of it any more");
        let two = history.newest(|story| story.context == "two").unwrap().unwrap();
        assert!(history.before(&two).unwrap().is_empty());
    }
}
