//! From a registry's name to the address of its API.

use url::Url;

use crate::base::is_loopback;

/// How to speak to a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// TLS with certificates that are checked.
    Https,
    /// TLS, whoever answers.
    Unverified,
    /// Plain text.
    Http,
}

/// The address of a registry's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The registry's name as in references, `docker.io` for Docker Hub.
    pub registry: String,
    /// How to speak to it.
    pub scheme: Scheme,
    base: Url,
}

impl Endpoint {
    /// The endpoint of `registry` (`host[:port]`); `None` if that is no host.
    pub fn new(registry: &str, scheme: Scheme) -> Option<Self> {
        let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
        let prefix = if scheme == Scheme::Http { "http" } else { "https" };
        let base = Url::parse(&format!("{prefix}://{host}/v2/")).ok()?;
        let plain = base.path() == "/v2/" && base.username().is_empty() && base.password().is_none();
        (plain && base.query().is_none()).then(|| Self { registry: registry.to_owned(), scheme, base })
    }

    /// The URL of `path` below `/v2/`; `path` and `query` are already encoded.
    pub fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{path}"));
        url.set_query(query.filter(|q| !q.is_empty()));
        url
    }

    /// The ways to try, best first. A loopback address is spoken to in plain text without being asked to; a registry
    /// that is called insecure is tried with TLS first.
    pub fn schemes(registry: &str, insecure: bool) -> &'static [Scheme] {
        match (is_loopback(registry), insecure) {
            (true, false) => &[Scheme::Http, Scheme::Https],
            (true, true) => &[Scheme::Http, Scheme::Unverified],
            (false, true) => &[Scheme::Unverified, Scheme::Http],
            (false, false) => &[Scheme::Https],
        }
    }
}

/// Whether a TLS server complains that it was spoken to in plain text: Go's and nginx' words.
pub fn is_plain_client_complaint(status: u16, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(2048)]).to_ascii_lowercase();
    status == 400 && (text.contains("https server") || text.contains("https port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let hub = Endpoint::new("docker.io", Scheme::Https).unwrap();
        let url = hub.url("library/a/manifests/1", Some("x=1"));
        assert_eq!(url.as_str(), "https://registry-1.docker.io/v2/library/a/manifests/1?x=1");
        let local = Endpoint::new("[::1]:5000", Scheme::Http).unwrap();
        assert_eq!(local.url("", None).as_str(), "http://[::1]:5000/v2/");
        for bad in ["", "a b", "u:p@h", "h/x?", "h?x"] {
            assert_eq!(Endpoint::new(bad, Scheme::Https), None, "{bad}");
        }
    }

    #[test]
    fn plain_text_only_where_allowed() {
        for host in
            ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000", "a.localhost"]
        {
            assert_eq!(Endpoint::schemes(host, false)[0], Scheme::Http, "{host}");
        }
        for host in ["r.example", "127.0.0.1.example", "localhost.example:5000", "10.0.0.1:5000", "[fe80::1]"]
        {
            assert_eq!(Endpoint::schemes(host, false), [Scheme::Https], "{host}");
            assert_eq!(Endpoint::schemes(host, true), [Scheme::Unverified, Scheme::Http], "{host}");
        }
    }
}
