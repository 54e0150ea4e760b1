//! Slugs: names made fit for places that allow few characters, as werf makes them, byte for byte.
//!
//! A name that is valid stays as it is. Another becomes its readable part, cut, and a hash of the whole name, so that
//! two names that look alike do not meet. Source of the rules: werf's `pkg/slug`.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::project::hash::murmur;
use crate::project::slug_letters::LETTERS;

/// The longest name of a project.
pub const PROJECT_LENGTH: usize = 50;
const RELEASE_LENGTH: usize = 53;
const NAMESPACE_LENGTH: usize = 63;
const TAG_LENGTH: usize = 128;

static TABLE: LazyLock<HashMap<char, &'static str>> =
    LazyLock::new(|| LETTERS.iter().flat_map(|(to, from)| from.chars().map(move |c| (c, *to))).collect());

/// The readable part of `name`: lower-case ASCII letters and digits with single dashes between. No hash, no limit.
pub fn readable(name: &str) -> String {
    let mut slug = String::new();
    for piece in name.chars().filter_map(|c| TABLE.get(&c)) {
        if *piece != "-" || !(slug.is_empty() || slug.ends_with('-')) {
            slug.push_str(piece);
        }
    }
    if slug.ends_with('-') {
        slug.pop();
    }
    slug
}

/// `name` if it is clean and has at most `limit` bytes, else its readable part with a hash, at most `limit` bytes long.
pub fn limited(name: &str, limit: usize) -> String {
    let clean = |text: &str| readable(text) == text;
    // What was cut after a dash has two in a row; such a slug is not slugged again.
    let own = || name.matches("--").count() == 1 && clean(&name.replacen("--", "-", 1));
    match name.is_empty() || name.len() <= limit && (clean(name) || own()) {
        true => name.to_owned(),
        false => hashed(name, limit),
    }
}

/// `name` as the tag of an image.
pub fn docker_tag(name: &str) -> String {
    match name.is_empty() || is_docker_tag(name) {
        true => name.to_owned(),
        false => hashed(name, TAG_LENGTH),
    }
}

/// Whether `name` can be the tag of an image: `^[\w][\w.-]*$`, at most 128 bytes.
pub fn is_docker_tag(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let rest = |b: u8| word(b) || b == b'.' || b == b'-';
    name.len() <= TAG_LENGTH && name.bytes().next().is_some_and(word) && name.bytes().all(rest)
}

/// `name` as the name of a Helm release.
pub fn release(name: &str) -> String {
    let valid = name.len() <= RELEASE_LENGTH && name.split('.').all(is_label_text);
    match name.is_empty() || valid {
        true => name.to_owned(),
        false => hashed(name, RELEASE_LENGTH),
    }
}

/// `name` as the name of a Kubernetes namespace.
pub fn namespace(name: &str) -> String {
    match name.is_empty() || name.len() <= NAMESPACE_LENGTH && is_label_text(name) {
        true => name.to_owned(),
        false => hashed(name, NAMESPACE_LENGTH),
    }
}

/// `name` as the name of a project; this one has no hash.
pub fn project(name: &str) -> String {
    if name.is_empty() || is_project(name) {
        return name.to_owned();
    }
    let mut slug = readable(name);
    slug.truncate(PROJECT_LENGTH);
    slug
}

/// Whether `name` can be the name of a project.
pub fn is_project(name: &str) -> bool {
    name.len() <= PROJECT_LENGTH && is_label_text(name)
}

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`
fn is_label_text(text: &str) -> bool {
    let end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    end(text.bytes().next())
        && end(text.bytes().next_back())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn hashed(name: &str, limit: usize) -> String {
    let (mut body, hash) = (readable(name), murmur(&[name]));
    // Both are ASCII, so any place to cut is one between characters.
    body.truncate(limit.saturating_sub(hash.len() + 1));
    if body.is_empty() { hash } else { format!("{body}-{hash}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_and_limited_names_have_werfs_values() {
        assert_eq!(release("feature/ABC-123_fix"), "feature-abc-123-fix-261e8170");
        assert_eq!(release("My_Project"), "my-project-55ce4e9e");
        assert_eq!(release("Проект Щи"), "proyekt-shchi-d8345be8");
        assert_eq!(release("---"), "e1945464");
        assert_eq!(release("a.b-c.d"), "a.b-c.d");
        assert_eq!(limited("A", 42), "a-54dcf7ce");
        let long = limited("php_fpm_exporter-monitoring-dev-encrypt-1", 48);
        assert_eq!(long, "php-fpm-exporter-monitoring-dev-encrypt--83286e5");
        assert_eq!(limited(&long, 48), long, "a slug is its own slug");
    }

    #[test]
    fn other_kinds_too() {
        assert_eq!(namespace(&"a".repeat(80)), format!("{}-a6dee0df", "a".repeat(54)));
        assert_eq!(docker_tag("da/ta"), "da-ta-afa96f8");
        assert_eq!(docker_tag("V_1.2-x"), "V_1.2-x");
        assert_eq!(project("My Project!"), "my-project");
        assert_eq!(project(&"x".repeat(60)).len(), PROJECT_LENGTH);
        for name in [release(""), namespace(""), docker_tag(""), limited("", 5), project("")] {
            assert_eq!(name, "");
        }
    }

    #[test]
    fn dashes_never_stand_at_an_end_or_in_a_row() {
        assert_eq!(readable("--a__b//Ъ//c.."), "a-b-c");
        assert_eq!(readable("€!?"), "");
        assert_eq!(readable("Æther ß ĳ"), "aether-b-ij");
    }
}
