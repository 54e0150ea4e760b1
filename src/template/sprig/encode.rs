//! Sprig's encodings and checksums.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};

use super::super::function::{Function, fixed};
use super::text;
use crate::yaml::{Param, Value};

const STR: Param = Param::Str;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("b64enc", &[STR], |_, a| Ok(STANDARD.encode(text(a, 0).as_bytes()).into())),
    fixed("b64dec", &[STR], |_, a| Ok(b64dec(text(a, 0).as_bytes()))),
    fixed("b32enc", &[STR], |_, a| Ok(b32enc(text(a, 0).as_bytes()).into())),
    fixed("b32dec", &[STR], |_, a| Ok(b32dec(text(a, 0).as_bytes()))),
    fixed("sha1sum", &[STR], |_, a| {
        let algorithm = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
        Ok(hex::encode(aws_lc_rs::digest::digest(algorithm, text(a, 0).as_bytes())).into())
    }),
    fixed("sha256sum", &[STR], |_, a| Ok(hex::encode(Sha256::digest(text(a, 0).as_bytes())).into())),
    fixed("sha512sum", &[STR], |_, a| Ok(hex::encode(Sha512::digest(text(a, 0).as_bytes())).into())),
    fixed("adler32sum", &[STR], |_, a| Ok(adler32(text(a, 0).as_bytes()).to_string().into())),
];

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

/// Decodes; the text of an error is the result, as Sprig has it.
fn b64dec(source: &[u8]) -> Value {
    match decode_base64(source) {
        Ok(data) => Value::str(data),
        Err(message) => message.into(),
    }
}

/// Standard base64 as Go decodes it.
///
/// # Errors
/// Go's words.
pub(super) fn decode_base64(source: &[u8]) -> Result<Vec<u8>, String> {
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    match decode(source, 4, &alphabet) {
        Ok(clean) => match STANDARD.decode(&clean) {
            Ok(data) => Ok(data),
            // Go takes padding bits that are not zero.
            Err(_) => Ok(bits(&clean, 6, &|b| match b {
                b'A'..=b'Z' => b - b'A',
                b'a'..=b'z' => b - b'a' + 26,
                b'0'..=b'9' => b - b'0' + 52,
                b'+' => 62,
                _ => 63,
            })),
        },
        Err(at) => Err(format!("illegal base64 data at input byte {at}")),
    }
}

fn b32enc(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut block = [0u8; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(block);
        let letters = (chunk.len() * 8).div_ceil(5);
        for i in 0..8 {
            let index = usize::try_from(bits >> (35 - 5 * i) & 31).unwrap_or(0);
            out.push(if i < letters { ALPHABET[index] as char } else { '=' });
        }
    }
    out
}

fn b32dec(source: &[u8]) -> Value {
    match decode(source, 8, &|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7')) {
        Ok(clean) => {
            Value::str(bits(&clean, 5, &|b| if b.is_ascii_uppercase() { b - b'A' } else { b - b'2' + 26 }))
        }
        Err(at) => format!("illegal base32 data at input byte {at}").into(),
    }
}

/// The bytes of digits of `width` bits, padding ignored.
fn bits(clean: &[u8], width: u32, digit: &dyn Fn(u8) -> u8) -> Vec<u8> {
    let (mut buffer, mut held, mut out) = (0u32, 0, Vec::new());
    for byte in clean.iter().filter(|b| **b != b'=') {
        buffer = buffer << width | u32::from(digit(*byte));
        held += width;
        if held >= 8 {
            held -= 8;
            out.push((buffer >> held & 0xff) as u8);
            buffer &= (1 << held) - 1;
        }
    }
    out
}

/// Checks digits and padding in quanta of `size`, line breaks ignored, and gives the offset Go names if it is bad.
fn decode(source: &[u8], size: usize, alphabet: &dyn Fn(u8) -> bool) -> Result<Vec<u8>, usize> {
    let kept: Vec<(usize, u8)> =
        source.iter().copied().enumerate().filter(|(_, b)| !matches!(b, b'\r' | b'\n')).collect();
    let digits = kept.iter().position(|(_, b)| !alphabet(*b)).unwrap_or(kept.len());
    let rest = &kept[digits..];
    let clean = || kept.iter().map(|(_, b)| *b).collect::<Vec<u8>>();
    let partial = digits % size;
    let Some((at, first)) = rest.first().copied() else {
        if partial == 0 {
            return Ok(clean());
        }
        return Err(source.len() - partial);
    };
    let enough = if size == 4 { partial >= 2 } else { matches!(partial, 2 | 4 | 5 | 7) };
    if first != b'=' || !enough {
        return Err(at);
    }
    let want = size - partial;
    match rest.iter().take(want).position(|(_, b)| *b != b'=') {
        Some(bad) if size == 4 => Err(rest[bad].0 - bad),
        Some(bad) => Err(rest[bad].0),
        None if rest.len() < want => Err(source.len()),
        None if rest.len() > want => Err(rest[want].0),
        None => Ok(clean()),
    }
}
