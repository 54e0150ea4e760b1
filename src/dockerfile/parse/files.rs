//! `COPY` and `ADD`.

use crate::dockerfile::command::{Add, Copy, InlineFile, Source};
use crate::dockerfile::heredoc::strip_leading_tabs;
use crate::dockerfile::parse::flags::{Flags, Takes};
use crate::dockerfile::parse::instruction::wrong;
use crate::dockerfile::read::heredoc_word;
use crate::dockerfile::{Error, Problem, Statement, Word};

pub(super) fn copy(statement: &Statement) -> Result<Copy, Error> {
    require_two(statement, "COPY")?;
    let flags = Flags::parse(
        statement,
        &[
            ("chmod", Takes::Value),
            ("chown", Takes::Value),
            ("exclude", Takes::Values),
            ("from", Takes::Value),
            ("link", Takes::Bool),
            ("parents", Takes::Bool),
        ],
    )?;
    let (sources, destination) = sources(statement, "COPY")?;
    Ok(Copy {
        sources,
        destination,
        from: flags.value("from"),
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        link: flags.bool("link").unwrap_or(false),
        parents: flags.bool("parents").unwrap_or(false),
        exclude: flags.values("exclude"),
    })
}

pub(super) fn add(statement: &Statement) -> Result<Add, Error> {
    require_two(statement, "ADD")?;
    let flags = Flags::parse(
        statement,
        &[
            ("checksum", Takes::Value),
            ("chmod", Takes::Value),
            ("chown", Takes::Value),
            ("exclude", Takes::Values),
            ("keep-git-dir", Takes::Bool),
            ("link", Takes::Bool),
            ("unpack", Takes::Bool),
        ],
    )?;
    let (sources, destination) = sources(statement, "ADD")?;
    Ok(Add {
        sources,
        destination,
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        checksum: flags.value("checksum"),
        link: flags.bool("link").unwrap_or(false),
        keep_git_dir: flags.bool("keep-git-dir"),
        unpack: flags.bool("unpack"),
        exclude: flags.values("exclude"),
    })
}

fn require_two(statement: &Statement, keyword: &'static str) -> Result<(), Error> {
    match statement.words.len() {
        0 | 1 => Err(wrong(statement, Problem::NoDestination(keyword))),
        _ => Ok(()),
    }
}

fn sources(statement: &Statement, keyword: &'static str) -> Result<(Vec<Source>, Word), Error> {
    let Some((destination, words)) = statement.words.split_last() else {
        return Err(wrong(statement, Problem::NoDestination(keyword)));
    };
    // A delimiter whose quotes do not fit is no heredoc here.
    let declared = |word: &Word| heredoc_word(&word.text).ok().flatten();
    if declared(destination).is_some() {
        let problem = Problem::HeredocDestination(keyword);
        return Err(Error::within(statement, destination.span.clone(), problem));
    }
    let source = |word: &Word| {
        let Some(found) = declared(word) else { return Source::Path(word.clone()) };
        // Of two heredocs of one name the last body counts for both; in JSON form there is no body.
        let body = statement.heredocs.iter().rev().find(|heredoc| heredoc.name == found.name);
        let body = body.map_or("", |heredoc| heredoc.body.as_str());
        Source::Inline(InlineFile {
            name: Word::new(found.name, word.span.clone()),
            content: if found.strip_tabs { strip_leading_tabs(body) } else { body.to_owned() },
            expand: found.expand,
        })
    };
    Ok((words.iter().map(source).collect(), destination.clone()))
}
