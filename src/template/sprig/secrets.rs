//! Sprig's passwords, ciphers, keys and certificates.
//!
//! Keys and certificates are made behind the door ([`crate::template::certificates`] is what a real door uses), so that
//! a render can be repeated.

use std::any::Any;
use std::sync::Arc;

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::door::Question;
use super::super::error::Fault;
use super::super::exec::Caller;
use super::super::function::{Function, fixed};
use super::{chance, text};
use crate::yaml::{Kind, Object, Param, Text, Value};

const STR: Param = Param::Str;
const INT: Param = Param::Int;
const LIST: Param = Param::List;
const CERT: Param = Param::Named("sprig.certificate");

/// The table.
pub(super) const FUNCTIONS: &[Function] = &[
    fixed("bcrypt", &[STR], |caller, a| {
        let hash = bcrypt_hash(caller, &text(a, 0));
        Ok(hash.unwrap_or_else(|e| format!("failed to encrypt string with bcrypt: {e}")).into())
    }),
    fixed("htpasswd", &[STR, STR], htpasswd),
    fixed("derivePassword", &[Param::Named("uint32"), STR, STR, STR, STR], |_, a| derive(a)),
    fixed("encryptAES", &[STR, STR], encrypt),
    fixed("decryptAES", &[STR, STR], |_, a| decrypt(&text(a, 0), &text(a, 1))),
    fixed("genPrivateKey", &[STR], |caller, a| match text(a, 0).as_str() {
        Some("" | "rsa" | "dsa" | "ecdsa" | "ed25519") => ask(caller, "genPrivateKey", a),
        _ => Ok(format!("Unknown type {}", text(a, 0)).into()),
    }),
    fixed("genCA", &[STR, INT], |caller, a| certificate(caller, "genCA", a)),
    fixed("genCAWithKey", &[STR, INT, STR], |caller, a| certificate(caller, "genCAWithKey", a)),
    fixed("genSelfSignedCert", &[STR, LIST, LIST, INT], |caller, a| {
        certificate(caller, "genSelfSignedCert", a)
    }),
    fixed("genSelfSignedCertWithKey", &[STR, LIST, LIST, INT, STR], |caller, a| {
        certificate(caller, "genSelfSignedCertWithKey", a)
    }),
    fixed("genSignedCert", &[STR, LIST, LIST, INT, CERT], |caller, a| {
        certificate(caller, "genSignedCert", a)
    }),
    fixed("genSignedCertWithKey", &[STR, LIST, LIST, INT, CERT, STR], |caller, a| {
        certificate(caller, "genSignedCertWithKey", a)
    }),
    fixed("buildCustomCert", &[STR, STR], |_, a| {
        let part = |i: usize, what: &str| {
            let data = STANDARD.decode(text(a, i).as_bytes());
            data.map_err(|_| Fault::Text(format!("unable to decode base64 {what}")))
        };
        let (cert, key) = (part(0, "certificate")?, part(1, "private key")?);
        super::super::certificates::check(&cert, &key)?;
        Ok(Value::Object(Arc::new(Certificate { cert: cert.into(), key: key.into() })))
    }),
];

/// Sprig's certificate: the fields `Cert` and `Key`, both PEM.
#[derive(Debug)]
struct Certificate {
    cert: Text,
    key: Text,
}

