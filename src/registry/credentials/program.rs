//! Credential helpers: programs `docker-credential-NAME` with the verbs get, store and erase.
//!
//! docker/docker-credential-helpers: README.md, "Development".

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Credential;
use crate::host::program;
use crate::registry::{Cause, Error};

/// Helpers may ask their user something.
const PATIENCE: Duration = Duration::from_secs(60);
/// What helpers say on standard output when they know nothing.
const NOTHING: &[&str] = &["credentials not found in native keychain", "no credentials server URL"];
/// The user name that marks an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(rename = "ServerURL", default)]
    server_url: String,
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// What the helper `name` knows about `server`.
pub(super) fn get(name: &str, server: &str) -> Result<Option<Credential>, Error> {
    let action = format!("ask the credential helper docker-credential-{name} about {server}");
    let output = run(name, "get", server.as_bytes(), &action)?;
    let text = match output {
        Answer::Said(text) => text,
        Answer::Nothing => return Ok(None),
    };
    let entry: Entry = serde_json::from_str(&text).map_err(|_| {
        Error::settings(&*action, Cause::Words("its answer is not JSON of its protocol".into()))
    })?;
    Ok(match (entry.username, entry.secret) {
        (_, secret) if secret.is_empty() => None,
        (username, token) if username == TOKEN_USER => Some(Credential::Identity { username, token }),
        (username, password) => Some(Credential::Basic { username, password }),
    })
}

/// Gives the helper something to keep.
pub(super) fn store(name: &str, server: &str, (username, secret): (&str, &str)) -> Result<(), Error> {
    let action = format!("store credentials with docker-credential-{name}");
    let [server_url, username, secret] = [server, username, secret].map(str::to_owned);
    let entry = serde_json::to_vec(&Entry { server_url, username, secret })
        .map_err(|e| Error::settings(&*action, Cause::Words(e.to_string())))?;
    run(name, "store", &entry, &action).map(|_| ())
}

/// Makes the helper forget; whether it knew.
pub(super) fn erase(name: &str, server: &str) -> Result<bool, Error> {
    let known = get(name, server)?.is_some();
    let action = format!("remove credentials from docker-credential-{name}");
    run(name, "erase", server.as_bytes(), &action)?;
    Ok(known)
}

enum Answer {
    Said(String),
    Nothing,
}

fn run(name: &str, verb: &str, input: &[u8], action: &str) -> Result<Answer, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(Error::settings(action, Cause::Words("that is no name of a helper".into())));
    }
    let output = program::run(&format!("docker-credential-{name}"), &[verb], input, PATIENCE)
        .map_err(|e| Error::settings(action, Cause::Host(e)))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.code == Some(0) {
        return Ok(Answer::Said(said));
    }
    if NOTHING.iter().any(|words| said.contains(words)) {
        return Ok(Answer::Nothing);
    }
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let words = if said.is_empty() { complaint } else { said };
    let code = output.code.map_or("a signal".to_owned(), |code| format!("code {code}"));
    Err(Error::settings(action, Cause::Words(format!("it ended with {code}: {words}"))))
}
