//! Character classes as Go's regular expressions read them.

use std::ops::RangeInclusive;

/// A set of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    negated: bool,
    ranges: Vec<RangeInclusive<char>>,
}

impl Set {
    /// One character.
    pub fn of(c: char) -> Self {
        Self { negated: false, ranges: vec![c..=c] }
    }

    /// All but one character.
    pub fn not(c: char) -> Self {
        Self { negated: true, ranges: vec![c..=c] }
    }

    /// Whether the character is in the set.
    pub fn has(&self, c: char) -> bool {
        self.ranges.iter().any(|range| range.contains(&c)) != self.negated
    }

    /// The only character, if there is just one.
    pub fn single(&self) -> Option<char> {
        match self.ranges.as_slice() {
            [range] if !self.negated && range.start() == range.end() => Some(*range.start()),
            _ => None,
        }
    }
}

/// A class behind its `[`, and what follows it; `None` if it is no class.
pub(super) fn read_class(text: &str) -> Option<(Set, &str)> {
    let (negated, mut rest) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
    let mut ranges = Vec::new();
    let mut first = true;
    loop {
        if let Some(after) = rest.strip_prefix(']')
            && !first
        {
            return Some((Set { negated, ranges }, after));
        }
        first = false;
        if let Some((name, after)) = rest.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) {
            ranges.extend(named(name)?);
            rest = after;
            continue;
        }
        if let Some((set, after)) = perl(rest) {
            ranges.extend(set?);
            rest = after;
            continue;
        }
        let (low, after) = class_char(rest)?;
        rest = after;
        let mut high = low;
        // A dash before the end is itself.
        if let Some(after) = rest.strip_prefix('-')
            && !after.starts_with(']')
        {
            (high, rest) = class_char(after)?;
        }
        if high < low {
            return None;
        }
        ranges.push(low..=high);
    }
}

fn class_char(text: &str) -> Option<(char, &str)> {
    let c = text.chars().next()?;
    let after = &text[c.len_utf8()..];
    if c != '\\' {
        return Some((c, after));
    }
    let (set, after) = escaped(after)?;
    Some((set.single()?, after))
}

/// `\d` and its sisters inside a class.
fn perl(text: &str) -> Option<(Option<Vec<RangeInclusive<char>>>, &str)> {
    let inner = text.strip_prefix('\\')?;
    let c = inner.chars().next().filter(|c| "dswDSW".contains(*c))?;
    let ranges =
        if c.is_ascii_lowercase() { kind(c) } else { kind(c.to_ascii_lowercase()).map(|r| others(&r)) };
    Some((ranges, &inner[1..]))
}

/// What stands behind a backslash outside a class, and what follows. A letter may have a meaning of its own.
pub(super) fn escaped(text: &str) -> Option<(Set, &str)> {
    let c = text.chars().next()?;
    let after = &text[c.len_utf8()..];
    let set = match c {
        'd' | 's' | 'w' => Set { negated: false, ranges: kind(c)? },
        'D' | 'S' | 'W' => Set { negated: true, ranges: kind(c.to_ascii_lowercase())? },
        'a' => Set::of('\u{7}'),
        'f' => Set::of('\u{c}'),
        'n' => Set::of('\n'),
        'r' => Set::of('\r'),
        't' => Set::of('\t'),
        'v' => Set::of('\u{b}'),
        // Other letters and digits mean assertions and more, or nothing: no pattern of files.
        c if c.is_ascii_alphanumeric() || !c.is_ascii() => return None,
        c => Set::of(c),
    };
    Some((set, after))
}

fn kind(c: char) -> Option<Vec<RangeInclusive<char>>> {
    match c {
        'd' => Some(vec!['0'..='9']),
        's' => Some(vec!['\t'..='\n', '\u{c}'..='\r', ' '..=' ']),
        'w' => named("word"),
        _ => None,
    }
}

/// The characters outside the ranges, which are sorted.
fn others(ranges: &[RangeInclusive<char>]) -> Vec<RangeInclusive<char>> {
    let mut out = Vec::new();
    let mut from = Some('\0');
    for range in ranges {
        if let Some(from) = from
            && let Some(before) = char::from_u32(u32::from(*range.start()).wrapping_sub(1))
            && from <= before
        {
            out.push(from..=before);
        }
        from = char::from_u32(u32::from(*range.end()) + 1);
    }
    out.extend(from.map(|from| from..=char::MAX));
    out
}

/// `[:name:]`; a `^` before the name turns it round.
fn named(name: &str) -> Option<Vec<RangeInclusive<char>>> {
    if let Some(name) = name.strip_prefix('^') {
        return named(name).map(|ranges| others(&ranges));
    }
    Some(match name {
        "alnum" => vec!['0'..='9', 'A'..='Z', 'a'..='z'],
        "alpha" => vec!['A'..='Z', 'a'..='z'],
        "ascii" => vec!['\0'..='\u{7f}'],
        "blank" => vec!['\t'..='\t', ' '..=' '],
        "cntrl" => vec!['\0'..='\u{1f}', '\u{7f}'..='\u{7f}'],
        "digit" => vec!['0'..='9'],
        "graph" => vec!['!'..='~'],
        "lower" => vec!['a'..='z'],
        "print" => vec![' '..='~'],
        "punct" => vec!['!'..='/', ':'..='@', '['..='`', '{'..='~'],
        "space" => vec!['\t'..='\r', ' '..=' '],
        "upper" => vec!['A'..='Z'],
        "word" => vec!['0'..='9', 'A'..='Z', '_'..='_', 'a'..='z'],
        "xdigit" => vec!['0'..='9', 'A'..='F', 'a'..='f'],
        _ => return None,
    })
}
