//! Walking the tree: text, actions, control structures, variables.

use super::super::ast::{Branch, Call, Command, Node, Operand, Pipe, Tree};
use super::super::error::{ExecError, Fault, Frame};
use super::super::format;
use super::super::quote::quote;
use super::super::trace::{Read, Recording};
use super::{MAX_CALLS, MissingKey, Session, Templates};
use crate::yaml::{IntKind, ListKind, MapKind, Text, Value};

/// Go's `reflect.Value`, as far as it can be told apart: a value, and whether it is known as `interface {}`.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) value: Value,
    pub(super) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The zero `reflect.Value`.
    Invalid,
    /// An element of a map or list of `interface {}`; may be nil.
    Interface,
    /// Of the value's own type.
    Concrete,
}

impl Slot {
    pub(super) fn invalid() -> Self {
        Self { value: Value::Null, form: Form::Invalid }
    }

    /// The value itself; null is invalid.
    pub(super) fn concrete(value: Value) -> Self {
        let form = if value.is_null() { Form::Invalid } else { Form::Concrete };
        Self { value, form }
    }

    pub(super) fn interface(value: Value) -> Self {
        Self { value, form: Form::Interface }
    }

    /// The element of a map of the given type.
    pub(super) fn of_map(value: Value, kind: MapKind) -> Self {
        match kind {
            MapKind::Strings => Self::concrete(value),
            MapKind::Any | MapKind::Named(_) => Self::interface(value),
        }
    }

    fn of_list(value: Value, kind: ListKind) -> Self {
        match kind {
            ListKind::Any => Self::interface(value),
            _ => Self::concrete(value),
        }
    }

    /// Digs one level down from `interface {}`.
    pub(super) fn dug(self) -> Self {
        if self.form == Form::Interface { Self::concrete(self.value) } else { self }
    }

    /// The static type's name.
    pub(super) fn type_name(&self) -> &str {
        match self.form {
            Form::Interface => "interface {}",
            _ => self.value.type_name(),
        }
    }
}

/// The node that errors point at.
#[derive(Clone, Copy)]
pub(super) enum At<'t> {
    Start,
    Call(&'t Call),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
}

pub(super) type Result<T> = std::result::Result<T, Box<ExecError>>;

enum Flow {
    Next,
    Break,
    Continue,
}

/// The execution of one template and of those it calls by `{{template}}`.
pub(super) struct State<'t, 's, 'd> {
    pub(super) templates: &'t Templates,
    pub(super) session: &'s mut Session<'d>,
    tree: &'t Tree,
    at: At<'t>,
    variables: Vec<(&'t str, Slot)>,
    /// Where the current template's variables begin.
    base: usize,
    depth: usize,
    out: &'s mut Vec<u8>,
}

impl<'t, 's, 'd> State<'t, 's, 'd> {
    pub(super) fn new(
        templates: &'t Templates,
        tree: &'t Tree,
        session: &'s mut Session<'d>,
        out: &'s mut Vec<u8>,
    ) -> Self {
        Self { templates, session, tree, at: At::Start, variables: Vec::new(), base: 0, depth: 0, out }
    }

    pub(super) fn execute(&mut self, data: &Value) -> Result<()> {
        let dot = Slot::concrete(data.clone());
        self.variables.push(("$", dot.clone()));
        let tree = self.tree;
        self.walk(&dot, &tree.root).map(|_| ())
    }

    pub(super) fn missing(&self) -> MissingKey {
        self.templates.layer.missing
    }

    pub(super) fn at(&mut self, at: At<'t>) {
        self.at = at;
    }

