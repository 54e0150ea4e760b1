//! Instructions that change only the image's configuration.

use crate::build::Error;
use crate::build::evaluate::stage::{Scene, State};
use crate::build::evaluate::{Vars, health, ports};
use crate::dockerfile::command::{self, CommandLine};
use crate::dockerfile::{Command, Word};
use crate::oci::Healthcheck;

/// Arguments that only steer the builder and never reach a step's environment.
const NOT_ENVIRONMENT: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Applies the instruction of `scene`.
pub fn apply(scene: &Scene<'_>, state: &mut State) -> Result<(), Error> {
    match &scene.instruction.command {
        Command::Arg(arg) => declare(scene, state, arg),
        Command::Env(env) => set_env(scene, state, env),
        Command::Label(label) => set_labels(scene, state, label),
        Command::Cmd(line) => {
            let args = argv(state, line);
            state.remember(format!("CMD {}", health::quoted_list(&args)), false);
            state.image.config.cmd = args;
            state.image.config.args_escaped = true;
            state.cmd_is_own = true;
            Ok(())
        }
        Command::Entrypoint(line) => {
            let args = argv(state, line);
            state.remember(format!("ENTRYPOINT {}", health::quoted_list(&args)), false);
            state.image.config.entrypoint = args;
            if !state.cmd_is_own {
                state.image.config.cmd.clear();
            }
            Ok(())
        }
        Command::Expose(expose) => open_ports(scene, state, expose),
        Command::Healthcheck(check) => {
            let check = healthcheck(check);
            state.remember(format!("HEALTHCHECK {}", health::shown(&check)), false);
            state.image.config.healthcheck = Some(check);
            Ok(())
        }
        Command::Maintainer(word) => {
            state.image.author.clone_from(&word.text);
            state.remember(format!("MAINTAINER {}", word.text), false);
            Ok(())
        }
        Command::Shell(shell) => {
            let argv: Vec<String> = shell.argv.iter().map(|word| word.text.clone()).collect();
            state.remember(format!("SHELL [{}]", argv.join(" ")), false);
            state.image.config.shell = argv;
            Ok(())
        }
        Command::Stopsignal(word) => {
            let signal = scene.expansion.word(word, &state.vars)?;
            check_signal(&signal, word)?;
            state.remember(format!("STOPSIGNAL {signal}"), false);
            state.image.config.stop_signal = signal;
            Ok(())
        }
        Command::User(word) => {
            let user = scene.expansion.word(word, &state.vars)?;
            state.remember(format!("USER {user}"), false);
            state.image.config.user = user;
            Ok(())
        }
        Command::Volume(volume) => add_volumes(scene, state, volume),
        other => Err(Error::Bug(format!("{} is not an instruction of the configuration", other.name()))),
    }
}

/// ARG: the command line wins, then the default, then a global argument of that name; else it has no value.
fn declare(scene: &Scene<'_>, state: &mut State, arg: &command::Arg) -> Result<(), Error> {
    let mut shown = Vec::new();
    for item in &arg.items {
        let name = &item.name.text;
        let value = match (scene.parameters.build_args.get(name), &item.default) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(default)) => Some(scene.expansion.word(default, &state.vars)?),
            (None, None) => scene.globals.get(name).map(str::to_owned),
        };
        if let Some(value) = &value
            && !NOT_ENVIRONMENT.contains(&name.as_str())
        {
            state.vars.set(name, value.clone());
        }
        shown.push(match &value {
            Some(value) => format!("{name}={value}"),
            None => name.clone(),
        });
        state.args.push((name.clone(), value));
    }
    state.remember(format!("ARG {}", shown.join(" ")), false);
    Ok(())
}

/// ENV: all pairs see the variables as they were before the instruction.
fn set_env(scene: &Scene<'_>, state: &mut State, env: &command::Env) -> Result<(), Error> {
    let pairs = expand_pairs(scene, &state.vars, &env.pairs)?;
    let mut shown = String::from("ENV");
    for (name, value) in pairs {
        if name.is_empty() {
            return Err(Error::definition(&scene.instruction.span, "ENV names can not be blank"));
        }
        shown.push_str(&format!(" {name}={value}"));
        state.image.config.set_env(&name, &value);
        state.vars.set(&name, value);
    }
    state.remember(shown, false);
    Ok(())
}

