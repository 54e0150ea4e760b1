//! Keyrings and keys: the door to the OpenPGP library.

use pgp::composed::{
    ArmorOptions, Deserializable as _, DetachedSignature, PublicOrSecret, SignedKeyDetails, SignedSecretKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    PublicKey, PublicSubkey, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData,
};
use pgp::types::{KeyDetails as _, KeyVersion, Password, SignedUser, Tag, Timestamp, VerifyingKey};

use super::{Error, keybox, wrong};

/// More keys than this a keyring is not read for.
const KEYS: usize = 10_000;

/// The keys of a keyring's file.
#[derive(Debug)]
pub struct Keyring(Vec<PublicOrSecret>);

impl Keyring {
    /// Reads a keyring: packets as in `pubring.gpg` and `secring.gpg`, armored blocks, or a keybox.
    ///
    /// # Errors
    /// [`Error::Provenance`] if it holds something else.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut keys = Vec::new();
        if keybox::is(bytes) {
            let packets = keybox::keys(bytes);
            collect(&packets.ok_or_else(|| wrong("keybox contains no OpenPGP keys"))?, &mut keys)?;
        } else if bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP") {
            let text = String::from_utf8_lossy(bytes);
            for block in blocks(&text) {
                let (found, _) = PublicOrSecret::from_armor_many(block.as_bytes()).map_err(damaged)?;
                keep(found, &mut keys)?;
            }
            if keys.is_empty() {
                return Err(wrong("no keys found"));
            }
        } else {
            collect(bytes, &mut keys)?;
        }
        Ok(Self(keys))
    }

    /// The key that signs for a name: one that is called so, or the only one whose name contains it.
    ///
    /// # Errors
    /// [`Error::Provenance`] if there is none, there are several, or it is a public key only.
    pub fn signer(&self, id: &str) -> Result<Signer<'_>, Error> {
        let mut candidate = None;
        let mut vague = false;
        for key in &self.0 {
            let names = names(details(key));
            if id.is_empty() || names.iter().any(|name| name == id) {
                // Without a name Helm has no key at all.
                candidate = (!id.is_empty()).then_some(key);
                vague = false;
                break;
            }
            if names.iter().any(|name| name.contains(id)) {
                vague |= candidate.is_some();
                candidate = Some(key);
            }
        }
        if vague {
            return Err(wrong(format!("more than one key contain the id {id:?}")));
        }
        match candidate {
            None => Err(wrong("private key not found")),
            Some(PublicOrSecret::Public(_)) => {
                Err(wrong("provided key is not a private key. Try providing a keyring with secret keys"))
            }
            Some(PublicOrSecret::Secret(key)) => Ok(Signer(key)),
        }
    }

    /// The names and the fingerprint of the key that made a signature over `data`.
    ///
    /// # Errors
    /// [`Error::Provenance`] if no key of the ring made it, or the key or the signature is not valid at that time.
    pub fn check(&self, data: &[u8], armored: &str, now: u64) -> Result<(Vec<String>, String), Error> {
        let (signatures, _) = DetachedSignature::from_string_many(armored).map_err(damaged)?;
        let mut failure = wrong("openpgp: signature made by unknown entity");
        for signature in signatures.take(16) {
            let signature = signature.map_err(damaged)?.signature;
            for key in &self.0 {
                match check(key, &signature, data, now) {
                    Some(Ok(())) => {
                        let fingerprint = format!("{:X}", primary(key).fingerprint());
                        return Ok((names(details(key)), fingerprint));
                    }
                    Some(Err(why)) => failure = wrong(format!("openpgp: {why}")),
                    None => {}
                }
            }
        }
        Err(failure)
    }
}

/// A secret key.
#[derive(Debug)]
pub struct Signer<'k>(&'k SignedSecretKey);

