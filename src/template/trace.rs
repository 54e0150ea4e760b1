//! What an execution read and what it wrote where: for somebody who asks where a text comes from, or why it failed.
//!
//! Recording is asked for when a [`Session`](super::Session) is made and costs nothing otherwise. Every action and every
//! turn of a branch is a [`Piece`] with the range of the output it wrote; what functions such as `include` executed
//! inside it stands below it with a text of its own, because the function may have changed that text afterwards.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::error::Frame;
use crate::yaml::{List, Map, Object, Text, Value};

/// One execution of a template: the text it gave and what the parts of the text came from.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The template's name.
    pub template: Arc<str>,
    /// What it wrote.
    pub text: Vec<u8>,
    /// Actions and branches in the order in which they ended.
    pub pieces: Vec<Piece>,
}

/// An action, or a branch that was taken.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Where it stands.
    pub frame: Frame,
    /// What it wrote of its execution's text.
    pub range: Range<usize>,
    /// Whether it only decided that others write: a branch, a call.
    pub decides: bool,
    /// What was read for it, in the order of reading.
    pub reads: Vec<Read>,
    /// What its functions executed.
    pub inner: Vec<Execution>,
    /// What the dot inside stands for, where that is known.
    dot: Option<Arc<[Read]>>,
}

/// Something that was read.
#[derive(Clone, Debug)]
pub enum Read {
    /// A key of a map; without a value it was not there.
    Entry(Map, Text, Option<Value>),
    /// An element of a list.
    Item(List, usize),
    /// A field of an object.
    Field(Arc<dyn Object>, Text, Value),
    /// A collection as a whole, by a function that looked into it.
    Whole(Value),
    /// What a variable or the dot was made from.
    Through(Arc<[Read]>),
}

/// What has been recorded.
#[derive(Debug, Default)]
pub struct Recording {
    /// Finished executions that nothing else asked for.
    pub executions: Vec<Execution>,
    /// What was under way when an error stopped it, outermost first.
    pub unfinished: Vec<Piece>,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    execution: Execution,
    open: Vec<Piece>,
    variables: HashMap<String, Arc<[Read]>>,
}

/// Functions that hand a collection on without looking into it.
const CARRIERS: &[&str] = &[
    "include", "tpl", "dict", "list", "tuple", "set", "default", "coalesce", "ternary", "empty", "not",
    "and", "or", "kindIs", "kindOf", "typeOf", "typeIs", "hasKey", "get", "index", "dig", "pluck", "len",
    "first", "last", "append", "prepend", "required", "unset",
];

impl Recording {
    /// What was recorded, an error's unfinished work included.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.unfinished = std::mem::take(&mut self.levels).into_iter().flat_map(|level| level.open).collect();
        self
    }

    pub(super) fn enter(&mut self, template: &Arc<str>) {
        let execution = Execution { template: Arc::clone(template), text: Vec::new(), pieces: Vec::new() };
        self.levels.push(Level { execution, open: Vec::new(), variables: HashMap::new() });
    }

    pub(super) fn leave(&mut self, text: &[u8]) {
        let Some(mut level) = self.levels.pop() else { return };
        level.execution.text = text.to_vec();
        match self.innermost() {
            Some(piece) => piece.inner.push(level.execution),
            None => self.executions.push(level.execution),
        }
    }

    fn innermost(&mut self) -> Option<&mut Piece> {
        self.levels.last_mut()?.open.last_mut()
    }

    pub(super) fn begin(&mut self, frame: Frame, at: usize, decides: bool) {
        if let Some(level) = self.levels.last_mut() {
            let (reads, inner) = (Vec::new(), Vec::new());
            level.open.push(Piece { frame, range: at..at, decides, reads, inner, dot: None });
        }
    }

    pub(super) fn end(&mut self, at: usize) {
        if let Some(level) = self.levels.last_mut()
            && let Some(mut piece) = level.open.pop()
        {
            piece.range.end = at;
            level.execution.pieces.push(piece);
        }
    }

    pub(super) fn read(&mut self, read: Read) {
        if let Some(piece) = self.innermost() {
            piece.reads.push(read);
        }
    }

    /// A function was called with these arguments.
    pub(super) fn called(&mut self, function: &str, args: &[Value]) {
        match (function, args) {
            ("get" | "hasKey", [Value::Map(map), Value::Str(key)]) => self.entry(map, key),
            ("index", [first, keys @ ..]) => self.path(first, keys),
            ("dig", [keys @ .., _, map]) => self.path(map, keys),
            _ if CARRIERS.contains(&function) => {}
            _ => {
                for arg in args.iter().filter(|arg| matches!(arg, Value::Map(_) | Value::List(_))) {
                    self.read(Read::Whole(arg.clone()));
                }
            }
        }
    }

    fn entry(&mut self, map: &Map, key: &Text) {
        let value = map.get(key.as_bytes());
        self.read(Read::Entry(map.clone(), key.clone(), value));
    }

    fn path(&mut self, from: &Value, keys: &[Value]) {
        let mut here = from.clone();
        for key in keys {
            let next = match (&here, key) {
                (Value::Map(map), Value::Str(key)) => {
                    self.entry(map, key);
                    map.get(key.as_bytes())
                }
                (Value::List(list), Value::Int(at, _)) => {
                    let at = usize::try_from(*at).unwrap_or(usize::MAX);
                    self.read(Read::Item(list.clone(), at));
                    list.items().get(at).cloned()
                }
                _ => None,
            };
            let Some(next) = next else { return };
            here = next;
        }
    }

    /// A variable was set to what the innermost piece has read so far.
    pub(super) fn define(&mut self, name: &str) {
        let Some(piece) = self.innermost() else { return };
        let mut reads = piece.reads.clone();
        piece.inner.iter().for_each(|execution| execution.collect(&mut reads));
        self.define_as(name, reads);
    }

    /// A variable was set to what was read so.
    pub(super) fn define_as(&mut self, name: &str, reads: Vec<Read>) {
        if let Some(level) = self.levels.last_mut() {
            level.variables.insert(name.to_owned(), reads.into());
        }
    }

    pub(super) fn variable(&mut self, name: &str) {
        let known = self.levels.last().and_then(|level| level.variables.get(name)).cloned();
        if let Some(reads) = known.filter(|reads| !reads.is_empty()) {
            self.read(Read::Through(reads));
        }
    }

    /// From now on the dot of the innermost piece stands for what was read so, or for all the piece has read.
    pub(super) fn set_dot(&mut self, reads: Option<Vec<Read>>) {
        if let Some(piece) = self.innermost() {
            let reads = reads.unwrap_or_else(|| piece.reads.clone());
            piece.dot = Some(reads.into());
        }
    }

    pub(super) fn dot(&mut self) {
        let level = self.levels.last();
        let known = level.and_then(|level| level.open.iter().rev().find_map(|piece| piece.dot.clone()));
        if let Some(reads) = known {
            self.read(Read::Through(reads));
        }
    }
}

impl Execution {
    /// Adds everything that was read in it.
    pub fn collect(&self, reads: &mut Vec<Read>) {
        for piece in &self.pieces {
            reads.extend(piece.reads.iter().cloned());
            piece.inner.iter().for_each(|execution| execution.collect(reads));
        }
    }
}
