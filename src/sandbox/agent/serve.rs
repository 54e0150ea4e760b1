//! The socket: one thread that accepts, one for each connection.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use ssh_agent_lib::proto::{Identity, PublicCredential, Request, Response, SignRequest};
use ssh_agent_lib::ssh_encoding::{Decode as _, Encode as _};

use super::{AgentSource, Key, SocketAccess};
use crate::sandbox::{Error, Result};

/// As OpenSSH's own agent: longer messages are nobody's.
const LONGEST: usize = 256 << 10;
const REQUEST_IDENTITIES: u8 = 11;
const SIGN_REQUEST: u8 = 13;
const FAILURE: [u8; 1] = [5];

/// A socket with an agent behind it, until it is dropped.
#[derive(Debug)]
pub struct Agent {
    folder: tempfile::TempDir,
    over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Agent {
    /// Listens on a socket of its own.
    ///
    /// # Errors
    /// [`Error::Spawn`] if there is no place for one, or it cannot be given to its owner.
    pub fn serve(source: Arc<AgentSource>, access: SocketAccess) -> Result<Self> {
        let fail = |source| Error::Spawn { doing: "make a socket for an agent", source };
        let folder = tempfile::Builder::new().prefix("lap-agent-").tempdir().map_err(fail)?;
        let listener = listen(folder.path(), access).map_err(fail)?;
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let accepting = std::thread::Builder::new().name("agent".to_owned()).spawn(move || {
            for client in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(client), source) = (client, Arc::clone(&source)) else { continue };
                // Ends when the step does, and its side of the connection with it.
                let served = std::thread::Builder::new().name("agent".to_owned());
                let _ = served.spawn(move || drop(answer(client, &source)));
            }
        });
        Ok(Self { folder, over, accepting: Some(accepting.map_err(fail)?) })
    }

    /// Where the socket is.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        if connect(&self.socket()).is_ok()
            && let Some(thread) = self.accepting.take()
        {
            let _ = thread.join();
        }
    }
}

const NAME: &str = "socket";

fn listen(folder: &Path, access: SocketAccess) -> io::Result<UnixListener> {
    let opened =
        rustix::fs::openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // By its descriptor: the name of a socket holds a hundred bytes, a folder's may be longer.
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/{NAME}", opened.as_raw_fd()))?;
    let (uid, gid) = (Uid::from_raw(access.uid), Gid::from_raw(access.gid));
    rustix::fs::chownat(&opened, NAME, Some(uid), Some(gid), rustix::fs::AtFlags::empty())?;
    rustix::fs::chmodat(&opened, NAME, Mode::from_raw_mode(access.mode), rustix::fs::AtFlags::empty())?;
    Ok(listener)
}

fn connect(socket: &Path) -> io::Result<UnixStream> {
    let (folder, name) = (socket.parent().unwrap_or(Path::new("/")), socket.file_name().unwrap_or_default());
    let opened =
        rustix::fs::openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    UnixStream::connect(Path::new(&format!("/proc/self/fd/{}", opened.as_raw_fd())).join(name))
}

/// Answers until the client has enough.
fn answer(mut client: UnixStream, source: &AgentSource) -> io::Result<()> {
    let mut behind = match source {
        AgentSource::Socket(socket) => Some(connect(socket)?),
        AgentSource::Keys(_) => None,
    };
    while let Some(message) = receive(&mut client)? {
        let reply = match (&mut behind, source, message.first()) {
            (Some(agent), _, Some(&(REQUEST_IDENTITIES | SIGN_REQUEST))) => {
                send(agent, &message)?;
                receive(agent)?.ok_or(io::ErrorKind::UnexpectedEof)?
            }
            (None, AgentSource::Keys(keys), _) => {
                let mut bytes = Vec::new();
                reply(keys, &message).encode(&mut bytes).map_err(io::Error::other)?;
                bytes
            }
            _ => FAILURE.to_vec(),
        };
        send(&mut client, &reply)?;
    }
    Ok(())
}

fn reply(keys: &[Key], message: &[u8]) -> Response {
    match Request::decode(&mut &*message) {
        Ok(Request::RequestIdentities) => {
            let identity = |key: &Key| {
                let credential = PublicCredential::Key(key.public());
                Identity { credential, comment: key.comment() }
            };
            Response::IdentitiesAnswer(keys.iter().map(identity).collect())
        }
        Ok(Request::SignRequest(SignRequest { credential: PublicCredential::Key(wanted), data, flags })) => {
            let key = keys.iter().find(|key| key.public() == wanted);
            let signed = key.and_then(|key| key.sign(&data, flags));
            signed.map_or(Response::Failure, Response::SignResponse)
        }
        _ => Response::Failure,
    }
}

/// One message without its length; `None` at the end.
fn receive(stream: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length == 0 || length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    Ok(Some(message))
}

