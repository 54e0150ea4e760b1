//! Manifests: what a name stands for, and the manifest itself.

use http::{Method, header};

use super::exchange::{Call, unreadable};
use super::flow::Reply;
use super::trouble::Trouble;
use super::{Client, Place, reading, stoppable};
use crate::base::{BlobDigest, Digest, ManifestDigest, Reference};
use crate::registry::{Cause, Error, Pulled, Resolved};
use crate::report::Context;

/// Largest manifest read. Registries must take 4 MiB.
const LARGEST_MANIFEST: usize = 16 << 20;

/// Everything that can stand behind a name. OCI image-spec: media-types.md; distribution: manifest-v2-2.md.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                      application/vnd.docker.distribution.manifest.list.v2+json, \
                      application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1";

/// Manifests from before 2016, which no longer say what they consist of.
const SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

impl Client {
    /// What a reference stands for at the moment, without reading the manifest where the registry allows that.
    ///
    /// # Errors
    /// `NotFound` if it stands for nothing.
    pub async fn resolve(&self, cx: &Context, reference: &Reference) -> Result<Resolved, Error> {
        stoppable(cx, async {
            let places = self.places(cx, reference).await?;
            let last = places.len() - 1;
            for (at, place) in places.iter().enumerate() {
                match self.resolve_at(cx, place, reference).await {
                    Err(error) if at < last && may_be_elsewhere(&error) => {
                        self.skipped(cx, place.peer.name(), &error);
                    }
                    result => return result,
                }
            }
            unreachable_place(reference)
        })
        .await
    }

    /// The manifest or index that a reference stands for, its digest verified.
    ///
    /// # Errors
    /// `NotFound` if it stands for nothing, `Corrupt` if the bytes do not have the digest, `Unsupported` for schema 1.
    pub async fn manifest(&self, cx: &Context, reference: &Reference) -> Result<Pulled, Error> {
        stoppable(cx, async {
            let places = self.places(cx, reference).await?;
            let last = places.len() - 1;
            for (at, place) in places.iter().enumerate() {
                match self.manifest_at(cx, place, reference).await {
                    Err(error) if at < last && may_be_elsewhere(&error) => {
                        self.skipped(cx, place.peer.name(), &error);
                    }
                    result => return result,
                }
            }
            unreachable_place(reference)
        })
        .await
    }

    /// The size of a blob in bytes if the repository has it. Mirrors are not asked.
    ///
    /// # Errors
    /// If the registry does not say.
    pub async fn blob_exists(
        &self,
        cx: &Context,
        repository: &Reference,
        digest: &BlobDigest,
    ) -> Result<Option<u64>, Error> {
        stoppable(cx, async {
            let action = format!("look for blob {} in {}", digest.short(), repository.name());
            let peer = self.peer(cx, repository.registry()).await?;
            let path = repository.repository();
            let url = peer.endpoint.url(&format!("{path}/blobs/{digest}"), None);
            let call = Call::new(&peer, Method::HEAD, url, &action).within(path, reading(path));
            let size = |reply: Reply| async move {
                Ok((reply.status() == 200).then(|| reply.length().unwrap_or_default()))
            };
            self.call(cx, &call, &[200, 404], size).await
        })
        .await
    }

    async fn resolve_at(
        &self,
        cx: &Context,
        place: &Place,
        reference: &Reference,
    ) -> Result<Resolved, Error> {
        let action = format!("resolve {reference}");
        let url = place.url(&format!("manifests/{}", reference.selector()));
        let call = Call::new(&place.peer, Method::HEAD, url, &action)
            .within(&place.repository, reading(&place.repository))
            .with(header::ACCEPT, ACCEPT);
        let read = |reply: Reply| async move { Ok(from_head(&reply, reference)) };
        let head = self.call(cx, &call, &[200, 405], read).await?;
        match head {
            Some(resolved) => Ok(resolved),
            None => {
                let Pulled { digest, media_type, bytes } = self.manifest_at(cx, place, reference).await?;
                Ok(Resolved { digest, media_type, size: Some(bytes.len() as u64) })
            }
        }
    }

    async fn manifest_at(&self, cx: &Context, place: &Place, reference: &Reference) -> Result<Pulled, Error> {
        let action = format!("pull manifest {reference}");
        let url = place.url(&format!("manifests/{}", reference.selector()));
        let call = Call::new(&place.peer, Method::GET, url, &action)
            .within(&place.repository, reading(&place.repository))
            .with(header::ACCEPT, ACCEPT);
        let call = &call;
        self.call(cx, call, &[200], |reply| read_manifest(call, reply, reference)).await
    }
}

/// Whether another registry may do better.
fn may_be_elsewhere(error: &Error) -> bool {
    !matches!(error, Error::Cancelled | Error::Local(_))
}

fn unreachable_place<T>(reference: &Reference) -> Result<T, Error> {
    Err(Error::settings(format!("find a registry for {reference}"), Cause::Words("there is none".into())))
}

fn from_head(reply: &Reply, reference: &Reference) -> Option<Resolved> {
    if reply.status() != 200 {
        return None;
    }
    let said = reply.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
    let digest = reference.digest().cloned().or(said)?;
    let media_type = media_type_of(reply);
    // Its answer to a HEAD would hide what is wrong.
    let schema_1 = media_type.as_deref().is_some_and(|m| SCHEMA_1.contains(&m));
    (!schema_1).then(|| Resolved { digest: ManifestDigest::new(digest), media_type, size: reply.length() })
}

/// The media type without parameters.
fn media_type_of(reply: &Reply) -> Option<String> {
    let text = reply.header("content-type")?.split(';').next()?.trim().to_ascii_lowercase();
    (!text.is_empty()).then_some(text)
}

async fn read_manifest(call: &Call<'_>, mut reply: Reply, reference: &Reference) -> Result<Pulled, Trouble> {
    let bytes = reply.body(LARGEST_MANIFEST).await.map_err(|error| unreadable(call, error))?;
    let said = match reply.header("docker-content-digest") {
        Some(text) => Some(text.parse::<Digest>().map_err(|e| corrupt(call, e.to_string()))?),
        None => None,
    };
    // What was asked for counts; else what the registry claims; each must fit the bytes.
    let wanted = reference.digest().cloned().or(said);
    let digest = match wanted {
        Some(wanted) => {
            let mut hasher = wanted.algorithm().hasher();
            hasher.update(&bytes);
            let found = hasher.finish();
            if found != wanted {
                return Err(corrupt(call, format!("the bytes have digest {found} instead of {wanted}")));
            }
            wanted
        }
        None => Digest::sha256(&bytes),
    };
    let media_type = media_type_of(&reply).filter(|m| m.contains('+') || m.contains("vnd."));
    let media_type = media_type.or_else(|| media_type_inside(&bytes));
    if media_type.as_deref().is_some_and(|m| SCHEMA_1.contains(&m)) {
        let words =
            "it is a Docker manifest of schema 1, a format that was given up in 2016: push the image again";
        return Err(Trouble::never(Error::Unsupported(call.story(Cause::Words(words.into())))));
    }
    Ok(Pulled { digest: ManifestDigest::new(digest), media_type, bytes })
}

fn media_type_inside(bytes: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    value.get("mediaType")?.as_str().map(str::to_owned)
}

fn corrupt(call: &Call<'_>, words: String) -> Trouble {
    Trouble::later(Error::Corrupt(call.story(Cause::Words(words))))
}
