//! `lap registry serve`, `lap cr login` and `lap cr logout` as a user runs them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lapstrake::base::BlobDigest;
use lapstrake::registry::BlobRequest;

use crate::auth::htpasswd_server;
use crate::servers::{client, cx};

fn lap(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lap"));
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("LAP_PROGRESS", "plain");
    command
}

fn login(home: &Path, host: &str, password: &str) -> Output {
    let mut child = lap(home)
        .args(["cr", "login", host, "-u", "me", "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn login_keeps_only_what_the_registry_accepts() {
    let (_dir, server) = htpasswd_server();
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join(".docker/config.json");
    let refused = login(home.path(), &server.host, "wrong-password");
    let words = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(6), "{words}");
    assert!(words.contains("401") && !words.contains("wrong-password"), "{words}");
    assert!(!config.exists());
    let accepted = login(home.path(), &server.host, "s3cret-pw");
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    assert!(
        String::from_utf8(accepted.stdout)
            .unwrap()
            .starts_with(&format!("logged in to {} as me", server.host))
    );
    assert!(std::fs::read_to_string(&config).unwrap().contains(&server.host));
    let logout = || lap(home.path()).args(["cr", "logout", &server.host]).output().unwrap().stdout;
    assert_eq!(logout(), format!("logged out of {}\n", server.host).into_bytes());
    assert_eq!(logout(), format!("nothing was kept for {}\n", server.host).into_bytes());
    assert!(!std::fs::read_to_string(&config).unwrap().contains(&server.host));
}

#[tokio::test]
async fn serve_says_its_address_keeps_what_it_is_given_and_ends_when_told() {
    let home = tempfile::tempdir().unwrap();
    for round in 0..2 {
        let mut child = lap(home.path())
            .args(["registry", "serve", "--addr", "127.0.0.1:0", "--root"])
            .arg(home.path().join("registry"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut host = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut host).unwrap();
        let repository = format!("{}/a", host.trim()).parse().unwrap();
        let digest = BlobDigest::of(b"kept");
        let request = BlobRequest::new(&repository, &digest, 4);
        if round == 0 {
            client().push_blob(&cx(), &request, &b"kept".to_vec()).await.unwrap();
        }
        assert_eq!(client().blob_bytes(&cx(), &request, 10).await.unwrap(), b"kept");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(child.wait().unwrap().success());
    }
}
