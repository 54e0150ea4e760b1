//! Sprig's URLs: Go's `net/url` parsing and joining.

use super::super::error::Fault;
use super::super::function::{Function, fixed};
use super::super::quote::quote;
use super::text;
use crate::yaml::{Map, Param, Value};

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("urlParse", &[Param::Str], |_, a| {
        let url =
            Url::parse(&text(a, 0).lossy()).map_err(|e| Fault::Text(format!("unable to parse url: {e}")))?;
        let host = url.host.rsplit_once(':').map_or(url.host.as_str(), |(host, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) { host } else { &url.host }
        });
        let hostname = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Value::map([
            ("scheme", url.scheme.into()),
            ("host", url.host.as_str().into()),
            ("hostname", hostname.into()),
            ("path", url.path.into()),
            ("query", url.query.into()),
            ("opaque", url.opaque.into()),
            ("fragment", url.fragment.into()),
            ("userinfo", Value::from(url.user.unwrap_or_default())),
        ]))
    }),
    fixed("urlJoin", &[Param::Map], |_, a| join(a[0].as_map().cloned().unwrap_or_default())),
];

#[derive(Default)]
struct Url {
    scheme: String,
    opaque: String,
    user: Option<String>,
    host: String,
    path: String,
    query: String,
    fragment: String,
}

/// Undoes percent escapes; `what` is where the text stands.
fn unescape(source: &str, host: bool) -> Result<String, String> {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = source.get(at + 1..at + 3).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            let Some(digits) = digits else {
                let end = (at + 3).min(bytes.len());
                let shown = quote(&bytes[at..end]);
                return Err(format!("invalid URL escape {shown}"));
            };
            out.push(u8::from_str_radix(digits, 16).unwrap_or(0));
            at += 3;
            continue;
        }
        if host && bytes[at].is_ascii() && b" <>\"\\^`{|}".contains(&bytes[at]) {
            let shown = quote(&bytes[at..=at]);
            return Err(format!("invalid character {shown} in host name"));
        }
        out.push(bytes[at]);
        at += 1;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

impl Url {
    fn parse(source: &str) -> Result<Self, String> {
        let (main, fragment) = source.split_once('#').unwrap_or((source, ""));
        let shown = if fragment.is_empty() { main } else { source };
        let wrap = |e: String| format!("parse {}: {e}", quote(shown.as_bytes()));
        let mut url = Self::parse_main(main).map_err(|e| format!("parse {}: {e}", quote(main.as_bytes())))?;
        url.fragment = unescape(fragment, false).map_err(wrap)?;
        Ok(url)
    }

    fn parse_main(source: &str) -> Result<Self, String> {
        if source.bytes().any(|b| b < 0x20 || b == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        if source == "*" {
            url.path = "*".to_owned();
            return Ok(url);
        }
        let (scheme, mut rest) = scheme(source)?;
        url.scheme = scheme.to_ascii_lowercase();
        if let Some((before, query)) = rest.split_once('?') {
            rest = before;
            url.query = query.to_owned();
        }
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_owned();
                return Ok(url);
            }
            if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let authority = !url.scheme.is_empty() || !rest.starts_with("///");
        if authority && let Some(tail) = rest.strip_prefix("//") {
            let end = tail.find('/').unwrap_or(tail.len());
            url.authority(&tail[..end])?;
            rest = &tail[end..];
        }
        url.path = unescape(rest, false)?;
        Ok(url)
    }

    fn authority(&mut self, source: &str) -> Result<(), String> {
        let (user, host) = match source.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, source),
        };
        if let Some(user) = user {
            let good = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
            if !user.chars().all(good) {
                return Err("net/url: invalid userinfo".to_owned());
            }
            self.user = Some(user.to_owned());
        }
        let port = match host.rfind(']') {
            Some(end) => &host[end + 1..],
            None if host.starts_with('[') => return Err("missing ']' in host".to_owned()),
            None => host.rfind(':').map_or("", |at| &host[at..]),
        };
        let digits = port.strip_prefix(':').unwrap_or("");
        if !port.is_empty() && (!port.starts_with(':') || !digits.bytes().all(|b| b.is_ascii_digit())) {
            return Err(format!("invalid port {} after host", quote(port.as_bytes())));
        }
        self.host = unescape(host, true)?;
        Ok(())
    }
}

fn scheme(source: &str) -> Result<(&str, &str), String> {
    for (i, c) in source.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if i > 0 => {}
            ':' if i == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((&source[..i], &source[i + 1..])),
            _ => break,
        }
    }
    Ok(("", source))
}

fn escape(source: &str, keep: &str) -> String {
    let mut out = String::new();
    for b in source.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) || keep.as_bytes().contains(&b) {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

fn join(map: Map) -> Result<Value, Fault> {
    let part = |key: &str| match map.get(key.as_bytes()) {
        None => Ok(String::new()),
        Some(Value::Str(text)) => Ok(text.to_string()),
        Some(Value::Null) => {
            Err(Fault::from("runtime error: invalid memory address or nil pointer dereference"))
        }
        Some(other) => {
            let kind = other.kind().name();
            Err(Fault::Text(format!("unable to parse {key} key, must be of type string, but {kind} found")))
        }
    };
    let (scheme, host, path) = (part("scheme")?, part("host")?, part("path")?);
    let (query, opaque, fragment) = (part("query")?, part("opaque")?, part("fragment")?);
    let user = part("userinfo")?;
    let mut out = String::new();
    if !scheme.is_empty() {
        out.push_str(&format!("{scheme}:"));
    }
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || !user.is_empty() {
            if !host.is_empty() || !path.is_empty() || !user.is_empty() {
                out.push_str("//");
            }
            if !user.is_empty() {
                out.push_str(&format!("{user}@"));
            }
            out.push_str(&escape(&host, "!$&'()*+,;=:[]<>\""));
        }
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            out.push('/');
        }
        if out.is_empty() && path.split('/').next().is_some_and(|segment| segment.contains(':')) {
            out.push_str("./");
        }
        out.push_str(&escape(&path, "$&+,/:;=@!'()*[]"));
    } else {
        out.push_str(&opaque);
    }
    if !query.is_empty() {
        out.push_str(&format!("?{query}"));
    }
    if !fragment.is_empty() {
        out.push_str(&format!("#{}", escape(&fragment, "$&+,/:;=@!?'()*")));
    }
    Ok(out.into())
}
