//! HTTP: one GET with the rules of a repository (`Helm: pkg/getter/httpgetter.go`).

use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use url::Url;

use super::Error;
use crate::host::fs;
use crate::registry::trusted_roots;

/// Largest index read; the largest public ones are about 20 MB.
pub(super) const LARGEST_INDEX: u64 = 512 << 20;
/// Largest chart read; no chart that can be loaded is larger when unpacked.
pub(super) const LARGEST_CHART: u64 = 128 << 20;
/// Largest PEM file read.
const LARGEST_PEM: u64 = 16 << 20;
/// How often a server may send us on.
const MOST_REDIRECTS: usize = 10;
/// How long nothing may come.
const STALL: Duration = Duration::from_secs(30);

/// How a server is trusted and told who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Name of the user; used only together with a password.
    pub username: String,
    /// Their password.
    pub password: String,
    /// A client certificate in PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key in PEM.
    pub key_file: Option<PathBuf>,
    /// Authorities to trust beside the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Whether any certificate is good enough.
    pub insecure: bool,
    /// Whether user and password also go to other hosts than the repository's.
    pub pass_credentials: bool,
}

/// What came.
#[derive(Debug)]
pub struct Fetched {
    /// The body.
    pub bytes: Vec<u8>,
    /// What to ask with the next time.
    pub etag: Option<String>,
}

/// Fetches files of one repository.
pub struct Fetcher {
    client: reqwest::Client,
    trust: Trust,
    /// The repository's address; user and password are for its host.
    home: String,
}

impl Fetcher {
    /// A fetcher for the repository at `home`; `timeout` is for a whole file.
    ///
    /// # Errors
    /// If certificates cannot be read.
    pub fn new(home: &str, trust: &Trust, timeout: Duration) -> Result<Self, Error> {
        let url =
            Url::parse(home).map_err(|_| Error::Invalid(format!("invalid chart URL format: {home}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Invalid(format!("could not find protocol handler for: {}", url.scheme())));
        }
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let invalid =
            |e: reqwest::Error| Error::Invalid(format!("can't create TLS config for client: {}", root(&e)));
        let mut builder = reqwest::Client::builder()
            .user_agent("Helm/4.3.1")
            .redirect(reqwest::redirect::Policy::limited(MOST_REDIRECTS))
            .connect_timeout(STALL)
            .read_timeout(STALL)
            .timeout(timeout)
            .tls_danger_accept_invalid_certs(trust.insecure);
        if url.scheme() == "https" {
            let files: Vec<PathBuf> = trust.ca_file.iter().cloned().collect();
            builder = builder.tls_certs_only(trusted_roots(&files)?);
        }
        if let (Some(cert), Some(key)) = (&trust.cert_file, &trust.key_file) {
            let read = |path: &PathBuf| {
                fs::read_limited(path, LARGEST_PEM)
                    .map_err(Error::local(format!("can't load key pair from cert {}", path.display())))
            };
            let pem = [read(cert)?, b"\n".to_vec(), read(key)?].concat();
            builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(invalid)?);
        }
        let client = builder.build().map_err(invalid)?;
        Ok(Self { client, trust: trust.clone(), home: home.to_owned() })
    }

    /// Gets a file; `None` if the server says that it is still the one with this `etag`.
    ///
    /// # Errors
    /// [`Error::Remote`] in Helm's words if it does not come, or is larger than `limit` bytes.
    pub async fn get(&self, href: &str, etag: Option<&str>, limit: u64) -> Result<Option<Fetched>, Error> {
        let url =
            Url::parse(href).map_err(|_| Error::Invalid(format!("invalid chart URL format: {href}")))?;
        let mut request =
            self.client.get(url.clone()).header(ACCEPT, "application/gzip,application/octet-stream,*/*");
        if self.may_have_credentials(&url) {
            request = request.basic_auth(&self.trust.username, Some(&self.trust.password));
        }
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let remote = |e: reqwest::Error| Error::Remote(format!("Get {href:?}: {}", root(&e)));
        let mut response = request.send().await.map_err(remote)?;
        if response.status() == StatusCode::NOT_MODIFIED && etag.is_some() {
            return Ok(None);
        }
        if response.status() != StatusCode::OK {
            return Err(Error::Remote(format!("failed to fetch {href} : {}", response.status())));
        }
        let found = response.headers().get(ETAG).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let too_large =
            || Error::Remote(format!("{href} is larger than the {} MB that are read", limit >> 20));
        let expected = response.content_length().unwrap_or(0);
        if expected > limit {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
        while let Some(chunk) = response.chunk().await.map_err(remote)? {
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(Fetched { bytes, etag: found }))
    }

    /// Whether user and password may go to `url`: only to the repository's own scheme and host, unless the user said
    /// otherwise. A redirect to another host loses them.
    fn may_have_credentials(&self, url: &Url) -> bool {
        if self.trust.username.is_empty() || self.trust.password.is_empty() {
            return false;
        }
        let same = Url::parse(&self.home).is_ok_and(|home| {
            home.scheme() == url.scheme()
                && home.host_str() == url.host_str()
                && home.port_or_known_default() == url.port_or_known_default()
        });
        same || self.trust.pass_credentials
    }
}

/// The innermost cause, which says most.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
