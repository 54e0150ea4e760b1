//! Statements: instructions with their arguments split but not yet understood.

use std::ops::Range;
use std::sync::Arc;

use crate::base::{SourceFile, Span};
use crate::dockerfile::read::lex::{self, Cut};
use crate::dockerfile::read::lines::{self, Line, Lines};
use crate::dockerfile::read::{directives, heredocs, json};
use crate::dockerfile::{Error, Escape, Flag, Heredoc, Problem, Rule, Warning, Word};

/// An instruction with its arguments split as its grammar says; whether they make sense is not known yet. The keyword
/// need not be a known one (then there are no words).
#[derive(Clone, Debug)]
pub struct Statement {
    /// The keyword as written.
    pub keyword: Word,
    /// The flags, quotes removed.
    pub flags: Vec<Flag>,
    /// The arguments. `ENV` and `LABEL` give three words a pair: name, value and `=` (empty in the old form).
    /// `HEALTHCHECK` gives its type, then the command; `ONBUILD` the trigger's keyword, then the trigger's words.
    pub words: Vec<Word>,
    /// Whether the arguments came from a JSON array.
    pub json: bool,
    /// The heredocs.
    pub heredocs: Vec<Heredoc>,
    /// The logical line, trailing blanks included.
    pub line: String,
    /// All its lines.
    pub span: Span,
    /// First line, 1-based.
    pub first_line: usize,
    /// Last line, 1-based.
    pub last_line: usize,
    /// The comments above.
    pub comments: Vec<String>,
}

/// What reading a file gave.
pub(in crate::dockerfile) struct Read {
    pub statements: Vec<Statement>,
    pub escape: Escape,
    pub warnings: Vec<Warning>,
}

/// Splits a file into statements, without checking what they mean.
///
/// # Errors
/// [`Error::Parse`] with the lines that are wrong.
pub fn statements(file: &Arc<SourceFile>) -> Result<Vec<Statement>, Error> {
    Ok(read(file)?.statements)
}

/// Splits a file into statements.
pub(in crate::dockerfile) fn read(file: &Arc<SourceFile>) -> Result<Read, Error> {
    let mut lines = Lines::new(file);
    let mut directives = directives::Reader::default();
    let (mut statements, mut warnings) = (Vec::new(), Vec::new());
    let mut comments = Vec::new();
    while let Some(line) = lines.next()? {
        if directives.take(&lines, &line)? {
            continue;
        }
        if lines::is_comment(line.bytes) {
            match lines::comment_text(line.bytes) {
                text if text.is_empty() => comments.clear(),
                text => comments.push(text),
            }
            continue;
        }
        if lines.decode(&line)?.trim_start().is_empty() {
            continue;
        }
        let escape = directives.escape;
        let mut logical = lines.logical(&line, escape, std::mem::take(&mut comments))?;
        if let Some(number) = logical.blank_inside {
            warnings.push(Warning {
                rule: Rule::NoEmptyContinuation,
                span: Span::lines(file, number, number),
                // BuildKit names the line at which the instruction ends.
                lines: (logical.last_line, logical.last_line),
                message: format!("Empty continuation line found in: {}", logical.text.trim()),
            });
        }
        let arguments = Arguments::of(&logical, escape.char())?;
        let mut bodies = Vec::new();
        if arguments.may_have_heredocs {
            for declared in heredocs::declared(&logical)? {
                bodies.push(heredocs::body(&mut lines, &mut logical, declared)?);
            }
        }
        statements.push(arguments.statement(logical, bodies));
    }
    if statements.is_empty() {
        let last = lines.number.max(1);
        return Err(Error::parse(Span::lines(file, last, last), Problem::Empty));
    }
    Ok(Read { statements, escape: directives.escape, warnings })
}

/// The arguments of a line, before its heredocs are read.
struct Arguments {
    keyword: Cut,
    flags: Vec<Cut>,
    words: Vec<Cut>,
    json: bool,
    may_have_heredocs: bool,
}

/// What a grammar made of the rest of a line.
struct Parsed {
    words: Vec<Cut>,
    json: bool,
}

impl Parsed {
    fn plain(words: Vec<Cut>) -> Self {
        Self { words, json: false }
    }
}

