//! The token server's answer. distribution: docs/spec/auth/token.md, docs/spec/auth/oauth.md.

use std::time::Duration;

use serde::Deserialize;

/// A token and how long to use it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Goes into `Authorization: Bearer`.
    pub value: String,
    /// How long from its receipt it should be used: nine tenths of what the server promised.
    pub use_for: Duration,
    /// A new identity token, if the server gave one.
    pub refresh: Option<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(for {:?})", self.use_for)
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
    #[serde(default)]
    refresh_token: Option<String>,
}

/// Reads the answer; the reason if it is not one.
///
/// # Errors
/// If it is not JSON, or has no token.
pub fn token_answer(body: &[u8]) -> Result<Token, &'static str> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| "the token server's answer is not JSON of its form")?;
    let present = |text: Option<String>| text.filter(|t| !t.is_empty());
    let value =
        present(answer.token).or(present(answer.access_token)).ok_or("the token server sent no token")?;
    if value.bytes().any(|b| !(0x21..0x7f).contains(&b)) {
        return Err("the token server sent a token with characters that no header may have");
    }
    // The specification says: 60 seconds if nothing else is said, and never less.
    let seconds = match answer.expires_in {
        Some(serde_json::Value::Number(n)) => n.as_f64().unwrap_or(60.0),
        Some(serde_json::Value::String(s)) => s.parse().unwrap_or(60.0),
        _ => 60.0,
    };
    let seconds = seconds.clamp(0.0, 86_400.0);
    Ok(Token {
        value,
        use_for: Duration::from_secs_f64(seconds * 0.9),
        refresh: present(answer.refresh_token),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_and_the_default_time() {
        let token = token_answer(br#"{"token":"","access_token":"abc","expires_in":300,"x":1}"#).unwrap();
        assert_eq!((token.value.as_str(), token.use_for), ("abc", Duration::from_secs(270)));
        let token = token_answer(br#"{"token":"t","access_token":"a"}"#).unwrap();
        assert_eq!((token.value.as_str(), token.use_for), ("t", Duration::from_secs(54)));
        for bad in ["", "{}", "[]", r#"{"token":1}"#, r#"{"token":"a\nb"}"#] {
            assert!(token_answer(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
