//! The trees that come from outside: opened before what steps read of them is looked at.

use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::base::{Failure, SourceFile};
use crate::build::facts::context::{Checkout, Place};
use crate::build::facts::fetched::Fetched;
use crate::build::facts::gittree::GitTree;
use crate::build::facts::secrets::Secrets;
use crate::build::facts::{ContextTree, downloads, repositories};
use crate::build::step::{ContextRequest, Origin};
use crate::build::{ContextSource, Doors, Error, blocking};
use crate::dockerfile::ignore;
use crate::host::fs::{self, File};
use crate::report::{Context, Outcome, TaskKind};
use crate::snapshot::{Writable, copy};

const LARGEST_IGNORE_FILE: u64 = 16 << 20;
/// A Dockerfile is written by hand; what is larger is something else.
pub const LARGEST_DOCKERFILE: u64 = 16 << 20;
/// The time of directories that an archive takes for granted.
const EARLIEST: i64 = 315_532_800;

/// The build context, before its ignore file is read.
pub struct MainContext {
    /// Its folder, as it is to be shown.
    pub root: PathBuf,
    /// The Dockerfile, if that came instead of a context.
    pub dockerfile: Option<Vec<u8>>,
    /// Whether it came from elsewhere: then links in it lead nowhere outside, and `-f` is a path in it.
    pub remote: bool,
    root_owned: bool,
    hold: Option<Box<Writable>>,
    git: Option<(GitTree, Place)>,
}

impl MainContext {
    fn folder(root: PathBuf, remote: bool) -> Self {
        Self { root, dockerfile: None, remote, root_owned: true, hold: None, git: None }
    }

    /// The folder of a repository that it is.
    pub fn git(&self) -> Option<&GitTree> {
        self.git.as_ref().map(|(tree, _)| tree)
    }

    /// The context as a tree that hides what `ignore` says.
    ///
    /// # Errors
    /// If its folder is gone.
    pub fn into_tree(self, ignore: ignore::Matcher) -> Result<ContextTree, Error> {
        Ok(ContextTree {
            title: "the build context".into(),
            // That of a repository need not be there yet.
            root: if self.git.is_some() { self.root } else { fs::canonicalize(&self.root)? },
            ignore,
            root_owned: self.root_owned,
            hold: self.hold,
            git: self.git.map(|(tree, place)| Checkout { tree, written: Mutex::default(), place }),
        })
    }
}

/// Opens the build context.
///
/// # Errors
/// If it cannot be had.
pub async fn main(
    cx: &Context,
    doors: &Doors,
    source: &ContextSource,
    secrets: &Secrets,
) -> Result<MainContext, Error> {
    match source {
        ContextSource::Folder(path) => Ok(MainContext::folder(path.clone(), false)),
        ContextSource::Tree(tree) => {
            let folder = doors.home().join("tmp");
            fs::create_dir_all(&folder)?;
            let place = Place::below(&fs::canonicalize(&folder)?);
            let root = place.path().to_owned();
            Ok(MainContext { git: Some((tree.clone(), place)), ..MainContext::folder(root, true) })
        }
        ContextSource::Git(origin) => {
            Ok(MainContext::folder(repositories::tree(cx, doors, origin, secrets).await?, true))
        }
        ContextSource::Url(origin) => {
            let folder = downloads::file(cx, doors, origin).await?;
            let file = fs::open(folder.join(&origin.name))?;
            let (cx, doors) = (cx.clone(), doors.clone());
            blocking(move || archive_or_dockerfile(&cx, &doors, file)).await
        }
        ContextSource::Stdin => {
            let task = cx.report.task(TaskKind::Transfer, "read the build context from standard input");
            let (inner, doors) = (cx.clone(), doors.clone());
            let result = blocking(move || {
                let file = doors.store().spool(&mut std::io::stdin().lock())?;
                archive_or_dockerfile(&inner, &doors, file)
            })
            .await;
            match &result {
                Ok(_) => task.finish(Outcome::Done, None),
                Err(e) => task.finish(Outcome::Failed(e.to_string()), None),
            }
            result
        }
    }
}

/// A stream that is an archive is the context; any other is the Dockerfile of a build without context.
fn archive_or_dockerfile(cx: &Context, doors: &Doors, mut file: File) -> Result<MainContext, Error> {
    let fail = |e| Error::Host(crate::host::Error::new("read", Path::new("the build context"), e));
    file.rewind().map_err(fail)?;
    let mut tree = doors.snapshots()?.writable(&[])?;
    let root = tree.mounted()?.to_owned();
    let unpacked = copy::unpack(cx, file.try_clone().map_err(fail)?, &root, EARLIEST)?;
    if let Some(notes) = unpacked {
        notes.into_iter().for_each(|note| cx.report.warn(note));
        let hold = Some(Box::new(tree));
        return Ok(MainContext { root_owned: false, hold, ..MainContext::folder(root, true) });
    }
    file.rewind().map_err(fail)?;
    let mut bytes = Vec::new();
    (&mut file).take(LARGEST_DOCKERFILE + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST_DOCKERFILE {
        return Err(Error::input("the build context is neither an archive nor a Dockerfile")
            .hint("it may be a tar, plain or compressed by gzip, bzip2, xz or zstd"));
    }
    let nothing = Fetched::of(doors).nothing()?;
    Ok(MainContext { dockerfile: Some(bytes), ..MainContext::folder(nothing, true) })
}

/// Opens all `requests`, at once, in their order.
///
/// # Errors
/// With the place of the first that cannot be had.
pub async fn open(
    cx: &Context,
    doors: &Doors,
    requests: &[ContextRequest],
    secrets: &Secrets,
) -> Result<Vec<ContextTree>, Error> {
    let all = requests.iter().map(|request| async move {
        one(cx, doors, request, secrets).await.map_err(|error| match error {
            Error::Cancelled => Error::Cancelled,
            other => Error::Fetch {
                title: request.title.clone(),
                span: request.span.clone(),
                source: Box::new(Failure::from(other)),
            },
        })
    });
    futures_util::future::try_join_all(all).await
}

async fn one(
    cx: &Context,
    doors: &Doors,
    request: &ContextRequest,
    secrets: &Secrets,
) -> Result<ContextTree, Error> {
    let title = request.title.clone();
    let tree = |root| ContextTree {
        title,
        root,
        ignore: ignore::Matcher::default(),
        root_owned: true,
        hold: None,
        git: None,
    };
    match &request.origin {
        Origin::Folder(folder) => {
            let folder = folder.clone();
            let (root, ignore) = blocking(move || open_folder(&folder)).await?;
            Ok(ContextTree { ignore, ..tree(root) })
        }
        Origin::Url(origin) => Ok(tree(downloads::file(cx, doors, origin).await?)),
        Origin::Git(origin) => Ok(tree(repositories::tree(cx, doors, origin, secrets).await?)),
    }
}

/// A folder of this machine hides what its own `.dockerignore` says.
fn open_folder(folder: &Path) -> Result<(PathBuf, ignore::Matcher), Error> {
    let root = fs::canonicalize(folder)?;
    if !fs::metadata(&root)?.is_dir() {
        return Err(Error::input(format!("{} is not a folder", folder.display())));
    }
    let path = root.join(".dockerignore");
    let ignore = match fs::read_limited(&path, LARGEST_IGNORE_FILE) {
        Ok(bytes) => ignore::Matcher::of_file(&SourceFile::new(path.display().to_string(), bytes))?,
        Err(e) if e.is_not_found() => ignore::Matcher::default(),
        Err(e) => return Err(e.into()),
    };
    Ok((root, ignore))
}
