//! Uploads: begun, continued, asked about, finished, given up; and mounts. OCI distribution-spec, end-4 to end-6, 11, 13
//! and 14.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode, header};
use tokio::sync::mpsc;

use super::problem::Problem;
use super::route::{Name, digest};
use super::storage::Upload;
use super::{House, on_disk, parameter};
use crate::base::Digest;

/// How long a client may send nothing.
const PATIENCE: Duration = Duration::from_secs(300);

/// POST: a mount, a whole blob at once, or the beginning of an upload.
pub(super) async fn start(house: Arc<House>, name: Name, request: Request) -> Result<Response, Problem> {
    let query = request.uri().query().map(str::to_owned);
    if let Some(wanted) = parameter(query.as_deref(), "mount") {
        let (wanted, from) = (digest(&wanted)?, parameter(query.as_deref(), "from"));
        let (place, to) = (Arc::clone(&house), name.clone());
        let text = wanted.clone();
        let mounted = on_disk(move || match from {
            Some(from) => Ok(place.storage.mount(&Name::parse(&from)?, &to, &wanted)?),
            None => Ok(place.storage.has_blob(&to, &wanted)),
        });
        if mounted.await? {
            return Ok(created(&name, &text));
        }
    }
    let (place, repository) = (Arc::clone(&house), name.clone());
    let id = on_disk(move || Ok(place.storage.begin(&repository)?)).await?;
    match parameter(query.as_deref(), "digest") {
        Some(wanted) => finish_with(house, (name, id), (digest(&wanted)?, request)).await,
        None => Ok(state(StatusCode::ACCEPTED, &name, &id, 0)),
    }
}

/// GET: how far an upload is.
pub(super) async fn status(house: Arc<House>, name: Name, id: String) -> Result<Response, Problem> {
    on_disk(move || {
        let length = house.storage.upload_length(&name, &id)?;
        Ok(state(StatusCode::NO_CONTENT, &name, &id, length))
    })
    .await
}

/// PATCH: more bytes. Those that came before a connection broke are kept.
pub(super) async fn append(
    house: Arc<House>,
    (name, id): (Name, String),
    request: Request,
) -> Result<Response, Problem> {
    let upload = open(&house, (&name, &id), request.headers()).await?;
    let (upload, problem) = receive(upload, request.into_body()).await?;
    let length = upload.length();
    on_disk(move || {
        house.storage.put_back(upload);
        match problem {
            Some(problem) => Err(problem),
            None => Ok(state(StatusCode::ACCEPTED, &name, &id, length)),
        }
    })
    .await
}

/// PUT: the last bytes, or none, and the digest.
pub(super) async fn finish(
    house: Arc<House>,
    place: (Name, String),
    request: Request,
) -> Result<Response, Problem> {
    let wanted = parameter(request.uri().query(), "digest")
        .ok_or_else(|| Problem::digest_invalid("the last request of an upload names the digest"))?;
    finish_with(house, place, (digest(&wanted)?, request)).await
}

async fn finish_with(
    house: Arc<House>,
    (name, id): (Name, String),
    (wanted, request): (Digest, Request),
) -> Result<Response, Problem> {
    let upload = open(&house, (&name, &id), request.headers()).await?;
    let (upload, problem) = receive(upload, request.into_body()).await?;
    on_disk(move || {
        if let Some(problem) = problem {
            house.storage.put_back(upload);
            return Err(problem);
        }
        house.storage.publish(&name, upload, &wanted)?;
        Ok(created(&name, &wanted))
    })
    .await
}

/// DELETE: given up.
pub(super) async fn cancel(house: Arc<House>, name: Name, id: String) -> Result<Response, Problem> {
    on_disk(move || {
        let upload = house.storage.take(&name, &id)?;
        house.storage.discard(&upload)?;
        Ok(empty(StatusCode::NO_CONTENT))
    })
    .await
}

/// Takes hold of the upload and checks that the request continues it where it ends.
async fn open(house: &Arc<House>, (name, id): (&Name, &str), headers: &HeaderMap) -> Result<Upload, Problem> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (said, announced) = (text(header::CONTENT_RANGE), text(header::CONTENT_LENGTH));
    let (house, name, id) = (Arc::clone(house), name.clone(), id.to_owned());
    on_disk(move || {
        let upload = house.storage.take(&name, &id)?;
        let checked = check(said.as_deref(), announced.as_deref(), upload.length());
        match checked {
            Ok(()) => Ok(upload),
            Err(problem) => {
                let length = upload.length();
                house.storage.put_back(upload);
                Err(problem.with(header::RANGE, extent(length)).with(header::LOCATION, location(&name, &id)))
            }
        }
    })
    .await
}

/// `Content-Range: first-last` must begin where the upload ends and have the announced length.
fn check(said: Option<&str>, announced: Option<&str>, length: u64) -> Result<(), Problem> {
    let Some(said) = said else { return Ok(()) };
    let said = said.trim().strip_prefix("bytes ").unwrap_or(said.trim());
    let ends = said.split('/').next().and_then(|range| range.split_once('-'));
    let ends = ends.and_then(|(a, b)| Some((a.trim().parse::<u64>().ok()?, b.trim().parse::<u64>().ok()?)));
    let Some((first, last)) = ends.filter(|(first, last)| first <= last) else {
        return Err(Problem::upload_invalid("Content-Range is not of the form first-last"));
    };
    if first != length {
        return Err(Problem::out_of_order(length));
    }
    let announced = announced.and_then(|text| text.trim().parse::<u64>().ok());
    match announced.is_none_or(|n| n == last - first + 1) {
        true => Ok(()),
        false => Err(Problem::size_invalid("Content-Range and Content-Length do not fit")),
    }
}

/// Appends the body to the upload; the problem, if the body broke off.
async fn receive(mut upload: Upload, body: Body) -> Result<(Upload, Option<Problem>), Problem> {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(4);
    let writer = tokio::task::spawn_blocking(move || {
        while let Some(bytes) = receiver.blocking_recv() {
            if let Err(error) = upload.append(&bytes) {
                return (upload, Some(Problem::from(error)));
            }
        }
        (upload, None)
    });
    let mut stream = body.into_data_stream();
    let mut broken = None;
    loop {
        match tokio::time::timeout(PATIENCE, stream.next()).await {
            Ok(Some(Ok(bytes))) => {
                // The writer stopped: it will say why.
                if sender.send(bytes).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => {
                broken = Some(Problem::upload_invalid("the request broke off"));
                break;
            }
        }
    }
    drop(sender);
    let (upload, failed) = writer.await.map_err(|_| Problem::internal("a task of the registry broke off"))?;
    Ok((upload, failed.or(broken)))
}

fn location(name: &Name, id: &str) -> String {
    format!("/v2/{}/blobs/uploads/{id}", name.as_str())
}

fn extent(length: u64) -> String {
    format!("0-{}", length.saturating_sub(1))
}

fn state(status: StatusCode, name: &Name, id: &str, length: u64) -> Response {
    let mut response = empty(status);
    super::manifests::set(&mut response, header::LOCATION, &location(name, id));
    super::manifests::set(&mut response, header::RANGE, &extent(length));
    super::manifests::set(&mut response, header::HeaderName::from_static("docker-upload-uuid"), id);
    response
}

fn created(name: &Name, digest: &Digest) -> Response {
    let mut response = empty(StatusCode::CREATED);
    let text = digest.to_string();
    super::manifests::set(&mut response, header::LOCATION, &format!("/v2/{}/blobs/{text}", name.as_str()));
    super::manifests::set(&mut response, super::manifests::CONTENT_DIGEST, &text);
    response
}

pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