impl Signer<'_> {
    /// The name to ask a passphrase for, if the key is locked.
    pub fn locked(&self) -> Option<String> {
        let name = || names(&self.0.details).into_iter().find(|name| !name.is_empty());
        let locked = self.0.primary_key.secret_params().is_encrypted();
        locked.then(|| name().unwrap_or_else(|| "Unknown".to_owned()))
    }

    /// An armored signature over text whose lines end with CRLF, by the primary key as Helm does.
    ///
    /// # Errors
    /// [`Error::Provenance`] if the passphrase is wrong or the key cannot sign.
    pub fn sign(&self, text: &[u8], passphrase: &[u8], now: u64) -> Result<String, Error> {
        let (key, password) = (&self.0.primary_key, Password::from(passphrase));
        if key.version() != KeyVersion::V4 {
            return Err(wrong("only keys of version 4 can sign charts"));
        }
        key.unlock(&password, |_, _| Ok(())).and_then(|unlocked| unlocked).map_err(|_| {
            wrong("the key cannot be unlocked: openpgp: invalid data: private key checksum failure")
        })?;
        let refused = |e: pgp::errors::Error| wrong(format!("the key cannot sign: {e}"));
        let time = Timestamp::from_secs(u32::try_from(now).unwrap_or(u32::MAX));
        let mut config = SignatureConfig::v4(SignatureType::Text, key.algorithm(), HashAlgorithm::Sha512);
        let regular = |data| Subpacket::regular(data).map_err(refused);
        config.hashed_subpackets = vec![
            regular(SubpacketData::SignatureCreationTime(time))?,
            regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
        ];
        config.unhashed_subpackets = vec![regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
        let signature = config.sign(key, &password, text).map_err(refused)?;
        DetachedSignature::new(signature).to_armored_string(ArmorOptions::default()).map_err(refused)
    }
}

fn damaged(error: pgp::errors::Error) -> Error {
    wrong(format!("openpgp: invalid data: {error}"))
}

/// The armored blocks of a text.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = text.match_indices("-----BEGIN PGP").map(|(at, _)| at).take(KEYS).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &text[start..end])
}

fn collect(packets: &[u8], keys: &mut Vec<PublicOrSecret>) -> Result<(), Error> {
    if packets.is_empty() {
        return Ok(());
    }
    let packets = keybox::without_trust(packets);
    keep(PublicOrSecret::from_bytes_many(packets.as_slice()).map_err(damaged)?, keys)
}

/// Keeps what can be read: a ring may hold keys that are newer than the library.
fn keep(
    found: impl Iterator<Item = pgp::errors::Result<PublicOrSecret>>,
    keys: &mut Vec<PublicOrSecret>,
) -> Result<(), Error> {
    let (before, mut problem) = (keys.len(), None);
    for key in found.take(KEYS) {
        match key {
            Ok(key) => keys.push(key),
            Err(e) => problem = Some(e),
        }
    }
    match problem {
        Some(problem) if keys.len() == before => Err(damaged(problem)),
        _ => Ok(()),
    }
}

fn details(key: &PublicOrSecret) -> &SignedKeyDetails {
    match key {
        PublicOrSecret::Public(key) => &key.details,
        PublicOrSecret::Secret(key) => &key.details,
    }
}

fn primary(key: &PublicOrSecret) -> &PublicKey {
    match key {
        PublicOrSecret::Public(key) => &key.primary_key,
        PublicOrSecret::Secret(key) => key.primary_key.public_key(),
    }
}

/// The public subkeys with their signatures.
fn subkeys(key: &PublicOrSecret) -> Vec<(&PublicSubkey, &[Signature])> {
    let (public, secret) = match key {
        PublicOrSecret::Public(key) => (&key.public_subkeys, None),
        PublicOrSecret::Secret(key) => (&key.public_subkeys, Some(&key.secret_subkeys)),
    };
    let public = public.iter().map(|sub| (&sub.key, sub.signatures.as_slice()));
    let secret = secret.into_iter().flatten();
    public.chain(secret.map(|sub| (sub.key.public_key(), sub.signatures.as_slice()))).collect()
}

fn names(details: &SignedKeyDetails) -> Vec<String> {
    details.users.iter().map(|user| String::from_utf8_lossy(user.id.id()).into_owned()).collect()
}

/// Whether a key made a signature; `None` if the signature names another one.
fn check(
    key: &PublicOrSecret,
    signature: &Signature,
    data: &[u8],
    now: u64,
) -> Option<Result<(), &'static str>> {
    let main = primary(key);
    if made_by(signature, main) {
        return Some(signs(main, signature, data).and_then(|()| valid(key, None, signature, now)));
    }
    let (sub, bindings) = subkeys(key).into_iter().find(|(sub, _)| made_by(signature, *sub))?;
    Some(signs(sub, signature, data).and_then(|()| valid(key, Some((sub, bindings)), signature, now)))
}

