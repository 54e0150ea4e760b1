//! Signing and checking with the keys of the fixtures.

use super::*;

const SECRET: &[u8] = include_bytes!("../../../fixtures/compat/helm/provenance/secret.gpg");
const PUBLIC: &[u8] = include_bytes!("../../../fixtures/compat/helm/provenance/public.gpg");
const BOX: &[u8] = include_bytes!("../../../fixtures/compat/helm/provenance/pubring.kbx");

fn metadata() -> Metadata {
    Metadata { name: "a".into(), version: "1.0.0".into(), description: "- b".into(), ..Metadata::default() }
}

#[test]
fn signed_and_checked() {
    let (secret, public) = (Keyring::read(SECRET).unwrap(), Keyring::read(PUBLIC).unwrap());
    let signer = secret.signer("eve@").unwrap();
    assert_eq!(signer.locked(), None);
    let now = 1_900_000_000;
    let text = sign(&signer, &metadata(), ("a-1.0.0.tgz", b"archive"), b"", now).unwrap();
    let check = |name: &str, archive: &[u8], text: &str, at: u64| {
        verify(&public, (name, archive), text.as_bytes(), at).map_err(|e| e.to_string())
    };
    let good = check("a-1.0.0.tgz", b"archive", &text, now).unwrap();
    assert_eq!(good.signed_by, ["Eve Eddy <eve@example.com>"]);
    assert_eq!(good.fingerprint.len(), 40);
    assert!(check("a-1.0.0.tgz", b"other", &text, now).unwrap_err().contains("sum does not match"));
    assert!(check("b-1.0.0.tgz", b"archive", &text, now).unwrap_err().contains("does not contain a SHA"));
    // A signature from the future is none.
    assert!(check("a-1.0.0.tgz", b"archive", &text, now - 1).unwrap_err().contains("expired"));
    let locked = secret.signer("Lou").unwrap();
    assert_eq!(locked.locked().as_deref(), Some("Lou Locke <lou@example.com>"));
    assert!(locked.sign(b"x", b"wrong", now).unwrap_err().to_string().contains("checksum"));
    assert!(locked.sign(b"x", b"open sesame", now).is_ok());
}

#[test]
fn no_keyring_is_read_further_than_it_goes() {
    assert!(Keyring::read(BOX).is_ok() && Keyring::read(b"").is_ok());
    assert!(Keyring::read(b"hello").is_err());
    // Cut or changed anywhere, a ring is an error or a smaller ring, never a panic.
    for ring in [PUBLIC, BOX, SECRET] {
        for at in (0..ring.len()).step_by(ring.len() / 60) {
            let _ = Keyring::read(&ring[..at]);
            let mut changed = ring.to_vec();
            changed[at] ^= 0x55;
            if let Ok(keyring) = Keyring::read(&changed) {
                let _ = keyring.signer("Ann");
            }
        }
    }
}
