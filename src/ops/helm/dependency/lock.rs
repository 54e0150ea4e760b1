//! The lock file: what it says, and the digest that tells whether it still fits.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::base::Failure;
use crate::chart::Dependency;
use crate::chartrepo::{Ordered, dependency_json};
use crate::host::fs;
use crate::ops::helm::failed;
use crate::yaml::{self, Value};

/// The digest of what is declared and what was found.
pub(super) fn digest(declared: &[Dependency], found: &[Dependency]) -> String {
    let list = |all: &[Dependency]| Ordered::List(all.iter().map(dependency_json).collect());
    sha256(&Ordered::List(vec![list(declared), list(found)]))
}

/// The digest as Helm 2 made it, which charts of its time still carry.
pub(super) fn old_digest(declared: &[Dependency]) -> String {
    let mut out = Ordered::object();
    out.put_ordered("dependencies", Ordered::List(declared.iter().map(dependency_json).collect()));
    sha256(&out)
}

fn sha256(json: &Ordered) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(json.compact())))
}

/// Writes the lock file of a chart; `old` for charts of `apiVersion: v1`.
pub(super) fn write(
    chart: &Path,
    found: &[Dependency],
    (digest, generated): (&str, &str),
    old: bool,
) -> Result<(), Failure> {
    let entries = found.iter().map(Dependency::to_value).collect();
    let value = Value::map([
        ("dependencies", Value::list(entries)),
        ("digest", digest.into()),
        ("generated", generated.into()),
    ]);
    let name = if old { "requirements.lock" } else { "Chart.lock" };
    let path = chart.join(name);
    if fs::symlink_metadata(&path).is_ok_and(|m| m.file_type().is_symlink()) {
        let target = fs::read_link(&path)?;
        let words = format!("the {name} file is a symlink to {:?}", target.display().to_string());
        return Err(failed("write the lock file", words));
    }
    let text = yaml::write(&value).map_err(|e| failed("write the lock file", e.to_string()))?;
    Ok(fs::write_atomic(path, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_gos_json() {
        let declared = Dependency {
            name: "a".into(),
            version: "^1".into(),
            repository: "http://h".into(),
            ..Dependency::default()
        };
        let found = Dependency { version: "1.2.0".into(), ..declared.clone() };
        let json = r#"[[{"name":"a","version":"^1","repository":"http://h"}],[{"name":"a","version":"1.2.0","repository":"http://h"}]]"#;
        assert_eq!(digest(&[declared], &[found]), format!("sha256:{}", hex::encode(Sha256::digest(json))));
    }
}
