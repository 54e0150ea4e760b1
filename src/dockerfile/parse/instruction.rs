//! One statement to one instruction. Source of the rules: BuildKit `instructions/parse.go`, measured.

use crate::dockerfile::command::{Arg, ArgItem, CommandLine, Env, Expose, From, Label, Pair, Shell, Volume};
use crate::dockerfile::parse::flags::{Flags, Known, Takes};
use crate::dockerfile::parse::{files, health, onbuild, run};
use crate::dockerfile::{
    Command, Error, Instruction, KEYWORDS, Problem, Rule, Statement, Warning, Word, nearest,
};

const NO_FLAGS: &Known = &[];

/// Types a statement.
pub(super) fn parse(statement: Statement, warnings: &mut Vec<Warning>) -> Result<Instruction, Error> {
    let command = command(&statement, warnings)?;
    Ok(Instruction {
        keyword: statement.keyword,
        flags: statement.flags,
        heredocs: statement.heredocs,
        command,
        text: statement.line.trim().to_owned(),
        span: statement.span,
        first_line: statement.first_line,
        last_line: statement.last_line,
        comments: statement.comments,
    })
}

fn command(statement: &Statement, warnings: &mut Vec<Warning>) -> Result<Command, Error> {
    Ok(match statement.keyword.text.to_lowercase().as_str() {
        "from" => Command::From(from(statement)?),
        "arg" => {
            ignored_flags(statement, warnings);
            Command::Arg(arg(statement)?)
        }
        "run" => Command::Run(run::parse(statement)?),
        "copy" => Command::Copy(files::copy(statement)?),
        "add" => Command::Add(files::add(statement)?),
        "cmd" => Command::Cmd(plain_command(statement)?),
        "entrypoint" => Command::Entrypoint(plain_command(statement)?),
        "env" => Command::Env(Env { pairs: pairs(statement, "ENV")? }),
        "label" => Command::Label(Label { pairs: pairs(statement, "LABEL")? }),
        "expose" => Command::Expose(expose(statement)?),
        "healthcheck" => {
            let check = health::parse(statement)?;
            if check == crate::dockerfile::command::Healthcheck::None {
                ignored_flags(statement, warnings);
            }
            Command::Healthcheck(check)
        }
        "maintainer" => Command::Maintainer(single(statement, "MAINTAINER")?),
        "onbuild" => Command::Onbuild(onbuild::parse(statement)?),
        "shell" => Command::Shell(shell(statement)?),
        "stopsignal" => {
            ignored_flags(statement, warnings);
            Command::Stopsignal(only_word(statement, "STOPSIGNAL")?)
        }
        "user" => Command::User(single(statement, "USER")?),
        "volume" => Command::Volume(volume(statement)?),
        "workdir" => Command::Workdir(single(statement, "WORKDIR")?),
        _ => {
            let word = statement.keyword.text.clone();
            let problem = Problem::UnknownInstruction { near: nearest(&word, &KEYWORDS, false), word };
            return Err(Error::within(statement, statement.keyword.span.clone(), problem));
        }
    })
}

/// An error about the whole instruction.
pub(super) fn wrong(statement: &Statement, problem: Problem) -> Error {
    Error::within(statement, statement.span.clone(), problem)
}

fn ignored_flags(statement: &Statement, warnings: &mut Vec<Warning>) {
    if let Some(flag) = statement.flags.first() {
        let (keyword, name) = (statement.keyword.text.to_uppercase(), flag.name());
        warnings.push(Warning {
            rule: Rule::IgnoredFlag,
            span: flag.word.span.clone(),
            lines: (statement.first_line, statement.last_line),
            message: format!("{keyword} takes no flags here: --{name} has no effect"),
        });
    }
}

fn require_words(statement: &Statement, keyword: &'static str) -> Result<(), Error> {
    match statement.words.is_empty() {
        true => Err(wrong(statement, Problem::AtLeastOneArgument(keyword))),
        false => Ok(()),
    }
}

fn only_word(statement: &Statement, keyword: &'static str) -> Result<Word, Error> {
    match statement.words.as_slice() {
        [word] => Ok(word.clone()),
        _ => Err(wrong(statement, Problem::ExactlyOneArgument(keyword))),
    }
}

fn single(statement: &Statement, keyword: &'static str) -> Result<Word, Error> {
    let word = only_word(statement, keyword)?;
    Flags::parse(statement, NO_FLAGS)?;
    Ok(word)
}

