//! Looking at every byte of the store, and repair.

use serde::Serialize;

use crate::base::Failure;
use crate::content::{self, CheckOptions, Problem, Store, Unpacked};
use crate::report::{Context, Outcome, TaskKind};
use crate::snapshot::{self, Snapshots};
use crate::stages::LocalRecords;

/// How to check.
pub struct Request<'a> {
    /// Remove what is damaged.
    pub repair: bool,
    /// Knows the layers that have no blob.
    pub unpacked: &'a dyn Unpacked,
    /// What else is looked at: unpacked layers and records of the build cache.
    pub cache: Option<(&'a Snapshots, &'a LocalRecords)>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Blobs that were read.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Images that were followed.
    pub images: usize,
    /// Unpacked layers that were made here and were read.
    pub layers: usize,
    /// What is wrong.
    pub problems: Vec<Told>,
    /// Whether what could be repaired was.
    pub repaired: bool,
}

/// A problem in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Which kind: `damaged-blob`, `missing-blob`, `bad-manifest`, `bad-index`, `stray-file`, `damaged-layer` or
    /// `damaged-record`.
    pub kind: &'static str,
    /// What is concerned: a digest, a file.
    pub subject: String,
    /// What is wrong with it.
    pub message: String,
    /// The images that are concerned.
    pub images: Vec<String>,
    /// What repair does about it.
    pub remedy: &'static str,
}

/// Checks.
///
/// # Errors
/// If the store cannot be read, or not be written for repair. Problems are no error.
pub fn run(cx: &Context, store: &Store, request: &Request<'_>) -> Result<Report, Failure> {
    let task = cx.report.task(TaskKind::Internal, format!("check {}", store.root().display()));
    let options = CheckOptions { repair: request.repair, unpacked: request.unpacked };
    // Layers before images: an image that needs a damaged one is told as missing it.
    let checked = cache(cx, request).and_then(|cache| Ok((cache, store.check(cx, &options)?)));
    match checked {
        Ok(((layers, mut problems), report)) => {
            task.finish(Outcome::Done, Some(format!("{} blobs, {layers} layers", report.blobs)));
            problems.extend(report.problems.into_iter().map(told));
            let (blobs, bytes, images) = (report.blobs, report.bytes, report.images);
            let repaired = report.repaired || request.repair && !problems.is_empty();
            Ok(Report { blobs, bytes, images, layers, problems, repaired })
        }
        Err(failure) => {
            task.finish(Outcome::Failed(failure.to_string()), None);
            Err(failure)
        }
    }
}

/// Makes the archive of every layer again that was made here, and reads every record.
fn cache(cx: &Context, request: &Request<'_>) -> Result<(usize, Vec<Told>), Failure> {
    let (mut layers, mut problems) = (0, Vec::new());
    let Some((snapshots, records)) = request.cache else { return Ok((layers, problems)) };
    for info in snapshots.list()? {
        if cx.cancel.is_cancelled() {
            return Err(content::Error::Cancelled.into());
        }
        if !matches!(info.origin, snapshot::Origin::Committed { .. }) {
            continue;
        }
        layers += 1;
        let Err(error) = snapshots.write_tar(&info.diff_id, std::io::sink()) else { continue };
        if request.repair {
            snapshots.remove(&info.diff_id)?;
        }
        problems.push(Told {
            kind: "damaged-layer",
            subject: info.diff_id.to_string(),
            message: error.to_string(),
            images: Vec::new(),
            remedy: "the unpacked layer is removed; what needs it is built again",
        });
    }
    for path in records.damaged(request.repair)? {
        problems.push(Told {
            kind: "damaged-record",
            subject: path.display().to_string(),
            message: "it is no record of a build step".into(),
            images: Vec::new(),
            remedy: "the record is removed",
        });
    }
    Ok((layers, problems))
}

fn told(problem: Problem) -> Told {
    match problem {
        Problem::DamagedBlob { digest, found } => Told {
            kind: "damaged-blob",
            subject: digest.to_string(),
            message: format!("its content is not what its name says: {found}"),
            images: Vec::new(),
            remedy: "the blob is removed",
        },
        Problem::MissingBlob { digest, images } => Told {
            kind: "missing-blob",
            subject: digest.to_string(),
            message: "an image names it and it is not there".into(),
            images,
            remedy: "the images lose their names; pull or build them again",
        },
        Problem::BadManifest { digest, reason, images } => Told {
            kind: "bad-manifest",
            subject: digest.to_string(),
            message: reason,
            images,
            remedy: "the images lose their names; pull or build them again",
        },
        Problem::BadIndex { reason } => Told {
            kind: "bad-index",
            subject: "index.json".into(),
            message: reason,
            images: Vec::new(),
            remedy: "it is put aside as index.json.damaged; images must be named again",
        },
        Problem::StrayFile { path } => Told {
            kind: "stray-file",
            subject: path,
            message: "it is no blob".into(),
            images: Vec::new(),
            remedy: "it is left alone",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::NothingUnpacked;
    use crate::host::fs;
    use crate::ops::samples;

    #[test]
    fn problems_in_words() {
        let (dir, store) = samples::store();
        let shop = samples::image(&store, &["shop"], b"layer");
        let cx = Context::silent(crate::host::clock::system());
        let check =
            |repair| run(&cx, &store, &Request { repair, unpacked: &NothingUnpacked, cache: None }).unwrap();
        assert!(check(false).problems.is_empty());
        let layer = dir.path().join("blobs/sha256").join(shop.manifest.layers[0].digest.hex());
        fs::write(layer, "other").unwrap();
        let kinds: Vec<_> = check(true).problems.iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, ["damaged-blob", "missing-blob"]);
        assert!(check(false).problems.is_empty());
    }
}
