//! `.gitmodules`: where submodules come from.

use crate::git::{Error, Result, Submodule};

/// The address of a submodule, relative ones joined to that of the repository it is in.
///
/// # Errors
/// [`Error::Tree`] if `.gitmodules` does not know it.
pub(super) fn address(
    gitmodules: Option<&[u8]>,
    submodule: &Submodule,
    (commit, remote): (&str, &str),
) -> Result<String> {
    let wrong = |reason: String| Error::Tree { commit: commit.to_owned(), reason };
    let text = String::from_utf8_lossy(gitmodules.unwrap_or_default()).into_owned();
    let file = gix::config::File::try_from(text.as_str())
        .map_err(|e| wrong(format!("its .gitmodules cannot be read: {e}")))?;
    let sections = file.sections_by_name("submodule").into_iter().flatten();
    for section in sections {
        let value = |key: &str| section.value(key).map(|value| value.to_string());
        let path = value("path").unwrap_or_default();
        if path.trim_matches('/') == submodule.path
            && let Some(url) = value("url")
        {
            return Ok(join(remote, &url));
        }
    }
    Err(wrong(format!("no submodule mapping found in .gitmodules for path {:?}", submodule.path)))
}

/// `./x` and `../x` are relative to the address of the repository itself.
fn join(remote: &str, url: &str) -> String {
    if !url.starts_with("./") && !url.starts_with("../") {
        return url.to_owned();
    }
    let mut base = remote.trim_end_matches('/').to_owned();
    let mut rest = url;
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            rest = after;
            let cut = base.rfind(['/', ':']).unwrap_or(0);
            base.truncate(cut);
        } else {
            return format!("{base}/{rest}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (remote, url, expected) in [
            ("https://h/a/b.git", "../c.git", "https://h/a/c.git"),
            ("https://h/a/b.git/", "./c", "https://h/a/b.git/c"),
            ("https://h/a/b.git", "../../c", "https://h/c"),
            ("https://h/a/b.git", "https://other/c", "https://other/c"),
        ] {
            assert_eq!(join(remote, url), expected);
        }
        let file = b"[submodule \"x\"]\n\tpath = libs/x\n\turl = ../x.git\n";
        let submodule = |path: &str| Submodule { path: path.into(), commit: "c".into() };
        let ask = |path: &str| address(Some(file), &submodule(path), ("c", "https://h/a/b.git"));
        assert_eq!(ask("libs/x").unwrap(), "https://h/a/x.git");
        assert!(matches!(ask("libs/y"), Err(Error::Tree { .. })));
        assert!(address(None, &submodule("libs/x"), ("c", "r")).is_err());
    }
}
