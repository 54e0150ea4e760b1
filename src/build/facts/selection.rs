//! What a read of a step selects of a tree, and the content of that.

use std::os::unix::ffi::OsStrExt as _;

use crate::base::{ContentHash, KeyHasher};
use crate::build::step::Read;
use crate::dockerfile::{glob, ignore};
use crate::snapshot;
use crate::snapshot::copy::{self, Pattern, Selected};
use crate::snapshot::tree::{self, HashCache, Source, Verdict};

/// What is done with a tree as a read shows it, and what is selected of it.
pub type Work<'a, E> = dyn FnMut(Source<'_>, &[Selected]) -> Result<(), E> + 'a;

/// Calls `work` with what the step reads of a tree, and the tree as the read shows it; more than once if `--parents` or
/// `--exclude` make it look different for each path.
///
/// # Errors
/// [`snapshot::Error::NoSource`]; those of `work`.
pub fn each<E: From<snapshot::Error>>(
    source: &Source<'_>,
    read: &Read,
    work: &mut Work<'_, E>,
) -> Result<(), E> {
    let matches = |pattern: &[u8], path: &[u8]| glob::matches(pattern, path);
    let patterns = read.paths.iter().map(|path| Pattern { text: path.as_bytes(), wildcard: read.wildcards });
    let selected = copy::select(source, &patterns.collect::<Vec<_>>(), &matches)?;
    if !read.is_narrowed() {
        return work(*source, &selected);
    }
    let narrowing = Narrowing::new(read);
    for one in &selected {
        let root = one.path.as_os_str().as_bytes();
        let filter = |path: &[u8], directory: bool| {
            let shown = source.filter.map_or(Verdict::Keep, |filter| filter(path, directory));
            narrowing.verdict(shown, (root, path), directory)
        };
        let narrowed = Source { filter: Some(&filter), ..*source };
        if let Some(below) = required(read) {
            let stands = |source: &Source<'_>| copy::stands(source, root, below.as_bytes());
            if !stands(&narrowed)? {
                return Err(missing(one, below, stands(source)?).into());
            }
        }
        work(narrowed, std::slice::from_ref(one))?;
    }
    Ok(())
}

/// What has to be there below what is selected: a path of `--parents` that is written without wildcards. Where a wildcard
/// selects several folders, one may have it and another not.
pub(super) fn required(read: &Read) -> Option<&str> {
    let include = read.include.as_deref().filter(|include| !has_wildcard(include))?;
    (!read.paths.iter().any(|path| has_wildcard(path))).then_some(include)
}

/// That it is not there, or is there and excluded.
pub(super) fn missing(selected: &Selected, below: &str, excluded: bool) -> snapshot::Error {
    let path = format!("/{}", selected.path.join(below.trim_end_matches('/')).display());
    match excluded {
        true => snapshot::Error::Excluded { path },
        false => snapshot::Error::NoSource { path, hidden: false },
    }
}

fn has_wildcard(text: &str) -> bool {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '*' | '?' | '[' => return true,
            '\\' => {
                letters.next();
            }
            _ => {}
        }
    }
    false
}

/// The content of what a step reads of a tree: names, kinds, modes, owners, content, never times.
///
/// # Errors
/// If something is missing or cannot be read.
pub fn hash(
    source: &Source<'_>,
    read: &Read,
    cache: Option<&dyn HashCache>,
) -> Result<ContentHash, snapshot::Error> {
    let mut hasher = KeyHasher::new("lapstrake selection v1");
    each(source, read, &mut |source, all| {
        for selected in all {
            let hash = tree::hash(&source, &selected.path, cache)?;
            hasher
                .number("directory", u64::from(selected.directory))
                .field("name", if selected.directory { &[][..] } else { &selected.name })
                .field("content", hash.as_bytes());
        }
        Ok::<(), snapshot::Error>(())
    })?;
    Ok(hasher.finish())
}

/// `--parents` and `--exclude`, compiled.
pub(super) struct Narrowing {
    include: Option<ignore::Matcher>,
    exclude: ignore::Matcher,
}

impl Narrowing {
    /// The patterns were looked at when the instruction was evaluated.
    pub(super) fn new(read: &Read) -> Self {
        let compile = |patterns: &[String]| ignore::Matcher::new(patterns).unwrap_or_default();
        let include = read.include.as_ref().map(|pattern| compile(std::slice::from_ref(pattern)));
        Self { include, exclude: compile(&read.exclude) }
    }

    /// What is shown of `path`, which is below the selected `root` and of which `shown` would be shown without this.
    pub(super) fn verdict(&self, shown: Verdict, (root, path): (&[u8], &[u8]), directory: bool) -> Verdict {
        let below = path.strip_prefix(root).map(|rest| rest.strip_prefix(b"/").unwrap_or(rest));
        let Some(below) = below.filter(|below| !below.is_empty()) else { return shown };
        if shown == Verdict::Drop {
            return Verdict::Drop;
        }
        let text = String::from_utf8_lossy(below);
        let excluded = !self.exclude.is_empty() && self.exclude.finds(&text);
        let included = self.include.as_ref().is_none_or(|include| include.finds(&text));
        if included && !excluded {
            return shown;
        }
        let may_include = included || self.include.as_ref().is_none_or(|i| i.may_match_below(&text));
        let may_be_back = !excluded || self.exclude.may_include_below(&text);
        match directory && may_include && may_be_back {
            true => Verdict::Pass,
            false => Verdict::Drop,
        }
    }
}
