//! The values of secrets. They are registered before anybody can show them, and are kept nowhere but in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::build::{Error, SecretSource, SecretValue};
use crate::host::{env, fs};
use crate::report::Context;

/// As much as BuildKit takes (`session/secrets`: MaxSecretSize).
const LARGEST: u64 = 500 << 10;

/// Values of secrets by their names. They are not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Arc<[u8]>>);

impl Secrets {
    /// The value of a secret.
    pub fn get(&self, id: &str) -> Option<&Arc<[u8]>> {
        self.0.get(id)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Reads what was given on the command line. A variable that is not set is no secret.
///
/// # Errors
/// If a file cannot be read or is too large.
pub fn read(cx: &Context, sources: &[SecretSource]) -> Result<Secrets, Error> {
    let mut values = BTreeMap::new();
    for SecretSource { id, value } in sources {
        let bytes = match value {
            SecretValue::Env(name) => match env::bytes(name) {
                Some(value) => value,
                None => continue,
            },
            SecretValue::Given(text) => text.clone().into_bytes(),
            SecretValue::File(path) => {
                let length = fs::metadata(path)?.len();
                if length > LARGEST {
                    return Err(Error::input(format!("secret {id}: {} is too big", path.display()))
                        .hint(format!("a secret has at most {} KB", LARGEST >> 10)));
                }
                fs::read_limited(path, LARGEST)?
            }
        };
        cx.report.secrets().register(&bytes);
        values.insert(id.clone(), Arc::from(bytes));
    }
    Ok(Secrets(values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::clock;

    #[test]
    fn values_are_registered_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            fs::write(dir.path().join(name), bytes).unwrap();
            SecretValue::File(dir.path().join(name))
        };
        let cx = Context::silent(clock::system());
        let source = |id: &str, value| SecretSource { id: id.into(), value };
        let sources =
            [source("a", file("a", b"hunter22\n")), source("b", SecretValue::Env("NO_SUCH_NAME".into()))];
        let secrets = read(&cx, &sources).unwrap();
        assert_eq!(secrets.get("a").map(AsRef::as_ref), Some(&b"hunter22\n"[..]));
        assert_eq!(secrets.names().collect::<Vec<_>>(), ["a"]);
        assert_eq!(cx.report.secrets().redact_text("x hunter22 y"), "x *** y");
        assert!(read(&cx, &[source("c", file("c", &vec![b'x'; (500 << 10) + 1]))]).is_err());
        assert!(read(&cx, &[source("d", SecretValue::File(dir.path().join("none")))]).is_err());
    }
}
