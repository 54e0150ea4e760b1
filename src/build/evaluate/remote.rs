//! Sources that are not paths, told apart as BuildKit does (`frontend/dockerfile/dfgitutil`): Git repositories with what
//! is wanted of them, and files to download.

use crate::build::evaluate::paths;
use crate::build::step::{GitOrigin, UrlOrigin};

/// What a source names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A Git repository.
    Git(GitRef),
    /// A file to download.
    Url(UrlOrigin),
}

/// A Git repository and what the text says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitRef {
    /// The repository, reference and folder.
    pub origin: GitOrigin,
    /// What `keep-git-dir` says, if it is there.
    pub keep_git_dir: Option<bool>,
}

impl Remote {
    /// What `source` names, if not a path. `github.com/…` without a protocol is a path.
    ///
    /// # Errors
    /// In words, if it is a Git repository with a query that makes no sense.
    pub fn of(source: &str) -> Result<Option<Self>, String> {
        if is_git(source) {
            return git(source).map(|git| Some(Self::Git(git)));
        }
        let url = source.starts_with("http://") || source.starts_with("https://");
        Ok(url.then(|| {
            let (url, name) = (source.to_owned(), file_name(source));
            Self::Url(UrlOrigin { url, name, checksum: None })
        }))
    }

    /// As messages call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Git(_) => "git ref",
            Self::Url(_) => "URL",
        }
    }
}

/// The last element of the path of a URL; the server has no say.
fn file_name(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    let decoded = decode(path);
    match decoded.trim_end_matches('/').rsplit('/').next() {
        Some(name) if !matches!(name, "" | "." | "..") && !name.contains('\0') => name.to_owned(),
        _ => "__unnamed__".into(),
    }
}

