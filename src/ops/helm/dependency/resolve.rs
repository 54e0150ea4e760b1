//! From constraints to versions (`Helm: internal/resolver`).

use std::collections::BTreeMap;
use std::path::Path;

use super::{Request, local, open};
use crate::base::Failure;
use crate::chart::Dependency;
use crate::chartrepo::{Cache, Entry, Error, Repositories, equal, oci};
use crate::ops::helm::source::client;
use crate::ops::helm::{Home, Settings};
use crate::report::Context;
use crate::template::{Constraints, Version};

/// Replaces names of repositories by their addresses; gives the name under which the index of each dependency's
/// repository is kept.
pub(super) fn names(
    declared: &mut [Dependency],
    list: &Repositories,
    chart: &Path,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut names = BTreeMap::new();
    let mut missing = Vec::new();
    for dependency in declared.iter_mut().filter(|d| !d.repository.is_empty()) {
        let repository = dependency.repository.clone();
        if repository.starts_with("file://") {
            local(&repository, chart)?;
            names.insert(dependency.name.clone(), repository);
            continue;
        }
        if oci::is_oci(&repository) {
            names.insert(dependency.name.clone(), repository);
            continue;
        }
        let alias = repository.strip_prefix('@').or_else(|| repository.strip_prefix("alias:"));
        let known = list.entries.iter().find(|entry| match alias {
            Some(alias) => alias == entry.name,
            None => equal(&entry.url, &repository),
        });
        match known {
            Some(entry) => {
                if alias.is_some() {
                    dependency.repository.clone_from(&entry.url);
                }
                names.insert(dependency.name.clone(), entry.name.clone());
            }
            None if url::Url::parse(&repository).is_ok() || repository.starts_with('/') => {}
            None => missing.push(repository),
        }
    }
    if missing.is_empty() {
        return Ok(names);
    }
    let mut words =
        format!("no repository definition for {}. Please add them via 'helm repo add'", missing.join(", "));
    if missing.iter().any(|m| !m.contains("//") && !m.starts_with('@') && !m.starts_with("alias:")) {
        words.push_str(
            "\nNote that repositories must be URLs or aliases. For example, to refer to the \"example\"\nrepository, use \
             \"https://charts.example.com/\" or \"@example\" instead of\n\"example\". Don't forget to add the repo, too \
             ('helm repo add').",
        );
    }
    Err(Error::Missing(words).into())
}

/// The repositories of dependencies that the user has not added, by the names their indexes get.
pub(super) fn unmanaged(declared: &[Dependency], names: &mut BTreeMap<String, String>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for dependency in declared.iter().filter(|d| !d.repository.is_empty()) {
        if names.contains_key(&dependency.name) {
            continue;
        }
        let name = Cache::unmanaged(&dependency.repository);
        names.insert(dependency.name.clone(), name.clone());
        if !entries.iter().any(|e| e.name == name) {
            entries.push(Entry { name, url: dependency.repository.clone(), ..Entry::default() });
        }
    }
    entries
}

/// Everything a resolution needs.
pub(super) struct Resolver<'r> {
    pub cx: &'r Context,
    pub home: &'r Home,
    pub settings: &'r Settings,
    pub request: &'r Request,
    pub names: &'r BTreeMap<String, String>,
}

impl Resolver<'_> {
    /// The version of each dependency that fits best.
    pub async fn resolve(&self, declared: &[Dependency]) -> Result<Vec<Dependency>, Failure> {
        let (mut locked, mut missing) = (Vec::new(), Vec::new());
        for dependency in declared {
            let constraint = Constraints::parse(&dependency.version).map_err(|e| {
                let name = &dependency.name;
                Error::Invalid(format!("dependency {name:?} has an invalid version/constraint format: {e}"))
            })?;
            let version = self.version(dependency, &constraint).await?;
            match version {
                Some(version) => locked.push(Dependency {
                    name: dependency.name.clone(),
                    repository: dependency.repository.clone(),
                    version,
                    ..Dependency::default()
                }),
                None => missing.push(format!(
                    "{:?} (repository {:?}, version {:?})",
                    dependency.name, dependency.repository, dependency.version
                )),
            }
        }
        if missing.is_empty() {
            return Ok(locked);
        }
        Err(Error::Missing(format!(
            "can't get a valid version for {} subchart(s): {}. Make sure a matching chart version exists in the repo, or \
             change the version constraint in Chart.yaml",
            missing.len(),
            missing.join(", ")
        ))
        .into())
    }

    async fn version(&self, d: &Dependency, constraint: &Constraints) -> Result<Option<String>, Failure> {
        if d.repository.is_empty() {
            local(&format!("charts/{}", d.name), &self.request.chart)?;
            return Ok(Some(d.version.clone()));
        }
        if d.repository.starts_with("file://") {
            let chart = open(self.settings, &local(&d.repository, &self.request.chart)?)?;
            let version = chart.metadata.version;
            return Ok(Version::parse(&version).is_ok_and(|v| constraint.allow(&v)).then_some(version));
        }
        if oci::is_oci(&d.repository) {
            return self.in_registry(d, constraint).await;
        }
        let name = self.names.get(&d.name).cloned().unwrap_or_default();
        let versions = self.home.cache.versions(&name, &d.name).map_err(|e| {
            e.within(&format!("no cached repository for {name} found. (try 'helm repo update'): "))
        })?;
        if versions.is_empty() {
            let words = format!("{} chart not found in repo {}", d.name, d.repository);
            return Err(Error::Missing(words).into());
        }
        let fits = versions.iter().filter(|v| !v.urls.is_empty()).find_map(|v| {
            let version = Version::parse(&v.metadata.version).ok()?;
            constraint.allow(&version).then(|| v.metadata.version.clone())
        });
        Ok(fits)
    }

    async fn in_registry(&self, d: &Dependency, constraint: &Constraints) -> Result<Option<String>, Failure> {
        if Version::parse(&d.version).is_ok() {
            return Ok(Some(d.version.clone()));
        }
        let repository = oci::reference(&format!("{}/{}", d.repository.trim_end_matches('/'), d.name))?;
        let client = client(self.home, &self.request.trust, self.request.plain_http, repository.registry());
        let tags = oci::tags(self.cx, &client, &repository).await.map_err(|e| {
            let doing = format!("could not retrieve list of tags for repository {}", d.repository);
            Failure::from(e).while_doing(doing)
        })?;
        let fits = tags.into_iter().find(|t| Version::parse(t).is_ok_and(|v| constraint.allow(&v)));
        Ok(Some(fits.unwrap_or_else(|| d.version.clone())))
    }
}
