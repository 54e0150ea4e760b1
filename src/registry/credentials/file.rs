//! The file format: `{"auths": {…}, "credHelpers": {…}, "credsStore": "…"}`, and the old `~/.dockercfg`, which is the
//! inner map alone.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::{Credential, program};
use crate::host::fs;
use crate::registry::{Cause, Error};

/// Docker Hub's name in these files.
pub(super) const HUB: &str = "https://index.docker.io/v1/";
/// Largest file read.
const LARGEST: u64 = 4 << 20;

/// The keys under which a repository's entry may stand, best first, in normal form.
pub(super) fn keys(registry: &str, repository: &str) -> Vec<String> {
    let host = normal_key(registry);
    let mut keys = Vec::new();
    let mut path = repository.trim_matches('/');
    while !path.is_empty() {
        keys.push(format!("{host}/{path}"));
        path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    keys.push(host);
    keys
}

/// A key without scheme, without the API's path and with one name for Docker Hub.
pub(super) fn normal_key(key: &str) -> String {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    let (host, rest) = key.split_once('/').map_or((key, None), |(host, rest)| (host, Some(rest)));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    };
    rest.map_or_else(|| host.to_owned(), |rest| format!("{host}/{rest}"))
}

/// A credentials file as it was read, everything kept.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) fields: Map<String, Value>,
    place: String,
}

impl Config {
    /// The file at `path`; `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let place = path.display().to_string();
        match fs::read_limited(path, LARGEST) {
            Ok(bytes) if bytes.trim_ascii().is_empty() => Ok(Some(Self { fields: Map::new(), place })),
            Ok(bytes) => {
                let mut config = Self::parse(&bytes, &place)?;
                if path.file_name().is_some_and(|name| name == ".dockercfg") {
                    let auths = std::mem::take(&mut config.fields);
                    config.fields.insert("auths".into(), Value::Object(auths));
                }
                Ok(Some(config))
            }
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(Error::settings("look for credentials", Cause::Host(e))),
        }
    }

    pub(super) fn parse(bytes: &[u8], place: &str) -> Result<Self, Error> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self { fields, place: place.to_owned() }),
            Ok(_) => Err(broken(place, "it is not a JSON object")),
            Err(e) => Err(broken(place, &format!("it is not JSON: {e}"))),
        }
    }

    /// The credential for the first of `keys` that has one.
    pub(super) fn find(&self, keys: &[String]) -> Result<Option<Credential>, Error> {
        let helpers = self.texts("credHelpers");
        if let Some((name, key)) = hit(&helpers, keys) {
            return program::get(name, key);
        }
        if let Some(Value::String(store)) = self.fields.get("credsStore").filter(|s| **s != "") {
            let host = keys.last().map(String::as_str).unwrap_or_default();
            let key = if host == "docker.io" { HUB } else { host };
            if let Some(found) = program::get(store, key)? {
                return Ok(Some(found));
            }
        }
        let entries: BTreeMap<String, (&Value, &str)> = match self.fields.get("auths") {
            Some(Value::Object(map)) => {
                map.iter().map(|(key, value)| (normal_key(key), (value, key.as_str()))).collect()
            }
            _ => BTreeMap::new(),
        };
        for key in keys {
            if let Some((value, original)) = entries.get(key)
                && let Some(credential) = self.entry(value, original)?
            {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }

    /// The helper that is in charge of a registry.
    pub(super) fn helper_for(&self, registry: &str) -> Option<String> {
        let helpers = self.texts("credHelpers");
        if let Some((name, _)) = hit(&helpers, &keys(registry, "")) {
            return Some(name.to_owned());
        }
        self.fields.get("credsStore").and_then(Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned)
    }

    /// A map of texts with normal keys; the value keeps the original key.
    fn texts(&self, field: &str) -> BTreeMap<String, (String, String)> {
        match self.fields.get(field) {
            Some(Value::Object(map)) => map
                .iter()
                .filter_map(|(key, value)| Some((normal_key(key), (value.as_str()?.to_owned(), key.clone()))))
                .collect(),
            _ => BTreeMap::new(),
        }
    }

    /// One entry of `auths`. Empty ones stand beside a helper and mean nothing.
    fn entry(&self, value: &Value, key: &str) -> Result<Option<Credential>, Error> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
        if let Some(token) = text("registrytoken") {
            return Ok(Some(Credential::RegistryToken(token.to_owned())));
        }
        let pair = match text("auth") {
            Some(auth) => {
                let words = "it is not base64 of user:password";
                let fail = || broken(&self.place, &format!("the entry for {key} is broken: {words}"));
                let bytes = lenient().decode(auth.trim()).map_err(|_| fail())?;
                let text = String::from_utf8(bytes).map_err(|_| fail())?;
                let (user, password) = text.split_once(':').ok_or_else(fail)?;
                // Docker's old files end with zero bytes.
                Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
            }
            None => match (text("username"), text("password")) {
                (Some(user), Some(password)) => Some((user.to_owned(), password.to_owned())),
                (user, _) if text("identitytoken").is_some() => {
                    Some((user.unwrap_or("<token>").to_owned(), String::new()))
                }
                _ => None,
            },
        };
        let Some((username, password)) = pair else { return Ok(None) };
        Ok(Some(match text("identitytoken") {
            Some(token) => Credential::Identity { username, token: token.to_owned() },
            None => Credential::Basic { username, password },
        }))
    }
}

