//! `lap build`: the images of a project.

use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::base::{Failure, Kind, Platform};
use crate::build::step::Network;
use crate::build::{Doors, Introspection, blocking};
use crate::cli::project::refused::{Refused, RefusedFlags, Table};
use crate::cli::project::repos::{BUILD, REPOSITORY, RepoFlags};
use crate::cli::project::vars::{Vars, switch};
use crate::cli::project::{PROJECT, ProjectFlags};
use crate::cli::{Global, Needs, Result, Session, output};
use crate::ops;
use crate::ops::project::build::{Outcome, Plan, Request};
use crate::ops::project::{Options, Project, Way, follow};
use crate::project::Outside;
use crate::report::Context;
use crate::ui::{self, LogFormat};

/// Images at once, if nobody says otherwise.
const USUAL_PARALLEL: i64 = 5;

/// Flags of commands that build images of a project first.
#[derive(Args, Debug, Clone)]
pub struct BuildFlags {
    /// Build for these platforms, whatever the project says; may be repeated [env: WERF_PLATFORM,
    /// DOCKER_DEFAULT_PLATFORM]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<String>,
    /// Network of RUN steps, whatever the project says: default, host or none [env: WERF_BACKEND_NETWORK]
    #[arg(long, value_name = "MODE")]
    backend_network: Option<String>,
    /// A key for RUN --mount=type=ssh; may be repeated [env: WERF_SSH_KEY_*]
    #[arg(long, value_name = "FILE")]
    ssh_key: Vec<String>,
    /// Build several images at once [env: WERF_PARALLEL] [default: true]
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = switch, value_name = "BOOL")]
    parallel: Option<bool>,
    /// How many; 0 is no limit [env: WERF_PARALLEL_TASKS_LIMIT] [default: 5]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    parallel_tasks_limit: Option<String>,
    /// Leave out images that no final image needs [env: WERF_FINAL_IMAGES_ONLY]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(value_name = "BOOL")]
    final_images_only: Option<bool>,
    /// Build nothing, fail if something is missing [env: WERF_CHECK_BUILT_IMAGES, WERF_REQUIRE_BUILT_IMAGES]
    #[arg(long, short = 'Z', alias = "require-built-images", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", value_parser = switch, value_name = "BOOL")]
    check_built_images: Option<bool>,
    /// Leave out what imageSpec changes [env: WERF_SKIP_IMAGE_SPEC_STAGE]
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = switch, value_name = "BOOL")]
    skip_image_spec_stage: Option<bool>,
    /// Give final images this tag, too: %image%, %image_slug%, %image_safe_slug% and %image_content_based_tag% are filled
    /// in; may be repeated [env: WERF_ADD_CUSTOM_TAG_*]
    #[arg(long, value_name = "TAG")]
    add_custom_tag: Vec<String>,
    /// The same, and name images by it; needs cli.allowCustomTags in werf-giterminism.yaml [env: WERF_USE_CUSTOM_TAG]
    #[arg(long, value_name = "TAG")]
    use_custom_tag: Option<String>,
    /// Write what came out into a file [env: WERF_SAVE_BUILD_REPORT]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(value_name = "BOOL")]
    save_build_report: Option<bool>,
    /// That file; one that ends with .env is for a shell [env: WERF_BUILD_REPORT_PATH] [default:
    /// .werf-build-report.json]
    #[arg(long, value_name = "FILE")]
    build_report_path: Option<PathBuf>,
    /// Where a step fails, open a shell in what it left behind [env: WERF_INTROSPECT_ERROR]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(value_name = "BOOL")]
    introspect_error: Option<bool>,
    /// The same in what it found before it ran [env: WERF_INTROSPECT_BEFORE_ERROR]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(value_name = "BOOL")]
    introspect_before_error: Option<bool>,
    /// Build again whenever there is a new commit, with --dev whenever something changed; Ctrl-C ends it
    /// [env: WERF_FOLLOW]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(value_name = "BOOL")]
    follow: Option<bool>,
    #[command(flatten)]
    /// Where images are kept.
    pub repos: RepoFlags,
    #[command(flatten)]
    /// What the project is.
    pub project: ProjectFlags,
    #[command(flatten)]
    refused: RefusedFlags<OfBuild>,
}

