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