fn hit<'a>(map: &'a BTreeMap<String, (String, String)>, keys: &[String]) -> Option<(&'a str, &'a str)> {
    keys.iter().find_map(|key| map.get(key)).map(|(name, key)| (name.as_str(), key.as_str()))
}

/// The value of an `auth` field.
pub(super) fn encode(username: &str, password: &str) -> String {
    STANDARD.encode(format!("{username}:{password}"))
}

/// Base64 with or without padding: both are found.
fn lenient() -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&base64::alphabet::STANDARD, config)
}

fn broken(place: &str, words: &str) -> Error {
    Error::settings(format!("read credentials from {place}"), Cause::Words(words.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, registry: &str, repository: &str) -> Option<Credential> {
        Config::parse(text.as_bytes(), "test").unwrap().find(&keys(registry, repository)).unwrap()
    }

    fn user(text: &str, registry: &str, repository: &str) -> Option<String> {
        find(text, registry, repository).and_then(|c| c.basic())
    }

    #[test]
    fn longest_part_of_the_name_wins() {
        let entry = |pair: &str| format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(pair));
        let text = format!(
            r#"{{"auths":{{"https://r.example/v2/":{},"r.example/team":{},"r.example/team/app":{},
               "https://index.docker.io/v1/":{},"empty.example":{{}}}}}}"#,
            entry("host:1"),
            entry("team:2:with:colons"),
            entry("app:3"),
            entry("hub:4")
        );
        assert_eq!(user(&text, "r.example", "other/x").as_deref(), Some("host:1"));
        assert_eq!(user(&text, "r.example", "team/x/y").as_deref(), Some("team:2:with:colons"));
        assert_eq!(user(&text, "r.example", "team/app").as_deref(), Some("app:3"));
        assert_eq!(user(&text, "docker.io", "library/debian").as_deref(), Some("hub:4"));
        assert_eq!(user(&text, "r.example:5000", "team/app"), None);
        assert_eq!(user(&text, "empty.example", "a"), None);
    }

    #[test]
    fn all_forms_of_entries() {
        let text = r#"{"auths":{"a":{"username":"u","password":"p"},"b":{"identitytoken":"t"},
            "c":{"registrytoken":"r"},"d":{"auth":"dTpw","identitytoken":"t"}}}"#;
        assert_eq!(user(text, "a", "").as_deref(), Some("u:p"));
        let identity = |username: &str| Credential::Identity { username: username.into(), token: "t".into() };
        assert_eq!(find(text, "b", ""), Some(identity("<token>")));
        assert_eq!(find(text, "c", ""), Some(Credential::RegistryToken("r".into())));
        assert_eq!(find(text, "d", ""), Some(identity("u")));
    }

    #[test]
    fn broken_files_are_errors_that_name_the_place() {
        assert!(Config::parse(b"[]", "x").is_err());
        let config = Config::parse(br#"{"auths":{"h":{"auth":"!!"}}}"#, "here.json").unwrap();
        let error = config.find(&keys("h", "")).unwrap_err();
        assert!(error.to_string().contains("here.json"), "{error}");
        assert!(error.story().unwrap().to_string().contains("entry for h"));
    }
}
