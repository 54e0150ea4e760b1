//! A web server on loopback for one case: files of the case's folder `@server`, redirects, and the Git repositories in
//! other folders as `/NAME.git`, by Git's own server program.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::case::Case;

/// The server; it stops when dropped.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub address: String,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Site {
    root: PathBuf,
    redirects: BTreeMap<String, String>,
    headers: BTreeMap<String, Vec<String>>,
}

struct Question {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Server {
    /// Serves what `case` laid out below `root`.
    pub fn start(case: &Case, root: &Path) -> Self {
        let pair = |rest: &str| rest.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for part in case.all("header") {
            let (path, line) = pair(&part.rest);
            headers.entry(path).or_default().push(line);
        }
        let redirects = case.all("redirect").map(|part| pair(&part.rest)).collect();
        let site = Arc::new(Site { root: root.to_owned(), redirects, headers });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let site = Arc::clone(&site);
                thread::spawn(move || stream.map(|stream| site.talk(stream)));
            }
        });
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes it up.
        let _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Site {
    fn talk(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if let Some(question) = read(&mut reader) {
            let answer = self.answer(&question);
            let _ = stream.write_all(&answer);
        }
    }

    fn answer(&self, question: &Question) -> Vec<u8> {
        if let Some(target) = self.redirects.get(&question.path) {
            return plain("302 Found", &[format!("Location: {target}")], b"");
        }
        if let Some((name, rest)) = question.path.trim_start_matches('/').split_once(".git/") {
            return self.git(question, name, rest);
        }
        let path = self.root.join("server").join(question.path.trim_start_matches('/'));
        let Ok(content) = fs::read(&path) else {
            return plain("404 Not Found", &[], b"there is no such file\n");
        };
        let mut headers = self.headers.get(&question.path).cloned().unwrap_or_default();
        if !headers.iter().any(|line| line.starts_with("Last-Modified:")) {
            let time = jiff::Timestamp::from_second(fs::metadata(&path).unwrap().mtime()).unwrap();
            headers.push(format!("Last-Modified: {}", time.strftime("%a, %d %b %Y %H:%M:%S GMT")));
        }
        headers.retain(|line| line != "Last-Modified: none");
        let body: &[u8] = if question.method == "HEAD" { b"" } else { &content };
        let mut head =
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n", content.len());
        headers.iter().for_each(|line| head += &format!("{line}\r\n"));
        [head.as_bytes(), b"\r\n", body].concat()
    }

    /// Asks `git http-backend`, a CGI program.
    fn git(&self, question: &Question, name: &str, rest: &str) -> Vec<u8> {
        let folder = self.root.join(name);
        let header = |name: &str| question.headers.get(name).cloned().unwrap_or_default();
        let mut child = Command::new("git")
            .args(["-c", "safe.directory=*", "http-backend"])
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_PROJECT_ROOT", &folder)
            .env("PATH_INFO", format!("/.git/{rest}"))
            .env("REQUEST_METHOD", &question.method)
            .env("QUERY_STRING", &question.query)
            .env("CONTENT_TYPE", header("content-type"))
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .env("CONTENT_LENGTH", question.body.len().to_string())
            .env("REMOTE_ADDR", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git is installed");
        let mut stdin = child.stdin.take().unwrap();
        let body = question.body.clone();
        let writer = thread::spawn(move || stdin.write_all(&body));
        let output = child.wait_with_output().unwrap().stdout;
        let _ = writer.join();
        let split = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(0);
        let head = String::from_utf8_lossy(&output[..split]).into_owned();
        let status =
            head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
        let lines: Vec<_> = head.lines().filter(|l| !l.starts_with("Status:")).map(str::to_owned).collect();
        plain(&status, &lines, output.get(split + 4..).unwrap_or_default())
    }
}

fn plain(status: &str, headers: &[String], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|line| head += &format!("{line}\r\n"));
    [head.as_bytes(), b"\r\n", body].concat()
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Question> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
        chunks(reader, &mut body)?;
    } else if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    }
    Some(Question { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}

fn chunks(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..]).ok()?;
        reader.read_line(&mut line).ok()?;
        if size == 0 {
            return Some(());
        }
    }
}
