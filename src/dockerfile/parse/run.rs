//! `RUN`.

use crate::dockerfile::command::{Network, Run, Security};
use crate::dockerfile::parse::flags::{Flags, Takes};
use crate::dockerfile::parse::instruction::command_line;
use crate::dockerfile::parse::{device, mount};
use crate::dockerfile::{Error, Problem, Statement};

pub(super) fn parse(statement: &Statement) -> Result<Run, Error> {
    let flags = Flags::parse(
        statement,
        &[
            ("device", Takes::Values),
            ("mount", Takes::Values),
            ("network", Takes::Value),
            ("security", Takes::Value),
        ],
    )?;
    let wrong = |span, problem| Error::within(statement, span, problem);
    let mut devices = Vec::new();
    for word in flags.values("device") {
        devices.push(device::parse(&word).map_err(|problem| wrong(word.span.clone(), problem))?);
    }
    let mut mounts = Vec::new();
    for word in flags.values("mount") {
        mounts.push(mount::flag(&word).map_err(|problem| wrong(word.span.clone(), problem))?);
    }
    let network = match flags.written("network").map(|word| (word.text.as_str(), word)) {
        None | Some(("default", _)) => Network::Default,
        Some(("none", _)) => Network::None,
        Some(("host", _)) => Network::Host,
        Some((other, word)) => return Err(wrong(word.span.clone(), Problem::NetworkMode(other.to_owned()))),
    };
    let security = match flags.written("security").map(|word| (word.text.as_str(), word)) {
        None | Some(("sandbox", _)) => Security::Sandbox,
        Some(("insecure", _)) => Security::Insecure,
        Some((other, word)) => return Err(wrong(word.span.clone(), Problem::SecurityMode(other.to_owned()))),
    };
    Ok(Run { line: command_line(statement, &statement.words), mounts, network, security, devices })
}
