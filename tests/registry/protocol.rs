//! What our server answers to requests that our client does not make: wrong order, parts, pages, hostile paths.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use lapstrake::base::BlobDigest;
use lapstrake::registry::serve;
use reqwest::{Method, Response};

use crate::servers::{MANIFEST, Server, embedded, manifest_of};

struct Raw {
    server: Server,
    http: reqwest::Client,
}

async fn raw() -> Raw {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    Raw { server: embedded(serve::Options::default()).await, http }
}

impl Raw {
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let url =
            if path.starts_with('/') { format!("http://{}{path}", self.server.host) } else { path.into() };
        let mut request = self.http.request(method, url).body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn begin(&self) -> String {
        let reply = self.ask(Method::POST, "/v2/a/blobs/uploads/", &[], b"").await;
        assert_eq!(reply.status(), 202);
        header(&reply, "location")
    }

    async fn blob(&self, bytes: &[u8]) {
        let path = format!("/v2/a/blobs/uploads/?digest={}", BlobDigest::of(bytes));
        assert_eq!(self.ask(Method::POST, &path, &[], bytes).await.status(), 201);
    }
}

fn header(reply: &Response, name: &str) -> String {
    reply.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn pieces_come_in_order_or_not_at_all() {
    let raw = raw().await;
    let location = raw.begin().await;
    let first = raw.ask(Method::PATCH, &location, &[("content-range", "0-4")], b"first").await;
    assert_eq!((first.status().as_u16(), header(&first, "range").as_str()), (202, "0-4"));
    for range in ["0-4", "6-10"] {
        let early = raw.ask(Method::PATCH, &location, &[("content-range", range)], b"later").await;
        assert_eq!((early.status().as_u16(), header(&early, "range").as_str()), (416, "0-4"), "{range}");
    }
    let unfit = raw.ask(Method::PATCH, &location, &[("content-range", "5-7")], b"later").await;
    assert_eq!(unfit.status(), 400);
    let state = raw.ask(Method::GET, &location, &[], b"").await;
    assert_eq!((state.status().as_u16(), header(&state, "range").as_str()), (204, "0-4"));
    let digest = BlobDigest::of(b"firstlast");
    let end = format!("{location}?digest={digest}");
    let done = raw.ask(Method::PUT, &end, &[("content-range", "5-8")], b"last").await;
    assert_eq!(done.status(), 201);
    assert_eq!(
        raw.ask(Method::GET, &header(&done, "location"), &[], b"").await.bytes().await.unwrap(),
        "firstlast"
    );
    // It is finished, and an upload that was given up is gone.
    assert_eq!(raw.ask(Method::GET, &location, &[], b"").await.status(), 404);
    let location = raw.begin().await;
    assert_eq!(raw.ask(Method::DELETE, &location, &[], b"").await.status(), 204);
    assert_eq!(raw.ask(Method::PATCH, &location, &[], b"x").await.status(), 404);
}

#[tokio::test]
async fn parts_of_blobs() {
    let raw = raw().await;
    raw.blob(b"0123456789").await;
    let path = format!("/v2/a/blobs/{}", BlobDigest::of(b"0123456789"));
    for (range, status, said, body) in [
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=8-", 206, "bytes 8-9/10", "89"),
        ("nonsense", 200, "", "0123456789"),
    ] {
        let reply = raw.ask(Method::GET, &path, &[("range", range)], b"").await;
        assert_eq!((reply.status().as_u16(), header(&reply, "content-range").as_str()), (status, said));
        assert_eq!(reply.text().await.unwrap(), body);
    }
    let beyond = raw.ask(Method::GET, &path, &[("range", "bytes=10-")], b"").await;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range").as_str()), (416, "bytes */10"));
    let head = raw.ask(Method::HEAD, &path, &[], b"").await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length").as_str()), (200, "10"));
}

#[tokio::test]
async fn tags_in_pages_of_two() {
    let raw = raw().await;
    raw.blob(b"{}").await;
    let manifest = manifest_of(b"{}", &[], "");
    for tag in ["c", "a", "e", "b", "d"] {
        let path = format!("/v2/a/manifests/{tag}");
        assert_eq!(raw.ask(Method::PUT, &path, &[("content-type", MANIFEST)], &manifest).await.status(), 201);
    }
    let mut next = "/v2/a/tags/list?n=2".to_owned();
    for expected in [r#"["a","b"]"#, r#"["c","d"]"#, r#"["e"]"#] {
        let reply = raw.ask(Method::GET, &next, &[], b"").await;
        let link = header(&reply, "link");
        next = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
        assert!(reply.text().await.unwrap().contains(expected), "{expected}");
    }
    assert_eq!(next, "");
    let huge = vec![b' '; (4 << 20) + 1];
    let reply = raw.ask(Method::PUT, "/v2/a/manifests/x", &[("content-type", MANIFEST)], &huge).await;
    assert_eq!(reply.status(), 413);
    for wrong in ["", "[]", "{", r#"{"layers":[{"digest":"../../x"}]}"#] {
        let reply =
            raw.ask(Method::PUT, "/v2/a/manifests/x", &[("content-type", MANIFEST)], wrong.as_bytes()).await;
        assert_eq!(reply.status(), 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_claim_a_tag_one_gets_it() {
    let raw = raw().await;
    raw.blob(b"{}").await;
    let manifests: Vec<Vec<u8>> =
        (0..8).map(|n| manifest_of(b"{}", &[], &format!(r#","annotations":{{"n":"{n}"}}"#))).collect();
    let path = "/v2/a/manifests/first";
    let headers = [("content-type", MANIFEST), ("if-none-match", "*")];
    let claims = manifests.iter().map(|manifest| raw.ask(Method::PUT, path, &headers, manifest));
    let statuses: Vec<u16> =
        futures_util::future::join_all(claims).await.iter().map(|reply| reply.status().as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
    let winner = &manifests[statuses.iter().position(|status| *status == 201).unwrap()];
    assert_eq!(raw.ask(Method::GET, path, &[], b"").await.bytes().await.unwrap(), winner.as_slice());
    // The same once more is no other claim, and who asks for no condition replaces it.
    assert_eq!(raw.ask(Method::PUT, path, &headers, winner).await.status(), 201);
    assert_eq!(raw.ask(Method::PUT, path, &headers[..1], &manifests[0]).await.status(), 201);
    assert_eq!(raw.ask(Method::GET, path, &[], b"").await.bytes().await.unwrap(), manifests[0].as_slice());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_as_nobody_should_write_them() {
    let raw = raw().await;
    // Clients tidy paths up, so these go over the wire as they are.
    for path in [
        "/v2/../../../etc/passwd",
        "/v2/a/../../b/tags/list",
        "/v2/%2e%2e/%2e%2e/tags/list",
        "/v2/a/blobs/sha256:..%2f..%2fx",
        "/v2/_uploads/manifests/x",
        "/v2/a/manifests/..",
    ] {
        let mut stream = std::net::TcpStream::connect(&raw.server.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap();
        assert!(matches!(status, "400" | "404"), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_a_break_is_kept() {
    let raw = raw().await;
    let location = raw.begin().await;
    let mut stream = std::net::TcpStream::connect(&raw.server.host).unwrap();
    write!(stream, "PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this").unwrap();
    drop(stream);
    let mut range = String::new();
    for _ in 0..3000 {
        range = header(&raw.ask(Method::GET, &location, &[], b"").await, "range");
        if range == "0-8" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(range, "0-8");
    let end = format!("{location}?digest={}", BlobDigest::of(b"only this and that"));
    assert_eq!(raw.ask(Method::PUT, &end, &[("content-range", "9-17")], b" and that").await.status(), 201);
}
