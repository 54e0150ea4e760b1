//! COPY and ADD: sources, destination and how the history shows them.

use crate::build::Error;
use crate::build::evaluate::remote::Remote;
use crate::build::evaluate::stage::{Made, Scene, State};
use crate::build::evaluate::{modes, paths, refusal};
use crate::build::step::{Action, ContextIndex, Copy, Document, From, Read};
use crate::dockerfile::Word;
use crate::dockerfile::command::{self, Source};

/// Evaluates a COPY and remembers it.
pub fn copy(scene: &Scene<'_>, state: &mut State, copy: &command::Copy) -> Result<Made, Error> {
    let flags = [("link", copy.link), ("parents", copy.parents), ("exclude", !copy.exclude.is_empty())];
    refuse_flags(scene, &flags)?;
    let parts = Parts {
        keyword: "COPY",
        sources: &copy.sources,
        destination: &copy.destination,
        chown: copy.chown.as_ref(),
        chmod: copy.chmod.as_ref(),
        unpack: false,
    };
    evaluate(scene, state, &parts)
}

/// Evaluates an ADD of local sources and remembers it.
pub fn add(scene: &Scene<'_>, state: &mut State, add: &command::Add) -> Result<Made, Error> {
    let flags = [
        ("link", add.link),
        ("exclude", !add.exclude.is_empty()),
        ("keep-git-dir", add.keep_git_dir.is_some()),
    ];
    refuse_flags(scene, &flags)?;
    let parts = Parts {
        keyword: "ADD",
        sources: &add.sources,
        destination: &add.destination,
        chown: add.chown.as_ref(),
        chmod: add.chmod.as_ref(),
        unpack: add.unpack.unwrap_or(true),
    };
    let made = evaluate(scene, state, &parts)?;
    match &add.checksum {
        None => Ok(made),
        Some(word) if add.sources.len() == 1 => {
            Err(Error::definition(&word.span, "checksum requires HTTP(S) or Git sources"))
        }
        Some(word) => Err(Error::definition(&word.span, "checksum can't be specified for multiple sources")),
    }
}

fn refuse_flags(scene: &Scene<'_>, flags: &[(&str, bool)]) -> Result<(), Error> {
    match flags.iter().find(|(_, written)| *written) {
        Some((name, _)) => Err(refusal::flag(scene.instruction, name)),
        None => Ok(()),
    }
}

struct Parts<'a> {
    keyword: &'static str,
    sources: &'a [Source],
    destination: &'a Word,
    chown: Option<&'a Word>,
    chmod: Option<&'a Word>,
    unpack: bool,
}

fn evaluate(scene: &Scene<'_>, state: &mut State, parts: &Parts<'_>) -> Result<Made, Error> {
    let expand = |word: &Word| scene.expansion.word(word, &state.vars);
    let (mut shown_paths, mut shown_documents) = (String::new(), String::new());
    let from = scene.sources.get(&0).copied().unwrap_or(From::Context(ContextIndex::BUILD));
    let mut read = Read { from, paths: Vec::new(), wildcards: true };
    let mut copy = Copy {
        unpack: parts.unpack,
        documents: Vec::new(),
        destination: String::new(),
        chown: parts.chown.map(expand).transpose()?.filter(|text| !text.is_empty()),
        chmod: parts.chmod.map(expand).transpose()?.filter(|text| !text.is_empty()),
    };
    for source in parts.sources {
        match source {
            Source::Path(word) => {
                let text = expand(word)?;
                refuse_remote(parts.keyword, &text, word)?;
                shown_paths.push_str(&format!(" {text}"));
                read.paths.push(paths::source(&text));
            }
            Source::Inline(file) => {
                let body = match file.expand {
                    true => scene.expansion.body(&file.content, &file.name, &state.vars)?,
                    false => file.content.clone(),
                };
                shown_documents.push_str(&format!(" <<{}", file.name.text));
                copy.documents.push(Document { name: file.name.text.clone(), bytes: body.into_bytes() });
            }
        }
    }
    let destination = expand(parts.destination)?;
    copy.destination = paths::destination(&state.image.config.working_dir, &destination);
    if let (Some(mode), Some(word)) = (&copy.chmod, parts.chmod) {
        modes::check(mode).map_err(|message| Error::definition(&word.span, message))?;
    }
    let mut shown = parts.keyword.to_owned();
    for (flag, value) in [("chown", &copy.chown), ("chmod", &copy.chmod)] {
        if let Some(value) = value {
            shown.push_str(&format!(" --{flag}={value}"));
        }
    }
    state.remember(format!("{shown}{shown_paths}{shown_documents} {destination} # buildkit"), true);
    let reads = if read.paths.is_empty() { Vec::new() } else { vec![read] };
    Ok(Made { reads, action: Action::Copy(copy) })
}

fn refuse_remote(keyword: &str, text: &str, word: &Word) -> Result<(), Error> {
    let Some(remote) = Remote::of(text).map(Remote::name) else { return Ok(()) };
    if keyword == "COPY" {
        return Err(Error::definition(&word.span, format!("source can't be a {remote} for COPY"))
            .hint("ADD takes remote sources"));
    }
    Err(refusal::feature(word, &format!("ADD of a {remote}"))
        .hint("fetch it in a RUN step, or into the build context before the build"))
}
