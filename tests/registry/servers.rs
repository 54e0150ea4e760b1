//! Servers to talk to, and what every test needs to talk.

#[path = "ports.rs"]
pub mod ports;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lapstrake::base::{BlobDigest, Reference};
use lapstrake::host::clock;
use lapstrake::registry::{Client, ClientOptions, Retry, serve};
use lapstrake::report::Context;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A running registry; it ends with the value.
pub struct Server {
    /// `host:port`.
    pub host: String,
    _root: TempDir,
    _end: End,
}

enum End {
    Process(Child),
    Token(CancellationToken),
}

impl Drop for End {
    fn drop(&mut self) {
        match self {
            End::Process(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            End::Token(token) => token.cancel(),
        }
    }
}

/// Our own server.
pub async fn embedded(options: serve::Options) -> Server {
    let root = tempfile::tempdir().unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let server = serve::Server::bind(address, root.path(), options, clock::system()).await.unwrap();
    let host = server.local_addr().to_string();
    let token = CancellationToken::new();
    tokio::spawn(server.serve(token.clone()));
    Server { host, _root: root, _end: End::Token(token) }
}

/// Debian's server. `extra` is put under `http:` (TLS) or beside it (auth) in its configuration.
pub fn debian(http: &str, beside: &str) -> Server {
    let program = Path::new("/usr/bin/docker-registry");
    assert!(
        program.exists(),
        "this test needs the Debian package docker-registry: apt-get install docker-registry"
    );
    let root = tempfile::tempdir().unwrap();
    // Somebody else may take the port between our looking and its listening.
    for _ in 0..5 {
        let host = format!("127.0.0.1:{}", ports::free());
        let config = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  delete:\n    enabled: true\n  \
             filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\n{http}\n{beside}\n",
            root.path().join("data").display()
        );
        let file = root.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let child = Command::new(program)
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut end = End::Process(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let End::Process(child) = &mut end else { break };
            if child.try_wait().unwrap().is_some() {
                break;
            }
            if std::net::TcpStream::connect(&host).is_ok() {
                return Server { host, _root: root, _end: end };
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    panic!("docker-registry did not start");
}

/// Delays that suit a test.
pub fn quick() -> ClientOptions {
    let retry = Retry {
        attempts: 5,
        first: Duration::from_millis(5),
        longest: Duration::from_millis(50),
        obey: Duration::from_millis(50),
    };
    ClientOptions { retry, ..ClientOptions::default() }
}

pub fn client() -> Client {
    Client::new(quick())
}

pub fn cx() -> Context {
    Context::silent(clock::system())
}

pub fn name(server: &Server, path: &str) -> Reference {
    format!("{}/{path}", server.host).parse().unwrap()
}

/// Bytes that look random and are the same each time.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

/// A manifest with one layer and the given configuration, as bytes.
pub fn manifest_of(config: &[u8], layers: &[&[u8]], more: &str) -> Vec<u8> {
    let describe = |media: &str, bytes: &[u8]| {
        format!(r#"{{"mediaType":"{media}","digest":"{}","size":{}}}"#, BlobDigest::of(bytes), bytes.len())
    };
    let layers: Vec<String> =
        layers.iter().map(|l| describe("application/vnd.oci.image.layer.v1.tar", l)).collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]{more}}}"#,
        describe("application/vnd.oci.image.config.v1+json", config),
        layers.join(",")
    )
    .into_bytes()
}

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
