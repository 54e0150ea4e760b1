//! Signed charts: what Helm 3.22, Helm 4.3 and GnuPG 2.2 signed and what Helm says of it; keys and charts in
//! `fixtures/compat/helm/provenance` were made by `tests/oracles/provenance/make`. The other direction, Helm and GnuPG
//! reading what we sign, is `tests/oracles/provenance/check`, run by hand.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixtures() -> PathBuf {
    super::fixtures().join("provenance")
}

fn lap(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lap"))
        .arg("helm")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .output()
        .unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Words of Helm that ours have to say as well.
const WORDS: [&str; 10] = [
    "openpgp: signature made by unknown entity",
    "openpgp: signature made by revoked key",
    "openpgp: key expired",
    "openpgp: invalid signature",
    "openpgp: invalid data",
    "sha256 sum does not match for app-1.0.0.tgz",
    "provenance does not contain a SHA for a file named",
    "signature block not found",
    "failed to load keyring: open absent.gpg: no such file or directory",
    "could not load provenance file none/app-1.0.0.tgz.prov",
];

#[test]
fn verify_says_what_helm_says() {
    let goldens = std::fs::read_to_string(fixtures().join("verify.jsonl")).unwrap();
    let goldens: Vec<serde_json::Value> = goldens.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(goldens.len() > 90);
    let mut failures = Vec::new();
    for golden in &goldens {
        let text = |key: &str| golden[key].as_str().unwrap();
        let (chart, ring) = (text("chart"), text("ring"));
        // Helm 3 cannot read these; we can in either version.
        if text("v") == "3" && matches!(ring, "public.asc" | "pubring.kbx") {
            continue;
        }
        let arguments = ["verify", chart, "--keyring", ring, "--helm-version", text("v")];
        let output = lap(&fixtures(), &arguments);
        let (out, error) = (String::from_utf8_lossy(&output.stdout).trim_end().to_owned(), error(&output));
        // What is left of a signature that was changed is read differently by different libraries.
        let words = chart.starts_with("bad-signature")
            || WORDS.iter().filter(|words| text("err").contains(*words)).all(|words| error.contains(words));
        if golden["code"] != output.status.code().unwrap() || out != text("out") || !words {
            failures.push(format!(
                "{chart} {ring}: want {golden}\n  got {:?} {out:?} {error}",
                output.status.code()
            ));
        }
    }
    assert!(failures.is_empty(), "{} of {} differ:\n{}", failures.len(), goldens.len(), failures.join("\n"));
}

/// A folder with a chart and a file with the passphrase of the locked key.
fn chart() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    super::copy(&super::fixtures().join("charts/web"), &folder.path().join("web"));
    std::fs::write(folder.path().join("pass"), "open sesame\nmore\n").unwrap();
    folder
}

fn ring(name: &str) -> String {
    fixtures().join(name).display().to_string()
}

#[test]
fn what_we_sign_is_good() {
    let (folder, secret, public) = (chart(), ring("secret.gpg"), ring("public.gpg"));
    // RSA, RSA with a passphrase, DSA, Ed25519, NIST P-256.
    for key in ["Ann", "lou@example.com", "Dan Dale", "eve", "Cee Curve <cee@example.com>"] {
        let sign =
            ["package", "web", "--sign", "--key", key, "--keyring", &secret, "--passphrase-file", "pass"];
        let output = lap(folder.path(), &sign);
        assert!(output.status.success(), "{key}: {}", error(&output));
        let text = std::fs::read_to_string(folder.path().join("web-1.2.0.tgz.prov")).unwrap();
        assert!(text.starts_with("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"), "{text}");
        assert!(text.contains("\n...\nfiles:\n  web-1.2.0.tgz: sha256:"), "{text}");
        let output = lap(folder.path(), &["verify", "web-1.2.0.tgz", "--keyring", &public]);
        assert!(output.status.success(), "{key}: {}", error(&output));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with("Signed by: ") && said.contains(key.split(' ').next().unwrap()), "{said}");
        // A changed letter is noticed.
        std::fs::write(folder.path().join("web-1.2.0.tgz.prov"), text.replacen("name: web", "name: wed", 1))
            .unwrap();
        let output = lap(folder.path(), &["verify", "web-1.2.0.tgz", "--keyring", &public]);
        assert!(
            !output.status.success() && error(&output).contains("invalid signature"),
            "{}",
            error(&output)
        );
    }
}

#[test]
fn who_cannot_sign_is_told_why() {
    let (folder, secret, public) = (chart(), ring("secret.gpg"), ring("public.gpg"));
    std::fs::write(folder.path().join("wrong"), "open barley\n").unwrap();
    for (key, ring, pass, words) in [
        ("example.com", secret.as_str(), "pass", "more than one key contain the id \"example.com\""),
        ("nobody", &secret, "pass", "private key not found"),
        ("Ann", &public, "pass", "provided key is not a private key"),
        ("lou", &secret, "wrong", "private key checksum failure"),
        ("lou", &secret, "absent", "absent"),
        ("Ann", "absent.gpg", "pass", "failed to load keyring: open absent.gpg"),
    ] {
        let sign = ["package", "web", "--sign", "--key", key, "--keyring", ring, "--passphrase-file", pass];
        let output = lap(folder.path(), &sign);
        assert_eq!(output.status.code(), Some(1), "{key} {ring}");
        assert!(error(&output).contains(words), "{key} {ring}: {}", error(&output));
        assert!(!folder.path().join("web-1.2.0.tgz.prov").exists());
    }
    let output = lap(folder.path(), &["package", "web", "--sign"]);
    assert!(error(&output).contains("--key is required for signing a package"));
}
