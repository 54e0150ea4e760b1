//! The plan of a build: which steps have to be made, which results are known, in which order. Pure.
//!
//! Needed is what the target's tree needs: going back from it, a step whose record is known and whole needs nothing
//! below itself, so nothing below is looked at, pulled or unpacked.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{ChainId, ContentHash, Dag, DiffId, NodeId, StepKey};
use crate::build::keys::{KeyInputs, ParentIdentity, Recipe, SourceIdentity, step_key};
use crate::build::step::{BaseIndex, From, Parent, Read, Stage, StageIndex, Step, StepIndex};
use crate::stages::Record;

/// What has to be known before anything can be decided.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The layers of each base image.
    pub bases: Vec<Vec<DiffId>>,
    /// For each read of a context, by step and position among its reads, the content of what it selects.
    pub selections: BTreeMap<(StepIndex, usize), ContentHash>,
    /// The time that was asked for.
    pub source_date_epoch: Option<i64>,
}

/// What happens with a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The target does not need it: a later result is known.
    Unneeded,
    /// Its result is known.
    Reuse(Record),
    /// It has to be made, unless an equal input turns out to have been built before.
    Make,
}

/// The plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Definition key of each step.
    pub keys: Vec<StepKey>,
    /// What happens with each step.
    pub verdicts: Vec<Verdict>,
    /// The needed steps in order of their needs.
    pub dag: Dag<StepIndex>,
}

/// The definition keys of all steps.
pub fn definition_keys(steps: &[Step], stages: &[Option<Stage>], facts: &Facts) -> Vec<StepKey> {
    let mut keys: Vec<StepKey> = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let place = Place { index: StepIndex(index), stages, facts };
        let key = with_inputs(&place, step, &keys, |inputs| step_key(Recipe::Definition, step, inputs));
        keys.push(key);
    }
    keys
}

/// A step among the others.
pub struct Place<'a> {
    /// Which it is.
    pub index: StepIndex,
    /// The stages of the build.
    pub stages: &'a [Option<Stage>],
    /// What is known.
    pub facts: &'a Facts,
}

/// Calls `work` with what makes the definition key of a step; `keys` are those of the steps before it.
pub fn with_inputs<T>(
    place: &Place<'_>,
    step: &Step,
    keys: &[StepKey],
    work: impl FnOnce(&KeyInputs<'_>) -> T,
) -> T {
    let (stages, facts) = (place.stages, place.facts);
    let parent = identity(step.parent, facts, keys);
    let source = |(nth, read): (usize, &Read)| match facts.selections.get(&(place.index, nth)) {
        Some(hash) => SourceIdentity::Content(*hash),
        None => SourceIdentity::Tree(identity(tree_of(stages, read.from), facts, keys)),
    };
    let sources: Vec<SourceIdentity> = step.reads.iter().enumerate().map(source).collect();
    work(&KeyInputs { parent: &parent, sources: &sources, source_date_epoch: facts.source_date_epoch })
}

fn identity(parent: Parent, facts: &Facts, keys: &[StepKey]) -> ParentIdentity {
    match parent {
        Parent::Scratch => ParentIdentity::Scratch,
        Parent::Image(BaseIndex(base)) => {
            ChainId::of_layers(&facts.bases[base]).map_or(ParentIdentity::Scratch, ParentIdentity::Chain)
        }
        Parent::Step(StepIndex(step)) => ParentIdentity::Step(keys[step]),
    }
}

/// The layers that are read; a context has none.
fn tree_of(stages: &[Option<Stage>], from: From) -> Parent {
    match from {
        From::Scratch | From::Context(_) => Parent::Scratch,
        From::Stage(stage) => result_of(stages, stage),
        From::Image(base) => Parent::Image(base),
    }
}

fn result_of(stages: &[Option<Stage>], stage: StageIndex) -> Parent {
    stages[stage.0].as_ref().map_or(Parent::Scratch, |stage| stage.result)
}

/// What is known of steps before they are looked at one by one.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The records that were found by definition key and are whole.
    pub records: BTreeMap<StepKey, Record>,
    /// For each step, whether its record does not count: see [`fresh`].
    pub fresh: Vec<bool>,
}

