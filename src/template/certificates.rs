//! Keys and certificates as Sprig makes them: what a door needs to answer `genCA` and its kin.
//!
//! Nothing here is deterministic; a render that must be repeatable asks a door that remembers the answers.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};

use crate::yaml::Value;

/// Answers a question of Sprig's functions about keys and certificates, at the given time.
///
/// `now` is in seconds since 1970, `serial` 16 random bytes. Certificates come as a map with `Cert` and `Key`.
///
/// # Errors
/// The function's error text; also for functions that are not about keys.
pub fn make(function: &str, args: &[Value], now: i64, serial: [u8; 16]) -> Result<Value, String> {
    if function == "genPrivateKey" {
        return private_key(&text(args, 0)).map(Value::from);
    }
    let request = Request { name: text(args, 0), now, serial, days: 0, ips: Vec::new(), dns: Vec::new() };
    let (base, own) = match function.strip_suffix("WithKey") {
        Some(base) => (base, args.last().and_then(Value::as_str).map(str::to_owned)),
        None => (function, None),
    };
    let own = own.as_deref();
    match base {
        "genCA" => Request { days: days(args, 1), ..request }.authority(own),
        "genSelfSignedCert" => request.with_names(args)?.issue(own, None),
        "genSignedCert" => {
            let part = |name: &str| {
                args.get(4).and_then(|c| c.get(name)).map(|v| v.as_str().unwrap_or("").to_owned())
            };
            let (Some(cert), Some(key)) = (part("Cert"), part("Key")) else {
                return Err("unable to decode certificate".to_owned());
            };
            request.with_names(args)?.issue(own, Some((&cert, &key)))
        }
        _ => Err(format!("{function} makes no certificate")),
    }
}

/// Whether a certificate and a key can be read, as `buildCustomCert` asks.
///
/// # Errors
/// Sprig's words.
pub(super) fn check(cert: &[u8], key: &[u8]) -> Result<(), String> {
    let pem = |bytes: &[u8], label: &str| std::str::from_utf8(bytes).is_ok_and(|t| t.contains(label));
    if !pem(cert, "-----BEGIN CERTIFICATE-----") {
        return Err("unable to decode certificate".to_owned());
    }
    if !pem(key, "PRIVATE KEY-----") {
        return Err("unable to decode key".to_owned());
    }
    Ok(())
}

