//! Commands about images of a project that are built: `lap run`, `lap export`, `lap stage image`, `lap managed-images`,
//! `lap lock`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::base::{Failure, Kind, Reference};
use crate::build::Doors;
use crate::cli::build::{BuildFlags, check_terminal, explored};
use crate::cli::project::refused::{Refused, RefusedFlags, Table, value as refused_value};
use crate::cli::project::vars::Vars;
use crate::cli::{Global, Needs, Result, Session, output};
use crate::ops;
use crate::ops::image_run;
use crate::ops::project::Project;
use crate::ops::project::build::{Plan, Request};
use crate::sandbox::Attach;

/// Run a command in an image of the project, on a throw-away layer.
#[derive(Args, Debug)]
pub struct Run {
    /// The image; not needed if there is only one
    #[arg(value_name = "IMAGE")]
    image: Option<String>,
    /// Instead of the configured command
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// Open /bin/sh at a terminal
    #[arg(long, conflicts_with = "bash")]
    shell: bool,
    /// Open /bin/bash at a terminal
    #[arg(long)]
    bash: bool,
    /// Say what would be run, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    flags: BuildFlags,
    #[command(flatten)]
    refused: RefusedFlags<OfRun>,
}

/// What `lap run` refuses beside what all commands that build refuse.
#[derive(Clone, Copy, Debug)]
pub struct OfRun;

impl Table for OfRun {
    const FLAGS: &'static [&'static [Refused]] = &[&[refused_value(
        "docker-options",
        true,
        "there is no docker that could read them: build first, then `lap image run` takes -e, -v, -w, -u and more for the \
         name that `lap stage image` prints",
    )]];
}

/// Copy final images under names of their own, which cleanups do not know.
#[derive(Args, Debug)]
pub struct Export {
    /// Names of images, or patterns [default: all]
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
    /// The name; %image%, %image_slug%, %image_safe_slug% and %image_content_based_tag% are filled in; may be repeated
    #[arg(long, value_name = "REGISTRY/NAME:TAG", required = true)]
    tag: Vec<String>,
    /// A label to add, NAME=VALUE; may be repeated [env: WERF_EXPORT_ADD_LABEL_*]
    #[arg(long, value_name = "NAME=VALUE")]
    add_label: Vec<String>,
    #[command(flatten)]
    flags: BuildFlags,
}

/// Look at what images consist of.
#[derive(Subcommand, Debug)]
pub enum StageCommand {
    /// Print the name under which an image is kept
    Image(One),
}

/// A command about one image.
#[derive(Args, Debug)]
pub struct One {
    /// The image; not needed if there is only one
    #[arg(value_name = "IMAGE")]
    image: Option<String>,
    #[command(flatten)]
    flags: BuildFlags,
}

/// The names of images that the repository is known to have.
#[derive(Subcommand, Debug)]
pub enum ManagedCommand {
    /// Print them
    Ls(Names),
    /// Add names
    Add(Names),
    /// Remove names
    Rm(Names),
}

/// A command about names.
#[derive(Args, Debug)]
pub struct Names {
    /// Names of images; ~ is the one without a name
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    flags: BuildFlags,
}

/// Pin base images.
#[derive(Subcommand, Debug)]
pub enum LockCommand {
    /// Write what base images stand for now into werf-lock.yaml
    Update(Whole),
}

/// A command about the whole project.
#[derive(Args, Debug)]
pub struct Whole {
    #[command(flatten)]
    flags: BuildFlags,
}

/// What a command about a project begins with.
struct Opened {
    session: Session,
    doors: Doors,
    project: Project,
    request: Request,
}

