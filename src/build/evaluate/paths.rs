//! Paths as BuildKit normalises them in COPY, ADD and WORKDIR (`util/system`: NormalizePath).

/// Cleans a slash-separated path the way Go's `path.Clean` does: no `.`, no `//`, `..` resolved by words alone.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

/// A source path inside its tree: absolute and clean, so that it cannot lead out. A trailing slash is dropped.
pub fn source(path: &str) -> String {
    clean(&format!("/{path}"))
}

/// Where COPY puts its files: relative paths below `workdir`. A trailing `/` or `/.` says that it is a directory and
/// comes out as a trailing `/`.
pub fn destination(workdir: &str, path: &str) -> String {
    let directory = path.is_empty() || path == "." || path.ends_with('/') || path.ends_with("/.");
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("/{workdir}/{path}") };
    let cleaned = clean(&joined);
    if directory && cleaned != "/" { format!("{cleaned}/") } else { cleaned }
}

/// The new working directory: an absolute path is kept as it is written, a relative one is joined to `current`, and an
/// empty one changes nothing.
pub fn workdir(current: &str, path: &str) -> String {
    match (path.starts_with('/'), path.is_empty() && current.starts_with('/')) {
        (true, _) => path.to_owned(),
        (false, true) => current.to_owned(),
        (false, false) => clean(&format!("/{current}/{path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning() {
        let table = [
            ("", "."),
            ("a//b/./c/..", "a/b"),
            ("/../a", "/a"),
            ("../a", "../a"),
            ("/", "/"),
            ("a/..", "."),
            ("../../x/..", "../.."),
        ];
        for (path, cleaned) in table {
            assert_eq!(clean(path), cleaned, "{path:?}");
        }
    }

    #[test]
    fn destinations_keep_their_slash() {
        let table = [
            ("/w", "", "/w/"),
            ("/w", ".", "/w/"),
            ("/w", "./", "/w/"),
            ("/w", "a", "/w/a"),
            ("/w", "a/", "/w/a/"),
            ("/w", "a/.", "/w/a/"),
            ("/w", "/", "/"),
            ("/", "a", "/a"),
            ("", "a", "/a"),
            ("/w", "../x", "/x"),
        ];
        for (dir, path, expected) in table {
            assert_eq!(destination(dir, path), expected, "{dir:?} {path:?}");
        }
    }

    #[test]
    fn working_directories() {
        assert_eq!(workdir("/", "a"), "/a");
        assert_eq!(workdir("/a", "b/../c"), "/a/c");
        assert_eq!(workdir("", "a"), "/a");
        assert_eq!(workdir("", ""), "/");
        assert_eq!(workdir("/b//c/", ""), "/b//c/");
        assert_eq!(workdir("/a", "/b//c/"), "/b//c/");
    }
}