fn text(args: &[Value], index: usize) -> String {
    args.get(index).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn days(args: &[Value], index: usize) -> i64 {
    match args.get(index) {
        Some(Value::Int(n, _)) => *n,
        _ => 0,
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|c| std::str::from_utf8(c).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn rsa(size: KeySize) -> Result<Vec<u8>, String> {
    let key = RsaKey::generate(size).map_err(|_| "failed to generate private key".to_owned())?;
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> =
        key.as_der().map_err(|_| "failed to write the key".to_owned())?;
    Ok(der.as_ref().to_vec())
}

/// The content of a DER element and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let n = usize::from(first & 0x7f);
        let (digits, rest) = rest.split_at_checked(n)?;
        (digits.iter().fold(0usize, |l, b| l << 8 | usize::from(*b)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// The key inside a PKCS#8 wrapper: PKCS#1 for RSA, SEC 1 for elliptic curves.
fn inner_key(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let (_, mut body, _) = element(pkcs8)?;
    while let Some((tag, content, rest)) = element(body) {
        if tag == 4 {
            return Some(content.to_vec());
        }
        body = rest;
    }
    None
}

fn private_key(kind: &str) -> Result<String, String> {
    match kind {
        "" | "rsa" => {
            let inner = inner_key(&rsa(KeySize::Rsa4096)?).ok_or("failed to write the key")?;
            Ok(pem("RSA PRIVATE KEY", &inner))
        }
        "ecdsa" => {
            let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|e| e.to_string())?;
            let inner = inner_key(&key.serialize_der()).ok_or("failed to write the key")?;
            Ok(pem("EC PRIVATE KEY", &inner))
        }
        "ed25519" => {
            let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(|e| e.to_string())?;
            Ok(pem("PRIVATE KEY", &key.serialize_der()))
        }
        "dsa" => Err("DSA keys are not made: nothing accepts them any more".to_owned()),
        other => Ok(format!("Unknown type {other}")),
    }
}

struct Request {
    name: String,
    now: i64,
    serial: [u8; 16],
    days: i64,
    ips: Vec<SanType>,
    dns: Vec<String>,
}

impl Request {
    fn with_names(mut self, args: &[Value]) -> Result<Self, String> {
        let items =
            |index: usize| args.get(index).and_then(Value::as_list).map_or(&[][..], crate::yaml::List::items);
        for item in items(1) {
            let Some(ip) = item.as_str() else {
                return Err(format!("error parsing ip: {} is not a string", super::format::print(item)));
            };
            let parsed = ip.parse().map_err(|_| format!("error parsing ip: {ip}"))?;
            self.ips.push(SanType::IpAddress(parsed));
        }
        for item in items(2) {
            let Some(name) = item.as_str() else {
                return Err(format!(
                    "error processing alternate dns name: {} is not a string",
                    super::format::print(item)
                ));
            };
            self.dns.push(name.to_owned());
        }
        self.days = days(args, 3);
        Ok(self)
    }

    fn params(&self) -> Result<CertificateParams, String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.name.as_str());
        for ip in &self.ips {
            params.subject_alt_names.push(ip.clone());
        }
        for name in &self.dns {
            let name = name.as_str().try_into().map_err(|_| format!("{name} is not a DNS name"))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        let date = |days: i64| {
            let seconds = self.now.saturating_add(days.saturating_mul(86_400));
            let civil = jiff::Timestamp::from_second(seconds)
                .map(|t| t.to_zoned(jiff::tz::TimeZone::UTC).date())
                .map_err(|_| "the certificate would last too long".to_owned())?;
            let (month, day) = (civil.month().unsigned_abs(), civil.day().unsigned_abs());
            Ok::<_, String>(rcgen::date_time_ymd(i32::from(civil.year()), month, day))
        };
        params.not_before = date(0)?;
        params.not_after = date(self.days)?;
        params.serial_number = Some(SerialNumber::from_slice(&self.serial));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Ok(params)
    }

    /// The key to use, and its PEM.
    fn key(own: Option<&str>) -> Result<(KeyPair, String), String> {
        if let Some(own) = own {
            let key = read_key(own)?;
            return Ok((key, own.to_owned()));
        }
        let der = rsa(KeySize::Rsa2048)?;
        let shown = pem("RSA PRIVATE KEY", &inner_key(&der).ok_or("failed to write the key")?);
        let key = KeyPair::try_from(der.as_slice()).map_err(|e| e.to_string())?;
        Ok((key, shown))
    }

    fn authority(&self, own: Option<&str>) -> Result<Value, String> {
        let (key, shown) = Self::key(own)?;
        let mut params = self.params()?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let cert = params.self_signed(&key).map_err(|e| format!("error creating certificate: {e}"))?;
        Ok(Value::map([("Cert", cert.pem().into()), ("Key", shown.into())]))
    }

    fn issue(&self, own: Option<&str>, issuer: Option<(&str, &str)>) -> Result<Value, String> {
        let (key, shown) = Self::key(own)?;
        let mut params = self.params()?;
        params.is_ca = IsCa::ExplicitNoCa;
        let cert = match issuer {
            None => params.self_signed(&key),
            Some((cert, ca_key)) => {
                let issuer = Issuer::from_ca_cert_pem(cert, read_key(ca_key)?)
                    .map_err(|e| format!("unable to decode certificate: {e}"))?;
                params.signed_by(&key, &issuer)
            }
        };
        let cert = cert.map_err(|e| format!("error creating certificate: {e}"))?;
        Ok(Value::map([("Cert", cert.pem().into()), ("Key", shown.into())]))
    }
}

/// Reads a PEM key in PKCS#8, PKCS#1 or SEC 1 form.
fn read_key(text: &str) -> Result<KeyPair, String> {
    KeyPair::from_pem(text).map_err(|e| format!("unable to parse the private key: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_signs() {
        let ca = make("genCA", &["ca".into(), Value::int(365)], 1_700_000_000, [7; 16]).unwrap();
        let names = Value::list(vec!["a.example".into()]);
        let ips = Value::list(vec!["10.0.0.1".into()]);
        let args = ["leaf".into(), ips, names, Value::int(30), ca];
        let leaf = make("genSignedCert", &args, 1_700_000_000, [9; 16]).unwrap();
        assert!(leaf.get("Cert").unwrap().as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
        assert!(leaf.get("Key").unwrap().as_str().unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
        assert!(make("genCA", &["x".into()], 0, [0; 16]).is_ok());
        assert_eq!(
            make("genPrivateKey", &["x".into()], 0, [0; 16]).unwrap().as_str(),
            Some("Unknown type x")
        );
    }
}
