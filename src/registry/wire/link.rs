//! `Link: <…>; rel="next"`: the next page of a listing. RFC 8288; OCI distribution-spec, "Listing Tags".

/// The target of the link that leads to the next page.
pub fn next_page<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<String> {
    headers.into_iter().find_map(one_header)
}

fn one_header(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let close = open + rest[open..].find('>')?;
        let target = &rest[open + 1..close];
        let after = &rest[close + 1..];
        let end = after.find(",<").or_else(|| after.find(", <")).unwrap_or(after.len());
        if after[..end].split(';').any(is_next) {
            return Some(target.trim().to_owned());
        }
        rest = &after[end..];
    }
    None
}

fn is_next(parameter: &str) -> bool {
    let Some((key, value)) = parameter.split_once('=') else { return false };
    let value = value.trim().trim_end_matches(',').trim_matches('"');
    key.trim().eq_ignore_ascii_case("rel")
        && value.split_ascii_whitespace().any(|v| v.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_next_among_others() {
        let table = [
            (r#"</v2/a/tags/list?last=x&n=2>; rel="next""#, Some("/v2/a/tags/list?last=x&n=2")),
            (r#"<a>; rel=prev, <b,c>; rel="last next""#, Some("b,c")),
            ("<b>;rel=next", Some("b")),
            ("<b>", None),
            ("<b", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(next_page([text]).as_deref(), expected, "{text}");
        }
    }
}
