//! Removing manifests, tags and blobs.

use http::Method;

use super::exchange::Call;
use super::{Client, stoppable};
use crate::base::{BlobDigest, ManifestDigest, Reference};
use crate::registry::Error;
use crate::registry::wire::{Scope, Scopes};
use crate::report::Context;

impl Client {
    /// Removes a manifest and with it every tag that stands for it.
    ///
    /// # Errors
    /// `NotFound` if there is none, `Unsupported` where removing is turned off.
    pub async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &Reference,
        digest: &ManifestDigest,
    ) -> Result<(), Error> {
        let action = format!("delete manifest {} from {}", digest.digest().short(), repository.name());
        self.delete(cx, repository, &format!("manifests/{digest}"), &action).await
    }

    /// Removes a tag and leaves the manifest.
    ///
    /// # Errors
    /// `NotFound` if there is none, `Unsupported` where the registry removes manifests only (Distribution before 3).
    pub async fn delete_tag(&self, cx: &Context, reference: &Reference) -> Result<(), Error> {
        let action = format!("delete tag {reference}");
        let path = format!("manifests/{}", reference.tag_or_latest());
        match self.delete(cx, reference, &path, &action).await {
            // Distribution 2 takes the tag for a broken digest.
            Err(Error::Refused(story)) if story.says("DIGEST_INVALID") => Err(Error::Unsupported(story)),
            result => result,
        }
    }

    /// Removes a blob from a repository.
    ///
    /// # Errors
    /// `NotFound` if it is not there, `Unsupported` where removing is turned off.
    pub async fn delete_blob(
        &self,
        cx: &Context,
        repository: &Reference,
        digest: &BlobDigest,
    ) -> Result<(), Error> {
        let action = format!("delete blob {} from {}", digest.short(), repository.name());
        self.delete(cx, repository, &format!("blobs/{digest}"), &action).await
    }

    async fn delete(
        &self,
        cx: &Context,
        repository: &Reference,
        what: &str,
        action: &str,
    ) -> Result<(), Error> {
        stoppable(cx, async {
            let peer = self.peer(cx, repository.registry()).await?;
            let path = repository.repository();
            let url = peer.endpoint.url(&format!("{path}/{what}"), None);
            let call =
                Call::new(&peer, Method::DELETE, url, action).within(path, Scopes::of([Scope::delete(path)]));
            let mut tries = super::Tries::new(cx, self.inner.options.retry);
            let mut asked_before = false;
            loop {
                match self.exchange(cx, &call, &[200, 202, 204]).await {
                    Ok(_) => return Ok(()),
                    // The answer to an earlier request was lost.
                    Err(trouble) if asked_before && trouble.error.is_not_found() => return Ok(()),
                    Err(trouble) => tries.again(trouble).await?,
                }
                asked_before = true;
            }
        })
        .await
    }
}
