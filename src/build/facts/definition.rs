//! Reading the Dockerfile and its ignore file.

use std::path::{Path, PathBuf};

use crate::base::SourceFile;
use crate::build::{Error, Request};
use crate::dockerfile::{self, Dockerfile, ignore};
use crate::host::fs;

/// A Dockerfile is written by hand; what is larger is something else.
const LARGEST_DOCKERFILE: u64 = 16 << 20;
const LARGEST_IGNORE_FILE: u64 = 16 << 20;

/// What a build is defined by.
pub struct Definition {
    /// The Dockerfile.
    pub file: Dockerfile,
    /// What of the context is hidden.
    pub ignore: ignore::Matcher,
}

/// Reads the definition of `request`.
///
/// # Errors
/// If the context is not a directory, the Dockerfile is missing, a directory, empty, too large or not a Dockerfile, or
/// the ignore file has a bad pattern.
pub fn read(request: &Request) -> Result<Definition, Error> {
    check_context(&request.context)?;
    let path = find(request)?;
    let shown = shown(&path, &request.context);
    let metadata = fs::metadata(&path)?;
    if metadata.is_dir() {
        return Err(
            Error::input(format!("{shown} is a directory, not a Dockerfile")).hint("name the file with -f")
        );
    }
    // What is named with -f may be a pipe; what is only found is not waited for.
    let read = if request.dockerfile.is_some() { fs::read_limited } else { fs::read_regular };
    let bytes = read(path.clone(), LARGEST_DOCKERFILE).map_err(|e| {
        let too_large = metadata.len() > LARGEST_DOCKERFILE;
        match too_large {
            true => Error::input(format!(
                "{shown} is {} MB large; a Dockerfile of more than {} MB is not read",
                metadata.len() >> 20,
                LARGEST_DOCKERFILE >> 20
            ))
            .hint("is this the right file? name another one with -f"),
            false => Error::Host(e),
        }
    })?;
    if bytes.is_empty() {
        return Err(Error::input("the Dockerfile cannot be empty").hint(format!("{shown} has no content")));
    }
    let file = dockerfile::parse(&SourceFile::new(shown, bytes))?;
    Ok(Definition { file, ignore: read_ignore(&path, &request.context)? })
}

fn check_context(context: &Path) -> Result<(), Error> {
    match fs::metadata(context) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(Error::input(format!("the build context {} is not a directory", context.display()))
            .hint("the last argument is the build context; a Dockerfile is named with -f")),
        Err(e) if e.is_not_found() => {
            Err(Error::input(format!("the build context {} does not exist", context.display())))
        }
        Err(e) => Err(e.into()),
    }
}

fn find(request: &Request) -> Result<PathBuf, Error> {
    if let Some(path) = &request.dockerfile {
        // As written; else, as the classic builder had it, inside the context.
        let inside = request.context.join(path);
        return match (fs::exists(path), fs::exists(&inside)) {
            (true, _) => Ok(path.clone()),
            (false, true) => Ok(inside),
            (false, false) => Err(Error::input(format!("there is no Dockerfile at {}", path.display()))),
        };
    }
    for name in ["Dockerfile", "dockerfile"] {
        let path = request.context.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Ok(path);
        }
    }
    let error = Error::input(format!("there is no Dockerfile in {}", request.context.display()));
    Err(match similar(&request.context) {
        Some(name) => error.hint(format!("did you mean -f {name}?")),
        None => error.hint("name it with -f, or give the folder that holds it as the build context"),
    })
}

fn similar(context: &Path) -> Option<String> {
    let entries = fs::read_dir(context).ok()?;
    let names = entries.iter().filter_map(|entry| entry.file_name().into_string().ok());
    let wanted = |name: &String| {
        let lower = name.to_lowercase();
        !lower.ends_with(".dockerignore") && (lower.contains("dockerfile") || lower.contains("containerfile"))
    };
    names.into_iter().find(wanted).map(|name| context.join(name).display().to_string())
}

/// The path as the user would write it: inside the context without the context.
fn shown(path: &Path, context: &Path) -> String {
    let inside = path.strip_prefix(context).unwrap_or(path);
    inside.strip_prefix(".").unwrap_or(inside).display().to_string()
}

/// `<Dockerfile>.dockerignore` wins completely over `.dockerignore` of the context.
fn read_ignore(dockerfile: &Path, context: &Path) -> Result<ignore::Matcher, Error> {
    let mut beside = dockerfile.as_os_str().to_owned();
    beside.push(".dockerignore");
    for path in [PathBuf::from(beside), context.join(".dockerignore")] {
        match fs::read_regular(&path, LARGEST_IGNORE_FILE) {
            Ok(bytes) => {
                let name = shown(&path, context);
                return Ok(ignore::Matcher::of_file(&SourceFile::new(name, bytes))?);
            }
            Err(e) if e.is_not_found() => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(ignore::Matcher::default())
}
