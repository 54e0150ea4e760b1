//! One writer for all compressions.

use std::io::{self, Write};

use crate::oci::compress::Compression;
use crate::oci::compress::gzip::GzipWriter;

/// Compresses what is written. Must be finished: what is dropped is not complete.
pub struct Compressor<W: Write>(Inner<W>);

enum Inner<W: Write> {
    Plain(W),
    Gzip(GzipWriter<W>),
    Zstd(Box<zstd::Encoder<'static, W>>),
}

impl<W: Write> Compressor<W> {
    /// A compressor in front of `out`.
    ///
    /// # Errors
    /// If zstd cannot be set up (memory).
    pub fn new(out: W, compression: Compression) -> io::Result<Self> {
        Ok(Self(match compression {
            Compression::None => Inner::Plain(out),
            Compression::Gzip(level) => Inner::Gzip(GzipWriter::new(out, level)),
            Compression::Zstd(level) => {
                let mut encoder = zstd::Encoder::new(out, i32::from(level))?;
                encoder.include_checksum(true)?;
                let threads = rayon::current_num_threads().clamp(1, 8);
                // Always, also with one thread: the single-thread mode gives other bytes.
                encoder.multithread(u32::try_from(threads).unwrap_or(1))?;
                Inner::Zstd(Box::new(encoder))
            }
        }))
    }

    /// Writes what is left and gives the writer below back.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Inner::Plain(out) => Ok(out),
            Inner::Gzip(writer) => writer.finish(),
            Inner::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(out) => out.write(buf),
            Inner::Gzip(writer) => writer.write(buf),
            Inner::Zstd(encoder) => encoder.write(buf),
        }
    }

    /// Compressed data is never cut early: a flush must not change the bytes.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Plain(out) => out.flush(),
            Inner::Gzip(_) | Inner::Zstd(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::compress::decompress;
    use std::io::Read as _;

    fn compress(data: &[u8], compression: Compression, write_size: usize) -> Vec<u8> {
        let mut compressor = Compressor::new(Vec::new(), compression).unwrap();
        for part in data.chunks(write_size) {
            compressor.write_all(part).unwrap();
            compressor.flush().unwrap();
        }
        compressor.finish().unwrap()
    }

    #[test]
    fn zstd_gives_the_same_bytes_whatever_the_writes_and_threads() {
        let data: Vec<u8> = (0..5_000_000u64).map(|i| (i * i / 3 % 249) as u8).collect();
        let expected = compress(&data, Compression::Zstd(3), data.len());
        for write_size in [777, 128 << 10, 1 << 20] {
            assert!(compress(&data, Compression::Zstd(3), write_size) == expected, "{write_size}");
        }
        for threads in [1, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(|| compress(&data, Compression::Zstd(3), 5000)) == expected, "{threads}");
        }
    }

    #[test]
    fn round_trips() {
        for compression in
            [Compression::None, Compression::Gzip(1), Compression::Gzip(12), Compression::Zstd(1)]
        {
            for data in [Vec::new(), b"x".to_vec(), vec![7; 3 << 20]] {
                let compressed = compress(&data, compression, 1 << 16);
                let mut back = Vec::new();
                decompress(compressed.as_slice()).unwrap().read_to_end(&mut back).unwrap();
                assert!(back == data, "{compression} of {} bytes", data.len());
            }
        }
    }
}
