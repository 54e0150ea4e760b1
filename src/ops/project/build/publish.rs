//! What follows once every image stands: indexes, further tags, other repositories, records of the build, the report.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{BlobDigest, Failure, KeyHasher, Kind, Platform, Reference};
use crate::build::{Doors, blocking};
use crate::host;

use crate::oci::{AnyManifest, Descriptor, ImageConfig, Index, Manifest, media, moment};
use crate::ops::project::build::report::Stage;
use crate::ops::project::build::{Outcome, Plan, Record, Report, Request, Source, Standing, Unit, look};
use crate::ops::project::{Project, Way};
use crate::project::{Image, slug};
use crate::registry::{self, BlobRequest};
use crate::report::Context;

/// A finished image: for one platform, or the index of all.
struct Finished<'a> {
    image: &'a Image,
    units: Vec<&'a Unit>,
    tag: String,
    /// Where it is; in the final repository if there is one and the image is final.
    name: Reference,
}

/// Publishes.
///
/// # Errors
/// If a registry refuses, or the report cannot be written.
pub async fn publish(
    cx: &Context,
    doors: &Doors,
    (project, request): (&Project, &Request),
    plan: Plan,
) -> Result<Outcome, Failure> {
    let mut finished = Vec::new();
    for at in plan.sets.iter().flatten() {
        let units: Vec<&Unit> = plan.units_of(*at).collect();
        finished.push(finish(cx, doors, (project, request), (*at, units)).await?);
    }
    let custom_tags = custom_tags(cx, doors, (project, request), &finished).await?;
    if let Some(repo) = &request.repo {
        record(cx, doors, (project, repo), &finished).await?;
    }
    let report = match &request.report {
        Some(path) => {
            let report = report(cx, doors, project, &finished).await?;
            report.write(path)?;
            report
        }
        None => short(&finished),
    };
    Ok(Outcome { plan, report, custom_tags })
}

async fn finish<'a>(
    cx: &Context,
    doors: &Doors,
    (project, request): (&'a Project, &Request),
    (at, units): (usize, Vec<&'a Unit>),
) -> Result<Finished<'a>, Failure> {
    let image = &project.config.images[at];
    let bug = || Failure::new(Kind::Bug, format!("{} was planned for no platform", image.shown_name()));
    let first = *units.first().ok_or_else(bug)?;
    let (mut tag, mut name) = (first.tag.clone(), first.name.clone());
    if let (Some(repo), [_, _, ..]) = (&request.repo, units.as_slice()) {
        tag = index_tag(&units);
        name = named(repo, &tag)?;
        if !stands(cx, doors, &name, &units).await? {
            let bytes = index(cx, doors, &units).await?.to_bytes();
            doors.registry().push_manifest(cx, &name, media::OCI_INDEX, &bytes).await?;
        }
    }
    if let Some(repo) = request.final_repo.as_ref().filter(|_| image.is_final && request.repo.is_some()) {
        let there = named(repo, &tag)?;
        if look::behind(cx, doors, &there).await?.is_none() {
            look::copy(cx, doors, &name, &there).await?;
        }
        name = there;
    }
    for repo in &request.cache_repos {
        let made =
            units.iter().any(|unit| unit.found.as_ref().is_some_and(|found| found.source == Source::Made));
        if made && let Err(failure) = look::copy(cx, doors, &name, &named(repo, &tag)?).await {
            cx.report.warn(format!("{tag} was not copied to {repo}: {}", look::first(&failure)));
        }
    }
    Ok(Finished { image, units, tag, name })
}

/// A tag of a repository.
///
/// # Errors
/// If it cannot be one.
pub fn named(repo: &Reference, tag: &str) -> Result<Reference, Failure> {
    repo.with_tag(tag)
        .map_err(|e| Failure::new(Kind::Usage, format!("name {repo}:{tag}")).because(e.to_string()))
}

/// The tag of an index follows from those of its images, whatever their order.
fn index_tag(units: &[&Unit]) -> String {
    let mut parts: Vec<String> = units.iter().map(|unit| format!("{} {}", unit.platform, unit.tag)).collect();
    parts.sort();
    let hash = KeyHasher::new("lapstrake index v1").list("images", &parts).finish();
    hash.to_string()[..56].to_owned()
}

