//! A registry that breaks in every way we know, in front of a good one: 300 seeded runs of push and pull, none of which
//! may give wrong bytes or hang.
//!
//! Each run has a front of its own (a small HTTP proxy whose streams are reset before or amid an answer, and amid an upload) with faults chosen
//! by the run's number. To repeat one run: `LAP_FAULT_SEED=17 cargo test --test faults`.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use futures_util::StreamExt as _;
use http::{HeaderMap, Method, StatusCode, header};
use lapstrake::base::{BlobDigest, Reference};
use lapstrake::host::clock;
use lapstrake::registry::{
    BlobRequest, Client, ClientOptions, Credential, Credentials, Error, Retry, Timeouts, serve,
};
use lapstrake::report::Context;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const RUNS: u64 = 300;
const AT_ONCE: usize = 12;
/// No run may take longer: everything in it is bounded by time-outs far below.
const LONGEST: Duration = Duration::from_secs(300);
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A generator whose numbers depend on the seed alone.
struct Dice(AtomicU64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    fn below(&self, limit: u64) -> u64 {
        let mut x = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % limit
    }

    fn bytes(&self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length + 8);
        while out.len() < length {
            out.extend_from_slice(&self.below(u64::MAX).to_le_bytes());
        }
        out.truncate(length);
        out
    }
}

/// The broken front of one run.
struct Front {
    behind: String,
    host: String,
    other_host: String,
    dice: Dice,
    http: reqwest::Client,
    /// Uses left of each token.
    tokens: Mutex<Vec<u32>>,
    faults: AtomicUsize,
    leaks: AtomicUsize,
}

/// Pulled, it breaks a connection before another byte goes out.
#[derive(Clone, Debug, Default)]
struct Cord(Arc<AtomicBool>);

/// Connections that have a cord.
struct Fragile(TcpListener);

struct Wire(TcpStream, Cord);

impl Listener for Fragile {
    type Io = Wire;
    type Addr = Cord;

    async fn accept(&mut self) -> (Wire, Cord) {
        let (stream, cord) = (self.0.accept().await.unwrap().0, Cord::default());
        (Wire(stream, cord.clone()), cord)
    }

    fn local_addr(&self) -> io::Result<Cord> {
        Ok(Cord::default())
    }
}

