//! A limit against streams that are small where they come from and endless once decompressed.

use std::error::Error;
use std::io::{self, Read};

use crate::oci::layer;

/// More came out of a stream than was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: more than {} once decompressed", size(*limit))]
pub struct TooLarge {
    /// Bytes that were allowed.
    pub limit: u64,
}

fn size(bytes: u64) -> String {
    match bytes {
        gib if gib >= 1 << 30 && gib.is_multiple_of(1 << 30) => format!("{} GiB", gib >> 30),
        mib if mib >= 1 << 20 && mib.is_multiple_of(1 << 20) => format!("{} MiB", mib >> 20),
        bytes => format!("{bytes} bytes"),
    }
}

/// The bytes of `reader`, and an error with [`TooLarge`] in it instead of the first one behind `limit`.
pub fn at_most<R: Read>(reader: R, limit: u64) -> AtMost<R> {
    AtMost { inner: reader, left: limit, limit }
}

/// Reads a stream up to a limit; made by [`at_most`].
pub struct AtMost<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Read for AtMost<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte more is asked for, so that a stream of exactly the limit is let through.
        let most = usize::try_from(self.left.saturating_add(1)).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(&mut buffer[..most])?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::new(io::ErrorKind::FileTooLarge, TooLarge { limit: self.limit })),
        }
        Ok(count)
    }
}

/// What to advise if one of the limits of archives is why `error` came about.
pub fn limit_hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An I/O error hides what it was made of from `source`.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<TooLarge>()) || error.is::<TooLarge>() {
            return Some(
                "if it is meant to be so large, raise the limit with --max-layer-size or LAP_MAX_LAYER_SIZE",
            );
        }
        if let Some(layer::Error::Limit { what: layer::ENTRIES, .. }) = error.downcast_ref() {
            return Some(
                "if it is meant to have so many, raise the limit with --max-layer-entries or LAP_MAX_LAYER_ENTRIES",
            );
        }
        next = error.source().or_else(|| inner.and_then(|inner| inner.source()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_what_may_pass() {
        let read = |length: u64, limit| {
            let mut out = Vec::new();
            at_most(io::repeat(7).take(length), limit).read_to_end(&mut out).map(|_| out.len())
        };
        assert_eq!(read(1000, 1000).unwrap(), 1000);
        assert_eq!(read(0, 0).unwrap(), 0);
        let error = read(1001, 1000).unwrap_err();
        assert!(limit_hint(&error).is_some_and(|hint| hint.contains("--max-layer-size")));
        assert_eq!(error.to_string(), "refused: more than 1000 bytes once decompressed");
        assert_eq!(TooLarge { limit: 3 << 30 }.to_string(), "refused: more than 3 GiB once decompressed");
        let through = layer::Error::Io { doing: "read", source: read(9, 8).unwrap_err() };
        assert!(limit_hint(&through).is_some());
        assert!(limit_hint(&io::Error::other("else")).is_none());
    }
}