fn set_labels(scene: &Scene<'_>, state: &mut State, label: &command::Label) -> Result<(), Error> {
    let pairs = expand_pairs(scene, &state.vars, &label.pairs)?;
    let mut shown = String::from("LABEL");
    for (name, value) in pairs {
        shown.push_str(&format!(" {name}={value}"));
        state.image.config.labels.insert(name, value);
    }
    state.remember(shown, false);
    Ok(())
}

fn expand_pairs(
    scene: &Scene<'_>,
    vars: &Vars,
    pairs: &[command::Pair],
) -> Result<Vec<(String, String)>, Error> {
    let expand = |word: &Word| scene.expansion.word(word, vars);
    pairs.iter().map(|pair| Ok((expand(&pair.key)?, expand(&pair.value)?))).collect()
}

fn argv(state: &State, line: &CommandLine) -> Vec<String> {
    match line {
        CommandLine::Exec(words) => words.iter().map(|word| word.text.clone()).collect(),
        CommandLine::Shell(text) => {
            let mut args = state.shell();
            args.push(text.text.clone());
            args
        }
    }
}

fn open_ports(scene: &Scene<'_>, state: &mut State, expose: &command::Expose) -> Result<(), Error> {
    let mut opened = Vec::new();
    for word in &expose.ports {
        for text in scene.expansion.words(word, &state.vars)? {
            opened.extend(ports::expand(&text).map_err(|message| Error::definition(&word.span, message))?);
        }
    }
    state.remember(format!("EXPOSE [{}]", opened.join(" ")), false);
    state.image.config.exposed_ports.extend(opened);
    Ok(())
}

fn add_volumes(scene: &Scene<'_>, state: &mut State, volume: &command::Volume) -> Result<(), Error> {
    let mut paths = Vec::new();
    for word in &volume.paths {
        let path = scene.expansion.word(word, &state.vars)?;
        if path.is_empty() {
            return Err(Error::definition(&word.span, "VOLUME specified can not be an empty string"));
        }
        paths.push(path);
    }
    state.remember(format!("VOLUME [{}]", paths.join(" ")), false);
    state.image.config.volumes.extend(paths);
    Ok(())
}

fn healthcheck(check: &command::Healthcheck) -> Healthcheck {
    let command = match check {
        command::Healthcheck::None => {
            return Healthcheck { test: vec!["NONE".into()], ..Healthcheck::default() };
        }
        command::Healthcheck::Command(command) => command,
    };
    let nanoseconds = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let test = match &command.command {
        CommandLine::Shell(text) => vec!["CMD-SHELL".into(), text.text.clone()],
        CommandLine::Exec(words) => {
            std::iter::once("CMD".to_owned()).chain(words.iter().map(|word| word.text.clone())).collect()
        }
    };
    Healthcheck {
        test,
        interval: nanoseconds(command.interval),
        timeout: nanoseconds(command.timeout),
        start_period: nanoseconds(command.start_period),
        start_interval: nanoseconds(command.start_interval),
        retries: i64::from(command.retries),
        ..Healthcheck::default()
    }
}

/// Names of Linux signals without `SIG`, real-time ones aside.
const SIGNALS: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];

fn check_signal(signal: &str, word: &Word) -> Result<(), Error> {
    let upper = signal.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |prefix: &str, most: u32| {
        name.strip_prefix(prefix).and_then(|n| n.parse::<u32>().ok()).is_some_and(|n| (1..=most).contains(&n))
    };
    let number = signal.parse::<i32>().is_ok_and(|n| n != 0);
    if number || SIGNALS.contains(&name) || real_time("RTMIN+", 15) || real_time("RTMAX-", 14) {
        return Ok(());
    }
    Err(Error::definition(&word.span, format!("invalid signal: {signal}")))
}
