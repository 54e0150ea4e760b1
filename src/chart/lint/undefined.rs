//! Uses of values that nobody defines, where a defined one has nearly the same name.
//!
//! Helm has no such rule, and a value that only a user may give is often named nowhere. So only what looks like a slip is
//! told, and beside the findings, which stay Helm's.

use std::sync::Arc;

use super::Linter;
use crate::chart::{coalesce, process};
use crate::dockerfile::nearest;
use crate::template::{MissingKey, Templates};
use crate::yaml::Value;

/// Names shorter than this are near too many others.
const SHORTEST: usize = 4;

impl Linter<'_> {
    pub(super) fn undefined(&self, warnings: &mut Vec<String>) {
        let Ok(mut chart) = self.load() else { return };
        let (compat, user) = (self.subject.compat, self.subject.values);
        if process(&mut chart, user, compat, &mut Vec::new()).is_err() {
            return;
        }
        let Ok(values) = coalesce(&chart, user, compat, &mut Vec::new()) else { return };
        let text = chart.raw.iter().find(|file| file.name == "values.yaml").map(|file| file.data.lossy());
        let text = text.unwrap_or_default();
        let functions = Arc::new(compat.functions());
        let mut told: Vec<String> = Vec::new();
        for template in chart.templates.iter() {
            let mut templates = Templates::new("gotpl", Arc::clone(&functions), MissingKey::Zero);
            if templates.parse(&template.name, template.data.as_bytes()).is_err() {
                continue;
            }
            let mut uses = templates.field_uses("Values");
            uses.sort_by_key(|found| (found.frame.line, found.frame.column));
            for found in uses {
                let Some((at, near)) = slip(&Value::Map(values.clone()), &found.path[1..]) else { continue };
                let name = &found.path[1 + at];
                if is_mentioned(&text, name) {
                    continue;
                }
                let path = found.path[..=1 + at].join(".");
                let words = format!(
                    "{}:{}: .{path} is not among the values; did you mean {near}?",
                    found.frame.file, found.frame.line
                );
                if !told.contains(&words) {
                    told.push(words);
                }
            }
        }
        warnings.append(&mut told);
    }
}

/// The first name on the way that is not there while another much like it is.
fn slip(values: &Value, path: &[String]) -> Option<(usize, String)> {
    let mut here = values.clone();
    for (at, name) in path.iter().enumerate() {
        let Value::Map(map) = &here else { return None };
        match map.get(name.as_bytes()) {
            Some(next) => here = next,
            None if name.chars().count() < SHORTEST => return None,
            None => {
                let keys: Vec<String> = map.keys().iter().map(ToString::to_string).collect();
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                return nearest(name, &keys, true).map(|near| (at, near));
            }
        }
    }
    None
}

/// Whether the values file names the key in a comment, as a value that users may give.
fn is_mentioned(text: &str, name: &str) -> bool {
    text.lines().filter_map(|line| line.split_once('#')).any(|(_, comment)| {
        let mut words = comment.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
        words.any(|word| word == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_what_is_left_out() {
        let values = Value::map([(
            "image",
            Value::map([("repository", "x".into()), ("tag", "1".into()), ("pullPolicy", "y".into())]),
        )]);
        let slip = |path: &str| {
            slip(&values, &path.split('.').map(str::to_owned).collect::<Vec<_>>()).map(|(_, near)| near)
        };
        assert_eq!(slip("image.pullpolicy").as_deref(), Some("pullPolicy"));
        assert_eq!(slip("imagee.tag").as_deref(), Some("image"));
        assert_eq!(slip("image.tga"), None, "short names are near everything");
        assert_eq!(slip("image.tag"), None);
        assert_eq!(slip("tolerations"), None);
        assert!(is_mentioned("a: 1\n# tolerations: []\n", "tolerations"));
        assert!(!is_mentioned("tolerations: []\n", "tolerations"));
    }
}
