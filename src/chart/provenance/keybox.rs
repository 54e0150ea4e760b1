//! GnuPG's own files: the keybox `pubring.kbx`, blobs with keys in them (GnuPG: kbx/keybox-blob.c), and what
//! `pubring.gpg` has between the packets of a key.

/// Whether bytes are a keybox.
pub fn is(bytes: &[u8]) -> bool {
    bytes.get(4) == Some(&1) && bytes.get(8..12) == Some(b"KBXf")
}

/// The OpenPGP keys of a keybox, one behind the other; `None` if the file is damaged or holds none.
pub fn keys(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, mut out) = (bytes, Vec::new());
    while !rest.is_empty() {
        let length = number(rest, 0)?;
        if length < 5 {
            return None;
        }
        let blob = rest.get(..length)?;
        rest = rest.get(length..)?;
        // Type 2 is OpenPGP; the flag says that the blob is not part of the ring (yet).
        if blob.get(4) == Some(&2) {
            let (at, size) = (number(blob, 8)?, number(blob, 12)?);
            let key = blob.get(at..at.checked_add(size)?)?;
            if blob.get(7)? & 2 == 0 {
                out.extend_from_slice(key);
            }
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The packets of a ring without those that say whom GnuPG trusts: they stand between a key and its signatures, and are
/// GnuPG's own business (`RFC 9580: 5.10`). What cannot be parted is left as it is.
pub fn without_trust(bytes: &[u8]) -> Vec<u8> {
    let (mut rest, mut out) = (bytes, Vec::with_capacity(bytes.len()));
    while let Some((tag, length)) = packet(rest).filter(|(_, length)| *length <= rest.len()) {
        if tag != 12 {
            out.extend_from_slice(&rest[..length]);
        }
        rest = &rest[length..];
    }
    out.extend_from_slice(rest);
    out
}

/// The kind of the first packet and its length with its head (`RFC 9580: 4.2`).
fn packet(bytes: &[u8]) -> Option<(u8, usize)> {
    let (first, second) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    let of = |count: usize| -> Option<usize> {
        bytes.get(1..=count)?.iter().try_fold(0usize, |n, b| n.checked_mul(256)?.checked_add(usize::from(*b)))
    };
    let (tag, head, body) = match (first & 0xc0, second) {
        (0xc0, 0..=191) => (first & 0x3f, 2usize, second),
        (0xc0, 192..=223) => (first & 0x3f, 3, ((second - 192) << 8) + usize::from(*bytes.get(2)?) + 192),
        (0xc0, 255) => (first & 0x3f, 6, number(bytes, 2)?),
        (0x80, _) if first & 3 < 3 => ((first >> 2) & 0xf, 1 + (1 << (first & 3)), of(1 << (first & 3))?),
        _ => return None,
    };
    Some((tag, body.checked_add(head)?))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(four)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(kind: u8, flags: u8, key: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(16 + key.len()).unwrap().to_be_bytes().to_vec();
        out.extend([kind, 1, 0, flags]);
        out.extend(16u32.to_be_bytes());
        out.extend(u32::try_from(key.len()).unwrap().to_be_bytes());
        out.extend(key);
        out
    }

    #[test]
    fn trust_is_left_out() {
        let ring =
            [&[0x98, 1, 7][..], &[0xb0, 2, 0, 6], &[0xc6, 1, 8], &[0xcc, 1, 9], &[0x99, 0, 1, 5], &[0x10, 1]];
        assert_eq!(without_trust(&ring.concat()), [0x98, 1, 7, 0xc6, 1, 8, 0x99, 0, 1, 5, 0x10, 1]);
        assert_eq!(without_trust(&[0xb0, 200]), [0xb0, 200]);
        assert_eq!(without_trust(b""), b"");
    }

    #[test]
    fn keys_are_found_and_damage_is_noticed() {
        let mut head = blob(1, 0, b"");
        head[8..12].copy_from_slice(b"KBXf");
        let ring =
            [head, blob(2, 0, b"one"), blob(3, 0, b"x509"), blob(2, 2, b"not yet"), blob(2, 0, b"two")];
        let ring = ring.concat();
        assert!(is(&ring) && !is(b"KBXf"));
        assert_eq!(keys(&ring).unwrap(), b"onetwo");
        for end in 0..ring.len() {
            // No part of it may panic; a cut inside a blob is an error.
            let _ = keys(&ring[..end]);
        }
        assert_eq!(keys(&ring[..ring.len() - 1]), None);
        assert_eq!(keys(&[0, 0, 0, 0, 2]), None);
    }
}
