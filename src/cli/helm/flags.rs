//! Flags that several of Helm's commands have.

use clap::Args;

use crate::chart::Given;

/// Where values come from.
#[derive(Args, Debug, Clone, Default)]
pub struct ValueFlags {
    /// Values from a YAML file, `-` for standard input; several may be separated by commas
    #[arg(short = 'f', long, value_name = "FILE")]
    values: Vec<String>,
    /// Set values: KEY=VALUE,KEY=VALUE…
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Set values that stay text
    #[arg(long, value_name = "KEY=VALUE")]
    set_string: Vec<String>,
    /// Set values to the content of files
    #[arg(long, value_name = "KEY=PATH")]
    set_file: Vec<String>,
    /// Set values to JSON, or merge a JSON object
    #[arg(long, value_name = "KEY=JSON")]
    set_json: Vec<String>,
    /// Set a value to all that follows `=`
    #[arg(long, value_name = "KEY=TEXT")]
    set_literal: Vec<String>,
}

impl ValueFlags {
    /// The values as they are given.
    ///
    /// # Errors
    /// If a list of files is not well-formed.
    pub fn given(&self) -> Result<Given, crate::base::Failure> {
        Ok(Given {
            files: slices(&self.values)?,
            json: self.set_json.clone(),
            set: self.set.clone(),
            set_string: self.set_string.clone(),
            set_file: self.set_file.clone(),
            set_literal: self.set_literal.clone(),
        })
    }
}

/// Flags of Helm's that take part in nothing that a rendering does; accepted because scripts share one set of flags
/// between installing and rendering, and Helm takes them here too.
#[derive(Args, Debug, Clone, Default)]
#[allow(dead_code, reason = "accepted and without effect, as in Helm")]
pub struct InstallFlags {
    #[arg(long, hide = true)]
    create_namespace: bool,
    #[arg(long, hide = true)]
    force: bool,
    #[arg(long, hide = true)]
    force_replace: bool,
    #[arg(long, hide = true)]
    force_conflicts: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    server_side: Option<String>,
    #[arg(long, hide = true)]
    replace: bool,
    #[arg(long, hide = true, value_parser = super::connection::duration)]
    timeout: Option<std::time::Duration>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "watcher")]
    wait: Option<String>,
    #[arg(long, hide = true)]
    wait_for_jobs: bool,
    #[arg(long, hide = true)]
    description: Option<String>,
    #[arg(long, hide = true)]
    disable_openapi_validation: bool,
    #[arg(long, hide = true)]
    rollback_on_failure: bool,
    #[arg(long, hide = true)]
    atomic: bool,
    #[arg(long, hide = true)]
    skip_crds: bool,
    #[arg(long, hide = true)]
    render_subchart_notes: bool,
    #[arg(short = 'l', long, hide = true, value_parser = pairs)]
    labels: Vec<String>,
    #[arg(long, hide = true)]
    hide_notes: bool,
    #[arg(long, hide = true)]
    take_ownership: bool,
}

/// Go's map of texts: `KEY=VALUE,KEY=VALUE`.
fn pairs(text: &str) -> Result<String, String> {
    match text.split(',').find(|pair| !pair.contains('=')) {
        Some(pair) => Err(format!("{pair} must be formatted as key=value")),
        None => Ok(text.to_owned()),
    }
}

/// Values of flags that are separated by commas as in a line of CSV: quotes keep commas together.
///
/// # Errors
/// If a quote is not closed.
pub fn slices(values: &[String]) -> Result<Vec<String>, crate::base::Failure> {
    let mut parts = Vec::new();
    for value in values {
        parts.extend(csv(value).ok_or_else(|| {
            crate::base::Failure::new(crate::base::Kind::Usage, format!("read {value:?}"))
                .because("a quote is not closed, or stands inside a word")
        })?);
    }
    Ok(parts)
}

fn csv(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            let mut chars = quoted.char_indices();
            let after = loop {
                let (at, c) = chars.next()?;
                match c {
                    '"' if quoted[at + 1..].starts_with('"') => {
                        field.push('"');
                        chars.next();
                    }
                    '"' => break &quoted[at + 1..],
                    c => field.push(c),
                }
            };
            fields.push(field);
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => return Some(fields),
                None => return None,
            }
        } else {
            let (field, next) = rest.split_once(',').map_or((rest, None), |(f, n)| (f, Some(n)));
            if field.contains('"') {
                return None;
            }
            fields.push(field.to_owned());
            match next {
                Some(next) => rest = next,
                None => return Some(fields),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_quotes() {
        assert_eq!(csv("a,b").unwrap(), ["a", "b"]);
        assert_eq!(csv(r#""a,b",c"#).unwrap(), ["a,b", "c"]);
        assert_eq!(csv(r#""a""b""#).unwrap(), [r#"a"b"#]);
        assert_eq!(csv("a,").unwrap(), ["a", ""]);
        assert!(csv("\"a").is_none() && csv("a\"b").is_none());
    }
}
