//! Reading the Dockerfile and its ignore file.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::SourceFile;
use crate::build::Error;
use crate::build::facts::contexts::{LARGEST_DOCKERFILE, MainContext};
use crate::dockerfile::{self, Dockerfile, Syntax, ignore};
use crate::host::fs;
use crate::snapshot::rooted::Rooted;

const LARGEST_IGNORE_FILE: u64 = 16 << 20;

/// What a build is defined by.
pub struct Definition {
    /// The Dockerfile.
    pub file: Dockerfile,
    /// What of the context is hidden.
    pub ignore: ignore::Matcher,
}

/// Reads the Dockerfile, `-f` or the one of the context, and its ignore file.
///
/// # Errors
/// If the context is not a directory, the Dockerfile is missing, a directory, empty, too large or not a Dockerfile, or
/// the ignore file has a bad pattern.
pub fn read(context: &MainContext, asked: Option<&Path>) -> Result<Definition, Error> {
    if let Some(tree) = context.git() {
        return parsed(Arc::clone(tree.dockerfile()), tree.ignore()?);
    }
    let stdin = asked == Some(Path::new("-"));
    let (shown, bytes, ignore) = match &context.dockerfile {
        Some(bytes) => ("Dockerfile".into(), bytes.clone(), ignore::Matcher::default()),
        None if stdin => ("Dockerfile".into(), from_stdin()?, ignore_of(context, None)?),
        None if context.remote => inside(context, asked)?,
        None => {
            check_context(&context.root)?;
            let path = find(&context.root, asked)?;
            let shown = shown(&path, &context.root);
            let bytes = local(&path, &shown, asked.is_some())?;
            (shown, bytes, ignore_of(context, Some(&path))?)
        }
    };
    parsed(SourceFile::new(shown, bytes), ignore)
}

fn parsed(source: Arc<SourceFile>, ignore: ignore::Matcher) -> Result<Definition, Error> {
    if source.bytes().is_empty() {
        let shown = source.name();
        return Err(Error::input("the Dockerfile cannot be empty").hint(format!("{shown} has no content")));
    }
    let file = dockerfile::parse(&source).map_err(|error| match dockerfile::syntax(&source) {
        Syntax::Newer(syntax) => Error::Newer { syntax, source: Box::new(error) },
        _ => error.into(),
    })?;
    Ok(Definition { file, ignore })
}

fn local(path: &Path, shown: &str, named: bool) -> Result<Vec<u8>, Error> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(
            Error::input(format!("{shown} is a directory, not a Dockerfile")).hint("name the file with -f")
        );
    }
    // What is named with -f may be a pipe; what is only found is not waited for.
    let read = if named { fs::read_limited } else { fs::read_regular };
    read(path.to_owned(), LARGEST_DOCKERFILE).map_err(|e| match metadata.len() > LARGEST_DOCKERFILE {
        true => too_large(shown, metadata.len() >> 20),
        false => Error::Host(e),
    })
}

fn too_large(shown: &str, megabytes: u64) -> Error {
    Error::input(format!(
        "{shown} is {megabytes} MB large; a Dockerfile of more than {} MB is not read",
        LARGEST_DOCKERFILE >> 20
    ))
    .hint("is this the right file? name another one with -f")
}

fn from_stdin() -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(LARGEST_DOCKERFILE + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::Host(crate::host::Error::new("read", "standard input", e)))?;
    match bytes.len() as u64 > LARGEST_DOCKERFILE {
        true => Err(too_large("standard input", bytes.len() as u64 >> 20)),
        false => Ok(bytes),
    }
}

/// The Dockerfile of a context that others made: links in it lead nowhere outside.
fn inside(context: &MainContext, asked: Option<&Path>) -> Result<(String, Vec<u8>, ignore::Matcher), Error> {
    let tree = Rooted::open(&context.root)?;
    let names: Vec<&Path> = match asked {
        Some(path) => vec![path],
        None => vec![Path::new("Dockerfile"), Path::new("dockerfile")],
    };
    for name in names {
        let Some(bytes) = tree.read(name, LARGEST_DOCKERFILE)? else { continue };
        return Ok((name.display().to_string(), bytes, ignore_of(context, Some(name))?));
    }
    let name = asked.unwrap_or(Path::new("Dockerfile")).display();
    Err(Error::input(format!("there is no {name} in the build context"))
        .hint("name it with -f: a path in the context"))
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

fn find(context: &Path, asked: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(path) = asked {
        // As written; else, as the classic builder had it, inside the context.
        let inside = context.join(path);
        return match (fs::exists(path), fs::exists(&inside)) {
            (true, _) => Ok(path.to_owned()),
            (false, true) => Ok(inside),
            (false, false) => Err(Error::input(format!("there is no Dockerfile at {}", path.display()))),
        };
    }
    for name in ["Dockerfile", "dockerfile"] {
        let path = context.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Ok(path);
        }
    }
    let error = Error::input(format!("there is no Dockerfile in {}", context.display()));
    Err(match similar(context) {
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
fn ignore_of(context: &MainContext, dockerfile: Option<&Path>) -> Result<ignore::Matcher, Error> {
    let beside = dockerfile.map(|path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".dockerignore");
        PathBuf::from(name)
    });
    let tree = if context.remote { Some(Rooted::open(&context.root)?) } else { None };
    let general =
        if context.remote { PathBuf::from(".dockerignore") } else { context.root.join(".dockerignore") };
    for path in beside.into_iter().chain([general]) {
        let bytes = match &tree {
            Some(tree) => tree.read(&path, LARGEST_IGNORE_FILE)?,
            None => match fs::read_regular(&path, LARGEST_IGNORE_FILE) {
                Ok(bytes) => Some(bytes),
                Err(e) if e.is_not_found() => None,
                Err(e) => return Err(e.into()),
            },
        };
        if let Some(bytes) = bytes {
            let name = shown(&path, &context.root);
            return Ok(ignore::Matcher::of_file(&SourceFile::new(name, bytes))?);
        }
    }
    Ok(ignore::Matcher::default())
}
