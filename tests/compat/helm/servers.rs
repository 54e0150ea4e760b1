//! Servers of charts: a static HTTP server with authorization, TLS, redirects and ETags, and Debian's registry.

#[path = "../../registry/ports.rs"]
mod ports;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use tempfile::TempDir;

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The path.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The status it was answered with.
    pub status: u16,
}

/// What is said to somebody who asks for a path, whatever the files are.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A body and its type.
    Body(&'static str, Vec<u8>),
    /// A body that goes on without an end.
    Endless(Vec<u8>),
    /// Another address.
    Elsewhere(String),
}

/// A static site, in plain HTTP and with TLS. Its threads end with the process.
pub struct Site {
    /// `http://127.0.0.1:port`.
    pub http: String,
    /// `https://127.0.0.1:port`.
    pub tls: String,
    /// The same files at another host name.
    pub elsewhere: String,
    /// What was asked.
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// Answers of their own to some paths.
    pub answers: Arc<Mutex<HashMap<String, Answer>>>,
}

#[derive(Clone)]
struct Content {
    root: PathBuf,
    elsewhere: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Site {
    /// Serves the files below `root`: `/plain/…` as they are, `/auth/…` for ann with the password secret, `/moved/…`
    /// and `/away/…` as redirects (the latter to another host name), `/broken/…` never, `/endless/…` without an end,
    /// `/hub/…` as a hub would answer. Writes the authority's certificate to `ca`.
    pub fn start(root: &Path, ca: &Path) -> Self {
        let (plain, secure) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let (http, tls) =
            (format!("http://127.0.0.1:{}", port(&plain)), format!("https://127.0.0.1:{}", port(&secure)));
        let elsewhere = format!("http://localhost:{}", port(&plain));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::default();
        let content = Content {
            root: root.to_owned(),
            elsewhere: elsewhere.clone(),
            seen: Arc::clone(&seen),
            answers: Arc::clone(&answers),
        };
        let config = tls_config(ca);
        let more = content.clone();
        std::thread::spawn(move || {
            for stream in plain.incoming().flatten() {
                let content = more.clone();
                std::thread::spawn(move || content.answer(stream));
            }
        });
        std::thread::spawn(move || {
            for stream in secure.incoming().flatten() {
                let (content, config) = (content.clone(), Arc::clone(&config));
                std::thread::spawn(move || {
                    let connection = rustls::ServerConnection::new(config).unwrap();
                    content.answer(rustls::StreamOwned::new(connection, stream));
                });
            }
        });
        Self { http, tls, elsewhere, seen, answers }
    }
}

fn tls_config(ca: &Path) -> Arc<rustls::ServerConfig> {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&ca_key).unwrap();
    std::fs::write(ca, authority.pem()).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // For servers that read files.
    std::fs::write(ca.with_file_name("server.pem"), leaf.pem()).unwrap();
    std::fs::write(ca.with_file_name("server.key"), key.serialize_pem()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![leaf.der().clone()], key.into()).unwrap())
}

