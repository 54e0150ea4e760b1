//! Charts in OCI registries (`Helm: pkg/registry/client.go`).

use super::{Error, Ordered, metadata_json};
use crate::base::{BlobDigest, Digest, Reference};
use crate::chart::Metadata;
use crate::oci::{AnyManifest, Descriptor, Manifest};
use crate::registry::{BlobRequest, Client};
use crate::report::Context;
use crate::template::{Constraints, Version};
use crate::yaml::Value;

/// The scheme of such addresses.
pub const SCHEME: &str = "oci://";
/// Media type of the configuration, which is the chart's metadata.
pub const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// Media type of a chart's archive.
pub const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// Media type of the signature that goes with it.
pub const PROVENANCE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
/// What Helm's first registries had charts as.
const OLD_CHART: &str = "application/tar+gzip";
/// Media type of the manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// How many manifests of an index are looked at for one that is a chart's.
const MOST_CHILDREN: usize = 100;
/// Largest archive taken.
const LARGEST: u64 = 128 << 20;

/// Whether an address names an OCI registry.
pub fn is_oci(address: &str) -> bool {
    address.starts_with(SCHEME)
}

/// The reference an address means. `+` is written `_` in a tag.
///
/// # Errors
/// If it is none.
pub fn reference(address: &str) -> Result<Reference, Error> {
    let text = address.strip_prefix(SCHEME).unwrap_or(address);
    let text = match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !name.contains('@') => {
            format!("{name}:{}", tag.replace('+', "_"))
        }
        _ => text.to_owned(),
    };
    text.parse().map_err(|e: crate::base::InvalidReference| Error::Invalid(e.to_string()))
}

/// What is pushed.
#[derive(Clone, Debug)]
pub struct Push<'p> {
    /// The chart's metadata.
    pub metadata: &'p Metadata,
    /// The archive.
    pub archive: Vec<u8>,
    /// Its signature, if there is one.
    pub provenance: Option<Vec<u8>>,
    /// When the archive was made, RFC 3339.
    pub created: String,
}

/// Pushes a chart and gives the digest of its manifest.
///
/// # Errors
/// If the registry does not take it.
pub async fn push(cx: &Context, client: &Client, to: &Reference, push: Push<'_>) -> Result<Digest, Error> {
    let config = metadata_json(push.metadata).compact().into_bytes();
    let mut layers = vec![(CHART, push.archive)];
    layers.extend(push.provenance.map(|bytes| (PROVENANCE, bytes)));
    let mut described: Vec<(Descriptor, Vec<u8>)> =
        layers.into_iter().map(|(kind, bytes)| (Descriptor::of(kind, &bytes), bytes)).collect();
    described.sort_by_key(|(d, _)| d.digest.to_string());
    let config = (Descriptor::of(CONFIG, &config), config);
    for (descriptor, bytes) in described.iter().chain([&config]) {
        let request = BlobRequest::new(to, &descriptor.digest, descriptor.size);
        client.push_blob(cx, &request, bytes).await?;
    }
    let descriptor = |d: &Descriptor| {
        let mut out = Ordered::object();
        out.put("mediaType", d.media_type.as_str().into());
        out.put("digest", d.digest.to_string().into());
        #[allow(clippy::cast_possible_wrap, reason = "no blob is that large")]
        out.put("size", Value::int64(d.size as i64));
        out
    };
    let mut manifest = Ordered::object();
    manifest.put("schemaVersion", Value::int64(2));
    manifest.put_ordered("config", descriptor(&config.0));
    manifest.put_ordered("layers", Ordered::List(described.iter().map(|(d, _)| descriptor(d)).collect()));
    manifest.put("annotations", annotations(push.metadata, &push.created));
    let bytes = manifest.compact().into_bytes();
    let digest = client.push_manifest(cx, to, MANIFEST, &bytes).await?;
    Ok(digest.digest().clone())
}

/// The annotations of a chart's manifest: of the metadata, and then the chart's own.
fn annotations(metadata: &Metadata, created: &str) -> Value {
    let authors = metadata.maintainers.iter().flatten().map(|m| match m.email.as_str() {
        "" => m.name.clone(),
        email => format!("{} ({email})", m.name),
    });
    let authors = authors.collect::<Vec<_>>().join(", ");
    let source = metadata.sources.first().cloned().unwrap_or_default();
    let ours = [
        ("description", metadata.description.as_str()),
        ("title", &metadata.name),
        ("version", &metadata.version),
        ("url", &metadata.home),
        ("created", created),
        ("source", &source),
        ("authors", &authors),
    ];
    let prefix = "org.opencontainers.image.";
    let kept = |key: &str| key != format!("{prefix}title") && key != format!("{prefix}version");
    let own = metadata.annotations.iter().filter(|(key, _)| kept(key));
    let ours = ours.into_iter().filter(|(_, text)| !text.trim().is_empty());
    let all = ours
        .map(|(key, text)| (format!("{prefix}{key}"), Value::from(text)))
        .chain(own.map(|(key, text)| (key.clone(), Value::from(text.as_str()))));
    Value::map(all)
}

/// What was pulled.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The digest of the manifest.
    pub digest: Digest,
    /// The archive.
    pub archive: Vec<u8>,
    /// The signature, if it was asked for and there is one.
    pub provenance: Option<Vec<u8>>,
}

