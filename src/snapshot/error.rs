//! What can go wrong with trees and layers.

use std::io;
use std::path::PathBuf;

use crate::base::{DiffId, Digest, Failure, Kind};
use crate::snapshot::copy::ONTO_ANOTHER;
use crate::{host, oci};

/// An operation on trees or layers failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// The archive of a layer, or one that ADD unpacks, is broken, hostile or cut short.
    #[error("read {what}")]
    Archive {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: oci::layer::Error,
    },
    /// What an archive says of one of its entries cannot be: a file below a file, links in a circle, a link to nothing.
    #[error("{action} {path:?} of {what}")]
    Entry {
        /// Of which archive.
        what: String,
        /// What was being done.
        action: &'static str,
        /// Where in the tree.
        path: String,
        /// Why it cannot be.
        #[source]
        source: io::Error,
    },
    /// The bytes are not those of the layer that was asked for.
    #[error("unpack layer {expected}: its bytes have the digest {actual}")]
    WrongDigest {
        /// Asked for.
        expected: DiffId,
        /// Found.
        actual: Digest,
    },
    /// An owner or group has no place in this process's user namespace.
    #[error("give {} to {uid}:{gid}", .path.display())]
    UnmappedId {
        /// What.
        path: PathBuf,
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A layer is not unpacked here.
    #[error("find unpacked layer {layer}")]
    Missing {
        /// Which.
        layer: DiffId,
    },
    /// A file is larger than a layer may be.
    #[error("store {path:?} in a layer: it is larger than {} GiB", limit >> 30)]
    TooLarge {
        /// Where in the tree.
        path: String,
        /// Bytes that a layer may have.
        limit: u64,
    },
    /// An image has more layers than an overlay can have.
    #[error("merge {count} layers: an overlay of Linux takes {limit}")]
    TooManyLayers {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Overlays were demanded but do not work here.
    #[error("use overlay mounts in {}: {reason}", .path.display())]
    NoOverlay {
        /// The store.
        path: PathBuf,
        /// What went wrong when they were tried.
        reason: String,
    },
    /// The archive of a layer cannot be made again from its directory.
    #[error("make the archive of layer {layer} again: {reason}")]
    NotRemade {
        /// Which.
        layer: DiffId,
        /// Why.
        reason: String,
    },
    /// A name in a tree cannot be stored in a layer, or a file changed while it was stored.
    #[error("store {path:?} in a layer")]
    Unstorable {
        /// Where in the tree.
        path: String,
        /// Why.
        #[source]
        source: oci::layer::Error,
    },
    /// The layer or the store is used by somebody.
    #[error("remove layer {layer}: the store is in use")]
    Busy {
        /// Which.
        layer: DiffId,
    },
    /// A source that is no wildcard is not there.
    #[error("find {path:?} among the sources")]
    NoSource {
        /// As written.
        path: String,
        /// Whether it exists but the source does not show it (`.dockerignore`).
        hidden: bool,
    },
    /// Nothing of a source is left.
    #[error("{path:?} is there, but --exclude takes all of it away")]
    Excluded {
        /// As written.
        path: String,
    },
    /// Something of another kind is in the way.
    #[error("copy {from:?} to {to:?}: {reason}")]
    Conflict {
        /// What was copied.
        from: String,
        /// Where it was to go.
        to: String,
        /// What is there.
        reason: &'static str,
    },
    /// `--chown` names somebody the destination does not know.
    #[error("find {kind} {name:?} in {file} of the image")]
    UnknownOwner {
        /// `user` or `group`.
        kind: &'static str,
        /// Who.
        name: String,
        /// The file.
        file: &'static str,
    },
    /// `--chmod` or `--chown` cannot be read.
    #[error("read {what} {text:?}: {reason}")]
    Syntax {
        /// Of which flag.
        what: &'static str,
        /// As written.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The work was cancelled.
    #[error("copy files: cancelled")]
    Cancelled,
}

impl Error {
    /// An error of a system call on a path.
    pub(super) fn system(
        action: &'static str,
        path: impl AsRef<std::path::Path>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::Host(host::Error::new(action, path, source))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Host(_) => match error {
                Error::Host(inner) => return inner.into(),
                _ => Kind::Environment,
            },
            Error::Archive { .. } | Error::Entry { .. } | Error::WrongDigest { .. } => Kind::Input,
            Error::NoSource { .. }
            | Error::Excluded { .. }
            | Error::Conflict { .. }
            | Error::UnknownOwner { .. } => Kind::Input,
            Error::Syntax { .. } | Error::Unstorable { .. } => Kind::Input,
            Error::TooManyLayers { .. } | Error::TooLarge { .. } => Kind::Input,
            Error::UnmappedId { .. } | Error::NoOverlay { .. } => Kind::Environment,
            Error::Busy { .. } => Kind::Conflict,
            Error::Cancelled => Kind::Cancelled,
            Error::Missing { .. } | Error::NotRemade { .. } => Kind::Bug,
        };
        let mut failure = Failure::of(kind, &error);
        if let Some(hint) = oci::compress::limit_hint(&error) {
            failure = failure.hint(hint);
        }
        match error {
            Error::TooLarge { .. } => failure
                .hint("leave it out with .dockerignore, or raise the limit with --max-layer-size or LAP_MAX_LAYER_SIZE"),
            Error::TooManyLayers { .. } => failure.hint(
                "flatten the image where it is made (`COPY --from=all / /` onto scratch), or merge layers by copying them: \
                 LAP_ROOTS=copy",
            ),
            Error::UnmappedId { uid, gid, .. } => failure.hint(format!(
                "the user namespace has no place for {}: give this user a range of subordinate ids that holds it in \
                 /etc/subuid and /etc/subgid (65536 ids are enough for most images)",
                uid.max(gid)
            )),
            Error::NoSource { hidden: true, .. } => failure.hint(".dockerignore hides it"),
            Error::Conflict { to, reason, .. } if reason == ONTO_ANOTHER => failure
                .hint(format!("end the destination with a slash if it is a folder: {to}/"))
                .hint("--compat=buildkit lets the last one win, as BuildKit does"),
            Error::UnknownOwner { kind, .. } => failure.hint(format!(
                "create the {kind} in an earlier RUN, or write its number"
            )),
            Error::Busy { .. } => failure.hint("wait until other lap processes have finished"),
            _ => failure,
        }
    }
}
