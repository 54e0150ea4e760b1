//! What flags, environment and kubeconfig say for all of Helm's commands.

use crate::chart::Compat;
use crate::host::{env, fs};
use crate::yaml::{self, Options, Value};

/// Settings of all commands.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// As which Helm.
    pub compat: Compat,
    /// `--namespace`.
    pub namespace: Option<String>,
    /// `--kubeconfig`.
    pub kubeconfig: Option<String>,
    /// `--kube-context`.
    pub kube_context: Option<String>,
    /// `--debug`.
    pub debug: bool,
    /// What other flags say, by the variable in whose place they are.
    pub given: std::collections::BTreeMap<&'static str, String>,
}

impl Settings {
    /// The namespace: flag, variable, the kubeconfig's context, `default`.
    pub fn namespace(&self) -> String {
        let given = self.namespace.clone().filter(|n| !n.is_empty()).or_else(|| env::var("HELM_NAMESPACE"));
        given.or_else(|| self.context_namespace()).unwrap_or_else(|| "default".to_owned())
    }

    fn context_namespace(&self) -> Option<String> {
        let configs: Vec<Value> = self.kubeconfigs().iter().filter_map(|path| read(path)).collect();
        let wanted = self.kube_context.clone().filter(|c| !c.is_empty());
        let wanted = wanted.or_else(|| env::var("HELM_KUBECONTEXT")).or_else(|| {
            configs
                .iter()
                .find_map(|c| Some(c.get("current-context")?.as_str()?.to_owned()).filter(|c| !c.is_empty()))
        })?;
        configs.iter().find_map(|config| {
            let contexts = config.get("contexts")?;
            let named = contexts
                .as_list()?
                .items()
                .iter()
                .find(|c| c.get("name").is_some_and(|name| name.as_str() == Some(wanted.as_str())))?;
            let namespace = named.get("context")?.get("namespace")?.as_str()?.to_owned();
            (!namespace.is_empty()).then_some(namespace)
        })
    }

    /// The names of all contexts that the kubeconfig knows.
    pub fn contexts(&self) -> Vec<String> {
        let configs: Vec<Value> = self.kubeconfigs().iter().filter_map(|path| read(path)).collect();
        let contexts = configs.iter().filter_map(|config| config.get("contexts")?.as_list().cloned());
        let names = contexts.flat_map(|list| list.items().to_vec());
        names.filter_map(|context| context.get("name")?.as_str().map(str::to_owned)).collect()
    }

    fn kubeconfigs(&self) -> Vec<std::path::PathBuf> {
        if let Some(path) = self.kubeconfig.as_ref().filter(|p| !p.is_empty()) {
            return vec![path.into()];
        }
        match env::var("KUBECONFIG") {
            Some(paths) => paths.split(':').filter(|p| !p.is_empty()).map(Into::into).collect(),
            None => env::home().map(|home| home.join(".kube/config")).into_iter().collect(),
        }
    }
}

fn read(path: &std::path::Path) -> Option<Value> {
    let text = fs::read(path).ok()?;
    yaml::read(&text, Options::default()).ok()
}