impl Known {
    fn record(&self, index: usize, key: &StepKey) -> Option<&Record> {
        let counts = !self.fresh.get(index).copied().unwrap_or(false);
        self.records.get(key).filter(|_| counts)
    }
}

/// For each step, whether it or something that it needs is `forced` to be made: then its definition key says nothing
/// about what it will be.
pub fn fresh(steps: &[Step], stages: &[Option<Stage>], forced: &BTreeSet<StepIndex>) -> Vec<bool> {
    let mut fresh = vec![false; steps.len()];
    for (index, step) in steps.iter().enumerate() {
        let below = |parent| matches!(parent, Parent::Step(StepIndex(below)) if fresh[below]);
        fresh[index] = forced.contains(&StepIndex(index)) || needs(step, stages).any(below);
    }
    fresh
}

/// The steps that the tree of `target` stands on, by way of their parents.
pub fn chain_of(steps: &[Step], stages: &[Option<Stage>], target: StageIndex) -> BTreeSet<StepIndex> {
    let mut chain = BTreeSet::new();
    let mut parent = result_of(stages, target);
    while let Parent::Step(step) = parent {
        chain.insert(step);
        parent = steps[step.0].parent;
    }
    chain
}

/// Decides.
pub fn plan(
    steps: &[Step],
    stages: &[Option<Stage>],
    target: StageIndex,
    keys: Vec<StepKey>,
    known: &Known,
) -> Plan {
    let mut verdicts = vec![Verdict::Unneeded; steps.len()];
    let mut waiting = vec![result_of(stages, target)];
    while let Some(parent) = waiting.pop() {
        let Parent::Step(StepIndex(index)) = parent else { continue };
        if verdicts[index] != Verdict::Unneeded {
            continue;
        }
        if let Some(record) = known.record(index, &keys[index]) {
            verdicts[index] = Verdict::Reuse(record.clone());
            continue;
        }
        verdicts[index] = Verdict::Make;
        waiting.extend(needs(&steps[index], stages));
    }
    let mut dag = Dag::new();
    let mut nodes: Vec<Option<NodeId>> = vec![None; steps.len()];
    for (index, step) in steps.iter().enumerate() {
        let dependencies = match &verdicts[index] {
            Verdict::Unneeded => continue,
            Verdict::Reuse(_) => Vec::new(),
            Verdict::Make => needs(step, stages)
                .filter_map(|parent| match parent {
                    Parent::Step(StepIndex(below)) => nodes[below],
                    _ => None,
                })
                .collect(),
        };
        nodes[index] = Some(dag.add(StepIndex(index), dependencies));
    }
    Plan { keys, verdicts, dag }
}

