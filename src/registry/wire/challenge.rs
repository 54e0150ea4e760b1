//! `WWW-Authenticate`: what a server wants to see before it answers.
//!
//! RFC 9110 §11.6.1 (several challenges in one header, several headers), distribution: docs/spec/auth/token.md.

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User name and password with each request.
    Basic,
    /// A token from a token server.
    Bearer {
        /// The token server's URL.
        realm: String,
        /// Whom the token is for; may be empty.
        service: String,
        /// What it should allow; may be empty.
        scope: String,
        /// Why the token that was sent is not enough, for example `insufficient_scope`.
        error: String,
    },
}

/// The challenges we can answer, those of all headers, in order.
pub fn challenges<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    headers.into_iter().flat_map(one_header).collect()
}

fn one_header(text: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches([' ', ',', '\t']);
    while !rest.is_empty() {
        let (scheme, after) = token(rest);
        if scheme.is_empty() {
            break;
        }
        let (parameters, after) = parameters(after);
        let get = |name: &str| {
            let hit = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            hit.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        if scheme.eq_ignore_ascii_case("basic") {
            found.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer") && !get("realm").is_empty() {
            let (realm, service) = (get("realm"), get("service"));
            found.push(Challenge::Bearer { realm, service, scope: get("scope"), error: get("error") });
        }
        rest = after.trim_start_matches([' ', ',', '\t']);
    }
    found
}

/// The leading token and the rest.
fn token(text: &str) -> (&str, &str) {
    let end =
        text.find(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '=' | '"')).unwrap_or(text.len());
    text.split_at(end)
}

/// `key=value` pairs up to the next scheme. A word that no `=` follows begins the next challenge.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut list = Vec::new();
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start_matches([' ', ',', '\t']);
        let (key, after) = token(trimmed);
        let Some(after) = after.trim_start().strip_prefix('=') else { return (list, trimmed) };
        if key.is_empty() {
            return (list, "");
        }
        let (value, after) = value(after.trim_start());
        list.push((key.to_owned(), value));
        rest = after;
    }
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut out = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (out, &quoted[at + 1..]),
            '\\' => out.extend(characters.next().map(|(_, c)| c)),
            c => out.push(c),
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: &str, scope: &str, error: &str) -> Challenge {
        let [realm, service, scope, error] = [realm, service, scope, error].map(str::to_owned);
        Challenge::Bearer { realm, service, scope, error }
    }

    #[test]
    fn many_in_one_and_one_in_many() {
        let text = r#"Bearer realm="https://a/token",service="s",scope="repository:x:pull,push" error="insufficient_scope", Basic realm="b, \"c\"""#;
        let expected = vec![
            bearer("https://a/token", "s", "repository:x:pull,push", "insufficient_scope"),
            Challenge::Basic,
        ];
        assert_eq!(challenges([text]), expected);
        let headers = ["Negotiate", "basic realm=x", "BEARER Realm=https://a/t,Service=s"];
        assert_eq!(challenges(headers), [Challenge::Basic, bearer("https://a/t", "s", "", "")]);
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for text in
            ["", ",", "=", "Bearer", "Bearer realm=", "Bearer realm=\"", "\"", "Bearer =x", "é=\u{e9}"]
        {
            assert!(challenges([text]).is_empty(), "{text}");
        }
    }
}
