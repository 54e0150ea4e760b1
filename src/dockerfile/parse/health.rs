//! `HEALTHCHECK`.

use std::time::Duration;

use crate::dockerfile::command::{CommandLine, Healthcheck, HealthcheckCommand};
use crate::dockerfile::parse::duration;
use crate::dockerfile::parse::flags::{Flags, Takes};
use crate::dockerfile::parse::instruction::{command_line, wrong};
use crate::dockerfile::{Error, Problem, Statement};

pub(super) fn parse(statement: &Statement) -> Result<Healthcheck, Error> {
    let Some((kind, words)) = statement.words.split_first() else {
        return Err(wrong(statement, Problem::AtLeastOneArgument("HEALTHCHECK")));
    };
    let name = kind.text.to_uppercase();
    if name == "NONE" {
        return match words.is_empty() {
            true => Ok(Healthcheck::None),
            false => Err(wrong(statement, Problem::HealthcheckNone)),
        };
    }
    let flags = Flags::parse(
        statement,
        &[
            ("interval", Takes::Value),
            ("retries", Takes::Value),
            ("start-interval", Takes::Value),
            ("start-period", Takes::Value),
            ("timeout", Takes::Value),
        ],
    )?;
    if name != "CMD" {
        return Err(Error::within(statement, kind.span.clone(), Problem::HealthcheckType(name)));
    }
    if words.is_empty() {
        return Err(wrong(statement, Problem::HealthcheckCommand));
    }
    let command: CommandLine = command_line(statement, words);
    Ok(Healthcheck::Command(HealthcheckCommand {
        command,
        interval: interval(statement, &flags, "interval")?,
        timeout: interval(statement, &flags, "timeout")?,
        start_period: interval(statement, &flags, "start-period")?,
        start_interval: interval(statement, &flags, "start-interval")?,
        retries: retries(statement, &flags)?,
    }))
}

/// A duration of at least a millisecond, or zero.
fn interval(statement: &Statement, flags: &Flags, name: &'static str) -> Result<Duration, Error> {
    let Some(word) = flags.value(name) else { return Ok(Duration::ZERO) };
    let wrong = |problem| Error::within(statement, word.span.clone(), problem);
    let nanoseconds = duration::parse(&word.text).map_err(|message| wrong(Problem::Duration(message)))?;
    match u64::try_from(nanoseconds) {
        Ok(nanoseconds) if nanoseconds == 0 || nanoseconds >= 1_000_000 => {
            Ok(Duration::from_nanos(nanoseconds))
        }
        _ => Err(wrong(Problem::ShortInterval(name))),
    }
}

fn retries(statement: &Statement, flags: &Flags) -> Result<u32, Error> {
    let Some(word) = flags.value("retries") else { return Ok(0) };
    let wrong = |problem| Error::within(statement, word.span.clone(), problem);
    let digits = word.text.strip_prefix(['+', '-']).unwrap_or(&word.text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong(Problem::Retries { value: word.text.clone(), problem: "invalid syntax" }));
    }
    match word.text.parse::<i32>() {
        Ok(number) => u32::try_from(number).map_err(|_| wrong(Problem::NegativeRetries(i64::from(number)))),
        Err(_) => Err(wrong(Problem::Retries { value: word.text.clone(), problem: "value out of range" })),
    }
}
