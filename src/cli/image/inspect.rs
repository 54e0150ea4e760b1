//! `lap image inspect`.

use std::process::ExitCode;

use clap::Args;

use crate::base::Platform;
use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::ops::image_inspect::{Inspected, Request, run};
use crate::ui::{self, Table};

/// Show everything that is known of images.
#[derive(Args, Debug)]
pub struct Inspect {
    /// Name, id or digest of an image, or the beginning of an id or digest
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Of several platforms, which, for example linux/arm64 [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// How to print: json or table
    #[arg(short, long, value_name = "FORMAT", default_value = "json")]
    output: Format,
}

impl Inspect {
    /// Runs the command.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Looking")?;
        let store = session.store()?;
        let requests =
            self.images.into_iter().map(|image| Request { image, platform: self.platform.clone() });
        let reports: Vec<_> = session.block_on(async {
            requests.map(|request| run(&store, &request)).collect::<std::result::Result<_, _>>()
        })?;
        match self.output {
            Format::Json => output::json(&reports)?,
            Format::Table => reports.iter().try_for_each(|report| output::text(words(report)))?,
        }
        Ok(session.end(ExitCode::SUCCESS))
    }
}

fn words(report: &Inspected) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("{name:<12}{}\n", ui::clean(value.as_bytes())));
        }
    };
    report.names.iter().for_each(|name| line("name", name));
    line("digest", &report.digest);
    line("image id", &report.image_id);
    line("platform", &report.platform);
    line("created", report.created.as_deref().unwrap_or_default());
    line("author", &report.author);
    line("size", &ui::size(report.size));
    let config = &report.config;
    line("user", &config.user);
    line("workdir", &config.working_dir);
    line("entrypoint", &argv(&config.entrypoint));
    line("cmd", &argv(&config.cmd));
    line("stop signal", &config.stop_signal);
    config.env.iter().for_each(|entry| line("env", entry));
    config.exposed_ports.iter().for_each(|port| line("port", port));
    config.volumes.iter().for_each(|volume| line("volume", volume));
    config.labels.iter().for_each(|(name, value)| line("label", &format!("{name}={value}")));
    let mut layers = Table::new(&["LAYER", ">SIZE", "TYPE", "STORED"]);
    for layer in &report.layers {
        let stored = if layer.stored { "as a blob" } else { "unpacked, or not at all" };
        layers.row([layer.diff_id.as_str(), &ui::size(layer.size), &layer.media_type, stored]);
    }
    text.push_str(&layers.render());
    text.push('\n');
    text
}

/// A command as JSON, so that blanks within arguments can be seen; empty if there is none.
fn argv(argv: &[String]) -> String {
    if argv.is_empty() { String::new() } else { serde_json::json!(argv).to_string() }
}
