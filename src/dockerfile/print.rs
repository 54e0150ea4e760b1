//! The normal form: keywords in upper case, one logical line an instruction, flags in one spelling, stages apart.
//!
//! Law: parsing what was printed gives an equal tree. Lines with `<<` are printed as they stand: which words are heredocs
//! depends on every quote of the line.

use crate::dockerfile::command::{CommandLine, Healthcheck, Pair, Source};
use crate::dockerfile::{Check, Command, Directives, Dockerfile, Escape, Instruction, RuleSet, Word};

/// Longest line to print, without line break.
const LONGEST: usize = 65_535;

/// Prints a Dockerfile in its normal form.
pub fn print(file: &Dockerfile) -> String {
    let mut out = String::new();
    directives(&file.directives, &mut out);
    let escape = file.directives.escape.char();
    for instruction in file.instructions() {
        // A blank line parts stages, and keeps comments from being read as directives.
        if matches!(instruction.command, Command::From(_)) || out.is_empty() || is_directive_end(&out) {
            out.push('\n');
        }
        for comment in instruction.comments.iter().filter(|comment| comment.len() < LONGEST - 2) {
            out.push_str("# ");
            out.push_str(comment);
            out.push('\n');
        }
        wrap(line(instruction, escape), escape, &mut out);
        for heredoc in &instruction.heredocs {
            out.push_str(&heredoc.body);
            out.push_str(&heredoc.name);
            out.push('\n');
        }
    }
    match out.strip_prefix('\n') {
        Some(rest) if !rest.starts_with('#') => rest.to_owned(),
        _ => out,
    }
}

/// Whether only directives were printed so far.
fn is_directive_end(out: &str) -> bool {
    out.lines().last().is_some_and(|line| line.starts_with("# "))
        && out.lines().all(|line| line.starts_with("# "))
}

fn directives(directives: &Directives, out: &mut String) {
    if let Some(syntax) = &directives.syntax {
        // Only a word behind it keeps blanks at its end from being trimmed; everything behind a space is a comment.
        let trimmed = syntax.text.trim();
        let end = if trimmed.is_empty() || syntax.text.ends_with(trimmed) { "" } else { " ." };
        let text = if syntax.text.is_empty() { " " } else { &syntax.text };
        out.push_str(&format!("# syntax={text}{end}\n"));
    }
    if directives.escape == Escape::Backtick {
        out.push_str("# escape=`\n");
    }
    if let Some(check) = &directives.check {
        out.push_str(&format!("# check={}\n", check_value(check)));
    }
}

/// Three parts at most; only the last can hold a `;` of its own.
fn check_value(check: &Check) -> String {
    let set = |name: &str, set: &RuleSet| match set {
        RuleSet::All => Some(format!("{name}=all")),
        RuleSet::Names(names) if names.is_empty() => None,
        RuleSet::Names(names) => Some(format!("{name}={}", names.join(","))),
    };
    let error = format!("error={}", check.error);
    let mut parts: Vec<String> = [set("skip", &check.skip), set("experimental", &check.experimental)]
        .into_iter()
        .map(|part| part.unwrap_or_else(|| error.clone()))
        .collect();
    parts.sort_by_key(|part| part.contains(';'));
    format!("{error};{}", parts.join(";"))
}

/// Writes a logical line, broken where a physical line would be too long.
fn wrap(mut line: String, escape: char, out: &mut String) {
    if continues(&line, escape) {
        // A blank that is trimmed, but is none of those that may follow a continuation.
        line.push('\u{b}');
    }
    let mut rest = line.as_str();
    while rest.len() > LONGEST {
        let fits = |at: &usize| {
            rest.is_char_boundary(*at)
                && !rest[..*at].ends_with(escape)
                && !rest[*at..].starts_with(|c: char| c == '#' || c.is_whitespace())
        };
        let Some(at) = (1..LONGEST).rev().find(fits) else { break };
        out.push_str(&rest[..at]);
        out.push(escape);
        out.push('\n');
        rest = &rest[at..];
    }
    out.push_str(rest);
    out.push('\n');
}

/// Whether a line would be continued.
fn continues(line: &str, escape: char) -> bool {
    line.trim_end_matches([' ', '\t']).strip_suffix(escape).is_some_and(|rest| !rest.ends_with(escape))
}

