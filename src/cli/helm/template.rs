//! `lap helm template`.

use std::path::PathBuf;

use clap::Args;

use super::connection::{ChartFlags, wait};
use super::flags::{InstallFlags, ValueFlags, slices};
use super::{end, print, warn};
use crate::base::{Failure, Kind};
use crate::cli::Result;
use crate::ops::helm::template::{Request, run};
use crate::ops::helm::{Home, Settings, dependency, difference, sets, source};
use crate::report::Context;

/// Render the templates of a chart without a cluster and print them.
#[derive(Args, Debug)]
pub struct Template {
    /// The release's name (may be left out) and the chart
    #[arg(required = true, value_name = "[NAME] CHART")]
    arguments: Vec<String>,
    #[command(flatten)]
    values: ValueFlags,
    #[command(flatten)]
    chart: ChartFlags,
    /// Make a name for the release; it is release-name, as in Helm
    #[arg(short, long)]
    generate_name: bool,
    /// Make the release's name with a template
    #[arg(long, value_name = "TEMPLATE", default_value = "", hide_default_value = true)]
    name_template: String,
    /// Only show what these templates gave; may be repeated
    #[arg(short, long, value_name = "TEMPLATE")]
    show_only: Vec<String>,
    /// Write the results to files in this folder
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Use the release's name in the folder's path
    #[arg(long)]
    release_name: bool,
    /// Also show the custom resource definitions
    #[arg(long)]
    include_crds: bool,
    /// Leave out tests
    #[arg(long)]
    skip_tests: bool,
    /// Leave out hooks
    #[arg(long)]
    no_hooks: bool,
    /// Render as an upgrade rather than an install
    #[arg(long)]
    is_upgrade: bool,
    /// Fetch the charts that it needs if some are missing
    #[arg(long)]
    dependency_update: bool,
    /// The Kubernetes version that templates see
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// More API versions that templates see; may be repeated or separated by commas
    #[arg(short, long, value_name = "VERSIONS")]
    api_versions: Vec<String>,
    /// Do not check values against the chart's schema
    #[arg(long)]
    skip_schema_validation: bool,
    /// Let templates ask for addresses of hosts
    #[arg(long)]
    enable_dns: bool,
    /// A program that changes the manifests: standard input to standard output
    #[arg(long, value_name = "PROGRAM")]
    post_renderer: Option<String>,
    /// Arguments of that program
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    post_renderer_args: Vec<String>,
    /// Say which templates and values a place of a rendered object comes from: KIND/NAME:path.to[0].field
    #[arg(long, value_name = "PLACE")]
    explain: Option<String>,
    /// Show what is different in the objects that another folder, or a Git revision, of the chart gives
    #[arg(long, value_name = "DIR|REVISION", conflicts_with_all = ["explain", "output_dir"])]
    diff_with: Option<String>,
    /// Render once for every NAME.yaml, and every folder of such files, in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["explain", "diff_with"])]
    value_sets: Option<PathBuf>,
    /// Check the manifests against a cluster (not possible without one)
    #[arg(long)]
    validate: bool,
    /// How to render: client is all that works without a cluster
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: Option<String>,
    #[command(flatten)]
    _install: InstallFlags,
}

impl Template {
    /// Runs the command.
    pub fn run(mut self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        self.refuse_cluster()?;
        if let Some(chart) = self.arguments.last_mut() {
            let wanted = self.chart.wanted(settings, chart);
            if !source::is_local(&wanted) {
                *chart = wait(source::locate(cx, home, &wanted))?;
            }
        }
        if let (true, Some(chart)) = (self.dependency_update, self.arguments.last()) {
            let request = dependency::Request {
                chart: chart.into(),
                trust: self.chart.trust(),
                plain_http: self.chart.plain_http(),
                ..dependency::Request::default()
            };
            let mut said = String::new();
            let done = wait(dependency::complete(cx, (home, settings), &request, &mut said));
            print(said.as_bytes())?;
            done?;
        }
        let request = Request {
            values: self.values.given()?,
            arguments: self.arguments,
            generate_name: self.generate_name,
            name_template: self.name_template,
            is_upgrade: self.is_upgrade,
            kube_version: self.kube_version,
            api_versions: slices(&self.api_versions)?,
            include_crds: self.include_crds,
            no_hooks: self.no_hooks,
            skip_tests: self.skip_tests,
            show_only: self.show_only,
            output_dir: self.output_dir,
            use_release_name: self.release_name,
            skip_schema: self.skip_schema_validation,
            enable_dns: self.enable_dns,
            post_renderer: self.post_renderer.map(|program| (program, self.post_renderer_args)),
            explain: self.explain,
        };
        let report = match (&self.diff_with, &self.value_sets) {
            (Some(other), _) => difference::run(cx, settings, &request, other),
            (None, Some(folder)) => sets::run(cx, settings, &request, folder),
            (None, None) => run(cx, settings, &request),
        }?;
        warn(&report.warnings);
        crate::cli::output::pieces(report.output.pieces())?;
        // The process ends here.
        std::mem::forget((report.output, report.spent));
        end(report.failure)
    }

    fn refuse_cluster(&self) -> std::result::Result<(), Failure> {
        let by_dry_run = match self.dry_run.as_deref() {
            None | Some("client" | "true" | "unset") => false,
            Some("server" | "none" | "false") => true,
            Some(other) => {
                return Err(Failure::new(Kind::Usage, "read --dry-run")
                    .because(format!("`{other}` is neither client nor server")));
            }
        };
        if self.validate || by_dry_run {
            return Err(Failure::new(Kind::Environment, "check the manifests against a cluster")
                .because("this version of lap does not speak to clusters yet")
                .hint("render without --validate and --dry-run=server"));
        }
        Ok(())
    }
}