/// Without `%XX`; text that would not be UTF-8 stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => (bytes, rest) = ([bytes, vec![byte]].concat(), &after[2..]),
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn is_git(source: &str) -> bool {
    let Some((protocol, rest)) = source.split_once("://").filter(|(protocol, _)| is_protocol(protocol))
    else {
        return is_scp_style(source);
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let known = match protocol.to_ascii_lowercase().as_str() {
        "git" | "ssh" => true,
        "http" | "https" => path.ends_with(".git"),
        _ => false,
    };
    known && has_valid_port(authority)
}

fn is_protocol(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn has_valid_port(authority: &str) -> bool {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after.rsplit_once(':').is_none_or(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
}

/// `user@host:path`.
fn is_scp_style(source: &str) -> bool {
    let parts = source.split_once('@').and_then(|(user, rest)| Some((user, rest.split_once(':')?.0)));
    parts.is_some_and(|(user, host)| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !user.is_empty()
            && !host.is_empty()
            && user.bytes().all(|b| plain(b) || b == b'_')
            && host.bytes().all(|b| plain(b) || b == b'.')
    })
}

/// Takes a Git source apart: `remote?query#reference:folder`.
fn git(source: &str) -> Result<GitRef, String> {
    let (source, fragment) = source.split_once('#').unwrap_or((source, ""));
    let (remote, query) = source.split_once('?').unwrap_or((source, ""));
    let (reference, folder) = fragment.split_once(':').unwrap_or((fragment, ""));
    let mut git = GitRef::default();
    git.origin.remote = remote.to_owned();
    git.origin.reference = decode(reference);
    git.origin.folder = inside(&decode(folder));
    read_query(&mut git, query)?;
    Ok(git)
}

/// A folder of a repository without slashes around it and without a way out.
pub fn inside(folder: &str) -> String {
    paths::clean(&format!("/{folder}")).trim_start_matches('/').to_owned()
}

fn read_query(git: &mut GitRef, query: &str) -> Result<(), String> {
    let (mut tag, mut branch) = (None, None);
    let mut seen = std::collections::BTreeSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")));
        if !seen.insert(key.clone()) {
            return Err(format!("query {key:?} has multiple values"));
        }
        let bare = matches!(key.as_str(), "submodules" | "keep-git-dir" | "fetch-by-commit");
        if value.is_empty() && !bare {
            return Err(format!("query {key:?} has no value"));
        }
        let truth = || match value.as_str() {
            "" | "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err(format!("invalid {key} value: {value:?}")),
        };
        let origin = &mut git.origin;
        match key.as_str() {
            "ref" => settle("ref", &mut origin.reference, value)?,
            "tag" => tag = Some(full("refs/tags/", &value)),
            "branch" => branch = Some(full("refs/heads/", &value)),
            "subdir" => settle("subdir", &mut origin.folder, inside(&value))?,
            "checksum" | "commit" => origin.checksum = Some(value),
            "keep-git-dir" => git.keep_git_dir = Some(truth()?),
            "submodules" => origin.skip_submodules = !truth()?,
            "mtime" if matches!(value.as_str(), "checkout" | "commit") => {}
            "mtime" => {
                return Err(format!("invalid mtime value: {value:?} (must be \"checkout\" or \"commit\")"));
            }
            "fetch-by-commit" => {
                truth()?;
            }
            _ => return Err(format!("unexpected query {key:?}")),
        }
    }
    if tag.is_some() && branch.is_some() {
        return Err("branch conflicts with tag".into());
    }
    match tag.or(branch) {
        Some(name) => settle("ref", &mut git.origin.reference, name),
        None => Ok(()),
    }
}

fn full(prefix: &str, name: &str) -> String {
    if name.starts_with(prefix) { name.to_owned() } else { format!("{prefix}{name}") }
}

/// Says something that may have been said before, in the same words.
fn settle(what: &str, known: &mut String, value: String) -> Result<(), String> {
    if !known.is_empty() && *known != value {
        return Err(format!("{what} conflicts: {known:?} vs {value:?}"));
    }
    *known = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let git = [
            "git@host:a/b",
            "user_1@h-1.x:",
            "a@b:c:d",
            "git://h/x",
            "GIT://h",
            "ssh://git@h:22/x",
            "ssh://[::1]:22/x",
            "https://h/x.git#v1:sub",
            "HTTPS://h/x.git?ref=v1",
            "http://h/.git",
        ];
        for source in git {
            assert!(matches!(Remote::of(source), Ok(Some(Remote::Git(_)))), "{source}");
        }
        for source in
            ["https://h/x.tar", "http://h/", "https://h.git", "https://h/x.git/sub", "https://h/x?y.git"]
        {
            assert!(matches!(Remote::of(source), Ok(Some(Remote::Url(_)))), "{source}");
        }
        let paths = [
            "a@b",
            "x.git",
            "dir/a@b:c",
            "@h:r",
            "u.v@h:p",
            "ü@h:p",
            "host:path",
            "github.com/a/b",
            "ftp://h/x.git",
            "git+ssh://h/x",
            "ssh://h:port/x",
            "HTTP://h/x",
            "http:/h",
        ];
        for source in paths {
            assert_eq!(Remote::of(source), Ok(None), "{source}");
        }
    }

    #[test]
    fn names_of_files_come_from_the_url() {
        for (url, name) in [
            ("https://h/a/b.tar.gz?x=/y#z", "b.tar.gz"),
            ("https://h/a%20b", "a b"),
            ("https://h/dir/", "dir"),
            ("https://h", "__unnamed__"),
            ("https://h/", "__unnamed__"),
            ("https://h/a/..", "__unnamed__"),
            ("https://h/%zz", "%zz"),
        ] {
            assert_eq!(file_name(url), name, "{url}");
        }
    }

    #[test]
    fn what_is_wanted_of_a_repository() {
        let ask = |text: &str| {
            git(text).map(|git| {
                let o = git.origin;
                format!(
                    "{} {} {} {:?} {:?} {}",
                    o.remote, o.reference, o.folder, o.checksum, git.keep_git_dir, o.skip_submodules
                )
            })
        };
        let table = [
            ("https://h/x.git", "https://h/x.git   None None false"),
            ("https://h/x.git#v1:/a/../b/", "https://h/x.git v1 b None None false"),
            ("git@h:x#:sub", "git@h:x  sub None None false"),
            ("https://h/x.git?ref=v1&subdir=a&submodules=false", "https://h/x.git v1 a None None true"),
            ("https://h/x.git?tag=v1&keep-git-dir", "https://h/x.git refs/tags/v1  None Some(true) false"),
            ("https://h/x.git?branch=b&commit=abc", "https://h/x.git refs/heads/b  Some(\"abc\") None false"),
        ];
        for (text, expected) in table {
            assert_eq!(ask(text).unwrap(), expected, "{text}");
        }
        for bad in
            ["?ref=a#b", "?tag=a&branch=b", "?x=1", "?ref=", "?mtime=never", "?subdir=a#v:b", "?ref=a&ref=a"]
        {
            assert!(git(&format!("https://h/x.git{bad}")).is_err(), "{bad}");
        }
    }
}
