//! Post-renderers: programs that change what a chart gave (`Helm: pkg/postrender`, `pkg/postrenderer`).

use std::path::PathBuf;
use std::time::Duration;

use super::failed;
use crate::base::Failure;
use crate::host::{env, fs, program};
use crate::yaml::{self, Options};

/// How long a post-renderer may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs a post-renderer over manifests.
///
/// # Errors
/// If it is a plugin of Helm, cannot be run, fails, or gives nothing.
pub fn run(doing: &str, name: &str, arguments: &[String], input: &[u8]) -> Result<Vec<u8>, Failure> {
    let fail = |words: String| failed(doing, format!("error while running post render on files: {words}"));
    if let Some(plugin) = plugin(name) {
        return Err(fail(format!("{name:?} is a plugin of Helm, and lap does not run plugins"))
            .hint(format!("name its program instead: it is in {}", plugin.display())));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = program::run(name, &arguments, input, LIMIT)?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.code != Some(0) {
        return Err(fail(format!("error while running command {name}. error output:\n{said}")));
    }
    if output.stdout.trim_ascii().is_empty() {
        return Err(fail(format!("post-renderer {name:?} produced empty output")));
    }
    Ok(output.stdout)
}

/// The folder of an installed plugin that is a post-renderer of that name.
fn plugin(name: &str) -> Option<PathBuf> {
    let data = env::path("HELM_DATA_HOME").or_else(|| env::data_home().map(|home| home.join("helm")));
    let folder = env::path("HELM_PLUGINS").or_else(|| data.map(|data| data.join("plugins")))?;
    fs::read_dir(folder).unwrap_or_default().into_iter().map(|entry| entry.path()).find(|path| {
        let text = fs::read(path.join("plugin.yaml")).unwrap_or_default();
        let about = yaml::read(&text, Options::default()).unwrap_or_default();
        let is = |key: &str, wanted: &str| about.get(key).is_some_and(|value| value.as_str() == Some(wanted));
        is("name", name) && is("type", "postrenderer/v1")
    })
}
