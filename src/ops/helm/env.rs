//! `lap helm env`: the settings that come from the environment (`Helm: pkg/cli/environment.go`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Settings;
use crate::host::env;

/// The variables and their values, sorted by name.
pub fn run(settings: &Settings) -> BTreeMap<&'static str, String> {
    let var = |name: &str, fallback: &str| env::var(name).unwrap_or_else(|| fallback.to_owned());
    let shown = |path: PathBuf| path.to_string_lossy().into_owned();
    let home = |own: &str, xdg: &str, below: &str| {
        let xdg = || env::path(xdg).map(|path| path.join("helm"));
        let user = || env::home().map(|home| home.join(below).join("helm"));
        env::path(own).or_else(xdg).or_else(user).unwrap_or_else(|| PathBuf::from(below).join("helm"))
    };
    let cache = home("HELM_CACHE_HOME", "XDG_CACHE_HOME", ".cache");
    let config = home("HELM_CONFIG_HOME", "XDG_CONFIG_HOME", ".config");
    let data = home("HELM_DATA_HOME", "XDG_DATA_HOME", ".local/share");
    let place = |name: &str, path: PathBuf| env::var(name).unwrap_or_else(|| shown(path));
    let mut all = BTreeMap::from([
        ("HELM_BIN", "lap helm".to_owned()),
        ("HELM_DEBUG", settings.debug.to_string()),
        ("HELM_PLUGINS", place("HELM_PLUGINS", data.join("plugins"))),
        ("HELM_REGISTRY_CONFIG", place("HELM_REGISTRY_CONFIG", config.join("registry/config.json"))),
        ("HELM_REPOSITORY_CACHE", place("HELM_REPOSITORY_CACHE", cache.join("repository"))),
        ("HELM_REPOSITORY_CONFIG", place("HELM_REPOSITORY_CONFIG", config.join("repositories.yaml"))),
        ("HELM_NAMESPACE", settings.namespace()),
        ("HELM_MAX_HISTORY", number("HELM_MAX_HISTORY", 10)),
        ("HELM_BURST_LIMIT", number("HELM_BURST_LIMIT", 100)),
        ("HELM_QPS", format!("{:.2}", var("HELM_QPS", "").parse::<f32>().unwrap_or(0.0))),
        ("HELM_KUBECONTEXT", settings.kube_context.clone().unwrap_or_else(|| var("HELM_KUBECONTEXT", ""))),
        ("HELM_KUBETOKEN", var("HELM_KUBETOKEN", "")),
        ("HELM_KUBEASUSER", var("HELM_KUBEASUSER", "")),
        ("HELM_KUBEASGROUPS", var("HELM_KUBEASGROUPS", "")),
        ("HELM_KUBEAPISERVER", var("HELM_KUBEAPISERVER", "")),
        ("HELM_KUBECAFILE", var("HELM_KUBECAFILE", "")),
        ("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", flag("HELM_KUBEINSECURE_SKIP_TLS_VERIFY")),
        ("HELM_KUBETLS_SERVER_NAME", var("HELM_KUBETLS_SERVER_NAME", "")),
    ]);
    if !settings.compat.is_3() {
        all.insert("HELM_CONTENT_CACHE", place("HELM_CONTENT_CACHE", cache.join("content")));
    }
    if let Some(path) = settings.kubeconfig.clone().or_else(|| env::var("KUBECONFIG")) {
        all.insert("KUBECONFIG", path);
    }
    all.insert("HELM_CACHE_HOME", shown(cache));
    all.insert("HELM_CONFIG_HOME", shown(config));
    all.insert("HELM_DATA_HOME", shown(data));
    all.extend(settings.given.iter().map(|(name, value)| (*name, value.clone())));
    all
}

fn number(name: &str, fallback: i64) -> String {
    env::var(name).and_then(|text| text.parse().ok()).unwrap_or(fallback).to_string()
}

fn flag(name: &str) -> String {
    let on = env::var(name)
        .is_some_and(|text| matches!(text.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"));
    on.to_string()
}
