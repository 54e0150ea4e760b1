//! `lap doctor`: how steps would run on this machine.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::cli::{Format, Global, Needs, Result, Session, output};
use crate::registry::ClientOptions;
use crate::sandbox::Rung;
use crate::snapshot::Method;

/// Say how steps would run on this machine.
#[derive(Args, Debug)]
pub struct Doctor {
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

#[derive(Serialize)]
struct Findings {
    sandbox: &'static str,
    roots: String,
    store: String,
    problem: Option<String>,
    remedies: Vec<String>,
}

impl Doctor {
    /// Runs the command.
    pub fn run(&self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Namespace, "Looking")?;
        let doors = session.doors(ClientOptions::default())?;
        let sandbox = match session.entered.rung {
            Rung::RootfulNamespaces => "rootful namespaces",
            Rung::InsideNamespace => "inside a namespace that was made before",
            Rung::UserNamespace => "user namespace with sub-ids",
            Rung::None => "none: only cached builds work",
        };
        let roots = match doors.snapshots()?.method() {
            Method::Overlay => "overlay".to_owned(),
            Method::Copy { reason } => format!("copy ({reason})"),
        };
        let diagnosis = session.entered.diagnosis.as_ref();
        let findings = Findings {
            sandbox,
            roots,
            store: doors.home().display().to_string(),
            problem: diagnosis.map(ToString::to_string),
            remedies: diagnosis.map(|d| d.remedies().to_vec()).unwrap_or_default(),
        };
        match self.output {
            Format::Json => output::json(&findings)?,
            Format::Table => output::text(words(&findings))?,
        }
        Ok(if session.can_run() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn words(findings: &Findings) -> String {
    let mut text =
        format!("sandbox  {}\nroots    {}\nstore    {}\n", findings.sandbox, findings.roots, findings.store);
    if let Some(problem) = &findings.problem {
        text.push_str(&format!("problem  {problem}\n"));
    }
    for remedy in &findings.remedies {
        text.push_str(&format!("remedy   {remedy}\n"));
    }
    text
}
