//! The patterns of `.Files.Glob` (`gobwas/glob` with `/` as separator): `*` stays in a folder, `**` does not.

/// A pattern, compiled.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(Vec<char>),
    /// `*`: anything but a separator.
    Any,
    /// `**`: anything.
    Super,
    /// `?`: one character that is no separator.
    Single,
    Class {
        negated: bool,
        set: Vec<(char, char)>,
    },
    Choice(Vec<Vec<Part>>),
}

impl Glob {
    /// Reads a pattern; one that is malformed is taken for `**`, as Helm does.
    pub(super) fn parse(pattern: &str) -> Self {
        let mut parser = Parser { text: pattern.chars().collect(), at: 0, depth: 0 };
        match parser.sequence(false) {
            Some(parts) if parser.at == parser.text.len() => Self(parts),
            _ => Self(vec![Part::Super]),
        }
    }

    /// Whether the pattern matches all of `name`.
    pub(super) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        reach(&self.0, &name, &start(name.len()))[name.len()]
    }
}

/// Only the first place is reached.
fn start(length: usize) -> Vec<bool> {
    let mut places = vec![false; length + 1];
    places[0] = true;
    places
}

/// The places in `name` that can be reached from `from` through all parts: no search, so no explosion.
fn reach(parts: &[Part], name: &[char], from: &[bool]) -> Vec<bool> {
    parts.iter().fold(from.to_vec(), |places, part| step(part, name, &places))
}

fn step(part: &Part, name: &[char], from: &[bool]) -> Vec<bool> {
    let mut to = vec![false; name.len() + 1];
    let one = |to: &mut Vec<bool>, fits: &dyn Fn(char) -> bool| {
        for (at, c) in name.iter().enumerate() {
            to[at + 1] = from[at] && fits(*c);
        }
    };
    match part {
        Part::Text(text) => {
            for at in 0..=name.len() {
                if from[at] && name[at..].starts_with(text) {
                    to[at + text.len()] = true;
                }
            }
        }
        Part::Any | Part::Super => {
            let across = matches!(part, Part::Super);
            for at in 0..=name.len() {
                to[at] = from[at] || at > 0 && to[at - 1] && (across || name[at - 1] != '/');
            }
        }
        Part::Single => one(&mut to, &|c| c != '/'),
        Part::Class { negated, set } => {
            one(&mut to, &|c| set.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated);
        }
        Part::Choice(choices) => {
            for choice in choices {
                for (place, reached) in to.iter_mut().zip(reach(choice, name, from)) {
                    *place |= reached;
                }
            }
        }
    }
    to
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn sequence(&mut self, inside: bool) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        let mut text = Vec::new();
        while let Some(c) = self.text.get(self.at).copied() {
            if inside && matches!(c, ',' | '}') {
                break;
            }
            self.at += 1;
            let part = match c {
                '\\' => {
                    text.push(self.text.get(self.at).copied()?);
                    self.at += 1;
                    continue;
                }
                '*' => {
                    let across = self.text.get(self.at) == Some(&'*');
                    while self.text.get(self.at) == Some(&'*') {
                        self.at += 1;
                    }
                    if across { Part::Super } else { Part::Any }
                }
                '?' => Part::Single,
                '[' => self.class()?,
                '{' => self.choice()?,
                c => {
                    text.push(c);
                    continue;
                }
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(part);
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Some(parts)
    }

    fn class(&mut self) -> Option<Part> {
        let negated = self.text.get(self.at) == Some(&'!');
        self.at += usize::from(negated);
        let mut set = Vec::new();
        loop {
            let mut next = || {
                let mut c = self.text.get(self.at).copied()?;
                self.at += 1;
                if c == '\\' {
                    c = self.text.get(self.at).copied()?;
                    self.at += 1;
                }
                Some(c)
            };
            let c = next()?;
            if c == ']' {
                return (!set.is_empty()).then_some(Part::Class { negated, set });
            }
            if self.text.get(self.at) == Some(&'-') && self.text.get(self.at + 1) != Some(&']') {
                self.at += 1;
                let high = self.text.get(self.at).copied()?;
                self.at += 1;
                set.push((c, high));
            } else {
                set.push((c, c));
            }
        }
    }

    fn choice(&mut self) -> Option<Part> {
        self.depth += 1;
        if self.depth > 100 {
            return None;
        }
        let mut choices = Vec::new();
        loop {
            choices.push(self.sequence(true)?);
            let end = self.text.get(self.at).copied()?;
            self.at += 1;
            if end == '}' {
                self.depth -= 1;
                return Some(Part::Choice(choices));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_gobwas_matches() {
        let table = [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("**.txt", "d/a.txt", true),
            ("d/**", "d/e/f", true),
            ("d/*", "d/e/f", false),
            ("{a,b}*.y?ml", "bx.yaml", true),
            ("{a,b/*}.t", "b/c.t", true),
            ("[ab].t", "b.t", true),
            ("[!ab].t", "b.t", false),
            ("[a-c]x", "bx", true),
            ("a\\*", "a*", true),
            ("[", "anything/at/all", true),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(Glob::parse(pattern).matches(name), expected, "{pattern} {name}");
        }
    }
}
