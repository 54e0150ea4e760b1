//! Flags about servers and files that several commands have, and how their work is waited for.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::base::{Failure, Kind};
use crate::chartrepo::Trust;
use crate::ops::helm::Settings;
use crate::ops::helm::home::{Given, Home};
use crate::ops::helm::source::Wanted;
use crate::ops::helm::verify::{Check, default_keyring};

/// Where Helm's files are.
#[derive(Args, Debug, Clone, Default)]
pub struct FileFlags {
    /// The file with passwords of registries [env: HELM_REGISTRY_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Helm options")]
    registry_config: Option<PathBuf>,
    /// The file with the chart repositories [env: HELM_REPOSITORY_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Helm options")]
    repository_config: Option<PathBuf>,
    /// The folder with the indexes of chart repositories [env: HELM_REPOSITORY_CACHE]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Helm options")]
    repository_cache: Option<PathBuf>,
    /// The folder with charts that were fetched [env: HELM_CONTENT_CACHE]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Helm options")]
    content_cache: Option<PathBuf>,
}

impl FileFlags {
    /// What the flags say, by the variable in whose place they are.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, String)> {
        let paths = [
            ("HELM_REGISTRY_CONFIG", &self.registry_config),
            ("HELM_REPOSITORY_CONFIG", &self.repository_config),
            ("HELM_REPOSITORY_CACHE", &self.repository_cache),
            ("HELM_CONTENT_CACHE", &self.content_cache),
        ];
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let paths = paths.map(|(name, path)| (name, path.as_ref().map(text)));
        paths.into_iter().filter_map(|(name, path)| Some((name, path?)))
    }

    /// The files as flags and the environment name them.
    pub fn home(&self) -> Home {
        Home::new(Given {
            repository_config: self.repository_config.clone(),
            repository_cache: self.repository_cache.clone(),
            content_cache: self.content_cache.clone(),
            registry_config: self.registry_config.clone(),
        })
    }
}

/// Who we are to a server, and why we trust it.
#[derive(Args, Debug, Clone, Default)]
pub struct ServerFlags {
    /// The user name
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    username: String,
    /// The password
    #[arg(long, value_name = "PASSWORD", default_value = "", hide_default_value = true)]
    password: String,
    /// A client certificate in PEM
    #[arg(long, value_name = "FILE")]
    cert_file: Option<PathBuf>,
    /// The certificate's key in PEM
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Certificates to trust beside the system's, in PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Accept any certificate
    #[arg(long)]
    insecure_skip_tls_verify: bool,
    /// Speak to registries in plain HTTP
    #[arg(long)]
    plain_http: bool,
}

impl ServerFlags {
    /// How servers are trusted and told who we are.
    pub fn trust(&self) -> Trust {
        let some = |path: &Option<PathBuf>| path.clone().filter(|p| !p.as_os_str().is_empty());
        Trust {
            username: self.username.clone(),
            password: self.password.clone(),
            cert_file: some(&self.cert_file),
            key_file: some(&self.key_file),
            ca_file: some(&self.ca_file),
            insecure: self.insecure_skip_tls_verify,
            pass_credentials: false,
        }
    }

    /// `--plain-http`.
    pub fn plain_http(&self) -> bool {
        self.plain_http
    }
}

/// Whether and how signatures are checked.
#[derive(Args, Debug, Clone, Default)]
pub struct SignatureFlags {
    /// Check the signature
    #[arg(long)]
    verify: bool,
    /// The public keys to check it with [default: GnuPG's pubring.gpg]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
}

impl SignatureFlags {
    /// The keyring.
    pub fn keyring(&self, settings: &Settings) -> PathBuf {
        self.keyring.clone().unwrap_or_else(|| default_keyring(settings))
    }

    /// What is to happen if a signature must be there.
    pub fn always(&self, settings: &Settings) -> Check {
        if self.verify { Check::Always(self.keyring(settings)) } else { Check::Never }
    }

    /// What is to happen if a signature may be missing.
    pub fn if_possible(&self, settings: &Settings) -> Check {
        if self.verify { Check::IfPossible(self.keyring(settings)) } else { Check::Never }
    }
}

/// Which chart is meant, where it comes from elsewhere.
#[derive(Args, Debug, Clone, Default)]
pub struct ChartFlags {
    /// A version or constraint [default: the newest stable one]
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    version: String,
    /// Take versions before a release too
    #[arg(long)]
    devel: bool,
    /// The address of a repository that was not added
    #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
    repo: String,
    #[command(flatten)]
    signature: SignatureFlags,
    /// Send user name and password to other hosts too
    #[arg(long)]
    pass_credentials: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ChartFlags {
    /// How servers are trusted and told who we are.
    pub fn trust(&self) -> Trust {
        Trust { pass_credentials: self.pass_credentials, ..self.server.trust() }
    }

    /// `--plain-http`.
    pub fn plain_http(&self) -> bool {
        self.server.plain_http
    }

    /// The chart of a name.
    pub fn wanted(&self, settings: &Settings, reference: &str) -> Wanted {
        let version = match (self.version.as_str(), self.devel) {
            ("", true) => ">0.0.0-0",
            (version, _) => version,
        };
        Wanted {
            reference: reference.to_owned(),
            version: version.to_owned(),
            repository: self.repo.clone(),
            trust: self.trust(),
            plain_http: self.server.plain_http,
            check: self.signature.always(settings),
        }
    }
}

/// Waits for work that speaks to servers.
///
/// # Errors
/// The work's own.
pub fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Kind::Environment, "start worker threads").caused_by(&e))?
        .block_on(work)
}

/// Go's durations: `1h2m3.5s`, `300ms`.
///
/// # Errors
/// Go's words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            _ => return Err(invalid()),
        };
        total += number * seconds;
        rest = &rest[unit..];
    }
    if text.is_empty() {
        return Err(invalid());
    }
    Duration::try_from_secs_f64(total).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("2m0s").unwrap().as_secs(), 120);
        assert_eq!(duration("1.5s").unwrap().as_millis(), 1500);
        assert!(
            duration("5").unwrap_err().contains("missing unit")
                && duration("x").is_err()
                && duration("").is_err()
        );
    }
}
