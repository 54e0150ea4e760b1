//! Cutting an instruction into keyword, flags and words. Texts keep their place as ranges of the given text.

use std::ops::Range;

use crate::dockerfile::read::lines::{find_keyword_end, is_separator};

/// A cut-out text and the range it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub text: String,
    pub range: Range<usize>,
}

impl Cut {
    /// The part of `text` at `range`.
    pub fn of(text: &str, range: Range<usize>) -> Self {
        Self { text: text[range.clone()].to_owned(), range }
    }
}

/// The range without blanks at both ends.
pub(super) fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start.max(range.start + part.trim_end().len())
}

/// Keyword, flags and the range of the rest.
pub(super) fn split_command(text: &str, range: Range<usize>, escape: char) -> (Cut, Vec<Cut>, Range<usize>) {
    let range = trim(text, range);
    let keyword = range.start..range.start + find_keyword_end(&text[range.clone()]);
    let after = &text[keyword.end..range.end];
    let start = keyword.end + (after.len() - after.trim_start_matches(is_separator).len());
    let (flags, rest) = flags(text, start..range.end, escape);
    (Cut::of(text, keyword), flags, trim(text, rest))
}

/// Where the flag lexer stands.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Blanks,
    Word,
    Quote(char),
}

/// Leading words that begin with `--`, quotes and escapes removed, and the range behind them. A bare `--` ends them.
fn flags(text: &str, range: Range<usize>, escape: char) -> (Vec<Cut>, Range<usize>) {
    let mut found = Vec::new();
    let mut phase = Phase::Blanks;
    let (mut word, mut start, mut quoted) = (String::new(), range.start, false);
    let mut chars = text[range.clone()].char_indices().map(|(i, c)| (range.start + i, c));
    while let Some((at, c)) = chars.next() {
        match phase {
            Phase::Blanks if c.is_whitespace() => {}
            Phase::Blanks => {
                if !text[at..range.end].starts_with("--") {
                    return (found, at..range.end);
                }
                (phase, start) = (Phase::Word, at);
                word.push(c);
            }
            Phase::Word if c.is_whitespace() => {
                if word == "--" {
                    return (found, at..range.end);
                }
                if quoted || !word.is_empty() {
                    found.push(Cut { text: std::mem::take(&mut word), range: start..at });
                }
                (phase, quoted) = (Phase::Blanks, false);
            }
            Phase::Word if c == '\'' || c == '"' => (phase, quoted) = (Phase::Quote(c), true),
            Phase::Quote(quote) if c == quote => phase = Phase::Word,
            Phase::Word | Phase::Quote(_) if c == escape => word.extend(chars.next().map(|(_, c)| c)),
            Phase::Word | Phase::Quote(_) => word.push(c),
        }
    }
    if phase != Phase::Blanks && word != "--" && (quoted || !word.is_empty()) {
        found.push(Cut { text: word, range: start..range.end });
    }
    (found, range.end..range.end)
}

/// Words between blanks where quotes and escapes protect blanks; both stay in the words.
pub(super) fn quoted_words(text: &str, range: Range<usize>, escape: char) -> Vec<Cut> {
    let mut found = Vec::new();
    let mut phase = Phase::Blanks;
    let (mut word, mut start, mut quoted) = (String::new(), range.start, false);
    let mut chars = text[range.clone()].char_indices().map(|(i, c)| (range.start + i, c));
    while let Some((at, c)) = chars.next() {
        if phase == Phase::Blanks {
            if c.is_whitespace() {
                continue;
            }
            (phase, start) = (Phase::Word, at);
        }
        match phase {
            Phase::Word if c.is_whitespace() => {
                if quoted || !word.is_empty() {
                    found.push(Cut { text: std::mem::take(&mut word), range: start..at });
                }
                (phase, quoted) = (Phase::Blanks, false);
                continue;
            }
            Phase::Word if c == '\'' || c == '"' => (phase, quoted) = (Phase::Quote(c), true),
            Phase::Quote(quote) if c == quote => phase = Phase::Word,
            Phase::Word | Phase::Quote('"') if c == escape => {
                // An escape at the very end is dropped.
                if let Some((_, next)) = chars.next() {
                    word.extend([c, next]);
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if phase != Phase::Blanks && (quoted || !word.is_empty()) {
        found.push(Cut { text: word, range: start..range.end });
    }
    found
}

/// Words between blanks, nothing else.
pub(super) fn list(text: &str, range: Range<usize>) -> Vec<Cut> {
    let mut found = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let rest = &text[start..range.end];
        let length = find_keyword_end(rest);
        found.push(Cut::of(text, start..start + length));
        let after = &rest[length..];
        start += length + (after.len() - after.trim_start_matches(is_separator).len());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(cuts: &[Cut]) -> Vec<&str> {
        cuts.iter().map(|cut| cut.text.as_str()).collect()
    }

    #[test]
    fn flags_end_at_the_first_other_word() {
        let line = r#" RUN --a=b "--c" --d"#;
        let (keyword, flags, rest) = split_command(line, 0..line.len(), '\\');
        assert_eq!((keyword.text.as_str(), texts(&flags)), ("RUN", vec!["--a=b"]));
        assert_eq!(&line[rest], r#""--c" --d"#);
    }

    #[test]
    fn flags_lose_quotes_and_escapes() {
        let line = r#"RUN --a="x y" --b=c\ d -- --e"#;
        let (_, flags, rest) = split_command(line, 0..line.len(), '\\');
        assert_eq!(texts(&flags), ["--a=x y", "--b=c d"]);
        assert_eq!(&line[rest], "--e");
        assert_eq!(&line[flags[0].range.clone()], r#"--a="x y""#);
    }

    #[test]
    fn quoted_words_keep_quotes() {
        let line = r#"a=b\ c "d e"f='g h' "" x\"#;
        assert_eq!(
            texts(&quoted_words(line, 0..line.len(), '\\')),
            [r"a=b\ c", r#""d e"f='g h'"#, r#""""#, "x"]
        );
    }
}
