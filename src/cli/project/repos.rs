//! Where images of a project are kept, and how registries are spoken to.

use std::path::PathBuf;

use clap::Args;

use crate::base::{Failure, Kind, Reference};
use crate::cli::project::refused::{Refused, switch as refused_switch, value as refused_value};
use crate::cli::project::vars::{Vars, switch};
use crate::ops::project::build::Synchronization;
use crate::registry::{ClientOptions, Credentials, Machine, Mirror};
use crate::sync::{Address, InvalidAddress};

/// Flags of commands that use the repositories of a project.
#[derive(Args, Debug, Clone)]
pub struct RepoFlags {
    /// Where images and results of steps are kept [env: WERF_REPO] [default: the store of this machine]
    #[arg(long, value_name = "REPO", help_heading = "Repository options")]
    repo: Option<String>,
    /// Where final images go, too [env: WERF_FINAL_REPO]
    #[arg(long, value_name = "REPO", help_heading = "Repository options")]
    final_repo: Option<String>,
    /// Look for images and results here, too, and never write; may be repeated [env: WERF_SECONDARY_REPO_*]
    #[arg(long, value_name = "REPO", help_heading = "Repository options")]
    secondary_repo: Vec<String>,
    /// Look here first and keep everything here, too; may be repeated [env: WERF_CACHE_REPO_*]
    #[arg(long, value_name = "REPO", help_heading = "Repository options")]
    cache_repo: Vec<String>,
    /// Speak to all registries over plain http, or accept any certificate [env: WERF_INSECURE_REGISTRY]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(help_heading = "Repository options", value_name = "BOOL")]
    insecure_registry: Option<bool>,
    /// The same [env: WERF_SKIP_TLS_VERIFY_REGISTRY]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(help_heading = "Repository options", value_name = "BOOL")]
    skip_tls_verify_registry: Option<bool>,
    /// The folder with Docker's config.json [env: WERF_DOCKER_CONFIG, DOCKER_CONFIG]
    #[arg(long, value_name = "FOLDER", help_heading = "Repository options")]
    docker_config: Option<PathBuf>,
    /// Read from this registry in the place of docker.io; may be repeated [env: WERF_CONTAINER_REGISTRY_MIRROR_*]
    #[arg(long, value_name = "URL", help_heading = "Repository options")]
    container_registry_mirror: Vec<String>,
    /// Trust the certificates in this PEM file beside the system's; may be repeated
    #[arg(long, value_name = "FILE", help_heading = "Repository options", env = "LAP_CA_FILE")]
    ca_file: Vec<PathBuf>,
    /// Where builders find out whose turn it is, so that no two make the same: :local, files in the store, or
    /// http(s)://HOST:PORT of a lock server, for builders of one --repo on several machines (`lap synchronization`).
    /// No other server is asked by itself, and results are the same without one [env: WERF_SYNCHRONIZATION]
    /// [default: :local]
    #[arg(long, short = 'S', value_name = "ADDRESS", help_heading = "Repository options")]
    synchronization: Option<String>,
}

/// The repositories of a project.
#[derive(Clone, Debug, Default)]
pub struct Repos {
    /// Where images and results of steps are kept.
    pub repo: Option<Reference>,
    /// Where final images go, too.
    pub final_repo: Option<Reference>,
    /// Where is looked, too.
    pub secondary: Vec<Reference>,
    /// Where is looked first, and everything kept, too.
    pub cache: Vec<Reference>,
}

impl RepoFlags {
    /// The repositories.
    ///
    /// # Errors
    /// If one is not a repository.
    pub fn repos(&self, vars: &Vars) -> Result<Repos, Failure> {
        let one = |name: &str, given: &Option<String>| {
            vars.text(name, given.clone())
                .filter(|text| text != ":local")
                .map(|text| repository(&text))
                .transpose()
        };
        let many = |name: &str, given: &[String]| {
            vars.list(name, &[], given).iter().map(|text| repository(text)).collect::<Result<Vec<_>, _>>()
        };
        let repos = Repos {
            repo: one("REPO", &self.repo)?,
            final_repo: one("FINAL_REPO", &self.final_repo)?,
            secondary: many("SECONDARY_REPO", &self.secondary_repo)?,
            cache: many("CACHE_REPO", &self.cache_repo)?,
        };
        let others = repos.final_repo.is_some() || !repos.secondary.is_empty() || !repos.cache.is_empty();
        if repos.repo.is_none() && others {
            return Err(Failure::new(Kind::Usage, "use a final, secondary or cache repository")
                .because("there is no --repo"));
        }
        Ok(repos)
    }

    /// Where the builders of `repo` find out whose turn it is.
    ///
    /// # Errors
    /// If that is no place for locks, or a server's while images are kept here alone.
    pub fn synchronization(&self, vars: &Vars, repo: Option<&Reference>) -> Result<Synchronization, Failure> {
        let given = vars.text("SYNCHRONIZATION", self.synchronization.clone());
        let text = given.as_deref().unwrap_or(":local");
        let fail = || Failure::new(Kind::Usage, format!("read --synchronization {text}"));
        let address: Address = text.parse().map_err(|e: InvalidAddress| fail().because(e.to_string()))?;
        if repo.is_none() && address != Address::Local {
            return Err(fail()
                .because("there is no --repo: what is kept in the store has no builders elsewhere")
                .hint("leave it out, or give --repo"));
        }
        Ok(Synchronization { address, ca_files: self.ca_file.clone() })
    }