/// Whether an index stands under the name, and all that it leads to is there: else it is written anew.
async fn stands(cx: &Context, doors: &Doors, name: &Reference, units: &[&Unit]) -> Result<bool, Failure> {
    let pulled = match doors.registry().manifest(cx, name).await {
        Ok(pulled) => pulled,
        Err(error) if error.is_not_found() => return Ok(false),
        Err(registry::Error::Corrupt(_)) => return Ok(said(cx, name, "it is damaged")),
        Err(error) => return Err(error.into()),
    };
    let Ok(AnyManifest::Index(index)) = AnyManifest::parse(pulled.media_type.as_deref(), &pulled.bytes)
    else {
        return Ok(said(cx, name, "it is no index"));
    };
    let ours = |one: &Descriptor| {
        let mut found = units.iter().filter_map(|unit| unit.found.as_ref());
        found.any(|found| found.digest.digest() == one.digest.digest())
    };
    for one in index.manifests.iter().filter(|one| !ours(one)) {
        // Another builder's images, which came first: they count if they can be had.
        if look::behind(cx, doors, &name.with_digest(one.digest.digest().clone())).await?.is_none() {
            return Ok(said(cx, name, "it leads to an image that is gone"));
        }
    }
    Ok(true)
}

fn said(cx: &Context, name: &Reference, why: &str) -> bool {
    cx.report.warn(format!("the index {name} is written anew: {why}"));
    false
}

async fn index(cx: &Context, doors: &Doors, units: &[&Unit]) -> Result<Index, Failure> {
    let mut all = Vec::new();
    for unit in units {
        let Some(found) = &unit.found else { continue };
        let pulled =
            doors.registry().manifest(cx, &unit.name.with_digest(found.digest.digest().clone())).await?;
        let media_type = pulled.media_type.unwrap_or_else(|| media::OCI_MANIFEST.into());
        let descriptor = index_descriptor(&unit.platform, &media_type, &pulled.bytes);
        all.push((unit.platform.to_string(), descriptor));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Index::new(all.into_iter().map(|(_, descriptor)| descriptor).collect()))
}

/// How an index names the manifest of a platform.
pub fn index_descriptor(platform: &Platform, media_type: &str, bytes: &[u8]) -> Descriptor {
    let mut descriptor = Descriptor::of(media_type, bytes);
    descriptor.platform = Some(platform.into());
    descriptor
}

