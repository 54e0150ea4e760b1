//! What counts as a mail address and as the address of a page.

/// Whether this is a mail address: a name, `@`, a domain with a dot.
pub(super) fn is_mail(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let name_fits = !name.is_empty()
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && name.chars().all(plain);
    name_fits && domain.contains('.') && is_domain(domain)
}

fn is_domain(text: &str) -> bool {
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    text.split('.').all(label)
}

/// Whether this is the address of a page, the scheme being optional.
pub(super) fn is_page(text: &str) -> bool {
    let (scheme, rest) = text.split_once("://").map_or((None, text), |(s, r)| (Some(s), r));
    if scheme.is_some_and(|s| {
        !matches!(s, "http" | "https" | "ftp" | "tcp" | "udp" | "ws" | "wss" | "irc" | "rtmp")
    }) {
        return false;
    }
    if text.len() < 3 || text.len() > 2083 || text.contains(char::is_whitespace) {
        return false;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if !host.contains(']') || host.ends_with(']') => {
            if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
                return false;
            }
            host
        }
        _ => host,
    };
    if host.starts_with('[') {
        return host.ends_with(']');
    }
    let known = host == "localhost" || scheme.is_some() || host.contains('.');
    known && is_domain(host)
}

/// Whether this has a scheme, as every address that can be requested.
pub(super) fn is_request(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let first = scheme.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    first
        && !rest.is_empty()
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        && !text.contains(|c: char| c.is_control() || c == ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, good) in [("a.b+c@example.org", true), ("a@b", false), ("a b@c.d", false), ("@c.d", false)]
        {
            assert_eq!(is_mail(text), good, "{text}");
        }
        for (text, good) in
            [("https://example.org/x?y", true), ("example.org", true), ("foo", false), ("x://y.z", false)]
        {
            assert_eq!(is_page(text), good, "{text}");
        }
        for (text, good) in [("https://x", true), ("x/y", false), ("riverrun", false), ("oci://a/b", true)] {
            assert_eq!(is_request(text), good, "{text}");
        }
    }
}
