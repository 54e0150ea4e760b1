//! Elliptic keys whose number begins with zeros.
//!
//! OpenSSH writes the number of an ECDSA key as short as it can be (PROTOCOL.key, RFC 4251 §5: mpint); one key of 256 has
//! a zero byte in front, of those of P-521 every second. ssh-key wants all bytes of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const MAGIC: &[u8] = b"openssh-key-v1\0";
/// What an unencrypted private part is filled up to.
const BLOCK: usize = 8;

/// The bytes of an ECDSA key file with its number in full length; `None` if it is something else.
pub(super) fn in_full_length(text: &str) -> Option<Vec<u8>> {
    let inner = text.trim().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let encoded: String =
        inner.strip_suffix("-----END OPENSSH PRIVATE KEY-----")?.split_whitespace().collect();
    let bytes = STANDARD.decode(encoded).ok()?;
    let mut rest = bytes.strip_prefix(MAGIC)?;
    for expected in [&b"none"[..], b"none", b""] {
        (take(&mut rest)? == expected).then_some(())?;
    }
    // One key, its public half, and then the private part.
    let head = bytes.len() - rest.len();
    let mut after = rest.strip_prefix(&[0, 0, 0, 1])?;
    take(&mut after)?;
    let head = head + rest.len() - after.len();
    let private = take(&mut after)?;
    // Two equal numbers, the kind, the curve, the public point, the number, the comment.
    let mut fields = private.get(8..)?;
    let length = match take(&mut fields)? {
        b"ecdsa-sha2-nistp256" => 32,
        b"ecdsa-sha2-nistp384" => 48,
        b"ecdsa-sha2-nistp521" => 66,
        _ => return None,
    };
    take(&mut fields)?;
    take(&mut fields)?;
    let begin = private.len() - fields.len();
    let number = take(&mut fields)?;
    let missing = length - number.len().min(length);
    let mut whole =
        [&private[..begin], &u32::try_from(length).ok()?.to_be_bytes(), &vec![0; missing], number].concat();
    whole.extend(string(take(&mut fields)?)?);
    whole.extend((1..=u8::MAX).take(whole.len().next_multiple_of(BLOCK) - whole.len()));
    Some([&bytes[..head], &string(&whole)?].concat())
}

/// The next field: its length in four bytes, and itself.
fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (field, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(field)
}

fn string(bytes: &[u8]) -> Option<Vec<u8>> {
    Some([&u32::try_from(bytes.len()).ok()?.to_be_bytes()[..], bytes].concat())
}

#[cfg(test)]
mod tests {
    use rsa::signature::Verifier as _;

    use super::*;
    use crate::sandbox::agent::Key;

    /// Keys of nobody, whose numbers are a byte shorter than their curve.
    const SHORT: [&str; 2] = [
        "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS
1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQROqmGuuF4qkTCc4Nk4hFKcAYXKVzlO
U+EJH687oZbSs1PZEQxPiQWaNAj9+1cItVjLL/5ZBWT7hcR4yHK35us+AAAAoJfTJiOX0y
YjAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBE6qYa64XiqRMJzg
2TiEUpwBhcpXOU5T4QkfrzuhltKzU9kRDE+JBZo0CP37Vwi1WMsv/lkFZPuFxHjIcrfm6z
4AAAAfHfiWA3JlZF+W3wmrYtUq0hTZ/Bh6dZH+mGtoeATlFAAAAAVzaG9ydAECAwQ=
-----END OPENSSH PRIVATE KEY-----
",
        "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAiAAAABNlY2RzYS
1zaGEyLW5pc3RwMzg0AAAACG5pc3RwMzg0AAAAYQQZSmzHdV/odN7aEk99ft6D3T+72B/l
fRh/kDTQeBwulVjxy+qCrsC2DEBKT7bApn5/m93iiL4boNmWzmVagA53n8Rwvp174z6DMX
BqXYbCROLxbOh2SMj/pEgSCsYz1NIAAADQkodKfZKHSn0AAAATZWNkc2Etc2hhMi1uaXN0
cDM4NAAAAAhuaXN0cDM4NAAAAGEEGUpsx3Vf6HTe2hJPfX7eg90/u9gf5X0Yf5A00HgcLp
VY8cvqgq7AtgxASk+2wKZ+f5vd4oi+G6DZls5lWoAOd5/EcL6de+M+gzFwal2GwkTi8Wzo
dkjI/6RIEgrGM9TSAAAALzti2Q3aMlwUo6FN6jzKt4Ww17/ucgMR3vyVRnsDUAdr0EkVmz
2rIv5MFY4rfKtgAAAABXNob3J0AQIDBA==
-----END OPENSSH PRIVATE KEY-----
",
    ];

    #[test]
    fn keys_with_short_numbers_are_read_and_sign() {
        for text in SHORT {
            let key = Key::parse("k", text).unwrap();
            assert_eq!(key.comment(), "short");
            let signature = key.sign(b"data", 0).unwrap();
            key.public().verify(b"data", &signature).unwrap();
        }
    }

    #[test]
    fn what_is_cut_or_something_else_stays_what_it_was() {
        let lines: Vec<&str> = SHORT[0].lines().collect();
        for cut in 1..lines.len() - 1 {
            let text = [&lines[..cut], &lines[lines.len() - 1..]].concat().join("\n");
            assert_eq!(in_full_length(&text), None, "{cut}");
        }
        for text in ["", "hello", "-----BEGIN OPENSSH PRIVATE KEY----------END OPENSSH PRIVATE KEY-----"] {
            assert_eq!(in_full_length(text), None, "{text}");
        }
    }
}
