//! Addresses of repositories and charts, joined and compared as Helm does.

use url::Url;

use super::Error;

/// The address of a chart as its repository's index names it: a relative one stands below the repository, whose query
/// (a signature, often) it keeps.
///
/// # Errors
/// If one of the two is no address.
pub fn absolute(repository: &str, reference: &str) -> Result<String, Error> {
    if let Ok(url) = Url::parse(reference) {
        return Ok(url.to_string());
    }
    let bad = |text: &str| Error::Invalid(format!("failed to parse {text} as URL"));
    let mut base = Url::parse(repository).map_err(|_| bad(repository))?;
    base.set_path(&format!("{}/", base.path().trim_end_matches('/')));
    let mut joined = base.join(reference).map_err(|_| bad(reference))?;
    joined.set_query(base.query());
    Ok(joined.to_string())
}

/// Whether two addresses mean the same: paths are compared without `.`, `..` and a last `/`.
pub fn equal(a: &str, b: &str) -> bool {
    match (Url::parse(a), Url::parse(b)) {
        (Ok(mut a), Ok(mut b)) => {
            for url in [&mut a, &mut b] {
                let path = clean(url.path());
                url.set_path(&path);
            }
            a == b
        }
        _ => clean(a) == clean(b),
    }
}

/// An address with more path segments.
pub fn join(base: &str, path: &str) -> String {
    match Url::parse(base) {
        Ok(mut url) => {
            let joined = clean(&format!("{}/{path}", url.path()));
            url.set_path(&joined);
            url.to_string()
        }
        Err(_) => {
            let parts: Vec<&str> = [base, path].into_iter().filter(|p| !p.is_empty()).collect();
            if parts.is_empty() { String::new() } else { clean(&parts.join("/")) }
        }
    }
}

/// Go's `path.Clean`.
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_stand_below_their_repository() {
        assert_eq!(absolute("http://h/r?sig=1", "a/b.tgz").unwrap(), "http://h/r/a/b.tgz?sig=1");
        assert_eq!(absolute("http://h/r/", "http://o/b.tgz").unwrap(), "http://o/b.tgz");
        assert!(equal("http://h/a/", "http://h/a") && equal("http://h", "http://h/"));
        assert!(!equal("http://h/a", "https://h/a"));
        assert_eq!(join("http://h/x/", "a.tgz"), "http://h/x/a.tgz");
        assert_eq!(join("", "a.tgz"), "a.tgz");
    }
}
