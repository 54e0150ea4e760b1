//! Text of strangers on a user's terminal: escape sequences go, tabs become spaces, lines keep their width.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// `bytes` as one line that can be shown anywhere: escape sequences and control characters are gone, tabs are spaces,
/// and of text that was overwritten by carriage returns the last is left.
pub fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    let text = text.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            // A CSI in its one-character form.
            '\u{9b}' => skip_sequence(&mut rest),
            '\t' => out.push_str(&" ".repeat(8 - out.width() % 8)),
            '\n' => out.push(' '),
            c if c.is_control() || is_direction(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Marks that reorder what follows them, which would let a log line imitate another.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => skip_sequence(rest),
        // Operating system commands and other strings end with BEL or ESC \.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = rest.next() {
                if c == '\u{7}' || c == '\u{9c}' {
                    return;
                }
                if c == '\u{1b}' {
                    rest.next();
                    return;
                }
            }
        }
        // Character set choices have one more character.
        Some('(' | ')' | '*' | '+' | '#' | '%') => {
            rest.next();
        }
        _ => {}
    }
}

fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    for c in rest {
        if ('@'..='~').contains(&c) {
            return;
        }
    }
}

/// `text` cut to `columns`, the cut shown by `…`.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// `text` cut and filled to exactly `columns`.
pub(super) fn fill(text: &str, columns: usize) -> String {
    let mut out = fit(text, columns);
    out.push_str(&" ".repeat(columns.saturating_sub(out.width())));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_drive_the_terminal() {
        assert_eq!(clean(b"\x1b[31mred\x1b[0m \x1b]0;title\x07x\x1b(B\n"), "red x");
        assert_eq!(clean(b"a\x1b[2J\x1b[1;1Hb\x08c\x00d"), "abcd");
        assert_eq!(clean(b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"), "link");
        assert_eq!(clean("x\u{202e}y\u{9b}5mz".as_bytes()), "xyz");
        assert_eq!(clean(b"unfinished \x1b[12"), "unfinished ");
        assert_eq!(clean(b"bad \xff byte"), "bad \u{fffd} byte");
    }

    #[test]
    fn overwritten_text_is_gone_and_tabs_are_columns() {
        assert_eq!(clean(b"10%\r 50%\r100%\r\n"), "100%");
        assert_eq!(clean(b"a\tb"), "a       b");
        assert_eq!(clean("日本\tb".as_bytes()), "日本    b");
    }

    #[test]
    fn widths_are_columns_not_characters() {
        assert_eq!(fit("日本語の", 5), "日本…");
        assert_eq!(fit("日本", 4), "日本");
        assert_eq!(fill("né", 4), "né  ");
        assert_eq!(fill("日本語", 4), "日… ");
        assert_eq!(fit("abc", 0), "");
    }
}
