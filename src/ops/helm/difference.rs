//! `lap helm template --diff-with`: what a change of the chart or of the values changes in the rendered objects.

use std::path::{Path, PathBuf};

use super::template::{self, Report, Request};
use super::{Settings, clean, failed};
use crate::base::Failure;
use crate::chart;
use crate::git::Repository;
use crate::host::{env, fs};
use crate::report::Context;

/// Renders the chart as it is and as it was in `other` (a folder, an archive, or a revision of the Git repository the
/// chart is in), and reports what is different. Of a revision the values files are taken too, where they are in it.
///
/// # Errors
/// If one of both cannot be rendered, or there is no such folder or revision.
pub fn run(cx: &Context, settings: &Settings, request: &Request, other: &str) -> Result<Report, Failure> {
    let mut now = template::run(cx, settings, request)?;
    if now.failure.is_some() {
        return Ok(now);
    }
    let doing = format!("compare with {other}");
    let before = if fs::exists(Path::new(other)) {
        template::run(cx, settings, &with_chart(request, other.to_owned()))?
    } else {
        let past = Past::open(cx, request, other).map_err(|e| e.while_doing(doing.as_str()))?;
        template::run(cx, settings, &past.request)?
    };
    if let Some(failure) = before.failure {
        return Err(failure.while_doing(doing));
    }
    let changes = chart::changes(&before.output.to_bytes(), &now.output.to_bytes(), settings.compat)
        .map_err(|e| failed(doing, e))?;
    now.output = changes.to_string().into();
    Ok(now)
}

fn with_chart(request: &Request, chart: String) -> Request {
    let mut request = request.clone();
    if let Some(last) = request.arguments.last_mut() {
        *last = chart;
    }
    request
}

/// What a revision holds, in a folder of its own for as long as this lives.
struct Past {
    request: Request,
    _folder: tempfile::TempDir,
}

impl Past {
    fn open(cx: &Context, request: &Request, revision: &str) -> Result<Self, Failure> {
        let chart = request.arguments.last().map(String::as_str).unwrap_or_default();
        let absolute = |path: &str| Ok::<_, Failure>(clean(&env::current_dir()?.join(path)));
        let chart = absolute(chart)?;
        let Some(top) = chart.ancestors().find(|folder| fs::exists(folder.join(".git"))) else {
            let words = format!("{revision} is no folder, and {} is in no Git repository", chart.display());
            return Err(failed("find what to compare with", words));
        };
        let repository = Repository::open(top)?;
        let commit = repository.resolve(revision)?;
        let folder = tempfile::tempdir().map_err(|e| failed("make a temporary folder", e.to_string()))?;
        let within = |path: &Path| path.strip_prefix(top).map(Path::to_path_buf).unwrap_or_default();
        let inside = within(&chart);
        let target = folder.path().join("chart");
        fs::create_dir_all(&target)?;
        repository.checkout(cx, (&commit, &inside.to_string_lossy()), &target)?;
        let mut request = with_chart(request, target.to_string_lossy().into_owned());
        for (number, file) in request.values.files.iter_mut().enumerate() {
            let path = absolute(file)?;
            let inside: PathBuf = within(&path);
            if inside.as_os_str().is_empty() {
                continue;
            }
            if let Some(text) = repository.file(&commit, &inside.to_string_lossy())? {
                let copy = folder.path().join(format!("values-{number}.yaml"));
                fs::write(&copy, &text)?;
                *file = copy.to_string_lossy().into_owned();
            }
        }
        Ok(Self { request, _folder: folder })
    }
}
