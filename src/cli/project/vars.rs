//! Variables that stand for flags: `WERF_NAME` as werf reads it, and `LAP_NAME`, which wins. One way for all commands of
//! projects. Source: werf's `cmd/werf/common` (switches, lists by prefix).

use std::collections::BTreeMap;

use crate::host;

/// Beginnings of names of variables, the strongest last.
const PREFIXES: [&str; 2] = ["WERF_", "LAP_"];

/// The environment.
#[derive(Clone, Debug, Default)]
pub struct Vars(BTreeMap<String, String>);

impl Vars {
    /// That of this process.
    pub fn of_process() -> Self {
        Self(host::env::vars().collect())
    }

    /// Everything.
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The value for a flag: from the command line, else of `LAP_NAME`, else of `WERF_NAME`. Empty is not given.
    pub fn text(&self, name: &str, given: Option<String>) -> Option<String> {
        let names = PREFIXES.iter().rev().map(|prefix| format!("{prefix}{name}"));
        let mut known = names.filter_map(|name| self.0.get(&name).cloned());
        given.or_else(|| known.find(|value| !value.is_empty()))
    }

    /// A switch that is off: only `1`, `true` and `yes` turn it on from outside.
    pub fn off(&self, name: &str, given: Option<bool>) -> bool {
        given.unwrap_or_else(|| matches!(self.text(name, None).as_deref(), Some("1" | "true" | "yes")))
    }

    /// A switch that is on: only `0`, `false` and `no` turn it off from outside.
    pub fn on(&self, name: &str, given: Option<bool>) -> bool {
        given.unwrap_or_else(|| !matches!(self.text(name, None).as_deref(), Some("0" | "false" | "no")))
    }

    /// The values for a flag that may be repeated: those of the command line and of all variables `NAME_…`, the latter
    /// sorted as `NAME=value`. Variables of longer flags that begin alike, `longer`, are not among them.
    pub fn list(&self, name: &str, longer: &[&str], given: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for prefix in PREFIXES {
            let start = format!("{prefix}{name}_");
            let others: Vec<String> = longer.iter().map(|name| format!("{prefix}{name}_")).collect();
            let mut own: Vec<(String, &String)> = self
                .0
                .iter()
                .filter(|(key, _)| {
                    key.starts_with(&start) && !others.iter().any(|other| key.starts_with(other))
                })
                .map(|(key, value)| (format!("{key}={value}"), value))
                .collect();
            own.sort();
            found.extend(own.into_iter().map(|(_, value)| value.clone()));
        }
        given.iter().cloned().chain(found).collect()
    }
}

/// A switch as Go reads one: `--flag`, `--flag=true`, `--flag=false`.
///
/// # Errors
/// In words, for clap.
pub fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write true or false".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Vars {
        Vars(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_command_line_wins_then_our_name_then_werfs() {
        let vars = vars(&[("WERF_REPO", "a"), ("LAP_REPO", "b"), ("WERF_ENV", "e"), ("LAP_ENV", "")]);
        assert_eq!(vars.text("REPO", Some("c".into())).as_deref(), Some("c"));
        assert_eq!(vars.text("REPO", None).as_deref(), Some("b"));
        assert_eq!(vars.text("ENV", None).as_deref(), Some("e"));
        assert_eq!(vars.text("NONE", None), None);
    }

    #[test]
    fn switches_know_three_words_each() {
        for (text, off, on) in [
            ("1", true, true),
            ("yes", true, true),
            ("no", false, false),
            ("0", false, false),
            ("on", false, true),
        ] {
            let vars = vars(&[("WERF_DEV", text)]);
            assert_eq!((vars.off("DEV", None), vars.on("DEV", None)), (off, on), "{text}");
            assert!(vars.off("DEV", Some(true)) && !vars.on("DEV", Some(false)));
        }
        assert_eq!(switch("T"), Ok(true));
        assert!(switch("yes").is_err());
    }

    #[test]
    fn lists_are_merged_and_sorted_and_longer_names_are_others() {
        let vars = vars(&[
            ("WERF_ADD_CUSTOM_TAG_2", "two"),
            ("WERF_ADD_CUSTOM_TAG_1", "one"),
            ("WERF_SET_STRING_A", "s"),
            ("WERF_SET_A", "a"),
            ("LAP_SET_B", "b"),
        ]);
        assert_eq!(vars.list("ADD_CUSTOM_TAG", &[], &["flag".into()]), ["flag", "one", "two"]);
        assert_eq!(vars.list("SET", &["SET_STRING"], &[]), ["a", "b"]);
    }
}
