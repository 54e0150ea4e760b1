//! Git repositories that ADD and contexts name: fetched once per commit.

use std::path::PathBuf;

use base64::Engine as _;

use crate::base::{ContentHash, KeyHasher};
use crate::build::facts::fetched::Fetched;
use crate::build::facts::secrets::Secrets;
use crate::build::step::GitOrigin;
use crate::build::{Doors, Error, blocking};
use crate::git::{self, ExportRequest, Located, Remote, Repository};
use crate::host::fs;
use crate::report::{Context, Outcome, TaskKind};

/// The folder that holds the files of the commit, as [`git::export`] writes them.
///
/// # Errors
/// If the reference is not there, the commit is another than its checksum says, or the remote cannot be reached.
pub async fn tree(
    cx: &Context,
    doors: &Doors,
    origin: &GitOrigin,
    secrets: &Secrets,
) -> Result<PathBuf, Error> {
    let task = cx.report.task(TaskKind::Transfer, format!("fetch {}", shown(origin)));
    let (inner, doors, origin) = (cx.clone(), doors.clone(), origin.clone());
    let authorization = authorization(&origin.remote, secrets);
    if let Some(value) = &authorization {
        cx.report.secrets().register(value.as_bytes());
    }
    let result = blocking(move || fetch(&inner, &doors, &origin, authorization.as_deref())).await;
    match result {
        Ok((place, commit)) => {
            task.finish(Outcome::Done, Some(commit));
            Ok(place)
        }
        Err(error) => {
            task.finish(Outcome::Failed(error.to_string()), None);
            Err(error)
        }
    }
}

fn fetch(
    cx: &Context,
    doors: &Doors,
    origin: &GitOrigin,
    authorization: Option<&str>,
) -> Result<(PathBuf, String), Error> {
    let fetched = Fetched::of(doors);
    let of_remote = |url: &str| KeyHasher::new("lapstrake git remote v1").field("url", url).finish();
    let _lock = fetched.lock(&of_remote(&origin.remote))?;
    let remote = Remote { url: &origin.remote, authorization };
    let located = locate(cx, &fetched, (origin, &remote))?;
    if let Some(checksum) = &origin.checksum
        && !located.commit.starts_with(&checksum.to_ascii_lowercase())
    {
        let (expected, actual) = (checksum.clone(), located.commit);
        return Err(git::Error::WrongCommit { expected, actual }.into());
    }
    let key = tree_key(origin, &located);
    let place = fetched.tree(&key);
    if fs::exists(&place) {
        return Ok((place, located.commit));
    }
    let partial = fetched.begin(&key)?;
    let objects = |url: &str| {
        let key = of_remote(url);
        fetched.objects(&key).unwrap_or_else(|_| partial.with_extension("objects"))
    };
    let request = ExportRequest {
        remote,
        located: &located,
        folder: &origin.folder,
        destination: &partial,
        keep_git_dir: origin.keep_git_dir,
        skip_submodules: origin.skip_submodules,
        objects: &objects,
    };
    git::export(cx, &request)?;
    Ok((fetched.publish(&partial, &key)?, located.commit))
}

fn locate(
    cx: &Context,
    fetched: &Fetched,
    (origin, remote): (&GitOrigin, &Remote<'_>),
) -> Result<Located, Error> {
    let key = KeyHasher::new("lapstrake git remote v1").field("url", &origin.remote).finish();
    let repository = Repository::open_or_create(&fetched.objects(&key)?)?;
    Ok(repository.locate(cx, remote, &origin.reference)?)
}

fn tree_key(origin: &GitOrigin, located: &Located) -> ContentHash {
    KeyHasher::new("lapstrake git tree v1")
        .field("remote", &origin.remote)
        .field("commit", &located.commit)
        .field("folder", &origin.folder)
        .number("keep git dir", u64::from(origin.keep_git_dir))
        .number("skip submodules", u64::from(origin.skip_submodules))
        .finish()
}

/// The header that secrets give for a host, with the names that BuildKit uses.
fn authorization(url: &str, secrets: &Secrets) -> Option<String> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return None;
    }
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let text = |name: &str| {
        let bytes = secrets.get(&format!("{name}.{host}")).or_else(|| secrets.get(name))?;
        Some(String::from_utf8_lossy(bytes).trim().to_owned())
    };
    if let Some(header) = text("GIT_AUTH_HEADER") {
        return Some(header);
    }
    let token = text("GIT_AUTH_TOKEN")?;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
    Some(format!("Basic {pair}"))
}

fn shown(origin: &GitOrigin) -> String {
    let host = origin.remote.split_once("://").map_or(origin.remote.as_str(), |(_, rest)| rest);
    let host = host.split_once('@').filter(|(user, _)| !user.contains('/')).map_or(host, |(_, host)| host);
    match origin.reference.as_str() {
        "" => host.to_owned(),
        reference => format!("{host}#{reference}"),
    }
}
