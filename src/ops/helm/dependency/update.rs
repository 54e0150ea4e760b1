//! Bringing `charts/` in line with what is declared, or with the lock file (`Helm: pkg/downloader/manager.go`).
//!
//! All charts are fetched before the first file is touched, so that a failure leaves `charts/` as it was.

use std::collections::{BTreeMap, BTreeSet};

use super::resolve::{Resolver, names, unmanaged};
use super::{Request, local, lock, open};
use crate::base::Failure;
use crate::chart::{API_V1, Chart, Dependency, Loader, package};
use crate::chartrepo::{Entry, Error, Repositories, absolute, equal, oci};
use crate::host::fs;
use crate::ops::helm::chart::check_dependencies;
use crate::ops::helm::repo::{Updated, now, refresh};
use crate::ops::helm::source::{TIMEOUT, Wanted, fetch, versions_at};
use crate::ops::helm::{Home, Settings, Source, failed, load};
use crate::report::Context;
use crate::template::{Constraints, Version};

/// Everything an update needs.
struct Manager<'m> {
    cx: &'m Context,
    home: &'m Home,
    settings: &'m Settings,
    request: &'m Request,
    list: Repositories,
    names: BTreeMap<String, String>,
    said: &'m mut String,
}

/// Resolves what is declared, fetches it and writes the lock file. `said` gets what Helm prints.
///
/// # Errors
/// If a dependency cannot be had; `charts/` is then as it was.
pub async fn update(
    cx: &Context,
    (home, settings): (&Home, &Settings),
    request: &Request,
    said: &mut String,
) -> Result<(), Failure> {
    let chart = open(settings, &request.chart)?;
    if chart.metadata.dependencies.is_none() {
        return Ok(());
    }
    let mut declared: Vec<Dependency> = chart.metadata.declared().cloned().collect();
    let mut manager = Manager::new(cx, (home, settings), request, said)?;
    manager.names = names(&mut declared, &manager.list, &request.chart)?;
    let unknown = unmanaged(&declared, &mut manager.names);
    if !request.skip_refresh && !unknown.is_empty() {
        manager.said.push_str("Getting updates for unmanaged Helm repositories...\n");
        manager.refresh(unknown).await;
    }
    manager.refresh_all().await;
    let (home, names) = (manager.home, &manager.names);
    let resolver = Resolver { cx, home, settings, request, names };
    let mut locked = resolver.resolve(&declared).await?;
    manager.download(&mut locked).await?;
    let digest = lock::digest(&declared, &locked);
    if chart.lock.as_ref().is_some_and(|old| old.digest == digest) {
        return Ok(());
    }
    let old = chart.metadata.api_version == API_V1;
    lock::write(&request.chart, &locked, (&digest, &now(cx)), old)
}

/// Does what [`update`] does if the chart lacks charts that it needs, and nothing else.
///
/// # Errors
/// As [`update`].
pub async fn complete(
    cx: &Context,
    (home, settings): (&Home, &Settings),
    request: &Request,
    said: &mut String,
) -> Result<(), Failure> {
    let source = Source::locate(&request.chart.to_string_lossy())?;
    let chart = load(&source, settings.compat)?.chart;
    match check_dependencies(&chart) {
        Ok(()) => Ok(()),
        Err(_) => update(cx, (home, settings), request, said).await,
    }
}

/// Fetches what the lock file says; without one, as [`update`]. `said` gets what Helm prints.
///
/// # Errors
/// If the lock file does not fit what is declared, or a chart cannot be had.
pub async fn build(
    cx: &Context,
    (home, settings): (&Home, &Settings),
    request: &Request,
    said: &mut String,
) -> Result<(), Failure> {
    let chart = open(settings, &request.chart)?;
    let Some(mut locked) = chart.lock.as_ref().map(|lock| lock.dependencies.clone()) else {
        return update(cx, (home, settings), request, said).await;
    };
    let mut declared: Vec<Dependency> = chart.metadata.declared().cloned().collect();
    let before = lock::old_digest(&declared);
    let mut manager = Manager::new(cx, (home, settings), request, said)?;
    manager.names = names(&mut declared, &manager.list, &request.chart)?;
    fits(&chart, (&declared, &before))?;
    let missing: Vec<&str> = locked
        .iter()
        .map(|d| d.repository.as_str())
        .filter(|r| !r.is_empty() && !r.starts_with("file://") && !oci::is_oci(r))
        .filter(|r| !manager.list.entries.iter().any(|e| equal(&e.url, r.trim_end_matches('/'))))
        .collect();
    if !missing.is_empty() {
        let words = format!(
            "no repository definition for {}. Please add the missing repos via 'helm repo add'",
            missing.join(", ")
        );
        return Err(Error::Missing(words).into());
    }
    manager.refresh_all().await;
    manager.download(&mut locked).await
}

