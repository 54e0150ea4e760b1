//! Everything that is wrong with a project, at once; and which image needs which.

use crate::base::{Failure, Kind, SourceFile};
use crate::dockerfile::{self, ignore};
use crate::ops::project::Project;
use crate::ops::project::sources::{Named, sources};
use crate::project::{Config, Image};

/// Looks at everything the configuration names, for each image; says how many there are.
///
/// # Errors
/// Everything that is wrong.
pub fn check(project: &Project) -> Result<usize, Failure> {
    let mut wrong: Vec<Failure> = Vec::new();
    for image in &project.config.images {
        for failure in check_one(project, image) {
            // Images of one document share what is wrong with it.
            let text = |failure: &Failure| format!("{} {:?}", failure.message(), failure.causes());
            if !wrong.iter().any(|known| text(known) == text(&failure)) {
                wrong.push(failure);
            }
        }
    }
    match <[Failure; 1]>::try_from(wrong) {
        Ok([only]) => Err(only),
        Err(many) if many.is_empty() => Ok(project.config.images.len()),
        Err(many) => {
            let all = Failure::new(Kind::Config, format!("{} has {} problems", project.path, many.len()));
            Err(many.into_iter().fold(all, Failure::with_child))
        }
    }
}

fn check_one(project: &Project, image: &Image) -> Vec<Failure> {
    let sources = match sources(project, image) {
        Ok(sources) => sources,
        Err(refusal) => return vec![refusal.into()],
    };
    let source = |file: &Named| SourceFile::new(file.name.clone(), file.bytes.clone());
    let mut wrong = Vec::new();
    match dockerfile::parse(&source(&sources.dockerfile)) {
        Err(error) => wrong.push(crate::build::Error::from(error).into()),
        Ok(file) => {
            let known = |target: &str| {
                file.stages.iter().any(|stage| {
                    stage.name().is_some_and(|name| name.eq_ignore_ascii_case(target))
                        || target.parse() == Ok(stage.index)
                })
            };
            if let Some(target) = image.target.as_deref().filter(|target| !known(target)) {
                let message = format!("{} has no stage {target}", sources.dockerfile.name);
                let line =
                    format!("target of {}, line {} of {}", image.shown_name(), image.line, project.path);
                wrong.push(Failure::new(Kind::Config, message).because(line));
            }
        }
    }
    if let Some(Err(error)) = sources.ignore.as_ref().map(|file| ignore::Matcher::of_file(&source(file))) {
        wrong.push(crate::build::Error::from(error).into());
    }
    wrong
}

/// Which image needs which, as `werf config graph` prints it.
pub fn graph(config: &Config, only_final: bool) -> String {
    let images: Vec<&Image> = config.images.iter().filter(|image| image.is_final || !only_final).collect();
    if images.is_empty() {
        return "[]\n".into();
    }
    let mut text = String::new();
    for image in images {
        text.push_str(&match &image.name {
            Some(name) => format!("- image: {}\n", scalar(name)),
            None => "- {}\n".to_owned(),
        });
        let mut needs: Vec<&str> = Vec::new();
        for need in &image.dependencies {
            if !needs.contains(&need.image.as_str()) {
                needs.push(&need.image);
            }
        }
        if !needs.is_empty() {
            text.push_str("  dependsOn:\n    dependencies:\n");
            needs.iter().for_each(|need| text.push_str(&format!("    - {}\n", scalar(need))));
        }
    }
    text
}

/// A name as YAML writes it.
fn scalar(name: &str) -> String {
    let written = crate::yaml::write(&crate::yaml::Value::str(name)).unwrap_or_default();
    String::from_utf8_lossy(&written).trim_end().to_owned()
}
