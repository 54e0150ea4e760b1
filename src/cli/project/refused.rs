//! Flags of werf that are understood and refused, each with its reason: none is parsed and ignored.

use std::marker::PhantomData;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::base::{Failure, Kind};
use crate::cli::project::vars::Vars;

/// A flag that is refused.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Its name.
    pub flag: &'static str,
    /// Whether it is followed by a value.
    pub takes_value: bool,
    /// Whether its variable is refused too. Variables that people set for all commands of werf alike are not looked at
    /// by commands that have no use for them.
    pub by_variable: bool,
    /// Values that ask for nothing else than what is done anyway.
    pub harmless: &'static [&'static str],
    /// Why, and what to do instead.
    pub reason: &'static str,
}

/// A flag without a value.
pub const fn switch(flag: &'static str, by_variable: bool, reason: &'static str) -> Refused {
    Refused { flag, takes_value: false, by_variable, harmless: &["false"], reason }
}

/// A flag with a value.
pub const fn value(flag: &'static str, by_variable: bool, reason: &'static str) -> Refused {
    Refused { flag, takes_value: true, by_variable, harmless: &[""], reason }
}

/// The flags that a group of commands refuses.
pub trait Table {
    /// Them.
    const FLAGS: &'static [&'static [Refused]];
}

/// Arguments that know the flags of a table and refuse them.
#[derive(Clone, Debug)]
pub struct RefusedFlags<T> {
    given: Vec<(&'static Refused, String)>,
    table: PhantomData<T>,
}

impl<T: Table> RefusedFlags<T> {
    fn all() -> impl Iterator<Item = &'static Refused> {
        T::FLAGS.iter().flat_map(|group| group.iter())
    }

    /// Fails if one was given, on the command line or as a variable.
    ///
    /// # Errors
    /// With the reason of the first.
    pub fn check(&self, vars: &Vars) -> Result<(), Failure> {
        let fail = |name: String, refused: &Refused| {
            Failure::new(Kind::Usage, format!("{name} is not supported here")).because(refused.reason)
        };
        for (refused, value) in &self.given {
            if !refused.harmless.contains(&value.as_str()) {
                return Err(fail(format!("--{}", refused.flag), refused));
            }
        }
        for refused in Self::all().filter(|refused| refused.by_variable) {
            let name = refused.flag.to_uppercase().replace('-', "_");
            let is_given = match refused.takes_value {
                true => vars.text(&name, None).is_some_and(|v| !refused.harmless.contains(&v.as_str())),
                false => vars.off(&name, None),
            };
            if is_given {
                return Err(fail(format!("WERF_{name}"), refused));
            }
        }
        Ok(())
    }
}

impl<T: Table> clap::Args for RefusedFlags<T> {
    fn augment_args(command: Command) -> Command {
        Self::all().fold(command, |command, refused| {
            let arg = Arg::new(refused.flag).long(refused.flag).hide(true).action(ArgAction::Append);
            command.arg(match refused.takes_value {
                true => arg.num_args(1).allow_hyphen_values(true),
                false => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: Table> clap::FromArgMatches for RefusedFlags<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for refused in Self::all() {
            if matches.value_source(refused.flag) == Some(clap::parser::ValueSource::CommandLine) {
                let values = matches.get_many::<String>(refused.flag).into_iter().flatten();
                given.extend(values.map(|value| (refused, value.clone())));
            }
        }
        Ok(Self { given, table: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
