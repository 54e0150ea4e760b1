//! Who may come in: Basic at Debian's server, tokens at a server of the test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use lapstrake::base::BlobDigest;
use lapstrake::registry::{BlobRequest, Client, Credential, Credentials, Error};

use tempfile::TempDir;

use crate::servers::{Server, cx, debian, name, quick};

/// bcrypt of `s3cret-pw`, made with `perl -e 'print crypt("s3cret-pw", "\$2b\$05\$…")'`.
const HTPASSWD: &str = "me:$2b$05$abcdefghijklmnopqrstuuzSvhclVSvY9ufOheOOhcPviTPFJlqIC\n";

fn me(password: &str) -> Credential {
    Credential::Basic { username: "me".into(), password: password.into() }
}

/// Debian's server, which wants to see `me` and `s3cret-pw`.
pub fn htpasswd_server() -> (TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("htpasswd");
    std::fs::write(&file, HTPASSWD).unwrap();
    let server = debian("", &format!("auth:\n  htpasswd:\n    realm: test\n    path: {}", file.display()));
    (dir, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn basic_with_and_without_the_right_password() {
    let (dir, server) = htpasswd_server();
    let to = name(&server, "private");
    let digest = BlobDigest::of(b"secret");
    let request = BlobRequest::new(&to, &digest, 6);
    let with = |credentials: Credentials| {
        let mut options = quick();
        options.credentials = credentials;
        Client::new(options)
    };
    let anonymous = with(Credentials::none());
    let error = anonymous.push_blob(&cx(), &request, &b"secret".to_vec()).await.unwrap_err();
    assert!(matches!(&error, Error::Unauthorized(story) if !story.with_credentials), "{error:?}");
    let wrong = with(Credentials::none().with(&server.host, me("wrong")));
    let error = wrong.ping(&cx(), &server.host).await.unwrap_err();
    assert!(matches!(&error, Error::Unauthorized(story) if story.with_credentials), "{error:?}");
    let config = Credentials::from_file(dir.path().join("config.json"));
    config.store(&server.host, &me("s3cret-pw")).unwrap();
    let right = with(config);
    right.ping(&cx(), &server.host).await.unwrap();
    right.push_blob(&cx(), &request, &b"secret".to_vec()).await.unwrap();
    assert_eq!(right.blob_bytes(&cx(), &request, 100).await.unwrap(), b"secret");
}

/// Counts what a registry with a token server is asked. Tokens are `<scopes>` and hold until the test says otherwise.
#[derive(Default)]
struct Door {
    host: std::sync::OnceLock<String>,
    tokens: AtomicUsize,
    refusals: AtomicUsize,
    /// The number of the token that is accepted at least.
    oldest: AtomicUsize,
}

async fn door(State(door): State<Arc<Door>>, request: Request) -> Response {
    let host = door.host.get().unwrap();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let header = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
    if path == "/token" {
        // `me:s3cret-pw` in base64.
        if header.as_deref() != Some("Basic bWU6czNjcmV0LXB3") {
            return Response::builder().status(401).body(r#"{"details":"who?"}"#.into()).unwrap();
        }
        assert!(query.contains("service=the+service"), "{query}");
        let number = door.tokens.fetch_add(1, Ordering::SeqCst);
        let scope = if query.contains("repository%3Aa%3Apull") { "pull" } else { "none" };
        let body = format!(r#"{{"token":"{scope}-{number}","expires_in":3600}}"#);
        return Response::builder().body(body.into()).unwrap();
    }
    let accepted = header
        .as_deref()
        .and_then(|h| h.strip_prefix("Bearer pull-"))
        .is_some_and(|number| number.parse::<usize>().unwrap() >= door.oldest.load(Ordering::SeqCst));
    if !accepted {
        door.refusals.fetch_add(1, Ordering::SeqCst);
        let challenge = format!(
            r#"Bearer realm="http://{host}/token",service="the service",scope="repository:a:pull",error="invalid_token""#
        );
        return Response::builder()
            .status(401)
            .header("www-authenticate", challenge)
            .body("".into())
            .unwrap();
    }
    Response::builder().body(r#"{"tags":["1"]}"#.into()).unwrap()
}

#[tokio::test]
async fn tokens_are_fetched_once_and_renewed_when_refused() {
    let state = Arc::new(Door::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    state.host.set(host.clone()).unwrap();
    let app = Router::new().fallback(door).with_state(Arc::clone(&state));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let repository = format!("{host}/a").parse().unwrap();
    let mut options = quick();
    options.credentials = Credentials::none().with(&host, me("s3cret-pw"));
    let client = Client::new(options);
    let context = cx();
    for _ in 0..3 {
        assert_eq!(client.tags(&context, &repository).await.unwrap(), ["1"]);
    }
    assert_eq!(state.tokens.load(Ordering::SeqCst), 1);
    // Only the first look at `/v2/` went without one.
    assert_eq!(state.refusals.load(Ordering::SeqCst), 1);
    state.oldest.store(1, Ordering::SeqCst);
    assert_eq!(client.tags(&context, &repository).await.unwrap(), ["1"]);
    assert_eq!(state.tokens.load(Ordering::SeqCst), 2);
    // The password and the tokens are known as secrets.
    assert_eq!(context.report.secrets().redact_text("s3cret-pw pull-1 bWU6czNjcmV0LXB3"), "*** *** ***");
    let mut options = quick();
    options.credentials = Credentials::none().with(&host, me("other"));
    let error = Client::new(options).tags(&cx(), &repository).await.unwrap_err();
    assert!(matches!(&error, Error::Unauthorized(story) if story.with_credentials), "{error:?}");
}
