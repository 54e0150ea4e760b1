//! Why steps ran in the last build.

use serde::Serialize;

use crate::base::{Failure, Kind, Reference};
use crate::build::why::{Explanation, History, Story, explain};

/// What is explained.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The name of an image, or a part of a step as it is shown; the whole last build if not given.
    pub what: Option<String>,
}

/// The explanation of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The build context.
    pub context: String,
    /// The Dockerfile.
    pub dockerfile: String,
    /// Names that the image was given.
    pub images: Vec<String>,
    /// When the build began, seconds since the Unix epoch.
    pub began: i64,
    /// Earlier builds of the same project that it was compared with.
    pub compared: usize,
    /// Its steps.
    pub steps: Vec<Explanation>,
}

/// Explains.
///
/// # Errors
/// If no build is known, or nothing of that name.
pub fn run(history: &History, request: &Request) -> Result<Report, Failure> {
    let wanted = request.what.as_deref();
    let of_image = match wanted {
        Some(text) => history.newest(|story| has_image(story, text))?,
        None => None,
    };
    let is_image = of_image.is_some();
    let kept = match of_image {
        Some(kept) => Some(kept),
        None => history.newest(|_| true)?,
    };
    let Some(kept) = kept else {
        return Err(Failure::new(Kind::Input, "explain the last build")
            .because("no build is known in this store")
            .hint("build an image first; LAP_HOME says where the store is"));
    };
    let mut earlier = history.before(&kept)?;
    if let Some(text) = wanted.filter(|_| is_image) {
        // Images of a project may share a Dockerfile: one is compared with itself.
        let own = |story: &Story| story.images.iter().any(|name| name == text);
        if own(&kept.story) {
            earlier.retain(own);
        }
    }
    let mut steps = explain(&kept.story, &earlier, &|content| History::files(&kept, content));
    if let Some(text) = wanted.filter(|_| !is_image) {
        let all: Vec<String> = steps.iter().map(|step| step.step.clone()).collect();
        steps.retain(|step| step.step.to_lowercase().contains(&text.to_lowercase()));
        if steps.is_empty() {
            return Err(Failure::new(Kind::Input, format!("explain {text:?}"))
                .because(
                    "no image that was built here has this name, and no step of the last build contains it",
                )
                .hint(format!("the steps are: {}", all.join(" · "))));
        }
    }
    let Story { context, dockerfile, images, began, .. } = kept.story;
    Ok(Report { context, dockerfile, images, began, compared: earlier.len(), steps })
}

/// Whether the story is of the image with this name, or of the project's image that is called so.
fn has_image(story: &Story, text: &str) -> bool {
    if story.images.iter().any(|name| name == text) {
        return true;
    }
    let Ok(reference) = text.parse::<Reference>() else { return false };
    story.images.contains(&reference.with_default_tag().to_string())
}
