//! What this machine knows without asking a server, for shells that complete command lines.

use super::Home;
use crate::chartrepo::Repositories;
use crate::host::fs;

/// Names and addresses of the repositories that were added.
pub fn repositories(home: &Home) -> Vec<(String, String)> {
    let list = Repositories::load(&home.repository_config).ok().flatten().unwrap_or_default();
    list.entries.into_iter().map(|entry| (entry.name, entry.url)).collect()
}

/// The charts of a repository, its name before them.
pub fn charts(home: &Home, repository: &str) -> Vec<String> {
    let names = match fs::read(home.cache.charts_path(repository)) {
        Ok(text) => String::from_utf8_lossy(&text).lines().map(str::to_owned).collect(),
        Err(_) => home.cache.index(repository).unwrap_or_default().entries.into_keys().collect::<Vec<_>>(),
    };
    names.into_iter().map(|chart| format!("{repository}/{chart}")).collect()
}

/// The versions of a chart `repository/chart`, and what is in them.
pub fn versions(home: &Home, chart: &str) -> Vec<(String, String)> {
    let Some((repository, name)) = chart.split_once('/').filter(|(_, name)| !name.contains('/')) else {
        return Vec::new();
    };
    let versions = home.cache.versions(repository, name).unwrap_or_default();
    let about = |application: &str| match application {
        "" => String::new(),
        version => format!("App: {version}"),
    };
    versions.iter().map(|v| (v.metadata.version.clone(), about(&v.metadata.app_version))).collect()
}