/// What commands that build refuse.
#[derive(Clone, Copy, Debug)]
pub struct OfBuild;

impl Table for OfBuild {
    const FLAGS: &'static [&'static [Refused]] = &[PROJECT, REPOSITORY, BUILD];
}

/// Build the images of a project.
///
/// The project is the Git work tree of this folder; it is read from its commit. Every image has a tag made from its
/// inputs: what is there under its tag is not built again, by nobody.
#[derive(Args, Debug)]
pub struct Build {
    /// Names of images, or patterns; those with ! before are left out [default: all]
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
    /// Say what would be built, and stop [env: WERF_DRY_RUN]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(value_name = "BOOL")]
    dry_run: Option<bool>,
    #[command(flatten)]
    flags: BuildFlags,
}

impl BuildFlags {
    /// What is asked for.
    ///
    /// # Errors
    /// If a flag is not what it should be, or refused.
    pub fn request(&self, vars: &Vars, images: Vec<String>) -> Result<Request> {
        self.refused.check(vars)?;
        let repos = self.repos.repos(vars)?;
        let usage = |what: String, why: String| Failure::new(Kind::Usage, what).because(why);
        let mut platforms = self.platform.clone();
        if platforms.is_empty() {
            let given =
                vars.text("PLATFORM", None).or_else(|| crate::host::env::var("DOCKER_DEFAULT_PLATFORM"));
            platforms.extend(
                given
                    .iter()
                    .flat_map(|text| text.split(','))
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned),
            );
        }
        let platform = |text: &String| {
            text.parse::<Platform>().map_err(|e| usage(format!("read --platform {text}"), e.to_string()))
        };
        let network = match vars.text("BACKEND_NETWORK", self.backend_network.clone()).as_deref() {
            None => None,
            Some("host" | "default") => Some(Network::Host),
            Some("none") => Some(Network::None),
            Some(other) => {
                let why = "it is none of default, host and none".to_owned();
                return Err(usage(format!("read --backend-network {other}"), why));
            }
        };
        let mut custom_tags = vars.list("ADD_CUSTOM_TAG", &[], &self.add_custom_tag);
        custom_tags.extend(vars.text("USE_CUSTOM_TAG", self.use_custom_tag.clone()));
        let reports = vars.off("SAVE_BUILD_REPORT", self.save_build_report);
        let path = self
            .build_report_path
            .clone()
            .or_else(|| vars.text("BUILD_REPORT_PATH", None).map(PathBuf::from));
        if path.is_some() && !reports {
            return Err(usage(
                "write --build-report-path".into(),
                "--save-build-report asks for a report".into(),
            ));
        }
        let introspection = self.introspection(vars)?;
        // A shell at a terminal stands alone.
        let parallel = if introspection.is_some() { NonZeroUsize::MIN } else { self.parallel(vars)? };
        Ok(Request {
            images,
            synchronization: self.repos.synchronization(vars, repos.repo.as_ref())?,
            repo: repos.repo,
            final_repo: repos.final_repo,
            secondary_repos: repos.secondary,
            cache_repos: repos.cache,
            platforms: platforms.iter().map(platform).collect::<Result<_>>()?,
            network,
            ssh_keys: vars.list("SSH_KEY", &[], &self.ssh_key).into_iter().map(PathBuf::from).collect(),
            parallel,
            only_final: vars.off("FINAL_IMAGES_ONLY", self.final_images_only),
            require_built: vars.off("CHECK_BUILT_IMAGES", self.check_built_images)
                || vars.off("REQUIRE_BUILT_IMAGES", None),
            dry_run: false,
            custom_tags,
            skip_spec: vars.off("SKIP_IMAGE_SPEC_STAGE", self.skip_image_spec_stage),
            report: reports.then(|| path.unwrap_or_else(|| ".werf-build-report.json".into())),
            introspection,
        })
    }

    fn introspection(&self, vars: &Vars) -> Result<Option<Introspection>> {
        let after = vars.off("INTROSPECT_ERROR", self.introspect_error);
        let before = vars.off("INTROSPECT_BEFORE_ERROR", self.introspect_before_error);
        match (after, before) {
            (true, true) => Err(Failure::new(Kind::Usage, "open a shell where a step fails")
                .because("--introspect-error and --introspect-before-error exclude each other")),
            (false, false) => Ok(None),
            _ => Ok(Some(Introspection::new(before))),
        }
    }

    /// Whether the build is repeated.
    pub fn follows(&self, vars: &Vars) -> bool {
        vars.off("FOLLOW", self.follow)
    }

    fn parallel(&self, vars: &Vars) -> Result<NonZeroUsize> {
        let limit = vars.text("PARALLEL_TASKS_LIMIT", self.parallel_tasks_limit.clone());
        let limit = match limit {
            None => USUAL_PARALLEL,
            Some(text) => text.parse::<i64>().map_err(|_| {
                Failure::new(Kind::Usage, format!("read --parallel-tasks-limit {text}"))
                    .because("it is not a number")
            })?,
        };
        if !vars.on("PARALLEL", self.parallel) {
            return Ok(NonZeroUsize::MIN);
        }
        let limit = usize::try_from(limit).unwrap_or(0);
        Ok(NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MAX))
    }

    /// Whether images are named by a custom tag, and the project allows it.
    ///
    /// # Errors
    /// If it does not.
    pub fn check_custom_tag(&self, vars: &Vars, project: &Project) -> Result<bool> {
        let uses = vars.text("USE_CUSTOM_TAG", self.use_custom_tag.clone()).is_some();
        if uses {
            project.reader.check(Outside::CustomTags)?;
        }
        Ok(uses)
    }
}

