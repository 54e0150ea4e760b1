//! `lap image build`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::base::{Platform, Reference};
use crate::build::evaluate::NamedContext;
use crate::build::step::Network;
use crate::build::{ContextSource, Output, Request};
use crate::cli::image::caches;
use crate::cli::image::call::{Call, Question};
use crate::cli::image::kaniko::KanikoFlags;
use crate::cli::image::outputs::OutputFlags;
use crate::cli::image::running::RunFlags;
use crate::cli::image::summary::summary;
use crate::cli::image::usage;
use crate::cli::session::{RegistryFlags, reference};
use crate::cli::{Global, Needs, Result, Session, output};
use crate::registry::Mirror;
use crate::report::Sink;
use crate::ui::{Table, Timeline};
use crate::{host, ops};

/// Build an image from a Dockerfile.
#[derive(Args, Debug)]
pub struct Build {
    /// The build context: the folder that COPY and ADD read from
    ///
    /// Or - (a tar or a Dockerfile on standard input), the URL of a tar or of a Dockerfile, or a Git repository as
    /// https://HOST/REPO.git[#REF[:FOLDER]].
    #[arg(value_name = "CONTEXT", default_value = ".")]
    context: String,
    /// Name of the image, NAME[:TAG]; may be repeated
    #[arg(short, long, value_name = "NAME", value_parser = reference)]
    tag: Vec<Reference>,
    /// The Dockerfile [default: CONTEXT/Dockerfile]
    #[arg(short, long, value_name = "FILE", alias = "dockerfile")]
    file: Option<PathBuf>,
    /// The stage to build [default: the last one]
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Value of a build argument, NAME=VALUE, or NAME to take it from the environment; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// Platform of the image, for example linux/amd64 [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Label of the image, NAME=VALUE; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Build nothing, but say what is wrong with the Dockerfile (short for --call check)
    #[arg(long, conflicts_with = "call")]
    check: bool,
    /// What to do: build, check, outline (what the target takes) or targets (which there are); with ,format=json for programs
    #[arg(long, value_name = "WHAT", default_value = "build", hide_default_value = true)]
    call: Call,
    /// Run every step, whatever is known from earlier builds
    #[arg(long)]
    no_cache: bool,
    /// Run every step of these stages, whatever is known: NAME[,NAME]; may be repeated
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    no_cache_filter: Vec<String>,
    /// Take results of steps from here: a repository, type=registry,ref=REF or type=local,src=PATH; may be repeated
    ///
    /// A repository may be one that --cache-to wrote, or that of an image which was built with --cache-to type=inline.
    #[arg(long, value_name = "CACHE")]
    cache_from: Vec<String>,
    /// Leave results of steps here: a repository, type=registry,ref=REF, type=local,dest=PATH or type=inline; may be
    /// repeated
    ///
    /// Keys: mode=max|min (the steps of all stages, or only of the image's), compression=gzip|zstd|uncompressed,
    /// compression-level=N, ignore-error=true.
    #[arg(long, value_name = "CACHE")]
    cache_to: Vec<String>,
    /// Ask the registries for base images that are known already
    #[arg(long)]
    pull: bool,
    /// Network of RUN steps: host or none
    #[arg(long, value_name = "MODE", default_value = "host")]
    network: NetworkMode,
    #[command(flatten)]
    running: RunFlags,
    /// File times later than this become this; seconds since 1970 [env: SOURCE_DATE_EPOCH]
    #[arg(long, value_name = "SECONDS")]
    source_date_epoch: Option<i64>,
    /// A tree that stands for a stage or an image of this name, NAME=SOURCE; may be repeated
    ///
    /// SOURCE is a folder, docker-image://NAME, oci-layout://FOLDER[:TAG|@DIGEST], target:STAGE, the URL of a file or of
    /// a Git repository. NAME::PLATFORM is for one platform only.
    #[arg(long, value_name = "NAME=SOURCE", value_parser = named_context)]
    build_context: Vec<NamedContext>,
    /// Be silent where another builder is: buildkit takes an unknown --chown for root, and of two files copied onto one
    /// the last
    #[arg(long, value_name = "BUILDER", env = "LAP_COMPAT")]
    compat: Option<Compat>,
    /// Build twice, each time in a store of its own without any known result, and compare
    ///
    /// Prints the first differences and ends with 1 if there are any. Nothing is kept of the image.
    #[arg(long, conflicts_with_all = ["tag", "push", "load", "output", "iidfile", "metadata_file", "cache_to"])]
    verify_reproducible: bool,
    /// Write the image's id into this file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Write what came out of the build into this file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Write a page into this file that shows where the time went, also when the build fails
    #[arg(long, value_name = "FILE.html")]
    timeline: Option<PathBuf>,
    /// Print only the image's id
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    outputs: OutputFlags,
    #[command(flatten)]
    kaniko: KanikoFlags,
    #[command(flatten)]
    registry: RegistryFlags,
}

