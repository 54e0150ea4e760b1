//! One CSV record, as flag values of `RUN` are written.

/// Splits a record at commas; double quotes protect, doubled ones stand for themselves. A single line break at the end
/// is allowed. The error is Go's message.
pub(in crate::dockerfile) fn fields(line: &str) -> Result<Vec<String>, String> {
    let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() {
        return Err("EOF".to_owned());
    }
    let wrong = |at: usize, what| format!("parse error on line 1, column {}: {what}", at + 1);
    let quote = "extraneous or missing \" in quoted-field";
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let rest = &line[at..];
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(',').unwrap_or(rest.len());
            if let Some(bare) = rest[..end].find('"') {
                return Err(wrong(at + bare, "bare \" in non-quoted-field"));
            }
            fields.push(rest[..end].to_owned());
            if end == rest.len() {
                return Ok(fields);
            }
            at += end + 1;
            continue;
        };
        at += 1;
        let (mut field, mut rest) = (String::new(), quoted);
        loop {
            let Some(end) = rest.find('"') else { return Err(wrong(at, quote)) };
            field.push_str(&rest[..end]);
            at += end + 1;
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    at += 1;
                    rest = after;
                }
                None => break,
            }
        }
        fields.push(field);
        if rest.is_empty() {
            return Ok(fields);
        }
        if !rest.starts_with(',') {
            return Err(wrong(at - 1, quote));
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        assert_eq!(fields("a,\"b,\"\"c\"\"\",,d").expect("record"), ["a", "b,\"c\"", "", "d"]);
        assert_eq!(fields("a,").expect("record"), ["a", ""]);
        assert_eq!(fields(""), Err("EOF".to_owned()));
        assert!(fields("a\"b").expect_err("bare").contains("column 2: bare"));
        assert!(fields("\"a\"b").expect_err("quote").contains("column 3"));
        assert!(fields("\"ab").is_err());
    }
}
