//! Charts as gzipped tar archives: reading without trusting them (`Helm: pkg/chart/loader/archive`).

use std::io::Read as _;

use super::{Error, File};

/// Bytes a chart may have unpacked.
pub const MAX_CHART: u64 = 100 << 20;
/// Entries an archive may have.
const MAX_ENTRIES: usize = 100_000;

pub(super) fn too_large(limit: u64) -> Error {
    Error::Chart(format!("decompressed chart is larger than the maximum size {limit}"))
}

/// Says in time, and helpfully, that a file is no gzipped archive.
///
/// # Errors
/// If it is none.
pub(super) fn ensure(name: &str, bytes: &[u8]) -> Result<(), Error> {
    if bytes.starts_with(b"\x1f\x8b\x08") {
        return Ok(());
    }
    if name.ends_with(".yml") || name.ends_with(".yaml") {
        let text = format!("file '{name}' seems to be a YAML file, but expected a gzipped archive");
        return Err(Error::Chart(text));
    }
    // Go looks at a buffer of 512 bytes, whose rest is zero.
    let text =
        bytes.len() >= 512 && bytes.iter().take(512).all(|b| !matches!(b, 0..=8 | 11 | 14..=26 | 28..=31));
    let kind = if text { "text/plain; charset=utf-8" } else { "application/octet-stream" };
    Err(Error::Chart(format!("file '{name}' does not appear to be a gzipped archive; got '{kind}'")))
}

/// Reads the files of an archive; the first part of each path is dropped.
///
/// # Errors
/// If it is broken, too large, or has paths that lead elsewhere.
pub fn files(bytes: &[u8]) -> Result<Vec<File>, Error> {
    let broken = |e: std::io::Error| Error::Chart(format!("cannot read the archive: {e}"));
    if bytes.len() < 3 || !bytes.starts_with(b"\x1f\x8b") {
        return Err(Error::Chart("gzip: invalid header".to_owned()));
    }
    // What a tar archive adds in headers and padding cannot be more than this for as many entries as are allowed.
    let stream = flate2::read::MultiGzDecoder::new(bytes).take(MAX_CHART * 3);
    let mut archive = tar::Archive::new(stream);
    let mut files = Vec::new();
    let mut left = MAX_CHART;
    for (count, entry) in archive.entries().map_err(broken)?.enumerate() {
        if count >= MAX_ENTRIES {
            return Err(Error::Chart(format!("the archive has more than {MAX_ENTRIES} entries")));
        }
        let mut entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        let path = entry.path_bytes().into_owned();
        if kind.is_dir() || path.ends_with(b"/") || kind.is_pax_global_extensions() {
            continue;
        }
        let name = name(&String::from_utf8_lossy(&path))?;
        let modified = entry.header().mtime().unwrap_or(0);
        let mut data = Vec::new();
        if kind.is_file() || kind.is_contiguous() {
            let size = entry.header().size().unwrap_or(0);
            if size > left {
                return Err(too_large(MAX_CHART));
            }
            (&mut entry).take(left).read_to_end(&mut data).map_err(broken)?;
        }
        left = left.saturating_sub(data.len() as u64);
        if left == 0 {
            return Err(too_large(MAX_CHART));
        }
        files.push(File::new(name, &data, modified));
    }
    if files.is_empty() {
        return Err(Error::Chart("no files in chart archive".to_owned()));
    }
    Ok(files)
}

/// The path inside the chart of an entry's path.
fn name(path: &str) -> Result<String, Error> {
    let refuse = |text: &str| Err(Error::Chart(text.to_owned()));
    let delimiter = if path.contains('\\') { '\\' } else { '/' };
    let (first, rest) = path.split_once(delimiter).unwrap_or((path, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return refuse("chart illegally contains absolute paths");
    }
    let name = clean(&rest);
    if name == "." {
        return refuse(&format!("chart illegally contains content outside the base directory: {path:?}"));
    }
    if name.starts_with("..") {
        return refuse("chart illegally references parent directory");
    }
    let bytes = name.as_bytes();
    if bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && bytes[2] == b'/' {
        return refuse("chart contains illegally named files");
    }
    if first == "Chart.yaml" {
        return refuse("chart yaml not in base directory");
    }
    Ok(name)
}

/// Go's `path.Clean` of a relative path.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            ("a/Chart.yaml", Ok("Chart.yaml")),
            ("a/b/../c", Ok("c")),
            ("a\\b\\c", Ok("b/c")),
            ("x", Err("chart illegally contains content outside the base directory: \"x\"")),
            ("a/../../b", Err("chart illegally references parent directory")),
            ("a//b", Err("chart illegally contains absolute paths")),
            ("a/c:/b", Err("chart contains illegally named files")),
            ("Chart.yaml/x", Err("chart yaml not in base directory")),
        ] {
            let name = name(path).map_err(|e| e.to_string());
            assert_eq!(name.as_deref().map_err(String::as_str), expected, "{path}");
        }
    }
}
