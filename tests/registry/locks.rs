//! `lap synchronization` as werf's clients speak to it, and our own client beside others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lapstrake::sync::{Error, LockServer, Options, ServerOptions};
use serde_json::{Value, json};

use crate::servers::{cx, ports};

/// A running `lap synchronization`; it ends with the value.
struct Locks {
    child: Child,
    address: String,
}

impl Locks {
    fn start(addr: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lap"))
            .args(["synchronization", "--addr", addr])
            .env("LAP_PROGRESS", "quiet")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().to_owned() }
    }

    /// One request as a client writes it: the status and the body.
    fn raw(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.raw("POST", path, &body.to_string());
        assert_eq!(status, 200, "{path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    fn client(&self, project: &str) -> LockServer {
        let address = format!("http://{}", self.address).parse().unwrap();
        LockServer::new(address, project, ServerOptions::default()).unwrap()
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lock(name: &str) -> Options {
    Options { name: name.into(), shared: false }
}

#[test]
fn the_protocol_of_werfs_clients() {
    let locks = Locks::start("127.0.0.1:0");
    assert_eq!(locks.post("/health", &json!({"echo": "x"})), json!({"err": "", "echo": "x", "status": "OK"}));
    assert_eq!(locks.raw("GET", "/health", "").1, r#"{"err":"","echo":"","status":"OK"}"#);
    let project = locks.post("/new-client-id", &json!({}))["clientID"].as_str().unwrap().to_owned();
    assert_eq!(project.len(), 36);
    let [acquire, renew, release] =
        ["acquire", "renew-lease", "release"].map(|verb| format!("/{project}/locker/{verb}"));
    let wish =
        |who: &str, shared: bool| json!({"lockName": "app.1", "opts": {"shared": shared, "acquirerId": who}});
    let given = locks.post(&acquire, &wish("a", false));
    let handle = json!({"lockHandle": given["lockHandle"]});
    assert_eq!((&given["err"], &given["lockHandle"]["lockName"]), (&json!(""), &json!("app.1")));
    let waits = json!({"lockHandle": {"uuid": "", "lockName": ""}, "err": "should wait"});
    assert_eq!(locks.post(&acquire, &wish("b", false)), waits);
    assert_eq!(
        locks.post(&acquire, &json!({"lockName": "app.1", "opts": {"shared": true}})),
        waits,
        "old clients"
    );
    assert_eq!(
        locks.post("/other/locker/acquire", &wish("a", false))["err"],
        "",
        "projects do not see each other"
    );
    assert_eq!(locks.post(&renew, &handle), json!({"err": ""}));
    let wrong = json!({"lockHandle": {"uuid": "1", "lockName": "app.1"}});
    assert_eq!(locks.post(&renew, &wrong), json!({"err": "lock already leased"}));
    assert_eq!(locks.post(&release, &handle), json!({"err": ""}));
    assert_eq!(locks.post(&release, &handle), json!({"err": "no existing lock lease found"}));
    assert_eq!(locks.post(&acquire, &wish("c", false)), waits, "b waits longer");
    assert_eq!(locks.post(&acquire, &wish("b", false))["err"], "");
    assert_eq!(locks.raw("POST", &acquire, "{").0, 400);
    assert_eq!(locks.raw("POST", &acquire, &format!("{{\"x\":\"{}\"}}", "y".repeat(100_000))).0, 413);
    assert_eq!(locks.raw("POST", "/a/locker/steal", "{}").0, 404);
    assert!(locks.raw("GET", "/", "").1.contains("Lock server"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_at_a_time_in_the_order_of_coming() {
    let locks = Locks::start("127.0.0.1:0");
    let project = locks.client("").new_client_id(&cx()).await.unwrap();
    let inside = Arc::new(AtomicUsize::new(0));
    let works: Vec<_> = (0..4)
        .map(|_| {
            let (client, inside) = (locks.client(&project), Arc::clone(&inside));
            tokio::spawn(async move {
                let cx = cx();
                let held = client.acquire(&cx, &lock("one")).await.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else is inside");
                tokio::time::sleep(Duration::from_millis(50)).await;
                inside.fetch_sub(1, Ordering::SeqCst);
                assert!(!held.is_lost());
                held.release(&cx).await.unwrap();
            })
        })
        .collect();
    for work in works {
        work.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_restarts_ends_no_work() {
    // Nobody else gets it meanwhile.
    let locks = Locks::start(&format!("127.0.0.1:{}", ports::free()));
    let (address, cx) = (locks.address.clone(), cx());
    let client = locks.client("project");
    let held = client.acquire(&cx, &lock("one")).await.unwrap();
    drop(locks);
    let again = Locks::start(&address);
    // Its memory is empty, so the next renewal finds nothing.
    while !held.is_lost() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    held.release(&cx).await.unwrap();
    client.acquire(&cx, &lock("one")).await.unwrap().release(&cx).await.unwrap();
    drop(again);
    let quick = ServerOptions { attempts: 2, pause: Duration::from_millis(10), ..ServerOptions::default() };
    let gone = LockServer::new(format!("http://{address}").parse().unwrap(), "project", quick).unwrap();
    assert!(matches!(gone.acquire(&cx, &lock("one")).await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn a_server_that_is_none_is_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 418 No\r\nContent-Length: 3\r\n\r\ntea",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let mut seen = Vec::new();
            // Headers and body come in one piece or two.
            while !seen.ends_with(b"}") {
                let count = stream.read(&mut buffer).unwrap();
                seen.extend_from_slice(&buffer[..count]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let client = LockServer::new(address, "p", ServerOptions::default()).unwrap();
        let error = client.acquire(&cx(), &lock("one")).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        serving.join().unwrap();
    }
}

#[test]
fn places_that_cannot_be_are_refused() {
    let refused = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_lap")).arg("synchronization").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["--kubernetes"]).contains("Kubernetes"));
    assert!(refused(&["--local=false"]).contains("Kubernetes"));
    assert!(refused(&["--host", "somewhere"]).contains("no IP address"));
}
