//! What the files of this machine say of registries, as Podman, Buildah, skopeo and Docker read them: `registries.conf`
//! (mirrors, other places, what may not be used, what is spoken to without TLS that can be trusted) and `certs.d`
//! (authorities and client certificates by registry).
//!
//! Short names are not looked up there: `debian` is `docker.io/library/debian` here, as with Docker and BuildKit.
//!
//! containers/image: docs/containers-registries.conf.5.md, docs/containers-certs.d.5.md; docker: engine/security/certificates.

mod certificates;
mod conf;
mod rules;

use std::path::PathBuf;

pub(super) use self::certificates::Trust;
pub(super) use self::rules::Rules;
use crate::host::env;
use crate::registry::Error;

/// Where this machine says something of registries.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Of these the first that is there.
    conf: Vec<PathBuf>,
    /// Folders of `*.conf`; what comes later wins.
    drop_ins: Vec<PathBuf>,
    /// Folders of folders by registry; of those of one registry the first that is there.
    certificates: Vec<PathBuf>,
}

impl Machine {
    /// Nowhere.
    pub fn none() -> Self {
        Self::default()
    }

    /// The places that those programs look at. Nothing is read yet.
    pub fn from_environment() -> Self {
        let etc = PathBuf::from("/etc/containers");
        let user = env::config_home().map(|folder| folder.join("containers"));
        let in_both =
            |name: &str| user.iter().chain([&etc]).map(|folder| folder.join(name)).collect::<Vec<_>>();
        let conf = match env::path("CONTAINERS_REGISTRIES_CONF") {
            Some(given) => vec![given],
            None => in_both("registries.conf"),
        };
        let mut certificates = in_both("certs.d");
        certificates.push("/etc/docker/certs.d".into());
        Self { conf, drop_ins: in_both("registries.conf.d").into_iter().rev().collect(), certificates }
    }

    /// As [`from_environment`](Self::from_environment), with the user's folder `containers` alone.
    pub fn of_folder(containers: impl Into<PathBuf>) -> Self {
        let folder = containers.into();
        Self {
            conf: vec![folder.join("registries.conf")],
            drop_ins: vec![folder.join("registries.conf.d")],
            certificates: vec![folder.join("certs.d")],
        }
    }

    /// Reads what is said of registries.
    ///
    /// # Errors
    /// `Settings` if a file cannot be read or understood.
    pub(super) fn rules(&self) -> Result<Rules, Error> {
        conf::read(&self.conf, &self.drop_ins)
    }

    /// The certificates for a registry, `host[:port]`.
    ///
    /// # Errors
    /// `Settings` if a folder cannot be read, or a certificate has no key or a key no certificate.
    pub(super) fn trust(&self, registry: &str) -> Result<Trust, Error> {
        certificates::find(&self.certificates, registry)
    }
}
