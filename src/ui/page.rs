//! The page of a failure: `error:` what was being done, the place, `because:` why, `hint:` what can be done.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use crate::base::{Failure, Label};
use crate::report::Warning;
use crate::ui::board::warning_line;
use crate::ui::clean::clean;
use crate::ui::frame::{Title, frame};
use crate::ui::palette::{Palette, paint};
use crate::ui::{LogFormat, Terminal};

/// The page as text for `terminal`.
pub fn page(failure: &Failure, terminal: &Terminal) -> String {
    let palette = Palette::new(terminal.colour);
    let message = clean(failure.message().as_bytes());
    let mut out = match failure.label() {
        Some(label) => frame(Title::Error(&message), label, terminal.colour, terminal.width),
        None => format!("{} {}\n", paint(palette.error, "error:"), paint(palette.heading, message)),
    };
    for cause in failure.causes() {
        push(&mut out, &paint(palette.heading, "because:"), "because:".len(), cause);
    }
    for hint in failure.hints() {
        push(&mut out, &paint(palette.hint, "hint:"), "hint:".len(), hint);
    }
    for child in failure.children() {
        out.push('\n');
        out.push_str(&page(child, terminal));
    }
    out
}

/// A warning as text: with the lines it is about, where it has any.
pub fn warning_page(warning: &Warning, colour: bool, width: usize) -> String {
    let Some(place) = &warning.place else {
        let word = paint(Palette::new(colour).warning, "warning:");
        return format!("{word} {}\n", warning_line(warning));
    };
    let message = clean(warning.message.as_bytes());
    let title =
        Title::Warning { message: &message, rule: warning.rule.as_deref(), page: warning.url.as_deref() };
    let label = Label { span: place.clone(), text: String::new() };
    frame(title, &label, colour, width)
}

/// Adds `word text`, further lines of the text below its first.
fn push(out: &mut String, word: &str, columns: usize, text: &str) {
    for (place, line) in text.lines().enumerate() {
        let line = clean(line.as_bytes());
        match place {
            0 => out.push_str(&format!("{word} {line}\n")),
            _ => out.push_str(&format!("{:columns$} {line}\n", "")),
        }
    }
}

/// The page as one JSON object: `level`, `kind`, `message`, `exit_code`, and where they exist `file`, `line`, `column`,
/// `label`, `causes`, `hints`, `children`.
pub fn page_json(failure: &Failure) -> Value {
    let mut object = Map::new();
    object.insert("level".into(), "error".into());
    object.insert("kind".into(), failure.kind().name().into());
    object.insert("message".into(), failure.message().into());
    object.insert("exit_code".into(), failure.exit_code().into());
    if let Some(label) = failure.label() {
        let span = &label.span;
        object.insert("file".into(), span.file().name().into());
        object.insert("line".into(), span.first_line().into());
        object.insert("column".into(), span.file().column_of(span.range().start).into());
        object.insert("end_line".into(), span.last_line().into());
        if !label.text.is_empty() {
            object.insert("label".into(), label.text.clone().into());
        }
    }
    for (name, list) in [("causes", failure.causes()), ("hints", failure.hints())] {
        if !list.is_empty() {
            object.insert(name.into(), json!(list));
        }
    }
    if !failure.children().is_empty() {
        object.insert("children".into(), failure.children().iter().map(page_json).collect());
    }
    object.into()
}

/// Writes the page to standard error in the format asked for. A closed pipe is no error.
pub fn show(failure: &Failure, format: LogFormat) {
    let text = match format {
        LogFormat::Text => page(failure, &Terminal::stderr()),
        LogFormat::Json => format!("{}\n", page_json(failure)),
    };
    // There is nowhere left to say that this did not work.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Kind, SourceFile, Span};

    fn failure() -> Failure {
        let file = SourceFile::new("Dockerfile", "FROM debian\nCOPY srv /srv\n");
        let child = Failure::new(Kind::Remote, "push to example.org").because("connection refused");
        Failure::new(Kind::Input, "copy srv into the image")
            .at_with(Span::new(&file, 17..20), "not found in the context")
            .because("no file matches `srv`\nin \x1b[31m.")
            .hint("did you mean `src`?")
            .with_child(child)
    }

    #[test]
    fn says_what_where_why_and_what_to_do() {
        insta::assert_snapshot!(page(&failure(), &Terminal::none()), @r#"
        error: copy srv into the image
         --> Dockerfile:2:6
          |
        1 | FROM debian
        2 | COPY srv /srv
          |      ^^^ not found in the context
        because: no file matches `srv`
                 in .
        hint: did you mean `src`?

        error: push to example.org
        because: connection refused
        "#);
    }

    #[test]
    fn colours_add_nothing_but_colour() {
        let coloured = page(&failure(), &Terminal { colour: true, ..Terminal::none() });
        assert!(coloured.contains("\x1b["));
        let plain = page(&failure(), &Terminal::none());
        let lines = |text: &str| text.lines().map(|line| clean(line.as_bytes())).collect::<Vec<_>>();
        assert_eq!(lines(&coloured), lines(&plain));
    }

    #[test]
    fn programs_read_the_same() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&page_json(&failure())).unwrap(), @r#"
        {
          "causes": [
            "no file matches `srv`\nin \u001b[31m."
          ],
          "children": [
            {
              "causes": [
                "connection refused"
              ],
              "exit_code": 6,
              "kind": "remote",
              "level": "error",
              "message": "push to example.org"
            }
          ],
          "column": 6,
          "end_line": 2,
          "exit_code": 4,
          "file": "Dockerfile",
          "hints": [
            "did you mean `src`?"
          ],
          "kind": "input",
          "label": "not found in the context",
          "level": "error",
          "line": 2,
          "message": "copy srv into the image"
        }
        "#);
    }
}
