//! `lap image run`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::base::{Failure, Kind, Platform};
use crate::cli::session::RegistryFlags;
use crate::cli::{Global, Needs, Result, Session};
use crate::host;
use crate::ops::image_run::{self, Request};
use crate::sandbox::{self, Attach, HostAddress, Mount, MountKind};

/// Run a command in an image; what it changes is thrown away.
#[derive(Args, Debug)]
pub struct Run {
    /// The image: a name (pulled if the store does not have it), an id, or the beginning of one
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The command and its arguments [default: those of the image]
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// Set a variable: NAME=VALUE, or NAME to pass on this shell's; may be repeated
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Start in this directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Run as this user: name or number, with :group if another than its own
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Show a file or directory of this machine inside: PATH:TARGET[:ro]; may be repeated
    #[arg(short, long, value_name = "PATH:TARGET[:ro]", value_parser = volume)]
    volume: Vec<Mount>,
    /// Run this program instead of the image's entry point
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Remove what the run leaves; it always is, so this only says what is meant
    #[arg(long)]
    rm: bool,
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// Which network it sees
    #[arg(long, value_name = "NETWORK", default_value = "host")]
    network: NetworkChoice,
    /// Add a line to /etc/hosts: NAME:ADDRESS, where host-gateway is this machine; may be repeated
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = host_line)]
    add_host: Vec<(String, HostAddress)>,
    /// Which of the image's platforms, for example linux/arm64 [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    #[command(flatten)]
    registry: RegistryFlags,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum NetworkChoice {
    /// This machine's
    Host,
    /// Only a loopback device
    None,
}

impl Run {
    /// Runs the command; its exit code becomes ours.
    pub fn run(self, global: &Global) -> Result {
        let session = Session::begin(global, Needs::Namespace, "Preparing")?;
        let doors = session.doors(self.registry.options())?;
        let request = self.request()?;
        let prepared = session.block_on(image_run::prepare(&session.cx, &doors, &request))?;
        // From here on the terminal belongs to the command.
        session.give_signals_away();
        let exit = session.block_on(image_run::run(&session.cx, &doors, prepared))?;
        let code = u8::try_from(exit.code()).unwrap_or(1);
        Ok(session.end(ExitCode::from(code)))
    }

    fn request(self) -> Result<Request> {
        Ok(Request {
            image: self.image,
            platform: self.platform,
            args: self.command,
            entrypoint: self.entrypoint,
            env: self.env.iter().filter_map(|text| variable(text)).collect(),
            workdir: self.workdir,
            user: self.user,
            mounts: self.volume.into_iter().map(existing).collect::<Result<_>>()?,
            network: match self.network {
                NetworkChoice::Host => sandbox::Network::Host,
                NetworkChoice::None => sandbox::Network::None,
            },
            hosts: self.add_host,
            attach: Attach { input: self.interactive, terminal: self.tty },
        })
    }
}

/// `NAME=VALUE`, or `NAME` with this process's value; a name without one is left out, as Docker does.
fn variable(text: &str) -> Option<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => host::env::vars().find(|(name, _)| name == text),
    }
}

fn volume(text: &str) -> std::result::Result<Mount, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, read_only) = match parts.as_slice() {
        [source, target] | [source, target, "rw"] => (source, target, false),
        [source, target, "ro"] => (source, target, true),
        [_, _, option] => return Err(format!("`{option}` is neither ro nor rw")),
        _ => return Err("write PATH:TARGET or PATH:TARGET:ro".into()),
    };
    if !source.contains('/') && *source != "." && *source != ".." {
        return Err(format!(
            "`{source}` is no path (there are no named volumes; write ./{source} for a directory here)"
        ));
    }
    if !target.starts_with('/') || target.trim_matches('/').is_empty() {
        return Err(format!("the target `{target}` must be an absolute path other than /"));
    }
    let what = MountKind::Bind { source: source.into(), read_only };
    Ok(Mount { target: (*target).to_owned(), what })
}

/// The same mount with the source's full path, which must exist.
fn existing(mut mount: Mount) -> Result<Mount> {
    if let MountKind::Bind { source, .. } = &mut mount.what {
        *source = host::fs::canonicalize(&*source)
            .map_err(|error| Failure::of(Kind::Usage, &error).hint("-v shows what exists; make it first"))?;
    }
    Ok(mount)
}

fn host_line(text: &str) -> std::result::Result<(String, HostAddress), String> {
    // BuildKit writes NAME=ADDRESS, too; an IPv6 address has colons of its own.
    let pair = text.split_once('=').or_else(|| text.split_once(':'));
    let (name, address) = pair.ok_or_else(|| "write NAME:ADDRESS".to_owned())?;
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!("`{name}` is no host name"));
    }
    Ok((name.to_owned(), address.parse().map_err(|e: sandbox::Error| e.to_string())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_and_hosts_are_read_as_docker_writes_them() {
        let mount = volume("./a:/b:ro").unwrap();
        assert_eq!(mount.what, MountKind::Bind { source: "./a".into(), read_only: true });
        assert_eq!(mount.target, "/b");
        assert!(volume("/a:/b").is_ok() && volume(".:/b:rw").is_ok());
        for wrong in ["/a", "data:/b", "/a:b", "/a:/", "/a:/b:z", "/a:/b:ro:x"] {
            assert!(volume(wrong).is_err(), "{wrong}");
        }
        assert_eq!(host_line("db:10.0.0.1").unwrap().0, "db");
        assert!(
            host_line("db:::1").is_ok()
                && host_line("db=::1").is_ok()
                && host_line("me:host-gateway").is_ok()
        );
        assert!(host_line("db").is_err() && host_line("db:x").is_err() && host_line(":1.1.1.1").is_err());
    }
}
