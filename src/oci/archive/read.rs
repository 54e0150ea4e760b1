//! What images an archive holds.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::Reference;
use crate::oci::archive::{DockerImage, Files, read_file};
use crate::oci::{CONFIG_LIMIT, Descriptor, Error, Index, LAYOUT_INDEX_LIMIT, json, media};

/// An image in an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchivedImage {
    /// Its full names.
    pub names: Vec<Reference>,
    /// What the archive calls it, if that is not a full name (an OCI layout may only know a tag).
    pub label: Option<String>,
    /// Where its parts are.
    pub content: ArchivedContent,
}

/// Where the parts of an archived image are.
#[derive(Clone, Debug, PartialEq)]
pub enum ArchivedContent {
    /// In a layout, below this manifest or index.
    Oci(Box<Descriptor>),
    /// In an older archive of Docker's: the parts have names and no digests.
    Docker(DockerImage),
}

/// Lists the images of an OCI layout or Docker archive. One that is both is read as a layout.
///
/// # Errors
/// If it is neither, or what it says cannot be understood.
pub fn read_images(files: &dyn Files) -> Result<Vec<ArchivedImage>, Error> {
    // Docker before 25 wrote no index; a few tools write the marker and no index beside a Docker manifest.
    if files.open("index.json")?.is_some() && files.open("oci-layout")?.is_some() {
        return read_layout(files);
    }
    if let Some(body) = files.open("manifest.json")? {
        let bytes = body.read("manifest.json", CONFIG_LIMIT)?;
        let value = json::parse("manifest.json", &bytes, CONFIG_LIMIT)?;
        let images: Vec<DockerImage> = json::typed("manifest.json", value)?;
        return images.into_iter().map(docker_image).collect();
    }
    Err(Error::Missing {
        what: "an image (neither index.json of an OCI layout nor Docker's manifest.json)".into(),
    })
}

fn read_layout(files: &dyn Files) -> Result<Vec<ArchivedImage>, Error> {
    let marker = json::parse("oci-layout", &read_file(files, "oci-layout", 10_000)?, 10_000)?;
    let version = marker.get("imageLayoutVersion").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("1.") {
        return Err(Error::Unsupported {
            what: format!("an OCI layout of version {version:?}"),
            reason: "only version 1 is known",
        });
    }
    let index = Index::parse_layout(&read_file(files, "index.json", LAYOUT_INDEX_LIMIT)?)?;
    let mut images: BTreeMap<_, ArchivedImage> = BTreeMap::new();
    let mut order = Vec::new();
    for mut entry in index.manifests.into_iter().filter(|entry| !entry.is_attestation()) {
        let full = entry.annotations.remove(media::IMAGE_NAME);
        let short = entry.annotations.remove(media::REF_NAME);
        let digest = entry.digest.clone();
        let image = images.entry(digest.clone()).or_insert_with(|| {
            order.push(digest);
            ArchivedImage { names: Vec::new(), label: None, content: ArchivedContent::Oci(Box::new(entry)) }
        });
        match (full.as_deref().and_then(full_name), short) {
            (Some(name), _) if !image.names.contains(&name) => image.names.push(name),
            (Some(_), _) => {}
            (None, Some(short)) => match full_name(&short) {
                Some(name) if short.contains(['/', ':']) => image.names.push(name),
                _ => image.label = Some(short),
            },
            (None, None) => {}
        }
    }
    Ok(order.iter().filter_map(|digest| images.remove(digest)).collect())
}

fn full_name(text: &str) -> Option<Reference> {
    text.parse::<Reference>().ok().map(|name| name.with_default_tag())
}

fn docker_image(image: DockerImage) -> Result<ArchivedImage, Error> {
    let read = |tag: &String| {
        let invalid = |e| Error::malformed("manifest.json", format!("{e}"));
        tag.parse::<Reference>().map(|name| name.with_default_tag()).map_err(invalid)
    };
    let names = image.repo_tags.iter().map(read).collect::<Result<_, _>>()?;
    Ok(ArchivedImage { names, label: None, content: ArchivedContent::Docker(image) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::archive::Body;

    struct Memory(Vec<(&'static str, String)>);

    impl Files for Memory {
        fn open(&self, name: &str) -> Result<Option<Body<'_>>, Error> {
            let found = self.0.iter().find(|(own, _)| *own == name);
            Ok(found.map(|(_, text)| Body { size: text.len() as u64, reader: Box::new(text.as_bytes()) }))
        }
    }

    fn layout(entries: &str) -> Memory {
        Memory(vec![
            ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#.into()),
            ("index.json", format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#)),
        ])
    }

    fn entry(byte: char, annotations: &str) -> String {
        let digest = byte.to_string().repeat(64);
        format!(
            r#"{{"mediaType":"{}","digest":"sha256:{digest}","size":3,"annotations":{{{annotations}}}}}"#,
            media::OCI_MANIFEST
        )
    }

    #[test]
    fn names_of_a_layout() {
        let files = layout(
            &[
                entry('a', r#""io.containerd.image.name":"docker.io/library/shop:1","org.opencontainers.image.ref.name":"1""#),
                entry('b', r#""org.opencontainers.image.ref.name":"latest""#),
                entry('a', r#""io.containerd.image.name":"host:5000/shop:2""#),
                entry('c', r#""org.opencontainers.image.ref.name":"host/a:3""#),
                entry('d', r#""vnd.docker.reference.type":"attestation-manifest""#),
                entry('e', ""),
            ]
            .join(","),
        );
        let images = read_images(&files).unwrap();
        let told: Vec<_> = images
            .iter()
            .map(|image| {
                let names: Vec<_> = image.names.iter().map(Reference::familiar).collect();
                (names.join(" "), image.label.as_deref())
            })
            .collect();
        let expected =
            [("shop:1 host:5000/shop:2", None), ("", Some("latest")), ("host/a:3", None), ("", None)];
        assert_eq!(told, expected.map(|(names, label)| (names.to_owned(), label)));
    }

    #[test]
    fn docker_archives() {
        let text = r#"[{"Config":"c.json","RepoTags":["shop"],"Layers":["1/layer.tar"],"LayerSources":{}},
            {"Config":"d.json","RepoTags":null,"Layers":null}]"#;
        let images = read_images(&Memory(vec![("manifest.json", text.into())])).unwrap();
        assert_eq!(images[0].names[0].to_string(), "docker.io/library/shop:latest");
        let ArchivedContent::Docker(image) = &images[0].content else { panic!("Docker's") };
        assert_eq!((image.config.as_str(), image.layers.len()), ("c.json", 1));
        assert!(images[1].names.is_empty());
    }

    #[test]
    fn what_is_not_an_image() {
        for (files, word) in [
            (Memory(vec![]), "neither"),
            (Memory(vec![("manifest.json", "{".into())]), "manifest.json"),
            (
                Memory(vec![("manifest.json", r#"[{"Config":"c","RepoTags":["A B"]}]"#.into())]),
                "manifest.json",
            ),
            (
                Memory(vec![
                    ("index.json", "{}".into()),
                    ("oci-layout", r#"{"imageLayoutVersion":"2"}"#.into()),
                ]),
                "version",
            ),
            (layout("3"), "index.json"),
        ] {
            let error = read_images(&files).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
