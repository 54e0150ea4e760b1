//! What a cluster can do, as templates see it without one: Kubernetes' version and the API versions it knows.

use std::any::Any;
use std::sync::Arc;

use super::Compat;
use crate::yaml::{Kind, List, Method, Object, Param, Text, Value};

/// The API versions that a Helm of today knows without asking (`client-go` 0.37, with apiextensions): betas that no
/// cluster serves any more are still among them.
const KNOWN: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// A version of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// With all suffixes, such as `v1.33.4-gke.1245000`.
    pub version: String,
    /// Without them, for constraints.
    pub normalized: String,
    major: String,
    minor: String,
    compat: Compat,
}

impl KubeVersion {
    /// The version that Helm assumes where there is no cluster.
    pub fn assumed(compat: Compat) -> Self {
        Self {
            version: "v1.37.0".to_owned(),
            normalized: "v1.37.0".to_owned(),
            major: "1".to_owned(),
            minor: "37".to_owned(),
            compat,
        }
    }

    /// Reads a version as `--kube-version` takes it (`k8s.io/apimachinery/pkg/util/version`: ParseGeneric).
    ///
    /// # Errors
    /// In that library's words.
    pub fn parse(text: &str, compat: Compat) -> Result<Self, String> {
        let digits = text.trim().strip_prefix('v').unwrap_or(text.trim());
        let end = digits.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(digits.len());
        let (numbers, rest) = digits.split_at(end);
        // A suffix needs a character between it and the last number.
        let numbers = if rest.is_empty() { numbers } else { numbers.trim_end_matches('.') };
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() < 2 || parts[0].is_empty() {
            return Err(format!("illegal version string {}", crate::yaml::quote::quote(text.as_bytes())));
        }
        let mut components = Vec::new();
        for part in &parts {
            if part.len() > 1 && part.starts_with('0') {
                return Err(format!(
                    "illegal zero-prefixed version component \"{part}\" in {}",
                    crate::yaml::quote::quote(text.as_bytes())
                ));
            }
            let number: u64 = part.parse().map_err(|_| {
                format!(
                    "illegal non-numeric version component {} in {}: strconv.ParseUint: parsing {}: invalid syntax",
                    crate::yaml::quote::quote(part.as_bytes()),
                    crate::yaml::quote::quote(text.as_bytes()),
                    crate::yaml::quote::quote(part.as_bytes()),
                )
            })?;
            components.push(number);
        }
        let joined = components.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        let normalized = format!("v{joined}");
        let version = match compat {
            Compat::Helm3 => normalized.clone(),
            Compat::Helm4 if text.starts_with('v') => text.to_owned(),
            Compat::Helm4 => format!("v{text}"),
        };
        let (major, minor) = (components[0].to_string(), components[1].to_string());
        Ok(Self { version, normalized, major, minor, compat })
    }
}

impl KubeVersion {
    /// Major and minor number.
    pub(super) fn numbers(&self) -> Option<(u64, u64)> {
        Some((self.major.parse().ok()?, self.minor.parse().ok()?))
    }
}

