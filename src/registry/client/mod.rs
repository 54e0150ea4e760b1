//! The client.

use std::path::Path;

use crate::base::{BlobDigest, ManifestDigest, Reference};
use crate::registry::{
    BlobRequest, BlobSink, BlobSource, ClientOptions, Error, Pulled, Pushed, PushedManifest, Referrers, Resolved,
};
use crate::report::{Context, Task};

/// A client for any number of registries; cheap to clone, keeps connections, schemes and tokens.
///
/// All methods stop with `Error::Cancelled` soon after `cx.cancel` is cancelled, and repeat what may be repeated.
#[derive(Clone)]
pub struct Client {
    inner: std::sync::Arc<ClientOptions>,
}

impl Client {
    pub fn new(options: ClientOptions) -> Result<Self, Error> { todo!() }
    /// `GET /v2/` with credentials: does the registry answer and accept who we are?
    pub async fn ping(&self, cx: &Context, registry: &str) -> Result<(), Error> { todo!() }
    /// What a reference stands for: HEAD (GET where HEAD does not tell). A cheap question; body not read.
    pub async fn resolve(&self, cx: &Context, reference: &Reference) -> Result<Resolved, Error> { todo!() }
    /// The manifest or index, verified.
    pub async fn manifest(&self, cx: &Context, reference: &Reference) -> Result<Pulled, Error> { todo!() }
    /// The blob's size if the repository has it.
    pub async fn blob_exists(&self, cx: &Context, repository: &Reference, digest: &BlobDigest) -> Result<Option<u64>, Error> { todo!() }
    /// Pulls into `sink`, from `sink.position()` on, and compares size and digest.
    pub async fn pull_blob(&self, cx: &Context, blob: &BlobRequest<'_>, sink: &mut dyn BlobSink) -> Result<(), Error> { todo!() }
    /// Small blob into memory (image configurations).
    pub async fn blob_bytes(&self, cx: &Context, blob: &BlobRequest<'_>) -> Result<Vec<u8>, Error> { todo!() }
    /// Only a mount, no upload: true if `to` has it now.
    pub async fn mount_blob(&self, cx: &Context, blob: &BlobRequest<'_>) -> Result<bool, Error> { todo!() }
    /// HEAD, else mount from `blob.mount_from`, else upload.
    pub async fn push_blob(&self, cx: &Context, blob: &BlobRequest<'_>, source: &dyn BlobSource) -> Result<Pushed, Error> { todo!() }
    /// Uploads bytes whose digest and length are not known beforehand, in chunks; hashes them on the way.
    pub async fn push_stream(&self, cx: &Context, repository: &Reference, source: &dyn BlobSource, task: Option<&Task>) -> Result<(BlobDigest, u64), Error> { todo!() }
    /// PUT by tag or by digest (which must be that of `bytes`); keeps the referrers fallback tag when a subject is named.
    pub async fn push_manifest(&self, cx: &Context, reference: &Reference, media_type: &str, bytes: &[u8]) -> Result<PushedManifest, Error> { todo!() }
    /// By digest.
    pub async fn delete_manifest(&self, cx: &Context, repository: &Reference, digest: &ManifestDigest) -> Result<(), Error> { todo!() }
    /// By tag; `Error::Unsupported` where the registry cannot.
    pub async fn delete_tag(&self, cx: &Context, reference: &Reference) -> Result<(), Error> { todo!() }
    pub async fn delete_blob(&self, cx: &Context, repository: &Reference, digest: &BlobDigest) -> Result<(), Error> { todo!() }
    pub async fn tags(&self, cx: &Context, repository: &Reference) -> Result<Vec<String>, Error> { todo!() }
    pub async fn catalog(&self, cx: &Context, registry: &str) -> Result<Vec<String>, Error> { todo!() }
    pub async fn referrers(&self, cx: &Context, repository: &Reference, subject: &ManifestDigest, artifact_type: Option<&str>) -> Result<Referrers, Error> { todo!() }
}
// credentials: Credentials::none(), Credentials::from_environment(), .with(host, Credential::Basic{username,password});
//   Credentials::lookup(registry, repository) -> Result<Option<Credential>, Error> (blocking);
//   login: ops calls client.ping with the new credentials, then Credentials::store(host, &Credential) -> Result<Stored, Error>, Credentials::erase(host).
// serve: serve::Server::bind(addr: SocketAddr, root: &Path, serve::Options{read_only, htpasswd, ..}).await? -> Server; server.local_addr(); server.serve(CancellationToken).await
