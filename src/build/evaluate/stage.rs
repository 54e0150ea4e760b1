//! Walking the instructions of the needed stages.

use std::collections::BTreeMap;

use crate::base::Platform;
use crate::build::Error;
use crate::build::evaluate::expansion::Expansion;
use crate::build::evaluate::{
    DEFAULT_PATH, Outline, OutlinedStage, Parameters, StageFrom, Vars, config, copying, onbuild, paths,
    running,
};
use crate::build::step::{
    Action, ContextIndex, ContextRequest, Copy, From, Parent, Read, Stage, StageIndex, Step, StepIndex,
    Workdir,
};
use crate::dockerfile::{self, Command, Dockerfile, Instruction};
use crate::oci::{CONFIG_LIMIT, History, ImageConfig};

/// How BuildKit marks its history entries, and so do we: tools look for it.
const HISTORY_COMMENT: &str = "buildkit.dockerfile.v0";

/// Bytes that the variables of all steps may have together: each step keeps its own.
const MOST_VARIABLES: usize = 256 << 20;

/// How BuildKit marks layers that no instruction made.
const EXPORTER_COMMENT: &str = "buildkit.exporter.image.v0";

/// Everything the target needs, expanded.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The steps of all needed stages; each is built upon earlier ones.
    pub steps: Vec<Step>,
    /// The needed stages, by position in the Dockerfile.
    pub stages: Vec<Option<Stage>>,
    /// Trees from outside beside the build context: the named contexts of the outline, then what ADD fetches. The first
    /// has index 1.
    pub contexts: Vec<ContextRequest>,
}

/// Walks the stages of `outline`; `bases` are the configurations of its base images, in order.
///
/// # Errors
/// [`Error::Definition`], with the instruction's place.
pub fn evaluate(
    file: &Dockerfile,
    outline: &Outline,
    bases: &[ImageConfig],
    parameters: &Parameters,
) -> Result<Evaluated, Error> {
    let mut walk = Walk {
        file,
        outline,
        parameters,
        bases,
        expansion: Expansion::new(file),
        steps: Vec::new(),
        contexts: outline.contexts.clone(),
        states: file.stages.iter().map(|_| None).collect(),
        variables: 0,
    };
    for index in 0..file.stages.len() {
        if outline.stages[index].is_some() {
            walk.stage(StageIndex(index))?;
        }
    }
    let Walk { steps, states, contexts, .. } = walk;
    let mut stages: Vec<Option<Stage>> =
        states.into_iter().map(|state| state.map(State::into_stage)).collect();
    if let Some(target) = &mut stages[outline.target.0] {
        target.image.config.labels.extend(parameters.labels.clone());
        if parameters.platform_given {
            set_platform(&mut target.image, &parameters.platform);
        }
    }
    Ok(Evaluated { steps, stages, contexts })
}

struct Walk<'a> {
    file: &'a Dockerfile,
    outline: &'a Outline,
    parameters: &'a Parameters,
    bases: &'a [ImageConfig],
    expansion: Expansion,
    steps: Vec<Step>,
    contexts: Vec<ContextRequest>,
    states: Vec<Option<State>>,
    /// Bytes of the variables that steps and stages hold.
    variables: usize,
}

/// A stage while its instructions are walked.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub image: ImageConfig,
    /// What ENV and ARG have set; what is expanded and what RUN sees.
    pub vars: Vars,
    /// Arguments declared so far, those of the stages below included: they show in the history of RUN.
    pub args: Vec<(String, Option<String>)>,
    pub parent: Parent,
    /// CMD stood in this stage, so ENTRYPOINT keeps it.
    pub cmd_is_own: bool,
    inherited_history: usize,
    /// Bytes of the history's texts that were added.
    history_size: usize,
}

impl State {
    fn scratch(platform: &Platform) -> Self {
        let mut image = ImageConfig::new(platform);
        image.config.working_dir = "/".into();
        Self::of_image(image, Parent::Scratch)
    }

    fn of_image(mut image: ImageConfig, parent: Parent) -> Self {
        image.created = None;
        drop_unknown(&mut image);
        if image.config.env_value("PATH").is_none() {
            image.config.set_env("PATH", DEFAULT_PATH);
        }
        let inherited_history = image.history.len();
        let mut state = Self {
            image,
            vars: Vars::default(),
            args: Vec::new(),
            parent,
            cmd_is_own: false,
            inherited_history,
            history_size: 0,
        };
        state.begin();
        state
    }

