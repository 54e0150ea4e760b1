//! Ranges: of uploads (`0-1023`, as registries write it) and of content (`bytes 5-9/10`).
//!
//! OCI distribution-spec, "Pushing a blob in chunks"; RFC 9110 §14.4.

/// How many bytes an upload has, from its `Range` header: `0-N` means N+1. Registries write `0-0` both for one byte and
/// for none, so that one is `None`: unknown. A leading `bytes=` is tolerated.
pub fn upload_end(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix("bytes=").unwrap_or(text);
    let (from, to) = text.split_once('-')?;
    let (from, to): (u64, u64) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    if from == 0 && to > 0 { to.checked_add(1) } else { None }
}

/// First and last byte and the whole length (if said) of a `Content-Range`.
pub fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.trim().split_once('-')?;
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    let size = match size.trim() {
        "*" => None,
        size => Some(size.parse().ok()?),
    };
    (from <= to && size.is_none_or(|size| to < size)).then_some((from, to, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        for (text, expected) in [
            ("0-1023", Some(1024)),
            ("bytes=0-9", Some(10)),
            ("0-0", None),
            ("5-9", None),
            ("", None),
            ("0--1", None),
            ("0-18446744073709551615", None),
        ] {
            assert_eq!(upload_end(text), expected, "{text}");
        }
        for (text, expected) in [
            ("bytes 5-9/10", Some((5, 9, Some(10)))),
            ("bytes 5-9/*", Some((5, 9, None))),
            ("bytes 9-5/10", None),
            ("bytes 5-10/10", None),
            ("bytes */10", None),
            ("5-9/10", None),
        ] {
            assert_eq!(content_range(text), expected, "{text}");
        }
    }
}
