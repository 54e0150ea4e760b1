//! Which Helm is meant where its two living versions differ.

use crate::template::Functions;
use crate::yaml::{ListKind, MapKind};

/// A major version of Helm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Helm 3 (3.22).
    Helm3,
    /// Helm 4 (4.3).
    #[default]
    Helm4,
}

impl Compat {
    /// The version that this one is held against, as Helm prints it.
    pub fn version(self) -> &'static str {
        match self {
            Self::Helm3 => "v3.22.0",
            Self::Helm4 => "v4.3.1",
        }
    }

    /// The version of Go that built it.
    pub fn go_version(self) -> &'static str {
        "go1.26.8"
    }

    /// The functions of its templates.
    pub fn functions(self) -> Functions {
        match self {
            Self::Helm3 => Functions::helm3(),
            Self::Helm4 => Functions::helm(),
        }
    }

    /// Whether this is Helm 3.
    pub fn is_3(self) -> bool {
        self == Self::Helm3
    }

    /// The Go type of values.
    pub(super) fn values_kind(self) -> MapKind {
        MapKind::Named(match self {
            Self::Helm3 => &"chartutil.Values",
            Self::Helm4 => &"common.Values",
        })
    }

    /// The Go type of a list of API versions.
    pub(super) fn version_set(self) -> ListKind {
        ListKind::Named(match self {
            Self::Helm3 => "chartutil.VersionSet",
            Self::Helm4 => "common.VersionSet",
        })
    }

    /// The Go package that a chart's types stand in.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::Helm3 => "chart",
            Self::Helm4 => "v2",
        }
    }
}
