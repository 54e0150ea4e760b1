//! The image in the form in which it is to leave: media types, words on it, compression.

use std::collections::BTreeMap;

use crate::base::Platform;
use crate::build::output::{Annotation, AnnotationLevel, Form};
use crate::build::{Doors, Error, Request, UnpackedLayers};
use crate::content::{Leaving, Store};
use crate::oci::{AnyManifest, Descriptor, MANIFEST_LIMIT, Manifest, media};
use crate::report::Context;

/// Says before anything runs what cannot be made of the build for `platform`; `epoch` is the time that was asked for.
///
/// # Errors
/// [`Error::Input`].
pub fn check(request: &Request, platform: &Platform, epoch: Option<i64>) -> Result<(), Error> {
    words(&request.annotations, platform)?;
    for form in request.outputs.iter().filter_map(|output| output.form()) {
        words(&form.annotations, platform)?;
        if form.rewrite_timestamp && epoch.is_none() {
            return Err(Error::input("rewrite-timestamp=true needs a time to rewrite to")
                .hint("give one with --source-date-epoch, or set SOURCE_DATE_EPOCH"));
        }
    }
    Ok(())
}

/// Annotations that apply to one image.
#[derive(Debug, Default)]
struct Words {
    manifest: BTreeMap<String, String>,
    descriptor: BTreeMap<String, String>,
}

fn words(annotations: &[Annotation], platform: &Platform) -> Result<Words, Error> {
    let mut words = Words::default();
    for Annotation { level, platform: only, key, value } in annotations {
        if let Some(only) = only
            && only != platform
        {
            return Err(Error::input(format!("invalid annotation: no platform {only} found in source"))
                .hint(format!("the image is for {platform}")));
        }
        match level {
            AnnotationLevel::Manifest => words.manifest.insert(key.clone(), value.clone()),
            AnnotationLevel::ManifestDescriptor => words.descriptor.insert(key.clone(), value.clone()),
            AnnotationLevel::Index | AnnotationLevel::IndexDescriptor => {
                return Err(Error::input("index annotations not supported for single platform export")
                    .hint("a build for one platform makes no index: annotate the manifest"));
            }
        };
    }
    Ok(words)
}

/// The image with `annotations`.
///
/// # Errors
/// If it cannot be read or stored.
pub fn annotated(
    store: &Store,
    image: &Descriptor,
    annotations: &[Annotation],
    platform: &Platform,
) -> Result<Descriptor, Error> {
    let words = words(annotations, platform)?;
    let mut made = match words.manifest.is_empty() {
        true => image.clone(),
        false => changed(store, image, |manifest| manifest.annotations.extend(words.manifest))?,
    };
    made.annotations.extend(words.descriptor);
    Ok(made)
}

/// The image in `form`. Its layers are compressed only where that is forced: the rest is done when they leave.
///
/// # Errors
/// If it cannot be read or stored, or a layer is missing that has to be compressed again.
pub fn formed(
    cx: &Context,
    doors: &Doors,
    (image, platform): (&Descriptor, &Platform),
    form: &Form,
) -> Result<Descriptor, Error> {
    let store = doors.store();
    let mut made = annotated(store, image, &form.annotations, platform)?;
    if form.docker_types {
        made = changed(store, &made, as_docker)?;
    }
    if form.force_compression {
        let snapshots = doors.snapshots()?;
        let unpacked = UnpackedLayers(&snapshots);
        let leaving = Leaving { compression: form.compression, force: true, unpacked: &unpacked };
        made = store.materialise(cx, &made, &leaving)?;
    }
    Ok(made)
}

fn changed(
    store: &Store,
    image: &Descriptor,
    change: impl FnOnce(&mut Manifest),
) -> Result<Descriptor, Error> {
    let bytes = store.read_blob(&image.digest, MANIFEST_LIMIT)?;
    let AnyManifest::Image(mut manifest) = AnyManifest::parse(Some(&image.media_type), &bytes)? else {
        return Err(Error::Bug("a build made an index".into()));
    };
    change(&mut manifest);
    let bytes = manifest.to_bytes();
    store.put(&bytes)?;
    let made = Descriptor::of(manifest.effective_media_type(), &bytes);
    Ok(Descriptor { platform: image.platform.clone(), annotations: image.annotations.clone(), ..made })
}

fn as_docker(manifest: &mut Manifest) {
    manifest.media_type = media::DOCKER_MANIFEST.into();
    manifest.config.media_type = media::DOCKER_CONFIG.into();
    for layer in &mut manifest.layers {
        layer.media_type = match layer.media_type.as_str() {
            media::OCI_LAYER => media::DOCKER_LAYER.into(),
            media::OCI_LAYER_GZIP => media::DOCKER_LAYER_GZIP.into(),
            other => other.into(),
        };
    }
}
