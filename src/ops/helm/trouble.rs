//! The page of a rendering that failed: the line of the template, who included it, and the values it had read. Helm's
//! words stay the first cause.

use crate::base::{Failure, SourceFile, Span};
use crate::chart::Recorded;
use crate::chart::explain::Used;
use crate::template::Frame;

/// What is known of a failed rendering.
pub(super) struct Trouble<'t> {
    /// From the rendered file inwards.
    pub(super) frames: &'t [Frame],
    /// The rendering, recorded.
    pub(super) recorded: &'t Recorded,
    /// What the failing action had read.
    pub(super) read: &'t [Used],
}

impl Trouble<'_> {
    /// Adds to a failure what is known.
    pub(super) fn tell(&self, mut failure: Failure) -> Failure {
        // A text that `tpl` executed is in no file.
        let Some(at) = self.frames.iter().rposition(|f| self.recorded.templates.contains_key(&f.file)) else {
            return failure;
        };
        let frame = &self.frames[at];
        if let Some(text) = self.recorded.templates.get(&frame.file) {
            let file = SourceFile::new(frame.file.as_str(), text.as_bytes());
            failure = failure.at(span(&file, frame));
        }
        let mut told = (&frame.file, frame.line);
        for outer in self.frames[..at].iter().rev() {
            if (&outer.file, outer.line) != told {
                failure = failure.because(format!("{}:{} has {}", outer.file, outer.line, outer.node));
            }
            told = (&outer.file, outer.line);
        }
        if !self.read.is_empty() {
            let values: Vec<String> = self.read.iter().map(ToString::to_string).collect();
            failure = failure.because(format!("it had read\n{}", values.join("\n")));
        }
        failure
    }
}

/// The node's text, where it stands as it is printed; else the rest of the action.
fn span(file: &std::sync::Arc<SourceFile>, frame: &Frame) -> Span {
    let line = file.line_range(frame.line);
    let start = (line.start + frame.column).min(line.end);
    let text = String::from_utf8_lossy(&file.bytes()[line.clone()]).into_owned();
    let found = (!frame.node.is_empty()).then(|| text.match_indices(frame.node.as_str()));
    let column = frame.column;
    let found = found.and_then(|mut all| all.find(|(at, node)| (*at..=at + node.len()).contains(&column)));
    match found {
        Some((at, node)) => Span::new(file, line.start + at..line.start + at + node.len()),
        None if frame.column == 0 => Span::lines(file, frame.line, frame.line),
        None => {
            let rest = text.get(frame.column..).unwrap_or_default();
            let length = rest.find("}}").map_or(rest.len(), |end| rest[..end].trim_end().len());
            Span::new(file, start..start + length.max(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_marked() {
        let file = SourceFile::new("f", "a: 1\nb: {{ .Values.a.b | quote }}\n");
        let marked = |column: usize, node: &str| {
            let frame = Frame { file: "f".into(), line: 2, column, node: node.into() };
            let range = span(&file, &frame).range();
            String::from_utf8_lossy(&file.bytes()[range]).into_owned()
        };
        assert_eq!(marked(13, ".Values.a.b"), ".Values.a.b");
        assert_eq!(marked(6, "something else"), ".Values.a.b | quote");
        assert_eq!(marked(0, ""), "b: {{ .Values.a.b | quote }}");
    }
}