/// `--compat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Compat {
    /// BuildKit.
    Buildkit,
}

fn named_context(text: &str) -> std::result::Result<NamedContext, String> {
    text.parse()
}

/// `--network`.
#[derive(Clone, Copy, Debug)]
struct NetworkMode(Network);

impl std::str::FromStr for NetworkMode {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "host" | "default" => Ok(Self(Network::Host)),
            "none" => Ok(Self(Network::None)),
            _ => Err(format!("`{text}` is neither host nor none")),
        }
    }
}

impl Build {
    /// Runs the command.
    pub fn run(mut self, global: &Global) -> Result {
        self.take_kaniko()?;
        let mut global = global.clone();
        if self.quiet && global.progress.is_none() {
            global.progress = Some(crate::ui::Progress::Quiet);
        }
        let (outputs, insecure) = self.outputs.outputs(&self.tag)?;
        let build = self.request(outputs)?;
        let timeline = self.timeline.as_ref().map(|_| Timeline::new());
        let sink = timeline.clone().map(|timeline| timeline as Arc<dyn Sink>);
        let session = Session::begin_told(&global, Needs::Namespace, "Building", sink)?;
        let mut options = self.registry.options();
        options.insecure.extend(insecure.into_iter().chain(self.kaniko.insecure_registry.iter().cloned()));
        options.ca_files.extend(self.kaniko.certificates());
        for (registry, location) in self.kaniko.mirrors() {
            options.mirrors.entry(registry).or_default().push(Mirror { location });
        }
        let doors = session.doors(options)?;
        self.kaniko.warning().into_iter().for_each(|words| session.cx.report.warn(words));
        let call = if self.check { Call::CHECK } else { self.call };
        if call.question != Question::Build {
            let code = call.run(&session, &doors, &build)?;
            return Ok(session.end(code));
        }
        if self.verify_reproducible {
            let report = session.block_on(ops::image_verify::run(&session.cx, &doors, &build))?;
            output::text(differences(&report))?;
            let is_same = report.differences.is_empty();
            return Ok(session.end(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE }));
        }
        let request = ops::image_build::Request {
            build,
            iidfile: self.iidfile.clone(),
            metadata_file: self.metadata_file.clone(),
            digest_files: self.kaniko.digest_files(),
        };
        let built = session.block_on(ops::image_build::run(&session.cx, &doors, &request));
        if let (Some(path), Some(timeline)) = (&self.timeline, timeline) {
            let page = timeline.page(&self.title(), session.cx.report.now().0);
            let written = host::fs::write_atomic(path, page);
            // Why a build failed is more than that nobody can read how.
            if built.is_ok() {
                written?;
            }
        }
        let built = built?;
        let writes_stdout = request.build.outputs.iter().any(Output::is_stdout);
        match (writes_stdout, self.quiet) {
            (true, _) => {}
            (false, true) => output::line(built.id.to_string())?,
            (false, false) => output::text(summary(&built))?,
        }
        Ok(session.end(ExitCode::SUCCESS))
    }

    fn request(&self, outputs: Vec<Output>) -> Result<Request> {
        let mut build_args = self.build_args();
        let source_date_epoch = self.source_date_epoch()?;
        if let Some(epoch) = source_date_epoch {
            build_args.entry("SOURCE_DATE_EPOCH".into()).or_insert_with(|| epoch.to_string());
        }
        Ok(Request {
            context: self.context()?,
            dockerfile: self.file.clone(),
            target: self.target.clone(),
            build_args,
            platform: self.platform.clone(),
            labels: self.labels()?,
            tags: self.tag.clone(),
            no_cache: self.no_cache,
            no_cache_filter: self.no_cache_filter.clone(),
            cache_from: read_all("--cache-from", &self.cache_from, caches::from)?,
            cache_to: read_all("--cache-to", &self.cache_to, caches::to)?,
            pull: self.pull,
            network: self.network.0,
            run: self.running.options()?,
            source_date_epoch,
            contexts: self.build_context.clone(),
            lenient: self.compat == Some(Compat::Buildkit),
            annotations: self.outputs.annotations(),
            outputs,
            changes: None,
            project_image: None,
        })
    }

    /// What kaniko's flags ask for, said with ours.
    fn take_kaniko(&mut self) -> Result<()> {
        self.kaniko.check()?;
        self.outputs.add(self.kaniko.outputs());
        if let Some(context) = self.kaniko.context()? {
            self.context = context.display().to_string();
        }
        self.tag.append(&mut self.kaniko.destination);
        self.platform = self.platform.take().or(self.kaniko.custom_platform.take());
        Ok(())
    }

    /// What is built, for a heading.
    fn title(&self) -> String {
        let names: Vec<String> = self.tag.iter().map(|tag| tag.with_default_tag().familiar()).collect();
        let target = self.target.as_ref().map(|target| format!(", stage {target}")).unwrap_or_default();
        match names.is_empty() {
            true => format!("lap image build {}{target}", self.context),
            false => format!("{} from {}{target}", names.join(", "), self.context),
        }
    }

    /// A folder that is there is meant, whatever its name looks like.
    fn context(&self) -> Result<ContextSource> {
        if self.context != "-" && host::fs::exists(&self.context) {
            return Ok(ContextSource::Folder(self.context.clone().into()));
        }
        let stdin_twice = self.context == "-" && self.file.as_deref() == Some(std::path::Path::new("-"));
        if stdin_twice {
            return Err(usage(
                "read standard input",
                "it cannot be both the build context and the Dockerfile",
            ));
        }
        self.context.parse().map_err(|why: String| usage(format!("read the context {}", self.context), why))
    }

    /// A name without a value takes the environment's; unset there, the argument is not given.
    fn build_args(&self) -> BTreeMap<String, String> {
        let pairs = self.build_arg.iter().filter_map(|text| match text.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => Some((text.clone(), host::env::var(text)?)),
        });
        pairs.collect()
    }

    fn labels(&self) -> Result<BTreeMap<String, String>> {
        let pair = |text: &String| match text.split_once('=') {
            Some(("", _)) => Err(usage(format!("read --label {text}"), "a label has a name")),
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Ok((text.clone(), String::new())),
        };
        self.label.iter().map(pair).collect()
    }

    fn source_date_epoch(&self) -> Result<Option<i64>> {
        if self.source_date_epoch.is_some() {
            return Ok(self.source_date_epoch);
        }
        match host::env::var("SOURCE_DATE_EPOCH") {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                usage(format!("read SOURCE_DATE_EPOCH={text}"), "it is a whole number of seconds since 1970")
            }),
        }
    }
}

/// What `--verify-reproducible` found.
fn differences(report: &ops::image_verify::Report) -> String {
    if report.differences.is_empty() {
        return format!("reproducible: {} layers, image {}\n", report.layers, report.images[0]);
    }
    let mut table = Table::new(&["LAYER", "PATH", "FIELD", "FIRST", "SECOND"]);
    for d in &report.differences {
        table.row([d.layer.as_str(), &d.path, d.field, &d.first, &d.second]);
    }
    let mut text = table.render();
    if report.more > 0 {
        text.push_str(&format!("and {} more\n", report.more));
    }
    text.push_str(&format!("not reproducible: {} and {}\n", report.images[0], report.images[1]));
    text
}

fn read_all<T>(
    flag: &str,
    texts: &[String],
    read: impl Fn(&str) -> std::result::Result<T, String>,
) -> Result<Vec<T>> {
    let one = |text: &String| read(text).map_err(|why| usage(format!("read {flag} {text}"), why));
    texts.iter().map(one).collect()
}
