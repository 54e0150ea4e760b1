//! Step keys: which input enters which hash.
//!
//! | input | definition key | content key |
//! |---|---|---|
//! | what the step is built upon | chain id of the base image, or definition key of the parent step | chain id of all layers below; nothing for `--link` |
//! | RUN: arguments, environment it sees, working directory, USER, network, heredoc script | yes | yes |
//! | RUN --mount: kind, target, name of a secret's variable, whether it is read-only | yes | yes |
//! | COPY, ADD: destination, `--chown`, `--chmod`, `--link`, heredocs | yes | yes |
//! | each read (sources of COPY and ADD, mounts of RUN that show files): paths, patterns, unpacking | yes | yes |
//! | a read of a context | content of the selected files | content of the selected files |
//! | a read of a stage or an image | definition key of that stage, or chain id of the image | content of the selected files |
//! | WORKDIR: path, USER | yes | yes |
//! | platform | yes | yes |
//! | `SOURCE_DATE_EPOCH`, if given | yes | yes |
//! | trusted CAs, proxies, host addresses, secrets, agents, ids and sharing of cache mounts, file times, names of stages, comments, labels | no | no |
//!
//! The definition key is known before anything runs. The content key is known when the layers below and the files
//! that are read are; it finds results that a changed but equal input leads to.

use crate::base::{ChainId, ContentHash, Hashed, KeyHasher, StepKey};
use crate::build::step::{Action, Copy, Read, Run, Step, Workdir};

/// What a step is built upon, as it enters a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParentIdentity {
    /// Nothing.
    Scratch,
    /// These layers.
    Chain(ChainId),
    /// Whatever the step with this key leads to.
    Step(StepKey),
}

/// A tree that a step reads, as it enters a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceIdentity {
    /// Exactly these files.
    Content(ContentHash),
    /// Paths in this tree.
    Tree(ParentIdentity),
}

/// Which of the two keys is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// Known before anything runs.
    Definition,
    /// Known when the inputs are.
    Content,
}

/// Everything that enters a key beside the step itself.
#[derive(Clone, Debug)]
pub struct KeyInputs<'a> {
    /// What the step is built upon.
    pub parent: &'a ParentIdentity,
    /// What the trees that it reads are, one for each read of the step.
    pub sources: &'a [SourceIdentity],
    /// The time that was asked for, if any.
    pub source_date_epoch: Option<i64>,
}

/// The key of `step`.
pub fn step_key(recipe: Recipe, step: &Step, inputs: &KeyInputs<'_>) -> StepKey {
    let mut hasher = KeyHasher::new(match recipe {
        Recipe::Definition => "lapstrake step definition v2",
        Recipe::Content => "lapstrake step content v2",
    });
    hash_step(&mut hasher, step, inputs);
    StepKey::new(hasher.finish())
}

/// All that makes the key of `step`, for those who explain why it is another one than before.
pub fn step_inputs(step: &Step, inputs: &KeyInputs<'_>) -> Vec<Hashed> {
    let mut hasher = KeyHasher::traced("");
    hash_step(&mut hasher, step, inputs);
    hasher.into_trace()
}

fn hash_step(hasher: &mut KeyHasher, step: &Step, inputs: &KeyInputs<'_>) {
    hash_parent(hasher, "parent", inputs.parent);
    hash_reads(hasher, &step.reads, inputs.sources);
    hasher.field("platform", step.platform.to_string());
    match inputs.source_date_epoch {
        None => hasher.field("epoch", ""),
        Some(epoch) => hasher.field("epoch", epoch.to_string()),
    };
    match &step.action {
        Action::Run(run) => hash_run(hasher, run),
        Action::Copy(copy) => hash_copy(hasher, copy),
        Action::Workdir(workdir) => hash_workdir(hasher, workdir),
    }
}

fn hash_parent(hasher: &mut KeyHasher, tag: &str, parent: &ParentIdentity) {
    match parent {
        ParentIdentity::Scratch => hasher.field(tag, "scratch"),
        ParentIdentity::Chain(chain) => hasher.field(tag, format!("chain {chain}")),
        ParentIdentity::Step(key) => hasher.field(tag, format!("step {key}")),
    };
}

fn hash_reads(hasher: &mut KeyHasher, reads: &[Read], sources: &[SourceIdentity]) {
    hasher.number("reads", reads.len() as u64);
    for (read, source) in reads.iter().zip(sources) {
        match source {
            SourceIdentity::Content(hash) => {
                hasher.field("source content", hash.as_bytes());
            }
            SourceIdentity::Tree(tree) => hash_parent(hasher, "source tree", tree),
        }
        hasher
            .list("paths", &read.paths)
            .number("wildcards", u64::from(read.wildcards))
            .number("narrowed", u64::from(read.include.is_some()))
            .list("include", read.include.as_slice())
            .list("exclude", &read.exclude)
            .number("unpack", u64::from(read.unpack));
    }
}

fn hash_run(hasher: &mut KeyHasher, run: &Run) {
    // In order of name: the order of declaration cannot be seen by the program in a way it may rely on.
    let mut env: Vec<String> = run.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    env.sort_unstable();
    hasher
        .field("action", "run")
        .list("args", &run.args)
        .list("env", &env)
        .field("cwd", &run.cwd)
        .field("user", &run.user)
        .field("network", run.network.name());
    if let Some(script) = &run.script {
        hasher.field("script path", &script.path).field("script", &script.bytes);
    }
    run.mounts.iter().for_each(|mount| mount.hash(hasher));
}

