//! How a string is written: plain, quoted or as a literal block (`libyaml: emitter.c`, as go-yaml carries it).

use super::Style;
use crate::yaml::resolve::{Scalar, is_base60, resolve};

/// The style of one scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presentation {
    Plain,
    Single,
    Double,
    Literal,
}

/// What the characters of a scalar allow.
#[derive(Debug, PartialEq)]
struct Allowed {
    plain: bool,
    single: bool,
    block: bool,
    multiline: bool,
}

impl Presentation {
    /// Chooses as the encoder and the emitter do together; `key` for a simple key, `tagged` for base64 data.
    pub(super) fn choose(text: &str, key: bool, style: Style, tagged: bool) -> Self {
        let allowed = analyze(text, style);
        let mut choice = if text.contains('\n') {
            Self::Literal
        } else if tagged || stays_text(text, style) {
            Self::Plain
        } else {
            Self::Double
        };
        if key && allowed.multiline {
            choice = Self::Double;
        }
        if choice == Self::Plain && (!allowed.plain || text.is_empty() && key) {
            choice = Self::Single;
        }
        if choice == Self::Single && !allowed.single {
            choice = Self::Double;
        }
        if choice == Self::Literal && (!allowed.block || key) {
            choice = Self::Double;
        }
        choice
    }
}

/// Whether the text, written plain, would be read as text again.
fn stays_text(text: &str, style: Style) -> bool {
    match resolve(text) {
        // `<<` has a tag of its own, which is not that of strings; version 3 looks it up only behind a hint.
        Scalar::Merge | Scalar::Str => !is_base60(text),
        Scalar::Int(_) | Scalar::Uint(_) | Scalar::Float(_) | Scalar::Null | Scalar::Timestamp => false,
        Scalar::Bool(_) => {
            let _ = style;
            false
        }
    }
}

/// Whether a text has nothing but the printable characters of ASCII: no breaks, no tabs. Most have.
pub(super) fn is_ordinary(text: &[u8]) -> bool {
    text.iter().fold(true, |all, b| all & (b' '..=b'~').contains(b))
}

/// What [`analyze`] finds in an ordinary text that is not empty, with fewer questions.
fn analyze_ordinary(text: &[u8]) -> Allowed {
    let follows = |at: usize| text.get(at + 1).is_none_or(|next| *next == b' ');
    let begins = match text[0] {
        b'?' | b':' | b'-' => follows(0),
        first => b"#,[]{}&*!|>'\"%@`".contains(&first),
    };
    let mark = |(at, b): (usize, &u8)| match b {
        b':' => follows(at),
        b'#' => text[at - 1] == b' ',
        _ => false,
    };
    let indicators = begins
        || text.starts_with(b"---")
        || text.starts_with(b"...")
        || text.iter().enumerate().skip(1).any(mark);
    let ends = text.ends_with(b" ");
    let plain = !(indicators || ends || text[0] == b' ');
    Allowed { plain, single: true, block: !ends, multiline: false }
}

fn analyze(text: &str, style: Style) -> Allowed {
    if text.is_empty() {
        return Allowed { plain: true, single: true, block: false, multiline: false };
    }
    if is_ordinary(text.as_bytes()) {
        return analyze_ordinary(text.as_bytes());
    }
    analyze_any(text, style)
}

fn analyze_any(text: &str, style: Style) -> Allowed {
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let (mut special, mut tabs, mut multiline) = (false, false, false);
    let (mut break_space, mut space_break) = (false, false);
    let (mut previous_space, mut previous_break, mut after_blank) = (false, false, true);
    let mut chars = text.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        let before_blank = chars.peek().is_none_or(|n| matches!(n, ' ' | '\t'));
        indicators |= if first {
            matches!(
                c,
                '#' | ','
                    | '['
                    | ']'
                    | '{'
                    | '}'
                    | '&'
                    | '*'
                    | '!'
                    | '|'
                    | '>'
                    | '\''
                    | '"'
                    | '%'
                    | '@'
                    | '`'
            ) || before_blank && matches!(c, '?' | ':' | '-')
        } else {
            c == ':' && before_blank || c == '#' && after_blank
        };
        if c == '\t' && style == Style::Pretty {
            tabs = true;
        } else if !is_printable(c) {
            special = true;
        }
        if c == ' ' {
            break_space |= previous_break;
            (previous_space, previous_break) = (true, false);
        } else if is_break(c) {
            multiline = true;
            space_break |= previous_space;
            (previous_space, previous_break) = (false, true);
        } else {
            (previous_space, previous_break) = (false, false);
        }
        after_blank = matches!(c, ' ' | '\t' | '\0') || is_break(c);
        first = false;
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
    let edges = edge(text.chars().next()) || edge(text.chars().next_back());
    let odd = break_space || space_break || special || tabs;
    Allowed {
        plain: !(indicators || multiline || edges || odd),
        single: !odd,
        block: !(space_break || special || text.ends_with(' ')),
        multiline,
    }
}

/// Whether go-yaml's emitter takes the character as it is; nothing beyond the basic plane is.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

/// Line breaks of YAML 1.1.
pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_texts_are_judged_as_any() {
        // Every text of up to four of the characters that matter, and one that does not.
        let letters = b" :#-.?',[\"%a";
        let mut texts = vec![Vec::new()];
        for _ in 0..4 {
            let longer =
                texts.iter().flat_map(|text| letters.iter().map(move |b| [&text[..], &[*b]].concat()));
            texts = longer.collect();
            for text in &texts {
                let text = std::str::from_utf8(text).unwrap();
                for style in [Style::Kubernetes, Style::Pretty] {
                    assert_eq!(analyze_ordinary(text.as_bytes()), analyze_any(text, style), "{text:?}");
                }
            }
        }
        for b in b' '..=b'~' {
            let text = char::from(b).to_string();
            assert_eq!(analyze_ordinary(&[b]), analyze_any(&text, Style::Pretty), "{text:?}");
        }
        assert!(
            is_ordinary(b"") && is_ordinary(b"a ~") && !is_ordinary(b"\t") && !is_ordinary("é".as_bytes())
        );
    }
}
