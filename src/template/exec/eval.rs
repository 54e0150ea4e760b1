//! Evaluating pipelines, commands, fields and variables.

use super::super::ast::{Command, Operand, OperandKind, Pipe};
use super::super::function::Function;
use super::super::number::Number;
use super::super::trace::Read;
use super::super::values;
use super::MissingKey;
use super::call::Callee;
use super::state::{At, Form, Result, Slot, State};
use crate::yaml::{Kind, Map, Value};

/// A field access or call that is being evaluated: its node, and its arguments.
#[derive(Clone, Copy)]
pub(super) struct Use<'t, 'a> {
    pub(super) node: At<'t>,
    /// The arguments, without the function itself.
    pub(super) args: &'t [Operand],
    /// What the pipeline hands over.
    pub(super) last: Option<&'a Slot>,
}

impl<'t> State<'t, '_, '_> {
    pub(super) fn pipeline(&mut self, dot: &Slot, pipe: &'t Pipe) -> Result<Slot> {
        self.at(At::Pipe(pipe));
        let mut value: Option<Slot> = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value.as_ref())?.dug());
        }
        let value = value.unwrap_or_else(Slot::invalid);
        for name in &pipe.variables {
            if let Some(recording) = self.recording() {
                recording.define(name);
            }
            if pipe.assign {
                self.set_variable(name, value.clone())?;
            } else {
                self.declare(name, value.clone());
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Slot, command: &'t Command, last: Option<&Slot>) -> Result<Slot> {
        let Some((first, args)) = command.args.split_first() else { return self.error("empty command") };
        let (node, with) = (At::Operand(first), Use { node: At::Operand(first), args, last });
        match &first.kind {
            OperandKind::Field(names) => {
                self.at(node);
                self.fields(dot, dot.clone(), names, with)
            }
            OperandKind::Chain { .. } => self.chain(dot, first, with),
            OperandKind::Identifier(function) => {
                self.function(dot, first, function, Use { node: At::Command(command), args, last })
            }
            OperandKind::Pipe(pipe) => {
                self.not_a_function(first, args, last)?;
                stacker::maybe_grow(128 << 10, 2 << 20, || self.pipeline(dot, pipe))
            }
            OperandKind::Variable(names) => self.variable_chain(dot, first, names, with),
            _ => {
                self.at(node);
                self.not_a_function(first, args, last)?;
                match &first.kind {
                    OperandKind::Nil => self.error("nil is not a command"),
                    _ => self.literal(dot, first),
                }
            }
        }
    }

    /// The value of a word that says its own type.
    fn literal(&mut self, dot: &Slot, operand: &'t Operand) -> Result<Slot> {
        match &operand.kind {
            OperandKind::Bool(b) => Ok(Slot::concrete(Value::Bool(*b))),
            OperandKind::Dot => {
                if let Some(recording) = self.recording() {
                    recording.dot();
                }
                Ok(dot.clone())
            }
            OperandKind::Number(number) => self.constant(operand, number),
            OperandKind::String { text, .. } => Ok(Slot::concrete(Value::Str(text.clone()))),
            _ => self.error(format!("can't handle assignment of {operand} to empty interface argument")),
        }
    }

    fn constant(&mut self, operand: &'t Operand, number: &Number) -> Result<Slot> {
        self.at(At::Operand(operand));
        if let Some((real, imaginary)) = number.complex {
            return Ok(Slot::concrete(values::complex(real, imaginary)));
        }
        let text = &*number.text;
        let rune = text.starts_with('\'');
        let hex = text.len() > 2
            && (text.starts_with("0x") || text.starts_with("0X"))
            && !text.contains(['p', 'P']);
        if let Some(f) = number.float
            && !rune
            && !hex
            && text.contains(['.', 'e', 'E', 'p', 'P'])
        {
            return Ok(Slot::concrete(Value::Float(f)));
        }
        if let Some(n) = number.int {
            return Ok(Slot::concrete(Value::int(n)));
        }
        if number.uint.is_some() {
            return self.error(format!("{text} overflows int"));
        }
        Ok(Slot::invalid())
    }

    fn not_a_function(&self, first: &Operand, args: &[Operand], last: Option<&Slot>) -> Result<()> {
        if args.is_empty() && last.is_none() {
            return Ok(());
        }
        self.error(format!("can't give argument to non-function {first}"))
    }

    fn function(
        &mut self,
        dot: &Slot,
        operand: &'t Operand,
        function: &'t Function,
        with: Use<'t, '_>,
    ) -> Result<Slot> {
        self.at(At::Operand(operand));
        self.call(dot, &Callee::Function(function), function.name, with)
    }

    /// `(pipeline).a.b`: the operand must be a chain.
    fn chain(&mut self, dot: &Slot, operand: &'t Operand, with: Use<'t, '_>) -> Result<Slot> {
        self.at(At::Operand(operand));
        let OperandKind::Chain { node, fields } = &operand.kind else { return self.literal(dot, operand) };
        if matches!(node.kind, OperandKind::Nil) {
            return self.error(format!("indirection through explicit nil in {operand}"));
        }
        let receiver = self.operand_value(dot, node)?;
        self.fields(dot, receiver, fields, with)
    }

    fn variable_chain(
        &mut self,
        dot: &Slot,
        operand: &'t Operand,
        names: &'t [Box<str>],
        with: Use<'t, '_>,
    ) -> Result<Slot> {
        self.at(At::Operand(operand));
        if let Some(recording) = self.recording() {
            recording.variable(&names[0]);
        }
        let value = self.variable(&names[0])?;
        if names.len() == 1 {
            self.not_a_function(operand, with.args, with.last)?;
            return Ok(value);
        }
        self.fields(dot, value, &names[1..], with)
    }

    fn fields(
        &mut self,
        dot: &Slot,
        mut receiver: Slot,
        names: &'t [Box<str>],
        with: Use<'t, '_>,
    ) -> Result<Slot> {
        let Some((last, path)) = names.split_last() else { return Ok(receiver) };
        for name in path {
            receiver = self.field(dot, name, receiver, Use { node: with.node, args: &[], last: None })?;
        }
        self.field(dot, last, receiver, with)
    }

    fn field(&mut self, dot: &Slot, name: &'t str, receiver: Slot, with: Use<'t, '_>) -> Result<Slot> {
        if receiver.form == Form::Invalid {
            if self.missing() == MissingKey::Error {
                return self.error(format!("nil data; no entry for key \"{name}\""));
            }
            return Ok(Slot::invalid());
        }
        if receiver.value.is_null() {
            return self.error(format!("nil pointer evaluating {}.{name}", receiver.type_name()));
        }
        let has_args = !with.args.is_empty() || with.last.is_some();
        match &receiver.value {
            Value::Map(map) => match values::map_method(map, name) {
                Some(_) => self.call(dot, &Callee::MapMethod(map.clone()), name, with),
                None if has_args => self.error(format!("{name} is not a method but has arguments")),
                None => self.entry(map, name),
            },
            Value::Object(object) => {
                if object.method(name).is_some() {
                    return self.call(dot, &Callee::Method(object.clone()), name, with);
                }
                if object.kind() == Kind::Map
                    && let Some(Value::Map(map)) = object.collection()
                {
                    if has_args {
                        return self.error(format!("{name} is not a method but has arguments"));
                    }
                    return self.entry(&map, name);
                }
                match object.field(name) {
                    Some(_) if has_args => {
                        self.error(format!("{name} has arguments but cannot be invoked as function"))
                    }
                    Some(value) => {
                        if let Some(recording) = self.recording() {
                            recording.read(Read::Field(object.clone(), name.into(), value.clone()));
                        }
                        Ok(Slot::concrete(value))
                    }
                    None => {
                        self.error(format!("can't evaluate field {name} in type {}", receiver.type_name()))
                    }
                }
            }
            _ => self.error(format!("can't evaluate field {name} in type {}", receiver.type_name())),
        }
    }

    fn entry(&mut self, map: &Map, name: &str) -> Result<Slot> {
        if let Some(recording) = self.recording() {
            recording.read(Read::Entry(map.clone(), name.into(), map.get(name.as_bytes())));
        }
        if let Some(value) = map.get(name.as_bytes()) {
            return Ok(Slot::of_map(value, map.kind()));
        }
        match self.missing() {
            MissingKey::Invalid => Ok(Slot::invalid()),
            MissingKey::Zero => {
                Ok(values::zero_entry(map.kind()).map_or(Slot::interface(Value::Null), Slot::concrete))
            }
            MissingKey::Error => self.error(format!("map has no entry for key \"{name}\"")),
        }
    }

    /// The value of an operand where any type will do, without a change of its static type.
    pub(super) fn operand_value(&mut self, dot: &Slot, operand: &'t Operand) -> Result<Slot> {
        let with = Use { node: At::Operand(operand), args: &[], last: None };
        self.at(At::Operand(operand));
        match &operand.kind {
            OperandKind::Field(names) => self.fields(dot, dot.clone(), names, with),
            OperandKind::Variable(names) => self.variable_chain(dot, operand, names, with),
            OperandKind::Pipe(pipe) => stacker::maybe_grow(128 << 10, 2 << 20, || self.pipeline(dot, pipe)),
            OperandKind::Identifier(function) => self.function(dot, operand, function, with),
            OperandKind::Chain { .. } => self.chain(dot, operand, with),
            OperandKind::Nil => Ok(Slot::invalid()),
            _ => self.literal(dot, operand),
        }
    }
}
