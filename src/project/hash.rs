//! werf's hashes of words, which enter names in registries and clusters and so must be equal byte for byte.
//!
//! Source of the rules: werf's `common-go`, package `util`: words are joined by `:::` before they are hashed.

use sha2::{Digest as _, Sha256};
use sha3::Sha3_224;

fn joined(words: &[&str]) -> String {
    words.join(":::")
}

/// SHA-256 of the words, 64 lower-case hex digits.
pub fn sha256(words: &[&str]) -> String {
    hex::encode(Sha256::digest(joined(words)))
}

/// SHA3-224 of the words, 56 lower-case hex digits: the digest of a stage.
pub fn sha3(words: &[&str]) -> String {
    hex::encode(Sha3_224::digest(joined(words)))
}

/// The 32-bit MurmurHash3 of the words with seed 0, as hex digits without leading zeros.
pub fn murmur(words: &[&str]) -> String {
    format!("{:x}", murmur3(joined(words).as_bytes()))
}

/// MurmurHash3_x86_32 with seed 0. The algorithm is in the public domain; a crate would be larger than it is.
fn murmur3(bytes: &[u8]) -> u32 {
    let scramble = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let mut hash = 0_u32;
    let (blocks, rest) = bytes.as_chunks::<4>();
    for block in blocks {
        hash ^= scramble(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let tail = rest.iter().rev().fold(0_u32, |tail, byte| tail << 8 | u32::from(*byte));
    hash ^= scramble(tail);
    // The length enters modulo 2³².
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur_has_werfs_values() {
        let cases = [("", "0"), ("foo", "f6a5c420"), ("backend", "27dba8ed"), ("group/app", "b1cace51")];
        for (word, hash) in cases {
            assert_eq!(murmur(&[word]), hash, "{word:?}");
        }
    }

    #[test]
    fn a_stage_digest_is_made_of_both_shas() {
        let dependencies = sha256(&["alpine:3.20", "RUN true"]);
        assert_eq!(dependencies, "ed03b90a69875f90dad2a459d58974c54de616c1951974a23ae768514ea44993");
        let amd64 = sha3(&["1.2", "dockerfile", &dependencies]);
        assert_eq!(amd64, "dbcfa59d4f05e781ef05dfb6ed96b4903bc56f8d0650799a2fa5aa32");
        let arm64 = sha3(&["linux/arm64", "1.2", "dockerfile", &dependencies]);
        assert_eq!(arm64, "04bb94012924f70fa8daf7bef17fb95d0a3a41c9db97dfa5339449c3");
        let content = sha3(&["1.2", "dockerfile-content", "", &amd64, ""]);
        assert_eq!(content, "a800db4ee43c8e8586d94492119e8a08237cb3600c28e1f51efc19e5");
    }

    #[test]
    fn an_index_hashes_its_stage_ids() {
        let ids = [format!("{}-1700000000000", "a".repeat(56)), format!("{}-1700000000001", "b".repeat(56))];
        assert_eq!(sha3(&[&ids[0], &ids[1]]), "f1aa91a926ae5b9c42cdb95d0f02ac74b9c76908d4a988b2f9ab91fc");
    }
}
