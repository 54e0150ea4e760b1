//! Names that sound like secrets.

/// Words of names that hold secrets.
const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
/// Words of names that are harmless although another word sounds like a secret.
const HARMLESS: [&str; 3] = ["public", "file", "version"];

/// Whether a variable of this name probably holds a secret: one of its words (between `_`) says so, none takes it back.
pub fn sounds_secret(name: &str) -> bool {
    let has = |words: &[&str]| name.split('_').any(|part| words.iter().any(|w| part.eq_ignore_ascii_case(w)));
    has(&SECRET) && !has(&HARMLESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["TOKEN", "GITHUB_TOKEN", "token_x", "a_KEY_b", "_auth", "AWS_CREDENTIALS"] {
            assert!(sounds_secret(name), "{name}");
        }
        for name in ["TOKENS", "PUBLIC_KEY", "KEY_FILE", "key-x", "author", "", "TOKEN_version"] {
            assert!(!sounds_secret(name), "{name}");
        }
    }
}