/// Gives final images their further tags.
async fn custom_tags(
    cx: &Context,
    doors: &Doors,
    (project, request): (&Project, &Request),
    finished: &[Finished<'_>],
) -> Result<Vec<Reference>, Failure> {
    let mut given: Vec<Reference> = Vec::new();
    let mut seen = BTreeSet::new();
    for one in finished.iter().filter(|one| one.image.is_final) {
        for template in &request.custom_tags {
            let tag = custom_tag(template, one.image, &one.tag)?;
            if !seen.insert(tag.clone()) {
                return Err(Failure::new(Kind::Usage, format!("give the tag {tag} to several images"))
                    .because("each image needs a tag of its own")
                    .hint("%image% stands for the name of the image"));
            }
            let alias = named(&one.name, &tag)?;
            if request.repo.is_none() {
                let (store, from, to) = (doors.store().clone(), one.name.clone(), alias.clone());
                blocking(move || {
                    if let Some(found) = store.resolve(&from)? {
                        store.tag(&to, &found)?;
                    }
                    Ok(())
                })
                .await?;
            } else {
                let (is, wanted) = (look::behind(cx, doors, &alias), look::behind(cx, doors, &one.name));
                let (is, wanted) = futures_util::try_join!(is, wanted)?;
                if is != wanted {
                    let pulled = doors.registry().manifest(cx, &one.name).await?;
                    let media_type = pulled.media_type.unwrap_or_else(|| media::OCI_MANIFEST.into());
                    doors.registry().push_manifest(cx, &alias, &media_type, &pulled.bytes).await?;
                }
                if let Some(repo) = &request.repo {
                    let place = format!("custom-tag-meta-{}", slug::limited(&tag, 48));
                    let labels = [("stage-id", one.tag.as_str()), ("tag", tag.as_str())];
                    note(cx, doors, (project, repo), (&place, &labels)).await?;
                }
            }
            given.push(alias);
        }
    }
    Ok(given)
}

fn custom_tag(template: &str, image: &Image, tag: &str) -> Result<String, Failure> {
    let filled = fill(template, image, tag)?;
    match slug::is_docker_tag(&filled) {
        true => Ok(filled),
        false => Err(Failure::new(Kind::Usage, format!("read the custom tag {template:?}"))
            .because(format!("{filled:?} cannot be a tag"))
            .hint("%image_safe_slug% always can")),
    }
}

/// A template with `%image%`, `%image_slug%`, `%image_safe_slug%` and `%image_content_based_tag%` filled in.
///
/// # Errors
/// If it has another word between percent signs, or one without an end.
pub fn fill(template: &str, image: &Image, tag: &str) -> Result<String, Failure> {
    let name = image.name.as_deref().unwrap_or_default();
    let fail = |why: String| {
        Failure::new(Kind::Usage, format!("read the custom tag {template:?}")).because(why).hint(
            "between % signs stands one of image, image_slug, image_safe_slug and image_content_based_tag",
        )
    };
    let mut filled = String::new();
    let mut pieces = template.split('%');
    filled.push_str(pieces.next().unwrap_or_default());
    while let Some(word) = pieces.next() {
        let Some(after) = pieces.next() else { return Err(fail("a % has no other end".into())) };
        match word.trim() {
            "image" => filled.push_str(name),
            "image_slug" => filled.push_str(&slug::readable(name)),
            "image_safe_slug" => filled.push_str(&slug::docker_tag(name)),
            "image_content_based_tag" => filled.push_str(tag),
            other => return Err(fail(format!("%{other}% is not known"))),
        }
        filled.push_str(after);
    }
    Ok(filled)
}

/// Keeps in the repository which images this commit has: one record a build, and the names of images. A second build of the
/// same commit with the same images asks one question.
async fn record(
    cx: &Context,
    doors: &Doors,
    (project, repo): (&Project, &Reference),
    finished: &[Finished<'_>],
) -> Result<(), Failure> {
    let cleanup = &project.config.meta.cleanup;
    if project.reader.way() != Way::Commit || cleanup.disable || cleanup.disable_git_history {
        return Ok(());
    }
    let commit = &project.reader.worktree().head().commit;
    let images: BTreeMap<&str, &str> =
        finished.iter().map(|one| (one.image.shown_name(), one.tag.as_str())).collect();
    let text = serde_json::to_string(&images).unwrap_or_default();
    let hash = KeyHasher::new("lapstrake build record v1").field("images", &text).finish().to_string();
    let place = format!("build-{}-{}", &commit[..40.min(commit.len())], &hash[..16]);
    if look::behind(cx, doors, &named(repo, &place)?).await?.is_some() {
        return Ok(());
    }
    for one in finished {
        let id = managed(one.image.name.as_deref().unwrap_or_default());
        note(cx, doors, (project, repo), (&id, &[])).await?;
    }
    note(cx, doors, (project, repo), (&place, &[("commit", commit), ("images", &text)])).await
}

/// The tag that says that a name is one of the project's images, as werf has it.
pub fn managed(name: &str) -> String {
    let id = match name {
        "" => "__nameless__".to_owned(),
        name => name.replace(' ', "__space__").replace('/', "__slash__").replace('+', "__plus__"),
    };
    let limit = 128 - "managed-image-".len();
    let id = if slug::is_docker_tag(&id) && id.len() <= limit { id } else { slug::limited(&id, limit) };
    format!("managed-image-{id}")
}

/// A record that is only labels: what stands under its tag already stays.
pub async fn note(
    cx: &Context,
    doors: &Doors,
    (project, repo): (&Project, &Reference),
    (tag, labels): (&str, &[(&str, &str)]),
) -> Result<(), Failure> {
    let name = named(repo, tag)?;
    let mut config = ImageConfig::new(&Platform::host());
    config.config.labels.insert("werf".into(), project.config.meta.project.clone());
    config.config.labels.extend(labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let bytes = config.to_bytes();
    let descriptor = Descriptor::of(media::OCI_CONFIG, &bytes);
    let manifest = Manifest::new(descriptor.clone(), Vec::new()).to_bytes();
    if look::behind(cx, doors, &name)
        .await?
        .is_some_and(|is| *is.digest() == *BlobDigest::of(&manifest).digest())
    {
        return Ok(());
    }
    let blob = BlobRequest::new(&name, &descriptor.digest, descriptor.size);
    doors.registry().push_blob(cx, &blob, &bytes).await?;
    doors.registry().push_manifest(cx, &name, media::OCI_MANIFEST, &manifest).await?;
    Ok(())
}

/// What is known without a question.
fn short(finished: &[Finished<'_>]) -> Report {
    let images = finished.iter().map(|one| (one.image.name.clone().unwrap_or_default(), base(one)));
    Report { images: images.collect(), ..Report::default() }
}

fn base(one: &Finished<'_>) -> Record {
    let name = one.name.familiar();
    let made = |unit: &&&Unit| unit.found.as_ref().is_some_and(|found| found.source == Source::Made);
    let seconds: f64 =
        one.units.iter().filter_map(|unit| unit.found.as_ref()).map(|found| found.seconds).sum();
    Record {
        werf_image_name: one.image.name.clone().unwrap_or_default(),
        config_type: if one.image.staged == Some(false) { "dockerfile" } else { "staged" }.into(),
        docker_repo: name.trim_end_matches(&format!(":{}", one.tag)).to_owned(),
        docker_tag: one.tag.clone(),
        docker_image_name: name,
        rebuilt: one.units.iter().any(|unit| made(&unit)),
        r#final: one.image.is_final,
        build_time: format!("{seconds:.2}"),
        ..Record::default()
    }
}

async fn report(
    cx: &Context,
    doors: &Doors,
    project: &Project,
    finished: &[Finished<'_>],
) -> Result<Report, Failure> {
    let mut report = Report::default();
    let by_platform = host::env::var("WERF_ENABLE_REPORT_BY_PLATFORM").as_deref() == Some("1");
    for one in finished {
        let mut record = base(one);
        let several = one.units.len() > 1;
        for unit in &one.units {
            let Some(found) = &unit.found else { continue };
            let (stage, commit) = stage(cx, doors, project, (unit, found, several)).await?;
            record.size += stage.size;
            record.commit = commit;
            if !several {
                record.target_platform = unit.platform.to_string();
                record.docker_image_id.clone_from(&stage.docker_image_id);
                record.docker_image_digest.clone_from(&stage.docker_image_digest);
            }
            let own = Record {
                target_platform: unit.platform.to_string(),
                stages: vec![stage.clone()],
                ..record.clone()
            };
            if by_platform {
                let name = record.werf_image_name.clone();
                report.images_by_platform.entry(name).or_default().insert(unit.platform.to_string(), own);
            }
            record.stages.push(stage);
        }
        if several && let Some(digest) = look::behind(cx, doors, &one.name).await? {
            record.docker_image_digest = digest.to_string();
            record.docker_image_id = digest.to_string();
        }
        report.images.insert(record.werf_image_name.clone(), record);
    }
    Ok(report)
}

async fn stage(
    cx: &Context,
    doors: &Doors,
    project: &Project,
    (unit, found, several): (&Unit, &Standing, bool),
) -> Result<(Stage, String), Failure> {
    let (manifest, config) = look::documents(cx, doors, (&unit.name, &found.digest)).await?;
    let head = &project.reader.worktree().head().commit;
    let commit = config.config.labels.get("werf-project-repo-commit").unwrap_or(head).clone();
    let created = config.created.as_deref().and_then(moment).unwrap_or_default();
    let is_made = found.source == Source::Made;
    let source_type = match found.source {
        Source::Made => "",
        Source::Local => "local",
        Source::Repo => "registry",
        Source::Secondary => "secondary",
        Source::Cache => "cache-repo",
    };
    let stage = Stage {
        name: if several { format!("dockerfile ({})", unit.platform) } else { "dockerfile".into() },
        docker_image_name: unit.name.familiar(),
        docker_tag: unit.tag.clone(),
        docker_image_id: manifest.config.digest.to_string(),
        docker_image_digest: found.digest.to_string(),
        created_at: created.saturating_mul(1_000_000_000),
        size: manifest.config.size + manifest.layers.iter().map(|layer| layer.size).sum::<u64>(),
        source_type: source_type.into(),
        base_image_pulled: false,
        rebuilt: is_made,
        build_time: format!("{:.2}", found.seconds),
        commit: commit.clone(),
    };
    Ok((stage, commit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Config;

    #[test]
    fn custom_tags_are_filled_in() {
        let config =
            Config::parse("project: a\nconfigVersion: 1\n---\nimage: da/ta\ndockerfile: D\n").unwrap();
        let ask = |template: &str| custom_tag(template, &config.images[0], "0abc");
        assert_eq!(ask("%image_slug%-latest").unwrap(), "da-ta-latest");
        assert_eq!(ask("v1-%image_safe_slug%").unwrap(), "v1-da-ta-afa96f8");
        assert_eq!(ask("% image_content_based_tag %").unwrap(), "0abc");
        for bad in ["%image%", "%other%", "%image", "", "a b"] {
            assert!(ask(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn managed_names_are_werfs() {
        assert_eq!(managed(""), "managed-image-__nameless__");
        assert_eq!(managed("a/b c+d"), "managed-image-a__slash__b__space__c__plus__d");
        assert!(slug::is_docker_tag(&managed(&"x".repeat(200))));
    }
}
