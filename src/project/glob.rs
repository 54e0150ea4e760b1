//! Globs of werf's configuration: `doublestar` patterns over paths with `/`.
//!
//! `*` and `?` stay within one segment, `**` as a whole segment means any number of them, `[a-z]` and `[!a-z]` are
//! classes, `{a,b}` alternatives, `\` takes the next character literally. Source: `bmatcuk/doublestar` v1, which werf uses.

/// A pattern that was read.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    /// One list of segments for each way the alternatives can be chosen.
    ways: Vec<Vec<String>>,
}

/// What `{…}` may multiply into; more than a person writes.
const MAX_WAYS: usize = 1024;

impl Glob {
    /// Reads a pattern. Braces that do not close are literal.
    ///
    /// # Errors
    /// In words, if it has too many alternatives.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let mut ways = Vec::new();
        expand(pattern, &mut ways)?;
        let ways = ways.iter().map(|way| segments(way)).collect();
        Ok(Self { text: pattern.to_owned(), ways })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `path` matches as a whole.
    pub fn matches(&self, path: &str) -> bool {
        let path = segments(path);
        self.ways.iter().any(|way| matches_segments(way, &path))
    }

    /// Whether `path` or a folder above it matches.
    pub fn covers(&self, path: &str) -> bool {
        let path = segments(path);
        (1..=path.len()).any(|n| self.ways.iter().any(|way| matches_segments(way, &path[..n])))
            || self.ways.iter().any(|way| way.is_empty())
    }

    /// Whether something below the folder `path` could match.
    pub fn may_match_below(&self, path: &str) -> bool {
        let path = segments(path);
        self.ways.iter().any(|way| begins(way, &path))
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

/// Writes out the alternatives of the first `{…}`, and so on.
fn expand(pattern: &str, ways: &mut Vec<String>) -> Result<(), String> {
    let Some((open, close, commas)) = first_braces(pattern) else {
        ways.push(pattern.to_owned());
        return match ways.len() > MAX_WAYS {
            true => Err(format!("more than {MAX_WAYS} alternatives")),
            false => Ok(()),
        };
    };
    let mut start = open + 1;
    for end in commas.into_iter().chain([close]) {
        expand(&format!("{}{}{}", &pattern[..open], &pattern[start..end], &pattern[close + 1..]), ways)?;
        start = end + 1;
    }
    Ok(())
}

/// Where the first braces open and close, and their own commas.
fn first_braces(pattern: &str) -> Option<(usize, usize, Vec<usize>)> {
    let (mut depth, mut open, mut commas, mut escaped) = (0_usize, 0, Vec::new(), false);
    for (at, c) in pattern.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' => escaped = true,
            '{' => {
                if depth == 0 {
                    open = at;
                }
                depth += 1;
            }
            ',' if depth == 1 => commas.push(at),
            '}' if depth == 1 => return Some((open, at, commas)),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Wildcards are tried from left to right; only the last `**` has to be taken back, so the cost is a product, no power.
fn matches_segments(pattern: &[String], path: &[String]) -> bool {
    let (mut p, mut s, mut retry) = (0, 0, None);
    loop {
        match pattern.get(p).map(String::as_str) {
            Some("**") => {
                retry = Some((p + 1, s));
                p += 1;
                continue;
            }
            Some(piece) if s < path.len() && matches_segment(piece, &path[s]) => {
                (p, s) = (p + 1, s + 1);
                continue;
            }
            None if s == path.len() => return true,
            _ => {}
        }
        match retry {
            Some((after, from)) if from < path.len() => {
                retry = Some((after, from + 1));
                (p, s) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// Whether `path` can be continued to a match.
fn begins(pattern: &[String], path: &[String]) -> bool {
    for (n, part) in path.iter().enumerate() {
        match pattern.get(n).map(String::as_str) {
            Some("**") => return true,
            Some(piece) if matches_segment(piece, part) => {}
            _ => return false,
        }
    }
    pattern.len() > path.len()
}

fn matches_segment(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut retry) = (0, 0, None);
    loop {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p + 1, t));
            p += 1;
            continue;
        }
        match one(&pattern[p..], text.get(t).copied()) {
            Some(used) => (p, t) = (p + used, t + 1),
            None if p == pattern.len() && t == text.len() => return true,
            None => match retry {
                Some((after, from)) if from < text.len() => {
                    retry = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
}

/// How many characters of the pattern match `c`.
fn one(pattern: &[char], c: Option<char>) -> Option<usize> {
    let (first, c) = (*pattern.first()?, c?);
    match first {
        '?' => Some(1),
        '\\' => (pattern.get(1) == Some(&c)).then_some(2),
        '[' => class(pattern, c),
        literal => (literal == c).then_some(1),
    }
}

fn class(pattern: &[char], c: char) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let mut at = 1 + usize::from(negated);
    let (first, mut found) = (at, false);
    loop {
        let mut low = *pattern.get(at)?;
        if low == ']' && at > first {
            return (found != negated).then_some(at + 1);
        }
        if low == '\\' {
            at += 1;
            low = *pattern.get(at)?;
        }
        let mut high = low;
        if pattern.get(at + 1) == Some(&'-') && pattern.get(at + 2).is_some_and(|end| *end != ']') {
            high = *pattern.get(at + 2)?;
            at += 2;
        }
        found |= (low..=high).contains(&c);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        let cases = [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("**/*.txt", "a.txt", true),
            ("**/*.txt", "d/e/a.txt", true),
            ("a/**", "a", true),
            ("a/**", "a/b/c", true),
            ("a/**/b/**/c", "a/x/b/y/z/c", true),
            ("a/**/b/**/c", "a/x/y/z/c", false),
            ("{a,b/{c,d}}/*", "b/d/x", true),
            ("{a,b/{c,d}}/*", "b/e/x", false),
            ("[a-c]?[!x]", "bzy", true),
            ("[a-c]?[!x]", "bzx", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("a{b", "a{b", true),
            ("*a*b*", "xxaxxbxx", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(Glob::new(pattern).unwrap().matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn folders_cover_what_is_in_them() {
        let glob = Glob::new("gen/*").unwrap();
        assert!(glob.covers("gen/a/b"));
        assert!(!glob.covers("gen"));
        assert!(glob.may_match_below("gen") && glob.may_match_below(""));
        assert!(!glob.may_match_below("gen/a") && !glob.may_match_below("src"));
    }

    #[test]
    fn cost_stays_small() {
        let pattern = format!("{}x", "*a".repeat(200));
        assert!(!Glob::new(&pattern).unwrap().matches(&"a".repeat(5000)));
        let deep = format!("{}x", "**/a/".repeat(100));
        assert!(!Glob::new(&deep).unwrap().matches(&"a/".repeat(2000)));
        assert!(Glob::new(&"{a,b}".repeat(40)).is_err());
    }
}
