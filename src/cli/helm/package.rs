//! `lap helm package`.

use std::path::PathBuf;

use clap::Args;

use super::connection::{ServerFlags, wait};
use super::{print, warn};
use crate::base::{Failure, Kind};
use crate::cli::{Result, output};
use crate::host::{fs, terminal};
use crate::ops::helm::package::{Request, Signature, run};
use crate::ops::helm::verify::default_keyring;
use crate::ops::helm::{Home, Settings, dependency};
use crate::report::Context;

/// Pack charts as archives.
#[derive(Args, Debug)]
pub struct Package {
    /// Folders of charts
    #[arg(required = true, value_name = "CHART")]
    charts: Vec<String>,
    /// Set the chart's version
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Set the application's version
    #[arg(long, value_name = "VERSION")]
    app_version: Option<String>,
    /// Where to write the archives
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    destination: PathBuf,
    /// Fetch the charts that it needs before
    #[arg(short = 'u', long)]
    dependency_update: bool,
    /// Sign the archives with an OpenPGP key
    #[arg(long)]
    sign: bool,
    /// The key's name, or a part of it
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    key: String,
    /// The keyring with the secret key [default: GnuPG's pubring.gpg]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// The file with the key's passphrase; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    passphrase_file: String,
    #[command(flatten)]
    server: ServerFlags,
}

impl Package {
    /// Runs the command.
    pub fn run(self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        let signature = self.signature(settings)?;
        if self.dependency_update {
            for chart in &self.charts {
                let request = dependency::Request {
                    chart: chart.into(),
                    trust: self.server.trust(),
                    plain_http: self.server.plain_http(),
                    ..dependency::Request::default()
                };
                // Helm says nothing of it here.
                let mut said = String::new();
                if fs::exists(chart) {
                    wait(dependency::update(cx, (home, settings), &request, &mut said))?;
                }
            }
        }
        let request = Request {
            charts: self.charts,
            version: self.version,
            app_version: self.app_version,
            destination: self.destination,
            signature,
        };
        let (mut passphrase, file) = (None, self.passphrase_file);
        let mut ask = |name: &str| match &passphrase {
            Some(passphrase) => Ok(Vec::clone(passphrase)),
            None => Ok(passphrase.insert(ask(&file, name)?).clone()),
        };
        let warnings = run(
            cx,
            settings,
            &request,
            (&mut ask, &mut |path| {
                output::line(format!("Successfully packaged chart and saved it to: {}", path.display()))
            }),
        )?;
        warn(&warnings);
        Ok(std::process::ExitCode::SUCCESS)
    }

    fn signature(&self, settings: &Settings) -> std::result::Result<Option<Signature>, Failure> {
        let missing = |flag: &str| {
            let words = format!("{flag} is required for signing a package");
            Err(Failure::new(Kind::Usage, "sign the package").because(words))
        };
        let keyring = self.keyring.clone().unwrap_or_else(|| default_keyring(settings));
        match self.sign {
            false => Ok(None),
            true if self.key.is_empty() => missing("--key"),
            true if keyring.as_os_str().is_empty() => missing("--keyring"),
            true => Ok(Some(Signature { key: self.key.clone(), keyring })),
        }
    }
}

/// A passphrase: the first line of a file, of standard input, or what the user types.
fn ask(file: &str, name: &str) -> std::result::Result<Vec<u8>, Failure> {
    let failed = |words: &str| Failure::new(Kind::Input, "read the passphrase").because(words);
    match file {
        "" => {
            // A question that cannot be shown shows in the answer.
            let question = || drop(print(format!("Password for key {name:?} >  ").as_bytes()));
            let typed = terminal::read_hidden_line(&question);
            output::line("")?;
            let typed =
                typed.map_err(|e| failed(&e.to_string()).hint("--passphrase-file names a file with it"));
            Ok(typed?.into_bytes())
        }
        "-" => {
            let line = terminal::read_line().map_err(|e| failed(&e.to_string()))?;
            if line.is_empty() {
                return Err(failed("specified reading passphrase from stdin, without input on stdin"));
            }
            Ok(line.into_bytes())
        }
        path => {
            let text = fs::read(path)?;
            if text.is_empty() {
                return Err(failed("the file is empty"));
            }
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        }
    }
}
