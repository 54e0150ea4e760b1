//! Executing templates (`text/template: exec.go`).

mod call;
mod eval;
mod state;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::ast::Tree;
use super::door::Door;
use super::error::{Error, ExecError, Fault};
use super::function::Functions;
use super::parse::parse;
use super::trace::Recording;
use crate::yaml::{Text, Value};
use state::State;

/// Nested `{{template}}` calls beyond this are refused. Go's own limit is 100,000, which it can afford because its
/// stacks are heap; nothing but endless recursion comes near either.
const MAX_CALLS: usize = 20_000;
/// Nested executions through functions (`include`, `tpl`) beyond this are refused.
const MAX_EXECUTIONS: usize = 5_000;

/// More bytes of templates than this are worth several threads.
const LARGE: usize = 100_000;
/// Go's delimiters.
const DELIMS: (&str, &str) = ("{{", "}}");
/// So many bytes of texts that `tpl` has parsed are kept.
const MAX_PARSED: usize = 1 << 20;

/// What a missing map key gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// Nothing: prints `<no value>` and has every field.
    #[default]
    Invalid,
    /// The zero value of the map's element type; of `interface {}` that is nil, which has no field.
    Zero,
    /// An error.
    Error,
}

/// A set of templates that can call each other, with the functions they may use. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Templates {
    layer: Arc<Layer>,
}

/// Templates over those of another set: what `tpl` parses is gone with its layer.
#[derive(Clone, Debug)]
struct Layer {
    root: Arc<str>,
    own: HashMap<Arc<str>, Arc<Tree>>,
    below: Option<Arc<Layer>>,
    functions: Arc<Functions>,
    missing: MissingKey,
    /// Other delimiters than Go's.
    delims: Option<(Arc<str>, Arc<str>)>,
}

impl Templates {
    /// An empty set. `root` is the name Go's errors call the set by; Helm's is `gotpl`.
    pub fn new(root: &str, functions: Arc<Functions>, missing: MissingKey) -> Self {
        let (own, below) = (HashMap::new(), None);
        Self { layer: Arc::new(Layer { root: root.into(), own, below, functions, missing, delims: None }) }
    }

    /// Sets other delimiters for what is parsed from now on.
    #[must_use]
    pub fn with_delims(mut self, left: &str, right: &str) -> Self {
        if !left.is_empty() && !right.is_empty() {
            Arc::make_mut(&mut self.layer).delims = Some((left.into(), right.into()));
        }
        self
    }

    /// Parses a text as the template `name` and takes in what it defines. A definition replaces an earlier one of
    /// its name, unless it is empty.
    ///
    /// # Errors
    /// [`Error::Parse`]; then nothing has been taken in.
    pub fn parse(&mut self, name: &str, text: &[u8]) -> Result<(), Error> {
        self.parse_text(name, &text.into())
    }

    /// Parses as [`parse`](Self::parse) does a text that is kept without a copy.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_text(&mut self, name: &str, text: &Text) -> Result<(), Error> {
        let trees = self.trees_of(name, text)?;
        self.take_in(trees);
        Ok(())
    }

    /// Parses many texts, each with the name of its template, at once, and takes them in in their order.
    ///
    /// # Errors
    /// That of the first text that is wrong; those before it have been taken in.
    pub fn parse_all(&mut self, texts: &[(&str, &Text)]) -> Result<(), Error> {
        let size: usize = texts.iter().map(|(_, text)| text.len()).sum();
        let parse = |(name, text): &(&str, &Text)| self.trees_of(name, text);
        let parsed: Vec<_> = match size > LARGE {
            true => texts.par_iter().map(parse).collect(),
            false => texts.iter().map(parse).collect(),
        };
        for trees in parsed {
            self.take_in(trees?);
        }
        Ok(())
    }

    fn trees_of(&self, name: &str, text: &Text) -> Result<Vec<Tree>, Error> {
        let delims = self.layer.delims.as_ref().map_or(DELIMS, |(left, right)| (&**left, &**right));
        parse(name, text, delims, &self.layer.functions)
    }

    fn take_in(&mut self, trees: Vec<Tree>) {
        let known: Vec<bool> = trees.iter().map(|t| self.lookup(&t.name).is_some()).collect();
        let layer = Arc::make_mut(&mut self.layer);
        for (tree, known) in trees.into_iter().zip(known) {
            if !(known && tree.is_empty()) {
                layer.own.insert(Arc::clone(&tree.name), Arc::new(tree));
            }
        }
    }

    /// The names of all templates, sorted.
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        let mut layer = Some(&self.layer);
        while let Some(here) = layer {
            names.extend(here.own.keys().cloned());
            layer = here.below.as_ref();
        }
        names.sort();
        names.dedup();
        names
    }

    /// All templates, by their names.
    pub(super) fn trees(&self) -> Vec<Arc<Tree>> {
        self.names().iter().filter_map(|name| self.lookup(name).cloned()).collect()
    }

    fn lookup(&self, name: &str) -> Option<&Arc<Tree>> {
        let mut layer = Some(&self.layer);
        while let Some(here) = layer {
            if let Some(tree) = here.own.get(name) {
                return Some(tree);
            }
            layer = here.below.as_ref();
        }
        None
    }

    /// Executes the template `name` with `data` as its dot.
    ///
    /// # Errors
    /// [`Error::Missing`] or [`Error::Execute`].
    pub fn execute(&self, name: &str, data: &Value, session: &mut Session<'_>) -> Result<Vec<u8>, Error> {
        let Some(tree) = self.lookup(name) else {
            return Err(Error::Missing { name: name.to_owned(), root: self.layer.root.to_string() });
        };
        self.run(tree, data, session)
    }

    fn run(&self, tree: &Tree, data: &Value, session: &mut Session<'_>) -> Result<Vec<u8>, Error> {
        if session.executions >= MAX_EXECUTIONS {
            return Err(Error::Execute(Box::new(ExecError {
                frame: None,
                template: tree.name.to_string(),
                message: "exceeded maximum template depth (100000)".to_owned(),
                cause: None,
            })));
        }
        session.executions += 1;
        if let Some(recording) = &mut session.recording {
            recording.enter(&tree.name);
        }
        let mut out = Vec::new();
        let result = stacker::maybe_grow(256 << 10, 4 << 20, || {
            State::new(self, tree, session, &mut out).execute(data)
        });
        session.executions -= 1;
        result.map_err(Error::Execute)?;
        if let Some(recording) = &mut session.recording {
            recording.leave(&out);
        }
        Ok(out)
    }
}

