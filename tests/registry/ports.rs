//! Ports for servers that cannot be told to take any.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// A port of loopback that nobody listens on. It is none of those that the kernel gives to whoever takes any
/// (`net.ipv4.ip_local_port_range`), so that no server of another test gets it before the one it is for.
pub fn free() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = std::process::id().wrapping_mul(97).wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(20_000 + step % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