impl Content {
    fn answer(&self, mut stream: impl Read + Write) {
        let mut head = Vec::new();
        let mut byte = [0; 1];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
        let header = |name: &str| {
            let mut lines = head.lines().skip(1).filter_map(|l| l.split_once(':'));
            lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned())
        };
        let answer = self.answers.lock().unwrap().get(&path).cloned();
        let answer = answer.or_else(|| {
            path.starts_with("/endless/").then(|| Answer::Endless(b"apiVersion: v1\nentries: {}\n".to_vec()))
        });
        let (status, extra, body) = match answer {
            Some(Answer::Endless(begin)) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(&begin);
                while stream.write_all(&[b'#'; 65536]).is_ok() {}
                return;
            }
            Some(Answer::Body(kind, body)) => (200, format!("Content-Type: {kind}\r\n"), body),
            Some(Answer::Elsewhere(url)) => (302, format!("Location: {url}\r\n"), Vec::new()),
            None => self.find(&path, &header),
        };
        let seen = Seen { path, authorization: header("authorization"), status };
        self.seen.lock().unwrap().push(seen);
        let reason = match status {
            200 => "OK",
            302 => "Found",
            304 => "Not Modified",
            401 => "Unauthorized",
            404 => "Not Found",
            _ => "Internal Server Error",
        };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\nConnection: close\r\n{extra}\r\n",
            body.len()
        );
        let _ = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&body))
            .and_then(|()| stream.flush());
    }

    fn find(&self, path: &str, header: &dyn Fn(&str) -> Option<String>) -> (u16, String, Vec<u8>) {
        let path = path.split('?').next().unwrap_or_default();
        let (kind, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
        match kind {
            "moved" => (302, format!("Location: /plain/{rest}\r\n"), Vec::new()),
            "away" => (302, format!("Location: {}/plain/{rest}\r\n", self.elsewhere), Vec::new()),
            "broken" => (500, String::new(), b"out of order".to_vec()),
            "hub" => (200, String::new(), HUB.as_bytes().to_vec()),
            "auth" => {
                let good = base64::engine::general_purpose::STANDARD.encode("ann:secret");
                match header("authorization") {
                    Some(given) if given == format!("Basic {good}") => self.file(rest, header),
                    _ => (401, "WWW-Authenticate: Basic realm=\"shop\"\r\n".to_owned(), Vec::new()),
                }
            }
            "plain" => self.file(rest, header),
            _ => (404, String::new(), Vec::new()),
        }
    }

    fn file(&self, path: &str, header: &dyn Fn(&str) -> Option<String>) -> (u16, String, Vec<u8>) {
        let Ok(body) = std::fs::read(self.root.join(path)) else { return (404, String::new(), Vec::new()) };
        let etag = format!(
            "\"{:x}\"",
            body.iter().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(*b)))
        );
        if header("if-none-match").as_deref() == Some(&etag) {
            return (304, String::new(), Vec::new());
        }
        (200, format!("ETag: {etag}\r\n"), body)
    }
}

const HUB: &str = r#"{"data":[
{"id":"x/web","artifactHub":{"packageUrl":"https://hub.example/x/web"},"attributes":{"description":"A <web> server with a description that is much longer than a column","repo":{"name":"x","url":"https://x.example"}},"relationships":{"latestChartVersion":{"data":{"version":"1.2.3","app_version":"4.5"}}}},
{"id":"y/web","attributes":{"description":"Other","repo":{"name":"y","url":"https://y.example"}},"relationships":{"latestChartVersion":{"data":{"version":"0.1.0"}}}}]}"#;

/// Debian's registry; it ends with the value.
pub struct Registry {
    /// `host:port`.
    pub host: String,
    child: Child,
    _root: TempDir,
}

impl Registry {
    /// Starts one, for everybody or for one user.
    pub fn start(user: Option<(&str, &str)>) -> Self {
        Self::with(user, "")
    }

    /// Starts one that speaks TLS with the certificate `server.pem` and the key `server.key` in a folder.
    pub fn sealed(folder: &Path) -> Self {
        let path = |name: &str| folder.join(name).display().to_string();
        let tls =
            format!("  tls:\n    certificate: {}\n    key: {}\n", path("server.pem"), path("server.key"));
        Self::with(None, &tls)
    }

    fn with(user: Option<(&str, &str)>, tls: &str) -> Self {
        let program = Path::new("/usr/bin/docker-registry");
        assert!(
            program.exists(),
            "this test needs the Debian package docker-registry: apt-get install docker-registry"
        );
        let root = tempfile::tempdir().unwrap();
        let mut auth = String::new();
        if let Some((name, password)) = user {
            let file = root.path().join("htpasswd");
            std::fs::write(&file, format!("{name}:{}\n", bcrypt::hash(password, 4).unwrap())).unwrap();
            auth = format!("auth:\n  htpasswd:\n    realm: charts\n    path: {}\n", file.display());
        }
        // Somebody else may take the port between our looking and its listening.
        for _ in 0..5 {
            let host = format!("127.0.0.1:{}", ports::free());
            let config = root.path().join("config.yml");
            let storage = root.path().join("data").display().to_string();
            let text = format!(
                "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {storage}\nhttp:\n  addr: \
                 {host}\n{tls}{auth}"
            );
            std::fs::write(&config, text).unwrap();
            let mut command = Command::new(program);
            command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(&host).is_ok() {
                    return Self { host, child, _root: root };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("docker-registry did not start");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
