//! Words in mixed case (`xstrings`): snake, kebab and Pascal case.

use super::strings::{lower, upper};

/// What a word is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    End,
    Connector,
    Punctuation,
    Upper,
    Letters,
    Number,
    Other,
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

/// Go's unicode.IsPunct, for ASCII exactly.
fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c);
    }
    matches!(c, '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{b6}' | '\u{b7}' | '\u{bb}' | '\u{bf}' | '\u{2010}'..='\u{2027}'
        | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
}

/// xstrings counts only letters that have a case, or none of the scripts without spaces; close enough: all letters.
fn is_letter(c: char) -> bool {
    c.is_alphabetic()
}

/// The first word of the text: what it is, how many characters it has.
fn next_word(text: &[char]) -> (Kind, usize) {
    let Some(first) = text.first().copied() else { return (Kind::End, 0) };
    let run = |from: usize, holds: &dyn Fn(char) -> bool| {
        from + text[from.min(text.len())..].iter().take_while(|c| holds(**c)).count()
    };
    let small = |c: char| is_letter(c) && !c.is_uppercase();
    if is_connector(first) {
        return (Kind::Connector, run(1, &is_connector));
    }
    if is_punctuation(first) {
        return (Kind::Punctuation, run(1, &is_punctuation));
    }
    if first.is_uppercase() {
        return match text.get(1) {
            Some(c) if c.is_uppercase() => {
                let end = run(2, &char::is_uppercase);
                // Of `HTTPStatus` the S belongs to the next word.
                let shared = text.get(end).is_some_and(|c| is_letter(*c));
                (Kind::Upper, if shared { end - 1 } else { end })
            }
            Some(c) if is_letter(*c) => (Kind::Upper, run(2, &small)),
            _ => (Kind::Upper, 1),
        };
    }
    if is_letter(first) {
        return (Kind::Letters, run(1, &small));
    }
    if first.is_numeric() {
        return (Kind::Number, run(1, &char::is_numeric));
    }
    let other = |c: char| !(is_connector(c) || is_letter(c) || c.is_numeric() || is_punctuation(c));
    (Kind::Other, run(1, &other))
}

struct Words<'t> {
    rest: &'t [char],
    kind: Kind,
    word: &'t [char],
    mark: char,
    out: String,
}

impl<'t> Words<'t> {
    fn advance(&mut self) {
        let (kind, n) = next_word(self.rest);
        (self.word, self.rest) = self.rest.split_at(n);
        self.kind = kind;
    }

    fn put(&mut self, kind: Kind, word: &'t [char]) {
        for c in word {
            let changes = matches!(kind, Kind::Upper | Kind::Connector);
            self.out.push(match *c {
                c if changes && is_connector(c) => self.mark,
                c if changes => lower(c),
                c => c,
            });
        }
    }

    /// Writes words while they are letters or digits.
    fn put_small(&mut self) {
        while matches!(self.kind, Kind::Letters | Kind::Number) {
            self.put(self.kind, self.word);
            self.advance();
        }
    }

    fn mark_unless(&mut self, kinds: &[Kind]) {
        if !kinds.contains(&self.kind) {
            self.out.push(self.mark);
        }
    }

    /// One step: the word before the present one is written, and what stands between.
    fn step(&mut self) {
        use Kind::{Connector, End, Letters, Number, Punctuation};
        let (previous, last) = (self.kind, self.word);
        if previous != Connector {
            self.put(previous, last);
        }
        self.advance();
        match previous {
            Number => {
                self.put_small();
                self.mark_unless(&[End, Punctuation, Connector]);
            }
            Connector => self.put(previous, last),
            Punctuation => {}
            _ if self.kind != Number => self.mark_unless(&[Connector, Punctuation]),
            _ if self.rest.is_empty() => {}
            _ => {
                let digits = self.word;
                self.advance();
                if self.kind == Letters {
                    // Letters after digits begin a word with them: `HTTP2xx` is `http_2xx`.
                    self.out.push(self.mark);
                    self.put(Number, digits);
                    self.put_small();
                    self.mark_unless(&[End, Connector, Punctuation]);
                } else {
                    self.put(Number, digits);
                    self.mark_unless(&[Connector, Punctuation]);
                }
            }
        }
    }
}

/// Snake or kebab case.
pub(super) fn delimited(from: &str, mark: char) -> String {
    let chars: Vec<char> = from.chars().collect();
    let mut words =
        Words { rest: &chars, kind: Kind::End, word: &[], mark, out: String::with_capacity(from.len() + 8) };
    words.advance();
    while !words.rest.is_empty() {
        words.step();
    }
    words.put(words.kind, words.word);
    words.out
}

/// PascalCase.
pub(super) fn pascal(from: &str) -> String {
    let chars: Vec<char> = from.chars().collect();
    let start = chars.iter().position(|c| !is_connector(*c)).unwrap_or(chars.len());
    let mut out: String = chars[..start].iter().collect();
    let Some((first, rest)) = chars[start..].split_first() else {
        // The library writes the last connector once more.
        out.extend(chars.last());
        return out;
    };
    let mut was_upper = first.is_uppercase();
    let mut here = upper(*first);
    for c in rest {
        let before = std::mem::replace(&mut here, *c);
        if is_connector(before) {
            if is_connector(*c) {
                out.push(before);
                continue;
            }
            was_upper = c.is_uppercase();
            here = upper(*c);
            continue;
        }
        if was_upper {
            if c.is_uppercase() {
                here = lower(*c);
            } else {
                was_upper = false;
            }
        }
        out.push(before);
    }
    out.push(here);
    out
}
