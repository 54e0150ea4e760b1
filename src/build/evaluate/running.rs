//! RUN: what exactly is executed, and how the history shows it.

use crate::build::Error;
use crate::build::evaluate::stage::{Made, Scene, State};
use crate::build::evaluate::{mounts, paths, refusal};
use crate::build::step::{Action, Network, Run, Script};
use crate::dockerfile::command::{self, RunScript, Security};

/// Where a heredoc that is a script of its own is shown to the step.
const SCRIPTS: &str = "/dev/pipes";

/// Evaluates a RUN and remembers it.
pub fn run(scene: &Scene<'_>, state: &mut State, run: &command::Run) -> Result<Made, Error> {
    if let Some(device) = run.devices.first() {
        return Err(refusal::device(&device.word));
    }
    if run.security == Security::Insecure {
        return Err(refusal::insecure(scene.instruction));
    }
    let mut script = None;
    let args = match run.script(&scene.instruction.heredocs) {
        RunScript::Exec(args) => args,
        RunScript::Shell(text) => with_shell(state, text),
        RunScript::File { name, content } => {
            let path = format!("{SCRIPTS}/{name}");
            let args = with_shell(state, path.clone());
            script = Some(Script { path, bytes: content.into_bytes() });
            args
        }
    };
    let (mounts, reads) = mounts::mounts(scene, state, &run.mounts)?;
    if args.is_empty() {
        return Err(Error::definition(&scene.instruction.span, "RUN: arguments are required"));
    }
    state.remember(format!("RUN {} # buildkit", shown(&args, state)), true);
    let action = Action::Run(Run {
        args,
        env: state.vars.pairs().cloned().collect(),
        cwd: paths::workdir("/", &state.image.config.working_dir),
        user: state.image.config.user.clone(),
        script,
        network: match run.network {
            command::Network::Default => scene.parameters.network,
            command::Network::None => Network::None,
            command::Network::Host => Network::Host,
        },
        mounts,
    });
    Ok(Made { reads, fetched: Vec::new(), action })
}

fn with_shell(state: &State, text: String) -> Vec<String> {
    let mut args = state.shell();
    args.push(text);
    args
}

/// `|2 a=1 b=2 /bin/sh -c cmd`: declared arguments in order of first declaration with the values the step sees.
fn shown(args: &[String], state: &State) -> String {
    let mut declared: Vec<(&str, String)> = Vec::new();
    for (name, value) in &state.args {
        let value = state.vars.get(name).or(value.as_deref()).unwrap_or_default();
        let pair = format!("{name}={value}");
        match declared.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = pair,
            None => declared.push((name, pair)),
        }
    }
    let mut words = Vec::new();
    if !declared.is_empty() {
        words.push(format!("|{}", declared.len()));
        words.extend(declared.into_iter().map(|(_, pair)| pair));
    }
    words.extend(args.iter().cloned());
    words.join(" ")
}
