//! From a path to what is meant. Pure; the only place where names from outside become ours.

use super::problem::Problem;
use crate::base::{Digest, Reference};

/// A repository's name that fits the grammar, and with it a relative path below the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Checks a name. OCI distribution-spec, "Pulling manifests": `<name>`.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        // With a host before it the grammar of references takes no shortcuts.
        let fits = format!("registry.invalid/{text}").parse::<Reference>();
        match fits {
            Ok(reference) if reference.repository() == text && reference.tag().is_none() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Problem::name_invalid(text)),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selector {
    Tag(String),
    Digest(Digest),
}

/// What a request is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Base,
    Catalog,
    Tags { name: Name },
    Referrers { name: Name, digest: Digest },
    Manifest { name: Name, selector: Selector },
    Blob { name: Name, digest: Digest },
    Uploads { name: Name },
    Upload { name: Name, id: String },
}

impl Route {
    pub(super) fn parse(path: &str) -> Result<Self, Problem> {
        // The only character of ours that clients encode.
        let path = path.replace("%3A", ":").replace("%3a", ":");
        let rest = match path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Base),
            Some(rest) => rest.strip_prefix('/').ok_or_else(Problem::no_such_page)?,
            None => return Err(Problem::no_such_page()),
        };
        if rest == "_catalog" {
            return Ok(Self::Catalog);
        }
        let parts: Vec<&str> = rest.split('/').collect();
        let name = |parts: &[&str]| Name::parse(&parts.join("/"));
        match parts.as_slice() {
            [head @ .., "blobs", "uploads" | ""] | [head @ .., "blobs", "uploads", ""]
                if !head.is_empty() =>
            {
                Ok(Self::Uploads { name: name(head)? })
            }
            [head @ .., "blobs", "uploads", id] if !head.is_empty() => {
                let known = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                let name = name(head)?;
                known.then(|| Self::Upload { name, id: (*id).to_owned() }).ok_or_else(Problem::upload_unknown)
            }
            [head @ .., "blobs", text] if !head.is_empty() => {
                Ok(Self::Blob { name: name(head)?, digest: digest(text)? })
            }
            [head @ .., "manifests", text] if !head.is_empty() => {
                Ok(Self::Manifest { name: name(head)?, selector: selector(text)? })
            }
            [head @ .., "referrers", text] if !head.is_empty() => {
                Ok(Self::Referrers { name: name(head)?, digest: digest(text)? })
            }
            [head @ .., "tags", "list"] if !head.is_empty() => Ok(Self::Tags { name: name(head)? }),
            _ => Err(Problem::no_such_page()),
        }
    }
}

/// Checks a digest.
pub(super) fn digest(text: &str) -> Result<Digest, Problem> {
    text.parse().map_err(|e: crate::base::InvalidDigest| Problem::digest_invalid(e.to_string()))
}

fn selector(text: &str) -> Result<Selector, Problem> {
    if text.contains(':') {
        return digest(text).map(Selector::Digest);
    }
    match format!("registry.invalid/x:{text}").parse::<Reference>() {
        Ok(reference) if reference.tag() == Some(text) => Ok(Selector::Tag(text.to_owned())),
        _ => Err(Problem::manifest_invalid("that is neither a tag nor a digest")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let hex = "ab".repeat(32);
        let name = |text: &str| Name::parse(text).unwrap();
        let digest: Digest = format!("sha256:{hex}").parse().unwrap();
        let id = "0123456789abcdef".repeat(2);
        let table = [
            ("/v2".to_owned(), Route::Base),
            ("/v2/_catalog".to_owned(), Route::Catalog),
            ("/v2/a/b/tags/list".to_owned(), Route::Tags { name: name("a/b") }),
            ("/v2/a/blobs/uploads/".to_owned(), Route::Uploads { name: name("a") }),
            (
                format!("/v2/blobs/uploads/blobs/uploads/{id}"),
                Route::Upload { name: name("blobs/uploads"), id },
            ),
            (format!("/v2/a/blobs/sha256%3A{hex}"), Route::Blob { name: name("a"), digest: digest.clone() }),
            (
                "/v2/a/manifests/manifests/V1.0".to_owned(),
                Route::Manifest { name: name("a/manifests"), selector: Selector::Tag("V1.0".into()) },
            ),
            (format!("/v2/a/referrers/sha256:{hex}"), Route::Referrers { name: name("a"), digest }),
        ];
        for (path, expected) in table {
            assert_eq!(Route::parse(&path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in [
            "/v2/../../etc/manifests/x",
            "/v2/a/../b/tags/list",
            "/v2/a%2f..%2fb/tags/list",
            "/v2/A/tags/list",
            "/v2//tags/list",
            "/v2/_uploads/tags/list",
            "/v2/a/_blobs/tags/list",
            "/v2/a/manifests/..",
            "/v2/a/manifests/.hidden",
            "/v2/a/manifests/%2e%2e",
            "/v2/a/blobs/sha256:../../x",
            "/v2/a/blobs/uploads/../../x",
            "/v2/a/blobs/uploads/..",
            "/v2/a:b/tags/list",
            "/v2/a@b/tags/list",
            "/v1/a",
            "/",
        ] {
            assert!(Route::parse(path).is_err(), "{path}");
        }
    }
}
