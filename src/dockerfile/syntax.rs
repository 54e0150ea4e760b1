//! `# syntax=`: which version of the language somebody wants. Frontend images are never fetched: the language is known
//! here, and what is newer than it is an error that says so.

use std::sync::Arc;

use crate::base::SourceFile;
use crate::dockerfile::Escape;
use crate::dockerfile::read::directives;

/// The version of the language that is understood here, as `docker/dockerfile` counts it.
pub const LANGUAGE: (u32, u32) = (1, 27);

/// What a file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// The language as it is known here, or nothing.
    Known,
    /// A later version of the language: the text of the directive.
    Newer(String),
    /// Another language: the text of the directive.
    Other(String),
}

/// Reads the directive of a file, also of one that is no Dockerfile otherwise.
pub fn syntax(file: &Arc<SourceFile>) -> Syntax {
    let Some(word) = directives::find(file, Escape::default()).ok().and_then(|found| found.syntax) else {
        return Syntax::Known;
    };
    let text = word.text;
    let image = text.split_whitespace().next().unwrap_or_default();
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    let image = image.split('@').next().unwrap_or_default();
    let (name, tag) = image.split_once(':').unwrap_or((image, ""));
    if !matches!(name, "docker/dockerfile" | "docker/dockerfile-upstream") {
        return Syntax::Other(text);
    }
    let version = tag.split('-').next().unwrap_or_default();
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let wanted = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if wanted > LANGUAGE { Syntax::Newer(text) } else { Syntax::Known }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let ask =
            |text: &str| syntax(&SourceFile::new("Dockerfile", format!("# syntax={text}\nFROM scratch\n")));
        for known in [
            "docker/dockerfile:1",
            "docker.io/docker/dockerfile:1.4@sha256:00",
            "docker/dockerfile:1.27-labs",
            "docker/dockerfile",
        ] {
            assert_eq!(ask(known), Syntax::Known, "{known}");
        }
        assert_eq!(ask("docker/dockerfile:1.28"), Syntax::Newer("docker/dockerfile:1.28".into()));
        assert_eq!(ask("docker/dockerfile:2"), Syntax::Newer("docker/dockerfile:2".into()));
        assert_eq!(ask("me/language:1"), Syntax::Other("me/language:1".into()));
        assert_eq!(syntax(&SourceFile::new("Dockerfile", "FROM scratch\n")), Syntax::Known);
    }
}
