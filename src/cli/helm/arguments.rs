//! Arguments as Go's flags read them, which differ from ours: `--flag=false`, values that begin with a dash, one flag
//! given twice.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// A flag on the command line and what is known of it.
pub struct Found<'c> {
    /// The flag.
    pub flag: &'c Arg,
    /// What stands behind `=`, or right behind a letter.
    pub value: Option<&'c str>,
}

/// Whether a flag is followed by a value of its own.
pub fn takes_value(flag: &Arg) -> bool {
    flag.get_action().takes_values() && !flag.is_require_equals_set()
}

/// The flag that a word is, in a command that has been built.
pub fn find<'c>(command: &'c Command, word: &'c str) -> Option<Found<'c>> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let named = |a: &&Arg| {
            let aliases = a.get_all_aliases().unwrap_or_default();
            a.get_long() == Some(name) || aliases.contains(&name)
        };
        return command.get_arguments().find(named).map(|flag| Found { flag, value });
    }
    let mut letters = word.strip_prefix('-')?.chars();
    // Of letters written together only the last one can have a value.
    loop {
        let letter = letters.next()?;
        let flag = command.get_arguments().find(|a| a.get_short() == Some(letter))?;
        let rest = letters.as_str();
        if rest.is_empty() || flag.get_action().takes_values() {
            let value = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest));
            return Some(Found { flag, value });
        }
    }
}

/// Go's `strconv.ParseBool`.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The same arguments in a form that means to us what they mean to Go. `helm` is the command, built; the first
/// argument is the one behind its name.
pub fn as_go(helm: &Command, arguments: &[OsString]) -> Vec<OsString> {
    let (mut command, mut out) = (helm, Vec::<OsString>::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(word) = argument.to_str() else {
            out.push(argument.clone());
            continue;
        };
        if word == "--" {
            out.push(argument.clone());
            out.extend(rest.cloned());
            break;
        }
        let Some(Found { flag, value }) = find(command, word).filter(|_| word.len() > 1) else {
            command = command.find_subcommand(word).filter(|_| !word.starts_with('-')).unwrap_or(command);
            out.push(argument.clone());
            continue;
        };
        let switch = matches!(flag.get_action(), ArgAction::SetTrue);
        let name = format!("--{}", flag.get_long().unwrap_or_default());
        match value.map(boolean) {
            Some(Some(true)) if switch => out.push(name.into()),
            Some(Some(false)) if switch => out.retain(|earlier| *earlier != *name),
            None if takes_value(flag) => match rest.next() {
                // So that a value that begins with a dash is not taken for a flag.
                Some(value) => {
                    let mut joined = OsString::from(format!("{name}="));
                    joined.push(value);
                    out.push(joined);
                }
                None => out.push(argument.clone()),
            },
            _ => out.push(argument.clone()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let mut command = Command::new("helm").subcommand(
            Command::new("template")
                .arg(Arg::new("a").long("atomic").short('a').action(ArgAction::SetTrue))
                .arg(Arg::new("s").long("set").short('s').action(ArgAction::Append))
                .arg(Arg::new("w").long("wait").num_args(0..=1).require_equals(true)),
        );
        command.build();
        command
    }

    fn of(words: &str) -> String {
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let out = as_go(&command(), &words);
        out.iter().map(|w| w.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_go_takes() {
        assert_eq!(of("template --atomic=true x"), "template --atomic x");
        assert_eq!(of("template --atomic --atomic=false x"), "template x");
        assert_eq!(of("template --atomic=maybe"), "template --atomic=maybe");
        assert_eq!(of("template --set -x=1 --set=y -s -1 -az"), "template --set=-x=1 --set=y --set=-1 -az");
        assert_eq!(of("template --wait x --wait=y"), "template --wait x --wait=y");
        assert_eq!(of("template - -- --atomic=true"), "template - -- --atomic=true");
        assert_eq!(of("template --unknown --set"), "template --unknown --set");
    }
}
