//! What to make of an image.

use std::path::PathBuf;

use crate::base::{Platform, Reference};
use crate::oci::compress::Compression;

/// What to make of an image.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The image under names: in the store, and in registries if it is pushed.
    Image {
        /// Its form.
        form: Form,
        /// Whether and how it is pushed.
        push: Option<Push>,
    },
    /// An OCI layout, as a tar or a folder.
    Oci {
        /// Where to; `None` is standard output.
        destination: Option<PathBuf>,
        /// Whether to write one tar.
        tar: bool,
        /// The image's form.
        form: Form,
    },
    /// An archive for `docker load`.
    Docker {
        /// Where to; `None` is standard output.
        destination: Option<PathBuf>,
        /// The image's form.
        form: Form,
    },
    /// The files of the image.
    Local {
        /// The folder, made if missing.
        destination: PathBuf,
        /// Whether they go into a folder named after the platform.
        platform_split: bool,
    },
    /// The files of the image as one tar.
    Tar {
        /// Where to; `None` is standard output.
        destination: Option<PathBuf>,
    },
    /// Nothing: only the cache is filled.
    CacheOnly,
}

/// How an image is pushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// Under its digest alone, without tags.
    pub by_digest: bool,
    /// What a name stands for already stays: then that is the result.
    pub adopt: bool,
}

/// The form in which an image leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    /// Its names; without any, those of the build.
    pub names: Vec<Reference>,
    /// How layers made here are compressed.
    pub compression: Compression,
    /// Whether the layers of the base image are compressed again in that way.
    pub force_compression: bool,
    /// Docker's media types instead of OCI's.
    pub docker_types: bool,
    /// New layers must not hold times later than the asked one. They never do when one was asked for, so this only
    /// demands that it was.
    pub rewrite_timestamp: bool,
    /// Words on the image.
    pub annotations: Vec<Annotation>,
}

/// Words on an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// On what.
    pub level: AnnotationLevel,
    /// Only if the image is for this platform.
    pub platform: Option<Platform>,
    /// Name.
    pub key: String,
    /// Value.
    pub value: String,
}

/// What an annotation is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnnotationLevel {
    /// The manifest.
    Manifest,
    /// The descriptor by which a layout names the manifest.
    ManifestDescriptor,
    /// The index of several images.
    Index,
    /// The descriptor by which a layout names the index.
    IndexDescriptor,
}

impl AnnotationLevel {
    /// All, with their names on the command line.
    pub const ALL: [(&'static str, Self); 4] = [
        ("manifest", Self::Manifest),
        ("manifest-descriptor", Self::ManifestDescriptor),
        ("index", Self::Index),
        ("index-descriptor", Self::IndexDescriptor),
    ];
}

impl Output {
    /// The image's form, if it stays an image.
    pub fn form(&self) -> Option<&Form> {
        match self {
            Self::Image { form, .. } | Self::Oci { form, .. } | Self::Docker { form, .. } => Some(form),
            Self::Local { .. } | Self::Tar { .. } | Self::CacheOnly => None,
        }
    }

    /// How layers are compressed that leave with it, if they are.
    pub fn compresses(&self) -> Option<Compression> {
        let form = match self {
            Self::Image { push: None, form } if !form.force_compression => None,
            _ => self.form(),
        };
        form.map(|form| form.compression).filter(|compression| *compression != Compression::None)
    }

    /// Whether it cannot be made without the blobs of the base image at hand.
    pub fn needs_base(&self) -> bool {
        match self {
            Self::Oci { .. } | Self::Docker { .. } => true,
            Self::Image { form, push } => form.force_compression || push.is_none(),
            Self::Local { .. } | Self::Tar { .. } | Self::CacheOnly => false,
        }
    }

    /// Whether it is written to standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(
            self,
            Self::Oci { destination: None, .. }
                | Self::Docker { destination: None, .. }
                | Self::Tar { destination: None }
        )
    }
}
