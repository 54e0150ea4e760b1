//! Several builders of one project: turns, locks of a server, and what happens when there are none.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Lab, Outcome, Registry, everybody};
use crate::project::{Shop, lines};

/// `lap synchronization` on loopback; it ends with the value.
pub struct Locks {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Locks {
    pub fn start(lab: &Lab, address: &str) -> Self {
        let mut child = Command::new(lab.path("lap"))
            .args(["synchronization", "--addr", address])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "no lock server on {address}");
        Self { child, address: line.trim().to_owned() }
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first connection, or a failure if none comes.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let limit = Instant::now() + Duration::from_secs(120);
    loop {
        match listener.accept() {
            Ok((stream, _)) => return stream,
            Err(e) => assert!(e.kind() == ErrorKind::WouldBlock && Instant::now() < limit, "{e}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn begin(shop: &Shop<'_>, store: &str, arguments: &[&str]) -> Child {
    shop.command(store, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_builder_waits_for_another_and_takes_what_that_made() {
    for who in everybody() {
        let lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let locks = Locks::start(&lab, "127.0.0.1:0");
        let server = format!("http://{}", locks.address);
        // Builders of one store know of each other by its files, those of two only by a server.
        for (name, synchronization, stores) in
            [("files", ":local", ["store", "store"]), ("server", server.as_str(), ["one", "two"])]
        {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let dockerfile = format!(
                "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"nc\", \"127.0.0.1\", \"{port}\"]\n\
                 RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox cat /proc/sys/kernel/random/uuid > /id\"]\n"
            );
            let config = format!("project: {name}\nconfigVersion: 1\n---\nimage: slow\ndockerfile: D\n");
            let shop = Shop::of(&lab, name, &[("werf.yaml", &config), ("D", &dockerfile)]);
            let repo = format!("{}/{name}", registry.address);
            let arguments = ["build", "--repo", &repo, "--synchronization", synchronization];
            let first = begin(&shop, stores[0], &arguments);
            // Its step has begun, and ends when this connection does.
            let connection = accept(&listener);
            let mut second = begin(&shop, stores[1], &arguments);
            let mut said = BufReader::new(second.stderr.take().unwrap()).lines().map_while(Result::ok);
            let waits = said.any(|line| line.contains("waiting for another builder of slow"));
            assert!(waits, "the second did not wait with {synchronization}");
            drop(connection);
            let rest = std::thread::spawn(move || said.count());
            let first = Outcome::of(first.wait_with_output().unwrap()).success();
            let second = Outcome::of(second.wait_with_output().unwrap()).success();
            rest.join().unwrap();
            let (first, second) = (lines(&first), lines(&second));
            assert_eq!((first["slow"].1.as_str(), second["slow"].1.as_str()), ("built", "was there"));
            assert_eq!(first["slow"].0, second["slow"].0);
            let again = listener.accept().map(drop).map_err(|e| e.kind());
            assert_eq!(again, Err(ErrorKind::WouldBlock), "the step ran twice");
        }
        let tags = lab.ok(&["cr", "tags", &format!("{}/server", registry.address)]).stdout;
        assert_eq!(tags.lines().filter(|tag| tag.starts_with("client-id-")).count(), 1, "{tags}");
    }
}
