//! The socket between the main process and the far side: lines of JSON both ways, and descriptors beside them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job::Job;

/// One end of the socket.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    /// Bytes that came and are no whole line yet.
    pending: Vec<u8>,
    /// A descriptor that came.
    descriptor: Option<OwnedFd>,
}

/// What came over a [`Link`].
#[derive(Debug)]
pub struct Received<T> {
    /// The messages, in order.
    pub messages: Vec<T>,
    /// Whether the other end is closed.
    pub closed: bool,
}

impl Link {
    /// Two ends.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Self::new(a), Self::new(b)))
    }

    /// The end that is this descriptor.
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, pending: Vec::new(), descriptor: None }
    }

    /// The descriptor of this end.
    pub fn into_fd(self) -> OwnedFd {
        self.socket
    }

    /// Sends the job, with the descriptor of standard input if the step is to have one.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn send_job(&self, job: &Job, input: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let body = serde_json::to_vec(job)?;
        self.send_bytes(&(body.len() as u64).to_le_bytes(), input)?;
        self.send_bytes(&body, None)
    }

    /// Receives the job, and the descriptor that came with it.
    ///
    /// # Errors
    /// What the kernel says; or what came is no job.
    pub fn receive_job(&mut self) -> io::Result<(Job, Option<OwnedFd>)> {
        let mut wanted = None;
        loop {
            if wanted.is_none() && self.pending.len() >= 8 {
                let rest = self.pending.split_off(8);
                let length: [u8; 8] =
                    std::mem::replace(&mut self.pending, rest).try_into().unwrap_or_default();
                wanted = usize::try_from(u64::from_le_bytes(length)).ok();
            }
            match wanted {
                Some(length) if self.pending.len() >= length => {
                    let rest = self.pending.split_off(length);
                    let job = serde_json::from_slice(&std::mem::replace(&mut self.pending, rest))?;
                    return Ok((job, self.descriptor.take()));
                }
                _ if self.fill()? == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
        }
    }

    /// Sends one message, with a descriptor beside it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn send(&self, message: &impl Serialize, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.send_bytes(&line, descriptor)
    }

    /// Receives what is there; waits if nothing is. Messages nobody understands are dropped.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Received<T>> {
        let closed = match self.fill() {
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => true,
            other => other? == 0,
        };
        let mut messages = Vec::new();
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let rest = self.pending.split_off(end + 1);
            let line = std::mem::replace(&mut self.pending, rest);
            messages.extend(serde_json::from_slice(&line));
        }
        Ok(Received { messages, closed })
    }

    /// The descriptor that came last, if it was not taken yet.
    pub fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptor.take()
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 16 << 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recvmsg(
                &self.socket,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
        })?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptor = descriptors.last().or(self.descriptor.take());
            }
        }
        self.pending.extend_from_slice(&bytes[..received.bytes]);
        Ok(received.bytes)
    }

    fn send_bytes(&self, mut bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        while !bytes.is_empty() {
            let sent = rustix::io::retry_on_intr(|| {
                rustix::net::sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
            })?;
            control.clear();
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Note, Request};

    #[test]
    fn messages_arrive_whole_and_in_order_with_their_descriptor() {
        let (here, mut there) = Link::pair().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        here.send(&Note::Terminal, Some(null.as_fd())).unwrap();
        here.send(&Note::Reduced("x".repeat(100)), None).unwrap();
        drop(here);
        let mut notes = Vec::new();
        loop {
            let received = there.receive::<Note>().unwrap();
            notes.extend(received.messages);
            if received.closed {
                break;
            }
        }
        assert_eq!(notes, [Note::Terminal, Note::Reduced("x".repeat(100))]);
        assert!(there.take_descriptor().is_some());
        let (here, mut there) = Link::pair().unwrap();
        here.send(&"nonsense", None).unwrap();
        here.send(&Request::Signal(15), None).unwrap();
        assert_eq!(there.receive::<Request>().unwrap().messages, [Request::Signal(15)]);
    }
}
