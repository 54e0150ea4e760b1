//! Sizes and limits on the command line.

use crate::sandbox::ResourceLimit;

/// Names of limits, as the neighbours have them (docker/go-units: ulimit.go).
const NAMES: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// A number of bytes like `64m`, `1.5GiB`, `100`; units are powers of 1024.
///
/// # Errors
/// In words, for clap.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: write a number and b, k, m, g or t");
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(wrong()),
    };
    // Casting cuts towards zero and stops at the largest number.
    Ok((number * 1024_f64.powi(power)) as u64)
}

/// `NAME=SOFT[:HARD]`; -1 is unlimited.
///
/// # Errors
/// In words, for clap.
pub fn ulimit(text: &str) -> Result<ResourceLimit, String> {
    let (name, values) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=SOFT[:HARD]"))?;
    if !NAMES.contains(&name) {
        return Err(format!("`{name}` is none of {}", NAMES.join(", ")));
    }
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let number = |text: &str| match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(number) if number >= 0 => Ok(Some(number.unsigned_abs())),
        _ => Err(format!("`{text}` is no limit: write a number, or -1 for none")),
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if hard.is_some_and(|hard| soft.is_none_or(|soft| soft > hard)) {
        return Err("the soft limit must not be greater than the hard limit".into());
    }
    Ok(ResourceLimit { name: name.to_owned(), soft, hard })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("100", 100), ("1k", 1024), ("64m", 64 << 20), ("1.5GiB", 3 << 29), ("2 kb", 2048)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "m", "1x", "-1", "1..2"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits() {
        let limit = |name: &str, soft, hard| Ok(ResourceLimit { name: name.into(), soft, hard });
        assert_eq!(ulimit("nofile=10:20"), limit("nofile", Some(10), Some(20)));
        assert_eq!(ulimit("core=0"), limit("core", Some(0), Some(0)));
        assert_eq!(ulimit("memlock=-1"), limit("memlock", None, None));
        assert_eq!(ulimit("stack=5:-1"), limit("stack", Some(5), None));
        for wrong in ["nofile", "nofle=1", "nofile=2:1", "nofile=-1:1", "nofile=x", "nofile=1:-2"] {
            assert!(ulimit(wrong).is_err(), "{wrong}");
        }
    }
}