    /// What happens at every FROM: the variables of the image are set, those of a stage below again, so that an argument
    /// which shadowed one of them there does so no longer; and its working directory is entered.
    fn begin(&mut self) {
        let config = &mut self.image.config;
        for pair in &config.env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.vars.set(name, value);
        }
        if !config.working_dir.is_empty() {
            config.working_dir = paths::workdir(&config.working_dir, &config.working_dir);
        }
        config.on_build.clear();
        self.cmd_is_own = false;
    }

    /// Adds an entry of the history.
    pub fn remember(&mut self, created_by: String, layer: bool) {
        self.history_size += created_by.len();
        self.image.history.push(History {
            created_by,
            comment: HISTORY_COMMENT.into(),
            empty_layer: !layer,
            ..History::default()
        });
    }

    /// The shell of shell forms.
    pub fn shell(&self) -> Vec<String> {
        let own = &self.image.config.shell;
        if own.is_empty() { vec!["/bin/sh".into(), "-c".into()] } else { own.clone() }
    }

    fn into_stage(self) -> Stage {
        Stage { image: self.image, result: self.parent, inherited_history: self.inherited_history }
    }
}

/// What an instruction is walked with.
pub(super) struct Scene<'a> {
    pub parameters: &'a Parameters,
    pub globals: &'a Vars,
    pub expansion: Expansion,
    pub instruction: &'a Instruction,
    /// What the `--from` of the instruction and the `from` of its mounts mean, by position of the mount (else 0).
    pub sources: BTreeMap<usize, From>,
    /// Trees from outside that are known so far; the first has index 1.
    pub contexts: &'a [ContextRequest],
}

/// An instruction that makes a layer.
pub(super) struct Made {
    pub reads: Vec<Read>,
    /// Trees that have to be fetched for it, beside those of the scene.
    pub fetched: Vec<ContextRequest>,
    pub action: Action,
}

impl Made {
    /// One that reads nothing beside the tree it is built upon.
    pub fn alone(action: Action) -> Self {
        Self { reads: Vec::new(), fetched: Vec::new(), action }
    }
}

impl Walk<'_> {
    fn stage(&mut self, index: StageIndex) -> Result<(), Error> {
        let (outline, file) = (self.outline, self.file);
        let Some(outlined) = &outline.stages[index.0] else { return Ok(()) };
        let stage = &file.stages[index.0];
        let mut state = match outlined.from {
            StageFrom::Scratch => State::scratch(&outlined.platform),
            StageFrom::Stage(below) => self.inherit(below)?,
            StageFrom::Context(context) => self.files(index, context, outlined),
            StageFrom::Base(base) => {
                let image = self.bases[base.0].clone();
                let parent = if image.layers().is_empty() { Parent::Scratch } else { Parent::Image(base) };
                State::of_image(image, parent)
            }
        };
        let mut names = StepNames::new(file, stage, outlined, state.parent);
        let instructions = if outlined.replaced { &[] } else { stage.instructions.as_slice() };
        for (position, instruction) in instructions.iter().enumerate() {
            let mut shown = self.expansion.shown(&instruction.text, &state.vars);
            if onbuild::is_trigger(instruction, stage) {
                shown.insert_str(0, "ONBUILD ");
            }
            let scene = Scene {
                parameters: self.parameters,
                globals: &outline.globals,
                expansion: self.expansion,
                instruction,
                sources: sources(outlined, position),
                contexts: &self.contexts,
            };
            if let Some(Made { reads, fetched, action }) = apply(&scene, &mut state)? {
                let step = Step {
                    stage: index,
                    parent: state.parent,
                    name: names.next(&shown),
                    origin: instruction.text.clone(),
                    span: instruction.span.clone(),
                    platform: outlined.platform.clone(),
                    reads,
                    action,
                };
                state.parent = Parent::Step(StepIndex(self.steps.len()));
                self.steps.push(step);
                self.variables += state.vars.size();
                self.contexts.extend(fetched);
            }
            self.weigh(&state, instruction)?;
        }
        self.states[index.0] = Some(state);
        Ok(())
    }

    /// Refuses variables that double with every line, before they fill the memory.
    fn weigh(&self, state: &State, instruction: &Instruction) -> Result<(), Error> {
        let limit = usize::try_from(CONFIG_LIMIT).unwrap_or(usize::MAX);
        if state.vars.size() + state.history_size > limit {
            let message = format!("variables and history of the image are larger than {} MB", limit >> 20);
            return Err(Error::definition(&instruction.span, message));
        }
        if self.variables > MOST_VARIABLES {
            let message =
                format!("the variables of all steps together are larger than {} MB", MOST_VARIABLES >> 20);
            return Err(Error::definition(&instruction.span, message));
        }
        Ok(())
    }

    /// A stage that begins with the files of a context: they are its first layer, which no instruction made.
    fn files(&mut self, index: StageIndex, context: ContextIndex, outlined: &OutlinedStage) -> State {
        let mut state = State::scratch(&outlined.platform);
        let (stage, title) = (&self.file.stages[index.0], &self.contexts[context.0 - 1].title);
        let copy = Copy {
            documents: Vec::new(),
            destination: "/".into(),
            chown: None,
            chmod: None,
            link: false,
            lenient: false,
        };
        state.parent = Parent::Step(StepIndex(self.steps.len()));
        self.steps.push(Step {
            stage: index,
            parent: Parent::Scratch,
            name: format!("[{title}] load files"),
            origin: stage.instruction.text.clone(),
            span: stage.instruction.span.clone(),
            platform: outlined.platform.clone(),
            reads: vec![Read::of(From::Context(context), "/")],
            action: Action::Copy(copy),
        });
        state.image.history.push(History { comment: EXPORTER_COMMENT.into(), ..History::default() });
        state
    }

    fn inherit(&mut self, below: StageIndex) -> Result<State, Error> {
        let state = self.states[below.0].clone();
        self.variables += state.as_ref().map_or(0, |state| state.vars.size() + state.history_size);
        let mut state =
            state.ok_or_else(|| Error::Bug("a stage was walked before the one it is built from".into()))?;
        state.begin();
        Ok(state)
    }
}

