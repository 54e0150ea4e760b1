//! A server that sends exactly what a test wants, byte by byte.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A request, as far as tests look at it.
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
}

/// A server on loopback that lives as long as the test process.
pub struct Web {
    /// `127.0.0.1:port`.
    pub host: String,
    asked: Arc<AtomicUsize>,
}

impl Web {
    /// Starts a server; `answer` writes whole responses and says whether the connection goes on.
    pub fn start(
        answer: impl Fn(&Asked, &mut TcpStream) -> std::io::Result<bool> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (answer, asked) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
                std::thread::spawn(move || {
                    let mut writing = stream.try_clone().unwrap();
                    let mut reading = BufReader::new(stream);
                    while let Some(request) = read(&mut reading) {
                        count.fetch_add(1, Ordering::SeqCst);
                        // A client that went away is its own business.
                        if !answer(&request, &mut writing).unwrap_or(false) {
                            return;
                        }
                    }
                });
            }
        });
        Self { host, asked }
    }

    /// How many requests came.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut first = String::new();
    if stream.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 || line == "\r\n" {
            break;
        }
    }
    Some(Asked { method, path })
}

/// Writes a whole answer; the connection goes on.
pub fn reply(
    asked: &Asked,
    to: &mut TcpStream,
    status: u16,
    headers: &str,
    body: &[u8],
) -> std::io::Result<bool> {
    let mut answer =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    if asked.method != "HEAD" {
        answer.extend_from_slice(body);
    }
    to.write_all(&answer)?;
    Ok(true)
}