/// Pulls a chart.
///
/// # Errors
/// If the registry has it not, or it is something else than a chart.
pub async fn pull(
    cx: &Context,
    client: &Client,
    from: &Reference,
    provenance: bool,
) -> Result<Pulled, Error> {
    let manifest = client.manifest(cx, from).await?;
    let parse = |bytes: &[u8], kind: Option<&str>| {
        AnyManifest::parse(kind, bytes).map_err(|e| Error::Remote(format!("{from} cannot be read: {e}")))
    };
    let image = match parse(&manifest.bytes, manifest.media_type.as_deref())? {
        AnyManifest::Image(image) => image,
        index @ AnyManifest::Index(_) => chart_in(cx, client, from, &index).await?,
    };
    let found = image.layers.len() + 1;
    if found < 2 {
        return Err(Error::Remote(format!(
            "manifest does not contain minimum number of descriptors (2), descriptors found: {found}"
        )));
    }
    if image.config.media_type != CONFIG {
        return Err(Error::Remote(format!("could not load config with mediatype {CONFIG}")));
    }
    let layer = |kinds: &[&str]| image.layers.iter().find(|l| kinds.contains(&l.media_type.as_str()));
    let missing =
        |kind: &str| Error::Remote(format!("manifest does not contain a layer with mediatype {kind}"));
    let chart = layer(&[CHART, OLD_CHART]).ok_or_else(|| missing(CHART))?;
    let archive = blob(cx, client, from, chart).await?;
    let provenance = match layer(&[PROVENANCE]).filter(|_| provenance) {
        Some(layer) => Some(blob(cx, client, from, layer).await?),
        None => None,
    };
    Ok(Pulled { digest: manifest.digest.digest().clone(), archive, provenance })
}

/// The chart among what an index lists.
async fn chart_in(
    cx: &Context,
    client: &Client,
    from: &Reference,
    index: &AnyManifest,
) -> Result<Manifest, Error> {
    for child in index.children().iter().take(MOST_CHILDREN) {
        let pulled = client.manifest(cx, &from.with_digest(child.digest.digest().clone())).await?;
        match AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes) {
            Ok(AnyManifest::Image(image)) if image.config.media_type == CONFIG => return Ok(image),
            _ => {}
        }
    }
    Err(Error::Remote(format!("could not load config with mediatype {CONFIG}")))
}

async fn blob(cx: &Context, client: &Client, from: &Reference, layer: &Descriptor) -> Result<Vec<u8>, Error> {
    let digest: &BlobDigest = &layer.digest;
    Ok(client.blob_bytes(cx, &BlobRequest::new(from, digest, layer.size), LARGEST).await?)
}

/// The tags of a repository that are versions, newest first, with `+` as charts write it.
///
/// # Errors
/// If the registry does not list them.
pub async fn tags(cx: &Context, client: &Client, repository: &Reference) -> Result<Vec<String>, Error> {
    let tags = client.tags(cx, repository).await?;
    let versions = tags.iter().map(|t| t.replace('_', "+")).filter(|t| is_strict(t));
    let mut versions: Vec<Version> = versions.filter_map(|t| Version::parse(&t).ok()).collect();
    versions.sort_by(|a, b| b.compare(a));
    Ok(versions.iter().map(ToString::to_string).collect())
}

/// Whether a text is a version by the letter: three numbers without zeros before them, and no `v`.
fn is_strict(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let number =
        |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) && (n == "0" || !n.starts_with('0'));
    core.split('.').count() == 3 && core.split('.').all(number) && Version::parse(text).is_ok()
}

/// The tag that a version or constraint means among those of a repository.
///
/// # Errors
/// If none fits, or the constraint is none.
pub fn matching(tags: &[String], wanted: &str) -> Result<String, Error> {
    if !wanted.is_empty() && tags.iter().any(|tag| tag == wanted) {
        return Ok(wanted.to_owned());
    }
    let constraint = if wanted.is_empty() { "*" } else { wanted };
    let constraint = Constraints::parse(constraint).map_err(Error::Invalid)?;
    tags.iter().find(|tag| Version::parse(tag).is_ok_and(|v| constraint.allow(&v))).cloned().ok_or_else(
        || Error::Missing(format!("could not locate a version matching provided version string {wanted}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_tags() {
        let tagged = reference("oci://localhost:5000/a/b:1.0.0+x").unwrap();
        assert_eq!((tagged.repository(), tagged.tag()), ("a/b", Some("1.0.0_x")));
        assert_eq!(reference("oci://h.example:5000/a/b").unwrap().tag(), None);
        assert!(
            is_strict("1.2.3-rc.1+b") && !is_strict("v1.2.3") && !is_strict("1.2") && !is_strict("1.02.3")
        );
        let tags = ["2.0.0-rc1", "1.5.0", "1.0.0+b"].map(str::to_owned);
        assert_eq!(matching(&tags, "").unwrap(), "1.5.0");
        assert_eq!(matching(&tags, "1.0.0+b").unwrap(), "1.0.0+b");
        assert_eq!(matching(&tags, ">0.0.0-0").unwrap(), "2.0.0-rc1");
        assert!(matching(&tags, "^3").is_err());
    }

    #[test]
    fn annotations_are_the_charts_over_ours() {
        let metadata = Metadata {
            name: "a".into(),
            version: "1.0.0".into(),
            annotations: [
                ("x", "y"),
                ("org.opencontainers.image.title", "no"),
                ("org.opencontainers.image.url", "u"),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
            ..Metadata::default()
        };
        let value = annotations(&metadata, "t");
        let text = |key: &str| value.get(key).and_then(|v| v.as_str().map(str::to_owned));
        assert_eq!(text("org.opencontainers.image.title").as_deref(), Some("a"));
        assert_eq!(text("org.opencontainers.image.url").as_deref(), Some("u"));
        assert_eq!(text("x").as_deref(), Some("y"));
        assert_eq!(text("org.opencontainers.image.description"), None);
    }
}
