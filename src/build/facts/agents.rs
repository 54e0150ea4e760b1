//! The agents that steps may ask for signatures.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::build::{Error, SshSource};
use crate::host::{env, fs};
use crate::sandbox::agent::{AgentSource, Key, is_socket};

/// Larger than any key.
const LARGEST: u64 = 1 << 20;

/// Agents by their names.
pub type Agents = BTreeMap<String, Arc<AgentSource>>;

/// Finds the sockets and reads the keys that were named on the command line.
///
/// # Errors
/// If there is no agent, a key cannot be read, or sockets and keys are mixed.
pub fn read(sources: &[SshSource]) -> Result<Agents, Error> {
    let mut agents = Agents::new();
    for SshSource { id, paths } in sources {
        let paths = match paths.as_slice() {
            [] => vec![default_socket(id)?],
            given => given.to_vec(),
        };
        let source = match paths.as_slice() {
            [one] if is_socket(one) => AgentSource::Socket(one.clone()),
            many if many.iter().any(|path| is_socket(path)) => {
                return Err(Error::input(format!("--ssh {id}: an agent is either one socket or keys"))
                    .hint("give several agents several names"));
            }
            keys => AgentSource::Keys(keys.iter().map(key).collect::<Result<_, _>>()?),
        };
        agents.insert(id.clone(), Arc::new(source));
    }
    Ok(agents)
}

fn default_socket(id: &str) -> Result<PathBuf, Error> {
    env::path("SSH_AUTH_SOCK").ok_or_else(|| {
        Error::input(format!("--ssh {id}: invalid empty ssh agent socket, make sure SSH_AUTH_SOCK is set"))
            .hint(format!("start an agent (ssh-agent), or give keys: --ssh {id}=KEY"))
    })
}

fn key(path: &PathBuf) -> Result<Key, Error> {
    let bytes = fs::read_limited(path, LARGEST)?;
    Ok(Key::parse(&path.display().to_string(), &String::from_utf8_lossy(&bytes))?)
}