fn plain_command(statement: &Statement) -> Result<CommandLine, Error> {
    Flags::parse(statement, NO_FLAGS)?;
    Ok(command_line(statement, &statement.words))
}

/// The words as a command line: exec form if they were JSON.
pub(super) fn command_line(statement: &Statement, words: &[Word]) -> CommandLine {
    if statement.json {
        return CommandLine::Exec(words.to_vec());
    }
    CommandLine::Shell(words.first().cloned().unwrap_or_else(|| Word::new("", end_of(statement))))
}

fn end_of(statement: &Statement) -> crate::base::Span {
    let end = statement.span.range().end;
    crate::base::Span::new(statement.span.file(), end..end)
}

fn from(statement: &Statement) -> Result<From, Error> {
    let (image, name) = match statement.words.as_slice() {
        [image] => (image, None),
        [image, word, name] if word.text.eq_ignore_ascii_case("as") => {
            (image, Some(stage_name(statement, name)?))
        }
        _ => return Err(wrong(statement, Problem::FromArguments)),
    };
    let flags = Flags::parse(statement, &[("platform", Takes::Value)])?;
    let description = name.as_ref().and_then(|name| description(statement, &name.text));
    Ok(From { image: image.clone(), name, platform: flags.value("platform"), description })
}

fn stage_name(statement: &Statement, word: &Word) -> Result<Word, Error> {
    let name = word.text.to_lowercase();
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(inner) {
        return Ok(Word::new(name, word.span.clone()));
    }
    Err(Error::within(statement, word.span.clone(), Problem::StageName(word.text.clone())))
}

/// The comment `# name …` without the name.
fn description(statement: &Statement, name: &str) -> Option<String> {
    let find = |line: &String| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
    if name.is_empty() { None } else { statement.comments.iter().find_map(find) }
}

fn arg(statement: &Statement) -> Result<Arg, Error> {
    require_words(statement, "ARG")?;
    let mut items = Vec::new();
    for word in &statement.words {
        let (name, default) = match word.text.split_once('=') {
            None => (word.clone(), None),
            Some(("", _)) => {
                return Err(Error::within(statement, word.span.clone(), Problem::BlankName("ARG")));
            }
            Some((name, value)) => {
                let range = word.span.range();
                let equals = range.start + name.len();
                let part = |range| crate::base::Span::new(word.span.file(), range);
                let start = (equals + 1).min(range.end);
                let name = Word::new(name, part(range.start..equals.min(range.end)));
                (name, Some(Word::new(value, part(start..range.end))))
            }
        };
        items.push(ArgItem { description: description(statement, &name.text), name, default });
    }
    Ok(Arg { items })
}

fn pairs(statement: &Statement, keyword: &'static str) -> Result<Vec<Pair>, Error> {
    Flags::parse(statement, NO_FLAGS)?;
    require_words(statement, keyword)?;
    let mut pairs = Vec::new();
    for words in statement.words.chunks_exact(3) {
        let [key, value, sign] = words else { continue };
        if key.text.is_empty() {
            return Err(Error::within(statement, value.span.clone(), Problem::BlankName(keyword)));
        }
        pairs.push(Pair { key: key.clone(), value: value.clone(), legacy: sign.text.is_empty() });
    }
    Ok(pairs)
}

fn expose(statement: &Statement) -> Result<Expose, Error> {
    require_words(statement, "EXPOSE")?;
    Flags::parse(statement, NO_FLAGS)?;
    let mut ports = statement.words.clone();
    ports.sort_by(|a, b| a.text.cmp(&b.text));
    Ok(Expose { ports })
}

fn shell(statement: &Statement) -> Result<Shell, Error> {
    Flags::parse(statement, NO_FLAGS)?;
    require_words(statement, "SHELL")?;
    match statement.json {
        true => Ok(Shell { argv: statement.words.clone() }),
        false => Err(wrong(statement, Problem::ShellNotJson)),
    }
}

fn volume(statement: &Statement) -> Result<Volume, Error> {
    require_words(statement, "VOLUME")?;
    Flags::parse(statement, NO_FLAGS)?;
    let mut paths = Vec::new();
    for word in &statement.words {
        let path = word.text.trim();
        if path.is_empty() {
            return Err(Error::within(statement, word.span.clone(), Problem::EmptyVolume));
        }
        paths.push(Word::new(path, word.span.clone()));
    }
    Ok(Volume { paths })
}
