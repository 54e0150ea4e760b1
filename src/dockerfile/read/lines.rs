//! Logical lines: byte-order mark, line endings, comments, continuations, and where every byte came from.

use std::ops::Range;
use std::sync::Arc;

use crate::base::{SourceFile, Span};
use crate::dockerfile::{Error, Escape, Problem};

/// Longest physical line in bytes without its `\n` (BuildKit: the limit of Go's line scanner).
const LONGEST_LINE: usize = 65_535;

/// A logical line: text with the places its pieces came from.
#[derive(Clone, Debug)]
pub(in crate::dockerfile) struct Line {
    pub file: Arc<SourceFile>,
    pub text: String,
    /// Start in `text` and start in the file of every piece, in order; never empty.
    pieces: Vec<(usize, usize)>,
    pub first_line: usize,
    pub last_line: usize,
    pub comments: Vec<String>,
    /// A blank line inside the continuation: its line number.
    pub blank_inside: Option<usize>,
}

impl Line {
    /// The source bytes of a range of the text.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.source(range.start);
        let end = if range.is_empty() { start } else { self.source(range.end - 1) + 1 };
        Span::new(&self.file, start..end)
    }

    fn source(&self, offset: usize) -> usize {
        let at = self.pieces.partition_point(|(start, _)| *start <= offset).saturating_sub(1);
        self.pieces.get(at).map_or(0, |(start, source)| source + (offset - start))
    }

    /// The span of all its lines.
    pub fn whole(&self) -> Span {
        Span::lines(&self.file, self.first_line, self.last_line)
    }

    fn push(&mut self, text: &str, source: usize) {
        self.pieces.push((self.text.len(), source));
        self.text.push_str(text);
    }
}

/// Hands out physical lines.
pub(super) struct Lines<'a> {
    file: &'a Arc<SourceFile>,
    offset: usize,
    /// Number of the line that was handed out last, from 1.
    pub number: usize,
}

/// A physical line.
#[derive(Clone, Copy)]
pub(super) struct Physical<'a> {
    /// Without line ending.
    pub bytes: &'a [u8],
    /// With line ending.
    pub raw: &'a [u8],
    /// Where it begins in the file.
    pub offset: usize,
}

impl<'a> Lines<'a> {
    /// Begins at the first line of `file`.
    pub fn new(file: &'a Arc<SourceFile>) -> Self {
        Self { file, offset: 0, number: 0 }
    }

    /// The next physical line, without byte-order mark; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Physical<'a>>, Error> {
        let rest = &self.file.bytes()[self.offset..];
        if rest.is_empty() {
            return Ok(None);
        }
        let newline = rest.iter().position(|b| *b == b'\n');
        let length = newline.map_or(rest.len(), |at| at + 1);
        self.number += 1;
        if newline.unwrap_or(rest.len()) > LONGEST_LINE {
            return Err(self.error(Problem::LineTooLong));
        }
        let (mut raw, mut offset) = (&rest[..length], self.offset);
        self.offset += length;
        if self.number == 1
            && let Some(without) = raw.strip_prefix(b"\xEF\xBB\xBF")
        {
            (raw, offset) = (without, offset + 3);
        }
        let mut bytes = raw;
        while let [head @ .., b'\n' | b'\r'] = bytes {
            bytes = head;
        }
        Ok(Some(Physical { bytes, raw, offset }))
    }

    /// An error at the line that was handed out last.
    pub fn error(&self, problem: Problem) -> Error {
        Error::parse(Span::lines(self.file, self.number, self.number), problem)
    }

    fn text(&self, bytes: &'a [u8]) -> Result<&'a str, Error> {
        std::str::from_utf8(bytes).map_err(|_| self.error(Problem::NotUtf8))
    }

    /// Reads a line as UTF-8.
    pub fn decode(&self, line: &Physical<'a>) -> Result<&'a str, Error> {
        self.text(line.bytes)
    }

    /// Starts a logical line with `first` and reads on to its end.
    pub fn logical(
        &mut self,
        first: &Physical<'a>,
        escape: Escape,
        comments: Vec<String>,
    ) -> Result<Line, Error> {
        let text = self.text(first.bytes)?;
        let trimmed = text.trim_start();
        let mut line = Line {
            file: Arc::clone(self.file),
            text: String::new(),
            pieces: Vec::new(),
            first_line: self.number,
            last_line: self.number,
            comments,
            blank_inside: None,
        };
        let (part, mut ended) = cut_continuation(trimmed, escape);
        line.push(part, first.offset + (text.len() - trimmed.len()));
        while !ended && let Some(next) = self.next()? {
            line.last_line = self.number;
            if is_comment(next.bytes) {
                continue;
            }
            let text = self.text(next.bytes)?;
            if text.trim_start().is_empty() {
                line.blank_inside.get_or_insert(self.number);
                continue;
            }
            let part;
            (part, ended) = cut_continuation(text, escape);
            line.push(part, next.offset);
        }
        Ok(line)
    }
}

/// Cuts the escape character (and the blanks behind it) that continues a line; says whether the line ends here.
fn cut_continuation(line: &str, escape: Escape) -> (&str, bool) {
    let trimmed = line.trim_end_matches([' ', '\t']);
    match trimmed.strip_suffix(escape.char()) {
        Some(rest) if !rest.ends_with(escape.char()) => (rest, false),
        _ => (line, true),
    }
}

/// Where the first word ends.
pub(super) fn find_keyword_end(text: &str) -> usize {
    text.find(is_separator).unwrap_or(text.len())
}

/// Blanks that separate a keyword from its arguments and words of a list.
pub(super) fn is_separator(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// Whether the first character that is no blank is `#`.
pub(super) fn is_comment(line: &[u8]) -> bool {
    // Blanks outside ASCII count too; a broken byte is no blank.
    let readable = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or(""),
    };
    readable.trim_start().starts_with('#')
}

/// The text of a comment line: BuildKit cuts one byte, then blanks, so that ` # x` gives `# x`.
pub(super) fn comment_text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.get(1..).unwrap_or_default()).trim().to_owned()
}