impl Build {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let vars = Vars::of_process();
        let mut request = self.flags.request(&vars, self.images.clone())?;
        request.dry_run = vars.off("DRY_RUN", self.dry_run);
        check_terminal(&request)?;
        let mut global = global.clone();
        let options = self.flags.project.options(&mut global, &vars)?;
        let client = self.flags.repos.client(&vars)?;
        let mut session = Session::begin(&global, Needs::Namespace, "Building")?;
        let doors = session.doors(client)?;
        loop {
            let seen = self.flags.follows(&vars).then(|| follow::see(&options)).transpose()?;
            let done = session.block_on(self.once(&session.cx, &doors, (&vars, &options, &request)));
            let done = explored(&session, &doors, &request, (done, global.log_format));
            let Some(seen) = seen else {
                output::text(done?)?;
                return Ok(session.end(ExitCode::SUCCESS));
            };
            match done {
                Ok(text) => output::text(text)?,
                Err(failure) if failure.kind() == Kind::Cancelled => return Err(failure),
                Err(failure) => ui::show(&failure, global.log_format),
            }
            if !session.block_on(async { Ok(follow::changed(&session.cx, &options, &seen).await) })? {
                return Ok(session.end(ExitCode::SUCCESS));
            }
            session.renew(&global, "Building")?;
        }
    }

    async fn once(
        &self,
        cx: &Context,
        doors: &Doors,
        (vars, options, request): (&Vars, &Options, &Request),
    ) -> Result<String> {
        let project = ops::project::load(cx, options)?;
        if self.flags.project.logs_folder(vars) {
            cx.report.note(format!("project: {}", project.reader.folder().display()));
        }
        if project.reader.way() == Way::Development && vars.off("CI", None) {
            cx.report.warn("--dev in CI: what is built is in no commit");
        }
        let uses = self.flags.check_custom_tag(vars, &project)?;
        let plan = ops::project::build::plan(cx, doors, &project, request).await?;
        if request.dry_run {
            return Ok(planned(&project, &plan));
        }
        let outcome = ops::project::build::run(cx, doors, &project, (request, plan)).await?;
        Ok(summary(&outcome, uses))
    }
}

