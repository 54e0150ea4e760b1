//! Private keys, held in memory, and what they sign.

use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::sha2::{Sha256, Sha512};
use rsa::signature::{SignatureEncoding as _, Signer as _};
use ssh_agent_lib::proto::signature::{RSA_SHA2_256, RSA_SHA2_512};
use ssh_agent_lib::ssh_key::private::KeypairData;
use ssh_agent_lib::ssh_key::public::KeyData;
use ssh_agent_lib::ssh_key::{Algorithm, HashAlg, PrivateKey, Signature};

use crate::sandbox::agent::short;
use crate::sandbox::{Error, Result};

/// A private key. Its `Debug` shows only the public half.
#[derive(Clone)]
pub struct Key {
    private: PrivateKey,
    /// The form that signs, of an RSA key.
    rsa: Option<rsa::RsaPrivateKey>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.private.fingerprint(HashAlg::Sha256))
    }
}

impl Key {
    /// Reads a key file: OpenSSH's own form, or an RSA key as PKCS #1 or PKCS #8. `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Key`] if it is none of these, or has a passphrase.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong = |why: String| Error::Key { name: name.to_owned(), why };
        let read = PrivateKey::from_openssh(text).or_else(|e| {
            let whole = short::in_full_length(text).ok_or(e)?;
            PrivateKey::from_bytes(&whole)
        });
        let private = match read {
            Ok(private) => private,
            Err(e) => {
                let rsa = rsa::RsaPrivateKey::from_pkcs1_pem(text).ok();
                let Some(rsa) = rsa.or_else(|| rsa::RsaPrivateKey::from_pkcs8_pem(text).ok()) else {
                    return Err(wrong(unreadable(text, &e.to_string())));
                };
                let pair = ssh_agent_lib::ssh_key::private::RsaKeypair::try_from(rsa.clone());
                let private = pair.map_err(|e| wrong(e.to_string()))?.into();
                return Ok(Self { private, rsa: Some(rsa) });
            }
        };
        let rsa = match private.key_data() {
            KeypairData::Encrypted(_) => return Err(wrong("it has a passphrase".to_owned())),
            KeypairData::Rsa(pair) => Some(rsa_key(pair).map_err(|e| wrong(e.to_string()))?),
            _ => None,
        };
        Ok(Self { private, rsa })
    }

    /// The public half.
    pub(super) fn public(&self) -> KeyData {
        self.private.public_key().key_data().clone()
    }

    /// What the key's owner called it.
    pub(super) fn comment(&self) -> String {
        self.private.comment().to_owned()
    }

    /// Signs; `flags` choose the digest of RSA keys.
    pub(super) fn sign(&self, data: &[u8], flags: u32) -> Option<Signature> {
        let Some(rsa) = &self.rsa else {
            return self.private.try_sign(data).ok();
        };
        let (hash, bytes) = if flags & RSA_SHA2_512 != 0 {
            (HashAlg::Sha512, SigningKey::<Sha512>::new(rsa.clone()).try_sign(data).ok()?.to_vec())
        } else if flags & RSA_SHA2_256 != 0 {
            (HashAlg::Sha256, SigningKey::<Sha256>::new(rsa.clone()).try_sign(data).ok()?.to_vec())
        } else {
            // SHA-1, which servers have not taken for years.
            return None;
        };
        Signature::new(Algorithm::Rsa { hash: Some(hash) }, bytes).ok()
    }
}

fn rsa_key(
    pair: &ssh_agent_lib::ssh_key::private::RsaKeypair,
) -> std::result::Result<rsa::RsaPrivateKey, rsa::Error> {
    let number = |bytes: &[u8]| rsa::BigUint::from_bytes_be(bytes);
    rsa::RsaPrivateKey::from_components(
        number(pair.public.n.as_bytes()),
        number(pair.public.e.as_bytes()),
        number(pair.private.d.as_bytes()),
        vec![number(pair.private.p.as_bytes()), number(pair.private.q.as_bytes())],
    )
}

fn unreadable(text: &str, why: &str) -> String {
    if text.contains("ENCRYPTED") {
        return "it has a passphrase".to_owned();
    }
    if text.contains("-----BEGIN EC PRIVATE KEY-----") || text.contains("-----BEGIN PRIVATE KEY-----") {
        return "it is not in OpenSSH's form".to_owned();
    }
    if text.contains("-----BEGIN") { why.to_owned() } else { "it is no private key".to_owned() }
}
