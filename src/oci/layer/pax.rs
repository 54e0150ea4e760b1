//! PAX extension records: `LENGTH KEY=VALUE\n`, where the value is any bytes, newlines included.

/// The prefix of records that carry extended attributes.
pub(super) const XATTR: &[u8] = b"SCHILY.xattr.";

/// Keys and values in their order.
pub(super) type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// Splits a block of records. The reason of a failure is for people.
pub(super) fn parse(mut data: &[u8]) -> Result<Records, &'static str> {
    let mut records = Vec::new();
    while !data.is_empty() && data[0] != 0 {
        let blank = data.iter().take(20).position(|&b| b == b' ').ok_or("a PAX record has no length")?;
        let length = decimal(&data[..blank]).ok_or("a PAX record has no length")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length <= blank + 1 || length > data.len() {
            return Err("a PAX record is longer than its header");
        }
        let (record, rest) = data.split_at(length);
        let body =
            record[blank + 1..].strip_suffix(b"\n").ok_or("a PAX record does not end with a newline")?;
        let equals = body.iter().position(|&b| b == b'=').ok_or("a PAX record has no `=`")?;
        if equals == 0 {
            return Err("a PAX record has no key");
        }
        records.push((body[..equals].to_vec(), body[equals + 1..].to_vec()));
        data = rest;
    }
    Ok(records)
}

/// A decimal number without sign.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A time: seconds, perhaps negative, perhaps with a fraction; seconds and nanoseconds, the latter never negative.
pub(super) fn time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |t| (true, t));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = i64::try_from(decimal(whole.as_bytes())?).ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = digits.fold(0u32, |n, digit| n * 10 + u32::from(digit - b'0'));
    Some(match (negative, nanos) {
        (false, _) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanos),
    })
}

/// Appends one record.
pub(super) fn push(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // The length counts its own digits.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_whatever_their_length_and_bytes() {
        for size in (0..12).chain(80..110).chain(980..1010) {
            let value: Vec<u8> = (0..size).map(|n| b"\n=\xff\0 a"[n % 6]).collect();
            let mut out = Vec::new();
            push(&mut out, b"key", &value);
            push(&mut out, b"path", b"x");
            let back = parse(&out).unwrap();
            assert_eq!(back, [(b"key".to_vec(), value), (b"path".to_vec(), b"x".to_vec())]);
        }
    }

    #[test]
    fn broken_records_are_refused() {
        for bad in [&b"x"[..], b"5 a=b\n", b"6 a=b\n\n", b"9 a=b\n", b"6 ab\n\n", b"0 a=b\n", b"5 =b\n", b" "]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(time(b"12.5"), Some((12, 500_000_000)));
        assert_eq!(time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!(time(b"-3"), Some((-3, 0)));
        assert_eq!(time(b"1.x"), None);
        assert_eq!(time(b""), None);
    }
}
