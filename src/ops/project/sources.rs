//! What an image of a project is made from: its Dockerfile, ignore file, added files and secrets, each by its rule.

use std::path::PathBuf;

use crate::build::{SecretSource, SecretValue};
use crate::host::{env, fs};
use crate::ops::project::reader::clean;
use crate::ops::project::{Project, Refusal};
use crate::project::{self, Image, Outside};

/// A file as text with the name that messages call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its path in the project.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A file of the disk that the context gets beside those of the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its path in the context.
    pub path: String,
    /// Where it lies.
    pub disk: PathBuf,
}

/// What an image is made from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The Dockerfile.
    pub dockerfile: Named,
    /// What of the context is hidden.
    pub ignore: Option<Named>,
    /// The context's folder, from the root of the repository.
    pub context: String,
    /// Files that are added to it.
    pub added: Vec<Added>,
    /// Values that its steps may ask for.
    pub secrets: Vec<SecretSource>,
}

/// Finds what `image` is made from.
///
/// # Errors
/// If something is missing or not allowed.
pub fn sources(project: &Project, image: &Image) -> Result<Sources, Refusal> {
    let path = clean(&format!("{}/{}", image.context, image.dockerfile));
    let bytes = project.reader.read(&path, &|path| Outside::Dockerfile(path))?;
    let Some(bytes) = bytes else {
        return Err(Refusal::new(format!("the Dockerfile {path:?} of {} is not found", image.shown_name()))
            .because(format!("line {} of {}", image.line, project.path))
            .hint("dockerfile is relative to context"));
    };
    let own = format!("{path}.dockerignore");
    let shared = clean(&format!("{}/.dockerignore", image.context));
    let mut ignore = None;
    for name in [own, shared] {
        if let Some(bytes) = project.reader.read(&name, &|path| Outside::IgnoreFile(path))? {
            ignore = Some(Named { name, bytes });
            break;
        }
    }
    let mut added = Vec::new();
    for file in &image.context_add_files {
        add(project, &clean(&format!("{}/{file}", image.context)), file, &mut added)?;
    }
    let secrets = image.secrets.iter().map(|secret| value(project, secret)).collect::<Result<_, _>>()?;
    let context = project.reader.in_repository(&image.context);
    if !image.context.is_empty()
        && project.reader.committed(&image.context)?.is_none_or(|found| !found.is_folder())
        && added.is_empty()
    {
        return Err(Refusal::new(format!(
            "the context {:?} of {} is not a folder of the commit",
            image.context,
            image.shown_name()
        )));
    }
    Ok(Sources { dockerfile: Named { name: path, bytes }, ignore, context, added, secrets })
}

/// Adds a file, or all files of a folder.
fn add(project: &Project, path: &str, file: &str, added: &mut Vec<Added>) -> Result<(), Refusal> {
    project.reader.check(Outside::ContextAddFile(path))?;
    let disk = project.reader.folder().join(path);
    let metadata = match fs::symlink_metadata(&disk) {
        Ok(metadata) => metadata,
        Err(e) if e.is_not_found() => {
            return Err(Refusal::new(format!("{path:?} of contextAddFiles is not there"))
                .hint("make it before the build: it is read from the disk"));
        }
        Err(e) => return Err(e.into()),
    };
    if !metadata.is_dir() {
        added.push(Added { path: file.to_owned(), disk });
        return Ok(());
    }
    let mut names: Vec<_> =
        fs::read_dir(&disk)?.into_iter().filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort_unstable();
    for name in names {
        add(project, &format!("{path}/{name}"), &format!("{file}/{name}"), added)?;
    }
    Ok(())
}

fn value(project: &Project, secret: &project::Secret) -> Result<SecretSource, Refusal> {
    let value = match &secret.source {
        project::SecretSource::Env(name) => {
            project.reader.check(Outside::SecretEnv(name))?;
            if env::bytes(name).is_none() {
                return Err(Refusal::new(format!(
                    "the variable {name} of the secret {:?} is not set",
                    secret.id
                ))
                .because(format!("line {} of {}", secret.line, project.path)));
            }
            SecretValue::Env(name.clone())
        }
        project::SecretSource::File(path) => {
            project.reader.check(Outside::SecretFile(path))?;
            let place = match path.strip_prefix("~/") {
                Some(rest) => env::home().unwrap_or_default().join(rest),
                None => project.reader.folder().join(path),
            };
            if !fs::exists(&place) {
                return Err(Refusal::new(format!(
                    "the file {path:?} of the secret {:?} is not there",
                    secret.id
                ))
                .because(format!("line {} of {}", secret.line, project.path)));
            }
            SecretValue::File(place)
        }
        project::SecretSource::Value(text) => {
            project.reader.check(Outside::SecretValue(&secret.id))?;
            SecretValue::Given(text.clone())
        }
    };
    Ok(SecretSource { id: secret.id.clone(), value })
}
