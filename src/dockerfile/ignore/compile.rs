//! From a pattern to something that matches quickly. moby translates patterns to regular expressions; here the same
//! expression is built as steps, so that its oddities (a star inside a class, `\d`) stay the same.

use crate::dockerfile::ignore::class::{Set, escaped, read_class};

/// How a pattern is matched.
#[derive(Clone, Debug)]
pub(super) enum Compiled {
    /// The very path.
    Exact(String),
    /// Everything that begins so.
    Prefix(String),
    /// Everything that ends so.
    Suffix(String),
    /// A walk over steps.
    Steps(Steps),
}

/// A part of the expression.
#[derive(Clone, Debug)]
enum Step {
    /// One character.
    One(Set),
    /// Any number of characters.
    Star(Set),
    /// `(.*/)?`: nothing, or anything that ends with a slash.
    Folders,
    /// `^` in the middle: only at the start.
    Start,
}

/// The expression; a path matches if all of it does.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    steps: Vec<Step>,
    /// Characters every match begins with: a quick no.
    literal: String,
}

/// What moby's compiler thinks a pattern is, so far.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Exact,
    Prefix,
    Suffix,
    Expression,
}

/// Compiles a cleaned pattern.
pub(super) fn compile(pattern: &str) -> Option<Compiled> {
    let mut kind = Kind::Exact;
    let mut expression = String::new();
    let mut chars = pattern.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                if chars.peek().is_some() {
                    expression.push_str("(.*/)?");
                    kind = Kind::Expression;
                } else if kind == Kind::Exact {
                    kind = Kind::Prefix;
                } else {
                    expression.push_str(".*");
                    kind = Kind::Expression;
                }
                if first {
                    kind = Kind::Suffix;
                }
            }
            '*' | '?' => {
                expression.push_str(if c == '*' { "[^/]*" } else { "[^/]" });
                kind = Kind::Expression;
            }
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => expression.extend(['\\', c]),
            '\\' => {
                expression.push('\\');
                if let Some(next) = chars.next() {
                    expression.push(next);
                    kind = Kind::Expression;
                }
            }
            '[' | ']' => {
                expression.push(c);
                kind = Kind::Expression;
            }
            c => expression.push(c),
        }
        first = false;
    }
    Some(match kind {
        Kind::Exact => Compiled::Exact(pattern.to_owned()),
        Kind::Prefix => Compiled::Prefix(pattern.strip_suffix("**").unwrap_or(pattern).to_owned()),
        Kind::Suffix => Compiled::Suffix(pattern.strip_prefix("**").unwrap_or(pattern).to_owned()),
        Kind::Expression => Compiled::Steps(Steps::read(&expression)?),
    })
}

impl Steps {
    /// Reads the expression.
    fn read(expression: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = expression;
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("(.*/)?") {
                steps.push(Step::Folders);
                rest = after;
                continue;
            }
            let (set, after) = match c {
                '[' => read_class(&rest[1..])?,
                '.' => (Set::not('\n'), &rest[1..]),
                '\\' => escaped(&rest[1..])?,
                '^' => {
                    steps.push(Step::Start);
                    rest = &rest[1..];
                    continue;
                }
                c => (Set::of(c), &rest[c.len_utf8()..]),
            };
            rest = after;
            steps.push(match rest.strip_prefix('*') {
                Some(after) => {
                    rest = after;
                    Step::Star(set)
                }
                None => Step::One(set),
            });
        }
        let literal = steps.iter().map_while(|step| match step {
            Step::One(set) => set.single(),
            _ => None,
        });
        Some(Self { literal: literal.collect(), steps })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        if !text.starts_with(&self.literal) {
            return false;
        }
        self.walk(text).is_some_and(|places| places.last() == Some(&true))
    }

    /// Whether something below the folder can match: a place is still reachable behind its slash.
    pub fn may_match_below(&self, folder: &str) -> bool {
        self.walk(&format!("{folder}/")).is_some()
    }

    /// The places in the expression that are reachable behind the text; `None` if there is none. A place is twice the
    /// number of a step, plus one while inside [`Step::Folders`]; the last is the end.
    fn walk(&self, text: &str) -> Option<Vec<bool>> {
        let size = 2 * self.steps.len() + 1;
        let (mut now, mut next) = (vec![false; size], vec![false; size]);
        self.reach(0, true, &mut now);
        for c in text.chars() {
            next.fill(false);
            let mut alive = false;
            for place in (0..size - 1).filter(|place| now[*place]) {
                let step = place / 2;
                match &self.steps[step] {
                    Step::One(set) if set.has(c) => self.reach(step + 1, false, &mut next),
                    Step::Star(set) if set.has(c) => self.reach(step, false, &mut next),
                    Step::Folders if c != '\n' => {
                        next[2 * step + 1] = true;
                        if c == '/' {
                            self.reach(step + 1, false, &mut next);
                        }
                    }
                    _ => continue,
                }
                alive = true;
            }
            std::mem::swap(&mut now, &mut next);
            if !alive {
                return None;
            }
        }
        Some(now)
    }

    /// Marks a step and those reachable without a character.
    fn reach(&self, step: usize, at_start: bool, places: &mut [bool]) {
        for step in step..=self.steps.len() {
            if std::mem::replace(&mut places[2 * step], true) && step < self.steps.len() {
                // Everything behind was marked with it.
                return;
            }
            match self.steps.get(step) {
                Some(Step::Star(_) | Step::Folders) => {}
                Some(Step::Start) if at_start => {}
                _ => return,
            }
        }
    }
}
