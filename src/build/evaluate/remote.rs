//! Sources of ADD that are not in the build context, told apart as BuildKit does (`frontend/dockerfile/dfgitutil`).

/// What a source names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A Git repository.
    Git,
    /// A file to download.
    Url,
}

impl Remote {
    /// What `source` names, if not a path. `github.com/…` without a protocol is a path.
    pub fn of(source: &str) -> Option<Self> {
        if is_git(source) {
            return Some(Self::Git);
        }
        (source.starts_with("http://") || source.starts_with("https://")).then_some(Self::Url)
    }

    /// As messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Git => "git ref",
            Self::Url => "URL",
        }
    }
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
            assert_eq!(Remote::of(source), Some(Remote::Git), "{source}");
        }
        for source in
            ["https://h/x.tar", "http://h/", "https://h.git", "https://h/x.git/sub", "https://h/x?y.git"]
        {
            assert_eq!(Remote::of(source), Some(Remote::Url), "{source}");
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
            assert_eq!(Remote::of(source), None, "{source}");
        }
    }
}
