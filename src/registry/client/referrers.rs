//! Referrers: manifests that name another as their subject. OCI distribution-spec, "Listing Referrers".

use http::Method;
use serde_json::{Map, Value, json};

use super::exchange::{Call, unreadable};
use super::flow::Reply;
use super::trouble::Trouble;
use super::{Client, reading, stoppable};
use crate::base::{ManifestDigest, Reference};
use crate::registry::{Cause, Error, wire};
use crate::report::Context;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LARGEST: usize = 16 << 20;

impl Client {
    /// The descriptors of all manifests whose subject is `subject`, as the registry lists them or, where it does not
    /// know referrers, as the fallback tag has them; those of `artifact_type` only, if one is given.
    ///
    /// # Errors
    /// If the registry cannot be asked. That there are none is no error.
    pub async fn referrers(
        &self,
        cx: &Context,
        repository: &Reference,
        subject: &ManifestDigest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Value>, Error> {
        stoppable(cx, async {
            let found = match self.referrers_of_api(cx, repository, subject, artifact_type).await? {
                Some(found) => found,
                None => self.fallback(cx, repository, subject).await?,
            };
            let fits = |d: &Value| artifact_type.is_none_or(|want| d["artifactType"] == want);
            Ok(found.into_iter().filter(fits).collect())
        })
        .await
    }

    /// `None` where the registry does not know the question.
    async fn referrers_of_api(
        &self,
        cx: &Context,
        repository: &Reference,
        subject: &ManifestDigest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Value>>, Error> {
        let action = format!("list the referrers of {}", subject.short());
        let path = repository.repository();
        let peer = self.peer(cx, repository.registry()).await?;
        let mut url = peer.endpoint.url(&format!("{path}/referrers/{subject}"), None);
        if let Some(wanted) = artifact_type {
            url = wire::with_query(&url, "artifactType", wanted);
        }
        let (mut all, mut visited) = (Vec::new(), std::collections::BTreeSet::new());
        loop {
            visited.insert(url.to_string());
            let call = Call::new(&peer, Method::GET, url.clone(), &action).within(path, reading(path));
            let call = &call;
            let page = self.call(cx, call, &[200, 400, 404, 405], |reply| read_index(call, reply)).await?;
            let Some((found, next)) = page else { return Ok(None) };
            all.extend(found);
            url = match next.and_then(|next| wire::resolve(&url, &next)) {
                Some(next) if !wire::is_cross_origin(&url, &next) && !visited.contains(next.as_str()) => next,
                _ => return Ok(Some(all)),
            };
        }
    }

    async fn fallback(
        &self,
        cx: &Context,
        repository: &Reference,
        subject: &ManifestDigest,
    ) -> Result<Vec<Value>, Error> {
        match self.manifest(cx, &fallback_tag(repository, subject)?).await {
            Ok(pulled) => Ok(descriptors(&pulled.bytes).unwrap_or_default()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Adds a manifest that names a subject to the subject's fallback tag. Two writers at once can lose one of the
    /// entries: the specification offers nothing better for such registries.
    pub(super) async fn keep_fallback_tag(
        &self,
        cx: &Context,
        reference: &Reference,
        media_type: &str,
        (bytes, digest): (&[u8], &ManifestDigest),
    ) -> Result<(), Error> {
        let Some((subject, entry)) = referrer(media_type, bytes, digest) else { return Ok(()) };
        let mut list = self.fallback(cx, reference, &subject).await?;
        if list.iter().any(|d| d["digest"] == entry["digest"]) {
            return Ok(());
        }
        list.push(entry);
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": list });
        let tag = fallback_tag(reference, &subject)?;
        Box::pin(self.push_manifest(cx, &tag, INDEX, index.to_string().as_bytes())).await?;
        Ok(())
    }
}

/// `sha256-<hex>`: the algorithm and the digest, cut to what a tag may have.
fn fallback_tag(repository: &Reference, subject: &ManifestDigest) -> Result<Reference, Error> {
    let tag = format!("{}-{:.64}", subject.digest().algorithm().name(), subject.hex());
    repository
        .with_tag(&tag)
        .map_err(|e| Error::settings("name the referrers tag", Cause::Words(e.to_string())))
}

/// The subject and the descriptor of a manifest that has a subject.
fn referrer(media_type: &str, bytes: &[u8], digest: &ManifestDigest) -> Option<(ManifestDigest, Value)> {
    let manifest: Value = serde_json::from_slice(bytes).ok()?;
    let subject = manifest["subject"]["digest"].as_str()?.parse().ok()?;
    let mut entry = Map::new();
    entry.insert("mediaType".into(), media_type.into());
    entry.insert("digest".into(), digest.to_string().into());
    entry.insert("size".into(), bytes.len().into());
    let own = manifest["artifactType"].as_str().filter(|t| !t.is_empty());
    if let Some(kind) = own.or(manifest["config"]["mediaType"].as_str()) {
        entry.insert("artifactType".into(), kind.into());
    }
    if manifest["annotations"].is_object() {
        entry.insert("annotations".into(), manifest["annotations"].clone());
    }
    Some((subject, Value::Object(entry)))
}

fn descriptors(bytes: &[u8]) -> Option<Vec<Value>> {
    match serde_json::from_slice::<Value>(bytes).ok()?.get_mut("manifests")?.take() {
        Value::Array(list) => Some(list),
        _ => None,
    }
}

type Page = Option<(Vec<Value>, Option<String>)>;

async fn read_index(call: &Call<'_>, mut reply: Reply) -> Result<Page, Trouble> {
    if reply.status() != 200 {
        return Ok(None);
    }
    let next = wire::next_page(reply.headers("link"));
    let body = reply.body(LARGEST).await.map_err(|error| unreadable(call, error))?;
    // Some front ends answer every path with a page of their own: that is no index.
    Ok(descriptors(&body).map(|found| (found, next)))
}
