//! From rendered files to manifests and hooks, in the order they are installed in
//! (`Helm: pkg/release/v1/util`: manifest.go, manifest_sorter.go, kind_sorter.go).

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::decode::{Decoder, read_fields};
use super::{Compat, Error, Rendered};
use crate::yaml::{Value, find};

/// What Helm looks at of a manifest.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// An object to install.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The template it came from.
    pub path: String,
    /// Its text.
    pub content: Rendered,
    /// What it is.
    pub head: Head,
}

/// An object that is made at a moment of a release's life.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The object's name.
    pub name: String,
    /// The object's kind.
    pub kind: String,
    /// The template it came from.
    pub path: String,
    /// Its text.
    pub manifest: Rendered,
    /// The moments, as Helm spells them.
    pub events: Vec<&'static str>,
    /// Its place among the hooks of a moment.
    pub weight: i64,
    /// When it is deleted.
    pub delete_policies: Vec<String>,
    /// When its output is shown.
    pub output_log_policies: Vec<String>,
}

/// Manifests and hooks, each in the order of their kinds.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    /// What belongs to the release.
    pub manifests: Vec<Manifest>,
    /// What is made beside it.
    pub hooks: Vec<Hook>,
    /// What was odd.
    pub notes: Vec<String>,
}

const EVENTS: &[(&str, &str)] = &[
    ("pre-install", "pre-install"),
    ("post-install", "post-install"),
    ("pre-delete", "pre-delete"),
    ("post-delete", "post-delete"),
    ("pre-upgrade", "pre-upgrade"),
    ("post-upgrade", "post-upgrade"),
    ("pre-rollback", "pre-rollback"),
    ("post-rollback", "post-rollback"),
    ("test", "test"),
    ("test-success", "test"),
];

/// Kinds in the order they are installed in.
const ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
];
/// What Helm 4 knows beyond these.
const ORDER_4: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// More bytes than this are worth several threads.
const LARGE: usize = 100_000;

/// Splits rendered files and sorts what is in them.
///
/// # Errors
/// [`Error::Manifest`] for the first document that is not YAML or has a head of other types.
pub fn sort(files: &BTreeMap<String, Rendered>, compat: Compat) -> Result<Sorted, Error> {
    let mut sorted = Sorted::default();
    let is_partial = |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with('_'));
    let documents = |(path, content): &(&String, &Rendered)| -> Vec<_> {
        let documents = split(content, compat).into_iter();
        documents.map(|text| (head(text.as_bytes(), compat), (*path).clone(), text)).collect()
    };
    let files: Vec<(&String, &Rendered)> = files
        .iter()
        .filter(|(path, content)| !(is_partial(path) || content.as_bytes().trim_ascii().is_empty()))
        .collect();
    let size: usize = files.iter().map(|(_, content)| content.len()).sum();
    let documents: Vec<Vec<_>> = match size > LARGE {
        true => files.par_iter().map(documents).collect(),
        false => files.iter().map(documents).collect(),
    };
    for (head, path, content) in documents.into_iter().flatten() {
        let head = head.map_err(|text| Error::Manifest { path: path.clone(), text })?;
        add(&mut sorted, path, content, head);
    }
    sorted.manifests.sort_by(|a, b| rank(&a.head.kind, compat).cmp(&rank(&b.head.kind, compat)));
    sorted.hooks.sort_by(|a, b| rank(&a.kind, compat).cmp(&rank(&b.kind, compat)));
    Ok(sorted)
}

fn add(sorted: &mut Sorted, path: String, content: Rendered, head: Head) {
    let Some(wanted) = head.annotations.get("helm.sh/hook") else {
        return sorted.manifests.push(Manifest { path, content, head });
    };
    let events: Option<Vec<_>> = wanted
        .split(',')
        .map(|word| {
            let word = word.trim().to_lowercase();
            EVENTS.iter().find(|event| event.0 == word).map(|event| event.1)
        })
        .collect();
    let Some(events) = events else {
        return sorted.notes.push(format!("info: skipping unknown hook: {wanted:?}"));
    };
    let list = |name: &str| -> Vec<String> {
        let words = head.annotations.get(name).into_iter().flat_map(|words| words.split(','));
        words.map(|word| word.trim().to_lowercase()).collect()
    };
    let weight = head.annotations.get("helm.sh/hook-weight").and_then(|w| w.parse().ok()).unwrap_or(0);
    sorted.hooks.push(Hook {
        path,
        events,
        weight,
        delete_policies: list("helm.sh/hook-delete-policy"),
        output_log_policies: list("helm.sh/hook-output-log-policy"),
        manifest: content,
        name: head.name,
        kind: head.kind,
    });
}

/// Known kinds by their place, unknown ones behind them by name.
fn rank(kind: &str, compat: Compat) -> (usize, &str) {
    let known = ORDER.iter().position(|k| *k == kind);
    let known = known.or_else(|| {
        let more = if compat.is_3() { &[][..] } else { ORDER_4 };
        more.iter().position(|k| *k == kind).map(|n| n + ORDER.len())
    });
    match known {
        Some(place) => (place, ""),
        None => (usize::MAX, kind),
    }
}

