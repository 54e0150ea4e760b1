//! Walking the instructions of the outlined stages, as the evaluation does, but looking instead of building.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::build::evaluate::expansion::Expansion;
use crate::build::evaluate::survey::Subject;
use crate::build::evaluate::survey::files::hidden;
use crate::build::evaluate::survey::globals::Globals;
use crate::build::evaluate::survey::line::{Line, STEERING, Stopped};
use crate::build::evaluate::survey::parameters::{Declared, Known, Parameters, Wanted, gather};
use crate::build::evaluate::survey::secrets::sounds_secret;
use crate::build::evaluate::{DEFAULT_PATH, OutlinedStage, StageFrom, Vars, ports};
use crate::dockerfile::command::{self, CommandLine, MountType, Source};
use crate::dockerfile::{self, Command, Instruction, Rule, Warning, Word};

/// A stage while it is walked.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What may be expanded.
    pub vars: Vars,
    /// Declared arguments, with and without value.
    pub args: BTreeSet<String>,
    /// Variables of the image alone: they are set again at the next FROM.
    env: Vars,
    workdir: bool,
    shell: bool,
    declared: Declared,
    /// Arguments that this FROM and those below it name.
    named: BTreeSet<String>,
    /// ONBUILD of this stage, for those built from it.
    triggers: Vec<String>,
    commands: Seen,
}

/// The last of each instruction of which only the last counts.
#[derive(Clone, Debug, Default)]
struct Seen {
    cmd: Option<Instruction>,
    entrypoint: Option<Instruction>,
    healthcheck: Option<Instruction>,
}

/// Walks all outlined stages.
pub fn walk(subject: &Subject<'_>) -> (Vec<Warning>, Parameters) {
    let (file, given) = (subject.file, &subject.parameters.build_args);
    let Some(globals) = Globals::read(file, subject.parameters, given) else {
        return (Vec::new(), Parameters::default());
    };
    let mut walk = Walk {
        subject,
        globals: &globals,
        expansion: Expansion::new(file),
        states: vec![None; file.stages.len()],
        warnings: Vec::new(),
    };
    for (index, outlined) in subject.outline.stages.iter().enumerate() {
        if let Some(outlined) = outlined {
            let mut state = walk.begin(index, outlined);
            // Where it stopped the evaluation says why; what was found so far stands.
            let _ = walk.stage(index, &mut state);
            walk.states[index] = Some(state);
        }
    }
    let target = subject.outline.target.0;
    let declared: Vec<_> = walk.states.into_iter().map(|state| state.map(|state| state.declared)).collect();
    let mut parameters = gather(target, &subject.outline.stages, &declared);
    let stage = &file.stages[target];
    parameters.name = stage.name().unwrap_or_default().to_owned();
    parameters.description = stage.from.description.clone().unwrap_or_default();
    (walk.warnings, parameters)
}

struct Walk<'a> {
    subject: &'a Subject<'a>,
    globals: &'a Globals,
    expansion: Expansion,
    states: Vec<Option<State>>,
    warnings: Vec<Warning>,
}