impl Connected<IncomingStream<'_, Fragile>> for Cord {
    fn connect_info(stream: IncomingStream<'_, Fragile>) -> Self {
        stream.remote_addr().clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &[u8],
    ) -> task::Poll<io::Result<usize>> {
        if self.1.0.load(Ordering::SeqCst) {
            return task::Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    TooMany,
    ServerError,
    Truncated,
    FlippedByte,
    WrongDigestHeader,
    HalfDead,
    AnswerLost,
    RequestCut,
    RangeIgnored,
    RangeLie,
    TokenExpired,
    Redirect,
}

const FAULTS: [Fault; 12] = [
    Fault::TooMany,
    Fault::ServerError,
    Fault::Truncated,
    Fault::FlippedByte,
    Fault::WrongDigestHeader,
    Fault::HalfDead,
    Fault::AnswerLost,
    Fault::RequestCut,
    Fault::RangeIgnored,
    Fault::RangeLie,
    Fault::TokenExpired,
    Fault::Redirect,
];

fn plain(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// A body that ends with a broken connection after `bytes`.
fn broken_body(bytes: Bytes) -> Body {
    let pieces = [Ok(bytes), Err(std::io::Error::other("broken on purpose"))];
    // The pause lets the good part get through before the connection goes.
    Body::from_stream(futures_util::stream::iter(pieces).then(|piece| async {
        if piece.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        piece
    }))
}

async fn front(
    State(front): State<Arc<Front>>,
    ConnectInfo(cord): ConnectInfo<Cord>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let asked_host = parts.headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or_default().to_owned();
    if asked_host == front.other_host && parts.headers.contains_key("authorization") {
        front.leaks.fetch_add(1, Ordering::SeqCst);
    }
    if path.starts_with("/token") {
        return token(&front);
    }
    let fault = (front.dice.below(100) < 30).then(|| FAULTS[front.dice.below(12) as usize]);
    if asked_host == front.host && !admitted(&front, &parts.headers, fault) {
        let _ = axum::body::to_bytes(body, usize::MAX).await;
        let challenge =
            format!("Bearer realm=\"http://{}/token\",service=\"s\",scope=\"repository:x:pull\"", front.host);
        let mut response = plain(401);
        response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
        return response;
    }
    if fault.is_some() {
        front.faults.fetch_add(1, Ordering::Relaxed);
    }
    if let Some(response) = before(&front, (&parts.method, &path), fault) {
        return response;
    }
    let Ok(mut bytes) = axum::body::to_bytes(body, usize::MAX).await else { return plain(400) };
    let mut headers = parts.headers.clone();
    let is_upload = path.contains("/blobs/uploads/") && bytes.len() > 1;
    let mut method = parts.method.clone();
    if fault == Some(Fault::RequestCut) && is_upload {
        // The registry got the first part; then the connection broke.
        bytes.truncate(front.dice.below(bytes.len() as u64) as usize);
        method = Method::PATCH;
        headers.remove(header::CONTENT_RANGE);
    }
    if fault == Some(Fault::RangeIgnored) {
        headers.remove(header::RANGE);
    }
    let cut = fault == Some(Fault::RequestCut) && is_upload;
    let broken = cut && front.dice.below(2) == 0;
    let forwarded = forward(&front, method, &path, (headers, bytes)).await;
    if broken || fault == Some(Fault::AnswerLost) {
        cord.0.store(true, Ordering::SeqCst);
    }
    match (cut, forwarded) {
        (true, _) => plain(502),
        (_, Some(answer)) => after(&front, &parts.method, fault, answer).await,
        (_, None) => plain(502),
    }
}

fn token(front: &Front) -> Response {
    let mut tokens = front.tokens.lock().unwrap();
    tokens.push(3 + front.dice.below(20) as u32);
    let body = format!(r#"{{"token":"{}","expires_in":60}}"#, tokens.len() - 1);
    Response::new(Body::from(body))
}

/// Whether the request has a token with uses left; takes one.
fn admitted(front: &Front, headers: &HeaderMap, fault: Option<Fault>) -> bool {
    let sent = headers.get("authorization").and_then(|v| v.to_str().ok());
    let number = sent.and_then(|v| v.strip_prefix("Bearer ")).and_then(|v| v.parse::<usize>().ok());
    let mut tokens = front.tokens.lock().unwrap();
    let Some(left) = number.and_then(|n| tokens.get_mut(n)) else { return false };
    if fault == Some(Fault::TokenExpired) {
        *left = 0;
    }
    let good = *left > 0;
    *left = left.saturating_sub(1);
    good
}

/// Faults that come before the registry sees anything.
fn before(front: &Front, (method, path): (&Method, &str), fault: Option<Fault>) -> Option<Response> {
    match fault? {
        Fault::TooMany => {
            let mut response = plain(429);
            let dates = ["0", "1", "3600", "Sun, 06 Nov 1994 08:49:37 GMT", "nonsense"];
            let value = dates[front.dice.below(5) as usize];
            response.headers_mut().insert("retry-after", value.parse().unwrap());
            Some(response)
        }
        Fault::ServerError => Some(plain([500, 502, 503, 504, 408][front.dice.below(5) as usize])),
        Fault::Redirect if method == Method::GET && path.contains("/blobs/sha256") => {
            let mut response = plain(307);
            let location = format!("http://{}{path}", front.other_host);
            response.headers_mut().insert(header::LOCATION, location.parse().unwrap());
            Some(response)
        }
        _ => None,
    }
}

type Answer = (StatusCode, HeaderMap, Bytes);

async fn forward(
    front: &Front,
    method: Method,
    path: &str,
    (mut headers, bytes): (HeaderMap, Bytes),
) -> Option<Answer> {
    for name in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::AUTHORIZATION] {
        headers.remove(name);
    }
    let request = front.http.request(method, format!("http://{}{path}", front.behind)).headers(headers);
    let response = request.body(bytes).send().await.ok()?;
    let (status, headers) = (response.status(), response.headers().clone());
    Some((status, headers, response.bytes().await.ok()?))
}

/// Faults on the way back.
async fn after(
    front: &Front,
    method: &Method,
    fault: Option<Fault>,
    (status, mut headers, bytes): Answer,
) -> Response {
    if let Some(location) = headers.get(header::LOCATION).and_then(|l| l.to_str().ok()).map(str::to_owned) {
        // Locations in every form, with a query that has to survive.
        let form = match front.dice.below(3) {
            0 => format!("{location}?_state=a%2Bb%3D%3D"),
            1 => format!("http://{}{location}", front.host),
            _ => location,
        };
        headers.insert(header::LOCATION, form.parse().unwrap());
    }
    let length: usize =
        headers.get(header::CONTENT_LENGTH).and_then(|l| l.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = Body::from(bytes.clone());
    match fault {
        Some(Fault::Truncated) if bytes.len() > 1 => {
            body = broken_body(bytes.slice(..front.dice.below(bytes.len() as u64) as usize));
        }
        Some(Fault::FlippedByte) if !bytes.is_empty() && status.is_success() => {
            let mut wrong = bytes.to_vec();
            let at = front.dice.below(wrong.len() as u64) as usize;
            wrong[at] ^= 1;
            body = Body::from(wrong);
        }
        Some(Fault::WrongDigestHeader)
            if headers.contains_key("docker-content-digest") && method != Method::HEAD =>
        {
            let wrong = BlobDigest::of(b"wrong").to_string();
            headers.insert("docker-content-digest", wrong.parse().unwrap());
        }
        Some(Fault::HalfDead) => {
            let some = bytes.slice(..bytes.len() / 2);
            let dead = futures_util::stream::once(async { Ok::<_, std::io::Error>(some) })
                .chain(futures_util::stream::pending());
            body = Body::from_stream(dead);
        }
        Some(Fault::RangeLie) if status == StatusCode::PARTIAL_CONTENT => {
            headers.insert(header::CONTENT_RANGE, "bytes 0-0/1".parse().unwrap());
        }
        _ => {}
    }
    headers.remove(header::TRANSFER_ENCODING);
    headers.insert(header::CONTENT_LENGTH, length.max(bytes.len()).to_string().parse().unwrap());
    if method == Method::HEAD {
        body = Body::empty();
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What one run achieved.
#[derive(Debug)]
enum Run {
    Whole,
    Failed(Error),
}

async fn run(seed: u64, behind: String) -> (Run, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (host, other_host) = (format!("127.0.0.1:{port}"), format!("localhost:{port}"));
    let state = Arc::new(Front {
        behind,
        host: host.clone(),
        other_host,
        dice: Dice::new(seed),
        http: reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap(),
        tokens: Mutex::default(),
        faults: AtomicUsize::new(0),
        leaks: AtomicUsize::new(0),
    });
    let app = Router::new().fallback(front).with_state(Arc::clone(&state));
    let app = app.into_make_service_with_connect_info::<Cord>();
    let server = tokio::spawn(async move { axum::serve(Fragile(listener), app).await });
    let work = there_and_back(seed, &host);
    let result = tokio::time::timeout(LONGEST, work).await;
    server.abort();
    assert_eq!(state.leaks.load(Ordering::SeqCst), 0, "run {seed}: credentials went to another host");
    let result = result.unwrap_or_else(|_| panic!("run {seed} hangs"));
    let faults = state.faults.load(Ordering::Relaxed);
    (result.map_or_else(Run::Failed, |()| Run::Whole), faults)
}

async fn there_and_back(seed: u64, host: &str) -> Result<(), Error> {
    let dice = Dice::new(seed.wrapping_mul(7919));
    let me = Credential::Basic { username: "me".into(), password: "secret-word".into() };
    let options = || ClientOptions {
        credentials: Credentials::none().with(host, me.clone()),
        chunk: seed.is_multiple_of(3).then_some(100_000),
        timeouts: Timeouts { connect: Duration::from_secs(2), stall: Duration::from_millis(150) },
        retry: Retry {
            attempts: 10,
            first: Duration::from_millis(2),
            longest: Duration::from_millis(20),
            obey: Duration::from_millis(20),
        },
        ..ClientOptions::default()
    };
    let cx = Context::silent(clock::system());
    let to: Reference = format!("{host}/run{seed}/app:1").parse().unwrap();
    let client = Client::new(options());
    let blobs: Vec<Vec<u8>> = (0..3).map(|_| dice.bytes(dice.below(400_000) as usize)).collect();
    for bytes in &blobs {
        let digest = BlobDigest::of(bytes);
        client.push_blob(&cx, &BlobRequest::new(&to, &digest, bytes.len() as u64), bytes).await?;
    }
    let streamed = dice.bytes(dice.below(400_000) as usize);
    let (digest, size) = client.push_stream(&cx, &to, &streamed, None).await?;
    assert_eq!((&digest, size), (&BlobDigest::of(&streamed), streamed.len() as u64), "run {seed}");
    let manifest = manifest(&blobs, &streamed);
    let pushed = client.push_manifest(&cx, &to, MANIFEST, &manifest).await?;
    // Somebody else pulls.
    let client = Client::new(options());
    let resolved = client.resolve(&cx, &to).await?;
    assert_eq!(resolved.digest, pushed, "run {seed}");
    let pulled = client.manifest(&cx, &to).await?;
    assert!(pulled.digest == pushed && pulled.bytes == manifest, "run {seed}: wrong manifest");
    for bytes in blobs.iter().chain([&streamed]) {
        let digest = BlobDigest::of(bytes);
        let request = BlobRequest::new(&to, &digest, bytes.len() as u64);
        let found = client.blob_bytes(&cx, &request, u64::MAX).await?;
        assert!(found == *bytes, "run {seed}: wrong bytes");
    }
    Ok(())
}

fn manifest(blobs: &[Vec<u8>], streamed: &Vec<u8>) -> Vec<u8> {
    let describe = |media: &str, bytes: &Vec<u8>| {
        format!(r#"{{"mediaType":"{media}","digest":"{}","size":{}}}"#, BlobDigest::of(bytes), bytes.len())
    };
    let layers: Vec<String> = blobs[1..]
        .iter()
        .chain([streamed])
        .map(|b| describe("application/vnd.oci.image.layer.v1.tar", b))
        .collect();
    let config = describe("application/vnd.oci.image.config.v1+json", &blobs[0]);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{}]}}"#,
        layers.join(",")
    );
    text.into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_hundred_runs_over_a_broken_registry() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let root = tempfile::tempdir().unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let server =
        serve::Server::bind(address, root.path(), serve::Options::default(), clock::system()).await.unwrap();
    let behind = server.local_addr().to_string();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(stop.clone()));
    let only = std::env::var("LAP_FAULT_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds: Vec<u64> = only.map_or_else(|| (0..RUNS).collect(), |seed| vec![seed]);
    let runs = futures_util::stream::iter(seeds.clone()).map(|seed| {
        let behind = behind.clone();
        async move { (seed, tokio::spawn(run(seed, behind)).await.unwrap()) }
    });
    let done: Vec<_> = runs.buffer_unordered(AT_ONCE).collect().await;
    let (mut whole, mut faults) = (0, 0);
    for (seed, (run, met)) in done {
        faults += met;
        match run {
            Run::Whole => whole += 1,
            // Giving up with a reason is allowed; the registry's fault must be the reason.
            Run::Failed(Error::Local(story) | Error::Settings(story)) => panic!("run {seed}: {story}"),
            Run::Failed(error) => {
                let why = error.story().map(ToString::to_string).unwrap_or_default();
                println!("run {seed} gave up: {error}: {why}");
            }
        }
    }
    println!("{whole} of {} runs went through {faults} faults", seeds.len());
    assert!(whole * 10 >= seeds.len() * 9, "only {whole} of {} runs got through", seeds.len());
    assert!(only.is_some() || faults > 1000, "only {faults} faults were met");
    stop.cancel();
    serving.await.unwrap().unwrap();
}
