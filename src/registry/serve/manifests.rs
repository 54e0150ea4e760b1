//! Manifests: read, kept, removed. OCI distribution-spec, end-3, end-7, end-9.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::problem::Problem;
use super::route::{Name, Selector};
use super::uploads::empty;
use super::{House, on_disk};
use crate::base::Digest;

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

pub(super) async fn get(house: Arc<House>, name: Name, selector: Selector) -> Result<Response, Problem> {
    on_disk(move || {
        let digest = find(&house, &name, &selector)?;
        let unknown = || Problem::manifest_unknown(&digest.to_string());
        let manifest = house.storage.manifest(&name, &digest)?.ok_or_else(unknown)?;
        let length = manifest.bytes.len().to_string();
        let mut response = Response::new(Body::from(manifest.bytes));
        set(&mut response, header::CONTENT_TYPE, &manifest.media_type);
        set(&mut response, header::CONTENT_LENGTH, &length);
        set(&mut response, header::ETAG, &format!("\"{digest}\""));
        set(&mut response, CONTENT_DIGEST, &digest.to_string());
        Ok(response)
    })
    .await
}

pub(super) async fn put(
    house: Arc<House>,
    (name, selector): (Name, Selector),
    request: Request,
) -> Result<Response, Problem> {
    let media_type =
        request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).map(str::to_owned);
    // RFC 9110, section 13.1.2: only if there is nothing yet.
    let claims = request.headers().get(header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    let limit = house.options.largest_manifest;
    // A body that is too long is not read to its end.
    let bytes =
        axum::body::to_bytes(request.into_body(), limit).await.map_err(|_| Problem::too_large(limit))?;
    on_disk(move || {
        let manifest: Value = serde_json::from_slice(&bytes)
            .map_err(|e| Problem::manifest_invalid(format!("it is not JSON: {e}")))?;
        if !manifest.is_object() {
            return Err(Problem::manifest_invalid("it is not a JSON object"));
        }
        let inside = manifest["mediaType"].as_str();
        let media_type = media_type.as_deref().or(inside).unwrap_or("application/octet-stream");
        if inside.is_some_and(|inside| inside != media_type.split(';').next().unwrap_or_default().trim()) {
            return Err(Problem::manifest_invalid("its mediaType is not the request's Content-Type"));
        }
        let digest = match &selector {
            Selector::Digest(wanted) => {
                let mut hasher = wanted.algorithm().hasher();
                hasher.update(&bytes);
                let found = hasher.finish();
                if found != *wanted {
                    return Err(Problem::digest_invalid(format!("the manifest has digest {found}")));
                }
                found
            }
            Selector::Tag(_) => Digest::sha256(&bytes),
        };
        check_references(&house, &name, &manifest)?;
        let subject = subject_of(&manifest);
        house.storage.put_manifest(&name, &digest, media_type, (&bytes, subject.as_ref()))?;
        match &selector {
            Selector::Tag(tag) if !claims => house.storage.set_tag(&name, tag, &digest)?,
            Selector::Tag(tag) if !house.storage.claim_tag(&name, tag, &digest)? => {
                return Err(Problem::tag_taken(tag));
            }
            _ => {}
        }
        let mut response = empty(StatusCode::CREATED);
        let text = digest.to_string();
        set(&mut response, header::LOCATION, &format!("/v2/{}/manifests/{text}", name.as_str()));
        set(&mut response, CONTENT_DIGEST, &text);
        if let Some(subject) = subject {
            set(&mut response, SUBJECT, &subject.to_string());
        }
        Ok(response)
    })
    .await
}

/// By digest the manifest goes with all its tags; by tag the tag alone.
pub(super) async fn delete(house: Arc<House>, name: Name, selector: Selector) -> Result<Response, Problem> {
    on_disk(move || {
        let there = match &selector {
            Selector::Tag(tag) => house.storage.remove_tag(&name, tag)?,
            Selector::Digest(digest) => {
                let kept = house.storage.manifest(&name, digest)?;
                let manifest = kept.and_then(|kept| serde_json::from_slice::<Value>(&kept.bytes).ok());
                let subject = manifest.as_ref().and_then(subject_of);
                house.storage.remove_manifest(&name, digest, subject.as_ref())?
            }
        };
        match (there, selector) {
            (true, _) => Ok(accepted()),
            (false, Selector::Tag(tag)) => Err(Problem::manifest_unknown(&tag)),
            (false, Selector::Digest(digest)) => Err(Problem::manifest_unknown(&digest.to_string())),
        }
    })
    .await
}

fn find(house: &House, name: &Name, selector: &Selector) -> Result<Digest, Problem> {
    match selector {
        Selector::Digest(digest) => Ok(digest.clone()),
        Selector::Tag(tag) => match house.storage.tag(name, tag)? {
            Some(digest) => Ok(digest),
            None if house.storage.has_repository(name) => Err(Problem::manifest_unknown(tag)),
            None => Err(Problem::name_unknown(name.as_str())),
        },
    }
}

pub(super) fn subject_of(manifest: &Value) -> Option<Digest> {
    manifest["subject"]["digest"].as_str()?.parse().ok()
}

/// Everything a manifest refers to must be in the repository, but for its subject, which may come later, and layers that
/// lie elsewhere.
fn check_references(house: &House, name: &Name, manifest: &Value) -> Result<(), Problem> {
    let list = |field: &str| manifest[field].as_array().cloned().unwrap_or_default();
    let mut missing = Vec::new();
    let mut blobs = list("layers");
    blobs.extend(list("blobs"));
    blobs.extend(manifest.get("config").cloned());
    for (entries, is_manifest) in [(blobs, false), (list("manifests"), true)] {
        for entry in entries {
            let text = entry["digest"].as_str().unwrap_or_default();
            let digest: Digest = text
                .parse()
                .map_err(|_| Problem::manifest_invalid(format!("{text:?} in it is not a digest")))?;
            let there = match is_manifest {
                true => house.storage.has_manifest(name, &digest),
                false => house.storage.has_blob(name, &digest),
            };
            let elsewhere = entry["urls"].as_array().is_some_and(|urls| !urls.is_empty());
            if !there && !elsewhere {
                missing.push(digest.to_string());
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Problem::missing(&missing)) }
}

pub(super) fn accepted() -> Response {
    empty(StatusCode::ACCEPTED)
}

/// Sets a header. What cannot stand in one (a media type with strange characters) is left out.
pub(super) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
