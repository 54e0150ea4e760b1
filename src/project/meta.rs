//! The meta document of `werf.yaml`: the project's name and the settings that all images share.

use crate::project::cleanup::{Cleanup, read_cleanup};
use crate::project::decode::{Problems, Settings};
use crate::project::slug;
use crate::project::spec::{ImageSpec, read_shared_spec};

/// Settings of a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// The project's name.
    pub project: String,
    /// Defaults for images.
    pub build: BuildDefaults,
    /// Settings of deploys.
    pub deploy: Deploy,
    /// Settings of cleanups.
    pub cleanup: Cleanup,
    /// What may be done with the repository's history.
    pub worktree: GitWorktree,
}

/// What images have that do not say otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildDefaults {
    /// Platforms.
    pub platforms: Vec<String>,
    /// Whether every step is kept in the repository.
    pub staged: Option<bool>,
    /// Enters every key.
    pub cache_version: Option<String>,
    /// Changes of the configuration of final images.
    pub spec: Option<ImageSpec>,
}

/// Settings of deploys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deploy {
    /// The folder of the chart, relative to the project; `.helm` if not given.
    pub chart_dir: Option<String>,
    /// Replaces `appVersion` of the chart.
    pub app_version: Option<String>,
    /// A template of the release's name, with `[[` and `]]`.
    pub release: Option<String>,
    /// Whether an invalid release name becomes a slug.
    pub release_slug: Option<bool>,
    /// A template of the namespace.
    pub namespace: Option<String>,
    /// Whether an invalid namespace becomes a slug.
    pub namespace_slug: Option<bool>,
}

/// What may be done with the repository's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GitWorktree {
    /// A shallow clone is no error.
    pub force_shallow_clone: bool,
    /// The history of a shallow clone may be fetched.
    pub allow_unshallow: bool,
    /// Branches and tags may be fetched for a cleanup.
    pub allow_fetch: bool,
}

impl Default for GitWorktree {
    fn default() -> Self {
        Self { force_shallow_clone: false, allow_unshallow: true, allow_fetch: true }
    }
}

/// Reads the meta document.
pub(super) fn read_meta(mut top: Settings<'_>, problems: &mut Problems) -> Meta {
    let line = top.line_of("configVersion");
    if top.take("configVersion").is_none() {
        problems.add_with_hint(line, "configVersion has no value", "it is 1");
    } else if let Some(version) = top.integer("configVersion", problems)
        && version != 1
    {
        problems.add_with_hint(line, format!("configVersion is {version}"), "only 1 is known");
    }
    let mut meta = Meta { project: read_name(&mut top, problems), ..Meta::default() };
    if let Some(build) = top.map("build", problems) {
        meta.build = read_build(build, problems);
    }
    if let Some(deploy) = top.map("deploy", problems) {
        meta.deploy = read_deploy(deploy, problems);
    }
    if let Some(cleanup) = top.map("cleanup", problems) {
        meta.cleanup = read_cleanup(cleanup, problems);
    }
    if let Some(worktree) = top.map("gitWorktree", problems) {
        meta.worktree = read_worktree(worktree, problems);
    }
    top.finish(problems);
    meta
}

fn read_name(top: &mut Settings<'_>, problems: &mut Problems) -> String {
    let line = top.line_of("project");
    let name = top.string("project", problems).unwrap_or_default();
    if name.is_empty() {
        problems.add(line, "project is missing: the name of the project");
    } else if !slug::is_project(&name) {
        problems.add_with_hint(
            line,
            format!("the project's name {name:?} is not valid"),
            format!(
                "up to {} lower-case letters, digits and inner dashes, for example {}",
                slug::PROJECT_LENGTH,
                slug::project(&name)
            ),
        );
    }
    name
}

fn read_build(mut build: Settings<'_>, problems: &mut Problems) -> BuildDefaults {
    let line = build.line_of("platform");
    let platforms = build.one_or_many("platform", problems);
    check_platforms(line, &platforms, problems);
    let defaults = BuildDefaults {
        platforms,
        staged: build.flag("staged", problems),
        cache_version: build.string("cacheVersion", problems),
        spec: build.map("imageSpec", problems).map(|spec| read_shared_spec(spec, problems)),
    };
    build.finish(problems);
    defaults
}

/// Platforms are written one an entry.
pub(super) fn check_platforms(line: usize, platforms: &[String], problems: &mut Problems) {
    for platform in platforms {
        if platform.contains(',') {
            problems.add_with_hint(
                line,
                format!("the platform {platform:?} holds a comma"),
                "each platform is an entry of the list",
            );
        } else if let Err(error) = platform.parse::<crate::base::Platform>() {
            problems.add(line, format!("the platform {platform:?} is not valid: {error}"));
        }
    }
}

fn read_deploy(mut deploy: Settings<'_>, problems: &mut Problems) -> Deploy {
    let chart_dir = deploy.string("helmChartDir", problems);
    let app_version = deploy.map("helmChartConfig", problems).and_then(|mut chart| {
        let version = chart.string("appVersion", problems);
        chart.finish(problems);
        version
    });
    let read = Deploy {
        chart_dir,
        app_version,
        release: deploy.string("helmRelease", problems),
        release_slug: deploy.flag("helmReleaseSlug", problems),
        namespace: deploy.string("namespace", problems),
        namespace_slug: deploy.flag("namespaceSlug", problems),
    };
    deploy.finish(problems);
    read
}

fn read_worktree(mut worktree: Settings<'_>, problems: &mut Problems) -> GitWorktree {
    let usual = GitWorktree::default();
    let flag = |worktree: &mut Settings<'_>, name, usual, problems: &mut Problems| {
        worktree.flag(name, problems).unwrap_or(usual)
    };
    let read = GitWorktree {
        force_shallow_clone: flag(&mut worktree, "forceShallowClone", usual.force_shallow_clone, problems),
        allow_unshallow: flag(&mut worktree, "allowUnshallow", usual.allow_unshallow, problems),
        allow_fetch: flag(&mut worktree, "allowFetchOriginBranchesAndTags", usual.allow_fetch, problems),
    };
    worktree.finish(problems);
    read
}
