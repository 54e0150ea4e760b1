//! Where Helm's files are (`Helm: pkg/helmpath`, `pkg/cli/environment.go`).

use std::path::PathBuf;

use crate::chartrepo::Cache;
use crate::host::env;
use crate::registry::Credentials;

/// The files that Helm's commands share.
#[derive(Clone, Debug)]
pub struct Home {
    /// `repositories.yaml`: `--repository-config`, `HELM_REPOSITORY_CONFIG`.
    pub repository_config: PathBuf,
    /// Indexes: `--repository-cache`, `HELM_REPOSITORY_CACHE`; charts: `--content-cache`, `HELM_CONTENT_CACHE`.
    pub cache: Cache,
    /// Passwords of registries: `--registry-config`, `HELM_REGISTRY_CONFIG`.
    pub registry_config: PathBuf,
}

/// What flags say about it.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `--repository-config`.
    pub repository_config: Option<PathBuf>,
    /// `--repository-cache`.
    pub repository_cache: Option<PathBuf>,
    /// `--content-cache`.
    pub content_cache: Option<PathBuf>,
    /// `--registry-config`.
    pub registry_config: Option<PathBuf>,
}

impl Home {
    /// The files as flags and the environment name them.
    pub fn new(given: Given) -> Self {
        let config = || folder("HELM_CONFIG_HOME", "XDG_CONFIG_HOME", ".config");
        let cache = || folder("HELM_CACHE_HOME", "XDG_CACHE_HOME", ".cache");
        let choose = |given: Option<PathBuf>, name: &str, other: PathBuf| {
            given.or_else(|| env::path(name)).unwrap_or(other)
        };
        let repositories =
            choose(given.repository_cache, "HELM_REPOSITORY_CACHE", cache().join("repository"));
        let content = choose(given.content_cache, "HELM_CONTENT_CACHE", cache().join("content"));
        Self {
            repository_config: choose(
                given.repository_config,
                "HELM_REPOSITORY_CONFIG",
                config().join("repositories.yaml"),
            ),
            cache: Cache { repositories, content },
            registry_config: choose(
                given.registry_config,
                "HELM_REGISTRY_CONFIG",
                config().join("registry/config.json"),
            ),
        }
    }

    /// Passwords: Helm's file, then where other tools keep theirs. Helm's file is also where a login is kept.
    pub fn credentials(&self) -> Credentials {
        Credentials::from_environment().before(&self.registry_config)
    }
}

/// A folder of Helm's: its own variable, the XDG one with `helm` below, or the usual place below the home directory.
fn folder(own: &str, xdg: &str, usual: &str) -> PathBuf {
    env::path(own)
        .or_else(|| Some(env::path(xdg)?.join("helm")))
        .unwrap_or_else(|| env::home().unwrap_or_default().join(usual).join("helm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win() {
        let home = Home::new(Given { repository_cache: Some("/x".into()), ..Given::default() });
        assert_eq!(home.cache.index_path("a"), PathBuf::from("/x/a-index.yaml"));
        assert!(
            home.repository_config.ends_with("repositories.yaml")
                || env::path("HELM_REPOSITORY_CONFIG").is_some()
        );
    }
}