/// What a text defines.
type Trees = Arc<[Arc<Tree>]>;

/// What one render keeps: the door to the outside and how deep it is in.
pub struct Session<'d> {
    door: &'d dyn Door,
    executions: usize,
    includes: HashMap<Text, usize>,
    /// Texts that `tpl` has parsed, and their size.
    parsed: (HashMap<Text, Trees>, usize),
    recording: Option<Box<Recording>>,
    /// How much may still be done.
    left: u64,
}

impl<'d> Session<'d> {
    /// A render that asks `door` for everything that is not in its data.
    pub fn new(door: &'d dyn Door) -> Self {
        let parsed = (HashMap::new(), 0);
        Self { door, executions: 0, includes: HashMap::new(), parsed, recording: None, left: u64::MAX }
    }

    /// The same render with an end: an action costs 1, sixteen bytes that it gives or that stand in the text 1 more.
    #[must_use]
    pub fn bounded(mut self, most: u64) -> Self {
        self.left = most;
        self
    }

    /// The trees of a text, which are kept: loops often have the same text again.
    fn parsed(&mut self, text: &Text, layer: &Layer) -> Result<Trees, Error> {
        let (known, size) = &mut self.parsed;
        if let Some(trees) = known.get(text.as_bytes()) {
            return Ok(Arc::clone(trees));
        }
        let trees = parse(&layer.root, text, DELIMS, &layer.functions)?;
        let trees: Trees = trees.into_iter().map(Arc::new).collect();
        if *size + text.len() > MAX_PARSED {
            known.clear();
            *size = 0;
        }
        *size += text.len();
        known.insert(text.clone(), Arc::clone(&trees));
        Ok(trees)
    }

    /// The same render with everything that is read written down.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        self.recording = Some(Box::default());
        self
    }

    /// What was written down, if anything was to be.
    pub fn into_recording(self) -> Option<Recording> {
        self.recording.map(|recording| recording.finish())
    }
}

/// What a function sees of the render that calls it.
pub struct Caller<'c, 'd> {
    templates: &'c Templates,
    session: &'c mut Session<'d>,
}

impl<'d> Caller<'_, 'd> {
    /// The door to the outside.
    pub fn door(&self) -> &'d dyn Door {
        self.session.door
    }

    /// Executes a template of the set as Helm's `include` does: at most 1000 times nested in itself.
    ///
    /// # Errors
    /// What Helm says.
    pub fn include(&mut self, name: &Text, data: &Value) -> Result<Vec<u8>, Fault> {
        let count = self.session.includes.entry(name.clone()).or_default();
        if *count > 1000 {
            return Err(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            )
            .into());
        }
        *count += 1;
        let result = self.templates.execute(&name.lossy(), data, self.session);
        if let Some(count) = self.session.includes.get_mut(name) {
            *count -= 1;
        }
        result.map_err(Fault::from)
    }

    /// Parses and executes a text as Helm's `tpl` does: what it defines is gone afterwards.
    ///
    /// # Errors
    /// What Helm says.
    pub fn tpl(&mut self, text: &Text, data: &Value) -> Result<Vec<u8>, Fault> {
        // Most texts that go through are no templates at all.
        if super::find(text.as_bytes(), DELIMS.0.as_bytes()).is_none() {
            return Ok(text.as_bytes().to_vec());
        }
        let set: &Templates = self.templates;
        let here = &set.layer;
        let mut templates = Templates {
            layer: Arc::new(Layer {
                root: Arc::clone(&here.root),
                own: HashMap::new(),
                below: Some(Arc::clone(here)),
                functions: Arc::clone(&here.functions),
                missing: here.missing,
                delims: None,
            }),
        };
        let quoted = || super::quote::quote(text.as_bytes());
        let root = Arc::clone(&here.root);
        let trees = self.session.parsed(text, here).map_err(|e| {
            let words = format!("cannot parse template {}: {e}", quoted());
            Fault::from(words)
        })?;
        let layer = Arc::make_mut(&mut templates.layer);
        let mut main = None;
        for tree in trees.iter() {
            if tree.name == root {
                main = Some(Arc::clone(tree));
            }
            layer.own.insert(Arc::clone(&tree.name), Arc::clone(tree));
        }
        let Some(main) = main else { return Ok(Vec::new()) };
        templates.run(&main, data, self.session).map_err(|e| {
            Fault::from(e).context(&format!("error during tpl function execution for {}: ", quoted()))
        })
    }
}
