//! Logging in to a registry, and out again.

use crate::base::{Failure, Kind};
use crate::registry::{Client, ClientOptions, Credential, Credentials, Stored};
use crate::report::Context;

/// Who logs in where.
#[derive(Clone, Debug)]
pub struct Request {
    /// The registry, `host[:port]`; `docker.io` for Docker Hub.
    pub registry: String,
    /// The user name.
    pub username: String,
    /// The password or access token.
    pub password: String,
    /// How the registry is spoken to; its credentials are also where the new one is kept.
    pub client: ClientOptions,
}

/// Asks the registry whether it accepts the password, and keeps it if it does.
///
/// # Errors
/// If the registry refuses or cannot be reached, or the password cannot be kept.
pub async fn run(cx: &Context, request: &Request) -> Result<Stored, Failure> {
    let registry = name(&request.registry)?;
    let (username, password) = (request.username.clone(), request.password.clone());
    let credential = Credential::Basic { username, password };
    credential.register(cx.report.secrets());
    let keeper = request.client.credentials.clone();
    let trial = Credentials::none().with(&registry, credential.clone());
    let client = Client::new(ClientOptions { credentials: trial, ..request.client.clone() });
    client.ping(cx, &registry).await?;
    on_disk(move || keeper.store(&registry, &credential)).await
}

/// Forgets what is kept for a registry; whether there was something.
///
/// # Errors
/// If the place where it is kept is broken.
pub async fn logout(registry: &str, credentials: &Credentials) -> Result<bool, Failure> {
    let (registry, keeper) = (name(registry)?, credentials.clone());
    on_disk(move || keeper.erase(&registry)).await
}

/// The registry's plain name, whether or not people wrote it as an address.
fn name(text: &str) -> Result<String, Failure> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let host = host.trim_end_matches('/');
    let host = host.strip_suffix("/v1").or_else(|| host.strip_suffix("/v2")).unwrap_or(host);
    match host {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => Ok("docker.io".to_owned()),
        "" => Err(Failure::new(Kind::Usage, "log in").because("the registry has no name")),
        host if host.contains('/') => Err(Failure::new(Kind::Usage, format!("log in to {text}"))
            .because("a registry is named by its host and port alone, without a repository")),
        host => Ok(host.to_owned()),
    }
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::registry::Error> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|e| Failure::of(Kind::Bug, &e))??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_by_any_name() {
        let table = [
            ("r.example:5000", "r.example:5000"),
            ("https://r.example/v2/", "r.example"),
            ("https://index.docker.io/v1/", "docker.io"),
        ];
        for (text, expected) in table {
            assert_eq!(name(text).unwrap(), expected);
        }
        for bad in ["", "https://", "r.example/team"] {
            assert_eq!(name(bad).unwrap_err().kind(), Kind::Usage, "{bad}");
        }
    }
}