impl Object for KubeVersion {
    fn type_name(&self) -> &str {
        match self.compat {
            Compat::Helm3 => "chartutil.KubeVersion",
            Compat::Helm4 => "common.KubeVersion",
        }
    }
    fn kind(&self) -> Kind {
        Kind::Struct
    }
    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Version" => Some(self.version.as_str().into()),
            "Major" => Some(self.major.as_str().into()),
            "Minor" => Some(self.minor.as_str().into()),
            _ => None,
        }
    }
    fn method(&self, name: &str) -> Option<Method> {
        matches!(name, "GitVersion" | "String").then_some(Method { params: &[], variadic: false })
    }
    fn call(&self, name: &str, _args: &[Value]) -> Result<Value, String> {
        Ok(match name {
            "String" => self.normalized.as_str().into(),
            _ => self.version.as_str().into(),
        })
    }
    fn print(&self) -> Text {
        let Self { version, normalized, major, minor, .. } = self;
        match self.compat {
            Compat::Helm3 => format!("{{{version} {major} {minor}}}").into(),
            Compat::Helm4 => format!("{{{version} {normalized} {major} {minor}}}").into(),
        }
    }
    fn print_in_place(&self) -> Text {
        self.normalized.as_str().into()
    }
    fn to_plain(&self) -> Result<Value, String> {
        Ok(Value::map([
            ("Version", self.version.as_str().into()),
            ("Major", self.major.as_str().into()),
            ("Minor", self.minor.as_str().into()),
        ]))
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities`.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Kubernetes' version.
    pub kube_version: KubeVersion,
    api_versions: Value,
    compat: Compat,
}

impl Capabilities {
    /// What is assumed without a cluster: `kube_version` or the assumed one, and `more` API versions.
    pub fn offline(compat: Compat, kube_version: Option<KubeVersion>, more: &[String]) -> Self {
        let versions = KNOWN.iter().copied().chain(more.iter().map(String::as_str));
        let list = List::typed(versions.map(Value::from).collect(), compat.version_set());
        Self {
            kube_version: kube_version.unwrap_or_else(|| KubeVersion::assumed(compat)),
            api_versions: Value::Object(Arc::new(VersionSet(list))),
            compat,
        }
    }

    fn helm_version(&self) -> HelmVersion {
        HelmVersion { compat: self.compat }
    }
}

impl Object for Capabilities {
    fn type_name(&self) -> &str {
        match self.compat {
            Compat::Helm3 => "*chartutil.Capabilities",
            Compat::Helm4 => "*common.Capabilities",
        }
    }
    fn kind(&self) -> Kind {
        Kind::Ptr
    }
    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "KubeVersion" => Some(Value::Object(Arc::new(self.kube_version.clone()))),
            "APIVersions" => Some(self.api_versions.clone()),
            "HelmVersion" => Some(Value::Object(Arc::new(self.helm_version()))),
            _ => None,
        }
    }
    fn method(&self, name: &str) -> Option<Method> {
        (name == "Copy").then_some(Method { params: &[], variadic: false })
    }
    fn call(&self, _name: &str, _args: &[Value]) -> Result<Value, String> {
        Ok(Value::Object(Arc::new(self.clone())))
    }
    fn print(&self) -> Text {
        let versions = crate::template::format::print(&self.api_versions);
        format!("&{{{} {versions} {}}}", self.kube_version.print(), self.helm_version().print()).into()
    }
    fn to_plain(&self) -> Result<Value, String> {
        Ok(Value::map([
            ("KubeVersion", self.kube_version.to_plain()?),
            ("APIVersions", self.api_versions.clone()),
            ("HelmVersion", self.helm_version().to_plain()?),
        ]))
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.APIVersions`: a list that can be asked.
#[derive(Debug)]
struct VersionSet(List);

impl Object for VersionSet {
    fn type_name(&self) -> &str {
        self.0.kind().type_name()
    }
    fn kind(&self) -> Kind {
        Kind::Slice
    }
    fn method(&self, name: &str) -> Option<Method> {
        (name == "Has").then_some(Method { params: &[Param::Str], variadic: false })
    }
    fn call(&self, _name: &str, args: &[Value]) -> Result<Value, String> {
        let wanted = args.first().and_then(Value::as_text);
        Ok(Value::Bool(self.0.items().iter().any(|v| v.as_text() == wanted)))
    }
    fn print(&self) -> Text {
        crate::template::format::print(&Value::List(self.0.clone()))
    }
    fn is_true(&self) -> bool {
        !self.0.is_empty()
    }
    fn to_plain(&self) -> Result<Value, String> {
        Ok(Value::List(self.0.clone()))
    }
    fn collection(&self) -> Option<Value> {
        Some(Value::List(self.0.clone()))
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What `.Capabilities.HelmVersion` is.
pub fn build_info(compat: Compat) -> Value {
    Value::Object(Arc::new(HelmVersion { compat }))
}

/// `.Capabilities.HelmVersion`.
#[derive(Debug)]
struct HelmVersion {
    compat: Compat,
}

impl HelmVersion {
    fn parts(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let mut parts = vec![
            ("Version", "version", self.compat.version()),
            ("GitCommit", "git_commit", ""),
            ("GitTreeState", "git_tree_state", "clean"),
            ("GoVersion", "go_version", self.compat.go_version()),
        ];
        if !self.compat.is_3() {
            parts.push(("KubeClientVersion", "kube_client_version", "v1.37"));
        }
        parts
    }
}

impl Object for HelmVersion {
    fn type_name(&self) -> &str {
        "version.BuildInfo"
    }
    fn kind(&self) -> Kind {
        Kind::Struct
    }
    fn field(&self, name: &str) -> Option<Value> {
        self.parts().into_iter().find(|part| part.0 == name).map(|part| part.2.into())
    }
    fn print(&self) -> Text {
        let parts: Vec<&str> = self.parts().into_iter().map(|part| part.2).collect();
        format!("{{{}}}", parts.join(" ")).into()
    }
    fn to_plain(&self) -> Result<Value, String> {
        let set = self.parts().into_iter().filter(|part| !part.2.is_empty());
        Ok(Value::map(set.map(|part| (part.1, part.2.into()))))
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_they_are_given() {
        let read = |text, compat| KubeVersion::parse(text, compat).map(|v| v.version);
        assert_eq!(read("1.29.3-gke.1", Compat::Helm3).unwrap(), "v1.29.3");
        assert_eq!(read("1.29.3-gke.1", Compat::Helm4).unwrap(), "v1.29.3-gke.1");
        assert_eq!(read("v1.29", Compat::Helm4).unwrap(), "v1.29");
        assert_eq!(read("1", Compat::Helm4).unwrap_err(), "illegal version string \"1\"");
        assert!(read("", Compat::Helm4).is_err());
    }
}
