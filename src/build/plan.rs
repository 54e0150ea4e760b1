//! The plan of a build: which steps have to be made, which results are known, in which order. Pure.
//!
//! Needed is what the target's tree needs: going back from it, a step whose record is known and whole needs nothing
//! below itself, so nothing below is looked at, pulled or unpacked.

use std::collections::BTreeMap;

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
        let parent = identity(step.parent, facts, &keys);
        let source = |(nth, read): (usize, &Read)| match facts.selections.get(&(StepIndex(index), nth)) {
            Some(hash) => SourceIdentity::Content(*hash),
            None => SourceIdentity::Tree(identity(tree_of(stages, read.from), facts, &keys)),
        };
        let sources: Vec<SourceIdentity> = step.reads.iter().enumerate().map(source).collect();
        let inputs =
            KeyInputs { parent: &parent, sources: &sources, source_date_epoch: facts.source_date_epoch };
        keys.push(step_key(Recipe::Definition, step, &inputs));
    }
    keys
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

/// Decides. `known` are the records that were found by definition key and are whole; with `no_cache` it is empty.
pub fn plan(
    steps: &[Step],
    stages: &[Option<Stage>],
    target: StageIndex,
    keys: Vec<StepKey>,
    known: &BTreeMap<StepKey, Record>,
) -> Plan {
    let mut verdicts = vec![Verdict::Unneeded; steps.len()];
    let mut waiting = vec![result_of(stages, target)];
    while let Some(parent) = waiting.pop() {
        let Parent::Step(StepIndex(index)) = parent else { continue };
        if verdicts[index] != Verdict::Unneeded {
            continue;
        }
        if let Some(record) = known.get(&keys[index]) {
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
        vec![Read { from: From::Stage(StageIndex(stage)), paths: vec!["/out".into()], wildcards: true }]
    }

    fn copy() -> Action {
        Action::Copy(Copy {
            unpack: false,
            documents: vec![],
            destination: "/".into(),
            chown: None,
            chmod: None,
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
        let known = BTreeMap::from([(keys[2], record(keys[2])), (keys[0], record(keys[0]))]);
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
    fn the_first_stage_alone_needs_nothing_of_the_second() {
        let (steps, stages, facts) = two_stages("apt");
        let keys = definition_keys(&steps, &stages, &facts);
        let plan = plan(&steps, &stages, StageIndex(0), keys, &BTreeMap::new());
        assert_eq!(plan.verdicts, [Verdict::Make, Verdict::Make, Verdict::Unneeded, Verdict::Unneeded]);
    }
}
