//! Reading a stream ahead on a thread of its own: decompressing goes on while what came before is used.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

/// Bytes handed over at once.
const PIECE: usize = 256 << 10;
/// Pieces that may wait.
const WAITING: usize = 4;

/// What the thread has read, in order.
pub(super) struct Ahead {
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// Used pieces on their way back.
    used: SyncSender<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Ahead {
    /// Starts reading `stream`; when this is dropped, the thread ends after the read it is in.
    pub fn start<'scope>(scope: &'scope Scope<'scope, '_>, stream: impl Read + Send + 'scope) -> Self {
        let (pieces, received) = sync_channel(WAITING);
        let (used, returned) = sync_channel(WAITING + 2);
        scope.spawn(move || read(stream, &pieces, &returned));
        Self { pieces: received, used, piece: Vec::new(), at: 0, ended: false }
    }
}

fn read(mut stream: impl Read, to: &SyncSender<io::Result<Vec<u8>>>, returned: &Receiver<Vec<u8>>) {
    loop {
        let mut piece = returned.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let outcome = fill(&mut stream, &mut piece);
        let ended = !matches!(outcome, Ok(PIECE));
        let sent = match outcome {
            Ok(count) => {
                piece.truncate(count);
                to.send(Ok(piece))
            }
            Err(error) => to.send(Err(error)),
        };
        if ended || sent.is_err() {
            return;
        }
    }
}

/// Reads until the buffer is full or the stream ends. An error behind bytes is told at the next call, if it lasts.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            if self.ended || buffer.is_empty() {
                return Ok(0);
            }
            match self.pieces.recv() {
                Ok(Ok(piece)) => {
                    self.ended = piece.len() < PIECE;
                    let _ = self.used.try_send(std::mem::replace(&mut self.piece, piece));
                    self.at = 0;
                }
                Ok(Err(error)) => {
                    self.ended = true;
                    return Err(error);
                }
                // The thread ends without a last word only if it panicked.
                Err(_) => return Err(io::Error::other("the thread that reads ahead ended early")),
            }
        }
        let count = buffer.len().min(self.piece.len() - self.at);
        buffer[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_in_order_and_errors_too() {
        let data: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
        for length in [0, 1, PIECE, PIECE + 1, data.len()] {
            let mut out = Vec::new();
            std::thread::scope(|scope| Ahead::start(scope, &data[..length]).read_to_end(&mut out)).unwrap();
            assert!(out == data[..length], "{length}");
        }
        let failing = (&data[..10]).chain(Failing);
        let error = std::thread::scope(|scope| Ahead::start(scope, failing).read_to_end(&mut Vec::new()));
        assert_eq!(error.unwrap_err().to_string(), "torn");
        // Nobody reads to the end: the thread goes away.
        std::thread::scope(|scope| Ahead::start(scope, io::repeat(1)).read(&mut [0; 10]).unwrap());
    }

    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("torn"))
        }
    }
}