/// Reads the head of a document.
///
/// # Errors
/// The words of the YAML library.
pub fn head(document: &[u8], compat: Compat) -> Result<Head, String> {
    let package = if compat.is_3() { "releaseutil" } else { "util" };
    let document = read_fields(document, &["apiversion", "kind", "metadata"])?;
    let mut head = Head::default();
    let mut decoder = Decoder::default();
    decoder.object(&document, ("SimpleHead", &format!("{package}.SimpleHead")), |d, key, value| match key {
        "apiversion" => d.at("apiVersion", |d| d.string(&mut head.api_version, value)),
        "kind" => d.at("kind", |d| d.string(&mut head.kind, value)),
        "metadata" => d.at("metadata", |d| metadata(d, &mut head, value)),
        _ => {}
    });
    decoder.finish()?;
    Ok(head)
}

fn metadata(d: &mut Decoder, head: &mut Head, value: &Value) {
    const TYPE: &str = "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \
                        \"json:\\\"annotations\\\"\" }";
    d.object(value, ("", TYPE), |d, key, value| match key {
        "name" => d.at("name", |d| d.string(&mut head.name, value)),
        "annotations" => d.at("annotations", |d| d.map(&mut head.annotations, value)),
        _ => {}
    });
}

/// Cuts a file into its documents; empty ones are dropped.
pub fn split(text: &Rendered, compat: Compat) -> Vec<Rendered> {
    match compat {
        Compat::Helm3 => split_3(text),
        Compat::Helm4 => split_4(text),
    }
}

/// White space of Go's `\s`.
fn blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | 0x0c | b'\r')
}

/// At `---` in front of all or behind a line end, together with all white space around it.
fn split_3(text: &Rendered) -> Vec<Rendered> {
    let text = text.trimmed_start(trim_start).trimmed_end(trim_end);
    let bytes = text.as_bytes();
    let mut documents = Vec::new();
    let mut keep = |part: Range<usize>| {
        if !part.is_empty() {
            documents.push(text.part(part).trimmed_start(trim_start).trimmed_end(trim_end));
        }
    };
    let (mut from, mut at) = (0, 0);
    while let Some(found) = find(&bytes[at..], b"---").map(|n| n + at) {
        let behind_line = found > from && bytes[found - 1] == b'\n';
        if found != 0 && !behind_line {
            at = found + 1;
            continue;
        }
        let mut end = found;
        while end > from && blank(bytes[end - 1]) {
            end -= 1;
        }
        keep(from..end);
        from = found + 3;
        while bytes.get(from).is_some_and(|b| blank(*b)) {
            from += 1;
        }
        at = from;
    }
    keep(from..bytes.len());
    documents
}

/// At every line that begins with `---`.
fn split_4(text: &Rendered) -> Vec<Rendered> {
    let text = text.trimmed_start(trim_start);
    let bytes = text.as_bytes();
    let mut documents = Vec::new();
    let mut keep = |part: Range<usize>| {
        let part = text.part(part).trimmed_start(trim_start);
        if !part.is_empty() {
            documents.push(part);
        }
    };
    let (mut from, mut at) = (0, 0);
    while let Some(found) = find(&bytes[at..], b"---").map(|n| n + at) {
        if found != 0 && bytes[found - 1] != b'\n' {
            at = found + 1;
            continue;
        }
        keep(from..found);
        from = found + 3;
        while bytes.get(from).is_some_and(|b| matches!(b, b' ' | b'\t')) {
            from += 1;
        }
        at = from;
    }
    keep(from..bytes.len());
    documents
}

/// Without the white space, Unicode's included, in front.
pub fn trim_start(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start().as_bytes(),
        Err(_) => bytes.trim_ascii_start(),
    }
}

/// Without the white space, Unicode's included, behind.
pub fn trim_end(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_end().as_bytes(),
        Err(_) => bytes.trim_ascii_end(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str, compat: Compat) -> Vec<String> {
        split(&text.into(), compat).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn splitting() {
        let text = "\n---\n---\na: 1\n\n---   \nb: 2  \n---c: 3\nd: x---y\n";
        assert_eq!(documents(text, Compat::Helm3), ["---\na: 1", "b: 2", "c: 3\nd: x---y"]);
        assert_eq!(documents(text, Compat::Helm4), ["a: 1\n\n", "b: 2  \n", "c: 3\nd: x---y\n"]);
        assert!(documents("---\n", Compat::Helm3).is_empty());
        assert!(documents("---\n \n", Compat::Helm4).is_empty());
    }

    #[test]
    fn kinds_hooks_and_unknown_hooks() {
        let text = "kind: Zebra\n---\nkind: Service\n---\nkind: Alpha\n---\nkind: Job\nmetadata:\n  name: j\n  \
                    annotations:\n    helm.sh/hook: Pre-Install, test-success\n    helm.sh/hook-weight: 5\n---\n\
                    kind: Job\nmetadata: {annotations: {helm.sh/hook: crd-install}}\n";
        let files = BTreeMap::from([("c/templates/a.yaml".to_owned(), text.into())]);
        let sorted = sort(&files, Compat::Helm4).unwrap();
        let kinds: Vec<_> = sorted.manifests.iter().map(|m| m.head.kind.as_str()).collect();
        assert_eq!(kinds, ["Service", "Alpha", "Zebra"]);
        assert_eq!((sorted.hooks.len(), sorted.notes.len()), (1, 1));
        assert_eq!((&sorted.hooks[0].events, sorted.hooks[0].weight), (&vec!["pre-install", "test"], 5));
        let bad = BTreeMap::from([("c/templates/a.yaml".to_owned(), "a: b: c".into())]);
        let error = sort(&bad, Compat::Helm4).unwrap_err().to_string();
        assert!(
            error.starts_with("YAML parse error on c/templates/a.yaml: error converting YAML"),
            "{error}"
        );
    }
}
