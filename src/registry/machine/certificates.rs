//! `certs.d/HOST[:PORT]`: `*.crt` are authorities, `NAME.cert` with `NAME.key` is a client certificate.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::host::fs;
use crate::registry::{Cause, Error};

/// Whom a registry may show, and what is shown to it; PEM files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Authorities beside the system's.
    pub authorities: Vec<PathBuf>,
    /// A client certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Trust {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the first of the folders says that knows the registry.
pub(super) fn find(folders: &[PathBuf], registry: &str) -> Result<Trust, Error> {
    // A registry is a host with a port, never a path out of the folder.
    if registry.is_empty() || registry.contains('/') || registry.starts_with('.') {
        return Ok(Trust::default());
    }
    // Docker Hub is reached at another name than it has.
    let names = match registry {
        "registry-1.docker.io" => vec![registry, "docker.io"],
        _ => vec![registry],
    };
    let mut all = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    all.find(|folder| fs::exists(folder)).map_or_else(|| Ok(Trust::default()), |folder| read(&folder))
}

fn read(folder: &Path) -> Result<Trust, Error> {
    let fail = |cause| Error::settings(format!("read the certificates in {}", folder.display()), cause);
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|e| fail(Cause::Host(e)))?
        .into_iter()
        .map(|entry| entry.path())
        .collect();
    names.sort();
    let mut trust = Trust::default();
    for path in names {
        match path.extension().and_then(OsStr::to_str) {
            Some("crt") => trust.authorities.push(path),
            Some("cert") => {
                let key =
                    beside(path.with_extension("key"), &path).map_err(|words| fail(Cause::Words(words)))?;
                if trust.identity.is_some() {
                    let words = "there are several client certificates, and only one can be shown";
                    return Err(fail(Cause::Words(words.into())));
                }
                trust.identity = Some((path, key));
            }
            Some("key") => {
                beside(path.with_extension("cert"), &path).map_err(|words| fail(Cause::Words(words)))?;
            }
            _ => {}
        }
    }
    Ok(trust)
}

/// `other`, which has to be there for `path`.
fn beside(other: PathBuf, path: &Path) -> Result<PathBuf, String> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match fs::exists(&other) {
        true => Ok(other),
        false => Err(format!("{} has no {}", name(path), name(&other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_knows_the_registry_counts() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().join("user"), dir.path().join("etc")];
        let put = |path: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            path
        };
        let both = "r.example:5000";
        let authority = put("user/r.example:5000/ca.crt");
        put("user/r.example:5000/README");
        put("etc/r.example:5000/other.crt");
        let (cert, key) = (put("etc/hub.example/client.cert"), put("etc/hub.example/client.key"));
        assert_eq!(find(&folders, both).unwrap(), Trust { authorities: vec![authority], identity: None });
        let hub = find(&folders, "hub.example").unwrap();
        assert_eq!((hub.authorities.len(), hub.identity), (0, Some((cert, key))));
        let docker = put("etc/docker.io/ca.crt");
        assert_eq!(find(&folders, "registry-1.docker.io").unwrap().authorities, [docker]);
        for unknown in ["r.example", "", "..", ".", "../etc", "/"] {
            assert!(find(&folders, unknown).unwrap().is_empty(), "{unknown}");
        }
    }

    #[test]
    fn halves_of_a_pair_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        for (name, words) in [("a.cert", "a.cert has no a.key"), ("b.key", "b.key has no b.cert")] {
            let folder = dir.path().join(name).join("h");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), "").unwrap();
            let error = find(&[dir.path().join(name)], "h").unwrap_err();
            assert_eq!(error.story().unwrap().to_string(), words);
        }
        let folder = dir.path().join("two/h");
        fs::create_dir_all(&folder).unwrap();
        for name in ["a.cert", "a.key", "b.cert", "b.key"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let error = find(&[dir.path().join("two")], "h").unwrap_err();
        assert!(error.story().unwrap().to_string().contains("several"));
    }
}
