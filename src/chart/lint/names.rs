//! What Kubernetes lets an object of a kind be called (`k8s.io/apimachinery`: validation).

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
     and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SERVICE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
     character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
     '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// What is wrong with a name, as Helm words it.
pub(super) fn complaint(kind: &str, name: &str) -> Option<String> {
    let problems = problems(kind, name);
    if problems.is_empty() {
        return None;
    }
    let shown = crate::yaml::quote::quote(name.as_bytes());
    let errors: Vec<String> =
        problems.iter().map(|p| format!("metadata.name: Invalid value: {shown}: {p}")).collect();
    let errors = match errors.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Some(format!("object name does not conform to Kubernetes naming requirements: {shown}: {errors}"))
}

fn problems(kind: &str, name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut longer = |limit: usize, unit: &str| {
        if name.len() > limit {
            problems.push(format!("must be no more than {limit} {unit}"));
        }
    };
    match kind.to_lowercase().as_str() {
        "certificatesigningrequest" => {}
        "role" | "clusterrole" | "rolebinding" | "clusterrolebinding" => return segment(name),
        "service" => {
            longer(63, "bytes");
            let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
            if !(starts && is_label(name)) {
                problems.push(SERVICE.to_owned());
            }
        }
        "namespace" => {
            longer(63, "bytes");
            if !is_label(name) {
                let dots = name.split('.').all(is_label);
                problems.push(if dots { "must not contain dots" } else { LABEL }.to_owned());
            }
        }
        _ => {
            longer(253, "characters");
            if !name.split('.').all(is_label) {
                problems.push(SUBDOMAIN.to_owned());
            }
        }
    }
    problems
}

fn is_label(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends(text.chars().next())
        && ends(text.chars().last())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What cannot be a part of a path.
fn segment(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|bad| name.contains(**bad))
        .map(|bad| format!("may not contain '{bad}'"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_rule() {
        for (kind, name, good) in [
            ("Pod", "a.b-1", true),
            ("Pod", "A", false),
            ("Pod", "", false),
            ("Service", "1a", false),
            ("Service", "a1", true),
            ("Namespace", "a.b", false),
            ("Role", "system:a", true),
            ("ClusterRole", "a/b", false),
            ("CertificateSigningRequest", "", true),
        ] {
            assert_eq!(complaint(kind, name).is_none(), good, "{kind} {name}");
        }
    }
}