/// Whether the lock file still fits what is declared.
fn fits(chart: &Chart, (declared, before): (&[Dependency], &str)) -> Result<(), Failure> {
    let Some(lock) = &chart.lock else { return Ok(()) };
    if lock::digest(declared, &lock.dependencies) == lock.digest {
        return Ok(());
    }
    if chart.metadata.api_version != API_V1 {
        return Err(failed(
            "build the dependencies",
            "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). Please update the \
             dependencies with 'helm dependency update'",
        ));
    }
    if before == lock.digest {
        return Ok(());
    }
    Err(failed(
        "build the dependencies",
        "the lock file (requirements.lock) is out of sync with the dependencies file (requirements.yaml). Please update \
         the dependencies",
    ))
}

/// A chart that goes into `charts/`.
struct Saved {
    file: String,
    archive: Vec<u8>,
}

impl<'m> Manager<'m> {
    fn new(
        cx: &'m Context,
        (home, settings): (&'m Home, &'m Settings),
        request: &'m Request,
        said: &'m mut String,
    ) -> Result<Self, Failure> {
        let list = Repositories::load(&home.repository_config)?.unwrap_or_default();
        Ok(Self { cx, home, settings, request, list, names: BTreeMap::new(), said })
    }

    async fn refresh_all(&mut self) {
        if self.request.skip_refresh || self.list.entries.is_empty() {
            return;
        }
        self.said.push_str("Hang tight while we grab the latest from your chart repositories...\n");
        self.refresh(self.list.entries.clone()).await;
        self.said.push_str("Update Complete. ⎈Happy Helming!⎈\n");
    }

    async fn refresh(&mut self, entries: Vec<Entry>) {
        for Updated { entry, error } in refresh(self.home, entries, TIMEOUT).await {
            let managed = !entry.name.starts_with("helm-manager-");
            let name = if managed { &entry.name } else { &entry.url };
            let line = match error {
                None => format!("...Successfully got an update from the {name:?} chart repository\n"),
                Some(error) if managed => format!(
                    "...Unable to get an update from the {name:?} chart repository ({}):\n\t{error}\n",
                    entry.url
                ),
                Some(error) => {
                    format!("...Unable to get an update from the {name:?} chart repository:\n\t{error}\n")
                }
            };
            self.said.push_str(&line);
        }
    }

    async fn download(&mut self, locked: &mut [Dependency]) -> Result<(), Failure> {
        let folder = self.request.chart.join("charts");
        if fs::exists(&folder) && !fs::metadata(&folder)?.is_dir() {
            let words = format!("{:?} is not a directory", folder.display().to_string());
            return Err(failed("save the charts", words));
        }
        fs::create_dir_all(&folder)?;
        self.said.push_str(&format!("Saving {} charts\n", locked.len()));
        let (mut saved, mut seen) = (Vec::new(), BTreeSet::new());
        for dependency in locked.iter_mut() {
            match self.one(dependency, &mut seen).await {
                Ok(one) => saved.extend(one),
                Err(failure) => {
                    let causes = failure.causes().last().cloned().unwrap_or_else(|| failure.to_string());
                    self.said.push_str(&format!("Save error occurred:  {causes}\n"));
                    return Err(failure);
                }
            }
        }
        self.publish(locked, &saved)
    }

    /// Gets one dependency; `None` if there is nothing to save.
    async fn one(
        &mut self,
        d: &mut Dependency,
        seen: &mut BTreeSet<String>,
    ) -> Result<Option<Saved>, Failure> {
        if d.repository.is_empty() {
            self.said.push_str(&format!(
                "Dependency {} did not declare a repository. Assuming it exists in the charts directory\n",
                d.name
            ));
            self.check_own(d)?;
            return Ok(None);
        }
        if d.repository.starts_with("file://") {
            let chart = open(self.settings, &local(&d.repository, &self.request.chart)?)?;
            let constraint = Constraints::parse(&d.version).map_err(|e| {
                Error::Invalid(format!("dependency {} has an invalid version/constraint format: {e}", d.name))
            })?;
            if !Version::parse(&chart.metadata.version).is_ok_and(|v| constraint.allow(&v)) {
                let words = format!("can't get a valid version for dependency {}", d.name);
                return Err(failed("save the charts", words));
            }
            d.version.clone_from(&chart.metadata.version);
            let file = format!("{}-{}.tgz", chart.metadata.name, chart.metadata.version);
            return Ok(Some(Saved { file, archive: package(&chart, None)? }));
        }
        let wanted = self.address(d).await?;
        if !seen.insert(wanted.reference.clone()) {
            self.said.push_str(&format!("Already downloaded {} from repo {}\n", d.name, d.repository));
            return Ok(None);
        }
        self.said.push_str(&format!("Downloading {} from repo {}\n", d.name, d.repository));
        let fetched = fetch(self.cx, self.home, &wanted)
            .await
            .map_err(|failure| failure.while_doing(format!("could not download {}", wanted.reference)))?;
        self.said.push_str(&fetched.said);
        Ok(Some(Saved { file: fetched.file, archive: fetched.archive }))
    }

