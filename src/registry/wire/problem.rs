//! Error bodies: `{"errors":[{"code","message","detail"}]}`. OCI distribution-spec, "Error Codes".

use serde_json::Value;

use crate::base::{BlobDigest, Digest};
use crate::registry::Answer;

/// Longest text taken over from a server.
const LONGEST: usize = 400;

/// What a server said with `status` and `body`, for people. Bodies that are not of the specification's form are
/// shortened to their text.
pub fn answer(status: u16, body: &[u8]) -> Answer {
    let (mut codes, mut words): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for error in errors(body) {
        if let Some(code) = error.get("code").and_then(Value::as_str) {
            codes.push(clean(code));
        }
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        let detail = match error.get("detail") {
            Some(Value::String(detail)) => detail.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        words.extend([clean(message), clean(&detail)].into_iter().filter(|w| !w.is_empty()));
    }
    if codes.is_empty() && words.is_empty() {
        words.extend(plain_text(body));
    }
    codes.dedup();
    words.dedup();
    let missing = missing_digests(body);
    Answer { status, codes, words: shorten(&words.join("; ")), rate_limit: None, missing }
}

/// The blobs and manifests an answer says are missing.
fn missing_digests(body: &[u8]) -> Vec<BlobDigest> {
    let mut found = Vec::new();
    for error in errors(body) {
        let code = error.get("code").and_then(Value::as_str).unwrap_or_default();
        if matches!(code, "MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN") {
            collect(error.get("detail").unwrap_or(&Value::Null), &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

fn collect(value: &Value, found: &mut Vec<BlobDigest>) {
    match value {
        Value::String(text) => {
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'));
            found.extend(words.filter_map(|word| word.parse::<Digest>().ok()).map(BlobDigest::new));
        }
        Value::Array(list) => list.iter().for_each(|v| collect(v, found)),
        Value::Object(map) => map.values().for_each(|v| collect(v, found)),
        _ => {}
    }
}

fn errors(body: &[u8]) -> Vec<Value> {
    let Ok(Value::Object(mut map)) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    match map.remove("errors") {
        Some(Value::Array(list)) => list,
        _ => {
            // Token servers: {"details": …}, {"error": …, "error_description": …}, {"message": …}.
            let text = ["details", "error_description", "message", "error"]
                .iter()
                .find_map(|key| map.get(*key).and_then(Value::as_str).map(str::to_owned));
            text.map(|text| serde_json::json!({ "message": text })).into_iter().collect()
        }
    }
}

fn plain_text(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * LONGEST)]);
    let text = text.trim();
    let is_page = text.starts_with('<');
    (!text.is_empty() && !is_page).then(|| clean(text))
}

/// One line without control characters: servers do not get to paint our users' terminals.
fn clean(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_servers() {
        let body =
            br#"{"errors":[{"code":"DENIED","message":"no\u001b[31m","detail":{"a":1}},{"code":"X"}]}"#;
        let said = answer(403, body);
        assert_eq!(said.codes, ["DENIED", "X"]);
        assert_eq!(said.words, "no [31m; {\"a\":1}");
        assert_eq!(answer(502, b"<html>nginx</html>").words, "");
        assert_eq!(answer(500, b" plain\n text ").words, "plain text");
        assert_eq!(answer(401, br#"{"details":"incorrect password"}"#).words, "incorrect password");
        assert!(answer(500, &[b'a'; 10_000]).words.chars().count() <= LONGEST + 1);
    }

    #[test]
    fn missing_blobs_in_any_form() {
        let hex = "ab".repeat(32);
        let body = format!(
            r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","detail":{{"digest":"sha256:{hex}"}}}},
               {{"code":"BLOB_UNKNOWN","detail":"blob \"sha256:{hex}\" is unknown"}},{{"code":"OTHER","detail":"{hex}"}}]}}"#
        );
        assert_eq!(missing_digests(body.as_bytes()), [format!("sha256:{hex}").parse().unwrap()]);
    }
}
