//! `Location` headers: relative or absolute, with a query that must be kept. OCI distribution-spec, "Pushing blobs".

use url::Url;

/// Where `location` leads, seen from `base`. Only http and https.
pub fn resolve(base: &Url, location: &str) -> Option<Url> {
    let url = base.join(location.trim()).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.host_str().is_some()).then_some(url)
}

/// `url` with one more query parameter. What is there stays byte for byte.
pub fn with_query(url: &Url, key: &str, value: &str) -> Url {
    let mut url = url.clone();
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let query = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{key}={encoded}"),
        _ => format!("{key}={encoded}"),
    };
    url.set_query(Some(&query));
    url
}

/// Whether a request to `to` must not carry what was meant for `from`.
pub fn is_cross_origin(from: &Url, to: &Url) -> bool {
    from.scheme() != to.scheme()
        || from.host_str() != to.host_str()
        || from.port_or_known_default() != to.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_absolute_and_query() {
        let base = Url::parse("https://r.example:5000/v2/a/blobs/uploads/?x=1").unwrap();
        let table = [
            (
                "/v2/a/blobs/uploads/u?_state=a%2Bb%3D",
                "https://r.example:5000/v2/a/blobs/uploads/u?_state=a%2Bb%3D",
            ),
            ("u", "https://r.example:5000/v2/a/blobs/uploads/u"),
            ("https://other/u", "https://other/u"),
            ("//other/u", "https://other/u"),
        ];
        for (location, expected) in table {
            assert_eq!(resolve(&base, location).unwrap().as_str(), expected);
        }
        assert_eq!(resolve(&base, "file:///etc/passwd"), None);
        let url = resolve(&base, "u?_state=a%2Bb%3D").unwrap();
        let url = with_query(&url, "digest", "sha256:ab");
        assert_eq!(url.query(), Some("_state=a%2Bb%3D&digest=sha256%3Aab"));
        assert!(is_cross_origin(&base, &Url::parse("https://r.example/v2/").unwrap()));
        assert!(!is_cross_origin(&base, &Url::parse("https://r.example:5000/x").unwrap()));
    }
}
