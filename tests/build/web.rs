//! A web server on loopback for tests: files with versions and times, redirects, and Git repositories through Git's own
//! `http-backend`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// What is at a path.
#[derive(Clone, Default)]
pub struct Page {
    /// The content.
    pub body: Vec<u8>,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub modified: Option<String>,
    /// A redirect to here instead.
    pub location: Option<String>,
}

impl Page {
    /// A page with this content.
    pub fn of(body: impl AsRef<[u8]>) -> Self {
        Self { body: body.as_ref().to_vec(), ..Self::default() }
    }
}

#[derive(Default)]
struct Site {
    pages: BTreeMap<String, Page>,
    /// Requests, as `GET /path`, with ` 304` behind if nothing was sent.
    log: Vec<String>,
    repositories: PathBuf,
    /// The `Authorization` that repositories ask for.
    login: Option<String>,
}

/// The server; it ends with the test.
#[derive(Clone)]
pub struct Web {
    site: Arc<Mutex<Site>>,
    /// `http://127.0.0.1:PORT`.
    pub address: String,
}

impl Web {
    /// Starts one; repositories below `repositories` are at `/git/`.
    pub fn start(repositories: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let site = Site { repositories: repositories.to_owned(), ..Site::default() };
        let web = Self { site: Arc::new(Mutex::new(site)), address };
        let server = web.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.answer(stream));
            }
        });
        web
    }

    /// Puts a page, or replaces it.
    pub fn put(&self, path: &str, page: Page) {
        self.site.lock().unwrap().pages.insert(path.into(), page);
    }

    /// From now on repositories ask for this `Authorization`.
    pub fn require(&self, authorization: &str) {
        self.site.lock().unwrap().login = Some(authorization.into());
    }

    /// The requests since the last time.
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.site.lock().unwrap().log)
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Some(request) = Request::read(&mut reader) else { return };
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if let Some(inside) = path.strip_prefix("/git") {
            let (root, login) = {
                let site = self.site.lock().unwrap();
                (site.repositories.clone(), site.login.clone())
            };
            if login.is_some() && request.headers.get("authorization") != login.as_ref() {
                let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n";
                let rest = "Content-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(format!("{head}{rest}").as_bytes());
                return;
            }
            let _ = stream.write_all(&git(&root, &request, inside, query));
            return;
        }
        let page = self.site.lock().unwrap().pages.get(path).cloned();
        let mut line = format!("{} {path}", request.method);
        let mut head = String::new();
        let mut body = Vec::new();
        let status = match page {
            None => "404 Not Found",
            Some(Page { location: Some(location), .. }) => {
                head.push_str(&format!("Location: {location}\r\n"));
                "302 Found"
            }
            Some(page) => {
                for (name, value) in [("ETag", &page.etag), ("Last-Modified", &page.modified)] {
                    if let Some(value) = value {
                        head.push_str(&format!("{name}: {value}\r\n"));
                    }
                }
                let same = |header: &str, value: &Option<String>| {
                    value.is_some() && request.headers.get(header) == value.as_ref()
                };
                if same("if-none-match", &page.etag) || same("if-modified-since", &page.modified) {
                    line.push_str(" 304");
                    "304 Not Modified"
                } else {
                    body = page.body;
                    "200 OK"
                }
            }
        };
        self.site.lock().unwrap().log.push(line);
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.write_all(&body);
    }
}

struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    fn read(reader: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let mut body = Vec::new();
        if let Some(length) = headers.get("content-length") {
            body = vec![0; length.parse().ok()?];
            reader.read_exact(&mut body).ok()?;
        } else if headers.get("transfer-encoding").is_some_and(|how| how == "chunked") {
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                let length = usize::from_str_radix(line.trim(), 16).ok()?;
                let mut chunk = vec![0; length + 2];
                reader.read_exact(&mut chunk).ok()?;
                if length == 0 {
                    break;
                }
                body.extend_from_slice(&chunk[..length]);
            }
        }
        Some(Self { method, target, headers, body })
    }
}

/// Git's own CGI program answers.
fn git(root: &Path, request: &Request, path: &str, query: &str) -> Vec<u8> {
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("HTTP_GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("git is missing: run tests/prepare");
    let (mut stdin, body) = (child.stdin.take().unwrap(), request.body.clone());
    let writing = std::thread::spawn(move || {
        let _ = stdin.write_all(&body);
    });
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    writing.join().unwrap();
    child.wait().unwrap();
    let split = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(0);
    let (head, body) = output.split_at(split);
    let head = String::from_utf8_lossy(head);
    let status = head.lines().find_map(|l| l.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let head: String =
        head.lines().filter(|l| !l.starts_with("Status:")).map(|l| format!("{l}\r\n")).collect();
    let body = body.get(4..).unwrap_or_default();
    let mut answer =
        format!("HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())
            .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// A repository made by Git itself.
pub struct Repository(PathBuf);

impl Repository {
    /// A new one in `folder`.
    pub fn create(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let repository = Self(folder.to_owned());
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    /// Runs Git in it; gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(&self.0)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs([
                ("GIT_AUTHOR_NAME", "a"),
                ("GIT_AUTHOR_EMAIL", "a@b"),
                ("GIT_AUTHOR_DATE", "@1500000000 +0000"),
            ])
            .envs([("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@b")])
            .env("GIT_COMMITTER_DATE", "@1500000000 +0000")
            .output()
            .expect("git is missing: run tests/prepare");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes files and commits them; gives the commit.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        for (name, content) in files {
            let path = self.0.join(name.trim_end_matches('*'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            let mode = if name.ends_with('*') { 0o755 } else { 0o644 };
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }
}
