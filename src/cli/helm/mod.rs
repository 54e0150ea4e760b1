//! `lap helm`: Helm's command line.
//!
//! Flags, standard output and exit codes are Helm's; what goes to standard error says at least as much as Helm does.

mod arguments;
mod completion;
mod connection;
mod create;
mod dependency;
mod env;
mod flags;
mod lint;
mod package;
mod plugin;
mod pull;
mod registry;
mod repo;
mod search;
mod show;
mod table;
mod template;
mod verify;
mod version;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::base::Failure;
use crate::chart::Compat;
use crate::cli::{Global, Result};
use crate::host;
use crate::ops::helm::Settings;
use crate::report::Context;

/// Render, check and pack charts as Helm does.
#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub struct Helm {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command of Helm.
#[derive(Args, Debug, Clone)]
pub(super) struct Shared {
    /// Behave as this major version of Helm: 3 or 4
    #[arg(
        long,
        global = true,
        value_name = "3|4",
        env = "LAP_HELM_COMPAT",
        default_value = "4",
        help_heading = "Helm options"
    )]
    #[arg(hide_env_values = true, value_parser = compat)]
    helm_version: Compat,
    /// The namespace of the release
    #[arg(short, long, global = true, value_name = "NAME", help_heading = "Helm options")]
    namespace: Option<String>,
    /// The kubeconfig file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Helm options")]
    kubeconfig: Option<String>,
    /// The context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME", help_heading = "Helm options")]
    kube_context: Option<String>,
    #[command(flatten)]
    files: connection::FileFlags,
    /// Show more
    #[arg(long, global = true, help_heading = "Helm options")]
    debug: bool,
    #[command(flatten)]
    cluster: ClusterFlags,
}

fn compat(text: &str) -> std::result::Result<Compat, String> {
    match text.trim_start_matches('v').split('.').next() {
        Some("3") => Ok(Compat::Helm3),
        Some("4") => Ok(Compat::Helm4),
        _ => Err("it is 3 or 4".to_owned()),
    }
}

/// How a cluster is reached. None of our commands reaches one yet; `env` shows what these say.
#[derive(Args, Debug, Clone, Default)]
struct ClusterFlags {
    #[arg(long, global = true, hide = true)]
    kube_apiserver: Option<String>,
    #[arg(long, global = true, hide = true)]
    kube_as_group: Vec<String>,
    #[arg(long, global = true, hide = true)]
    kube_as_user: Option<String>,
    #[arg(long, global = true, hide = true)]
    kube_ca_file: Option<String>,
    #[arg(long, global = true, hide = true)]
    kube_insecure_skip_tls_verify: bool,
    #[arg(long, global = true, hide = true)]
    kube_tls_server_name: Option<String>,
    #[arg(long, global = true, hide = true)]
    kube_token: Option<String>,
    #[arg(long, global = true, hide = true)]
    burst_limit: Option<i64>,
    #[arg(long, global = true, hide = true)]
    qps: Option<f32>,
    #[arg(long, alias = "colour", global = true, hide = true, value_parser = ["auto", "always", "never"])]
    #[allow(dead_code, reason = "our output of these commands has no colours, with or without it")]
    color: Option<String>,
}