    /// The error of `message` at the current node.
    pub(super) fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(Box::new(ExecError {
            frame: self.frame(),
            template: self.tree.name.to_string(),
            message: message.into(),
            cause: None,
        }))
    }

    /// The error of a function that failed.
    pub(super) fn fault<T>(&self, name: &str, fault: Fault) -> Result<T> {
        let (text, cause) = match fault {
            Fault::Text(text) => (text, None),
            Fault::Template(text, cause) => (text, Some(cause)),
        };
        Err(Box::new(ExecError {
            frame: self.frame(),
            template: self.tree.name.to_string(),
            message: format!("error calling {name}: {text}"),
            cause,
        }))
    }

    fn frame(&self) -> Option<Frame> {
        let (pos, node) = match self.at {
            At::Start => return None,
            At::Call(call) => (call.pos, call.to_string()),
            At::Pipe(pipe) => (pipe.pos, pipe.to_string()),
            At::Command(command) => (command.pos, command.to_string()),
            At::Operand(operand) => (operand.pos, operand.to_string()),
        };
        let (line, column) = self.tree.source.place(pos);
        Some(Frame { file: self.tree.source.name.to_string(), line, column, node })
    }

    pub(super) fn variable(&self, name: &str) -> Result<Slot> {
        match self.variables[self.base..].iter().rev().find(|(known, _)| *known == name) {
            Some((_, slot)) => Ok(slot.clone()),
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    pub(super) fn set_variable(&mut self, name: &str, slot: Slot) -> Result<()> {
        let base = self.base;
        match self.variables[base..].iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, old)) => {
                *old = slot;
                Ok(())
            }
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    pub(super) fn declare(&mut self, name: &'t str, slot: Slot) {
        self.variables.push((name, slot));
    }

    fn set_top(&mut self, n: usize, slot: Slot) {
        let at = self.variables.len() - n;
        self.variables[at].1 = slot;
    }

    /// Pays for something that made so many bytes.
    fn pay(&mut self, bytes: usize) -> Result<()> {
        match self.session.left.checked_sub(1 + bytes as u64 / 16) {
            Some(left) => {
                self.session.left = left;
                Ok(())
            }
            None => self.error("the template does more than it may: it goes on for ever, or nearly so"),
        }
    }

    fn walk(&mut self, dot: &Slot, nodes: &'t [Node]) -> Result<Flow> {
        self.pay(0)?;
        for node in nodes {
            match node {
                Node::Text(from, to) => {
                    self.pay(to - from)?;
                    self.out.extend_from_slice(&self.tree.source.text.as_bytes()[*from..*to]);
                }
                Node::Action(pipe) => {
                    self.begin(At::Pipe(pipe), false);
                    let slot = self.pipeline(dot, pipe)?;
                    self.pay(slot.value.as_text().map_or(0, Text::len))?;
                    if pipe.variables.is_empty() {
                        self.print(&slot);
                    }
                    self.end();
                }
                Node::If(branch) => match self.choose(dot, branch, false)? {
                    Flow::Next => {}
                    flow => return Ok(flow),
                },
                Node::With(branch) => match self.choose(dot, branch, true)? {
                    Flow::Next => {}
                    flow => return Ok(flow),
                },
                Node::Range(branch) => match self.deeper(|s| s.range(dot, branch))? {
                    Flow::Next => {}
                    flow => return Ok(flow),
                },
                Node::Template(call) => self.call_template(dot, call)?,
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::Next)
    }

    /// The record of what is read, where one is kept.
    pub(super) fn recording(&mut self) -> Option<&mut Recording> {
        self.session.recording.as_deref_mut()
    }

    fn begin(&mut self, at: At<'t>, decides: bool) {
        if self.session.recording.is_some() {
            let before = std::mem::replace(&mut self.at, at);
            let (frame, from) = (self.frame(), self.out.len());
            self.at = before;
            if let (Some(recording), Some(frame)) = (self.recording(), frame) {
                recording.begin(frame, from, decides);
            }
        }
    }

    fn end(&mut self) {
        let to = self.out.len();
        if let Some(recording) = self.recording() {
            recording.end(to);
        }
    }

    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        stacker::maybe_grow(128 << 10, 2 << 20, || run(self))
    }

    fn print(&mut self, slot: &Slot) {
        match (&slot.value, slot.form) {
            (_, Form::Invalid) | (Value::Null, _) => self.out.extend_from_slice(b"<no value>"),
            (Value::Str(text), _) => self.out.extend_from_slice(text.as_bytes()),
            (Value::Object(object), _) => self.out.extend_from_slice(object.print_in_place().as_bytes()),
            (value, _) => format::print_into(self.out, value),
        }
    }

    fn choose(&mut self, dot: &Slot, branch: &'t Branch, with: bool) -> Result<Flow> {
        let mark = self.variables.len();
        self.begin(At::Pipe(&branch.pipe), true);
        let slot = self.pipeline(dot, &branch.pipe)?;
        let flow = if slot.value.is_true() {
            let dot = if with { &slot } else { dot };
            if let Some(recording) = self.recording().filter(|_| with) {
                recording.set_dot(None);
            }
            self.deeper(|s| s.walk(dot, &branch.list))?
        } else if let Some(otherwise) = &branch.otherwise {
            self.deeper(|s| s.walk(dot, otherwise))?
        } else {
            Flow::Next
        };
        self.end();
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Slot, branch: &'t Branch) -> Result<Flow> {
        let outer = self.variables.len();
        self.begin(At::Pipe(&branch.pipe), true);
        let slot = self.pipeline(dot, &branch.pipe)?;
        let value = match &slot.value {
            Value::Object(object) => object.collection().unwrap_or_else(|| slot.value.clone()),
            other => other.clone(),
        };
        let mut ran = false;
        match &value {
            Value::Int(..) | Value::Uint(..) if branch.pipe.variables.len() > 1 => {
                let shown = format::print(&value);
                return self.error(format!("can't use {shown} to iterate over more than one variable"));
            }
            Value::Int(n, kind) => {
                for i in 0..*n {
                    ran = true;
                    self.begin(At::Pipe(&branch.pipe), true);
                    let item = Slot::concrete(Value::Int(i, *kind));
                    if self.iterate(branch, Slot::invalid(), item)? {
                        break;
                    }
                }
            }
            Value::Uint(n, kind) => {
                for i in 0..*n {
                    ran = true;
                    self.begin(At::Pipe(&branch.pipe), true);
                    let item = Slot::concrete(Value::Uint(i, *kind));
                    if self.iterate(branch, Slot::invalid(), item)? {
                        break;
                    }
                }
            }
            Value::List(list) => {
                for (i, item) in list.items().iter().enumerate() {
                    ran = true;
                    let index =
                        Slot::concrete(Value::Int(i64::try_from(i).unwrap_or(i64::MAX), IntKind::Int));
                    self.turn(branch, || Read::Item(list.clone(), i));
                    if self.iterate(branch, index, Slot::of_list(item.clone(), list.kind()))? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for (key, item) in map.entries() {
                    ran = true;
                    self.turn(branch, || Read::Entry(map.clone(), key.clone(), Some(item.clone())));
                    let key = Slot::concrete(Value::Str(key));
                    if self.iterate(branch, key, Slot::of_map(item, map.kind()))? {
                        break;
                    }
                }
            }
            Value::Null => {}
            other => {
                let shown = format::print(other);
                return self.error(format!("range can't iterate over {shown}"));
            }
        }
        if !ran && let Some(otherwise) = &branch.otherwise {
            let flow = self.walk(dot, otherwise)?;
            self.end();
            self.variables.truncate(outer);
            return Ok(flow);
        }
        self.end();
        self.variables.truncate(outer);
        Ok(Flow::Next)
    }

    /// Writes down what a turn of a range is about; [`iterate`](Self::iterate) ends it.
    fn turn(&mut self, branch: &'t Branch, read: impl Fn() -> Read) {
        if self.session.recording.is_some() {
            self.begin(At::Pipe(&branch.pipe), true);
            if let Some(recording) = self.recording() {
                recording.read(read());
                recording.set_dot(None);
                for name in &branch.pipe.variables {
                    recording.define_as(name, vec![read()]);
                }
            }
        }
    }

    /// One turn of a range; whether it ended with `break`.
    fn iterate(&mut self, branch: &'t Branch, index: Slot, item: Slot) -> Result<bool> {
        let mark = self.variables.len();
        let pipe = &branch.pipe;
        match (pipe.assign, pipe.variables.as_slice()) {
            (_, []) => {}
            (true, [one]) => self.set_variable(one, item.clone())?,
            (true, [first, second, ..]) => {
                self.set_variable(first, index)?;
                self.set_variable(second, item.clone())?;
            }
            (false, [_]) => self.set_top(1, item.clone()),
            (false, [_, _, ..]) => {
                self.set_top(1, item.clone());
                self.set_top(2, index);
            }
        }
        let flow = self.walk(&item, &branch.list)?;
        self.end();
        self.variables.truncate(mark);
        Ok(matches!(flow, Flow::Break))
    }

    fn call_template(&mut self, dot: &Slot, call: &'t Call) -> Result<()> {
        self.at(At::Call(call));
        self.begin(At::Call(call), true);
        let templates = self.templates;
        let Some(tree) = templates.lookup(&call.name.lossy()) else {
            return self.error(format!("template {} not defined", quote(call.name.as_bytes())));
        };
        if self.depth >= MAX_CALLS {
            return self.error("exceeded maximum template depth (100000)");
        }
        let dot = match &call.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Slot::invalid(),
        };
        let (outer_tree, outer_base, outer_at) = (self.tree, self.base, self.at);
        let mark = self.variables.len();
        self.tree = tree;
        self.base = mark;
        self.depth += 1;
        self.variables.push(("$", dot.clone()));
        self.deeper(|s| s.walk(&dot, &tree.root))?;
        self.end();
        self.variables.truncate(mark);
        self.depth -= 1;
        (self.tree, self.base, self.at) = (outer_tree, outer_base, outer_at);
        Ok(())
    }
}
