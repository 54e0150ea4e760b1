//! `.helmignore` (`Helm: pkg/ignore`): like `.gitignore`, yet not in what counts.
//!
//! The first rule that decides wins, `**` is refused, and a negated rule ignores everything that it does *not* match.

use super::pattern;

/// Rules that decide which files of a folder belong to the chart.
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    scope: Scope,
    negated: bool,
    folders_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Path,
    Name,
}

impl Rules {
    /// The rules of a `.helmignore` and those that always hold.
    ///
    /// # Errors
    /// Helm's words.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut rules = Vec::new();
        for line in text.split(|b| *b == b'\n') {
            rules.extend(Rule::parse(&String::from_utf8_lossy(line))?);
        }
        rules.extend(Rule::parse("templates/.?*")?);
        Ok(Self(rules))
    }

    /// Whether the file or folder at `path` does not belong to the chart.
    pub fn ignores(&self, path: &str, is_folder: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        for rule in &self.0 {
            let applies = !rule.folders_only || is_folder;
            let matches = applies && rule.matches(path);
            if matches != rule.negated {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let rule = line.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(None);
        }
        if rule.contains("**") {
            return Err("double-star (**) syntax is not supported".to_owned());
        }
        pattern::matches(rule, "abc").map_err(|pattern::Bad| "syntax error in pattern".to_owned())?;
        let (negated, rule) = match rule.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, rule),
        };
        let (folders_only, rule) = match rule.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, rule),
        };
        let (scope, rule) = match rule.strip_prefix('/') {
            Some(rest) => (Scope::Path, rest),
            None if rule.contains('/') => (Scope::Path, rule),
            None => (Scope::Name, rule),
        };
        Ok(Some(Self { pattern: rule.to_owned(), scope, negated, folders_only }))
    }

    fn matches(&self, path: &str) -> bool {
        let subject = match self.scope {
            Scope::Path => path,
            Scope::Name => path.rsplit('/').next().unwrap_or(path),
        };
        pattern::matches(&self.pattern, subject).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(rules: &str, path: &str) -> bool {
        let (path, folder) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path, false),
        };
        Rules::parse(rules.as_bytes()).unwrap().ignores(path, folder)
    }

    #[test]
    fn rules_decide_in_order() {
        let table = [
            ("*.bak", "a/b.bak", true),
            ("*.bak", "a/b.txt", false),
            ("/docs", "docs/", true),
            ("/docs", "a/docs/", false),
            ("a/*", "a/b", true),
            ("a/*", "a/b/c", false),
            ("docs/", "docs", false),
            ("docs/", "docs/", true),
            ("\u{feff}# note\n\n  x \n", "x", true),
            ("", "templates/.hidden", true),
            ("", "templates/x.yaml", false),
            // A negated rule ignores whatever it does not match.
            ("!keep.bak", "Chart.yaml", true),
            ("!keep.bak", "keep.bak", false),
            ("!keep/", "keep", true),
        ];
        for (rules, path, expected) in table {
            assert_eq!(ignores(rules, path), expected, "{rules:?} {path}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert_eq!(Rules::parse(b"a/**").unwrap_err(), "double-star (**) syntax is not supported");
        assert_eq!(Rules::parse(b"a[").unwrap_err(), "syntax error in pattern");
    }
}
