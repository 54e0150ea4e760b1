//! Servers that answer without end, without sense, or with a trap.

use std::io::Write as _;
use std::time::Duration;

use lapstrake::base::{BlobDigest, Failure, Reference};
use lapstrake::host::clock;
use lapstrake::registry::{
    BlobRequest, Client, ClientOptions, Credential, Credentials, Error, Retry, Timeouts,
};
use lapstrake::report::Context;

use crate::web::{Asked, Web, reply};
use crate::yard::told;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn client(credentials: Credentials) -> Client {
    let retry = Retry {
        attempts: 3,
        first: Duration::from_millis(1),
        longest: Duration::from_millis(10),
        obey: Duration::from_millis(50),
    };
    let timeouts = Timeouts { connect: Duration::from_secs(10), stall: Duration::from_secs(2) };
    Client::new(ClientOptions { retry, timeouts, credentials, ..ClientOptions::default() })
}

fn reference(web: &Web) -> Reference {
    format!("{}/x:1", web.host).parse().unwrap()
}

/// Runs `work` to its end, which must come within five minutes.
fn bounded<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let done = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(300), work).await });
    runtime.shutdown_background();
    done.expect("it took more than five minutes")
}

fn says(outcome: Result<(), Error>, words: &[&str]) {
    let failure = Failure::from(outcome.expect_err("it was believed"));
    let told = told(&failure);
    for word in words {
        assert!(told.contains(word), "no {word:?} in: {told}");
    }
    assert!(told.len() < 10_000, "{} bytes of words", told.len());
}

/// Asks for a manifest, which must fail with `words`.
fn manifest(web: &Web, words: &[&str]) {
    let cx = Context::silent(clock::system());
    let asked = bounded(async { client(Credentials::none()).manifest(&cx, &reference(web)).await });
    says(asked.map(drop), words);
}

/// Asks for a blob of 1000 bytes, which must fail with `words`.
fn blob(web: &Web, words: &[&str]) {
    let cx = Context::silent(clock::system());
    let digest = BlobDigest::of(&[7; 1000]);
    let asked = bounded(async {
        let reference = reference(web);
        client(Credentials::none())
            .blob_bytes(&cx, &BlobRequest::new(&reference, &digest, 1000), 1 << 20)
            .await
    });
    says(asked.map(drop), words);
}

/// Answers the version question, and everything else by `answer`.
fn web(
    answer: impl Fn(&Asked, &mut std::net::TcpStream) -> std::io::Result<bool> + Send + Sync + 'static,
) -> Web {
    Web::start(
        move |asked, to| {
            if asked.path == "/v2/" { reply(asked, to, 200, "", b"") } else { answer(asked, to) }
        },
    )
}

/// Writes the same bytes until nobody reads them.
fn endless(to: &mut std::net::TcpStream, head: &str, part: &[u8]) -> std::io::Result<bool> {
    to.write_all(head.as_bytes())?;
    loop {
        to.write_all(part)?;
    }
}

