//! The values of `lap image build --cache-from` and `--cache-to`.

use crate::build::{CacheExport, CachePlace};
use crate::cli::image::keys::Keys;
use crate::oci::compress::Compression;

/// Reads one value of `--cache-from`: a repository, or `type=registry,ref=…`, `type=local,src=…`.
///
/// # Errors
/// In words.
pub fn from(text: &str) -> Result<CachePlace, String> {
    let Some((kind, mut keys)) = fields(text)? else { return Ok(CachePlace::Registry(reference(text)?)) };
    let place = match kind.as_str() {
        "registry" => CachePlace::Registry(reference(&needed(&mut keys, &kind, "ref")?)?),
        "local" => CachePlace::Folder(needed(&mut keys, &kind, "src")?.into()),
        "inline" => {
            return Err("an inline cache is read from its image: write type=registry,ref=IMAGE".into());
        }
        other => return Err(refused(other)),
    };
    keys.finish(&kind)?;
    Ok(place)
}

/// Reads one value of `--cache-to`: a repository, or `type=registry,ref=…`, `type=local,dest=…`, `type=inline`.
///
/// # Errors
/// In words.
pub fn to(text: &str) -> Result<CacheExport, String> {
    let fields = fields(text)?;
    let (kind, mut keys) = match fields {
        Some(fields) => fields,
        None => ("registry".to_owned(), Keys::read(&format!("ref={text}"))?),
    };
    let place = match kind.as_str() {
        "registry" => Some(CachePlace::Registry(reference(&needed(&mut keys, &kind, "ref")?)?)),
        "local" => Some(CachePlace::Folder(needed(&mut keys, &kind, "dest")?.into())),
        "inline" => None,
        other => return Err(refused(other)),
    };
    let export = CacheExport {
        all_stages: match keys.text("mode").as_deref() {
            None | Some("max") => true,
            Some("min") => false,
            Some(other) => return Err(format!("`mode={other}` is neither min nor max")),
        },
        compression: compression(&mut keys)?,
        ignore_error: keys.flag("ignore-error")?.unwrap_or(false),
        place,
    };
    for (key, why) in [
        ("image-manifest", "records are image manifests"),
        ("oci-mediatypes", "records have OCI media types"),
    ] {
        if keys.flag(key)? == Some(false) {
            return Err(format!("`{key}=false` is not possible: {why}"));
        }
    }
    if keys.flag("force-compression")? == Some(true) {
        let why = "layers that came compressed are shared as they are, so that everybody has the same ones";
        return Err(format!("`force-compression=true` is not possible: {why}"));
    }
    keys.finish(&kind)?;
    Ok(export)
}

/// What a user of these kinds can do instead.
fn refused(kind: &str) -> String {
    match kind {
        "gha" => "type=gha needs the service of GitHub's runners, which is not spoken here: GitHub's registry keeps the \
                  cache as well, write type=registry,ref=ghcr.io/OWNER/REPOSITORY/cache"
            .into(),
        "s3" | "azblob" => format!(
            "type={kind} keeps a cache in an object store, which is not spoken here: write type=registry,ref=…, or \
             copy the folder of type=local"
        ),
        other => format!("`{other}` is none of registry, local, inline"),
    }
}

/// `None` if the text is not of the form `key=value,…`.
fn fields(text: &str) -> Result<Option<(String, Keys)>, String> {
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if !text.contains('=') {
        return Ok(None);
    }
    let mut keys = Keys::read(text)?;
    let kind = keys.text("type").ok_or("it has no type=")?;
    Ok(Some((kind, keys)))
}

fn needed(keys: &mut Keys, kind: &str, key: &str) -> Result<String, String> {
    keys.text(key).filter(|value| !value.is_empty()).ok_or_else(|| format!("type={kind} needs {key}=…"))
}

fn reference(text: &str) -> Result<crate::base::Reference, String> {
    text.parse().map_err(|e: crate::base::InvalidReference| e.to_string())
}

fn compression(keys: &mut Keys) -> Result<Compression, String> {
    let kind = keys.text("compression");
    let text = match (kind, keys.text("compression-level")) {
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
        let registry = CachePlace::Registry("r.example/a:b".parse().unwrap());
        assert_eq!(from("r.example/a:b").unwrap(), registry);
        assert_eq!(from("type=registry,ref=r.example/a:b").unwrap(), registry);
        assert_eq!(from("type=local,src=x").unwrap(), CachePlace::Folder("x".into()));
        let plain = to("r.example/a:b").unwrap();
        assert_eq!(
            (plain.place.as_ref(), plain.all_stages, plain.ignore_error),
            (Some(&registry), true, false)
        );
        let all = "type=registry,ref=r.example/a:b,mode=min,compression=zstd,compression-level=9,ignore-error=true,\
                   image-manifest=true,oci-mediatypes=true,force-compression=false";
        let all = to(all).unwrap();
        assert_eq!(
            (all.all_stages, all.compression, all.ignore_error),
            (false, "zstd:9".parse().unwrap(), true)
        );
        assert_eq!(to("type=inline").unwrap().place, None);
        assert_eq!(to("type=local,dest=x").unwrap().place, Some(CachePlace::Folder("x".into())));
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (text, word) in [
            ("", "empty"),
            ("A B", "reference"),
            ("ref=a", "type="),
            ("type=registry", "ref="),
            ("type=local,src=x", "dest="),
            ("type=gha,scope=x", "ghcr.io"),
            ("type=s3,bucket=x", "object store"),
            ("type=azblob", "object store"),
            ("type=x", "none of"),
            ("type=inline,ref=x", "`ref`"),
            ("type=registry,ref=a,mode=all", "min nor max"),
            ("type=registry,ref=a,image-manifest=false", "not possible"),
            ("type=registry,ref=a,force-compression=true", "not possible"),
            ("type=registry,ref=a,ignore-error=yes", "true nor false"),
        ] {
            let error = to(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
        assert!(from("type=inline").unwrap_err().contains("type=registry,ref=IMAGE"));
        assert!(from("type=registry,ref=a,mode=max").unwrap_err().contains("`mode`"));
    }
}
