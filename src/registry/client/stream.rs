//! Reading a blob as a stream, without keeping it.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::runtime::Handle;

use super::Client;
use crate::base::{BlobDigest, Digest, Hasher, Reference};
use crate::registry::{BlobRequest, BlobSink, BlobSource, Error};
use crate::report::Context;

/// Pieces that are on their way between the connection and the reader.
const PIECES: usize = 16;

impl Client {
    /// A blob of a repository that is read while it comes. The reader blocks; its end is only reached once size and
    /// digest were found right, so whoever reads to the end has verified bytes. Dropping it ends the transfer.
    ///
    /// Must be called within the runtime that the client runs on.
    pub fn stream_blob(
        &self,
        cx: &Context,
        repository: &Reference,
        digest: &BlobDigest,
        size: u64,
    ) -> BlobStream {
        RemoteBlob::new(self, cx, repository, digest, size).start()
    }
}

/// The bytes of a blob that is being pulled.
pub struct BlobStream {
    pieces: Receiver<Result<Vec<u8>, Error>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for BlobStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.piece.read(buffer)? {
                0 if !buffer.is_empty() => match self.pieces.recv() {
                    Ok(Ok(piece)) => self.piece = io::Cursor::new(piece),
                    Ok(Err(error)) => return Err(io::Error::other(error)),
                    Err(_) => return Ok(0),
                },
                count => return Ok(count),
            }
        }
    }
}

/// A blob that another registry has, as the source of a push.
#[derive(Clone)]
pub struct RemoteBlob {
    client: Client,
    cx: Context,
    repository: Reference,
    digest: BlobDigest,
    size: u64,
    runtime: Handle,
}

impl RemoteBlob {
    /// The blob `digest` of `repository`, of `size` bytes.
    ///
    /// Must be called within the runtime that the client runs on.
    pub fn new(
        client: &Client,
        cx: &Context,
        repository: &Reference,
        digest: &BlobDigest,
        size: u64,
    ) -> Self {
        let (client, cx, runtime) = (Client { feeds: true, ..client.clone() }, cx.clone(), Handle::current());
        Self { client, cx, repository: repository.clone(), digest: digest.clone(), size, runtime }
    }

    /// Begins to pull. On a thread that may block: a slow reader must not hold up other transfers.
    fn start(&self) -> BlobStream {
        let (sender, pieces) = sync_channel(PIECES);
        let this = self.clone();
        self.runtime.spawn_blocking(move || {
            let mut sink = Pipe::new(&this.digest, sender);
            let blob = BlobRequest::new(&this.repository, &this.digest, this.size);
            let pulled = this.runtime.block_on(this.client.pull_blob(&this.cx, &blob, &mut sink));
            if let Err(error) = pulled {
                // A reader that went away does not want to know.
                let _ = sink.sender.send(Err(error));
            }
        });
        BlobStream { pieces, piece: io::Cursor::default() }
    }
}

impl BlobSource for RemoteBlob {
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut stream = self.start();
        let skipped = io::copy(&mut (&mut stream).take(offset), &mut io::sink())?;
        match skipped == offset {
            true => Ok(Box::new(stream)),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Hands on what comes. What was handed on cannot be taken back: after a new beginning the same bytes must come again.
struct Pipe {
    sender: SyncSender<Result<Vec<u8>, Error>>,
    fresh: Hasher,
    hasher: Hasher,
    position: u64,
    /// How much was handed on before the last new beginning, and its digest.
    before: Option<(u64, Digest)>,
}

impl Pipe {
    fn new(digest: &BlobDigest, sender: SyncSender<Result<Vec<u8>, Error>>) -> Self {
        let fresh = digest.digest().algorithm().hasher();
        Self { sender, hasher: fresh.clone(), fresh, position: 0, before: None }
    }

    fn hand_on(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sender.send(Ok(bytes.to_vec())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl BlobSink for Pipe {
    fn position(&self) -> u64 {
        self.position
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut new = bytes;
        if let Some((length, digest)) = self.before.clone() {
            let left = usize::try_from(length - self.position).unwrap_or(usize::MAX).min(bytes.len());
            let (again, rest) = bytes.split_at(left);
            self.hasher.update(again);
            self.position += again.len() as u64;
            if self.position < length {
                return Ok(());
            }
            if self.hasher.clone().finish() != digest {
                return Err(io::Error::other("the registry gave other bytes than the first time"));
            }
            self.before = None;
            new = rest;
        }
        if !new.is_empty() {
            self.hand_on(new)?;
            self.hasher.update(new);
            self.position += new.len() as u64;
        }
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        let hasher = std::mem::replace(&mut self.hasher, self.fresh.clone());
        let position = std::mem::take(&mut self.position);
        // In the middle of the second time the first time still counts.
        if self.before.is_none() && position > 0 {
            self.before = Some((position, hasher.finish()));
        }
        Ok(())
    }

    fn digest(&mut self) -> io::Result<Digest> {
        Ok(self.hasher.clone().finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe(data: &[u8]) -> (Pipe, Receiver<Result<Vec<u8>, Error>>) {
        let (sender, receiver) = sync_channel(100);
        (Pipe::new(&BlobDigest::of(data), sender), receiver)
    }

    fn read(pieces: Receiver<Result<Vec<u8>, Error>>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        BlobStream { pieces, piece: io::Cursor::default() }.read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn a_new_beginning_is_not_seen() {
        let (mut pipe, pieces) = pipe(b"0123456789");
        pipe.write(b"0123").unwrap();
        pipe.restart().unwrap();
        pipe.write(b"01").unwrap();
        pipe.restart().unwrap();
        assert_eq!(pipe.position(), 0);
        pipe.write(b"012").unwrap();
        pipe.write(b"345").unwrap();
        pipe.write(b"6789").unwrap();
        assert_eq!(BlobDigest::new(pipe.digest().unwrap()), BlobDigest::of(b"0123456789"));
        drop(pipe);
        assert_eq!(read(pieces).unwrap(), b"0123456789");
    }

    #[test]
    fn other_bytes_the_second_time_are_an_error() {
        let (mut pipe, _pieces) = pipe(b"0123");
        pipe.write(b"0x2").unwrap();
        pipe.restart().unwrap();
        let error = pipe.write(b"0123").unwrap_err();
        assert!(error.to_string().contains("other bytes"), "{error}");
    }

    #[test]
    fn the_failure_of_the_transfer_reaches_the_reader() {
        let (mut pipe, pieces) = pipe(b"0123");
        pipe.write(b"01").unwrap();
        pipe.sender.send(Err(Error::Cancelled)).unwrap();
        drop(pipe);
        assert!(read(pieces).is_err());
    }
}
