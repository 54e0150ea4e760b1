//! The values of `lap image build --output`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::build::Output;
use crate::oci::compress::Compression;

/// Reads one value: a path, `-`, or `type=…,key=value,…`.
///
/// # Errors
/// In words.
pub fn parse(text: &str) -> Result<Output, String> {
    match text {
        "" => return Err("it is empty".into()),
        "-" => return Ok(Output::Tar { destination: None }),
        _ if !text.contains('=') => return Ok(Output::Local { destination: text.into() }),
        _ => {}
    }
    let mut keys = BTreeMap::new();
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not KEY=VALUE"))?;
        if keys.insert(key.trim().to_ascii_lowercase(), value.to_owned()).is_some() {
            return Err(format!("`{key}` is given twice"));
        }
    }
    let kind = keys.remove("type").ok_or("it has no type=")?;
    let output = of_kind(&kind, &mut keys)?;
    match keys.keys().next() {
        None => Ok(output),
        Some(key) => Err(format!("type={kind} has no key `{key}`")),
    }
}

fn of_kind(kind: &str, keys: &mut BTreeMap<String, String>) -> Result<Output, String> {
    match kind {
        "registry" => Ok(Output::Registry { compression: compression(keys)? }),
        "oci" => {
            let tar = match keys.remove("tar").as_deref() {
                None | Some("true" | "1") => true,
                Some("false" | "0") => false,
                Some(other) => return Err(format!("`tar={other}` is neither true nor false")),
            };
            let destination = destination(keys);
            if destination.is_none() && !tar {
                return Err("a folder cannot go to standard output: give dest=PATH".into());
            }
            Ok(Output::Oci { destination, tar, compression: compression(keys)? })
        }
        "docker" => Ok(Output::Docker { destination: destination(keys) }),
        "tar" => Ok(Output::Tar { destination: destination(keys) }),
        "local" => match destination(keys) {
            Some(destination) => Ok(Output::Local { destination }),
            None => Err("type=local needs dest=PATH".into()),
        },
        "cacheonly" => Ok(Output::CacheOnly),
        "image" => Err("the image is kept in the store under its -t names; type=image is not needed".into()),
        other => Err(format!("`{other}` is none of registry, oci, docker, local, tar, cacheonly")),
    }
}

fn destination(keys: &mut BTreeMap<String, String>) -> Option<PathBuf> {
    keys.remove("dest").filter(|dest| dest != "-").map(PathBuf::from)
}

fn compression(keys: &mut BTreeMap<String, String>) -> Result<Compression, String> {
    let kind = keys.remove("compression");
    let text = match (kind, keys.remove("compression-level")) {
        (None, None) => return Ok(Compression::default()),
        (kind, None) => kind.unwrap_or_default(),
        (kind, Some(level)) => format!("{}:{level}", kind.as_deref().unwrap_or("gzip")),
    };
    text.parse().map_err(|e: crate::oci::compress::InvalidCompression| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        assert_eq!(parse("out").unwrap(), Output::Local { destination: "out".into() });
        assert_eq!(parse("-").unwrap(), Output::Tar { destination: None });
        assert_eq!(parse("type=tar,dest=x.tar").unwrap(), Output::Tar { destination: Some("x.tar".into()) });
        let oci = parse("type=oci,dest=x,tar=false,compression=zstd,compression-level=9").unwrap();
        let Output::Oci { destination, tar, compression } = oci else { panic!("{oci:?}") };
        assert_eq!((destination, tar), (Some("x".into()), false));
        assert_eq!(compression, "zstd:9".parse().unwrap());
        for bad in ["", "type=x", "dest=a", "type=local", "type=oci,dest=a,colour=red", "type=oci,tar=false"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
