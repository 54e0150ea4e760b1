//! What is to be run, in the words of the build.

use std::net::IpAddr;
use std::sync::Arc;

pub use rootfs_helpers::job::{Mount, MountKind, Network, ResourceLimit};
pub use rootfs_helpers::root::Root;

/// The host name a step sees unless another is asked for, as with BuildKit.
pub const HOSTNAME: &str = "buildkitsandbox";

/// Size of `/dev/shm` unless another is asked for, in bytes.
pub const SHM_SIZE: u64 = 64 << 20;

/// The search path when the environment has none.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One command and the world it sees.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// The root file system; changes go where it says.
    pub root: Root,
    /// The program and its arguments; never empty. A name without a slash is searched in the step's `PATH`.
    pub args: Vec<String>,
    /// The environment; of equal names the last one counts. `PATH` and `HOME` are added if absent.
    pub env: Vec<(String, String)>,
    /// The working directory; made if missing. Empty is `/`; a relative one starts at `/`.
    pub cwd: String,
    /// `USER` as in an image's configuration: `name|uid[:group|gid]`; empty is root.
    pub user: String,
    /// The host name.
    pub hostname: String,
    /// The network.
    pub network: Network,
    /// Binds, tmpfs and files beside the usual mounts. Nothing of them stays in the layer.
    pub mounts: Vec<Mount>,
    /// More lines for `/etc/hosts`: name and address.
    pub hosts: Vec<(String, HostAddress)>,
    /// Certificates (PEM) that programs shall trust beside the image's own. Nothing of them stays in the layer.
    pub trust: Option<Arc<str>>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// Resource limits that differ from the defaults.
    pub ulimits: Vec<ResourceLimit>,
    /// A control group that one for this command is made below.
    pub cgroup_parent: Option<String>,
}

impl RunSpec {
    /// `args` in `root`, everything else as a RUN step has it by default.
    pub fn new(root: Root, args: Vec<String>) -> Self {
        Self {
            root,
            args,
            env: Vec::new(),
            cwd: String::new(),
            user: String::new(),
            hostname: HOSTNAME.to_owned(),
            network: Network::default(),
            mounts: Vec::new(),
            hosts: Vec::new(),
            trust: None,
            shm_size: SHM_SIZE,
            ulimits: Vec::new(),
            cgroup_parent: None,
        }
    }
}

/// An address given with `--add-host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostAddress {
    /// This one.
    Ip(IpAddr),
    /// `host-gateway`: the machine that runs the sandbox.
    Gateway,
}

impl std::str::FromStr for HostAddress {
    type Err = super::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "host-gateway" {
            return Ok(Self::Gateway);
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        bare.parse().map(Self::Ip).map_err(|_| super::Error::HostAddress { text: text.to_owned() })
    }
}
