//! Names of hosts. A static binary has no `getaddrinfo`, so the resolver is the one the HTTP client uses.

use hickory_resolver::TokioResolver;

/// The first address of a host, IPv4 before IPv6; `None` if it has none or nobody answers.
///
/// Blocks, also where an async runtime is running: the question has a thread of its own.
pub fn first_address(name: &str) -> Option<String> {
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Some(name.to_owned());
    }
    let name = name.to_owned();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let resolver = TokioResolver::builder_tokio().ok()?.build().ok()?;
        let found = runtime.block_on(resolver.lookup_ip(name)).ok()?;
        let mut addresses: Vec<_> = found.iter().collect();
        addresses.sort_by_key(|a| !a.is_ipv4());
        addresses.first().map(ToString::to_string)
    })
    .join()
    .ok()
    .flatten()
}