fn hash_copy(hasher: &mut KeyHasher, copy: &Copy) {
    hasher
        .field("action", "copy")
        .number("link", u64::from(copy.link))
        .number("lenient", u64::from(copy.lenient))
        .field("destination", &copy.destination)
        .number("documents", copy.documents.len() as u64);
    for document in &copy.documents {
        hasher.field("document name", &document.name).field("document", &document.bytes);
    }
    for (tag, value) in [("chown", &copy.chown), ("chmod", &copy.chmod)] {
        match value {
            None => hasher.number(tag, 0),
            Some(value) => hasher.number(tag, 1).field(tag, value),
        };
    }
}

fn hash_workdir(hasher: &mut KeyHasher, workdir: &Workdir) {
    hasher.field("action", "workdir").field("path", &workdir.path).field("user", &workdir.user);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{SourceFile, Span};
    use crate::build::mount::{Access, Cache, RunMount, Secret, Sharing, Tmpfs};
    use crate::build::step::{ContextIndex, From, Network, Parent, Script, StageIndex};

    fn run() -> Run {
        Run {
            args: vec!["/bin/sh".into(), "-c".into(), "make".into()],
            env: vec![("A".into(), "1".into()), ("B".into(), "2".into())],
            cwd: "/".into(),
            user: String::new(),
            script: None,
            network: Network::Host,
            mounts: vec![],
        }
    }

    fn tmpfs(target: &str) -> RunMount {
        RunMount::Tmpfs(Tmpfs { target: target.into(), size: None, read_only: false })
    }

    fn key(action: Action) -> StepKey {
        key_of(vec![], action)
    }

    fn key_of(reads: Vec<Read>, action: Action) -> StepKey {
        let step = Step {
            stage: StageIndex(0),
            parent: Parent::Scratch,
            name: String::new(),
            origin: String::new(),
            span: Span::new(&SourceFile::new("Dockerfile", ""), 0..0),
            platform: "linux/amd64".parse().unwrap(),
            reads,
            action,
        };
        let parent = ParentIdentity::Scratch;
        let sources = vec![SourceIdentity::Content(ContentHash::of(b"files")); step.reads.len()];
        let inputs = KeyInputs { parent: &parent, sources: &sources, source_date_epoch: None };
        step_key(Recipe::Definition, &step, &inputs)
    }

    #[test]
    fn what_is_read_changes_the_key_of_any_step() {
        let read =
            |path: &str| Read { from: From::Context(ContextIndex::BUILD), ..Read::of(From::Scratch, path) };
        let runs = [vec![], vec![read("/a")], vec![read("/b")], vec![read("/a"), read("/b")]];
        let mut keys: Vec<_> = runs.into_iter().map(|reads| key_of(reads, Action::Run(run()))).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 4);
    }

    #[test]
    fn every_visible_input_of_a_run_changes_its_key() {
        let base = key(Action::Run(run()));
        let changes: [fn(&mut Run); 9] = [
            |r| r.args[2].push(' '),
            |r| r.args.push(String::new()),
            |r| r.env[0].1 = "3".into(),
            |r| r.cwd = "/w".into(),
            |r| r.user = "app".into(),
            |r| r.network = Network::None,
            |r| r.script = Some(Script { path: "/dev/pipes/EOF".into(), bytes: b"#!/bin/sh\n".to_vec() }),
            |r| r.mounts.push(tmpfs("/x")),
            |r| r.mounts.push(tmpfs("/y")),
        ];
        let mut seen = vec![base];
        for change in changes {
            let mut changed = run();
            change(&mut changed);
            seen.push(key(Action::Run(changed)));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn order_of_declaration_does_not() {
        let mut turned = run();
        turned.env.reverse();
        assert_eq!(key(Action::Run(run())), key(Action::Run(turned)));
    }

    #[test]
    fn names_of_secrets_and_caches_are_no_inputs() {
        let with = |mounts: Vec<RunMount>| key(Action::Run(Run { mounts, ..run() }));
        let secret = |id: &str, required| {
            let access = Access { mode: 0o400, uid: 0, gid: 0 };
            let (target, env) = (Some("/s".to_owned()), None);
            with(vec![RunMount::Secret(Secret { id: id.into(), target, env, required, access })])
        };
        assert_eq!(secret("a", true), secret("b", false));
        let cache = |id: &str, sharing, target: &str| {
            let (id, target, source) = (id.into(), target.into(), "/".into());
            let (read, read_only, access) = (None, false, None);
            with(vec![RunMount::Cache(Cache { id, read, source, target, read_only, sharing, access })])
        };
        assert_eq!(cache("a", Sharing::Locked, "/c"), cache("b", Sharing::Private, "/c"));
        assert_ne!(cache("a", Sharing::Locked, "/c"), cache("a", Sharing::Locked, "/d"));
    }

    #[test]
    fn no_chown_and_an_empty_chown_differ() {
        let copy = |chown: Option<&str>| {
            key(Action::Copy(Copy {
                documents: vec![],
                destination: "/b".into(),
                chown: chown.map(str::to_owned),
                chmod: None,
                link: false,
                lenient: false,
            }))
        };
        assert_ne!(copy(None), copy(Some("")));
    }
}
