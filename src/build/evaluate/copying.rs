//! COPY and ADD: sources, destination and how the history shows them.

use crate::base::{BlobDigest, Span};
use crate::build::Error;
use crate::build::evaluate::remote::{GitRef, Remote};
use crate::build::evaluate::stage::{Made, Scene, State};
use crate::build::evaluate::{modes, paths};
use crate::build::step::{
    Action, ContextIndex, ContextRequest, Copy, Document, From, GitOrigin, Origin, Read, UrlOrigin,
};
use crate::dockerfile::command::{self, Source};
use crate::dockerfile::{Word, glob, ignore};

/// Evaluates a COPY and remembers it.
pub fn copy(scene: &Scene<'_>, state: &mut State, copy: &command::Copy) -> Result<Made, Error> {
    let parts = Parts {
        keyword: "COPY",
        sources: &copy.sources,
        destination: &copy.destination,
        chown: copy.chown.as_ref(),
        chmod: copy.chmod.as_ref(),
        link: copy.link,
        parents: copy.parents,
        exclude: &copy.exclude,
        add: None,
    };
    Copying { scene, parts: &parts, reads: Vec::new(), fetched: Vec::new() }.evaluate(state)
}

/// Evaluates an ADD and remembers it.
pub fn add(scene: &Scene<'_>, state: &mut State, add: &command::Add) -> Result<Made, Error> {
    let parts = Parts {
        keyword: "ADD",
        sources: &add.sources,
        destination: &add.destination,
        chown: add.chown.as_ref(),
        chmod: add.chmod.as_ref(),
        link: add.link,
        parents: false,
        exclude: &add.exclude,
        add: Some(add),
    };
    Copying { scene, parts: &parts, reads: Vec::new(), fetched: Vec::new() }.evaluate(state)
}

struct Parts<'a> {
    keyword: &'static str,
    sources: &'a [Source],
    destination: &'a Word,
    chown: Option<&'a Word>,
    chmod: Option<&'a Word>,
    link: bool,
    parents: bool,
    exclude: &'a [Word],
    /// What only ADD has.
    add: Option<&'a command::Add>,
}

/// An instruction while its sources are looked at.
struct Copying<'a> {
    scene: &'a Scene<'a>,
    parts: &'a Parts<'a>,
    reads: Vec<Read>,
    /// What ADD fetches and no earlier instruction did.
    fetched: Vec<ContextRequest>,
}

