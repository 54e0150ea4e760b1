//! `registries.conf`, version 2, and the folders of pieces of it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::rules::{Rule, RuleMirror, Rules};
use crate::host::fs;
use crate::registry::{Cause, Error};

/// Larger than any list of registries.
const LARGEST: u64 = 4 << 20;

/// What of a file is about registries; the rest is about short names.
#[derive(Deserialize, Default)]
struct File {
    #[serde(default)]
    registry: Vec<Registry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    prefix: Option<String>,
    location: Option<String>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<Mirror>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<Pull>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Pull {
    All,
    DigestOnly,
    TagOnly,
}

/// Reads the first of `files` that is there, then every `*.conf` of `folders` in the order of names; a later rule takes
/// the place of an earlier one with the same prefix.
pub(super) fn read(files: &[PathBuf], folders: &[PathBuf]) -> Result<Rules, Error> {
    let mut paths: Vec<PathBuf> = files.iter().find(|path| fs::exists(path)).into_iter().cloned().collect();
    for folder in folders.iter().filter(|folder| fs::exists(folder)) {
        let entries = fs::read_dir(folder).map_err(|e| fail(folder, Cause::Host(e)))?;
        let mut pieces: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        pieces.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
        pieces.sort();
        paths.extend(pieces);
    }
    let mut rules: Vec<Rule> = Vec::new();
    for path in paths {
        let bytes = fs::read_limited(&path, LARGEST).map_err(|e| fail(&path, Cause::Host(e)))?;
        for rule in parse(&bytes).map_err(|words| fail(&path, Cause::Words(words)))? {
            rules.retain(|known| known.prefix != rule.prefix);
            rules.push(rule);
        }
    }
    Ok(Rules(rules))
}

fn fail(path: &Path, cause: Cause) -> Error {
    Error::settings(format!("read the registries of {}", path.display()), cause)
}

fn parse(bytes: &[u8]) -> Result<Vec<Rule>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let file: File = toml::from_str(text).map_err(|e| e.to_string().trim().to_owned())?;
    file.registry.into_iter().map(rule).collect()
}

fn rule(registry: Registry) -> Result<Rule, String> {
    let prefix = match (&registry.prefix, &registry.location) {
        (Some(prefix), _) | (None, Some(prefix)) if !prefix.is_empty() => cleaned(prefix)?,
        _ => return Err("a [[registry]] has neither prefix nor location".into()),
    };
    if prefix.contains('*') && prefix.strip_prefix("*.").is_none_or(|rest| rest.contains(['*', '/'])) {
        return Err(format!("the prefix {prefix:?} is none: `*` may only begin a host, as in *.example.com"));
    }
    let location = registry.location.as_deref().filter(|location| !location.is_empty());
    let location = location.map(cleaned).transpose()?.filter(|location| *location != prefix);
    let mirror = |mirror: Mirror| {
        let pull = mirror.pull_from_mirror.unwrap_or(match registry.mirror_by_digest_only {
            true => Pull::DigestOnly,
            false => Pull::All,
        });
        let location = cleaned(&mirror.location)?;
        let (tags, digests) = (pull != Pull::DigestOnly, pull != Pull::TagOnly);
        Ok(RuleMirror { location, insecure: mirror.insecure, tags, digests })
    };
    let mirrors = registry.mirror.into_iter().map(mirror).collect::<Result<_, String>>()?;
    Ok(Rule { prefix, location, insecure: registry.insecure, blocked: registry.blocked, mirrors })
}

/// A place without a slash at its end; one with a scheme is none.
fn cleaned(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    if text.is_empty() || text.contains("://") || text.starts_with('/') {
        return Err(format!("{text:?} is not HOST[:PORT][/PATH]"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
unqualified-search-registries = ["docker.io"]
short-name-mode = "enforcing"

[[registry]]
prefix = "docker.io/library/"
location = "hub.example/library"
mirror-by-digest-only = true
[[registry.mirror]]
location = "m.example:5000"
insecure = true
[[registry.mirror]]
location = "n.example/x"
pull-from-mirror = "tag-only"

[[registry]]
location = "bad.example"
blocked = true

[aliases]
"x" = "y.example/x"
"#;

    #[test]
    fn rules_are_read() {
        let rules = parse(TEXT.as_bytes()).unwrap();
        let (hub, bad) = (&rules[0], &rules[1]);
        assert_eq!(
            (hub.prefix.as_str(), hub.location.as_deref()),
            ("docker.io/library", Some("hub.example/library"))
        );
        let mirrors: Vec<_> =
            hub.mirrors.iter().map(|m| (m.location.as_str(), m.insecure, m.tags, m.digests)).collect();
        assert_eq!(mirrors, [("m.example:5000", true, false, true), ("n.example/x", false, true, false)]);
        assert_eq!((bad.prefix.as_str(), bad.location.as_deref(), bad.blocked), ("bad.example", None, true));
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (text, words) in [
            ("[[registry]]\n", "neither prefix nor location"),
            ("[[registry]]\nprefix = \"\"\n", "neither prefix nor location"),
            ("[[registry]]\nlocation = \"https://a.example\"\n", "is not HOST"),
            ("[[registry]]\nprefix = \"a.*.example\"\n", "may only begin a host"),
            ("[[registry]]\nprefix = \"*.example/x\"\n", "may only begin a host"),
            ("[[registry]]\nlocation = 5\n", "invalid type"),
            ("[[registry]]\nprefix = \"a\"\n[[registry.mirror]]\ninsecure = true\n", "location"),
            (
                "[[registry]]\nprefix = \"a\"\n[[registry.mirror]]\nlocation = \"m\"\npull-from-mirror = \"no\"\n",
                "no",
            ),
            ("registry = ", "1"),
        ] {
            let why = parse(text.as_bytes()).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
        assert!(parse(b"\xff").is_err());
    }

    #[test]
    fn later_pieces_win_and_the_users_file_is_read_alone() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, location: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("[[registry]]\nprefix = \"r.example\"\nlocation = \"{location}\"\n"))
                .unwrap();
            path
        };
        let files = [put("user.conf", "user"), put("etc.conf", "etc")];
        let location = |rules: Rules| rules.0[0].location.clone().unwrap();
        assert_eq!(location(read(&files, &[]).unwrap()), "user");
        put("d/1.conf", "one");
        put("d/2.conf", "two");
        put("d/3.txt", "three");
        let rules = read(&files, &[dir.path().join("d"), dir.path().join("absent")]).unwrap();
        assert_eq!((rules.0.len(), location(rules)), (1, "two".into()));
        fs::write(dir.path().join("d/1.conf"), "?").unwrap();
        let error = read(&files, &[dir.path().join("d")]).unwrap_err();
        assert!(error.to_string().contains("d/1.conf"), "{error}");
        assert_eq!(read(&[dir.path().join("none")], &[]).unwrap(), Rules::default());
    }
}
