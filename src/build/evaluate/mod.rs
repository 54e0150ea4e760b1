//! From a parsed Dockerfile to steps with nothing left to expand. Pure: what it needs to know of base images and of
//! the command line is given to it.
//!
//! Two passes. [`outline`] reads the global arguments and the FROM lines, and finds which stages and base images the
//! target needs. With the configurations of those images at hand, [`evaluate`] walks the instructions of each needed
//! stage: variables are expanded, the image's configuration and history grow, and instructions that make layers
//! become [`Step`]s.
//!
//! Source of the rules: BuildKit `frontend/dockerfile/dockerfile2llb`, measured.

mod config;
mod copying;
mod expansion;
mod health;
mod modes;
mod mounts;
pub mod named;
mod onbuild;
mod outline;
pub mod paths;
mod ports;
mod refusal;
pub mod remote;
mod running;
mod soundness;
mod stage;
pub mod survey;
mod vars;

pub use named::NamedContext;
pub use onbuild::expand_triggers;
pub use outline::{BaseRequest, Outline, OutlinedStage, StageFrom, outline, outline_all};
pub use stage::{Evaluated, evaluate};
pub use vars::Vars;

use std::collections::BTreeMap;

use crate::base::Platform;
use crate::build::step::Network;

#[cfg(doc)]
use crate::build::step::Step;

/// What the command line says about the meaning of a Dockerfile.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// `--target`.
    pub target: Option<String>,
    /// The platform of the result.
    pub platform: Platform,
    /// Whether `platform` was asked for; if not, the base image's own platform stands.
    pub platform_given: bool,
    /// The platform of this machine.
    pub build_platform: Platform,
    /// The network of RUN steps that do not choose one.
    pub network: Network,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--build-context`.
    pub contexts: Vec<NamedContext>,
    /// `--compat=buildkit`: silent where BuildKit is silently wrong.
    pub lenient: bool,
    /// Whether the same arguments are given in every build, so that nobody depends on their defaults.
    pub always_given: bool,
}

/// PATH where an image sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