impl Arguments {
    fn of(line: &Line, escape: char) -> Result<Self, Error> {
        let wrong = |problem| Error::parse(line.whole(), problem);
        let text = &line.text;
        let (keyword, flags, mut rest) = lex::split_command(text, 0..text.len(), escape);
        let mut name = keyword.text.to_lowercase();
        // The triggers' keywords of ONBUILD, however many.
        let mut prefix = Vec::new();
        while name == "onbuild" && !rest.is_empty() {
            let (trigger, _, after) = lex::split_command(text, rest, escape);
            (name, rest) = (trigger.text.to_lowercase(), after);
            prefix.push(trigger);
        }
        let parsed = grammar(&name, text, rest, escape).map_err(wrong)?;
        // The JSON form of a trigger does not reach the outer statement; nor do heredocs below two ONBUILDs.
        let may_have_heredocs =
            prefix.len() < 2 && matches!(name.as_str(), "add" | "copy" | "run") && !parsed.json;
        let json = parsed.json && prefix.is_empty();
        prefix.extend(parsed.words);
        Ok(Self { keyword, flags, words: prefix, json, may_have_heredocs })
    }

    fn statement(self, line: Line, heredocs: Vec<Heredoc>) -> Statement {
        let word = |cut: Cut| Word { span: line.span(cut.range), text: cut.text };
        let keyword = word(self.keyword);
        let end = Span::lines(&line.file, line.first_line, line.last_line).range().end;
        let start = keyword.span.range().start;
        Statement {
            span: Span::new(&line.file, start..end.max(start)),
            flags: self.flags.into_iter().map(|cut| Flag { word: word(cut) }).collect(),
            words: self.words.into_iter().map(word).collect(),
            keyword,
            json: self.json,
            heredocs,
            first_line: line.first_line,
            last_line: line.last_line,
            comments: line.comments,
            line: line.text,
        }
    }
}

/// Splits the rest of a line as the instruction's grammar says.
fn grammar(name: &str, text: &str, rest: Range<usize>, escape: char) -> Result<Parsed, Problem> {
    let whole = |rest: Range<usize>| {
        Parsed::plain(if rest.is_empty() { Vec::new() } else { vec![Cut::of(text, rest)] })
    };
    match name {
        "add" | "copy" | "volume" => json_or(text, rest, |rest| Parsed::plain(lex::list(text, rest))),
        "cmd" | "entrypoint" | "run" | "shell" => json_or(text, rest, whole),
        "arg" => Ok(Parsed::plain(lex::quoted_words(text, rest, escape))),
        "env" => pairs(text, rest, escape, "ENV"),
        "label" => pairs(text, rest, escape, "LABEL"),
        "expose" | "from" => Ok(Parsed::plain(lex::list(text, rest))),
        "healthcheck" => {
            let part = &text[rest.clone()];
            let length = part.find(char::is_whitespace).unwrap_or(part.len());
            if length == 0 {
                return Ok(Parsed::plain(Vec::new()));
            }
            let kind = Cut::of(text, rest.start..rest.start + length);
            let command = lex::trim(text, kind.range.end..rest.end);
            let mut parsed = json_or(text, command, whole)?;
            parsed.words.insert(0, kind);
            Ok(parsed)
        }
        "maintainer" | "stopsignal" | "user" | "workdir" => Ok(whole(rest)),
        _ => Ok(Parsed::plain(Vec::new())),
    }
}

fn json_or(
    text: &str,
    rest: Range<usize>,
    other: impl FnOnce(Range<usize>) -> Parsed,
) -> Result<Parsed, Problem> {
    match json::array(text, rest.clone()) {
        json::Json::Strings(words) => Ok(Parsed { words, json: true }),
        json::Json::Mixed => Err(Problem::JsonNotStrings),
        json::Json::Malformed => Ok(other(rest)),
    }
}

/// `name=value…`, or the old `name value`: the first word decides.
fn pairs(text: &str, rest: Range<usize>, escape: char, keyword: &'static str) -> Result<Parsed, Problem> {
    let words = lex::quoted_words(text, rest.clone(), escape);
    let Some(first) = words.first() else { return Ok(Parsed::plain(Vec::new())) };
    let mut out = Vec::new();
    if !first.text.contains('=') {
        let end = rest.start + lines::find_keyword_end(&text[rest.clone()]);
        if end == rest.end {
            return Err(Problem::TwoArguments(keyword));
        }
        let after = &text[end..rest.end];
        let value = end + (after.len() - after.trim_start_matches(lines::is_separator).len());
        out.extend([Cut::of(text, rest.start..end), Cut::of(text, value..rest.end), Cut::of(text, end..end)]);
        return Ok(Parsed::plain(out));
    }
    for word in words {
        let Some((name, value)) = word.text.split_once('=') else {
            return Err(Problem::NoEqualsSign(word.text));
        };
        // The text of a word is its source unless an escape at the end was dropped: the name is always a prefix.
        let equals = word.range.start + name.len();
        out.push(Cut { text: name.to_owned(), range: word.range.start..equals });
        out.push(Cut { text: value.to_owned(), range: equals + 1..word.range.end });
        out.push(Cut { text: "=".to_owned(), range: equals..equals + 1 });
    }
    Ok(Parsed::plain(out))
}