fn open(flags: &BuildFlags, images: Vec<String>, global: &Global, doing: &'static str) -> Result<Opened> {
    let vars = Vars::of_process();
    let request = flags.request(&vars, images)?;
    check_terminal(&request)?;
    if flags.follows(&vars) {
        return Err(Failure::new(Kind::Usage, "--follow is not supported here")
            .because("`lap build --follow` builds every commit; this command acts once"));
    }
    let mut global = global.clone();
    let options = flags.project.options(&mut global, &vars)?;
    let client = flags.repos.client(&vars)?;
    let session = Session::begin(&global, Needs::Namespace, doing)?;
    let doors = session.doors(client)?;
    let project = ops::project::load(&session.cx, &options)?;
    flags.check_custom_tag(&vars, &project)?;
    Ok(Opened { session, doors, project, request })
}

/// The one image that is meant.
fn the_image(project: &Project, given: Option<&str>) -> Result<String> {
    match (given, project.config.images.as_slice()) {
        (Some(name), _) if project.config.image(name).is_some() => Ok(name.to_owned()),
        (Some(name), _) => Err(Failure::new(Kind::Usage, format!("no image is called {name}"))),
        (None, [only]) => Ok(only.shown_name().to_owned()),
        (None, images) => {
            let names: Vec<&str> = images.iter().map(crate::project::Image::shown_name).collect();
            Err(Failure::new(Kind::Usage, "which image?").because(format!("there are {}", names.join(", "))))
        }
    }
}

/// Where the image is kept that was chosen for this machine, or for the one platform it has.
fn kept(project: &Project, plan: &Plan, name: &str) -> Result<crate::ops::project::build::Unit> {
    let host = crate::base::Platform::host();
    let mut units: Vec<_> = plan
        .units
        .iter()
        .filter(|unit| project.config.images[unit.image].shown_name() == name || name.is_empty())
        .collect();
    units.sort_by_key(|unit| unit.platform != host);
    units
        .first()
        .map(|unit| (*unit).clone())
        .ok_or_else(|| Failure::new(Kind::Bug, format!("{name} was not planned")))
}

impl Run {
    /// Runs the command; its exit code becomes ours.
    pub fn run(self, global: &Global) -> Result {
        self.refused.check(&Vars::of_process())?;
        let mut opened = open(&self.flags, Vec::new(), global, "Building")?;
        let name = the_image(&opened.project, self.image.as_deref())?;
        opened.request.images = vec![name.clone()];
        let Opened { session, doors, project, request } = opened;
        let shell = if self.bash { "/bin/bash" } else { "/bin/sh" };
        let opens_shell = self.shell || self.bash;
        let prepared = session.block_on(async {
            let plan = ops::project::build::plan(&session.cx, &doors, &project, &request).await?;
            let unit = kept(&project, &plan, &name)?;
            if self.dry_run {
                output::line(format!("{} {}", unit.name.familiar(), self.command.join(" ")).trim_end())?;
                return Ok(None);
            }
            ops::project::build::run(&session.cx, &doors, &project, (&request, plan)).await?;
            let request = image_run::Request {
                image: unit.name.to_string(),
                platform: Some(unit.platform),
                args: self.command.clone(),
                entrypoint: opens_shell.then(|| shell.to_owned()),
                attach: Attach { input: self.interactive || opens_shell, terminal: self.tty || opens_shell },
                ..image_run::Request::default()
            };
            image_run::prepare(&session.cx, &doors, &request).await.map(Some)
        });
        let prepared = explored(&session, &doors, &request, (prepared, global.log_format))?;
        let Some(prepared) = prepared else { return Ok(session.end(ExitCode::SUCCESS)) };
        session.give_signals_away();
        let exit = session.block_on(image_run::run(&session.cx, &doors, prepared))?;
        let code = u8::try_from(exit.code()).unwrap_or(1);
        Ok(session.end(ExitCode::from(code)))
    }
}

