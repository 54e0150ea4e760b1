//! Platforms: how they are written, normalised and chosen from an index.
//!
//! Rules of containerd's `platforms` package, which Docker and BuildKit follow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system and a processor, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// GOOS name.
    pub os: String,
    /// GOARCH name.
    pub architecture: String,
    /// Variant of the architecture; empty where the plain name means it (amd64 v1, arm64 v8).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Version of the operating system (Windows).
    #[serde(rename = "os.version", default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
}

/// The text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid platform {text:?}: {reason}")]
pub struct InvalidPlatform {
    /// What was read.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

const KNOWN_OS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];

const KNOWN_ARCH: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mipsle", "mips64", "mips64le", "ppc64", "ppc64le",
    "riscv64", "s390x", "wasm",
];

impl Platform {
    /// A platform from parts, normalised.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = normalise_arch(architecture, variant);
        Self { os: normalise_os(os), architecture, variant, os_version: String::new() }
    }

    /// The platform this program was compiled for.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self::new("linux", architecture, "")
    }

    /// How well an image for `self` serves somebody who wants `wanted`: `Some(0)` is exact, larger is worse, `None` is
    /// not at all. A 386 image runs on amd64 and an arm one on arm64, as containerd's `Only` allows.
    pub fn rank_for(&self, wanted: &Platform) -> Option<usize> {
        if self.os != wanted.os || (!wanted.os_version.is_empty() && self.os_version != wanted.os_version) {
            return None;
        }
        wanted
            .fallbacks()
            .iter()
            .position(|(arch, variant)| *arch == self.architecture && *variant == self.variant)
    }

    fn fallbacks(&self) -> Vec<(String, String)> {
        let own = |variant: &str| (self.architecture.clone(), variant.to_owned());
        let arm = |from: u8| (5..=from).rev().map(|v| ("arm".to_owned(), format!("v{v}")));
        let number = self.variant.strip_prefix('v').and_then(|v| v.parse::<u8>().ok());
        match (self.architecture.as_str(), number) {
            ("amd64", version) => {
                let mut list: Vec<_> =
                    (2..=version.unwrap_or(1)).rev().map(|v| own(&format!("v{v}"))).collect();
                list.push(own(""));
                list.push(("386".into(), String::new()));
                list
            }
            ("arm64", version) => {
                let mut list: Vec<_> =
                    (9..=version.unwrap_or(8)).rev().map(|v| own(&format!("v{v}"))).collect();
                list.push(own(""));
                list.extend(arm(8));
                list
            }
            ("arm", Some(version)) => arm(version).collect(),
            _ => vec![own(&self.variant)],
        }
    }
}

fn normalise_os(os: &str) -> String {
    match os.to_ascii_lowercase().as_str() {
        "macos" => "darwin".into(),
        other => other.into(),
    }
}

fn normalise_arch(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = (architecture.to_ascii_lowercase(), variant.to_ascii_lowercase());
    let pair = |a: &str, v: &str| (a.to_owned(), v.to_owned());
    match (architecture.as_str(), variant.as_str()) {
        ("i386", _) => pair("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1" | "") => pair("amd64", ""),
        ("x86_64" | "x86-64" | "amd64", v) => pair("amd64", v),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0" | "") => pair("arm64", ""),
        ("aarch64" | "arm64", "9" | "v9.0") => pair("arm64", "v9"),
        ("aarch64" | "arm64", v) => pair("arm64", v),
        ("armhf", _) => pair("arm", "v7"),
        ("armel", _) => pair("arm", "v6"),
        ("arm", "" | "7") => pair("arm", "v7"),
        ("arm", v @ ("5" | "6" | "8")) => pair("arm", &format!("v{v}")),
        (a, v) => pair(a, v),
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let fail = |reason| InvalidPlatform { text: text.chars().take(100).collect(), reason };
        let valid = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        let mut parts: Vec<&str> = text.split('/').collect();
        let mut os_version = "";
        if let Some((os, rest)) = parts[0].split_once('(') {
            os_version = rest.strip_suffix(')').ok_or_else(|| fail("an open bracket is never closed"))?;
            parts[0] = os;
        }
        if !parts.iter().all(|part| valid(part)) {
            return Err(fail("a part is empty or has characters other than letters, digits, `_`, `-`, `.`"));
        }
        let host = Self::host();
        let mut platform = match parts.as_slice() {
            [one] if KNOWN_OS.contains(&normalise_os(one).as_str()) => {
                Self::new(one, &host.architecture, &host.variant)
            }
            [one] if KNOWN_ARCH.contains(&normalise_arch(one, "").0.as_str()) => Self::new(&host.os, one, ""),
            [_] => return Err(fail("neither a known operating system nor a known architecture")),
            [os, arch] => Self::new(os, arch, ""),
            [os, arch, variant] => Self::new(os, arch, variant),
            _ => return Err(fail("more than three parts")),
        };
        platform.os_version = os_version.to_owned();
        Ok(platform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        let table = [
            ("linux/x86_64", "linux/amd64"),
            ("Linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/6", "linux/arm/v6"),
            ("macos/arm64", "darwin/arm64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("s390x", "linux/s390x"),
            ("windows(10.0.17763)/amd64", "windows/amd64"),
        ];
        for (text, normal) in table {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), normal, "{text}");
        }
        for bad in ["", "/", "linux/", "nonsense", "a/b/c/d", "linux/am d64"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ranks() {
        let p = |text: &str| text.parse::<Platform>().unwrap();
        assert_eq!(p("linux/amd64").rank_for(&p("linux/amd64")), Some(0));
        assert_eq!(p("linux/386").rank_for(&p("linux/amd64")), Some(1));
        assert_eq!(p("linux/amd64/v2").rank_for(&p("linux/amd64")), None);
        assert_eq!(p("linux/amd64").rank_for(&p("linux/amd64/v3")), Some(2));
        assert_eq!(p("linux/arm/v7").rank_for(&p("linux/arm64")), Some(2));
        assert_eq!(p("linux/arm/v6").rank_for(&p("linux/arm/v7")), Some(1));
        assert_eq!(p("windows/amd64").rank_for(&p("linux/amd64")), None);
    }
}