fn made_by(signature: &Signature, key: &impl pgp::types::KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        return signature.issuer_key_id().contains(&&key.legacy_key_id());
    }
    fingerprints.contains(&&key.fingerprint())
}

fn signs(key: &impl VerifyingKey, signature: &Signature, data: &[u8]) -> Result<(), &'static str> {
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err("invalid signature: it is not one over a text");
    }
    signature.verify(key, data).map_err(|_| "invalid signature: verification failure")
}

/// Whether key and signature hold at a time (`RFC 9580: 5.2.3`, 10.1).
fn valid(
    key: &PublicOrSecret,
    sub: Option<(&PublicSubkey, &[Signature])>,
    signature: &Signature,
    now: u64,
) -> Result<(), &'static str> {
    let (main, details) = (primary(key), details(key));
    if details.revocation_signatures.iter().any(|s| s.verify_key(main).is_ok()) {
        return Err("signature made by revoked key");
    }
    let own = own_signature(main, details).ok_or("the key is not signed by itself")?;
    if expired(main.created_at().as_secs(), own.key_expiration_time(), now) {
        return Err("key expired");
    }
    let flags = match sub {
        None => own.key_flags(),
        Some((sub, bindings)) => {
            let binding = bound(main, sub, bindings)?;
            if expired(sub.created_at().as_secs(), binding.key_expiration_time(), now) {
                return Err("key expired");
            }
            binding.key_flags()
        }
    };
    // A key without flags may do what its algorithm can; a subkey must be meant for it.
    if !flags.sign() && (sub.is_some() || flags != pgp::packet::KeyFlags::default()) {
        return Err("signature made by unknown entity: the key is not meant for signing");
    }
    let made = signature.created().ok_or("invalid signature: it carries no time")?;
    if expired(made.as_secs(), signature.signature_expiration_time(), now) || u64::from(made.as_secs()) > now
    {
        return Err("signature expired");
    }
    Ok(())
}

/// The newest signature of a key over one of its names that says which name is the main one, or over itself.
fn own_signature<'k>(main: &PublicKey, details: &'k SignedKeyDetails) -> Option<&'k Signature> {
    let mut best: Option<&Signature> = None;
    let of_users = details.users.iter().flat_map(|user| own_of(main, user));
    let direct = details.direct_signatures.iter().filter(|s| s.verify_key(main).is_ok());
    for signature in of_users.chain(direct) {
        let rank = |s: &Signature| (s.is_primary(), s.created());
        if best.is_none_or(|best| rank(signature) > rank(best)) {
            best = Some(signature);
        }
    }
    best
}

/// The key's own signatures over a name, unless it has been taken back.
fn own_of<'k>(main: &PublicKey, user: &'k SignedUser) -> Vec<&'k Signature> {
    let own: Vec<&Signature> = user
        .signatures
        .iter()
        .filter(|s| made_by(s, main) && s.verify_certification(main, Tag::UserId, &user.id).is_ok())
        .collect();
    let back = own.iter().filter(|s| s.typ() == Some(SignatureType::CertRevocation));
    let back = back.filter_map(|s| s.created()).max();
    let own = own.into_iter().filter(|s| s.typ() != Some(SignatureType::CertRevocation));
    own.filter(|s| back.is_none_or(|back| s.created() > Some(back))).collect()
}

/// The newest signature that binds a subkey, both ways, as it must be for a key that signs.
fn bound<'k>(
    main: &PublicKey,
    sub: &PublicSubkey,
    bindings: &'k [Signature],
) -> Result<&'k Signature, &'static str> {
    let good: Vec<&Signature> =
        bindings.iter().filter(|s| s.verify_subkey_binding(main, sub).is_ok()).collect();
    if good.iter().any(|s| s.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Err("signature made by revoked key");
    }
    let newest = good.into_iter().max_by_key(|s| s.created()).ok_or("the subkey is not bound to its key")?;
    let back = newest.embedded_signature();
    match back.map(|back| back.verify_primary_key_binding(sub, main)) {
        Some(Ok(())) => Ok(newest),
        _ => Err("the subkey does not say that it belongs to its key"),
    }
}

fn expired(from: u32, after: Option<pgp::types::Duration>, now: u64) -> bool {
    let after = after.map_or(0, |after| after.as_secs());
    after != 0 && u64::from(from) + u64::from(after) <= now
}
