//! Where locks are kept, as `--synchronization` names it.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Where locks are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// In files of this machine: right if everybody who builds the project does so here.
    Local,
    /// On a lock server.
    Server(Url),
}

/// The text is no such place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {reason}")]
pub struct InvalidAddress {
    /// What was read.
    pub text: String,
    /// What is wrong with it, and what to write.
    pub reason: &'static str,
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = |reason| InvalidAddress { text: text.to_owned(), reason };
        if text == ":local" {
            return Ok(Self::Local);
        }
        if text.starts_with("kubernetes://") {
            return Err(invalid(
                "keeps locks in a Kubernetes cluster, which is not possible yet; use :local or the address of a lock \
                 server (`lap synchronization`)",
            ));
        }
        let unknown =
            "is no place for locks: write :local, or http://HOST:PORT or https://HOST:PORT of a lock server";
        let url: Url = text.parse().map_err(|_| invalid(unknown))?;
        match (url.scheme(), url.has_host()) {
            ("http" | "https", true) if url.query().is_none() && url.fragment().is_none() => {
                Ok(Self::Server(url))
            }
            _ => Err(invalid(unknown)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str(":local"),
            Self::Server(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        assert_eq!(":local".parse(), Ok(Address::Local));
        for text in ["http://127.0.0.1:55581", "https://locks.example/prefix"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for (text, words) in [
            ("kubernetes://ns:context", "not possible yet"),
            ("local", "write :local"),
            ("ftp://host", "write :local"),
            ("http://", "write :local"),
            ("http://host?x=1", "write :local"),
            ("", "write :local"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