impl Shared {
    /// What flags say, by the variable in whose place they are.
    fn given(&self) -> BTreeMap<&'static str, String> {
        let cluster = &self.cluster;
        let texts = [
            ("HELM_KUBEAPISERVER", cluster.kube_apiserver.clone()),
            ("HELM_KUBEASGROUPS", Some(cluster.kube_as_group.join(",")).filter(|groups| !groups.is_empty())),
            ("HELM_KUBEASUSER", cluster.kube_as_user.clone()),
            ("HELM_KUBECAFILE", cluster.kube_ca_file.clone()),
            (
                "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
                cluster.kube_insecure_skip_tls_verify.then(|| "true".to_owned()),
            ),
            ("HELM_KUBETLS_SERVER_NAME", cluster.kube_tls_server_name.clone()),
            ("HELM_KUBETOKEN", cluster.kube_token.clone()),
            ("HELM_BURST_LIMIT", cluster.burst_limit.map(|limit| limit.to_string())),
            ("HELM_QPS", cluster.qps.map(|qps| format!("{qps:.2}"))),
        ];
        texts.into_iter().filter_map(|(name, text)| Some((name, text?))).chain(self.files.given()).collect()
    }
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Print a script that completes command lines in a shell
    #[command(subcommand)]
    Completion(completion::Completion),
    #[command(name = "__complete", hide = true, disable_help_flag = true)]
    Ask(completion::Ask),
    #[command(name = "__completeNoDesc", hide = true, disable_help_flag = true)]
    AskWords(completion::Ask),
    /// Write the folder of a new chart
    Create(create::Create),
    /// Print the settings that come from the environment
    Env(env::Env),
    /// Look for what is wrong with charts
    Lint(lint::Lint),
    /// Say what became of plugins
    #[command(disable_help_flag = true)]
    Plugin(plugin::Plugin),
    /// Fetch and list the charts that a chart needs
    #[command(subcommand, visible_aliases = ["dep", "dependencies"])]
    Dependency(dependency::Dependency),
    /// Pack charts as archives
    Package(package::Package),
    /// Fetch charts from repositories and registries
    #[command(visible_alias = "fetch")]
    Pull(Box<pull::Pull>),
    /// Put a chart into a registry
    Push(pull::Push),
    /// Log in to registries, and out again
    #[command(subcommand)]
    Registry(registry::Registry),
    /// Add, list, remove, update and index chart repositories
    #[command(subcommand)]
    Repo(repo::Repo),
    /// Search for charts
    #[command(subcommand)]
    Search(search::Search),
    /// Show parts of a chart
    #[command(subcommand, visible_alias = "inspect")]
    Show(show::Show),
    /// Render a chart without a cluster
    Template(Box<template::Template>),
    /// Check that a chart is what somebody signed
    Verify(verify::Verify),
    /// Print the version of Helm that lap behaves as
    Version(version::Version),
}

impl Helm {
    /// Runs the command. Failures exit with 1, as Helm's do.
    pub fn run(self, _global: &Global) -> Result {
        let cx = Context::silent(host::clock::system());
        let debug = self.shared.debug || host::env::var("HELM_DEBUG").is_some();
        let home = self.shared.files.home();
        let given = self.shared.given();
        let settings = Settings {
            given,
            compat: self.shared.helm_version,
            namespace: self.shared.namespace,
            kubeconfig: self.shared.kubeconfig,
            kube_context: self.shared.kube_context,
            debug,
        };
        let done = match self.command {
            Command::Completion(command) => command.run(),
            Command::Ask(command) => command.run(&home, &settings, true),
            Command::AskWords(command) => command.run(&home, &settings, false),
            Command::Create(command) => command.run(),
            Command::Env(command) => command.run(&settings),
            Command::Lint(command) => command.run(&cx, &settings),
            Command::Plugin(command) => command.run(),
            Command::Dependency(command) => command.run(&cx, &home, &settings),
            Command::Package(command) => command.run(&cx, &home, &settings),
            Command::Pull(command) => command.run(&cx, &home, &settings),
            Command::Push(command) => command.run(&cx, &home, &settings),
            Command::Registry(command) => command.run(&cx, &home, &settings),
            Command::Repo(command) => command.run(&cx, &home, &settings),
            Command::Search(command) => command.run(&home),
            Command::Show(command) => command.run(&cx, &home, &settings),
            Command::Template(command) => command.run(&cx, &home, &settings),
            Command::Verify(command) => command.run(&cx, &settings),
            Command::Version(command) => command.run(&settings),
        };
        done.map_err(|failure| failure.with_exit_code(1))
    }
}

/// Arguments of `lap` in the form that means to us what they mean to Helm; `None` if they are not Helm's or mean that
/// already.
pub fn as_helm(arguments: &[std::ffi::OsString]) -> Option<Vec<std::ffi::OsString>> {
    let [program, name, rest @ ..] = arguments else { return None };
    if name != "helm" {
        return None;
    }
    let mut helm = Helm::augment_args(clap::Command::new("helm"));
    helm.build();
    let given = arguments::as_go(&helm, rest);
    (given != rest).then(|| [program.clone(), name.clone()].into_iter().chain(given).collect())
}

/// Writes bytes to standard output. A reader that went away is no error.
fn print(bytes: &[u8]) -> std::result::Result<(), Failure> {
    crate::cli::output::bytes(bytes)
}

/// Writes to standard error what Helm 3 has there.
fn say(text: &str) {
    // There is nowhere left to say that this did not work.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Says on standard error what is odd.
fn warn(warnings: &[String]) {
    let mut out = std::io::stderr().lock();
    for warning in warnings {
        let text = warning.strip_prefix("warning: ").or_else(|| warning.strip_prefix("Warning: "));
        // There is nowhere left to say that this did not work.
        let _ = writeln!(out, "warning: {}", text.unwrap_or(warning));
    }
}

/// What a command ends with that may have failed after it has shown something.
fn end(failure: Option<Failure>) -> Result {
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}
