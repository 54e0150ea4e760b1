//! Connections: TLS roots, proxies, time-outs. One pool per way of speaking, made when first needed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use url::Url;

use crate::base::is_loopback;
use crate::host::{env, fs};
use crate::registry::machine::Trust;
use crate::registry::wire::Scheme;
use crate::registry::{Cause, ClientOptions, Error};

/// Largest PEM file we read.
const LARGEST_PEM: u64 = 16 << 20;

/// A way of speaking: the scheme, whether proxies of the environment are used, and the host that has certificates of its
/// own.
type Way = (Scheme, bool, Option<String>);

/// Pools of connections by way of speaking.
#[derive(Default)]
pub(super) struct Transports {
    pools: Mutex<BTreeMap<Way, reqwest::Client>>,
}

impl Transports {
    /// The pool for `url`, which is spoken to as `scheme` says. Loopback is never spoken to through a proxy.
    ///
    /// # Errors
    /// If certificates that were named cannot be read.
    pub(super) fn pool(
        &self,
        options: &ClientOptions,
        url: &Url,
        scheme: Scheme,
    ) -> Result<reqwest::Client, Error> {
        let proxied = !url.host_str().is_some_and(is_loopback);
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let trust = match scheme {
            Scheme::Http => Trust::default(),
            Scheme::Https | Scheme::Unverified => options.machine.trust(&host)?,
        };
        let way = (scheme, proxied, (!trust.is_empty()).then_some(host));
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(&way) {
            return Ok(pool.clone());
        }
        let pool = build(options, trust, scheme, proxied)?;
        pools.insert(way, pool.clone());
        Ok(pool)
    }
}

fn build(
    options: &ClientOptions,
    trust: Trust,
    scheme: Scheme,
    proxied: bool,
) -> Result<reqwest::Client, Error> {
    // An error means that a provider is installed already, which is what we want.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let roots = match scheme {
        Scheme::Https => roots(&[options.ca_files.as_slice(), &trust.authorities].concat())?,
        Scheme::Http | Scheme::Unverified => Vec::new(),
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("lapstrake/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(options.timeouts.connect)
        .tcp_nodelay(true)
        .http1_only()
        .tls_certs_only(roots)
        .tls_danger_accept_invalid_certs(scheme == Scheme::Unverified);
    if let Some((cert, key)) = options.identity.as_ref().or(trust.identity.as_ref()) {
        let action = || format!("read the client certificate {}", cert.display());
        let read =
            |path| fs::read_limited(path, LARGEST_PEM).map_err(|e| Error::settings(action(), Cause::Host(e)));
        let pem = [read(cert)?, b"\n".to_vec(), read(key)?].concat();
        let identity = reqwest::Identity::from_pem(&pem)
            .map_err(|e| Error::settings(action(), Cause::Network(Box::new(e))))?;
        builder = builder.identity(identity);
    }
    if !proxied {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|e| Error::settings("set up the registry client", Cause::Network(Box::new(e))))
}

/// The system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` honoured) or, on a system without any, Mozilla's; and the
/// files that are named.
///
/// # Errors
/// If certificates that were named cannot be read.
pub fn roots(files: &[PathBuf]) -> Result<Vec<reqwest::Certificate>, Error> {
    let native = rustls_native_certs::load_native_certs();
    let mut roots: Vec<reqwest::Certificate> = native.certs.iter().filter_map(certificate).collect();
    if roots.is_empty() {
        if let Some(name) = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(|n| env::path(n).is_some()) {
            let reason =
                native.errors.first().map_or("it holds no certificate".to_owned(), ToString::to_string);
            return Err(Error::settings(
                format!("read the certificates that {name} names"),
                Cause::Words(reason),
            ));
        }
        roots.extend(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(certificate));
    }
    for path in files {
        let action = || format!("read certificates from {}", path.display());
        let pem =
            fs::read_limited(path, LARGEST_PEM).map_err(|e| Error::settings(action(), Cause::Host(e)))?;
        let bundle = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|e| Error::settings(action(), Cause::Network(Box::new(e))))?;
        if bundle.is_empty() {
            return Err(Error::settings(action(), Cause::Words("there is no PEM certificate in it".into())));
        }
        roots.extend(bundle);
    }
    Ok(roots)
}

fn certificate(der: &CertificateDer<'_>) -> Option<reqwest::Certificate> {
    reqwest::Certificate::from_der(der).ok()
}
