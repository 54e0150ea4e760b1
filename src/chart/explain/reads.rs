//! What was read for a range of a rendered text.

use std::ops::Range;

use crate::template::Frame;
use crate::template::trace::{Execution, Piece, Read};

/// How deep executions are followed; a template that includes itself a thousand times says nothing new.
const DEEPEST: usize = 64;

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) writers: Vec<Frame>,
    pub(super) used: Vec<Read>,
    pub(super) deciding: Vec<Read>,
    depth: usize,
}

/// A range of a file in the text that its template wrote: Helm has taken the marks of missing values out.
pub(super) fn written(text: &[u8], range: &Range<usize>) -> Range<usize> {
    const MARK: &[u8] = b"<no value>";
    let place = |wanted: usize| {
        let (mut at, mut kept) = (0, 0);
        while at < text.len() && kept < wanted {
            if text[at..].starts_with(MARK) {
                at += MARK.len();
            } else {
                (at, kept) = (at + 1, kept + 1);
            }
        }
        at
    };
    place(range.start)..place(range.end)
}

/// The part of both ranges that is not blank.
fn common(text: &[u8], a: &Range<usize>, b: &Range<usize>) -> Option<Range<usize>> {
    let (start, end) = (a.start.max(b.start), a.end.min(b.end));
    let part = text.get(start..end)?;
    let lead = part.len() - part.trim_ascii_start().len();
    let part = part.trim_ascii();
    (!part.is_empty()).then(|| start + lead..start + lead + part.len())
}

/// A line without the blanks around it, and its range.
fn lines(text: &[u8]) -> Vec<(&[u8], Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split(|b| *b == b'\n') {
        let range = at..at + line.len();
        at = range.end + 1;
        let line = line.trim_ascii();
        if !line.is_empty() {
            found.push((line, range));
        }
    }
    found
}

impl Found {
    /// Adds what was read for a range of an execution's text.
    pub(super) fn collect(&mut self, execution: &Execution, range: &Range<usize>) {
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        let text = &execution.text;
        let wanted = common(text, range, range).unwrap_or_else(|| range.clone());
        for piece in &execution.pieces {
            let Some(part) = common(text, &piece.range, range) else { continue };
            if piece.decides {
                if piece.range.start <= wanted.start && wanted.end <= piece.range.end {
                    self.deciding.extend(piece.reads.iter().cloned());
                }
                continue;
            }
            self.writers.push(piece.frame.clone());
            self.used.extend(piece.reads.iter().cloned());
            self.inside(text, piece, &part);
        }
        self.depth -= 1;
    }

    /// Follows a piece into what it executed: to the lines that are equal to those wanted, by their number among equals,
    /// or into all of it where a function has changed them.
    fn inside(&mut self, text: &[u8], piece: &Piece, part: &Range<usize>) {
        let written = lines(&text[piece.range.clone()]);
        let mut wanted: Vec<(&[u8], usize)> = Vec::new();
        for (i, (line, range)) in written.iter().enumerate() {
            let (start, end) = (piece.range.start + range.start, piece.range.start + range.end);
            if start < part.end && end > part.start {
                wanted.push((line, written[..i].iter().filter(|(other, _)| other == line).count()));
            }
        }
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut hits: Vec<(&Execution, Range<usize>)> = Vec::new();
        for execution in &piece.inner {
            for (line, range) in lines(&execution.text) {
                let before = seen.iter().filter(|other| **other == line).count();
                if wanted.contains(&(line, before)) {
                    hits.push((execution, range));
                }
                seen.push(line);
            }
        }
        if hits.is_empty() {
            hits = piece.inner.iter().map(|execution| (execution, 0..execution.text.len())).collect();
        }
        for (execution, range) in hits {
            self.collect(execution, &range);
        }
    }
}