/// Whoever asks for a shell has to be there.
///
/// # Errors
/// If standard input is no terminal.
pub fn check_terminal(request: &Request) -> Result<()> {
    if request.introspection.is_none() || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::new(Kind::Usage, "open a shell where a step fails")
        .because("standard input is no terminal")
        .hint("leave --introspect-error away where nobody looks"))
}

/// What came out of a build, after a look at the place of the step that failed if that was asked for.
pub fn explored<T>(
    session: &Session,
    doors: &Doors,
    request: &Request,
    (done, format): (Result<T>, LogFormat),
) -> Result<T> {
    let place = request.introspection.as_ref().and_then(Introspection::take);
    let (Err(failure), Some(place)) = (&done, place) else { return done };
    ui::show(failure, format);
    session.give_signals_away();
    let sandbox = doors.sandbox().clone();
    let cx = Context { cancel: CancellationToken::new(), ..session.cx.clone() };
    session.block_on(async { Ok(blocking(move || place.open(&cx, &sandbox)).await?) })?;
    done
}

/// The plan in werf's sets.
fn planned(project: &Project, plan: &Plan) -> String {
    let mut text = String::new();
    for (nth, set) in plan.sets.iter().enumerate() {
        text.push_str(&format!("Set #{nth}:\n"));
        for unit in set.iter().flat_map(|image| plan.units_of(*image)) {
            let verdict = match &unit.found {
                Some(_) => "is there".to_owned(),
                None => format!("would be built, {} steps", unit.identity.steps),
            };
            let image = project.config.images[unit.image].shown_name();
            text.push_str(&format!("- {image} [{}] {}: {verdict}\n", unit.platform, unit.name.familiar()));
        }
    }
    text
}

