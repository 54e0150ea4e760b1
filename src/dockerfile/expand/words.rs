//! The expansion itself: one pass over the characters.

use std::iter::Peekable;
use std::str::Chars;

use crate::dockerfile::expand::{Expander, Expansion, Lookup, pattern};
use crate::dockerfile::{LONGEST_TEXT, Problem};

/// How deep `${…${…}}` may go.
const DEEPEST: usize = 100;

/// What is written for the end of the text in messages, as Go does.
const END: char = char::REPLACEMENT_CHARACTER;

pub(super) fn expand(rules: Expander, text: &str, env: &Lookup<'_>) -> Result<Expansion, Problem> {
    // Go's scanner drops a byte-order mark.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let chars = text.chars().peekable();
    let mut run = Run { rules, chars, env, buffer: String::new(), depth: 0, out: Expansion::default() };
    let (result, words) = run.until(None, rules.raw_escapes)?;
    Ok(Expansion { text: result, words, ..run.out })
}

struct Run<'a> {
    rules: Expander,
    chars: Peekable<Chars<'a>>,
    env: &'a Lookup<'a>,
    /// The word being collected. There is one for all depths: a nested text starts it anew, so that what stood directly
    /// before `${a:-b}` is lost from the words (not from the text). BuildKit does so.
    buffer: String,
    depth: usize,
    out: Expansion,
}

/// The words found at one depth.
#[derive(Default)]
struct Words {
    found: Vec<String>,
    inside: bool,
}

impl Words {
    fn add(&mut self, buffer: &mut String, c: char) {
        if !c.is_whitespace() {
            self.add_raw(buffer, c);
        } else if self.inside && !buffer.is_empty() {
            self.found.push(std::mem::take(buffer));
            self.inside = false;
        }
    }

    fn add_raw(&mut self, buffer: &mut String, c: char) {
        buffer.push(c);
        self.inside = true;
    }

    fn finish(mut self, buffer: &mut String) -> Vec<String> {
        if !buffer.is_empty() {
            self.found.push(std::mem::take(buffer));
        }
        self.found
    }
}

