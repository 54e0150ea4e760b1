//! Following links inside the files of a repository.

use crate::git::{Entry, EntryKind, Files};
use crate::ops::project::Refusal;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// What a path leads to.
#[derive(Clone, Debug)]
pub struct Found {
    /// The path without links.
    pub path: Vec<u8>,
    /// What is there; `None` is the root.
    pub entry: Option<Entry>,
    /// The links that were followed.
    pub links: Vec<(Vec<u8>, Entry)>,
}

impl Found {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.entry.as_ref().is_none_or(|entry| entry.kind.is_folder())
    }
}

/// Follows `path` from the root of the repository; `None` if there is nothing.
///
/// # Errors
/// If a link leads out of the repository, or in a circle; if a folder cannot be read.
pub fn follow(files: &Files, path: &str) -> Result<Option<Found>, Refusal> {
    let mut left: Vec<Vec<u8>> = path.split('/').rev().map(|part| part.as_bytes().to_vec()).collect();
    let mut here: Vec<Vec<u8>> = Vec::new();
    let mut links = Vec::new();
    let mut last = None;
    while let Some(part) = left.pop() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                if here.pop().is_none() {
                    return Err(Refusal::new(format!("{path:?} leads out of the repository")));
                }
                last = None;
                continue;
            }
            _ => here.push(part),
        }
        let place = here.join(&b'/');
        let Some(entry) = files.look(&place)? else { return Ok(None) };
        if entry.kind != EntryKind::Link {
            if !entry.kind.is_folder() && left.iter().any(|part| !matches!(part.as_slice(), b"" | b".")) {
                return Ok(None);
            }
            last = Some(entry);
            continue;
        }
        let target = files.read(&place)?.unwrap_or_default();
        let shown = String::from_utf8_lossy(&place).into_owned();
        if target.starts_with(b"/") {
            return Err(Refusal::new(format!("the link {shown:?} leads out of the repository"))
                .because(format!("it points to {:?}", String::from_utf8_lossy(&target))));
        }
        links.push((place, entry));
        if links.len() > MOST_LINKS {
            return Err(Refusal::new(format!("the link {shown:?} leads in a circle")));
        }
        here.pop();
        last = None;
        left.extend(target.split(|b| *b == b'/').rev().map(<[u8]>::to_vec));
    }
    let path = here.join(&b'/');
    let entry = match last {
        Some(entry) => Some(entry),
        None if path.is_empty() => None,
        None => match files.look(&path)? {
            Some(entry) => Some(entry),
            None => return Ok(None),
        },
    };
    Ok(Some(Found { path, entry, links }))
}