fn send(stream: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    stream.write_all(&[&length.to_be_bytes()[..], message].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::program;

    fn program(name: &str, arguments: &[&str]) -> program::Output {
        program::run(name, arguments, b"", std::time::Duration::from_secs(120))
            .expect("install openssh-client")
    }

    fn key_file(folder: &Path, name: &str, more: &[&str]) -> PathBuf {
        let path = folder.join(name);
        let mut arguments = vec!["-q", "-N", "", "-C", name, "-f", path.to_str().unwrap()];
        arguments.extend(more);
        assert_eq!(program("ssh-keygen", &arguments).code, Some(0));
        path
    }

    fn own() -> SocketAccess {
        let (uid, gid) = crate::host::user();
        SocketAccess { mode: 0o600, uid, gid }
    }

    /// What OpenSSH's own tool says of the agent, and whether it signs so that OpenSSH believes it.
    fn check(agent: &Agent, folder: &Path, public: &Path) -> (String, bool) {
        let socket = agent.socket().display().to_string();
        let listed = program("env", &[&format!("SSH_AUTH_SOCK={socket}"), "ssh-add", "-L"]);
        let public = public.display().to_string();
        let message = folder.join("message").display().to_string();
        crate::host::fs::write(&message, "text").unwrap();
        let _ = crate::host::fs::remove_file(format!("{message}.sig"));
        let sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "test", "-f", &public, &message];
        let signed = program("env", &[&[format!("SSH_AUTH_SOCK={socket}").as_str()][..], &sign].concat());
        let check = format!("ssh-keygen -Y check-novalidate -n test -s {message}.sig < {message}");
        let good = signed.code == Some(0) && program("sh", &["-c", &check]).code == Some(0);
        (String::from_utf8(listed.stdout).unwrap(), good)
    }

    #[test]
    fn keys_of_every_kind_are_listed_and_sign() {
        let folder = tempfile::tempdir().unwrap();
        let kinds: [(&str, &[&str]); 5] = [
            ("ed25519", &["-t", "ed25519"]),
            ("ecdsa", &["-t", "ecdsa", "-b", "256"]),
            ("ecdsa384", &["-t", "ecdsa", "-b", "384"]),
            ("rsa", &["-t", "rsa", "-b", "2048"]),
            ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ];
        let files: Vec<_> = kinds.iter().map(|(name, more)| key_file(folder.path(), name, more)).collect();
        let read = |path: &PathBuf| Key::parse("k", &crate::host::fs::read_to_string(path).unwrap()).unwrap();
        let source = Arc::new(AgentSource::Keys(files.iter().map(read).collect()));
        let agent = Agent::serve(Arc::clone(&source), own()).unwrap();
        // Through another agent, as the user's own is.
        let through = Agent::serve(Arc::new(AgentSource::Socket(agent.socket())), own()).unwrap();
        for file in &files {
            let public = file.with_extension("pub");
            let text = crate::host::fs::read_to_string(&public).unwrap();
            let word = text.split(' ').nth(1).unwrap().to_owned();
            for agent in [&agent, &through] {
                let (listed, good) = check(agent, folder.path(), &public);
                assert!(listed.contains(&word) && good, "{}: {listed}", file.display());
            }
        }
        let socket = through.socket().display().to_string();
        for wish in [vec!["-D"], vec![files[0].to_str().unwrap()], vec!["-d", files[0].to_str().unwrap()]] {
            let mut arguments = vec![format!("SSH_AUTH_SOCK={socket}"), "ssh-add".to_owned()];
            arguments.extend(wish.iter().map(|word| (*word).to_owned()));
            let asked: Vec<&str> = arguments.iter().map(String::as_str).collect();
            assert_ne!(program("env", &asked).code, Some(0), "{wish:?}");
        }
        assert!(!format!("{source:?}").contains("PRIVATE"));
    }

    #[test]
    fn what_is_no_usable_key_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locked");
        let arguments = ["-q", "-t", "ed25519", "-N", "passphrase", "-f", path.to_str().unwrap()];
        program("ssh-keygen", &arguments);
        let locked = crate::host::fs::read_to_string(&path).unwrap();
        let why = |text: &str| Key::parse("k", text).unwrap_err().to_string();
        assert!(why(&locked).contains("passphrase"));
        assert!(why("hello").contains("no private key"));
        assert!(why(&locked.replace('A', "")).contains("k"));
    }

    #[test]
    fn nonsense_ends_only_its_own_connection() {
        let agent = Agent::serve(Arc::new(AgentSource::Keys(vec![])), own()).unwrap();
        for nonsense in
            [&b"\0\0\0\0"[..], b"\xff\xff\xff\xff", b"\0\0\0\x02\x0d", b"\0\0\0\x01\x0d", b"\0\0\0\x01\xc8"]
        {
            let mut stream = connect(&agent.socket()).unwrap();
            stream.write_all(nonsense).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut reply = Vec::new();
            let _ = stream.read_to_end(&mut reply);
            assert!(reply.is_empty() || reply == [0, 0, 0, 1, 5], "{reply:?}");
        }
        let mut stream = connect(&agent.socket()).unwrap();
        send(&mut stream, &[REQUEST_IDENTITIES]).unwrap();
        assert_eq!(receive(&mut stream).unwrap().unwrap(), [12, 0, 0, 0, 0]);
        let socket = agent.socket();
        drop(stream);
        drop(agent);
        assert!(!socket.exists());
    }
}