impl Export {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let mut opened = open(&self.flags, self.images.clone(), global, "Exporting")?;
        opened.request.only_final = true;
        let Opened { session, doors, project, request } = opened;
        let mut labels = Vec::new();
        for text in Vars::of_process().list("EXPORT_ADD_LABEL", &[], &self.add_label) {
            let Some((name, value)) = text.split_once('=') else {
                return Err(
                    Failure::new(Kind::Usage, format!("read --add-label {text}")).because("it is NAME=VALUE")
                );
            };
            labels.push((name.to_owned(), value.to_owned()));
        }
        let given = session.block_on(async {
            let plan = ops::project::build::plan(&session.cx, &doors, &project, &request).await?;
            let outcome = ops::project::build::run(&session.cx, &doors, &project, (&request, plan)).await?;
            let what = (&project, &request, &outcome.plan);
            ops::project::images::export(&session.cx, &doors, what, (&self.tag, &labels)).await
        });
        let given = explored(&session, &doors, &request, (given, global.log_format))?;
        output::text(given.iter().map(|name| format!("{}\n", name.familiar())).collect::<String>())?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}

impl StageCommand {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let Self::Image(one) = self;
        let mut opened = open(&one.flags, Vec::new(), global, "Reading")?;
        let name = the_image(&opened.project, one.image.as_deref())?;
        opened.request.images = vec![name.clone()];
        opened.request.dry_run = true;
        let Opened { session, doors, project, request } = opened;
        let plan = session.block_on(ops::project::build::plan(&session.cx, &doors, &project, &request))?;
        let unit = kept(&project, &plan, &name)?;
        if unit.found.is_none() {
            return Err(Failure::new(Kind::Workload, format!("{name} is not built"))
                .because(format!("nothing is under {}", unit.name.familiar()))
                .hint("`lap build` builds it"));
        }
        output::line(unit.name.familiar())?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}

impl ManagedCommand {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let (Self::Ls(names) | Self::Add(names) | Self::Rm(names)) = &self;
        let Opened { session, doors, project, request } = open(&names.flags, Vec::new(), global, "Asking")?;
        let repo: Reference = request.repo.ok_or_else(|| {
            Failure::new(Kind::Usage, "name the repository")
                .because("names of images are kept there")
                .hint("--repo")
        })?;
        let cx = &session.cx;
        let text = session.block_on(async {
            match &self {
                Self::Ls(_) => {
                    let listed = ops::project::images::list(cx, &doors, &repo).await?;
                    return Ok(listed.iter().map(|name| format!("{name}\n")).collect());
                }
                Self::Add(names) => {
                    for name in &names.names {
                        ops::project::images::add(cx, &doors, (&project, &repo), name).await?;
                    }
                }
                Self::Rm(names) => {
                    for name in &names.names {
                        ops::project::images::remove(cx, &doors, &repo, name).await?;
                    }
                }
            }
            Ok(String::new())
        })?;
        output::text(text)?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}

impl LockCommand {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let Self::Update(whole) = self;
        let Opened { session, doors, project, request } = open(&whole.flags, Vec::new(), global, "Asking")?;
        let pins =
            session.block_on(ops::project::build::update_lock(&session.cx, &doors, &project, &request))?;
        let line = |(name, digest): (&String, &crate::base::Digest)| format!("{name} {digest}\n");
        output::text(pins.iter().map(line).collect::<String>())?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    #[test]
    fn options_for_docker_are_refused_with_what_takes_them() {
        let parse = |arguments: &[&str]| {
            let command = Run::augment_args(clap::Command::new("run"));
            Run::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
        };
        let given = parse(&["run", "api", "--docker-options", "-d -p 80:80", "--", "sh"]);
        let refused = given.refused.check(&Vars::default()).unwrap_err();
        let words = refused.to_string();
        assert!(
            words.contains("--docker-options") && format!("{refused:?}").contains("lap image run"),
            "{words}"
        );
        for harmless in [&["run", "api"][..], &["run", "--docker-options", ""]] {
            assert!(parse(harmless).refused.check(&Vars::default()).is_ok());
        }
    }
}