/// The trees a step needs: the one it is built upon and those it reads.
fn needs<'a>(step: &'a Step, stages: &'a [Option<Stage>]) -> impl Iterator<Item = Parent> + 'a {
    std::iter::once(step.parent).chain(step.reads.iter().map(|read| tree_of(stages, read.from)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SourceFile;
    use crate::build::step::{Action, Copy, Network, Run};
    use crate::oci::ImageConfig;

    fn step(stage: usize, parent: Parent, action: Action) -> Step {
        let span = crate::base::Span::new(&SourceFile::new("Dockerfile", ""), 0..0);
        let platform = "linux/amd64".parse().unwrap();
        let (name, origin) = (String::new(), String::new());
        Step { stage: StageIndex(stage), parent, name, origin, span, platform, reads: vec![], action }
    }

    fn run(command: &str) -> Action {
        Action::Run(Run {
            args: vec![command.into()],
            env: vec![],
            cwd: "/".into(),
            user: String::new(),
            script: None,
            network: Network::Host,
            mounts: vec![],
        })
    }

    fn reading(stage: usize) -> Vec<Read> {
        vec![Read::of(From::Stage(StageIndex(stage)), "/out")]
    }

    fn copy() -> Action {
        Action::Copy(Copy {
            documents: vec![],
            destination: "/".into(),
            chown: None,
            chmod: None,
            link: false,
            lenient: false,
        })
    }

    /// Stage 0: two RUNs on a base; stage 1: from scratch, COPY --from=0, RUN.
    fn two_stages(first: &str) -> (Vec<Step>, Vec<Option<Stage>>, Facts) {
        let steps = vec![
            step(0, Parent::Image(BaseIndex(0)), run(first)),
            step(0, Parent::Step(StepIndex(0)), run("make")),
            Step { reads: reading(0), ..step(1, Parent::Scratch, copy()) },
            step(1, Parent::Step(StepIndex(2)), run("check")),
        ];
        let stage = |result| Some(Stage { image: ImageConfig::default(), result, inherited_history: 0 });
        let stages = vec![stage(Parent::Step(StepIndex(1))), stage(Parent::Step(StepIndex(3)))];
        let facts = Facts { bases: vec![vec![DiffId::of(b"base")]], ..Facts::default() };
        (steps, stages, facts)
    }

    fn record(key: StepKey) -> Record {
        Record {
            version: Record::VERSION,
            key,
            base: vec![],
            layers: vec![],
            origin: String::new(),
            content: None,
        }
    }

    #[test]
    fn nothing_below_a_known_step_is_needed() {
        let (steps, stages, facts) = two_stages("apt");
        let keys = definition_keys(&steps, &stages, &facts);
        let records = BTreeMap::from([(keys[2], record(keys[2])), (keys[0], record(keys[0]))]);
        let known = Known { records, fresh: vec![] };
        let plan = plan(&steps, &stages, StageIndex(1), keys.clone(), &known);
        assert_eq!(plan.verdicts[0], Verdict::Unneeded);
        assert_eq!(plan.verdicts[1], Verdict::Unneeded);
        assert_eq!(plan.verdicts[2], Verdict::Reuse(record(keys[2])));
        assert_eq!(plan.verdicts[3], Verdict::Make);
        let order: Vec<_> = plan.dag.iter().map(|(_, step)| step.0).collect();
        assert_eq!(order, [2, 3]);
    }

    #[test]
    fn a_change_moves_through_stages() {
        let (steps, stages, facts) = two_stages("apt");
        let (changed, ..) = two_stages("dnf");
        let before = definition_keys(&steps, &stages, &facts);
        let after = definition_keys(&changed, &stages, &facts);
        assert!(before.iter().zip(&after).all(|(a, b)| a != b));
        let mut other_base = facts.clone();
        other_base.bases[0][0] = DiffId::of(b"other");
        let moved = definition_keys(&steps, &stages, &other_base);
        assert!(before.iter().zip(&moved).all(|(a, b)| a != b));
    }

    #[test]
    fn what_stands_on_a_forced_step_is_not_known_by_its_definition() {
        let (steps, stages, facts) = two_stages("apt");
        let keys = definition_keys(&steps, &stages, &facts);
        let records: BTreeMap<_, _> = keys.iter().map(|key| (*key, record(*key))).collect();
        let fresh = fresh(&steps, &stages, &BTreeSet::from([StepIndex(1)]));
        assert_eq!(fresh, [false, true, true, true]);
        let plan = plan(&steps, &stages, StageIndex(1), keys.clone(), &Known { records, fresh });
        assert_eq!(plan.verdicts[0], Verdict::Reuse(record(keys[0])));
        assert_eq!(plan.verdicts[1..], [Verdict::Make, Verdict::Make, Verdict::Make]);
        let chain: Vec<_> = chain_of(&steps, &stages, StageIndex(1)).into_iter().collect();
        assert_eq!(chain, [StepIndex(2), StepIndex(3)]);
    }

    #[test]
    fn the_first_stage_alone_needs_nothing_of_the_second() {
        let (steps, stages, facts) = two_stages("apt");
        let keys = definition_keys(&steps, &stages, &facts);
        let plan = plan(&steps, &stages, StageIndex(0), keys, &Known::default());
        assert_eq!(plan.verdicts, [Verdict::Make, Verdict::Make, Verdict::Unneeded, Verdict::Unneeded]);
    }
}