    fn check_own(&self, d: &Dependency) -> Result<(), Failure> {
        let path = self.request.chart.join("charts").join(&d.name);
        let chart = open(self.settings, &path)
            .map_err(|failure| failure.while_doing(format!("unable to load chart '{}'", path.display())))?;
        let constraint = Constraints::parse(&d.version).map_err(|e| {
            Error::Invalid(format!("dependency {} has an invalid version/constraint format: {e}", d.name))
        })?;
        let version = &chart.metadata.version;
        if Version::parse(version).is_ok_and(|v| constraint.allow(&v)) {
            return Ok(());
        }
        let words = format!(
            "dependency {} at version {version} does not satisfy the constraint {}",
            d.name, d.version
        );
        Err(failed("save the charts", words))
    }

    /// Where a dependency is to be had.
    async fn address(&self, d: &Dependency) -> Result<Wanted, Failure> {
        let (trust, plain_http) = (self.request.trust.clone(), self.request.plain_http);
        let check = self.request.check.clone();
        if oci::is_oci(&d.repository) {
            let reference = format!("{}/{}:{}", d.repository, d.name, d.version);
            return Ok(Wanted { reference, trust, plain_http, check, ..Wanted::default() });
        }
        let known = self.list.entries.iter().find(|e| equal(&e.url, &d.repository));
        let versions = match self.names.get(&d.name).map(|name| self.home.cache.versions(name, &d.name)) {
            Some(Ok(versions)) => versions,
            _ => versions_at(self.home, &d.repository, &d.name, &trust).await?,
        };
        let same = |version: &str| match (Version::parse(version), Version::parse(&d.version)) {
            (Ok(a), Ok(b)) => a.compare(&b).is_eq(),
            _ => version == d.version,
        };
        let found = versions.iter().find(|v| !v.urls.is_empty() && same(&v.metadata.version));
        let url = found.and_then(|v| v.urls.first()).ok_or_else(|| {
            let words = if versions.is_empty() { "entry not found" } else { "no matching version" };
            Error::Missing(format!("could not find {}: {words}", d.name))
        })?;
        let trust = known.map_or(trust, Entry::trust);
        let reference = absolute(&d.repository, url)?;
        Ok(Wanted { reference, trust, plain_http, check, ..Wanted::default() })
    }

    /// Puts the new archives into `charts/` and takes out the others.
    fn publish(&mut self, locked: &[Dependency], saved: &[Saved]) -> Result<(), Failure> {
        let folder = self.request.chart.join("charts");
        let before: BTreeSet<String> = fs::read_dir(&folder)?
            .iter()
            .filter(|e| e.file_type().is_ok_and(|t| !t.is_dir()))
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        let loader = Loader { compat: self.settings.compat };
        for Saved { file, archive } in saved {
            if let Err(error) = loader.archive(file, archive) {
                self.said.push_str(&format!("Could not verify {file} for moving: {error} (Skipping)"));
                continue;
            }
            fs::write_atomic(folder.join(file), archive)?;
        }
        self.said.push_str("Deleting outdated charts\n");
        for name in before.iter().filter(|name| !saved.iter().any(|s| s.file == **name)) {
            let path = folder.join(name);
            match loader.archive(name, &fs::read(&path)?) {
                Err(error) => {
                    let shown = path.display();
                    self.said
                        .push_str(&format!("Could not verify {shown} for deletion: {error} (Skipping)\n"));
                }
                Ok(loaded) => {
                    let own =
                        |d: &&Dependency| d.repository.is_empty() && d.name == loaded.chart.metadata.name;
                    if locked.iter().find(own).is_none() {
                        fs::remove_file(&path)?;
                    }
                }
            }
        }
        Ok(())
    }
}
