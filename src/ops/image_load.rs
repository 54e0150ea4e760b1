//! Images from an archive or a layout into the store.

use std::io::Read;
use std::path::PathBuf;

use serde::Serialize;

use crate::base::{Failure, Kind, Reference};
use crate::content::{LayoutFolder, Store};
use crate::host::fs;
use crate::oci::Descriptor;
use crate::oci::archive::{ArchivedImage, Files, TarFiles, read_images};
use crate::oci::compress::{Kind as Packing, at_most, decompress};
use crate::report::{Context, Outcome, TaskKind};

/// What to load.
pub struct Request<'a> {
    /// Where from.
    pub input: Input<'a>,
    /// More names for the image; only if the archive holds one.
    pub names: Vec<Reference>,
}

/// Where an archive comes from.
pub enum Input<'a> {
    /// An archive, compressed or not, or the folder of a layout.
    Path(PathBuf),
    /// A stream.
    Stream(&'a mut dyn Read),
}

/// An image that was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loaded {
    /// Its names in the store.
    pub names: Vec<Reference>,
    /// Digest of its manifest or index.
    pub digest: String,
    /// What the archive called it, if that is not a name of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Loads every image of the archive.
///
/// # Errors
/// If it cannot be read or is not what it should be, or the store cannot be written.
pub fn run(cx: &Context, store: &Store, request: Request<'_>) -> Result<Vec<Loaded>, Failure> {
    opened(cx, store, request.input, |files| load(cx, store, files, &request.names))
}

/// Brings every image of the archive into the store without giving it a name.
///
/// # Errors
/// Those of [`run`].
pub fn import(cx: &Context, store: &Store, input: Input<'_>) -> Result<Vec<Descriptor>, Failure> {
    opened(cx, store, input, |files| {
        let images = read_images(files)?;
        images.iter().map(|image| Ok(store.import(cx, files, image)?)).collect()
    })
}

fn opened<T>(
    cx: &Context,
    store: &Store,
    input: Input<'_>,
    work: impl FnOnce(&dyn Files) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (name, files) = open(cx, store, input)?;
    let task = cx.report.task(TaskKind::Transfer, format!("load {name}"));
    match work(files.as_ref()) {
        Ok(loaded) => {
            task.finish(Outcome::Done, None);
            Ok(loaded)
        }
        Err(failure) => {
            task.finish(Outcome::Failed(failure.to_string()), None);
            Err(failure.while_doing(format!("load {name}")))
        }
    }
}

fn open(cx: &Context, store: &Store, input: Input<'_>) -> Result<(String, Box<dyn Files>), Failure> {
    let (name, file) = match input {
        Input::Path(path) => {
            let name = path.display().to_string();
            if fs::metadata(&path)?.is_dir() {
                return Ok((name, Box::new(LayoutFolder::open(path))));
            }
            let file = fs::open(&path)?;
            let packed = decompress(&file).map_err(|e| crate::host::Error::new("read", &path, e))?;
            // Rereading needs a file that is not compressed; a pipe cannot be reread at all.
            if packed.kind() == Packing::Plain && fs::metadata(&path)?.is_file() {
                drop(packed);
                (name, file)
            } else {
                let spooled = store.spool(&mut at_most(packed, cx.limits.layer_size))?;
                (name, spooled)
            }
        }
        Input::Stream(stream) => {
            let failed = |e| Failure::new(Kind::Input, "read standard input").caused_by(&e);
            let packed = decompress(stream).map_err(failed)?;
            let spooled = store.spool(&mut at_most(packed, cx.limits.layer_size))?;
            ("standard input".to_owned(), spooled)
        }
    };
    let files = TarFiles::scan(file).map_err(|e| Failure::from(e).while_doing(format!("load {name}")))?;
    Ok((name, Box::new(files)))
}

fn load(cx: &Context, store: &Store, files: &dyn Files, names: &[Reference]) -> Result<Vec<Loaded>, Failure> {
    let images = read_images(files)?;
    if !names.is_empty() && images.len() != 1 {
        return Err(Failure::new(Kind::Usage, "give a name to what is loaded")
            .because(format!("the archive holds {} images", images.len()))
            .hint("load it without --tag, then name each with `lap image tag DIGEST NAME`"));
    }
    let _lease = store.lease()?;
    images.iter().map(|image| load_one(cx, store, files, (image, names))).collect()
}

