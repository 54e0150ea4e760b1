//! Lists: tags and repositories, page by page, and referrers. OCI distribution-spec, end-8, end-12.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, header};
use serde_json::{Map, Value, json};

use super::manifests::{set, subject_of};
use super::problem::Problem;
use super::route::Name;
use super::{House, on_disk, parameter};
use crate::base::Digest;

const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(super) async fn tags(house: Arc<House>, name: Name, query: Option<&str>) -> Result<Response, Problem> {
    let page = Page::of(query)?;
    on_disk(move || {
        if !house.storage.has_repository(&name) {
            return Err(Problem::name_unknown(name.as_str()));
        }
        let (tags, more) = page.cut(house.storage.tags(&name)?);
        let body = json!({ "name": name.as_str(), "tags": tags });
        Ok(page.answer(&body, &format!("/v2/{}/tags/list", name.as_str()), (tags.last(), more)))
    })
    .await
}

pub(super) async fn catalog(house: Arc<House>, query: Option<&str>) -> Result<Response, Problem> {
    let page = Page::of(query)?;
    on_disk(move || {
        let (names, more) = page.cut(house.storage.repositories()?);
        Ok(page.answer(&json!({ "repositories": names }), "/v2/_catalog", (names.last(), more)))
    })
    .await
}

/// A question for a part of a list.
struct Page {
    most: Option<usize>,
    after: Option<String>,
}

impl Page {
    fn of(query: Option<&str>) -> Result<Self, Problem> {
        let most = match parameter(query, "n") {
            Some(text) => {
                let wrong = || Problem::size_invalid("n is not a number of entries");
                Some(text.parse().map_err(|_| wrong())?)
            }
            None => None,
        };
        Ok(Self { most, after: parameter(query, "last").filter(|last| !last.is_empty()) })
    }

    /// The entries of this page, and whether there are more.
    fn cut(&self, all: Vec<String>) -> (Vec<String>, bool) {
        let mut rest: Vec<String> =
            all.into_iter().filter(|name| self.after.as_ref().is_none_or(|after| name > after)).collect();
        let most = self.most.unwrap_or(rest.len());
        let more = rest.len() > most && most > 0;
        rest.truncate(most);
        (rest, more)
    }

    fn answer(&self, body: &Value, path: &str, (last, more): (Option<&String>, bool)) -> Response {
        let mut response = axum::Json(body).into_response();
        if let (Some(last), Some(most), true) = (last, self.most, more) {
            let last: String = url::form_urlencoded::byte_serialize(last.as_bytes()).collect();
            set(&mut response, header::LINK, &format!("<{path}?last={last}&n={most}>; rel=\"next\""));
        }
        response
    }
}

/// An index of the manifests that name `subject`; empty if there are none.
pub(super) async fn referrers(
    house: Arc<House>,
    name: Name,
    subject: Digest,
    query: Option<&str>,
) -> Result<Response, Problem> {
    let wanted = parameter(query, "artifactType");
    on_disk(move || {
        let mut found = Vec::new();
        for digest in house.storage.referrers(&name, &subject)? {
            let Some(kept) = house.storage.manifest(&name, &digest)? else { continue };
            let Ok(manifest) = serde_json::from_slice::<Value>(&kept.bytes) else { continue };
            if subject_of(&manifest).as_ref() != Some(&subject) {
                continue;
            }
            let entry = descriptor(&manifest, &digest, (&kept.media_type, kept.bytes.len()));
            if wanted.as_ref().is_none_or(|wanted| entry["artifactType"] == **wanted) {
                found.push(entry);
            }
        }
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": found });
        let mut response = index.to_string().into_response();
        set(&mut response, header::CONTENT_TYPE, INDEX);
        if wanted.is_some() {
            set(&mut response, FILTERS, "artifactType");
        }
        Ok(response)
    })
    .await
}

fn descriptor(manifest: &Value, digest: &Digest, (media_type, size): (&str, usize)) -> Value {
    let mut entry = Map::new();
    entry.insert("mediaType".into(), media_type.into());
    entry.insert("digest".into(), digest.to_string().into());
    entry.insert("size".into(), size.into());
    let own = manifest["artifactType"].as_str().filter(|t| !t.is_empty());
    if let Some(kind) = own.or(manifest["config"]["mediaType"].as_str()) {
        entry.insert("artifactType".into(), kind.into());
    }
    if manifest["annotations"].is_object() {
        entry.insert("annotations".into(), manifest["annotations"].clone());
    }
    Value::Object(entry)
}
