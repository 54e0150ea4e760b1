//! The door that templates ask for what is not in their data: this machine's clock, entropy, names and variables.

use std::time::Duration;

use crate::base::Clock;
use crate::chart::SCHEMA;
use crate::chartrepo::{Fetcher, Trust};
use crate::host;
use crate::template::{Door, Question, bytes, certificates};
use crate::yaml::{Map, Value};

/// How long a document of a schema may take, as in Helm, and how large it may be.
const SCHEMA_TIME: Duration = Duration::from_secs(15);
const SCHEMA_SIZE: u64 = 16 << 20;

/// Answers from this machine. What a cluster would answer is empty, as without one.
#[derive(Clone, Debug)]
pub struct Live {
    clock: Clock,
    /// Whether names of hosts are looked up (`--enable-dns`).
    dns: bool,
}

impl Live {
    /// A door with this clock; `dns` is Helm's `--enable-dns`.
    pub fn new(clock: Clock, dns: bool) -> Self {
        Self { clock, dns }
    }
}

impl Door for Live {
    fn ask(&self, question: &Question<'_>) -> Result<Value, String> {
        let random = |n| host::random::bytes(n).map_err(|e| e.to_string());
        Ok(match question {
            Question::Now => Value::int64(i64::try_from(self.clock.now().as_nanos()).unwrap_or(i64::MAX)),
            Question::Random(n) => bytes(&random(*n)?),
            Question::Env(name) => host::env::var(name).unwrap_or_default().into(),
            Question::Host(name) if self.dns => host::names::first_address(name).unwrap_or_default().into(),
            Question::Host(_) => "".into(),
            Question::Call { function: "lookup", .. } => Value::Map(Map::new()),
            Question::Call { function: SCHEMA, args } => {
                let address = args.first().and_then(Value::as_text).cloned().unwrap_or_default();
                document(&address.lossy())?.into()
            }
            Question::Call { function, args } => {
                let mut serial = [0; 16];
                serial.copy_from_slice(&random(16)?);
                let now = i64::try_from(self.clock.now().as_secs()).unwrap_or(i64::MAX);
                certificates::make(function, args, now, serial)?
            }
        })
    }
}

/// A document that a schema refers to (`Helm: pkg/chart/common/util/jsonschema.go`).
fn document(address: &str) -> Result<String, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let fetcher = Fetcher::new(address, &Trust::default(), SCHEMA_TIME).map_err(|e| e.to_string())?;
    let fetched = runtime.block_on(fetcher.get(address, None, SCHEMA_SIZE)).map_err(|e| e.to_string())?;
    let bytes = fetched.map(|f| f.bytes).unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| format!("{address} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::template::{Functions, MissingKey, Session, Templates};

    fn render(text: &str) -> String {
        let mut templates = Templates::new("gotpl", Arc::new(Functions::helm()), MissingKey::Zero);
        templates.parse("t", text.as_bytes()).unwrap();
        let live = Live::new(host::clock::system(), true);
        let out = templates.execute("t", &Value::Null, &mut Session::new(&live)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn impure_functions_answer() {
        assert_eq!(
            render("{{ randAlphaNum 20 | len }} {{ uuidv4 | len }} {{ randBytes 3 | len }}"),
            "20 36 4"
        );
        assert_ne!(render("{{ randAscii 30 }}"), render("{{ randAscii 30 }}"));
        assert_eq!(render("{{ now.Year | lt 2023 }} {{ getHostByName \"127.0.0.1\" }}"), "true 127.0.0.1");
        assert_eq!(render("{{ getHostByName \"localhost\" }}"), "127.0.0.1");
        assert_eq!(render("{{ lookup \"v1\" \"Pod\" \"\" \"\" }}"), "map[]");
        let cert = render(
            "{{ $ca := genCA \"ca\" 3 }}{{ $c := genSignedCert \"c\" nil (list \"a.b\") 3 $ca }}{{ $c.Cert }}{{ $c.Key }}",
        );
        assert!(cert.starts_with("-----BEGIN CERTIFICATE") && cert.contains("PRIVATE KEY"), "{cert}");
        assert!(render("{{ genPrivateKey \"ed25519\" }}").contains("PRIVATE KEY"));
        assert!(render("{{ htpasswd \"u\" \"p\" }}").starts_with("u:$2"));
    }
}
