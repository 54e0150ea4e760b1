//! Finding heredocs in a line and reading their bodies.

use crate::base::Span;
use crate::dockerfile::read::lines::{Line, Lines};
use crate::dockerfile::{Error, Expander, Heredoc, Problem};

/// What a word like `3<<-"EOF"` declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dockerfile) struct Declared {
    pub name: String,
    pub descriptor: u64,
    pub expand: bool,
    pub strip_tabs: bool,
}

/// Reads a word as a heredoc: `^(\d*)<<(-?)\s*([^<]*)$`; `None` if it is none. Errors are those of quotes in the
/// delimiter.
pub(in crate::dockerfile) fn heredoc_word(word: &str) -> Result<Option<Declared>, Problem> {
    let (digits, rest) =
        word.split_at(word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    let Some(rest) = rest.strip_prefix("<<") else { return Ok(None) };
    let (strip_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    let rest = rest.trim_start_matches(['\t', '\n', '\u{c}', '\r', ' ']);
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let unset = |_: &str| None;
    let plain = Expander::heredoc_name();
    let [name] = plain.run(rest, &unset)?.words.try_into().unwrap_or_default();
    let name: String = name;
    if name.is_empty() {
        return Ok(None);
    }
    let quoted = plain.keep_quotes().run(rest, &unset)?.words;
    let quotes = |text: &str| text.matches(['\'', '"']).count();
    let expand = quoted.first().is_some_and(|raw| quotes(raw) == quotes(&name));
    let descriptor = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Ok(Some(Declared { name, descriptor, expand, strip_tabs }))
}

/// All heredocs that a logical line declares, in order. The escape character is always `\` here, as in BuildKit.
pub(super) fn declared(line: &Line) -> Result<Vec<Declared>, Error> {
    if !line.text.contains("<<") {
        return Ok(Vec::new());
    }
    let words = match Expander::heredoc_line().run(&line.text, &|_| None) {
        Ok(expansion) => expansion.words,
        // A line whose quotes do not fit has no heredocs.
        Err(_) => return Ok(Vec::new()),
    };
    let found = words.iter().filter_map(|word| heredoc_word(word).transpose());
    found.collect::<Result<_, _>>().map_err(|problem| Error::parse(line.whole(), problem))
}

/// Reads the body up to its terminator.
pub(super) fn body(lines: &mut Lines<'_>, line: &mut Line, declared: Declared) -> Result<Heredoc, Error> {
    let (mut text, mut range) = (String::new(), None::<std::ops::Range<usize>>);
    while let Some(next) = lines.next()? {
        line.last_line = lines.number;
        let mut candidate = next.bytes;
        while declared.strip_tabs
            && let [b'\t', rest @ ..] = candidate
        {
            candidate = rest;
        }
        let end = next.offset + next.raw.len();
        if candidate == declared.name.as_bytes() {
            let range = range.unwrap_or(next.offset..next.offset);
            return Ok(Heredoc {
                name: declared.name,
                descriptor: declared.descriptor,
                expand: declared.expand,
                strip_tabs: declared.strip_tabs,
                body: text,
                span: Span::new(&line.file, range),
            });
        }
        let raw = std::str::from_utf8(next.raw).map_err(|_| lines.error(Problem::NotUtf8))?;
        text.push_str(raw);
        range.get_or_insert(next.offset..end).end = end;
    }
    Err(Error::parse(line.whole(), Problem::UnterminatedHeredoc))
}
