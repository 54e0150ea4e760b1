//! Layers on their way out: compressed while later steps run, sent while they are compressed, and given up in good order.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use crate::lab::{Lab, Registry, everybody};

/// Bytes of a layer that is sent while it is compressed.
const LARGE: usize = 40 << 20;

/// Bytes that do not compress well, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x6c61_7073_7472_616b_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A door before a registry: it writes down what is asked, and may refuse pieces of blobs.
struct Front {
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Front {
    fn before(registry: &Registry, takes_pieces: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (behind, written) = (registry.address.clone(), Arc::clone(&log));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (behind, written) = (behind.clone(), Arc::clone(&written));
                std::thread::spawn(move || answer(client, &behind, (&written, takes_pieces)));
            }
        });
        Self { address, log }
    }

    /// How often a method was used on uploads.
    fn uploads(&self, method: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line.starts_with(method) && line.contains("/blobs/uploads/")).count()
    }
}

/// One request of one connection.
fn answer(client: TcpStream, behind: &str, (log, takes_pieces): (&Mutex<Vec<String>>, bool)) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|n| n > 2) {}
    let Some((line, rest)) = head.split_once("\r\n") else { return };
    log.lock().unwrap().push(line.to_owned());
    let length = rest.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().ok())?
    });
    let mut client = client;
    if line.starts_with("PATCH ") && !takes_pieces {
        let _ = std::io::copy(&mut reader.take(length.unwrap_or(0)), &mut std::io::sink());
        let _ = client
            .write_all(b"HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let mut server = TcpStream::connect(behind).unwrap();
    let others = rest.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head: String = others.filter(|line| !line.is_empty()).map(|line| format!("{line}\r\n")).collect();
    let sent = server
        .write_all(format!("{line}\r\nConnection: close\r\n{head}\r\n").as_bytes())
        .and_then(|()| std::io::copy(&mut reader.take(length.unwrap_or(0)), &mut server));
    if sent.is_ok() {
        let _ = std::io::copy(&mut server, &mut client);
    }
}

/// A context with a large file, and a Dockerfile that copies it.
fn large(lab: &Lab) -> PathBuf {
    let context = lab.context("c", &[("Dockerfile", "FROM scratch\nCOPY large /large\n")]);
    std::fs::write(context.join("large"), noise(LARGE)).unwrap();
    context
}

/// Files that somebody is at work with, or was.
fn unfinished(store: &Path) -> usize {
    std::fs::read_dir(store.join("ingest")).unwrap().count()
}

#[test]
fn a_large_layer_is_sent_while_it_is_compressed() {
    for who in everybody() {
        let mut lab = Lab::new(who);
        let registry = Registry::start(&lab);
        let context = large(&lab);
        for (name, takes_pieces) in [("willing", true), ("unwilling", false)] {
            let front = Front::before(&registry, takes_pieces);
            let image = format!("{}/{name}:1", front.address);
            lab = lab.with_store(name);
            lab.ok(&["image", "build", "-t", &image, "--push", context.to_str().unwrap()]);
            assert!(front.uploads("PATCH") > 0, "{name}: it is sent in pieces, or that is tried");
            assert_eq!(unfinished(&lab.store()), 0, "{name}");
            lab = lab.with_store(&format!("{name}-pulled"));
            let from =
                lab.context("from", &[("Dockerfile", &format!("FROM {}/{name}:1\n", registry.address))]);
            let output = format!("type=local,dest=out/{name}");
            lab.ok(&["image", "build", "-o", &output, from.to_str().unwrap()]);
            let mut arrived = Vec::new();
            std::fs::File::open(lab.path(&format!("out/{name}/large")))
                .and_then(|mut file| file.read_to_end(&mut arrived))
                .unwrap();
            assert!(arrived == noise(LARGE), "{name}: what is pulled is what was built");
        }
    }
}

/// Opens the gate that a step waits at: a file in a cache mount. Waits until the store has `mounts` of them: the step may
/// not have come so far.
fn open_gate(lab: &Lab, mounts: usize) {
    fn folders(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders(&entry.path(), found);
                found.push(entry.path());
            }
        }
    }
    loop {
        let mut found = Vec::new();
        folders(&lab.store().join("cachemounts"), &mut found);
        found.retain(|folder| folder.ends_with("tree") && !folder.to_string_lossy().contains("scratch"));
        if found.len() >= mounts {
            return found.iter().for_each(|folder| std::fs::write(folder.join("open"), "").unwrap());
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn compression_begins_while_later_steps_run() {
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[]);
        std::fs::write(context.join("large"), noise(LARGE)).unwrap();
        for (mounts, (end, code)) in (1..).zip([("true", 0), ("false", 1)]) {
            let text = format!(
                "FROM scratch\nCOPY busybox /bin/busybox\nCOPY large /{end}\n\
                 RUN --mount=type=cache,id={end},target=/gate [\"/bin/busybox\", \"sh\", \"-c\", \
                 \"until [ -e /gate/open ]; do /bin/busybox sleep 0.05; done; {end}\"]\n"
            );
            std::fs::write(context.join("Dockerfile"), text).unwrap();
            let output = format!("type=oci,dest=out/{end}.tar");
            let arguments = ["image", "build", "-o", &output, context.to_str().unwrap()];
            let mut command = lab.command(&arguments);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            // The step goes on only when compression has begun: were that to wait for the step, this would never end.
            let lines = BufReader::new(child.stderr.take().unwrap()).lines();
            for line in lines.map_while(Result::ok) {
                if line.contains("compressing") && line.contains("COPY large") {
                    open_gate(&lab, mounts);
                }
            }
            assert_eq!(child.wait().unwrap().code(), Some(code), "{end}");
            assert_eq!(unfinished(&lab.store()), 0, "nothing is left, whether the build succeeds or fails");
        }
        assert!(lab.path("out/true.tar").exists() && !lab.path("out/false.tar").exists());
    }
}