/// A line for each image: its name and where it is.
fn summary(outcome: &Outcome, uses_custom_tag: bool) -> String {
    let mut text = String::new();
    for record in outcome.report.images.values() {
        let name = if record.werf_image_name.is_empty() { "~" } else { &record.werf_image_name };
        let how = if record.rebuilt { "built" } else { "was there" };
        text.push_str(&format!("{name} {} {how}\n", record.docker_image_name));
    }
    for tag in &outcome.custom_tags {
        text.push_str(&format!("{} {}\n", if uses_custom_tag { "use" } else { "tag" }, tag.familiar()));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;
    use crate::sync::Address;

    /// The flags of `werf build`, by werf's groups: LOG, PROJ, GIT, INC, ENVD, REPO, TLS, FREPO, SC, KCTX, PAR, HOST, INTRO
    /// and its own.
    const WERF: &str = "log-color-mode log-debug debug log-verbose verbose log-quiet log-pretty log-time log-time-format \
        log-terminal-width log-project-dir dir git-work-tree config config-templates-dir config-render-path \
        giterminism-config env debug-templates loose-giterminism dev dev-ignore dev-branch allow-includes-update tmp-dir \
        home-dir docker-config repo repo-container-registry repo-docker-hub-username repo-docker-hub-password \
        repo-docker-hub-token repo-github-token repo-harbor-username repo-harbor-password repo-quay-token final-repo \
        final-repo-container-registry final-repo-docker-hub-username final-repo-docker-hub-password \
        final-repo-docker-hub-token final-repo-github-token final-repo-harbor-username final-repo-harbor-password \
        final-repo-quay-token insecure-registry skip-tls-verify-registry secondary-repo cache-repo kube-config \
        kube-config-base64 kube-context parallel parallel-tasks-limit allowed-backend-storage-volume-usage \
        allowed-backend-storage-volume-usage-margin allowed-local-cache-volume-usage \
        allowed-local-cache-volume-usage-margin backend-storage-path disable-auto-host-cleanup introspect-error \
        introspect-before-error introspect-stage platform backend-network container-registry-mirror ssh-key \
        synchronization virtual-merge add-custom-tag use-custom-tag require-built-images check-built-images \
        save-build-report build-report-path final-images-only skip-image-spec-stage follow dry-run";

    fn command() -> clap::Command {
        Build::augment_args(clap::Command::new("build"))
    }

    fn ask(arguments: &[&str]) -> std::result::Result<Request, String> {
        let arguments = ["build"].iter().chain(arguments);
        let matches = command().try_get_matches_from(arguments).map_err(|e| e.to_string())?;
        let build = Build::from_arg_matches(&matches).map_err(|e| e.to_string())?;
        let request = build.flags.request(&Vars::default(), build.images.clone());
        request.map_err(|failure| format!("{} {}", failure.message(), failure.causes().join(" ")))
    }

    #[test]
    fn every_flag_of_werf_acts_or_is_refused() {
        let command = command();
        for flag in WERF.split_whitespace() {
            let knows = |arg: &clap::Arg| {
                arg.get_long() == Some(flag) || arg.get_all_aliases().is_some_and(|all| all.contains(&flag))
            };
            assert!(command.get_arguments().any(knows), "--{flag}");
        }
    }

    #[test]
    fn what_is_refused_says_why_and_what_changes_nothing_is_taken() {
        for refused in OfBuild::FLAGS.iter().flat_map(|group| group.iter()) {
            let flag = format!("--{}", refused.flag);
            let given = if refused.takes_value { vec![flag.as_str(), "x"] } else { vec![flag.as_str()] };
            match ask(&given) {
                Err(words) => assert!(words.contains(refused.reason), "{flag}: {words}"),
                Ok(_) => assert!(refused.harmless.contains(&"true"), "{flag}"),
            }
            for harmless in refused.harmless {
                assert!(ask(&[&format!("{flag}={harmless}")]).is_ok(), "{flag}={harmless}");
            }
        }
    }

    #[test]
    fn flags_act() {
        let request = ask(&[
            "api",
            "--repo",
            "r.example/app",
            "--cache-repo",
            "c.example/a",
            "--cache-repo=c.example/b",
            "-p=false",
            "--platform",
            "linux/amd64,linux/arm64",
            "--backend-network",
            "none",
            "--require-built-images",
            "--add-custom-tag",
            "a",
            "--use-custom-tag",
            "b",
            "--save-build-report",
            "--ssh-key",
            "k",
        ])
        .unwrap();
        assert_eq!((request.cache_repos.len(), request.platforms.len(), request.parallel.get()), (2, 2, 1));
        assert_eq!((request.network, request.require_built), (Some(Network::None), true));
        assert_eq!(request.custom_tags, ["a", "b"]);
        assert!(request.report.is_some() && request.ssh_keys.len() == 1 && request.images == ["api"]);
        assert_eq!(request.synchronization.address, Address::Local);
        let server = "https://s.example/";
        let asked = ask(&["--repo", "r.example/app", "-S", server]).unwrap().synchronization.address;
        assert_eq!(asked, Address::Server(server.parse().unwrap()));
        assert_eq!(ask(&["--parallel-tasks-limit", "-1"]).unwrap().parallel, NonZeroUsize::MAX);
        let watched = ask(&["--introspect-before-error"]).unwrap();
        assert_eq!((watched.parallel, watched.introspection.is_some()), (NonZeroUsize::MIN, true));
        assert!(request.introspection.is_none());
        for (bad, words) in [
            (["--repo", "r.example/app:1"], "has a tag"),
            (["--final-repo", "r.example/app"], "there is no --repo"),
            (["--synchronization", "https://s.example"], "there is no --repo"),
            (["--synchronization", "kubernetes://ns:context"], "not possible yet"),
            (["--synchronization", "locks.example"], "no place for locks"),
            (["--backend-network", "bridge"], "none of default"),
            (["--build-report-path", "x.json"], "--save-build-report"),
            (["--parallel-tasks-limit", "many"], "not a number"),
            (["--introspect-error", "--introspect-before-error"], "exclude each other"),
            (["--introspect-stage", "api/dockerfile"], "one stage"),
        ] {
            let said = ask(&bad).unwrap_err();
            assert!(said.contains(words), "{bad:?}: {said}");
        }
    }
}
