//! Names of hosts.

use core::net::IpAddr;

/// Whether `host[:port]` is this machine by name: `localhost`, its subdomains (RFC 6761, section 6.3), 127.0.0.0/8 and ::1.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None if host.matches(':').count() > 1 => host,
        None => host.split(':').next().unwrap_or_default(),
    };
    let address = name.parse::<IpAddr>().is_ok_and(|a| a.is_loopback());
    address || name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_others() {
        for own in [
            "localhost",
            "LocalHost:5000",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:80",
            "::1",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for other in
            ["", "localhost.example", "notlocalhost", "128.0.0.1", "10.0.0.1:5000", "[::2]:80", "::2"]
        {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
