//! Wildcards of COPY and ADD: Go's `path/filepath.Match` on a whole path with `/` as separator.
//!
//! `*` is any run without `/`, `?` one character but `/`, `[a-z]` and `[^a-z]` a class, `\` takes the meaning of what
//! follows. Bytes that are not UTF-8 are matched as one replacement character each, as Go's decoder does.

/// Whether `pattern` can be read. One that cannot matches nothing and is an error of the Dockerfile.
pub fn is_valid(pattern: &str) -> bool {
    parse(pattern).is_some()
}

/// Whether the whole of `path` matches `pattern`.
pub fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let (pattern, path) = (String::from_utf8_lossy(pattern), String::from_utf8_lossy(path));
    let path: Vec<char> = path.chars().collect();
    parse(&pattern).is_some_and(|parts| matches_parts(&parts, &path))
}

enum Part {
    Star,
    One,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

fn parse(pattern: &str) -> Option<Vec<Part>> {
    let mut chars = pattern.chars().peekable();
    let mut parts = Vec::new();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Star,
            '?' => Part::One,
            '\\' => Part::Char(chars.next()?),
            '[' => class(&mut chars)?,
            c => Part::Char(c),
        });
    }
    Some(parts)
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Part> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
            return Some(Part::Class { negated, ranges });
        }
        let low = class_char(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { class_char(chars)? } else { low };
        ranges.push((low, high));
    }
}

/// A character of a class; `-` and `]` must be escaped.
fn class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        c => Some(c),
    }
}

/// Greedy with one point of return: the last star. Enough because a star cannot cross a `/` that a later one could.
fn matches_parts(parts: &[Part], path: &[char]) -> bool {
    let (mut part, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match parts.get(part) {
            Some(Part::Star) => {
                retry = Some((part, at));
                part += 1;
                continue;
            }
            Some(one) if path.get(at).is_some_and(|c| fits(one, *c)) => {
                part += 1;
                at += 1;
                continue;
            }
            None if at == path.len() => return true,
            _ => {}
        }
        match retry {
            Some((star, from)) if path.get(from).is_some_and(|c| *c != '/') => {
                retry = Some((star, from + 1));
                part = star + 1;
                at = from + 1;
            }
            _ => return false,
        }
    }
}

fn fits(part: &Part, c: char) -> bool {
    match part {
        Part::Star => false,
        Part::One => c != '/',
        Part::Char(wanted) => *wanted == c,
        Part::Class { negated, ranges } => {
            c != '/' && ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_filepath_match() {
        let table = [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*", "", true),
            ("*c", "abc", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("ab[c]", "abc", true),
            ("ab[^c]", "abc", false),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a][^a][^a]b", "a☺b", false),
            ("a?b", "a/b", false),
            ("[\\]a]", "]", true),
            ("*x", "xxx", true),
            (".*", ".hidden", true),
            ("*", ".hidden", true),
        ];
        for (pattern, path, expected) in table {
            assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), expected, "{pattern} {path}");
        }
        for bad in ["[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[", "[^", "[a", "a["] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
