//! Kubernetes' deprecated kinds: since when, until when, and what to use instead
//! (`k8s.io/api` 0.37: the APILifecycle methods; asked by a program over client-go's scheme).

use crate::chart::KubeVersion;

/// A line each, tabs between: apiVersion and kind, deprecated in, gone in, replacement; `-` where none is said.
const DEPRECATED: &str = include_str!("deprecations.tsv");

/// What is to be said about an object of a kind, for a cluster of that version.
pub(super) fn complaint(api_version: &str, kind: &str, cluster: &KubeVersion) -> Option<String> {
    let wanted = format!("{api_version} {kind}");
    let row = DEPRECATED.lines().find(|row| row.split('\t').next() == Some(&wanted))?;
    let [name, since, gone, instead] = row.split('\t').collect::<Vec<_>>().try_into().ok()?;
    if numbers(since)? > cluster.numbers()? {
        return None;
    }
    let mut text = format!("{name} is deprecated in v{since}+");
    if gone != "-" {
        text.push_str(&format!(", unavailable in v{gone}+"));
    }
    if instead != "-" {
        text.push_str(&format!("; use {instead}"));
    }
    Some(text)
}

fn numbers(version: &str) -> Option<(u64, u64)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Compat;

    #[test]
    fn old_kinds_are_named_with_what_replaces_them() {
        let say = |cluster| {
            let cluster = KubeVersion::parse(cluster, Compat::Helm4).unwrap();
            complaint("policy/v1beta1", "PodDisruptionBudget", &cluster)
        };
        assert_eq!(
            say("1.29.0").unwrap(),
            "policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+; use policy/v1 \
             PodDisruptionBudget"
        );
        assert_eq!(say("1.20.0"), None);
    }

    #[test]
    fn every_row_of_the_table_says_something() {
        let newest = KubeVersion::parse("1.99.0", Compat::Helm4).unwrap();
        for row in DEPRECATED.lines() {
            let (api_version, kind) = row.split('\t').next().unwrap().split_once(' ').unwrap();
            let said = complaint(api_version, kind, &newest).unwrap_or_else(|| panic!("{row}"));
            assert_eq!(said.contains("; use "), !row.ends_with("\t-"), "{row}");
            assert_eq!(said.contains("unavailable"), !row.contains("\t-\t"), "{row}");
        }
        assert_eq!(complaint("apps/v1", "Deployment", &newest), None);
    }
}
