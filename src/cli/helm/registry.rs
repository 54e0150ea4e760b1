//! `lap helm registry`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::connection::wait;
use super::{print, say};
use crate::base::{Failure, Kind};
use crate::cli::{Result, cr};
use crate::host::terminal;
use crate::ops::helm::{Home, Settings};
use crate::ops::login;
use crate::registry::ClientOptions;
use crate::report::Context;

/// Log in to registries, and out again.
#[derive(Subcommand, Debug)]
pub enum Registry {
    /// Log in to a registry
    Login(Login),
    /// Log out of a registry
    Logout(Logout),
}

impl Registry {
    /// Runs the command.
    pub fn run(self, cx: &Context, home: &Home, settings: &Settings) -> Result {
        let (said, is_3) = match self {
            Self::Login(command) => (command.run(cx, home)?, settings.compat.is_3()),
            Self::Logout(command) => (command.run(home)?, settings.compat.is_3()),
        };
        if is_3 {
            say(&said);
        } else {
            print(said.as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Log in to a registry.
#[derive(Args, Debug)]
pub struct Login {
    /// The registry
    host: String,
    /// The user name
    #[arg(short, long, value_name = "NAME", default_value = "", hide_default_value = true)]
    username: String,
    /// The password or token; others on this machine may see it
    #[arg(short, long, value_name = "PASSWORD", default_value = "", hide_default_value = true)]
    password: String,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Accept any certificate
    #[arg(long)]
    insecure: bool,
    /// A client certificate in PEM
    #[arg(long, value_name = "FILE")]
    cert_file: Option<PathBuf>,
    /// The certificate's key in PEM
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Certificates to trust beside the system's, in PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Speak plain HTTP
    #[arg(long)]
    plain_http: bool,
}

impl Login {
    fn run(self, cx: &Context, home: &Home) -> std::result::Result<String, Failure> {
        let mut username = self.username;
        let password = if self.password_stdin {
            cr::from_stdin()?
        } else if self.password.is_empty() {
            if username.is_empty() {
                username = cr::ask("Username: ", cr::read_shown)?.trim().to_owned();
            }
            cr::ask(if username.is_empty() { "Token: " } else { "Password: " }, terminal::read_hidden_line)?
        } else {
            super::warn(&["using --password via the CLI is insecure. Use --password-stdin".to_owned()]);
            self.password
        };
        if password.is_empty() {
            let words = if username.is_empty() { "token required" } else { "password required" };
            return Err(Failure::new(Kind::Usage, words));
        }
        let insecure = (self.plain_http || self.insecure).then(|| self.host.clone());
        let client = ClientOptions {
            credentials: home.credentials(),
            insecure: insecure.into_iter().collect(),
            ca_files: self.ca_file.into_iter().collect(),
            identity: self.cert_file.zip(self.key_file),
            ..ClientOptions::default()
        };
        wait(login::run(cx, &login::Request { registry: self.host, username, password, client }))?;
        Ok("Login Succeeded\n".to_owned())
    }
}

/// Log out of a registry.
#[derive(Args, Debug)]
pub struct Logout {
    /// The registry
    host: String,
}

impl Logout {
    fn run(self, home: &Home) -> std::result::Result<String, Failure> {
        let known = wait(login::logout(&self.host, &home.credentials()))?;
        if !known {
            // No error in Helm.
            super::warn(&[format!("not logged in to {}", self.host)]);
        }
        Ok(format!("Removing login credentials for {}\n", self.host))
    }
}
