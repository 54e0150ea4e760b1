//! Go's `filepath.Match`: the wildcards of `COPY` and `ADD` sources.
//!
//! `*` any run of characters but `/`, `?` one of them, `[a-z]` and `[^a-z]` classes, `\x` the character itself. The whole
//! name must match. There is no `**`.

/// A pattern that cannot be read: an open class, a range without end, an escape at the end.
#[derive(Debug, PartialEq, Eq)]
struct BadPattern;

/// Whether `pattern` can be read. One that cannot matches nothing and is an error of the Dockerfile.
pub fn is_valid(pattern: &str) -> bool {
    try_matches(pattern, ".").is_ok()
}

/// Whether the whole of `path` matches `pattern`. Bytes that are not UTF-8 are one replacement character each.
pub fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let (pattern, path) = (String::from_utf8_lossy(pattern), String::from_utf8_lossy(path));
    try_matches(&pattern, &path) == Ok(true)
}

/// Finds a mistake wherever it is in the pattern.
fn try_matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let (mut pattern, mut name) = (pattern, name);
    while !pattern.is_empty() {
        let (star, chunk, rest) = next_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains('/'));
        }
        match find(chunk, name, star, rest.is_empty())? {
            Some(after) => name = after,
            None => {
                while !pattern.is_empty() {
                    let (_, chunk, rest) = next_chunk(pattern);
                    match_chunk(chunk, "")?;
                    pattern = rest;
                }
                return Ok(false);
            }
        }
    }
    Ok(name.is_empty())
}

/// What is left of the name behind the chunk; the last chunk must use the name up. Behind a star the chunk may begin
/// later, but not behind a slash.
fn find<'n>(chunk: &str, name: &'n str, star: bool, last: bool) -> Result<Option<&'n str>, BadPattern> {
    let fits = |after: &&str| after.is_empty() || !last;
    if let Some(after) = match_chunk(chunk, name)?.filter(fits) {
        return Ok(Some(after));
    }
    if star {
        for (at, c) in name.char_indices() {
            if c == '/' {
                break;
            }
            if let Some(after) = match_chunk(chunk, &name[at + c.len_utf8()..])?.filter(fits) {
                return Ok(Some(after));
            }
        }
    }
    Ok(None)
}

/// Leading stars, the part up to the next star outside a class, the rest.
fn next_chunk(pattern: &str) -> (bool, &str, &str) {
    let body = pattern.trim_start_matches('*');
    let (mut in_class, mut escaped, mut end) = (false, false, body.len());
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '*' if !in_class => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    (body.len() < pattern.len(), &body[..end], &body[end..])
}

/// Matches a chunk at the start of the text; a mismatch still reads the chunk to its end, to find mistakes.
fn match_chunk<'n>(chunk: &str, text: &'n str) -> Result<Option<&'n str>, BadPattern> {
    let (mut chunk, mut text, mut failed) = (chunk.chars(), text.chars(), false);
    while let Some(c) = chunk.next() {
        let wanted = match c {
            '[' => {
                let found = if failed { None } else { text.next() };
                failed |= !class(&mut chunk, found.unwrap_or('\0'))? || found.is_none();
                continue;
            }
            '?' => None,
            '\\' => Some(chunk.next().ok_or(BadPattern)?),
            c => Some(c),
        };
        if !failed {
            failed = match (text.next(), wanted) {
                (None, _) | (Some('/'), None) => true,
                (Some(found), Some(wanted)) => found != wanted,
                (Some(_), None) => false,
            };
        }
    }
    Ok(if failed { None } else { Some(text.as_str()) })
}

/// Reads a class behind its `[` and tells whether the character is in it.
fn class(chunk: &mut std::str::Chars<'_>, c: char) -> Result<bool, BadPattern> {
    let next = |chunk: &std::str::Chars<'_>| chunk.clone().next();
    let negated = next(chunk) == Some('^');
    if negated {
        chunk.next();
    }
    let (mut found, mut ranges) = (false, 0);
    loop {
        if next(chunk) == Some(']') && ranges > 0 {
            chunk.next();
            return Ok(found != negated);
        }
        let low = class_char(chunk)?;
        let mut high = low;
        if next(chunk) == Some('-') {
            chunk.next();
            high = class_char(chunk)?;
        }
        found |= (low..=high).contains(&c);
        ranges += 1;
    }
}

/// A character of a class, escaped or not; something must follow it.
fn class_char(chunk: &mut std::str::Chars<'_>) -> Result<char, BadPattern> {
    let c = match chunk.next() {
        None | Some('-' | ']') => return Err(BadPattern),
        Some('\\') => chunk.next().ok_or(BadPattern)?,
        Some(c) => c,
    };
    if chunk.as_str().is_empty() { Err(BadPattern) } else { Ok(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("d/*", "d/.hidden", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("a\\*", "a*", true),
            ("*a*b", "xayab", true),
            ("**", "a/b", false),
            ("a*/b", "ac/b", true),
            ("é?", "éa", true),
            // Go's classes may match a slash.
            ("a[^a]b", "a/b", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(try_matches(pattern, name), Ok(expected), "{pattern} {name}");
        }
        for pattern in ["[", "[]a]", "[a", "[a-]", "a\\", "x*[", "[-x]"] {
            assert_eq!(try_matches(pattern, "zz"), Err(BadPattern), "{pattern}");
        }
    }

    #[test]
    fn more_patterns() {
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
