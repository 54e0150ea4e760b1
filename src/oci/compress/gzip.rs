//! Gzip in independent members, compressed in parallel.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc;

use libdeflater::{CompressionLvl, Compressor};

/// Version of libdeflate: its output may differ in another one.
pub(super) const LIBRARY_VERSION: &str = "1.26";

/// Input bytes of a member.
const MEMBER: usize = 1 << 20;

/// Most members in memory at once, whatever the number of cores.
const MOST_PENDING: usize = 16;

/// Cuts what is written into members, compresses them on rayon's threads and writes them in order.
pub(super) struct GzipWriter<W> {
    out: W,
    level: u8,
    block: Vec<u8>,
    pending: VecDeque<mpsc::Receiver<Member>>,
    limit: usize,
    wrote_member: bool,
    spare: Vec<Vec<u8>>,
}

struct Member {
    block: Vec<u8>,
    compressed: io::Result<Vec<u8>>,
}

impl<W: Write> GzipWriter<W> {
    pub(super) fn new(out: W, level: u8) -> Self {
        Self {
            out,
            level,
            block: Vec::with_capacity(MEMBER),
            pending: VecDeque::new(),
            limit: (rayon::current_num_threads() + 1).min(MOST_PENDING),
            wrote_member: false,
            spare: Vec::new(),
        }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        // An empty file is one empty member.
        if !self.block.is_empty() || !self.wrote_member {
            self.send_block()?;
        }
        while !self.pending.is_empty() {
            self.write_oldest()?;
        }
        Ok(self.out)
    }

    fn send_block(&mut self) -> io::Result<()> {
        while self.pending.len() >= self.limit {
            self.write_oldest()?;
        }
        let next = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(MEMBER));
        let block = std::mem::replace(&mut self.block, next);
        let (sender, receiver) = mpsc::sync_channel(1);
        let level = self.level;
        rayon::spawn(move || {
            let compressed = compress(&block, level);
            // Nobody waits if the writer was dropped.
            let _ = sender.send(Member { block, compressed });
        });
        self.pending.push_back(receiver);
        self.wrote_member = true;
        Ok(())
    }

    fn write_oldest(&mut self) -> io::Result<()> {
        let Some(receiver) = self.pending.pop_front() else { return Ok(()) };
        let mut member = receive(&receiver)?;
        self.out.write_all(&member.compressed?)?;
        member.block.clear();
        self.spare.push(member.block);
        Ok(())
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.block.len() == MEMBER {
            self.send_block()?;
        }
        let n = buf.len().min(MEMBER - self.block.len());
        self.block.extend_from_slice(&buf[..n]);
        Ok(n)
    }

    /// Does not cut the member: that would make the bytes depend on when it is called.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for a member. On one of rayon's own threads it works meanwhile: the member may be queued behind this thread.
fn receive(receiver: &mpsc::Receiver<Member>) -> io::Result<Member> {
    let gone = || io::Error::other("a compression thread ended early");
    if rayon::current_thread_index().is_none() {
        return receiver.recv().map_err(|_| gone());
    }
    loop {
        match receiver.try_recv() {
            Ok(member) => return Ok(member),
            Err(mpsc::TryRecvError::Disconnected) => return Err(gone()),
            Err(mpsc::TryRecvError::Empty) => {
                if rayon::yield_now() != Some(rayon::Yield::Executed) {
                    std::thread::yield_now();
                }
            }
        }
    }
}

thread_local! {
    /// One compressor a thread: making one costs more than compressing a small member.
    static COMPRESSOR: RefCell<Option<(u8, Compressor)>> = const { RefCell::new(None) };
}

fn compress(block: &[u8], level: u8) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(made_for, _)| *made_for != level) {
            let level_of_library = CompressionLvl::new(i32::from(level))
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "gzip has the levels 0 to 12"))?;
            *slot = Some((level, Compressor::new(level_of_library)));
        }
        let Some((_, compressor)) = slot else { return Err(io::Error::other("no compressor")) };
        let mut out = vec![0; compressor.gzip_compress_bound(block.len())];
        let n = compressor.gzip_compress(block, &mut out).map_err(io::Error::other)?;
        out.truncate(n);
        Ok(out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(data: &[u8], write_size: usize) -> Vec<u8> {
        let mut writer = GzipWriter::new(Vec::new(), 6);
        for part in data.chunks(write_size) {
            writer.write_all(part).unwrap();
            writer.flush().unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn same_bytes_whatever_the_writes_and_threads() {
        let data: Vec<u8> = (0..MEMBER * 3 + 5).map(|i| (i * i / 7 % 251) as u8).collect();
        let expected = gzip(&data, usize::MAX);
        for write_size in [777, MEMBER - 1, MEMBER, MEMBER + 1] {
            assert!(gzip(&data, write_size) == expected, "{write_size}");
        }
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            // On the pool's own thread, which with one thread would wait for itself.
            assert!(pool.install(|| gzip(&data, 4096)) == expected, "{threads} threads");
        }
    }

    #[test]
    fn members_are_exact() {
        let members = |n: usize| {
            let bytes = gzip(&vec![0; n], 1000);
            let member = gzip(&vec![0; MEMBER], MEMBER);
            bytes.chunks(member.len()).take_while(|part| **part == member).count()
        };
        assert_eq!((members(MEMBER), members(2 * MEMBER)), (1, 2));
        assert_eq!(gzip(&vec![0; MEMBER], 1).len(), gzip(&vec![0; MEMBER], MEMBER).len());
        assert!(!gzip(b"", 1).is_empty());
    }
}
