//! `lap cr login` and `logout`: who we are to container registries.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::base::{Failure, Kind};
use crate::cli::session::RegistryFlags;
use crate::cli::{Global, Needs, Result, Session, output};
use crate::host;
use crate::ops::login;
use crate::registry::{Credential, Credentials, Stored};

/// Longest password read.
const LONGEST: u64 = 64 << 10;

/// Who we are to registries.
#[derive(Subcommand, Debug)]
pub enum Auth {
    /// Log in to a registry and keep the password where Docker keeps it
    Login(Login),
    /// Forget the password of a registry
    Logout(Logout),
    /// Print the user name and the password for a registry, as programs that help Docker with passwords do
    Get(Get),
}

impl Auth {
    pub(super) fn run(self, global: &Global) -> Result {
        match self {
            Self::Login(command) => command.run(global),
            Self::Logout(command) => command.run(global),
            Self::Get(command) => command.run(),
        }
    }
}

/// Print the user name and the password for a registry in JSON.
#[derive(Args, Debug)]
pub struct Get {
    /// The registry, HOST[:PORT]
    #[arg(value_name = "REGISTRY")]
    registry: String,
}

impl Get {
    fn run(self) -> Result {
        // docker-credential-helpers: credentials/credentials.go, credentials/error.go.
        let Some(credential) = Credentials::from_environment().lookup(&self.registry, "")? else {
            output::line("credentials not found in native keychain")?;
            return Ok(ExitCode::FAILURE);
        };
        let (username, secret) = match credential {
            Credential::Basic { username, password } => (username, password),
            Credential::Identity { username, token } => (username, token),
            Credential::RegistryToken(token) => (String::new(), token),
        };
        output::line(serde_json::json!({ "Username": username, "Secret": secret }).to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Log in to a registry: asks it whether the password is right, then keeps it in Docker's config.json or with the
/// credential helper that is named there.
#[derive(Args, Debug)]
pub struct Login {
    /// The registry, HOST[:PORT]
    #[arg(value_name = "REGISTRY", default_value = "docker.io")]
    registry: String,
    /// The user name
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// The password or access token; others on this machine may see it, so prefer --password-stdin
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    #[command(flatten)]
    flags: RegistryFlags,
}

impl Login {
    pub(super) fn run(self, global: &Global) -> Result {
        // Before the display begins: it would paint over the questions.
        let username = match &self.username {
            Some(username) => username.clone(),
            None => ask("User name: ", read_shown)?,
        };
        let password = match (&self.password, self.password_stdin) {
            (Some(password), _) => password.clone(),
            (None, true) => from_stdin()?,
            (None, false) => {
                let answer = ask("Password: ", host::terminal::read_hidden_line);
                // The end of the line was not shown either.
                let _ = writeln!(std::io::stderr());
                answer?
            }
        };
        if username.is_empty() || password.is_empty() {
            return Err(Failure::new(Kind::Usage, format!("log in to {}", self.registry))
                .because("the user name or the password is empty"));
        }
        let session = Session::begin(global, Needs::Process, "Logging in")?;
        let request =
            login::Request { registry: self.registry, username, password, client: self.flags.options() };
        let kept = session.block_on(login::run(&session.cx, &request))?;
        let where_to = match kept {
            Stored::File(path) => format!("the password is kept in {}, not encrypted", path.display()),
            Stored::Helper(name) => format!("the password is kept by docker-credential-{name}"),
        };
        output::line(format!("logged in to {} as {}: {where_to}", request.registry, request.username))?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}

/// Forget the password of a registry.
#[derive(Args, Debug)]
pub struct Logout {
    /// The registry, HOST[:PORT]
    #[arg(value_name = "REGISTRY", default_value = "docker.io")]
    registry: String,
}

impl Logout {
    pub(super) fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Process, "Logging out")?;
        let credentials = Credentials::from_environment();
        let known = session.block_on(login::logout(&self.registry, &credentials))?;
        output::line(match known {
            true => format!("logged out of {}", self.registry),
            false => format!("nothing was kept for {}", self.registry),
        })?;
        Ok(session.end(ExitCode::SUCCESS))
    }
}

/// An answer that is shown while it is typed.
pub(in crate::cli) fn read_shown(question: &dyn Fn()) -> std::io::Result<String> {
    question();
    host::terminal::read_line()
}

/// Asks the person at the terminal; `read` shows the question when it is ready for the answer.
pub(in crate::cli) fn ask(question: &str, read: fn(&dyn Fn()) -> std::io::Result<String>) -> Result<String> {
    let fail = || Failure::new(Kind::Usage, "log in");
    if !std::io::stdin().is_terminal() {
        return Err(fail()
            .because("there is no terminal to ask for the user name and the password")
            .hint("give them with `-u NAME --password-stdin`"));
    }
    let show = || {
        let mut error = std::io::stderr();
        // A question that cannot be shown shows in the answer.
        let _ = write!(error, "{question}").and_then(|()| error.flush());
    };
    read(&show).map_err(|e| match e.kind() {
        std::io::ErrorKind::Interrupted => Failure::new(Kind::Cancelled, "stopped on request"),
        _ => fail().caused_by(&e),
    })
}

/// The whole of standard input without the last line's end.
pub(in crate::cli) fn from_stdin() -> Result<String> {
    let mut text = String::new();
    let fail = |e| Failure::new(Kind::Input, "read the password from standard input").caused_by(&e);
    std::io::stdin().take(LONGEST).read_to_string(&mut text).map_err(fail)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