    /// How registries are spoken to.
    ///
    /// # Errors
    /// If a mirror is not an address.
    pub fn client(&self, vars: &Vars) -> Result<ClientOptions, Failure> {
        let mut options = ClientOptions {
            credentials: Credentials::from_environment(),
            ca_files: self.ca_file.clone(),
            machine: Machine::from_environment(),
            ..ClientOptions::default()
        };
        if let Some(folder) =
            self.docker_config.clone().or_else(|| vars.text("DOCKER_CONFIG", None).map(PathBuf::from))
        {
            options.credentials = options.credentials.before(folder.join("config.json"));
        }
        if vars.off("INSECURE_REGISTRY", self.insecure_registry)
            || vars.off("SKIP_TLS_VERIFY_REGISTRY", self.skip_tls_verify_registry)
        {
            options.insecure.insert(ClientOptions::ANY.into());
        }
        for mirror in vars.list("CONTAINER_REGISTRY_MIRROR", &[], &self.container_registry_mirror) {
            let (insecure, rest) = match mirror.split_once("://") {
                Some(("http", rest)) => (true, rest),
                Some((_, rest)) => (false, rest),
                None => (false, mirror.as_str()),
            };
            let location = rest.trim_end_matches('/').to_owned();
            if location.is_empty() {
                return Err(Failure::new(Kind::Usage, format!("read --container-registry-mirror {mirror}"))
                    .because("it is HOST[:PORT][/PREFIX]"));
            }
            if insecure {
                options.insecure.insert(location.split('/').next().unwrap_or_default().to_owned());
            }
            options.mirrors.entry("docker.io".into()).or_default().push(Mirror { location });
        }
        Ok(options)
    }
}

fn repository(text: &str) -> Result<Reference, Failure> {
    let fail = |why: &str| Failure::new(Kind::Usage, format!("read the repository {text}")).because(why);
    let reference: Reference =
        text.parse().map_err(|e: crate::base::InvalidReference| fail(&e.to_string()))?;
    match reference.tag().is_some() || reference.digest().is_some() {
        true => Err(fail("it has a tag or a digest: tags are made from what is built")),
        false => Ok(reference),
    }
}

const STORAGE: &str =
    "every registry is spoken to by the OCI protocol; its own interface is needed for no build";
const HUB: &str = "`lap cr login` keeps credentials";

/// What no command about repositories has.
pub const REPOSITORY: &[Refused] = &[
    Refused {
        harmless: &["auto", "default", ""],
        ..refused_value("repo-container-registry", false, STORAGE)
    },
    refused_value("repo-docker-hub-username", false, HUB),
    refused_value("repo-docker-hub-password", false, HUB),
    refused_value("repo-docker-hub-token", false, HUB),
    refused_value("repo-github-token", false, HUB),
    refused_value("repo-harbor-username", false, HUB),
    refused_value("repo-harbor-password", false, HUB),
    refused_value("repo-quay-token", false, HUB),
    Refused {
        harmless: &["auto", "default", ""],
        ..refused_value("final-repo-container-registry", false, STORAGE)
    },
    refused_value("final-repo-docker-hub-username", false, HUB),
    refused_value("final-repo-docker-hub-password", false, HUB),
    refused_value("final-repo-docker-hub-token", false, HUB),
    refused_value("final-repo-github-token", false, HUB),
    refused_value("final-repo-harbor-username", false, HUB),
    refused_value("final-repo-harbor-password", false, HUB),
    refused_value("final-repo-quay-token", false, HUB),
    refused_value("home-dir", false, "the store is where LAP_HOME says"),
];

const CLUSTER: &str = "a build speaks to no cluster";
const HOST: &str = "nothing is removed behind your back: `lap image prune` frees the store";
const SHELL: &str = "an image made from a Dockerfile is one stage: `lap run IMAGE -- /bin/sh` opens a shell in it, and \
                     --introspect-error where one of its steps failed";

/// What builds do not have.
pub const BUILD: &[Refused] = &[
    refused_value("kube-config", false, CLUSTER),
    refused_value("kube-config-base64", false, CLUSTER),
    refused_value("kube-context", false, CLUSTER),
    refused_value("allowed-backend-storage-volume-usage", false, HOST),
    refused_value("allowed-backend-storage-volume-usage-margin", false, HOST),
    refused_value("allowed-docker-storage-volume-usage", false, HOST),
    refused_value("allowed-docker-storage-volume-usage-margin", false, HOST),
    refused_value("allowed-local-cache-volume-usage", false, HOST),
    refused_value("allowed-local-cache-volume-usage-margin", false, HOST),
    refused_value("backend-storage-path", false, HOST),
    refused_value("docker-server-storage-path", false, HOST),
    Refused { harmless: &["true", "false"], ..refused_switch("disable-auto-host-cleanup", false, HOST) },
    refused_value("introspect-stage", false, SHELL),
    refused_switch(
        "virtual-merge",
        true,
        "tags follow from content: it does not matter where a commit was merged",
    ),
    refused_switch(
        "without-images",
        true,
        "it is for what is more than images: without them nothing is built",
    ),
    refused_switch(
        "skip-build",
        true,
        "--check-built-images builds nothing and fails if something is missing",
    ),
];