impl Object for Certificate {
    fn type_name(&self) -> &str {
        "sprig.certificate"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(Value::Str(self.cert.clone())),
            "Key" => Some(Value::Str(self.key.clone())),
            _ => None,
        }
    }

    fn print(&self) -> Text {
        format!("{{{} {}}}", self.cert, self.key).into()
    }

    fn to_plain(&self) -> Result<Value, String> {
        Ok(Value::map([("Cert", Value::Str(self.cert.clone())), ("Key", Value::Str(self.key.clone()))]))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn ask(caller: &Caller<'_, '_>, function: &str, args: &[Value]) -> Result<Value, Fault> {
    Ok(caller.door().ask(&Question::Call { function, args })?)
}

fn certificate(caller: &Caller<'_, '_>, function: &str, a: &[Value]) -> Result<Value, Fault> {
    let mut args = Vec::with_capacity(a.len());
    for arg in a {
        args.push(match arg {
            Value::Object(object) => object.to_plain()?,
            other => other.clone(),
        });
    }
    let answer = ask(caller, function, &args)?;
    let part = |name: &str| answer.get(name).and_then(|v| v.as_text().cloned()).unwrap_or_default();
    Ok(Value::Object(Arc::new(Certificate { cert: part("Cert"), key: part("Key") })))
}

fn bcrypt_hash(caller: &Caller<'_, '_>, password: &Text) -> Result<String, String> {
    if password.len() > 72 {
        return Err("bcrypt: password length exceeds 72 bytes".to_owned());
    }
    let mut salt = [0; 16];
    salt.copy_from_slice(&chance::bytes(caller, 16).map_err(|e| e.to_string())?);
    let parts = bcrypt::hash_with_salt(password.as_bytes(), 10, salt).map_err(|e| e.to_string())?;
    Ok(parts.format_for_version(bcrypt::Version::TwoA))
}

fn htpasswd(caller: &mut Caller<'_, '_>, a: &[Value]) -> Result<Value, Fault> {
    let (user, password) = (text(a, 0), text(a, 1));
    if user.as_bytes().contains(&b':') {
        return Ok(format!("invalid username: {user}").into());
    }
    let hash = bcrypt_hash(caller, &password);
    let hash = hash.unwrap_or_else(|e| format!("failed to encrypt string with bcrypt: {e}"));
    Ok(format!("{user}:{hash}").into())
}

/// The Master Password algorithm.
fn derive(a: &[Value]) -> Result<Value, Fault> {
    const MASTER: &[u8] = b"com.lyndir.masterpassword";
    let templates: &[&[u8]] = match text(a, 1).as_str() {
        Some("maximum") => &[b"anoxxxxxxxxxxxxxxxxx", b"axxxxxxxxxxxxxxxxxno"],
        Some("long") => &[
            b"CvcvnoCvcvCvcv",
            b"CvcvCvcvnoCvcv",
            b"CvcvCvcvCvcvno",
            b"CvccnoCvcvCvcv",
            b"CvccCvcvnoCvcv",
            b"CvccCvcvCvcvno",
            b"CvcvnoCvccCvcv",
            b"CvcvCvccnoCvcv",
            b"CvcvCvccCvcvno",
            b"CvcvnoCvcvCvcc",
            b"CvcvCvcvnoCvcc",
            b"CvcvCvcvCvccno",
            b"CvccnoCvccCvcv",
            b"CvccCvccnoCvcv",
            b"CvccCvccCvcvno",
            b"CvcvnoCvccCvcc",
            b"CvcvCvccnoCvcc",
            b"CvcvCvccCvccno",
            b"CvccnoCvcvCvcc",
            b"CvccCvcvnoCvcc",
            b"CvccCvcvCvccno",
        ],
        Some("medium") => &[b"CvcnoCvc", b"CvcCvcno"],
        Some("short") => &[b"Cvcn"],
        Some("basic") => &[b"aaanaaan", b"aannaaan", b"aaannaaa"],
        Some("pin") => &[b"nnnn"],
        _ => return Ok(format!("cannot find password template {}", text(a, 1)).into()),
    };
    let counter = match &a[0] {
        Value::Int(n, _) => u32::try_from(*n).unwrap_or(0),
        Value::Uint(n, _) => u32::try_from(*n).unwrap_or(0),
        _ => 0,
    };
    let (password, user, site) = (text(a, 2), text(a, 3), text(a, 4));
    let length = |text: &Text| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [MASTER, &length(&user), user.as_bytes()].concat();
    let params =
        scrypt::Params::new(15, 8, 2).map_err(|e| Fault::Text(format!("failed to derive password: {e}")))?;
    let mut key = [0; 64];
    scrypt::scrypt(password.as_bytes(), &salt, &params, &mut key)
        .map_err(|e| Fault::Text(format!("failed to derive password: {e}")))?;
    let message = [MASTER, &length(&site), site.as_bytes(), &counter.to_be_bytes()].concat();
    let seed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &message);
    let seed = seed.as_ref();
    let template = templates[usize::from(seed[0]) % templates.len()];
    let out: String =
        template.iter().enumerate().map(|(i, class)| letter(*class, seed[(i + 1) % 32])).collect();
    Ok(out.into())
}

fn letter(class: u8, byte: u8) -> char {
    let set: &[u8] = match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    };
    set[usize::from(byte) % set.len()] as char
}

fn aes_key(password: &Text) -> Result<UnboundCipherKey, Fault> {
    let mut key = [0; 32];
    let n = password.len().min(32);
    key[..n].copy_from_slice(&password.as_bytes()[..n]);
    UnboundCipherKey::new(&AES_256, &key).map_err(|_| Fault::from("bad AES key"))
}

fn encrypt(caller: &mut Caller<'_, '_>, a: &[Value]) -> Result<Value, Fault> {
    let plain = text(a, 1);
    if plain.is_empty() {
        return Ok("".into());
    }
    let mut iv = [0; 16];
    iv.copy_from_slice(&chance::bytes(caller, 16)?);
    let failed = |_| Fault::from("encryption failed");
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(aes_key(&text(a, 0))?).map_err(failed)?;
    let mut buffer = plain.as_bytes().to_vec();
    key.less_safe_encrypt(&mut buffer, EncryptionContext::Iv128(iv.into())).map_err(failed)?;
    Ok(STANDARD.encode([&iv[..], &buffer].concat()).into())
}

fn decrypt(password: &Text, sealed: &Text) -> Result<Value, Fault> {
    if sealed.is_empty() {
        return Ok("".into());
    }
    let data = super::encode::decode_base64(sealed.as_bytes())?;
    let Some((iv, body)) = data.split_first_chunk::<16>() else {
        return Err("runtime error: slice bounds out of range".into());
    };
    if body.is_empty() || body.len() % 16 != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let failed = |_| Fault::from("decryption failed: wrong password or damaged data");
    let key: DecryptingKey = DecryptingKey::cbc(aes_key(password)?).map_err(failed)?;
    let mut buffer = body.to_vec();
    let plain = key.decrypt(&mut buffer, DecryptionContext::Iv128((*iv).into())).map_err(failed)?;
    // Sprig believes the last byte, whatever stands before it.
    let pad = usize::from(plain.last().copied().unwrap_or(0));
    match plain.len().checked_sub(pad) {
        Some(n) => Ok(Value::str(&plain[..n])),
        None => Err("runtime error: slice bounds out of range".into()),
    }
}