/// What the trees named by the instruction at `position` mean.
fn sources(outlined: &OutlinedStage, position: usize) -> BTreeMap<usize, From> {
    let named = outlined.sources.range((position, 0)..(position + 1, 0));
    named.map(|((_, nth), from)| (*nth, *from)).collect()
}

/// Changes `state` as the instruction says; what to make if it makes a layer.
fn apply(scene: &Scene<'_>, state: &mut State) -> Result<Option<Made>, Error> {
    match &scene.instruction.command {
        Command::Run(run) => running::run(scene, state, run).map(Some),
        Command::Copy(copy) => copying::copy(scene, state, copy).map(Some),
        Command::Add(add) => copying::add(scene, state, add).map(Some),
        Command::Workdir(word) => workdir(scene, state, word),
        Command::Onbuild(onbuild) => {
            state.image.config.on_build.push(onbuild.text.clone());
            Ok(None)
        }
        Command::From(_) => Err(Error::Bug("a FROM inside a stage".into())),
        _ => config::apply(scene, state).map(|()| None),
    }
}

fn workdir(scene: &Scene<'_>, state: &mut State, word: &dockerfile::Word) -> Result<Option<Made>, Error> {
    let path = scene.expansion.word(word, &state.vars)?;
    let path = paths::workdir(&state.image.config.working_dir, &path);
    state.image.config.working_dir.clone_from(&path);
    let layer = path != "/";
    state.remember(format!("WORKDIR {path}"), layer);
    let user = state.image.config.user.clone();
    Ok(layer.then(|| Made::alone(Action::Workdir(Workdir { path: paths::clean(&path), user }))))
}

fn set_platform(image: &mut ImageConfig, platform: &Platform) {
    let same = image.os == platform.os && image.architecture == platform.architecture;
    image.os.clone_from(&platform.os);
    image.architecture.clone_from(&platform.architecture);
    if !platform.variant.is_empty() || !same {
        image.variant.clone_from(&platform.variant);
    }
    if !platform.os_version.is_empty() || !same {
        image.os_version.clone_from(&platform.os_version);
    }
}

/// Fields that BuildKit does not know describe the making of the base image (`container_config`, `docker_version`) or are
/// of no use to a container runtime (`Hostname`); they do not go on to images built from it.
fn drop_unknown(image: &mut ImageConfig) {
    image.extra.clear();
    image.config.extra.clear();
    image.rootfs.extra.clear();
    for entry in &mut image.history {
        entry.extra.clear();
    }
    if let Some(check) = &mut image.config.healthcheck {
        check.extra.clear();
    }
}

/// Numbers the steps of a stage as BuildKit does: the base image counts, instructions without a layer do not. A stage that
/// is alone and copies from no image is not named.
struct StepNames {
    stage: String,
    done: usize,
    total: usize,
}

impl StepNames {
    fn new(file: &Dockerfile, stage: &dockerfile::Stage, outlined: &OutlinedStage, parent: Parent) -> Self {
        let base = usize::from(matches!(outlined.from, StageFrom::Base(_)));
        let done = if parent == Parent::Scratch { 0 } else { base };
        let makes_layer = |i: &&Instruction| {
            matches!(i.command, Command::Run(_) | Command::Copy(_) | Command::Add(_) | Command::Workdir(_))
        };
        let total = base + stage.instructions.iter().filter(makes_layer).count();
        let name = match stage.name() {
            _ if file.stages.len() == 1 && outlined.sources.is_empty() => String::new(),
            Some(name) => format!("{name} "),
            None => format!("stage-{} ", stage.index),
        };
        Self { stage: name, done, total }
    }

    fn next(&mut self, text: &str) -> String {
        self.done += 1;
        let width = self.total.to_string().len();
        format!("[{}{:>width$}/{}] {}", self.stage, self.done, self.total, one_line(text))
    }
}

/// Text for one line of a screen.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