/// Tests, each of its own name.
macro_rules! cases {
    ($($(#[$doc:meta])* $name:ident => $body:expr;)*) => {$( $(#[$doc])* #[test] fn $name() { $body } )*};
}

cases! {
    a_manifest_without_end => manifest(
        &web(|_, to| {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {MANIFEST}\r\ntransfer-encoding: chunked\r\n\r\n");
            endless(to, &head, b"1000\r\n".iter().chain(&[b' '; 4096]).chain(b"\r\n").copied().collect::<Vec<_>>().as_slice())
        }),
        &["manifest"],
    );
    a_head_without_end => manifest(&web(|_, to| endless(to, "HTTP/1.1 200 OK\r\n", b"x-more: y\r\n")), &["manifest"]);
    a_header_without_end => manifest(&web(|_, to| endless(to, "HTTP/1.1 200 OK\r\nx: ", &[b'y'; 4096])), &["manifest"]);
    an_error_without_end => manifest(
        &web(|_, to| endless(to, "HTTP/1.1 400 Bad\r\ncontent-length: 99999999999\r\n\r\n", &[b'e'; 4096])), &["400"]
    );
    no_http_at_all => manifest(&web(|_, to| { to.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")?; Ok(false) }), &["manifest"]);
    a_status_nobody_knows => manifest(&web(|a, to| reply(a, to, 799, "", b"")), &["799"]);
    silence => manifest(&web(|_, _| { std::thread::sleep(Duration::from_secs(4000)); Ok(false) }), &["manifest"]);
    a_byte_now_and_then => blob(
        &web(|_, to| {
            to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
            for _ in 0..40_000 {
                to.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(false)
        }),
        &["pull blob"],
    );
    redirects_in_a_circle => manifest(
        &web(|a, to| { let l = format!("location: {}\r\n", a.path); reply(a, to, 307, &l, b"") }), &["redirect"]
    );
    redirects_without_end => manifest(
        &web(|a, to| { let l = format!("location: {}x\r\n", a.path); reply(a, to, 307, &l, b"") }), &["redirect"]
    );
    a_redirect_to_a_file => manifest(&web(|a, to| reply(a, to, 307, "location: file:///etc/passwd\r\n", b"")), &["manifest"]);
    a_redirect_to_nowhere => manifest(&web(|a, to| reply(a, to, 307, "", b"")), &["manifest"]);
    a_redirect_that_is_no_address => manifest(&web(|a, to| reply(a, to, 307, "location: http://[:::\r\n", b"")), &["manifest"]);
    a_blob_longer_than_said => blob(&web(|a, to| reply(a, to, 200, "", &[7; 5000])), &["pull blob"]);
    a_blob_shorter_than_said => blob(&web(|a, to| reply(a, to, 200, "", &[7; 500])), &["pull blob"]);
    a_blob_without_end => blob(
        &web(|_, to| endless(to, "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n", &[7; 4096])), &["pull blob"]
    );
    a_blob_of_other_bytes => blob(&web(|a, to| reply(a, to, 200, "", &[8; 1000])), &["digest"]);
    an_empty_blob => blob(&web(|a, to| reply(a, to, 200, "", b"")), &["pull blob"]);
    a_range_that_was_not_asked_for => blob(
        &web(|a, to| reply(a, to, 206, "content-range: bytes 500-999/1000\r\n", &[7; 500])), &["pull blob"]
    );
    a_blob_that_is_packed_again => blob(
        &web(|a, to| reply(a, to, 200, "content-encoding: gzip\r\n", &[7; 300])), &["pull blob"]
    );
    a_length_that_is_negative => blob(
        &web(|_, to| { to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nxxxxx")?; Ok(false) }), &["pull blob"]
    );
    two_lengths => blob(
        &web(|_, to| {
            to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nxxxxxxx")?;
            Ok(false)
        }),
        &["pull blob"],
    );
    too_many_requests_for_ever => manifest(
        &web(|a, to| reply(a, to, 429, "retry-after: 999999999999\r\n", b"")), &["429"]
    );
    a_manifest_with_another_digest => manifest(
        &web(|a, to| {
            let headers = format!("content-type: {MANIFEST}\r\ndocker-content-digest: sha256:{}\r\n", "0".repeat(64));
            reply(a, to, 200, &headers, br#"{"schemaVersion":2}"#)
        }),
        &["digest"],
    );
    a_digest_header_that_is_none => {
        let web = web(|a, to| {
            let headers = format!("content-type: {MANIFEST}\r\ndocker-content-digest: ../../etc\r\n");
            reply(a, to, 200, &headers, br#"{"schemaVersion":2}"#)
        });
        let cx = Context::silent(clock::system());
        // Refused or taken by its bytes; never by the header.
        if let Ok(pulled) = bounded(async { client(Credentials::none()).manifest(&cx, &reference(&web)).await }) {
            assert_eq!(pulled.digest.to_string(), BlobDigest::of(br#"{"schemaVersion":2}"#).to_string());
        }
    };
    a_challenge_without_sense => manifest(
        &Web::start(|a, to| reply(a, to, 401, "www-authenticate: Bearer realm=\",,,=\"\"\r\n", b"")), &["token server"]
    );
    a_challenge_of_a_megabyte => {
        let headers = format!("www-authenticate: Bearer realm=\"http://x/{}\"\r\n", "y".repeat(1 << 20));
        manifest(&Web::start(move |a, to| reply(a, to, 401, &headers, b"")), &["head is too large"]);
    };
    challenged_for_ever => {
        let web = token_server(br#"{"token":"t","expires_in":0}"#.to_vec());
        manifest(&web, &["401"]);
        assert!(web.asked() < 50, "{} requests", web.asked());
    };
    a_token_of_a_megabyte => manifest(&token_server(format!(r#"{{"token":"{}"}}"#, "t".repeat(1 << 20)).into_bytes()), &["token"]);
    a_token_with_a_line_break => manifest(&token_server(br#"{"token":"t\r\nx-evil: 1"}"#.to_vec()), &["characters that no header may have"]);
    a_token_that_is_no_json => manifest(&token_server(b"<html>".to_vec()), &["token"]);
    /// Nothing of the password may go to a place that a redirect or a challenge names.
    a_token_server_elsewhere_over_a_weaker_scheme => {
        let web = Web::start(|a, to| {
            let realm = "www-authenticate: Bearer realm=\"http://registry.example/token\",service=\"s\"\r\n";
            reply(a, to, 401, realm, b"")
        });
        let cx = Context::silent(clock::system());
        let host = web.host.clone();
        let credential = Credential::Basic { username: "u".into(), password: "geheim-7".into() };
        let credentials = Credentials::none().with(&host, credential);
        let asked = bounded(async { client(credentials).manifest(&cx, &reference(&web)).await });
        let told = told(&Failure::from(asked.map(drop).unwrap_err()));
        assert!(!told.contains("geheim"), "{told}");
    };
    pages_in_a_circle => {
        let web = web(|a, to| {
            let headers = "link: </v2/x/tags/list?last=a>; rel=\"next\"\r\ncontent-type: application/json\r\n";
            reply(a, to, 200, headers, br#"{"name":"x","tags":["a"]}"#)
        });
        let cx = Context::silent(clock::system());
        let tags = bounded(async { client(Credentials::none()).tags(&cx, &reference(&web)).await });
        assert_eq!(tags.unwrap(), ["a"]);
        assert!(web.asked() < 20, "{} requests", web.asked());
    };
    pages_that_say_nothing_new_for_ever => {
        let web = web(|a, to| {
            let headers = format!("link: <{}1>; rel=\"next\"\r\n", a.path);
            reply(a, to, 200, &headers, br#"{"name":"x","tags":["a"]}"#)
        });
        let cx = Context::silent(clock::system());
        let tags = bounded(async { client(Credentials::none()).tags(&cx, &reference(&web)).await });
        assert_eq!(tags.unwrap(), ["a"]);
        assert!(web.asked() < 20, "{} requests", web.asked());
    };
    pages_that_lead_elsewhere => {
        let web = web(|a, to| {
            let headers = "link: <http://127.0.0.1:1/v2/x/tags/list?last=a>; rel=\"next\"\r\n";
            reply(a, to, 200, headers, br#"{"name":"x","tags":["a"]}"#)
        });
        tags(&web, &["tags"]);
    };
    a_list_without_end => tags(
        &web(|_, to| {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n{\"tags\":[";
            endless(to, head, &b"\"tag\",".repeat(700))
        }),
        &["tags"],
    );
}

fn tags(web: &Web, words: &[&str]) {
    let cx = Context::silent(clock::system());
    let asked = bounded(async { client(Credentials::none()).tags(&cx, &reference(web)).await });
    says(asked.map(drop), words);
}

/// Asks for a token for everything, and gives `token` for it.
fn token_server(token: Vec<u8>) -> Web {
    Web::start(move |asked, to| {
        if asked.path.starts_with("/token") {
            return reply(asked, to, 200, "content-type: application/json\r\n", &token);
        }
        let host = to.local_addr()?;
        let headers = format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"s\"\r\n");
        reply(asked, to, 401, &headers, b"")
    })
}
