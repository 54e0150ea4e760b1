//! Credentials: found where other tools keep them, kept where other tools find them.
//!
//! Looked for, in this order: what the caller gave; the variable `DOCKER_AUTH_CONFIG`; the file `REGISTRY_AUTH_FILE`
//! names; `$XDG_RUNTIME_DIR/containers/auth.json`; `containers/auth.json` in the configuration folder;
//! `${DOCKER_CONFIG:-~/.docker}/config.json`; `~/.dockercfg`. Within one place the entry for the longest part of the
//! name wins (`host/team/app`, `host/team`, `host`), and `credHelpers` wins over `credsStore` over `auths`.
//!
//! docker/cli: cli/config; containers/image: docs/containers-auth.json.5.md.

mod file;
mod login;
mod program;

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use self::login::Stored;
use crate::host::env;
use crate::registry::Error;
use crate::report::Secrets;

/// Who we are to a registry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credential {
    /// A user name and a password or access token.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: String,
    },
    /// A token that a token server takes instead of a password.
    Identity {
        /// The user name it was stored with; often `<token>`.
        username: String,
        /// The token.
        token: String,
    },
    /// A token for the registry itself.
    RegistryToken(String),
}

impl std::fmt::Debug for Credential {
    /// Never shows a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Basic { username, .. } => write!(f, "Basic({username})"),
            Self::Identity { username, .. } => write!(f, "Identity({username})"),
            Self::RegistryToken(_) => f.write_str("RegistryToken"),
        }
    }
}

impl Credential {
    /// `user:secret` as Basic authentication wants it, if it has such a form.
    pub fn basic(&self) -> Option<String> {
        match self {
            Self::Basic { username, password } => Some(format!("{username}:{password}")),
            Self::Identity { username, token } => Some(format!("{username}:{token}")),
            Self::RegistryToken(_) => None,
        }
    }

    /// The user name, if there is one.
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::Basic { username, .. } | Self::Identity { username, .. } => Some(username),
            Self::RegistryToken(_) => None,
        }
    }

    /// Makes sure that the secret is never shown.
    pub fn register(&self, secrets: &Secrets) {
        match self {
            Self::Basic { password: secret, .. } | Self::Identity { token: secret, .. } => {
                secrets.register(secret);
                secrets.register(STANDARD.encode(self.basic().unwrap_or_default()));
            }
            Self::RegistryToken(secret) => secrets.register(secret),
        }
    }
}

/// Where credentials are looked for.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    given: BTreeMap<String, Credential>,
    variable: Option<String>,
    files: Vec<PathBuf>,
    /// The file that `login` writes.
    own: Option<PathBuf>,
}

impl Credentials {
    /// Nowhere: everybody is asked anonymously.
    pub fn none() -> Self {
        Self::default()
    }

    /// The places the environment names. Nothing is read yet.
    pub fn from_environment() -> Self {
        let containers = |dir: PathBuf| dir.join("containers/auth.json");
        let docker = env::path("DOCKER_CONFIG").or_else(|| Some(env::home()?.join(".docker")));
        let own = docker.map(|dir| dir.join("config.json"));
        let files = [
            env::path("REGISTRY_AUTH_FILE"),
            env::path("XDG_RUNTIME_DIR").map(containers),
            env::config_home().map(containers),
            own.clone(),
            env::home().map(|home| home.join(".dockercfg")),
        ];
        Self {
            given: BTreeMap::new(),
            variable: env::var("DOCKER_AUTH_CONFIG"),
            files: files.into_iter().flatten().collect(),
            own,
        }
    }

    /// Only this file, which `login` also writes; for tests and for `--authfile`.
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { files: vec![path.clone()], own: Some(path), ..Self::default() }
    }

    /// The same places after this file, which `login` then writes.
    #[must_use]
    pub fn before(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.files.insert(0, path.clone());
        self.own = Some(path);
        self
    }

    /// Adds a credential for a registry, or a part of one, that wins over all places.
    #[must_use]
    pub fn with(mut self, name: &str, credential: Credential) -> Self {
        self.given.insert(file::normal_key(name), credential);
        self
    }

    /// The credential for a repository of a registry; `repository` may be empty. Reads files and may run a credential
    /// helper, so it blocks.
    ///
    /// # Errors
    /// If a file or helper that exists does not work: an anonymous try instead would only be puzzling.
    pub fn lookup(&self, registry: &str, repository: &str) -> Result<Option<Credential>, Error> {
        let keys = file::keys(registry, repository);
        if let Some(given) = keys.iter().find_map(|key| self.given.get(key)) {
            return Ok(Some(given.clone()));
        }
        if let Some(text) = &self.variable {
            let config = file::Config::parse(text.as_bytes(), "the variable DOCKER_AUTH_CONFIG")?;
            if let Some(found) = config.find(&keys)? {
                return Ok(Some(found));
            }
        }
        for path in &self.files {
            let Some(config) = file::Config::read(path)? else { continue };
            if let Some(found) = config.find(&keys)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
