//! The words of EXPOSE: `[[ip:]host:]port[-port][/protocol]` becomes `port/protocol`, one a port.

/// The ports that `word` means.
///
/// # Errors
/// In words, if it is not a port.
pub fn expand(word: &str) -> Result<Vec<String>, String> {
    let (ip, host, container) = split(word);
    let (range, protocol) = container.split_once('/').unwrap_or((container, ""));
    if range.is_empty() {
        return Err(format!("invalid port: {word:?}: no port specified"));
    }
    let protocol = protocol.to_lowercase();
    let protocol = match protocol.as_str() {
        "" => "tcp",
        known @ ("tcp" | "udp" | "sctp") => known,
        other => return Err(format!("invalid port: {word:?}: invalid proto: {other}")),
    };
    let address = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    if !address.is_empty() && address.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("invalid IP address: {address}"));
    }
    let (first, last) = parse_range(range).ok_or_else(|| format!("invalid containerPort: {range}"))?;
    if !host.is_empty() {
        let (host_first, host_last) = parse_range(host).ok_or_else(|| format!("invalid hostPort: {host}"))?;
        if last - first != host_last - host_first && first != last {
            return Err(format!("invalid ranges specified for container and host Ports: {range} and {host}"));
        }
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// What of a word of EXPOSE is legal but not meant: nothing, if it is not a port at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// The protocol has capitals.
    pub protocol: bool,
    /// An address or a port of the host stands before it.
    pub host: bool,
}

/// What is odd about `word`. Whether it is right is not looked at further than its protocol, as in BuildKit.
pub fn oddities(word: &str) -> Oddities {
    let (ip, host, container) = split(word);
    let (range, protocol) = container.split_once('/').unwrap_or((container, ""));
    let known = ["", "tcp", "udp", "sctp"].contains(&protocol.to_lowercase().as_str());
    if range.is_empty() || !known {
        return Oddities::default();
    }
    Oddities { protocol: protocol != protocol.to_lowercase(), host: !ip.is_empty() || !host.is_empty() }
}

fn split(word: &str) -> (&str, &str, &str) {
    match word.rsplit_once(':') {
        None => ("", "", word),
        Some((rest, container)) => match rest.rsplit_once(':') {
            None => ("", rest, container),
            Some((ip, host)) => (ip, host, container),
        },
    }
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (parse_port(first)?, parse_port(last)?);
    (first <= last).then_some((first, last))
}

/// Go's ParseInt takes a sign.
fn parse_port(text: &str) -> Option<u16> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let table: [(&str, &[&str]); 7] = [
            ("80", &["80/tcp"]),
            ("80/UDP", &["80/udp"]),
            ("8000-8002", &["8000/tcp", "8001/tcp", "8002/tcp"]),
            ("8080:80", &["80/tcp"]),
            ("127.0.0.1:8080:80/sctp", &["80/sctp"]),
            ("[::1]:8080:80", &["80/tcp"]),
            ("9000-9002:80", &["80/tcp"]),
        ];
        for (word, ports) in table {
            assert_eq!(expand(word).unwrap(), ports, "{word}");
        }
        for bad in ["", "x", "80/icmp", "81-80", "65536", "1.2.3:1:1", "-1", "1-3:1-2", "/tcp"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }
}
