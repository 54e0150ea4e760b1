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
    require_included(read, |pattern| copy::select(source, &[pattern], &|_, _| false))?;
    let narrowing = Narrowing::new(read);
    for one in &selected {
        let root = one.path.as_os_str().as_bytes();
        let filter = |path: &[u8], directory: bool| {
            let shown = source.filter.map_or(Verdict::Keep, |filter| filter(path, directory));
            narrowing.verdict(shown, (root, path), directory)
        };
        work(Source { filter: Some(&filter), ..*source }, std::slice::from_ref(one))?;
    }
    Ok(())
}

/// A path written without wildcards has to be there, also behind `/./`; `select` looks for one.
pub(super) fn require_included<E: From<snapshot::Error>>(
    read: &Read,
    select: impl Fn(Pattern<'_>) -> Result<Vec<Selected>, E>,
) -> Result<(), E> {
    let Some(include) = &read.include else { return Ok(()) };
    let at = |path: &[u8]| select(Pattern { text: path, wildcard: false });
    for path in read.paths.iter().filter(|path| !has_wildcard(path) && !has_wildcard(include)) {
        let whole = format!("{}/{include}", path.trim_end_matches('/'));
        at(whole.as_bytes())?;
        // The folders that are kept are found by walking: a link among them is none. Those before the pivot may be links.
        let Some((folder, _)) = include.rsplit_once('/') else { continue };
        let Some(root) = at(path.as_bytes())?.pop() else { continue };
        let folder = root.path.join(folder);
        if at(folder.as_os_str().as_bytes())?.iter().any(|found| found.path != folder) {
            return Err(snapshot::Error::NoSource { path: whole, hidden: false }.into());
        }
    }
    Ok(())
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
