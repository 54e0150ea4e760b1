//! Image references: `[host[:port]/]path[:tag][@digest]`.
//!
//! Grammar and Docker Hub's short names as in the distribution project's `reference` package.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::Digest;

const DEFAULT_REGISTRY: &str = "docker.io";

/// A reference in full form: the registry is always there, a tag or digest only if written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// The text is not a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid reference {text:?}: {reason}")]
pub struct InvalidReference {
    /// What was read.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Reference {
    /// The registry's host with its port, `docker.io` for Docker Hub.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path below the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if written; it wins over the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The tag to use: the one written, else `latest`.
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }

    /// What to ask a registry for: the digest, else the tag, else `latest`.
    pub fn selector(&self) -> String {
        self.digest.as_ref().map_or_else(|| self.tag_or_latest().to_owned(), ToString::to_string)
    }

    /// `registry/repository` without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same repository with this tag and no digest.
    ///
    /// # Errors
    /// If `tag` is not one.
    pub fn with_tag(&self, tag: &str) -> Result<Self, InvalidReference> {
        if !is_tag(tag) {
            return Err(invalid(
                tag,
                "the tag has characters other than letters, digits, `_`, `.`, `-`, or is too long",
            ));
        }
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// The same repository with this digest and no tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The form with `latest` written out where neither tag nor digest was given.
    #[must_use]
    pub fn with_default_tag(&self) -> Self {
        match (&self.tag, &self.digest) {
            (None, None) => Self { tag: Some("latest".into()), ..self.clone() },
            _ => self.clone(),
        }
    }

    /// The form people write: Docker Hub's host and `library/` left out, where what is left means the same.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let short = full.strip_prefix("docker.io/").unwrap_or(&full);
        let shorter = short.strip_prefix("library/").unwrap_or(short);
        let same = |text: &&str| text.parse::<Self>().is_ok_and(|read| read == *self);
        [shorter, short].into_iter().find(same).unwrap_or(&full).to_owned()
    }
}

fn invalid(text: &str, reason: &'static str) -> InvalidReference {
    InvalidReference { text: text.chars().take(300).collect(), reason }
}

fn is_tag(tag: &str) -> bool {
    let mut bytes = tag.bytes();
    tag.len() <= 128
        && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(component: &str) -> bool {
    let mut separator = String::new();
    let mut after_word = false;
    for c in component.chars() {
        match c {
            'a'..='z' | '0'..='9' => {
                let fits = separator.is_empty()
                    || matches!(separator.as_str(), "." | "_" | "__")
                    || separator.bytes().all(|b| b == b'-');
                if !fits {
                    return false;
                }
                separator.clear();
                after_word = true;
            }
            '.' | '_' | '-' if after_word => separator.push(c),
            _ => return false,
        }
    }
    after_word && separator.is_empty()
}

fn is_host(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let port_ok = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return port_ok
            && !address.is_empty()
            && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
    }
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    port.is_none_or(is_port)
        && name.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit())
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if text.is_empty() {
            return Err(invalid(text, "it is empty"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| invalid(text, "what follows `@` is not a digest"))?))
            }
            None => (text, None),
        };
        let (first, has_host) = match rest.split_once('/') {
            Some((first, _)) => {
                let upper = first.bytes().any(|b| b.is_ascii_uppercase());
                (first, first.contains(['.', ':']) || first == "localhost" || upper)
            }
            None => ("", false),
        };
        let (registry, path) =
            if has_host { (first, &rest[first.len() + 1..]) } else { (DEFAULT_REGISTRY, rest) };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        if !is_host(registry) {
            return Err(invalid(text, "the part before the first `/` is not a host name"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid(
                text,
                "the tag has characters other than letters, digits, `_`, `.`, `-`, or is too long",
            ));
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid(text, "repository names are lower case"));
        }
        if !path.split('/').all(is_path_component) {
            return Err(invalid(
                text,
                "a part of the repository name is empty or has characters that are not allowed",
            ));
        }
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        let repository = if registry == DEFAULT_REGISTRY && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        if registry.len() + 1 + repository.len() > 255 {
            return Err(invalid(text, "the name is longer than 255 characters"));
        }
        Ok(Self { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_and_familiar_forms() {
        let hex = "a".repeat(64);
        let table = [
            ("debian", "docker.io/library/debian", "debian"),
            ("debian:12", "docker.io/library/debian:12", "debian:12"),
            ("user/app", "docker.io/user/app", "user/app"),
            ("localhost/app", "localhost/app", "localhost/app"),
            ("127.0.0.1:5000/shop:1", "127.0.0.1:5000/shop:1", "127.0.0.1:5000/shop:1"),
            ("[::1]:5000/a/b", "[::1]:5000/a/b", "[::1]:5000/a/b"),
            ("index.docker.io/library/x", "docker.io/library/x", "x"),
            ("Host/x", "Host/x", "Host/x"),
            ("a__b/c--d.e", "docker.io/a__b/c--d.e", "a__b/c--d.e"),
            ("library/a/b", "docker.io/library/a/b", "library/a/b"),
            ("docker.io/localhost/x", "docker.io/localhost/x", "docker.io/localhost/x"),
            ("docker.io/a.b/x", "docker.io/a.b/x", "docker.io/a.b/x"),
        ];
        for (text, full, familiar) in table {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), full);
            assert_eq!(reference.familiar(), familiar);
        }
        let both: Reference = format!("host:5000/a/b:c@sha256:{hex}").parse().unwrap();
        assert_eq!((both.tag(), both.digest().unwrap().hex()), (Some("c"), hex.as_str()));
        assert_eq!(both.selector(), format!("sha256:{hex}"));
    }

    #[test]
    fn refuses_what_is_not_a_reference() {
        for bad in [
            "",
            "A",
            "a/",
            "/a",
            "a//b",
            "a:b:c/d",
            "a___b",
            "a.-b",
            "-a",
            "a@sha256:00",
            "a:",
            "host:/x",
            "a b",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
