//! Certificates a step trusts beside the image's own, without a trace in the layer.
//!
//! The bundles an image has get the certificates written into them before the step, and lose them after it. Not by
//! mounts: `update-ca-certificates`, which many steps call, replaces its bundle by rename, and nothing can be renamed
//! over a mount point. A bundle the step replaced is its own work and stays; ours are taken out of it if they are in.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use rustix::fs::{FileType, Mode, OFlags};

use super::inside::{Inside, Place, Times};
use super::trouble::{Doing as _, Result};

/// Where programs look: Debian, Alpine, Arch; Fedora, twice; SUSE; Alpine's and others' link.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Where a merged bundle lies in every step; nothing below `/dev` gets into a layer.
const OWN_PATH: &str = "/dev/lapstrake-trust.pem";

/// Variables by which programs that look elsewhere are told about it.
const VARIABLES: [&str; 9] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "NIX_SSL_CERT_FILE",
];

const MAX_BUNDLE: u64 = 16 << 20;

/// The bundles of an image with our certificates in them.
pub(super) struct Trust {
    bundles: Vec<Bundle>,
    /// What the step shall trust, all together.
    merged: Vec<u8>,
}

struct Bundle {
    path: PathBuf,
    /// What we wrote at its end.
    added: Vec<u8>,
    original: Vec<u8>,
    times: Times,
}

impl Trust {
    /// Writes `certificates` into the bundles of the image; `None` if there are none to be trusted.
    pub(super) fn add(inside: &Inside, certificates: &str) -> Result<Option<Self>> {
        if certificates.is_empty() {
            return Ok(None);
        }
        let mut trust = Self { bundles: Vec::new(), merged: Vec::new() };
        for bundle in BUNDLES {
            let Ok(place) = inside.find(bundle) else { continue };
            let known = trust.bundles.iter().any(|b| b.path == place.path);
            if place.file_type == FileType::RegularFile && !known {
                trust.add_to(place, certificates).doing(format!("add trusted certificates to {bundle}"))?;
            }
        }
        if trust.merged.is_empty() {
            trust.merged = addition(&[], certificates);
        }
        Ok(Some(trust))
    }

    fn add_to(&mut self, place: Place, certificates: &str) -> io::Result<()> {
        let times = place.times()?;
        let original = read(&place)?;
        if contains(&original, certificates.as_bytes()).is_some() {
            return Ok(());
        }
        let added = addition(&original, certificates);
        let whole = [original.as_slice(), added.as_slice()].concat();
        write(&place, &whole)?;
        if self.merged.is_empty() {
            self.merged = whole;
        }
        self.bundles.push(Bundle { path: place.path, added, original, times });
        Ok(())
    }

    /// Shows the merged bundle under a path of our own; `/dev` is mounted. Returns the variables that name it.
    pub(super) fn show(&self, inside: &Inside) -> Result<Vec<(String, String)>> {
        let directory = inside.find("/dev").doing("find /dev")?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let name = OWN_PATH.trim_start_matches("/dev/");
        let file = rustix::fs::openat(&directory.fd, name, flags, Mode::from_raw_mode(0o644));
        let mut file = File::from(file.doing("write trusted certificates")?);
        file.write_all(&self.merged).doing("write trusted certificates")?;
        Ok(VARIABLES.iter().map(|name| ((*name).to_owned(), OWN_PATH.to_owned())).collect())
    }

    /// Takes the certificates out of the bundles again.
    pub(super) fn remove(&self, inside: &Inside) -> io::Result<()> {
        for bundle in &self.bundles {
            let Ok(place) = inside.find(&bundle.path) else { continue };
            if place.file_type != FileType::RegularFile {
                continue;
            }
            let times = place.times()?;
            let mut content = read(&place)?;
            let mut found = false;
            while let Some(at) = contains(&content, &bundle.added) {
                content.drain(at..at + bundle.added.len());
                found = true;
            }
            if found {
                write(&place, &content)?;
                inside.set_times(&place, if content == bundle.original { bundle.times } else { times })?;
            }
        }
        Ok(())
    }
}

/// What is to be written after `content`, so that the certificates stand on lines of their own.
fn addition(content: &[u8], certificates: &str) -> Vec<u8> {
    let before = if content.last().is_some_and(|byte| *byte != b'\n') { "\n" } else { "" };
    let after = if certificates.ends_with('\n') { "" } else { "\n" };
    format!("{before}{certificates}{after}").into_bytes()
}

fn contains(content: &[u8], part: &[u8]) -> Option<usize> {
    content.windows(part.len().max(1)).position(|window| window == part)
}

fn read(place: &Place) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(place.name())?.take(MAX_BUNDLE).read_to_end(&mut content)?;
    Ok(content)
}

fn write(place: &Place, content: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).truncate(true).open(place.name())?.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const OURS: &str = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----";

    fn with_bundle(name: &str, body: impl FnOnce(&std::path::Path, Inside)) {
        let root = std::env::temp_dir().join(format!("lap-trust-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("etc/ssl/certs")).unwrap();
        fs::write(root.join("etc/ssl/certs/ca-certificates.crt"), "theirs").unwrap();
        std::os::unix::fs::symlink("certs/ca-certificates.crt", root.join("etc/ssl/cert.pem")).unwrap();
        body(&root.join("etc/ssl/certs/ca-certificates.crt"), Inside::open(&root).unwrap());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn an_untouched_bundle_is_as_before() {
        with_bundle("same", |bundle, inside| {
            let before = fs::metadata(bundle).unwrap().modified().unwrap();
            let trust = Trust::add(&inside, OURS).unwrap().unwrap();
            assert_eq!(fs::read_to_string(bundle).unwrap(), format!("theirs\n{OURS}\n"));
            assert_eq!(trust.bundles.len(), 1, "the link leads to the same file");
            trust.remove(&inside).unwrap();
            assert_eq!(fs::read_to_string(bundle).unwrap(), "theirs");
            assert_eq!(fs::metadata(bundle).unwrap().modified().unwrap(), before);
        });
    }

    #[test]
    fn what_the_step_made_of_a_bundle_stays_without_ours() {
        with_bundle("changed", |bundle, inside| {
            let trust = Trust::add(&inside, OURS).unwrap().unwrap();
            let grown = fs::read_to_string(bundle).unwrap() + "more\n";
            fs::write(bundle, grown).unwrap();
            trust.remove(&inside).unwrap();
            assert_eq!(fs::read_to_string(bundle).unwrap(), "theirsmore\n");
            fs::write(bundle, "new").unwrap();
            trust.remove(&inside).unwrap();
            assert_eq!(fs::read_to_string(bundle).unwrap(), "new");
            fs::remove_file(bundle).unwrap();
            trust.remove(&inside).unwrap();
        });
    }
}
