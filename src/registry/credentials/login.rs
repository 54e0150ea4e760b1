//! Keeping and forgetting what a user logged in with.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::file::{Config, HUB, encode, normal_key};
use super::{Credential, Credentials, program};
use crate::host::lock::{FileLock, Sharing};
use crate::host::{fs, random};
use crate::registry::{Cause, Error};

/// Where a credential was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Into this file, readable by its owner only but not encrypted.
    File(PathBuf),
    /// Into the store of this credential helper.
    Helper(String),
}

impl Credentials {
    /// Keeps a credential for a registry: with the credential helper that the file names for it, else in the file.
    /// Everything else in the file stays as it is. Blocks.
    ///
    /// # Errors
    /// If the file is broken or cannot be written, or the helper fails.
    pub fn store(&self, registry: &str, credential: &Credential) -> Result<Stored, Error> {
        let path = self.own_file()?;
        let _lock = locked(&path)?;
        let mut fields = Config::read(&path)?.map(|c| c.fields).unwrap_or_default();
        let config = Config::parse(Value::Object(fields.clone()).to_string().as_bytes(), "")?;
        let (username, secret, is_token) = match credential {
            Credential::Basic { username, password } => (username.as_str(), password.as_str(), false),
            Credential::Identity { username, token } => (username.as_str(), token.as_str(), true),
            Credential::RegistryToken(token) => ("<token>", token.as_str(), true),
        };
        let key = server_key(registry);
        if let Some(name) = config.helper_for(registry) {
            let username = if is_token { "<token>" } else { username };
            program::store(&name, &key, (username, secret))?;
            set(&mut fields, &key, json!({}));
            write_private(&path, &fields)?;
            return Ok(Stored::Helper(name));
        }
        let entry = match credential {
            Credential::Basic { .. } => json!({ "auth": encode(username, secret) }),
            Credential::Identity { .. } => {
                json!({ "auth": encode(username, ""), "identitytoken": secret })
            }
            Credential::RegistryToken(_) => json!({ "registrytoken": secret }),
        };
        set(&mut fields, &key, entry);
        write_private(&path, &fields)?;
        Ok(Stored::File(path))
    }

    /// Forgets what was kept for a registry; whether there was something. Blocks.
    ///
    /// # Errors
    /// If the file is broken or cannot be written, or the helper fails.
    pub fn erase(&self, registry: &str) -> Result<bool, Error> {
        let path = self.own_file()?;
        let _lock = locked(&path)?;
        let Some(config) = Config::read(&path)? else { return Ok(false) };
        let mut known = match config.helper_for(registry) {
            Some(name) => program::erase(&name, &server_key(registry))?,
            None => false,
        };
        let mut fields = config.fields;
        if let Some(Value::Object(auths)) = fields.get_mut("auths") {
            let wanted = normal_key(registry);
            let before = auths.len();
            auths.retain(|key, _| normal_key(key) != wanted);
            if auths.len() < before {
                known = true;
                write_private(&path, &fields)?;
            }
        }
        Ok(known)
    }

    fn own_file(&self) -> Result<PathBuf, Error> {
        let words = "neither DOCKER_CONFIG nor HOME is set".to_owned();
        let path = self
            .own
            .clone()
            .ok_or_else(|| Error::settings("find the credentials file", Cause::Words(words)))?;
        // People keep this file in a repository of dot files and link to it: write the file, not over the link.
        Ok(fs::canonicalize(&path).unwrap_or(path))
    }
}

fn server_key(registry: &str) -> String {
    match normal_key(registry) {
        hub if hub == "docker.io" => HUB.to_owned(),
        key => key,
    }
}

/// Sets the entry of a registry and removes others that mean the same.
fn set(fields: &mut Map<String, Value>, key: &str, entry: Value) {
    let auths = fields.entry("auths").or_insert_with(|| json!({}));
    if !auths.is_object() {
        *auths = json!({});
    }
    if let Value::Object(auths) = auths {
        auths.retain(|old, _| normal_key(old) != normal_key(key));
        auths.insert(key.to_owned(), entry);
    }
}

/// Two logins at once must not lose one of the entries.
fn locked(path: &Path) -> Result<FileLock, Error> {
    let fail = |e| Error::settings("store credentials", Cause::Host(e));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    FileLock::wait(path.with_extension("json.lock"), Sharing::Exclusive).map_err(fail)
}

/// Publishes the file at once, readable by its owner only.
fn write_private(path: &Path, fields: &Map<String, Value>) -> Result<(), Error> {
    let fail = |e| Error::settings("store credentials", Cause::Host(e));
    let mut text = serde_json::to_string_pretty(fields)
        .map_err(|e| Error::settings("store credentials", Cause::Words(e.to_string())))?;
    text.push('\n');
    let temporary = path.with_extension(format!("json.{}", random::token()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = fs::open_with(&options, &temporary).map_err(fail)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let published = written
        .map_err(|e| crate::host::Error::new("write", &temporary, e))
        .and_then(|()| fs::rename(&temporary, path));
    published.map_err(|e| {
        let _ = fs::remove_file(&temporary);
        fail(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn login_keeps_the_rest_of_the_file_and_closes_it_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/config.json");
        let credentials = Credentials::from_file(&path);
        let me = Credential::Basic { username: "me".into(), password: "pa:ss".into() };
        assert_eq!(credentials.store("r.example", &me).unwrap(), Stored::File(path.clone()));
        let mut fields = Config::read(&path).unwrap().unwrap().fields;
        fields.insert("psFormat".into(), "table".into());
        fs::write(&path, Value::Object(fields).to_string()).unwrap();
        credentials.store("docker.io", &me).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("psFormat") && text.contains(HUB), "{text}");
        assert_eq!(credentials.lookup("r.example", "a/b").unwrap(), Some(me.clone()));
        assert!(credentials.erase("index.docker.io").unwrap());
        assert!(!credentials.erase("docker.io").unwrap());
        assert_eq!(credentials.lookup("docker.io", "library/x").unwrap(), None);
        assert_eq!(credentials.lookup("r.example", "").unwrap(), Some(me));
    }
}
