//! Numbers in tar headers: octal text, or base-256 where that is too short.

/// Reads a numeric field: octal with blanks or NULs around, or big-endian two's complement marked by the top bit (GNU
/// tar: "Large or Negative Values"). An empty field is 0.
pub(super) fn read(field: &[u8]) -> Option<i64> {
    match field.first() {
        None => Some(0),
        Some(&first) if first & 0x80 != 0 => base256(field, first),
        Some(_) => octal(field),
    }
}

fn base256(field: &[u8], first: u8) -> Option<i64> {
    let negative = first & 0x40 != 0;
    // The marker bit is no part of the number: fill it with the sign.
    let head = if negative { first } else { first & 0x7f };
    let mut value: i128 = if negative { -1 } else { 0 };
    for byte in std::iter::once(head).chain(field[1..].iter().copied()) {
        value = value.checked_mul(256)? | i128::from(byte);
        if i64::try_from(value).is_err() {
            return None;
        }
    }
    i64::try_from(value).ok()
}

fn octal(field: &[u8]) -> Option<i64> {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    let digits = field[..end].trim_ascii();
    let mut value: i64 = 0;
    for &digit in digits {
        if !(b'0'..=b'7').contains(&digit) {
            return None;
        }
        value = value.checked_mul(8)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(value)
}

/// Writes `value` as octal digits with a closing NUL; `false` if it does not fit.
pub(super) fn write_octal(field: &mut [u8], value: u64) -> bool {
    let digits = field.len() - 1;
    if digits * 3 < 64 && value >> (digits * 3) != 0 {
        return false;
    }
    for (place, slot) in field[..digits].iter_mut().rev().enumerate() {
        *slot = b'0' + u8::try_from((value >> (3 * place)) & 7).unwrap_or(0);
    }
    field[digits] = 0;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_spelling() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0", Some(0)),
            (b"\x80\0\0\0\0\0\x01\x02", Some(258)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"12x4567\0", None),
            (b"-1\0", None),
        ] {
            assert_eq!(read(field), value, "{field:?}");
        }
    }

    #[test]
    fn writes_what_fits() {
        let mut field = [1; 8];
        assert!(write_octal(&mut field, 0o7654321));
        assert_eq!(&field, b"7654321\0");
        assert!(!write_octal(&mut field, 0o10000000));
        let mut long = [0; 12];
        assert!(write_octal(&mut long, 0o77777777777) && !write_octal(&mut long, 1 << 33));
    }
}
