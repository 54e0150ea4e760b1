//! The text of `/etc/resolv.conf` and `/etc/hosts` in a step.

use std::fmt::Write as _;

use crate::base::is_loopback;
use crate::host;
use crate::sandbox::{HostAddress, Network, RunSpec};

/// Public name servers for a step that would have none (as Docker and BuildKit).
const FALLBACK: [&str; 4] = ["8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"];

/// systemd-resolved's stub, whose own list of servers lies elsewhere.
const STUB: &str = "127.0.0.53";

/// The step's `/etc/resolv.conf`, from this machine's.
pub(super) fn resolv_conf(network: Network) -> String {
    let read = |path: &str| {
        host::fs::read_limited(path, 1 << 20).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read("/etc/resolv.conf").unwrap_or_default();
    let behind = if servers(&text).eq([STUB]) { read("/run/systemd/resolve/resolv.conf") } else { None };
    for_step(&behind.unwrap_or(text), network)
}

fn servers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.split_ascii_whitespace().next())
}

/// With this machine's network everything is reachable; without it a server on loopback is somebody else's loopback.
fn for_step(text: &str, network: Network) -> String {
    let mut kept = String::new();
    let mut any = false;
    for line in text.lines() {
        let server = servers(line).next();
        if network == Network::None
            && server.is_some_and(|server| is_loopback(server.split('%').next().unwrap_or(server)))
        {
            continue;
        }
        any |= server.is_some();
        let _ = writeln!(kept, "{line}");
    }
    if !any {
        for server in FALLBACK {
            let _ = writeln!(kept, "nameserver {server}");
        }
    }
    kept
}

/// The step's `/etc/hosts`.
pub(super) fn hosts(spec: &RunSpec) -> String {
    let mut text = format!(
        "127.0.0.1\tlocalhost {}\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
        spec.hostname
    );
    for (name, address) in &spec.hosts {
        let _ = match address {
            HostAddress::Ip(ip) => writeln!(text, "{ip}\t{name}"),
            // A step has either this machine's own network, where loopback is the machine, or none.
            HostAddress::Gateway => writeln!(text, "127.0.0.1\t{name}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Root;

    #[test]
    fn name_servers_that_a_step_cannot_reach_are_left_out() {
        let text = "# by hand\nnameserver 127.0.0.1\nnameserver ::1\nnameserver 10.0.0.2\nsearch a b\n";
        assert_eq!(for_step(text, Network::Host), text);
        assert_eq!(for_step(text, Network::None), "# by hand\nnameserver 10.0.0.2\nsearch a b\n");
        assert!(for_step("nameserver 127.0.0.1\n", Network::None).contains("nameserver 8.8.8.8\n"));
        assert!(for_step("", Network::Host).contains("8.8.4.4"));
        assert!(servers("nameserver 127.0.0.53\noptions edns0\n").eq([STUB]));
    }

    #[test]
    fn hosts_name_the_step_itself_and_what_was_added() {
        let mut spec = RunSpec::new(Root::Directory("/r".into()), vec!["x".into()]);
        spec.hosts = vec![
            ("db".into(), "10.1.2.3".parse().unwrap()),
            ("six".into(), "[::2]".parse().unwrap()),
            ("me".into(), "host-gateway".parse().unwrap()),
        ];
        let text = hosts(&spec);
        for line in ["127.0.0.1\tlocalhost buildkitsandbox", "10.1.2.3\tdb", "::2\tsix", "127.0.0.1\tme"] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!("10.0.0".parse::<HostAddress>().is_err());
    }
}