impl Walk<'_> {
    /// The state behind FROM.
    fn begin(&self, index: usize, outlined: &OutlinedStage) -> State {
        let below = match outlined.from {
            StageFrom::Stage(below) => self.states[below.0].as_ref(),
            _ => None,
        };
        let mut state = match below {
            Some(below) => State {
                vars: below.vars.clone(),
                args: below.args.clone(),
                env: below.env.clone(),
                workdir: below.workdir,
                shell: below.shell,
                named: below.named.clone(),
                ..State::default()
            },
            None => State::default(),
        };
        if let StageFrom::Base(base) = outlined.from
            && let Some(image) = self.subject.bases.get(base.0)
        {
            for pair in &image.config.env {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                state.env.set(name, value);
            }
            state.shell = !image.config.shell.is_empty();
        }
        if state.env.get("PATH").is_none() {
            state.env.set("PATH", DEFAULT_PATH);
        }
        for (name, value) in state.env.pairs() {
            state.vars.set(name, value.clone());
        }
        let from = &self.subject.file.stages[index].from;
        for word in std::iter::once(&from.image).chain(&from.platform) {
            if let Ok(expanded) = self.expansion.whole(&word.text, &self.globals.vars) {
                state.named.extend(expanded.matched);
            }
        }
        state.declared =
            Declared { known: self.globals.known.clone(), used: state.named.clone(), ..Declared::default() };
        state
    }

    /// The triggers of what the stage is built from, then its own instructions.
    fn stage(&mut self, index: usize, state: &mut State) -> Result<(), Stopped> {
        let (subject, file) = (self.subject, self.subject.file);
        let Some(outlined) = &subject.outline.stages[index] else { return Ok(()) };
        let triggers = match outlined.from {
            StageFrom::Stage(below) => self.states[below.0].as_ref().map(|s| s.triggers.clone()),
            StageFrom::Base(base) => subject.bases.get(base.0).map(|image| image.config.on_build.clone()),
            StageFrom::Scratch | StageFrom::Context(_) => None,
        };
        let stage = &file.stages[index];
        for trigger in triggers.unwrap_or_default() {
            let instruction = dockerfile::parse_trigger(&trigger)?;
            let check = Cow::Borrowed(subject.check);
            self.line(&instruction, (Some(&stage.instruction), check), state)?;
        }
        let own = if outlined.replaced { &[] } else { stage.instructions.as_slice() };
        for instruction in own {
            self.line(instruction, (None, subject.check.at(instruction)), state)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        instruction: &Instruction,
        (fired, check): (Option<&Instruction>, Cow<'_, dockerfile::Check>),
        state: &mut State,
    ) -> Result<(), Stopped> {
        let mut line =
            Line { instruction, fired, check, expansion: self.expansion, warnings: &mut self.warnings };
        match &instruction.command {
            Command::Env(env) => set_env(&mut line, state, env),
            Command::Label(label) => {
                expand_pairs(&mut line, state, &label.pairs)?;
                legacy(&mut line, &label.pairs);
                Ok(())
            }
            Command::Arg(arg) => declare(&mut line, state, self.subject, arg),
            Command::Run(run) => mounts(&mut line, state, run),
            Command::Copy(copy) => {
                expand_all(&mut line, state, copy.chown.iter().chain(&copy.chmod))?;
                let ignored = copy.from.is_none().then_some("Copy");
                sources(&mut line, state, (&copy.sources, &copy.destination), (ignored, self.subject))
            }
            Command::Add(add) => {
                expand_all(&mut line, state, add.chown.iter().chain(&add.chmod).chain(&add.checksum))?;
                sources(&mut line, state, (&add.sources, &add.destination), (Some("Add"), self.subject))
            }
            Command::Workdir(word) => workdir(&mut line, state, word),
            Command::User(word) | Command::Stopsignal(word) => line.expand(word, state).map(|_| ()),
            Command::Volume(volume) => expand_all(&mut line, state, volume.paths.iter()),
            Command::Expose(expose) => open_ports(&mut line, state, expose),
            Command::Cmd(command) => {
                once(&mut line, &mut state.commands.cmd);
                shell_form(&mut line, state, command);
                Ok(())
            }
            Command::Entrypoint(command) => {
                once(&mut line, &mut state.commands.entrypoint);
                shell_form(&mut line, state, command);
                Ok(())
            }
            Command::Healthcheck(_) => {
                once(&mut line, &mut state.commands.healthcheck);
                Ok(())
            }
            Command::Shell(_) => {
                state.shell = true;
                Ok(())
            }
            Command::Onbuild(onbuild) => {
                state.triggers.push(onbuild.text.clone());
                Ok(())
            }
            Command::Maintainer(_) | Command::From(_) => Ok(()),
        }
    }
}

fn expand_all<'w>(
    line: &mut Line<'_>,
    state: &State,
    words: impl Iterator<Item = &'w Word>,
) -> Result<(), Stopped> {
    for word in words {
        line.expand(word, state)?;
    }
    Ok(())
}

fn expand_pairs(
    line: &mut Line<'_>,
    state: &State,
    pairs: &[command::Pair],
) -> Result<Vec<(String, String)>, Stopped> {
    pairs.iter().map(|pair| Ok((line.expand(&pair.key, state)?, line.expand(&pair.value, state)?))).collect()
}

/// LegacyKeyValueFormat.
fn legacy(line: &mut Line<'_>, pairs: &[command::Pair]) {
    let keyword = &line.instruction.keyword.text;
    let message =
        format!("\"{keyword} key=value\" should be used instead of legacy \"{keyword} key value\" format");
    for _ in pairs.iter().filter(|pair| pair.legacy) {
        line.warn_here(Rule::LegacyKeyValueFormat, message.clone());
    }
}

/// SecretsUsedInArgOrEnv.
fn secret(line: &mut Line<'_>, keyword: &str, name: &str, word: &Word) {
    if sounds_secret(name) {
        let message = format!("Do not use ARG or ENV instructions for sensitive data ({keyword} \"{name}\")");
        line.warn(Rule::SecretsUsedInArgOrEnv, &word.span, message);
    }
}

fn set_env(line: &mut Line<'_>, state: &mut State, env: &command::Env) -> Result<(), Stopped> {
    let pairs = expand_pairs(line, state, &env.pairs)?;
    legacy(line, &env.pairs);
    for ((name, value), pair) in pairs.into_iter().zip(&env.pairs) {
        secret(line, "ENV", &name, &pair.key);
        state.env.set(&name, value.clone());
        state.vars.set(&name, value);
    }
    Ok(())
}