fn load_one(
    cx: &Context,
    store: &Store,
    files: &dyn Files,
    (image, more): (&ArchivedImage, &[Reference]),
) -> Result<Loaded, Failure> {
    let descriptor = store.import(cx, files, image)?;
    let mut names: Vec<Reference> = Vec::new();
    for name in image.names.iter().chain(more).map(Reference::with_default_tag) {
        store.tag(&name, &descriptor)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(Loaded { names, digest: descriptor.digest.to_string(), label: image.label.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::NothingUnpacked;
    use crate::oci::compress::{Compression, Compressor};
    use crate::ops::image_save::{self, Output, Shape};
    use crate::ops::samples;
    use std::io::Write as _;

    fn cx() -> Context {
        Context::silent(crate::host::clock::system())
    }

    fn save(store: &Store, images: &[&str], shape: Shape, output: Output<'_>) -> Vec<image_save::Saved> {
        let request = image_save::Request {
            images: images.iter().map(ToString::to_string).collect(),
            shape,
            output,
            compression: None,
            platform: None,
            unpacked: &NothingUnpacked,
        };
        image_save::run(&cx(), store, request).unwrap()
    }

    fn load(store: &Store, input: Input<'_>, names: &[&str]) -> Result<Vec<Loaded>, Failure> {
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        run(&cx(), store, Request { input, names })
    }

    #[test]
    fn every_shape_comes_back() {
        let (dir, from) = samples::store();
        let shop = samples::image(&from, &["shop:1", "copy:2"], b"layer");
        samples::image(&from, &["other"], b"other");
        for shape in [Shape::DockerArchive, Shape::OciArchive, Shape::OciFolder] {
            let path = dir.path().join(format!("{shape:?}"));
            let saved = save(&from, &["shop:1", "other", "copy:2"], shape, Output::Path(path.clone()));
            assert_eq!((saved.len(), saved[0].names.len()), (2, 2));
            let (_dir, to) = samples::store();
            let loaded = load(&to, Input::Path(path), &[]).unwrap();
            assert_eq!(loaded.len(), 2);
            let found = to.resolve(&"copy:2".parse().unwrap()).unwrap().unwrap();
            assert_eq!(found.digest, shop.descriptor.digest);
            assert_eq!(to.blobs().unwrap(), from.blobs().unwrap());
        }
    }

    #[test]
    fn streams_compressed_and_with_other_names() {
        let (_dir, from) = samples::store();
        let shop = samples::image(&from, &["shop:1"], b"layer");
        let mut bytes = Vec::new();
        save(&from, &[shop.id().hex()], Shape::DockerArchive, Output::Stream(&mut bytes));
        let mut packed = Compressor::new(Vec::new(), Compression::Gzip(6)).unwrap();
        packed.write_all(&bytes).unwrap();
        for bytes in [packed.finish().unwrap(), bytes] {
            let (_dir, to) = samples::store();
            let loaded = load(&to, Input::Stream(&mut bytes.as_slice()), &["mine"]).unwrap();
            let names: Vec<_> = loaded[0].names.iter().map(Reference::familiar).collect();
            assert_eq!(names, ["shop:1", "mine:latest"]);
            assert!(fs::read_dir(to.root().join("ingest")).unwrap().is_empty());
        }
    }

    #[test]
    fn an_archive_that_cannot_be_written_names_its_place() {
        let (dir, store) = samples::store();
        samples::image(&store, &["shop"], b"layer");
        let request = image_save::Request {
            images: vec!["shop".into()],
            shape: Shape::OciArchive,
            output: Output::Path(dir.path().join("absent/shop.tar")),
            compression: None,
            platform: None,
            unpacked: &NothingUnpacked,
        };
        let failure = image_save::run(&cx(), &store, request).unwrap_err();
        assert!(failure.message().ends_with("absent/shop.tar"), "{failure}");
        assert!(failure.causes()[0].ends_with("absent/shop.tar"), "{:?}", failure.causes());
    }

    #[test]
    fn what_is_not_an_archive() {
        let (dir, store) = samples::store();
        let path = dir.path().join("file");
        fs::write(&path, "no archive").unwrap();
        let told = |failure: Failure| format!("{failure}: {}", failure.causes().join(": "));
        let error = told(load(&store, Input::Path(path), &[]).unwrap_err());
        assert!(error.contains("not a tar") && error.contains("file"), "{error}");
        let error = told(load(&store, Input::Path(dir.path().join("absent")), &[]).unwrap_err());
        assert!(error.contains("absent"), "{error}");
        let error = told(load(&store, Input::Stream(&mut &b""[..]), &[]).unwrap_err());
        assert!(error.contains("not a tar"), "{error}");
        fs::create_dir(dir.path().join("empty")).unwrap();
        let error = told(load(&store, Input::Path(dir.path().join("empty")), &[]).unwrap_err());
        assert!(error.contains("not in the archive"), "{error}");
    }
}
