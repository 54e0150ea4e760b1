//! TLS at Debian's server, with a certificate made by `openssl`.

use std::path::Path;
use std::process::Command;

use lapstrake::registry::{Client, Error};

use crate::servers::{cx, debian, quick};

fn openssl(dir: &Path, arguments: &[&str]) {
    assert!(Path::new("/usr/bin/openssl").exists(), "this test needs the Debian package openssl");
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
    let output = Command::new("openssl").args(new).args(arguments).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority (`ca.pem`, `ca-key.pem`) and what it made for a server on loopback (`cert.pem`, `key.pem`).
pub fn certificate(dir: &Path) {
    openssl(dir, &["-subj", "/CN=lapstrake test authority", "-keyout", "ca-key.pem", "-out", "ca.pem"]);
    signed(dir, "registry", "serverAuth");
    for name in ["cert.pem", "key.pem"] {
        std::fs::rename(dir.join(format!("registry-{name}")), dir.join(name)).unwrap();
    }
}

/// What the authority in the folder made for somebody: `NAME-cert.pem`, `NAME-key.pem`.
pub fn signed(dir: &Path, name: &str, usage: &str) {
    openssl(
        dir,
        &[
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca-key.pem",
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            &format!("extendedKeyUsage={usage}"),
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            &format!("{name}-key.pem"),
            "-out",
            &format!("{name}-cert.pem"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_certificate_that_is_vouched_for_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path());
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let tls = format!("  tls:\n    certificate: {}\n    key: {}", cert.display(), key.display());
    let server = debian(&tls, "");
    let error = Client::new(quick()).ping(&cx(), &server.host).await.unwrap_err();
    // It is a loopback address: plain http was tried first, and the server said what it thinks of that.
    assert!(matches!(error, Error::Untrusted(_)), "{error:?}");
    let mut trusting = quick();
    trusting.ca_files = vec![dir.path().join("ca.pem")];
    Client::new(trusting).ping(&cx(), &server.host).await.unwrap();
    let mut careless = quick();
    careless.insecure.insert(server.host.clone());
    Client::new(careless).ping(&cx(), &server.host).await.unwrap();
}