fn declare(
    line: &mut Line<'_>,
    state: &mut State,
    subject: &Subject<'_>,
    arg: &command::Arg,
) -> Result<(), Stopped> {
    for item in &arg.items {
        let name = &item.name.text;
        secret(line, "ARG", name, &item.name);
        let given = subject.parameters.build_args.get(name);
        let inherited = subject.outline.globals.get(name);
        let value = match (given, &item.default) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(default)) => Some(line.expand(default, state)?),
            (None, None) => inherited.map(str::to_owned),
        };
        if let Some(value) = &value
            && !STEERING.contains(&name.as_str())
        {
            state.vars.set(name, value.clone());
        }
        // A bare ARG of a global argument is described where that is declared.
        if given.is_some() || item.default.is_some() || inherited.is_none() {
            let known = Known {
                value: value.unwrap_or_default(),
                description: item.description.clone(),
                lines: line.lines(),
                needs: BTreeSet::new(),
            };
            state.declared.known.insert(name.clone(), known);
        }
        state.declared.used.insert(name.clone());
        state.args.insert(name.clone());
    }
    Ok(())
}

fn mounts(line: &mut Line<'_>, state: &mut State, run: &command::Run) -> Result<(), Stopped> {
    for flag in &run.mounts {
        let mount = line.mount(flag, state)?;
        let lines = line.lines();
        let wanted = |name: String| Wanted { name, required: mount.required, lines };
        match mount.kind {
            MountType::Secret => {
                let target = mount.target.as_deref().and_then(|target| target.rsplit('/').next());
                // `source` is another word for `id`; without both the target's last part is meant.
                let id = [mount.source.as_deref(), mount.id.as_deref(), target];
                if let Some(id) = id.into_iter().flatten().find(|id| !id.is_empty()) {
                    state.declared.secrets.entry(id.to_owned()).or_insert_with(|| wanted(id.to_owned()));
                }
            }
            MountType::Ssh => {
                let id = mount.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| "default".into());
                state.declared.agents.entry(id.clone()).or_insert_with(|| wanted(id));
            }
            _ => {}
        }
    }
    Ok(())
}

fn sources(
    line: &mut Line<'_>,
    state: &State,
    (sources, destination): (&[Source], &Word),
    (verb, subject): (Option<&str>, &Subject<'_>),
) -> Result<(), Stopped> {
    let mut paths = Vec::new();
    for source in sources {
        if let Source::Path(word) = source {
            paths.push((line.expand(word, state)?, word));
        }
    }
    line.expand(destination, state)?;
    for source in sources {
        if let Source::Inline(file) = source
            && file.expand
        {
            line.expand_body(&file.content, &file.name, state)?;
        }
    }
    for (path, word) in paths {
        if let Some(verb) = verb
            && let Some(shown) = hidden(subject.ignore, &path)
        {
            let message = format!("Attempting to {verb} file \"{shown}\" that is excluded by .dockerignore");
            line.warn(Rule::CopyIgnoredFile, &word.span, message);
        }
    }
    Ok(())
}

/// Only the first WORKDIR is looked at: with it all others are right.
fn workdir(line: &mut Line<'_>, state: &mut State, word: &Word) -> Result<(), Stopped> {
    let path = line.expand(word, state)?;
    if !state.workdir && !path.starts_with('/') {
        let message =
            format!("Relative workdir \"{path}\" can have unexpected results if the base image changes");
        line.warn(Rule::WorkdirRelativePath, &word.span, message);
    }
    state.workdir = true;
    Ok(())
}

fn open_ports(line: &mut Line<'_>, state: &State, expose: &command::Expose) -> Result<(), Stopped> {
    for word in &expose.ports {
        // Variables without value are not told here, as in BuildKit.
        for port in line.expansion.whole(&word.text, &state.vars)?.words {
            let odd = ports::oddities(&port);
            if odd.protocol {
                let message = format!("Defined protocol '{port}' in EXPOSE instruction should be lowercase");
                line.warn(Rule::ExposeProtoCasing, &word.span, message);
            }
            if odd.host {
                let message = format!(
                    "EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'"
                );
                line.warn(Rule::ExposeInvalidFormat, &word.span, message);
            }
        }
    }
    Ok(())
}

/// MultipleInstructionsDisallowed: the earlier one is the one without effect.
fn once(line: &mut Line<'_>, earlier: &mut Option<Instruction>) {
    let own = line.instruction.clone();
    if let Some(before) = earlier.replace(own)
        && line.check.allows(Rule::MultipleInstructionsDisallowed)
    {
        let message = format!(
            "Multiple {} instructions should not be used in the same stage because only the last one will be used",
            line.instruction.keyword.text
        );
        let span = before.span.clone();
        line.warnings.push(Warning::new(Rule::MultipleInstructionsDisallowed, &before, span, message));
    }
}

/// JSONArgsRecommended.
fn shell_form(line: &mut Line<'_>, state: &State, command: &CommandLine) {
    if matches!(command, CommandLine::Shell(_)) && !state.shell {
        let message = format!(
            "JSON arguments recommended for {} to prevent unintended behavior related to OS signals",
            line.instruction.keyword.text
        );
        line.warn_here(Rule::JSONArgsRecommended, message);
    }
}
