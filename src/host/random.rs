//! Randomness, for names that must not collide. Never enters a content hash.

use rustix::rand::{GetRandomFlags, getrandom};

/// 128 random bits as 32 hexadecimal digits.
pub fn token() -> String {
    let mut bytes = [0u8; 16];
    let filled = getrandom(&mut bytes, GetRandomFlags::empty()).unwrap_or(0);
    if filled < bytes.len() {
        // A kernel without entropy: names stay unique by process and time.
        let now = super::clock::system().now().as_nanos();
        let process = u128::from(std::process::id());
        bytes = (now ^ (process << 96)).to_le_bytes();
    }
    hex::encode(bytes)
}

/// That many random bytes, good enough for keys.
///
/// # Errors
/// If the kernel has no entropy to give.
pub fn bytes(count: usize) -> Result<Vec<u8>, super::Error> {
    let mut bytes = vec![0u8; count];
    let mut filled = 0;
    while filled < count {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(n) => filled += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(super::Error::new("get random bytes", "/dev/urandom", e)),
        }
    }
    Ok(bytes)
}
