//! Reading what is compressed, in whatever way.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::GzDecoder;
use zstd::stream::raw::Operation as _;

use crate::oci::compress::Kind;

const BUFFER: usize = 128 << 10;

type Input<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// The uncompressed bytes of `reader`, whose compression is seen from its first bytes.
///
/// # Errors
/// If the first bytes cannot be read, or zstd cannot be set up.
pub fn decompress<R: Read>(mut reader: R) -> io::Result<Decompress<R>> {
    let mut head = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut head)?;
    let kind = Kind::sniff(&head);
    let input = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(reader));
    let state = match kind {
        Kind::Plain => State::Plain(input),
        Kind::Gzip => State::Gzip(GzipReader::Between(input)),
        Kind::Zstd => {
            State::Zstd(ZstdReader { input, decoder: zstd::stream::raw::Decoder::new()?, between: true })
        }
    };
    Ok(Decompress { kind, state })
}

/// Reads uncompressed bytes; made by [`decompress`].
pub struct Decompress<R> {
    kind: Kind,
    state: State<R>,
}

enum State<R> {
    Plain(Input<R>),
    Gzip(GzipReader<R>),
    Zstd(ZstdReader<R>),
}

impl<R: Read> Decompress<R> {
    /// How the bytes were compressed.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl<R: Read> Read for Decompress<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        match &mut self.state {
            State::Plain(input) => input.read(buf),
            State::Gzip(reader) => reader.read(buf),
            State::Zstd(reader) => reader.read(buf),
        }
    }
}

enum GzipReader<R> {
    /// At the beginning, or after a member.
    Between(Input<R>),
    Member(Box<GzDecoder<Input<R>>>),
    Ended,
}

impl<R: Read> GzipReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            *self = match std::mem::replace(self, Self::Ended) {
                Self::Ended => return Ok(0),
                Self::Between(mut input) => {
                    if at_end(&mut input, "gzip")? {
                        return Ok(0);
                    }
                    Self::Member(Box::new(GzDecoder::new(input)))
                }
                Self::Member(mut member) => match member.read(buf)? {
                    0 => Self::Between(member.into_inner()),
                    n => {
                        *self = Self::Member(member);
                        return Ok(n);
                    }
                },
            };
        }
    }
}

struct ZstdReader<R> {
    input: Input<R>,
    decoder: zstd::stream::raw::Decoder<'static>,
    /// At the beginning, or after a frame.
    between: bool,
}

impl<R: Read> ZstdReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.between {
                if at_end(&mut self.input, "zstd")? {
                    return Ok(0);
                }
                self.between = false;
            }
            let available = self.input.fill_buf()?;
            let ended = available.is_empty();
            let status = self.decoder.run_on_buffers(available, buf).map_err(memory)?;
            self.input.consume(status.bytes_read);
            self.between = status.remaining == 0;
            if status.bytes_written > 0 {
                return Ok(status.bytes_written);
            }
            if ended && !self.between {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "zstd data ends within a frame"));
            }
        }
    }
}

/// The error of a frame that asks for a window of more than 128 MiB, by its kind.
fn memory(error: io::Error) -> io::Error {
    let kind = match error.to_string().contains("too much memory") {
        true => io::ErrorKind::OutOfMemory,
        false => error.kind(),
    };
    io::Error::new(kind, error)
}

/// Whether nothing but zeros follows.
fn at_end<R: Read>(input: &mut Input<R>, what: &str) -> io::Result<bool> {
    let mut padded = false;
    loop {
        let available = input.fill_buf()?;
        let zeros = available.iter().take_while(|b| **b == 0).count();
        if available.is_empty() {
            return Ok(true);
        }
        if zeros < available.len() {
            if padded || zeros > 0 {
                let reason = format!("{what} data is followed by something else");
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            return Ok(false);
        }
        padded = true;
        input.consume(zeros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::compress::{Compression, Compressor};
    use std::io::Write as _;

    fn pack(compression: Compression, data: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::new(Vec::new(), compression).unwrap();
        compressor.write_all(data).unwrap();
        compressor.finish().unwrap()
    }

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = buf.len().min(1);
            self.0.read(&mut buf[..n])
        }
    }

    fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompress(bytes)?.read_to_end(&mut out)?;
        let mut slow = Vec::new();
        decompress(Slow(bytes))?.read_to_end(&mut slow)?;
        assert_eq!(out, slow);
        Ok(out)
    }

    const BOTH: [Compression; 2] = [Compression::Gzip(6), Compression::Zstd(3)];

    #[test]
    fn many_members_and_padding() {
        for compression in BOTH {
            let mut bytes =
                [pack(compression, b"one "), pack(compression, b""), pack(compression, b"two")].concat();
            assert_eq!(unpack(&bytes).unwrap(), b"one two");
            bytes.extend([0; 300_000]);
            assert_eq!(unpack(&bytes).unwrap(), b"one two");
            bytes.push(1);
            assert_eq!(unpack(&bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn skippable_frames() {
        let skip = |n: u8| [&[0x50 + n, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let frame = pack(Compression::Zstd(3), b"data");
        let bytes = [skip(0), frame.clone(), skip(15), frame, skip(1)].concat();
        assert_eq!(unpack(&bytes).unwrap(), b"datadata");
    }

    #[test]
    fn truncation_is_an_error_at_every_place() {
        for compression in BOTH {
            let bytes = pack(compression, b"some data that is long enough");
            for n in 4..bytes.len() {
                assert!(unpack(&bytes[..n]).is_err(), "{compression} cut to {n}");
            }
        }
    }

    #[test]
    fn plain_passes() {
        for data in [&b""[..], b"a", b"\x1f", b"ustar and more"] {
            assert_eq!(unpack(data).unwrap(), data);
        }
        assert_eq!(decompress(&b""[..]).unwrap().kind(), Kind::Plain);
    }
}
