//! Go's shell patterns (`path.Match`): `*`, `?`, `[a-z]`, `\`; nothing crosses a `/`.

/// The pattern is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad;

/// Whether `pattern` matches all of `name`.
///
/// # Errors
/// [`Bad`], as Go finds it: also in parts of the pattern that the name does not reach.
pub fn matches(pattern: &str, name: &str) -> Result<bool, Bad> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    check(&pattern)?;
    Ok(search(&pattern, &name))
}

/// Walks the pattern once for its syntax.
fn check(pattern: &[char]) -> Result<(), Bad> {
    let mut rest = pattern;
    while let Some((first, tail)) = rest.split_first() {
        rest = match first {
            '\\' => tail.get(1..).ok_or(Bad)?,
            '[' => {
                let (_, after) = class(tail, '\0')?;
                after
            }
            _ => tail,
        };
    }
    Ok(())
}

/// Matches with one place to come back to, the last star: linear in pattern times name.
fn search(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
            continue;
        }
        match name.get(n) {
            None if p == pattern.len() => return true,
            None => {}
            Some(c) => {
                if let Some(next) = one(pattern, p, *c) {
                    (p, n) = (next, n + 1);
                    continue;
                }
            }
        }
        match star {
            Some((at, from)) if name.get(from).is_some_and(|c| *c != '/') => {
                star = Some((at, from + 1));
                (p, n) = (at + 1, from + 1);
            }
            _ => return false,
        }
    }
}

/// Where the pattern goes on after taking `c`.
fn one(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => (c != '/').then_some(at + 1),
        '\\' => (pattern.get(at + 1) == Some(&c)).then_some(at + 2),
        '[' => {
            let (hit, after) = class(pattern.get(at + 1..)?, c).ok()?;
            (hit && c != '/').then(|| pattern.len() - after.len())
        }
        plain => (*plain == c).then_some(at + 1),
    }
}

/// Reads a class behind its `[`; whether `c` is in it, and what follows.
fn class(mut rest: &[char], c: char) -> Result<(bool, &[char]), Bad> {
    let negated = rest.first() == Some(&'^');
    if negated {
        rest = &rest[1..];
    }
    let mut hit = false;
    let mut ranges = 0;
    loop {
        if rest.first() == Some(&']') && ranges > 0 {
            return Ok((hit != negated, &rest[1..]));
        }
        let low = bound(&mut rest)?;
        let high = if rest.first() == Some(&'-') {
            rest = &rest[1..];
            bound(&mut rest)?
        } else {
            low
        };
        hit |= (low..=high).contains(&c);
        ranges += 1;
    }
}

fn bound(rest: &mut &[char]) -> Result<char, Bad> {
    let (first, tail) = rest.split_first().ok_or(Bad)?;
    let (c, tail) = match first {
        '-' | ']' => return Err(Bad),
        '\\' => {
            let (c, tail) = tail.split_first().ok_or(Bad)?;
            (*c, tail)
        }
        c => (*c, tail),
    };
    if tail.is_empty() {
        return Err(Bad);
    }
    *rest = tail;
    Ok(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_matches() {
        let table = [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a?b", "a☺b", true),
            ("[a-ζ]*", "α", true),
            ("*x", "xxx", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name), Ok(expected), "{pattern} {name}");
        }
        for bad in ["[]a]", "[-]", "[x-]", "[a", "a[", "[^", "\\", "[-x]"] {
            assert_eq!(matches(bad, "a"), Err(Bad), "{bad}");
        }
    }
}
