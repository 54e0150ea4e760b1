//! Somebody between builders and a registry, who answers in its place or does something before it is asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// A request.
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers by their names in lower case.
    pub headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// What becomes of a request.
pub enum Meddling {
    /// The registry answers.
    Pass,
    /// This status, with an error of this code.
    Refuse(u16, &'static str),
}

/// A server on loopback in front of a registry; it lives as long as the test process.
pub struct Meddler {
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Meddler {
    /// Starts one; `before` may change a request, `after` comes when the registry has answered.
    pub fn start(
        behind: &str,
        before: impl Fn(&mut Asked) -> Meddling + Send + Sync + 'static,
        after: impl Fn(&Asked) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let hooks = Arc::new((behind.to_owned(), before, after));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hooks = Arc::clone(&hooks);
                std::thread::spawn(move || {
                    let (behind, before, after) = &*hooks;
                    let mut reading = BufReader::new(stream.try_clone().ok()?);
                    let mut asked = Asked::read(&mut reading)?;
                    let answer = match before(&mut asked) {
                        Meddling::Pass => asked.forward(behind)?,
                        Meddling::Refuse(status, code) => {
                            let body = format!(r#"{{"errors":[{{"code":"{code}","message":"refused"}}]}}"#);
                            let body = if asked.method == "HEAD" { "" } else { &body };
                            let length = body.len();
                            format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
                                     connection: close\r\n\r\n{body}").into_bytes()
                        }
                    };
                    after(&asked);
                    let mut writing = stream;
                    writing.write_all(&answer).ok()
                });
            }
        });
        Self { address }
    }
}

impl Asked {
    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let line = |stream: &mut BufReader<TcpStream>| {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
            Some(line.trim_end().to_owned())
        };
        let first = line(stream)?;
        let mut words = first.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let header = line(stream)?;
            let Some((name, value)) = header.split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let mut body = Vec::new();
        let length = headers.get("content-length").and_then(|text| text.parse().ok());
        if let Some(length) = length {
            body.resize(length, 0);
            stream.read_exact(&mut body).ok()?;
        } else if headers.remove("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(&line(stream)?, 16).ok()?;
                let start = body.len();
                body.resize(start + size, 0);
                stream.read_exact(&mut body[start..]).ok()?;
                line(stream);
                if size == 0 {
                    break;
                }
            }
        }
        Some(Self { method, path, headers, body })
    }

    /// The registry's answer, to its end.
    fn forward(&self, behind: &str) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(behind).ok()?;
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        let ours = ["connection", "content-length"];
        for (name, value) in self.headers.iter().filter(|(name, _)| !ours.contains(&name.as_str())) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", self.body.len()));
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(&self.body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(answer)
    }
}