impl Run<'_> {
    /// Up to `stop` (which is taken), or to the end if `stop` is `None`.
    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<(String, Vec<String>), Problem> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Problem::TooDeep);
        }
        let before = std::mem::replace(&mut self.rules.raw_escapes, raw_escapes);
        let result = self.collect(stop);
        self.rules.raw_escapes = before;
        self.depth -= 1;
        result
    }

    fn collect(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), Problem> {
        self.buffer.clear();
        let (mut text, mut words) = (String::new(), Words::default());
        while let Some(c) = self.chars.peek().copied() {
            if Some(c) == stop {
                self.chars.next();
                return Ok((text, words.finish(&mut self.buffer)));
            }
            match c {
                '$' => {
                    let value = self.dollar()?;
                    if text.len() + value.len() > LONGEST_TEXT {
                        return Err(Problem::TooLong);
                    }
                    value.chars().for_each(|c| words.add(&mut self.buffer, c));
                    text.push_str(&value);
                }
                '<' | '\'' | '"' if c == '<' || !self.rules.skip_quotes => {
                    let part = match c {
                        '<' => self.maybe_heredoc(),
                        '"' => self.double_quotes()?,
                        _ => self.single_quotes()?,
                    };
                    self.buffer.push_str(&part);
                    words.inside = true;
                    text.push_str(&part);
                }
                _ => self.plain(&mut text, &mut words),
            }
        }
        match stop {
            Some(stop) => Err(Problem::Substitution(format!(
                "unexpected end of statement while looking for matching {stop}"
            ))),
            None => Ok((text, words.finish(&mut self.buffer))),
        }
    }

    /// A character without meaning, or an escape with what it protects.
    fn plain(&mut self, text: &mut String, words: &mut Words) {
        let Some(c) = self.chars.next() else { return };
        if c != self.rules.escape {
            words.add(&mut self.buffer, c);
            text.push(c);
            return;
        }
        if self.rules.raw_escapes {
            words.add_raw(&mut self.buffer, c);
            text.push(c);
        }
        if let Some(next) = self.chars.next() {
            words.add_raw(&mut self.buffer, next);
            text.push(next);
        }
    }

    fn single_quotes(&mut self) -> Result<String, Problem> {
        let mut text = String::new();
        if let Some(quote) = self.chars.next().filter(|_| self.rules.raw_quotes) {
            text.push(quote);
        }
        loop {
            match self.chars.next() {
                None => {
                    return Err(Problem::Substitution(
                        "unexpected end of statement while looking for matching single-quote".to_owned(),
                    ));
                }
                Some('\'') => {
                    if self.rules.raw_quotes {
                        text.push('\'');
                    }
                    return Ok(text);
                }
                Some(c) => text.push(c),
            }
        }
    }

    fn double_quotes(&mut self) -> Result<String, Problem> {
        let mut text = String::new();
        if let Some(quote) = self.chars.next().filter(|_| self.rules.raw_quotes) {
            text.push(quote);
        }
        while let Some(c) = self.chars.peek().copied() {
            if c == '$' {
                let value = self.dollar()?;
                if text.len() + value.len() > LONGEST_TEXT {
                    return Err(Problem::TooLong);
                }
                text.push_str(&value);
                continue;
            }
            self.chars.next();
            if c == '"' {
                if self.rules.raw_quotes {
                    text.push(c);
                }
                return Ok(text);
            }
            if c != self.rules.escape {
                text.push(c);
                continue;
            }
            if self.rules.raw_escapes {
                text.push(c);
            }
            match self.chars.peek().copied() {
                // An escape at the end is dropped.
                None => {}
                Some(next) if next == '"' || next == '$' || next == self.rules.escape => {
                    self.chars.next();
                    text.push(next);
                }
                // Before anything else it is an ordinary character.
                Some(_) => text.push(c),
            }
        }
        let message = "unexpected end of statement while looking for matching double-quote";
        Err(Problem::Substitution(message.to_owned()))
    }

    /// `<` or `<<` with the blanks behind it, which belong to one word.
    fn maybe_heredoc(&mut self) -> String {
        self.chars.next();
        let mut text = "<".to_owned();
        if self.chars.next_if_eq(&'<').is_some() {
            text.push('<');
            while let Some(blank) = self.chars.next_if(|c| matches!(c, '\t' | '\r' | ' ')) {
                text.push(blank);
            }
        }
        text
    }

    /// A name; empty if there is none. Digits and special parameters are names, too.
    fn name(&mut self) -> String {
        let mut name = String::new();
        let Some(first) = self.chars.peek().copied() else { return name };
        if is_digit(first) {
            while let Some(c) = self.chars.next_if(|c| is_digit(*c)) {
                name.push(c);
            }
        } else if matches!(first, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
            self.chars.next();
            name.push(first);
        } else {
            while let Some(c) = self.chars.next_if(|c| is_letter(*c) || is_digit(*c) || *c == '_') {
                name.push(c);
            }
        }
        name
    }

    fn get(&mut self, name: &str) -> Option<String> {
        let value = (self.env)(name);
        let list = if value.is_some() { &mut self.out.matched } else { &mut self.out.unmatched };
        if !list.contains(name) {
            list.insert(name.to_owned());
        }
        value
    }

    fn dollar(&mut self) -> Result<String, Problem> {
        self.chars.next();
        if self.chars.peek() != Some(&'{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            let value = self.get(&name);
            return Ok(match value {
                None if self.rules.keep_unset => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        self.chars.next();
        match self.chars.peek() {
            None => return Err(missing('}')),
            Some('{' | '}' | ':') => {
                return Err(Problem::Substitution("syntax error: bad substitution".to_owned()));
            }
            Some(_) => {}
        }
        let name = self.name();
        match self.chars.next() {
            Some('}') => {
                let value = self.get(&name);
                Ok(match value {
                    None if self.rules.keep_unset => format!("${{{name}}}"),
                    value => value.unwrap_or_default(),
                })
            }
            Some(':') => {
                let next = self.chars.next();
                self.modifier(&name, true, next)
            }
            modifier @ Some('+' | '-' | '?' | '#' | '%') => self.modifier(&name, false, modifier),
            Some('/') => self.replacement(&name),
            other => Err(unsupported(&other.unwrap_or(END).to_string())),
        }
    }

    /// `${name:-word}` and its sisters, behind the modifier; `colon` means that empty counts as unset.
    fn modifier(&mut self, name: &str, colon: bool, modifier: Option<char>) -> Result<String, Problem> {
        let shown = format!("{}{}", if colon { ":" } else { "" }, modifier.unwrap_or(END));
        let trims = matches!(modifier, Some('#' | '%'));
        if colon && trims {
            return Err(unsupported(&shown));
        }
        let word = self.nested('}', trims, '}')?;
        let value = self.get(name);
        if value.is_none() && self.rules.keep_unset {
            return Ok(format!("${{{name}{shown}{word}}}"));
        }
        let missing = match &value {
            None => Some("unset"),
            Some(value) if colon && value.is_empty() => Some("empty"),
            Some(_) => None,
        };
        let value = value.unwrap_or_default();
        match (modifier, missing) {
            (Some('-'), Some(_)) | (Some('+'), None) => Ok(word),
            (Some('-') | Some('?'), None) => Ok(value),
            (Some('+'), Some(_)) => Ok(String::new()),
            (Some('?'), Some(state)) => {
                let message = if word.is_empty() { format!("is not allowed to be {state}") } else { word };
                Err(Problem::Required { name: name.to_owned(), message })
            }
            (Some('#'), _) => match word.strip_prefix('#') {
                Some(word) => pattern::trim_start(word, &value, true),
                None => pattern::trim_start(&word, &value, false),
            },
            (Some('%'), _) => match word.strip_prefix('%') {
                Some(word) => pattern::trim_end(word, &value, true),
                None => pattern::trim_end(&word, &value, false),
            },
            _ => Err(unsupported(&shown)),
        }
    }

    /// `${name/pattern/replacement}` behind the first slash.
    fn replacement(&mut self, name: &str) -> Result<String, Problem> {
        let all = self.chars.next_if_eq(&'/').is_some();
        let pattern = self.nested('/', true, '/')?;
        let replacement = self.nested('}', true, '}')?;
        let value = self.get(name);
        match value {
            None if self.rules.keep_unset => Ok(format!("${{{name}/{pattern}/{replacement}}}")),
            value => pattern::replace(&pattern, &value.unwrap_or_default(), &replacement, all),
        }
    }

    /// A nested text; when the whole text ends in it, what is missing is named.
    fn nested(&mut self, stop: char, raw_escapes: bool, wanted: char) -> Result<String, Problem> {
        match self.until(Some(stop), raw_escapes) {
            Ok((text, _)) => Ok(text),
            Err(problem @ (Problem::TooDeep | Problem::TooLong)) => Err(problem),
            Err(_) if self.chars.peek().is_none() => Err(missing(wanted)),
            Err(problem) => Err(problem),
        }
    }
}

fn missing(what: char) -> Problem {
    let place = if what == '/' { " in ${}" } else { "" };
    Problem::Substitution(format!("syntax error: missing '{what}'{place}"))
}

fn unsupported(modifier: &str) -> Problem {
    Problem::Substitution(format!("unsupported modifier ({modifier}) in substitution"))
}

/// A decimal digit of any script (Unicode `Nd`). Outside ASCII they come in runs of ten; these are the scripts in use.
fn is_digit(c: char) -> bool {
    const ZEROS: [u32; 24] = [
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50,
        0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0xA620, 0xA8D0, 0xA900, 0xFF10,
    ];
    c.is_ascii_digit()
        || (!c.is_ascii() && ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&u32::from(c))))
}

/// A letter (Unicode `L`).
fn is_letter(c: char) -> bool {
    c.is_alphabetic() && (c.is_ascii() || !c.is_numeric())
}
