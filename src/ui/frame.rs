//! The part of a source file an error points at, in the form rustc gives it.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::base::{Label, Span};
use crate::ui::clean::clean;

/// Lines shown before and after the place.
const AROUND: usize = 2;
/// Lines of a long place that are shown from its beginning.
const LONGEST: usize = 12;
/// Bytes of a line that are shown; longer ones are cut around the place.
const WIDEST: usize = 400;

/// A window of a file as text, with the place's range in it.
struct Window {
    text: String,
    first_line: usize,
    range: std::ops::Range<usize>,
}

/// What stands above a frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Title<'a> {
    /// What failed.
    Error(&'a str),
    /// What a rule says, and the page that explains it.
    Warning { message: &'a str, rule: Option<&'a str>, page: Option<&'a str> },
}

/// The title, and below it the lines around `label`.
pub(super) fn frame(title: Title<'_>, label: &Label, colour: bool, width: usize) -> String {
    let window = window(&label.span);
    let words = clean(label.text.as_bytes());
    let mark = AnnotationKind::Primary.span(window.range.clone());
    let mark = if words.is_empty() { mark } else { mark.label(&words) };
    let snippet = Snippet::source(&window.text)
        .path(label.span.file().name())
        .line_start(window.first_line)
        .fold(false)
        .annotation(mark);
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let report = match title {
        Title::Error(message) => Level::ERROR.primary_title(message).element(snippet),
        Title::Warning { message, rule, page } => {
            let title = Level::WARNING.primary_title(message);
            let title = if let Some(rule) = rule { title.id(rule) } else { title };
            let group = title.element(snippet);
            if let Some(page) = page { group.element(Level::NOTE.message(page)) } else { group }
        }
    };
    let report = [report];
    let mut out = renderer.term_width(width).render(&report);
    out.push('\n');
    out
}

/// The lines around `span`. Bytes that are no text, control characters and very long lines are made harmless; the
/// range follows.
fn window(span: &Span) -> Window {
    let file = span.file();
    let range = span.range();
    let (first, last) = (span.first_line(), span.last_line().min(span.first_line() + LONGEST));
    let from = first.saturating_sub(AROUND).max(1);
    let to = (last + AROUND).min(file.line_count());
    let mut text = String::new();
    let mut shown = None::<std::ops::Range<usize>>;
    for line in from..=to {
        let bounds = file.line_range(line);
        if line == to && bounds.is_empty() && line > last {
            break;
        }
        let start = cut_start(&bounds, range.start);
        let end = bounds.end.min(start + WIDEST);
        let (mark_start, mark_end) = (range.start.clamp(start, end), range.end.clamp(start, end));
        let bytes = file.bytes();
        let at = text.len();
        text.push_str(&harmless(&bytes[start..mark_start]));
        let mark_from = text.len();
        text.push_str(&harmless(&bytes[mark_start..mark_end]));
        let mark_to = text.len();
        text.push_str(&harmless(&bytes[mark_end..end]));
        if (first..=last).contains(&line) {
            let known = shown.get_or_insert(mark_from..mark_to);
            known.end = mark_to.max(at);
        }
        text.push('\n');
    }
    Window { text, first_line: from, range: shown.unwrap_or(0..0) }
}

/// Where the shown part of a line begins, so that the place is inside it.
fn cut_start(bounds: &std::ops::Range<usize>, place: usize) -> usize {
    let inside = place.clamp(bounds.start, bounds.end);
    if bounds.len() <= WIDEST || inside - bounds.start < WIDEST / 2 {
        return bounds.start;
    }
    inside - WIDEST / 2
}

fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SourceFile;

    fn show(text: &[u8], range: std::ops::Range<usize>, words: &str) -> String {
        let file = SourceFile::new("build/Dockerfile", text);
        let label = Label { span: Span::new(&file, range), text: words.to_owned() };
        frame(Title::Error("parse the Dockerfile"), &label, false, 80)
    }

    #[test]
    fn the_place_is_marked_with_its_neighbours() {
        let text = b"FROM a\n# one\n# two\nRUN\tmak\xc3\xa9 --x\nCOPY a b\n";
        insta::assert_snapshot!(show(text, 23..28, "no such program"), @r#"
        error: parse the Dockerfile
         --> build/Dockerfile:4:5
          |
        2 | # one
        3 | # two
        4 | RUN    maké --x
          |        ^^^^ no such program
        5 | COPY a b
          |
        "#);
    }

    #[test]
    fn places_at_edges_and_strange_bytes_do_not_matter() {
        for text in [&b""[..], b"\n", b"FROM \xff\xfe\x1b[2J\r\nRUN x", b"\xe6\x97"] {
            for start in 0..=text.len() {
                for end in start..=text.len() + 1 {
                    let shown = show(text, start..end, "");
                    assert!(shown.contains("build/Dockerfile:"), "{shown}");
                    assert!(!shown.contains('\x1b'));
                }
            }
        }
    }

    #[test]
    fn long_lines_and_long_places_are_cut() {
        let mut text = b"RUN ".to_vec();
        text.extend(std::iter::repeat_n(b'x', 60_000));
        text.extend_from_slice(b" here\n");
        let shown = show(&text, 60_005..60_009, "this");
        assert!(shown.contains("here") && shown.contains("^^^^ this"), "{shown}");
        assert!(shown.lines().all(|line| line.len() < 200), "{shown}");
        let lines = "RUN a\n".repeat(500);
        assert!(show(lines.as_bytes(), 0..3000, "").lines().count() < 40);
    }
}