impl Copying<'_> {
    fn evaluate(mut self, state: &mut State) -> Result<Made, Error> {
        let (scene, parts) = (self.scene, self.parts);
        let vars = state.vars.clone();
        let expand = |word: &Word| scene.expansion.word(word, &vars);
        let optional = |word: Option<&Word>| -> Result<Option<String>, Error> {
            Ok(word.map(expand).transpose()?.filter(|text| !text.is_empty()))
        };
        let mut copy = Copy {
            documents: Vec::new(),
            destination: String::new(),
            chown: optional(parts.chown)?,
            chmod: optional(parts.chmod)?,
            link: false,
            lenient: scene.parameters.lenient,
        };
        // As with BuildKit, `--chmod` has to see what is there.
        copy.link = parts.link && copy.chmod.is_none();
        let exclude = self.exclude()?;
        let checksum = self.checksum(&expand)?;
        let (mut shown_paths, mut shown_documents) = (String::new(), String::new());
        for source in parts.sources {
            match source {
                Source::Path(word) => {
                    let text = expand(word)?;
                    shown_paths.push_str(&format!(" {text}"));
                    self.source(&text, word, (checksum.as_deref(), &exclude))?;
                }
                Source::Inline(file) => {
                    let body = match file.expand {
                        true => scene.expansion.body(&file.content, &file.name, &vars)?,
                        false => file.content.clone(),
                    };
                    shown_documents.push_str(&format!(" <<{}", file.name.text));
                    let name = file.name.text.clone();
                    copy.documents.push(Document { name, bytes: body.into_bytes() });
                }
            }
        }
        let destination = expand(parts.destination)?;
        copy.destination = paths::destination(&state.image.config.working_dir, &destination);
        if let (Some(mode), Some(word)) = (&copy.chmod, parts.chmod) {
            modes::check(mode).map_err(|message| Error::definition(&word.span, message))?;
        }
        let mut shown = parts.keyword.to_owned();
        if parts.parents {
            shown.push_str(" --parents");
        }
        for (flag, value) in [("chown", &copy.chown), ("chmod", &copy.chmod)] {
            if let Some(value) = value {
                shown.push_str(&format!(" --{flag}={value}"));
            }
        }
        state.remember(format!("{shown}{shown_paths}{shown_documents} {destination} # buildkit"), true);
        Ok(Made { reads: self.reads, fetched: self.fetched, action: Action::Copy(copy) })
    }

    /// `--exclude`, whose patterns are never expanded.
    fn exclude(&self) -> Result<Vec<String>, Error> {
        let mut patterns = Vec::new();
        for word in self.parts.exclude {
            if let Err(error) = ignore::Matcher::new([&word.text]) {
                return Err(error.at(&word.span).into());
            }
            patterns.push(word.text.clone());
        }
        Ok(patterns)
    }

    /// `--checksum`, for a single source that is fetched.
    fn checksum(&self, expand: &dyn Fn(&Word) -> Result<String, Error>) -> Result<Option<String>, Error> {
        let Some(word) = self.parts.add.and_then(|add| add.checksum.as_ref()) else { return Ok(None) };
        let text = expand(word)?;
        if text.is_empty() {
            return Ok(None);
        }
        let paths: Vec<&Word> = self.parts.sources.iter().filter_map(path).collect();
        let [only] = paths.as_slice() else {
            return Err(Error::definition(&word.span, "checksum can't be specified for multiple sources"));
        };
        match Remote::of(&expand(only)?) {
            Ok(None) => Err(Error::definition(&word.span, "checksum requires HTTP(S) or Git sources")),
            _ => Ok(Some(text)),
        }
    }

    fn source(
        &mut self,
        text: &str,
        word: &Word,
        (checksum, exclude): (Option<&str>, &[String]),
    ) -> Result<(), Error> {
        let remote = Remote::of(text).map_err(|message| Error::definition(&word.span, message))?;
        let Some(remote) = remote else { return self.local(text, word, exclude) };
        let Some(add) = self.parts.add else {
            let message = format!("source can't be a {} for COPY", remote.name());
            return Err(Error::definition(&word.span, message).hint("ADD takes remote sources"));
        };
        let place = add.checksum.as_ref().map_or(&word.span, |word| &word.span);
        let mut read = match remote {
            Remote::Git(git) => {
                let origin = git_origin(git, add, checksum).map_err(|m| Error::definition(place, m))?;
                Read::of(self.fetch(text, Origin::Git(origin), &word.span), "/")
            }
            Remote::Url(url) => {
                let checksum = checksum.map(str::parse::<BlobDigest>).transpose();
                let checksum = checksum.map_err(|e| {
                    Error::definition(place, format!("invalid checksum: {e}"))
                        .hint("it is sha256: and 64 hexadecimal digits")
                })?;
                let name = format!("/{}", url.name);
                let from = self.fetch(text, Origin::Url(UrlOrigin { checksum, ..url }), &word.span);
                Read { unpack: add.unpack.unwrap_or(false), ..Read::of(from, name) }
            }
        };
        read.exclude = exclude.to_vec();
        self.reads.push(read);
        Ok(())
    }

    /// The tree that comes from `origin`: one that is known already, or a new one.
    fn fetch(&mut self, title: &str, origin: Origin, span: &Span) -> From {
        let before = self.scene.contexts;
        let same = |known: &ContextRequest| known.origin == origin;
        let known = before.iter().chain(&self.fetched).position(same);
        let nth = known.unwrap_or_else(|| {
            self.fetched.push(ContextRequest { title: title.to_owned(), origin, span: span.clone() });
            before.len() + self.fetched.len() - 1
        });
        From::Context(ContextIndex(nth + 1))
    }

    fn local(&mut self, text: &str, word: &Word, exclude: &[String]) -> Result<(), Error> {
        let from = self.scene.sources.get(&0).copied().unwrap_or(From::Context(ContextIndex::BUILD));
        let unpack = self.parts.add.is_some_and(|add| add.unpack.unwrap_or(true));
        let (path, include) = match self.parts.parents {
            false => (paths::source(text), None),
            true => {
                let (above, pattern) = pivot(text).map_err(|m| Error::definition(&word.span, m))?;
                let pattern = paths::source(pattern).trim_start_matches('/').to_owned();
                let wrong = |e: crate::dockerfile::Error| Error::from(e.at(&word.span));
                ignore::Matcher::new([&pattern]).map_err(wrong)?;
                // The whole tree is all of it.
                (paths::source(above), Some(pattern).filter(|pattern| !pattern.is_empty()))
            }
        };
        if !glob::is_valid(&path) {
            return Err(Error::definition(
                &word.span,
                format!("invalid pattern {text}: syntax error in pattern"),
            ));
        }
        let read =
            Read { wildcards: true, include, exclude: exclude.to_vec(), unpack, ..Read::of(from, path) };
        match self.reads.last_mut() {
            Some(last) if is_alike(last, &read) => last.paths.extend(read.paths),
            _ => self.reads.push(read),
        }
        Ok(())
    }
}

/// Splits a source of `--parents` into the folder that is left out and the rest, which keeps its parents.
fn pivot(text: &str) -> Result<(&str, &str), String> {
    match text.split_once("/./") {
        Some((above, rest)) if rest.split('/').all(|part| matches!(part, "" | "." | "..")) => {
            Err(format!("nothing is left of {text} behind /./, so nothing of {above} would be copied"))
        }
        Some(parts) => Ok(parts),
        None => Ok(("/", text)),
    }
}

/// Whether two reads can be one.
fn is_alike(one: &Read, other: &Read) -> bool {
    let plain = one.include.is_none() && other.include.is_none();
    plain
        && one.from == other.from
        && one.wildcards == other.wildcards
        && one.exclude == other.exclude
        && one.unpack == other.unpack
}

fn path(source: &Source) -> Option<&Word> {
    match source {
        Source::Path(word) => Some(word),
        Source::Inline(_) => None,
    }
}

/// What the flags of an ADD say of a Git source, with what the source says itself.
fn git_origin(git: GitRef, add: &command::Add, checksum: Option<&str>) -> Result<GitOrigin, String> {
    let GitRef { mut origin, keep_git_dir } = git;
    if let (Some(flag), Some(query)) = (add.keep_git_dir, keep_git_dir)
        && flag != query
    {
        return Err("inconsistent keep-git-dir configuration".into());
    }
    origin.keep_git_dir = keep_git_dir.or(add.keep_git_dir).unwrap_or(false);
    match (checksum, &origin.checksum) {
        (Some(flag), Some(query)) if flag != query => {
            return Err(format!("checksum mismatch {flag:?} != {query:?}"));
        }
        (Some(flag), _) => origin.checksum = Some(flag.to_owned()),
        _ => {}
    }
    if let Some(text) = &origin.checksum
        && !(text.len() <= 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        return Err(format!("invalid checksum {text} for Git URL, expected hex commit hash"));
    }
    Ok(origin)
}
