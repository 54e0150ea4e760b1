//! What commands about projects share: flags, variables, what of werf's command line is refused.

pub mod refused;
pub mod repos;
pub mod vars;

use std::path::PathBuf;

use clap::Args;

use crate::base::{Failure, Kind};
use crate::cli::{Global, session};
use crate::host;
use crate::ops::project::{Options, Way};
use crate::project::GITERMINISM_FILE;
use crate::ui::Progress;

use refused::{Refused, switch as refused_switch, value as refused_value};
use vars::{Vars, switch};

/// Flags of every command about a project.
#[derive(Args, Debug, Clone)]
pub struct ProjectFlags {
    /// The folder of the project [env: WERF_DIR] [default: here]
    #[arg(long, value_name = "FOLDER", help_heading = "Project options")]
    dir: Option<PathBuf>,
    /// The root of the Git work tree [env: WERF_WORK_TREE] [default: the nearest one upwards]
    #[arg(long, value_name = "FOLDER", help_heading = "Project options")]
    git_work_tree: Option<PathBuf>,
    /// The configuration, in the project [env: WERF_CONFIG] [default: werf.yaml, else werf.yml]
    #[arg(long, value_name = "FILE", help_heading = "Project options")]
    config: Option<String>,
    /// The folder of templates, in the project [env: WERF_CONFIG_TEMPLATES_DIR] [default: .werf]
    #[arg(long, value_name = "FOLDER", help_heading = "Project options")]
    config_templates_dir: Option<String>,
    /// Write the rendered configuration into this file
    #[arg(long, value_name = "FILE", help_heading = "Project options")]
    config_render_path: Option<PathBuf>,
    /// What may come from outside the commit [env: WERF_GITERMINISM_CONFIG] [default: werf-giterminism.yaml]
    #[arg(long, value_name = "FILE", help_heading = "Project options")]
    giterminism_config: Option<String>,
    /// The environment's name, .Env in templates [env: WERF_ENV]
    #[arg(long, value_name = "NAME", help_heading = "Project options")]
    env: Option<String>,
    /// Let tpl_debug, include_debug, printf_debug and dump_debug print [env: WERF_DEBUG_TEMPLATES]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(help_heading = "Project options", value_name = "BOOL")]
    debug_templates: Option<bool>,
    /// Read what is on the disk as if it were committed [env: WERF_DEV]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(help_heading = "Project options", value_name = "BOOL")]
    dev: Option<bool>,
    /// With --dev, leave these files as they are committed; may be repeated [env: WERF_DEV_IGNORE_*]
    #[arg(long, value_name = "GLOB", help_heading = "Project options")]
    dev_ignore: Vec<String>,
    /// Read the configuration from the disk and allow everything [env: WERF_LOOSE_GITERMINISM]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(help_heading = "Project options", value_name = "BOOL")]
    loose_giterminism: Option<bool>,
    /// Include what branches and tags stand for now, whatever werf-includes.lock says; needs includes.allowIncludesUpdate
    /// in werf-giterminism.yaml [env: WERF_ALLOW_INCLUDES_UPDATE]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(help_heading = "Project options", value_name = "BOOL")]
    allow_includes_update: Option<bool>,
    /// Print the project's folder first [env: WERF_LOG_PROJECT_DIR]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(help_heading = "Project options", value_name = "BOOL")]
    log_project_dir: Option<bool>,
    #[command(flatten)]
    log: LogFlags,
}

/// How much is shown, in werf's words.
#[derive(Args, Debug, Clone)]
struct LogFlags {
    /// Show only results [env: WERF_LOG_QUIET]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(help_heading = "Log options", value_name = "BOOL")]
    log_quiet: Option<bool>,
    /// Show every line of every step [env: WERF_LOG_VERBOSE, WERF_VERBOSE]
    #[arg(long, alias = "verbose", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = switch, help_heading = "Log options", value_name = "BOOL")]
    log_verbose: Option<bool>,
    /// The same [env: WERF_LOG_DEBUG, WERF_DEBUG]
    #[arg(long, alias = "debug", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = switch, help_heading = "Log options", value_name = "BOOL")]
    log_debug: Option<bool>,
    /// Show a live picture where there is a terminal [env: WERF_LOG_PRETTY] [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    #[arg(help_heading = "Log options", value_name = "BOOL")]
    log_pretty: Option<bool>,
}