/// The logical line of an instruction.
fn line(instruction: &Instruction, escape: char) -> String {
    if let Command::Onbuild(onbuild) = &instruction.command {
        let bodies: usize = instruction.heredocs.iter().map(|h| h.body.len() + h.name.len() + 1).sum();
        let text = onbuild.text.get(..onbuild.text.len().saturating_sub(bodies)).unwrap_or(&onbuild.text);
        // A line that began with an odd blank kept its keyword in the text: only behind a continuation can it do so.
        let odd =
            text.trim_start().get(.."ONBUILD".len()).is_some_and(|word| word.eq_ignore_ascii_case("ONBUILD"));
        return if odd { format!("{escape}\n{text}") } else { format!("ONBUILD {text}") };
    }
    if instruction.text.contains("<<") {
        return instruction.text.clone();
    }
    let Some(arguments) = arguments(&instruction.command) else { return instruction.text.clone() };
    let mut line = instruction.command.name().to_owned();
    for flag in &instruction.flags {
        line.push(' ');
        line.push_str(&flag_text(&flag.word.text, escape));
    }
    if arguments.starts_with("--") {
        line.push_str(" --");
    }
    if !arguments.is_empty() {
        line.push(' ');
        line.push_str(&arguments);
    }
    line
}

/// A flag with quotes where it needs them.
fn flag_text(text: &str, escape: char) -> String {
    let special = |c: char| c.is_whitespace() || c == '\'' || c == '"' || c == escape;
    let Some(rest) = text.strip_prefix("--").filter(|rest| rest.contains(special)) else {
        return text.to_owned();
    };
    let mut out = "--\"".to_owned();
    for c in rest.chars() {
        if c == '"' || c == escape {
            out.push(escape);
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// The arguments in normal form; `None` if only the text as written says the same.
fn arguments(command: &Command) -> Option<String> {
    Some(match command {
        Command::From(from) => match &from.name {
            Some(name) => format!("{} AS {name}", from.image),
            None => from.image.text.clone(),
        },
        Command::Arg(arg) => {
            let items = arg.items.iter().map(|item| match &item.default {
                Some(default) => format!("{}={default}", item.name),
                None => item.name.text.clone(),
            });
            items.collect::<Vec<_>>().join(" ")
        }
        Command::Run(run) => command_line(&run.line),
        Command::Cmd(line) | Command::Entrypoint(line) => command_line(line),
        Command::Copy(copy) => sources(&copy.sources, &copy.destination)?,
        Command::Add(add) => sources(&add.sources, &add.destination)?,
        Command::Env(env) => pairs(&env.pairs),
        Command::Label(label) => pairs(&label.pairs),
        Command::Expose(expose) => {
            let plain = expose.ports.iter().all(|port| !port.text.contains(char::is_whitespace));
            plain.then(|| join(expose.ports.iter()))?
        }
        Command::Healthcheck(Healthcheck::None) => "NONE".to_owned(),
        Command::Healthcheck(Healthcheck::Command(check)) => format!("CMD {}", command_line(&check.command)),
        Command::Maintainer(word)
        | Command::Stopsignal(word)
        | Command::User(word)
        | Command::Workdir(word) => word.text.clone(),
        Command::Onbuild(onbuild) => onbuild.text.clone(),
        Command::Shell(shell) => json(&shell.argv),
        Command::Volume(volume) => list_or_json(&volume.paths),
    })
}

fn join<'a>(words: impl Iterator<Item = &'a Word>) -> String {
    words.map(Word::as_str).collect::<Vec<_>>().join(" ")
}

fn command_line(line: &CommandLine) -> String {
    match line {
        CommandLine::Shell(text) => text.text.clone(),
        CommandLine::Exec(words) => json(words),
    }
}

fn sources(sources: &[Source], destination: &Word) -> Option<String> {
    let mut words = Vec::new();
    for source in sources {
        match source {
            Source::Path(path) => words.push(path.clone()),
            Source::Inline(_) => return None,
        }
    }
    words.push(destination.clone());
    Some(list_or_json(&words))
}

/// Words apart where that says the same, else JSON.
fn list_or_json(words: &[Word]) -> String {
    let plain = |word: &Word| {
        !word.text.is_empty() && !word.text.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    let brackets = words.first().is_none_or(|word| word.text.starts_with('['));
    if !brackets && words.iter().all(plain) && !words.iter().any(|word| word.text.contains("<<")) {
        return join(words.iter());
    }
    json(words)
}

fn json(words: &[Word]) -> String {
    let mut out = "[".to_owned();
    for (index, word) in words.iter().enumerate() {
        out.push_str(if index == 0 { "\"" } else { ", \"" });
        for c in word.text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                // `<<` must not be seen as a heredoc by any reader.
                '<' => out.push_str("\\u003c"),
                c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    out.push(']');
    out
}

fn pairs(pairs: &[Pair]) -> String {
    let pair = |pair: &Pair| match pair.legacy {
        // Two blanks, since the name may end with an escape that protects the first.
        true => format!("{}  {}", pair.key, pair.value),
        false => format!("{}={}", pair.key, pair.value),
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join(" ")
}
