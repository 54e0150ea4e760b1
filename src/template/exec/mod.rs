//! Executing templates (`text/template: exec.go`).

mod call;
mod eval;
mod state;

use std::collections::HashMap;
use std::sync::Arc;

use super::ast::{Tree, is_empty};
use super::door::Door;
use super::error::{Error, ExecError, Fault};
use super::function::Functions;
use super::parse::parse;
use crate::yaml::{Text, Value};
use state::State;

/// Nested `{{template}}` calls beyond this are refused. Go's own limit is 100,000, which it can afford because its
/// stacks are heap; nothing but endless recursion comes near either.
const MAX_CALLS: usize = 20_000;
/// Nested executions through functions (`include`, `tpl`) beyond this are refused.
const MAX_EXECUTIONS: usize = 5_000;

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
    delims: (Arc<str>, Arc<str>),
}

impl Templates {
    /// An empty set. `root` is the name Go's errors call the set by; Helm's is `gotpl`.
    pub fn new(root: &str, functions: Arc<Functions>, missing: MissingKey) -> Self {
        let (own, below, delims) = (HashMap::new(), None, ("{{".into(), "}}".into()));
        Self { layer: Arc::new(Layer { root: root.into(), own, below, functions, missing, delims }) }
    }

    /// Sets other delimiters for what is parsed from now on.
    #[must_use]
    pub fn with_delims(mut self, left: &str, right: &str) -> Self {
        if !left.is_empty() && !right.is_empty() {
            Arc::make_mut(&mut self.layer).delims = (left.into(), right.into());
        }
        self
    }

    /// Parses a text as the template `name` and takes in what it defines. A definition replaces an earlier one of
    /// its name, unless it is empty.
    ///
    /// # Errors
    /// [`Error::Parse`]; then nothing has been taken in.
    pub fn parse(&mut self, name: &str, text: &[u8]) -> Result<(), Error> {
        let delims = (&*self.layer.delims.0, &*self.layer.delims.1);
        let trees = parse(name, text, delims, &self.layer.functions)?;
        let known: Vec<bool> = trees.iter().map(|t| self.lookup(&t.name).is_some()).collect();
        let layer = Arc::make_mut(&mut self.layer);
        for (tree, known) in trees.into_iter().zip(known) {
            if !(known && is_empty(&tree.root)) {
                layer.own.insert(Arc::clone(&tree.name), Arc::new(tree));
            }
        }
        Ok(())
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
        let mut out = Vec::new();
        let result = stacker::maybe_grow(256 << 10, 4 << 20, || {
            State::new(self, tree, session, &mut out).execute(data)
        });
        session.executions -= 1;
        result.map_err(Error::Execute)?;
        Ok(out)
    }
}

/// What one render keeps: the door to the outside and how deep it is in.
pub struct Session<'d> {
    door: &'d dyn Door,
    executions: usize,
    includes: HashMap<Text, usize>,
}

impl<'d> Session<'d> {
    /// A render that asks `door` for everything that is not in its data.
    pub fn new(door: &'d dyn Door) -> Self {
        Self { door, executions: 0, includes: HashMap::new() }
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
        let here = &self.templates.layer;
        let mut templates = Templates {
            layer: Arc::new(Layer {
                root: Arc::clone(&here.root),
                own: HashMap::new(),
                below: Some(Arc::clone(here)),
                functions: Arc::clone(&here.functions),
                missing: here.missing,
                delims: ("{{".into(), "}}".into()),
            }),
        };
        let quoted = super::quote::quote(text.as_bytes());
        let root = Arc::clone(&here.root);
        let trees = parse(&root, text.as_bytes(), ("{{", "}}"), &here.functions)
            .map_err(|e| Fault::from(format!("cannot parse template {quoted}: {e}")))?;
        let layer = Arc::make_mut(&mut templates.layer);
        let mut main = None;
        for tree in trees {
            let tree = Arc::new(tree);
            if tree.name == root {
                main = Some(Arc::clone(&tree));
            }
            layer.own.insert(Arc::clone(&tree.name), tree);
        }
        let Some(main) = main else { return Ok(Vec::new()) };
        templates.run(&main, data, self.session).map_err(|e| {
            Fault::from(e).context(&format!("error during tpl function execution for {quoted}: "))
        })
    }
}