impl LogFlags {
    fn apply(&self, global: &mut Global, vars: &Vars) {
        if global.progress.is_some() {
            return;
        }
        let loud = vars.off("LOG_VERBOSE", self.log_verbose)
            || vars.off("VERBOSE", None)
            || vars.off("LOG_DEBUG", self.log_debug)
            || vars.off("DEBUG", None);
        global.progress = match () {
            () if vars.off("LOG_QUIET", self.log_quiet) => Some(Progress::Quiet),
            () if loud || !vars.on("LOG_PRETTY", self.log_pretty) => Some(Progress::Plain),
            () => None,
        };
    }
}

impl ProjectFlags {
    /// What is asked for, and `global` as the log flags want it.
    ///
    /// # Errors
    /// If two ways to read a project are asked for at once.
    pub fn options(&self, global: &mut Global, vars: &Vars) -> Result<Options, Failure> {
        self.log.apply(global, vars);
        let path = |name: &str, given: &Option<PathBuf>| {
            given.clone().or_else(|| vars.text(name, None).map(PathBuf::from))
        };
        let folder = match path("DIR", &self.dir) {
            Some(folder) => folder,
            None => host::env::current_dir()?,
        };
        let (dev, loose) = (vars.off("DEV", self.dev), vars.off("LOOSE_GITERMINISM", self.loose_giterminism));
        let way = match (dev, loose) {
            (true, true) => {
                return Err(Failure::new(Kind::Usage, "read the project")
                    .because("--dev and --loose-giterminism exclude each other"));
            }
            (true, false) => Way::Development,
            (false, true) => Way::Loose,
            (false, false) => Way::Commit,
        };
        let text = |name: &str, given: &Option<String>| vars.text(name, given.clone());
        Ok(Options {
            work_tree: path("WORK_TREE", &self.git_work_tree),
            config: text("CONFIG", &self.config),
            templates: text("CONFIG_TEMPLATES_DIR", &self.config_templates_dir).unwrap_or(".werf".into()),
            giterminism: text("GITERMINISM_CONFIG", &self.giterminism_config)
                .unwrap_or(GITERMINISM_FILE.into()),
            env: text("ENV", &self.env).unwrap_or_default(),
            way,
            dev_ignore: vars.list("DEV_IGNORE", &[], &self.dev_ignore),
            debug: vars.off("DEBUG_TEMPLATES", self.debug_templates),
            render_path: self.config_render_path.clone(),
            name: vars.text("PROJECT_NAME", None),
            variables: vars.all().clone(),
            home: Some(session::home()?),
            update_includes: vars.off("ALLOW_INCLUDES_UPDATE", self.allow_includes_update),
            ..Options::of(folder)
        })
    }

    /// Whether the project's folder is to be printed.
    pub fn logs_folder(&self, vars: &Vars) -> bool {
        vars.off("LOG_PROJECT_DIR", self.log_project_dir)
    }
}

/// What no command about a project has.
pub const PROJECT: &[Refused] = &[
    Refused {
        harmless: &["_werf-dev", ""],
        ..refused_value("dev-branch", true, "--dev reads the disk as it is: there is no service branch")
    },
    Refused {
        harmless: &["auto", ""],
        ..refused_value("log-color-mode", true, "--progress plain shows no colours, --progress tty does")
    },
    refused_switch("log-time", true, "--log-format json gives every line its time"),
    refused_value("log-time-format", true, "--log-format json gives every line its time, as RFC 3339"),
    Refused {
        harmless: &["-1", ""],
        ..refused_value("log-terminal-width", true, "the width is the terminal's; --progress plain has none")
    },
    refused_value("tmp-dir", false, "temporary files lie in the store: LAP_HOME moves it"),
];
