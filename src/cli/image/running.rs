//! The flags of `lap image build` that say how RUN steps run.

use std::path::PathBuf;

use clap::Args;

use crate::base::{Failure, Reference};
use crate::build::{CacheMountOptions, RunOptions, SecretSource, SshSource};
use crate::cli::Result;
use crate::cli::image::{limits, secrets, usage};
use crate::cli::session::reference;
use crate::sandbox::{HostAddress, ResourceLimit};

/// How RUN steps run.
#[derive(Args, Debug, Clone)]
pub struct RunFlags {
    /// Line for /etc/hosts of RUN steps, NAME:ADDRESS or NAME=ADDRESS, host-gateway for this machine; may be repeated
    #[arg(long, value_name = "NAME:ADDRESS", help_heading = "Options of RUN steps")]
    add_host: Vec<String>,
    /// Secret for RUN --mount=type=secret: id=NAME[,src=FILE|,env=VARIABLE]; may be repeated
    ///
    /// Without src and env the variable NAME is meant if it is set, else the file NAME. Values are masked in all output.
    #[arg(long, value_name = "SECRET", value_parser = secrets::secret, help_heading = "Options of RUN steps")]
    secret: Vec<SecretSource>,
    /// Agent for RUN --mount=type=ssh: default, or NAME=SOCKET, or NAME=KEY[,KEY…]; may be repeated
    ///
    /// Without a socket or keys the agent of SSH_AUTH_SOCK is meant. Keys stay in this process: steps get signatures.
    #[arg(long, value_name = "SSH", value_parser = secrets::ssh, help_heading = "Options of RUN steps")]
    ssh: Vec<SshSource>,
    /// Size of /dev/shm of RUN steps, for example 128m [default: 64m]
    #[arg(long, value_name = "SIZE", value_parser = limits::size, help_heading = "Options of RUN steps")]
    shm_size: Option<u64>,
    /// Limit of RUN steps, TYPE=SOFT[:HARD], for example nofile=1024:4096; may be repeated
    #[arg(long, value_name = "LIMIT", value_parser = limits::ulimit, help_heading = "Options of RUN steps")]
    ulimit: Vec<ResourceLimit>,
    /// Control group that RUN steps are put below
    #[arg(long, value_name = "PATH", help_heading = "Options of RUN steps")]
    cgroup_parent: Option<String>,
    /// RUN steps trust the certificates in this PEM file; nothing of it stays in the image
    #[arg(long, value_name = "FILE", env = "LAP_TRUST", help_heading = "Options of RUN steps")]
    trust: Option<PathBuf>,
    /// What all cache mounts together may take; the longest unused go first
    #[arg(long, value_name = "SIZE", value_parser = limits::size, env = "LAP_CACHE_MOUNTS_LIMIT")]
    #[arg(default_value = "20g", help_heading = "Options of RUN steps", hide_env_values = true)]
    cache_mounts_limit: u64,
    /// Repository, NAME[:TAG], that cache mounts come from which are not here
    #[arg(long, value_name = "NAME", value_parser = reference, help_heading = "Options of RUN steps")]
    cache_mounts_from: Option<Reference>,
    /// Repository, NAME[:TAG], that cache mounts are kept in after the build, for machines that start empty
    #[arg(long, value_name = "NAME", value_parser = reference, help_heading = "Options of RUN steps")]
    cache_mounts_to: Option<Reference>,
}

impl RunFlags {
    /// The options of the build.
    ///
    /// # Errors
    /// If a value is wrong.
    pub fn options(&self) -> Result<RunOptions> {
        let mut hosts = Vec::new();
        for text in &self.add_host {
            hosts.extend(host(text)?);
        }
        Ok(RunOptions {
            hosts,
            secrets: self.secret.clone(),
            agents: self.ssh.clone(),
            trust: self.trust.clone(),
            shm_size: self.shm_size,
            ulimits: self.ulimit.clone(),
            cgroup_parent: self.cgroup_parent.clone(),
            cache_mounts: CacheMountOptions {
                limit: self.cache_mounts_limit,
                from: self.cache_mounts_from.clone(),
                to: self.cache_mounts_to.clone(),
            },
            introspection: None,
        })
    }
}

/// `NAME:ADDRESS[,ADDRESS…]`.
fn host(text: &str) -> Result<Vec<(String, HostAddress)>> {
    let (name, addresses) = text.split_once('=').or_else(|| text.split_once(':')).unwrap_or((text, ""));
    if name.is_empty() || addresses.is_empty() {
        return Err(usage(format!("read --add-host {text}"), "write NAME:ADDRESS"));
    }
    let address = |address: &str| -> Result<(String, HostAddress)> {
        Ok((name.to_owned(), address.parse().map_err(|e: crate::sandbox::Error| Failure::from(e))?))
    };
    addresses.split(',').map(address).collect()
}
