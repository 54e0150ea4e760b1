//! Sprig's random functions: all of them on bytes that the door gives.

use base64::Engine as _;

use super::super::door::Question;
use super::super::error::Fault;
use super::super::exec::Caller;
use super::super::function::{Function, fixed};
use super::{affordable, int, text};
use crate::yaml::{Param, Value};

const INT: Param = Param::Int;

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("randAlphaNum", &[INT], |caller, a| {
        letters(caller, a, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    }),
    fixed("randAlpha", &[INT], |caller, a| {
        letters(caller, a, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    }),
    fixed("randNumeric", &[INT], |caller, a| letters(caller, a, b"0123456789")),
    fixed("randAscii", &[INT], |caller, a| {
        let printable: Vec<u8> = (32..127).collect();
        letters(caller, a, &printable)
    }),
    fixed("randBytes", &[INT], |caller, a| {
        let n = affordable(usize::try_from(int(a, 0)).ok())?;
        Ok(base64::engine::general_purpose::STANDARD.encode(bytes(caller, n)?).into())
    }),
    fixed("randInt", &[INT, INT], |caller, a| {
        let (low, high) = (int(a, 0), int(a, 1));
        let width = high.wrapping_sub(low);
        if width <= 0 {
            return Err("invalid argument to Intn".into());
        }
        let n = below(caller, width.unsigned_abs())?;
        Ok(Value::int(low.wrapping_add_unsigned(n)))
    }),
    fixed("shuffle", &[Param::Str], |caller, a| {
        let mut chars: Vec<char> = text(a, 0).lossy().chars().collect();
        for i in (1..chars.len()).rev() {
            let j = usize::try_from(below(caller, i as u64 + 1)?).unwrap_or(0);
            chars.swap(i, j);
        }
        Ok(chars.into_iter().collect::<String>().into())
    }),
    fixed("uuidv4", &[], |caller, _| {
        let mut b = bytes(caller, 16)?;
        b[6] = b[6] & 0x0f | 0x40;
        b[8] = b[8] & 0x3f | 0x80;
        let hex = hex::encode(&b);
        Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]).into())
    }),
    fixed("env", &[Param::Str], |caller, a| Ok(caller.door().ask(&Question::Env(&text(a, 0).lossy()))?)),
    fixed("expandenv", &[Param::Str], |caller, a| expand(caller, &text(a, 0).lossy())),
    fixed("getHostByName", &[Param::Str], |caller, a| {
        Ok(caller.door().ask(&Question::Host(&text(a, 0).lossy()))?)
    }),
];

/// Random bytes from the door.
pub(super) fn bytes(caller: &Caller<'_, '_>, n: usize) -> Result<Vec<u8>, Fault> {
    let answer = caller.door().ask(&Question::Random(n))?;
    let bytes = answer.as_list().and_then(crate::yaml::List::bytes).unwrap_or_default();
    if bytes.len() == n { Ok(bytes) } else { Err("not enough random bytes".into()) }
}

/// A number below `limit`; the bias of 64 bits is far below what anyone could see.
fn below(caller: &Caller<'_, '_>, limit: u64) -> Result<u64, Fault> {
    let mut block = [0; 8];
    block.copy_from_slice(&bytes(caller, 8)?);
    let wide = u128::from(u64::from_be_bytes(block)) * u128::from(limit.max(1));
    Ok(u64::try_from(wide >> 64).unwrap_or(0))
}

fn letters(caller: &Caller<'_, '_>, a: &[Value], alphabet: &[u8]) -> Result<Value, Fault> {
    let n = usize::try_from(int(a, 0)).unwrap_or(0);
    let bytes = bytes(caller, affordable(n.checked_mul(2))?)?;
    let pick = |pair: &[u8]| {
        let wide = (usize::from(pair[0]) << 8 | usize::from(pair[1])) * alphabet.len();
        alphabet[wide >> 16]
    };
    Ok(Value::str(bytes.chunks_exact(2).map(pick).collect::<Vec<u8>>()))
}

/// Go's `os.ExpandEnv`: `$name` and `${name}`.
fn expand(caller: &Caller<'_, '_>, source: &str) -> Result<Value, Fault> {
    let mut out = String::new();
    let mut rest = source;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (name, tail) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, tail)) => (name, tail),
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        if name.is_empty() {
            out.push('$');
            continue;
        }
        let value = caller.door().ask(&Question::Env(name))?;
        out.push_str(&value.as_text().map(ToString::to_string).unwrap_or_default());
        rest = tail;
    }
    out.push_str(rest);
    Ok(out.into())
}
