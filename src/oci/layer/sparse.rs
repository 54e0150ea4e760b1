//! Maps of files with holes, in GNU tar's four spellings.

use super::{number, pax};

/// A run of content in a file with holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where in the file.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// No more segments than this are believed.
pub(super) const MOST_SEGMENTS: usize = 1 << 20;

/// Reads the slots of an old GNU header or of one of its continuation blocks; empty slots end the list.
pub(super) fn slots(area: &[u8], out: &mut Vec<Segment>) -> Result<(), &'static str> {
    for slot in area.chunks_exact(24) {
        if slot[0] == 0 && slot[12] == 0 {
            break;
        }
        let field = |bytes| number::read(bytes).and_then(|n| u64::try_from(n).ok());
        let (Some(offset), Some(length)) = (field(&slot[..12]), field(&slot[12..])) else {
            return Err("a number of the sparse map is no number");
        };
        out.push(Segment { offset, length });
    }
    Ok(())
}

/// Reads the map of PAX sparse 0.0 (`offset`, `numbytes` repeated) or 0.1 (`map`) from records.
pub(super) fn from_records(records: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<Segment>, &'static str> {
    const BAD: &str = "a number of the sparse map is no number";
    let mut numbers = Vec::new();
    for (key, value) in records {
        match key.as_slice() {
            b"GNU.sparse.map" if value.is_empty() => numbers.clear(),
            b"GNU.sparse.map" => {
                let parts = value.split(|&b| b == b',').map(pax::decimal);
                numbers = parts.collect::<Option<Vec<_>>>().ok_or(BAD)?;
            }
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => numbers.push(pax::decimal(value).ok_or(BAD)?),
            _ => {}
        }
    }
    pairs(&numbers)
}

/// Pairs up offsets and lengths.
pub(super) fn pairs(numbers: &[u64]) -> Result<Vec<Segment>, &'static str> {
    if !numbers.len().is_multiple_of(2) {
        return Err("the sparse map ends in the middle of a pair");
    }
    Ok(numbers.chunks_exact(2).map(|pair| Segment { offset: pair[0], length: pair[1] }).collect())
}

/// Checks that a map is in order, lies in a file of `size` bytes and uses exactly the `stored` bytes.
pub(super) fn check(map: &[Segment], size: u64, stored: u64) -> Result<(), &'static str> {
    let mut end = 0;
    let mut total = 0u64;
    for segment in map {
        let after = segment.offset.checked_add(segment.length);
        let Some(after) = after.filter(|&after| segment.offset >= end && after <= size) else {
            return Err("the sparse map is out of order or leaves the file");
        };
        end = after;
        total += segment.length;
    }
    if total != stored {
        return Err("the sparse map does not fit the stored bytes");
    }
    Ok(())
}
