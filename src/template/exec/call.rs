//! Calling functions and methods: argument counts and types, short circuits.

use std::sync::Arc;

use super::super::ast::{Operand, OperandKind};
use super::super::error::Fault;
use super::super::function::Function;
use super::super::values;
use super::Caller;
use super::eval::Use;
use super::state::{At, Form, Result, Slot, State};
use crate::yaml::{IntKind, Kind, List, ListKind, Map, MapKind, Object, Param, UintKind, Value};

/// What is called.
pub(super) enum Callee<'t> {
    Function(&'t Function),
    Method(Arc<dyn Object>),
    MapMethod(Map),
}

impl Callee<'_> {
    fn signature(&self, name: &str) -> (&'static [Param], bool) {
        match self {
            Self::Function(function) => (function.params, function.variadic),
            Self::Method(object) => object.method(name).map_or((&[], false), |m| (m.params, m.variadic)),
            Self::MapMethod(map) => {
                values::map_method(map, name).map_or((&[], false), |m| (m.params, m.variadic))
            }
        }
    }
}

/// The parameter type of the argument at `index`.
fn param(params: &'static [Param], variadic: bool, index: usize) -> Param {
    let at = if variadic { index.min(params.len().saturating_sub(1)) } else { index };
    params.get(at).copied().unwrap_or(Param::Any)
}

impl<'t> State<'t, '_, '_> {
    pub(super) fn call(
        &mut self,
        dot: &Slot,
        callee: &Callee<'_>,
        name: &str,
        with: Use<'t, '_>,
    ) -> Result<Slot> {
        let (params, variadic) = callee.signature(name);
        let given = with.args.len() + usize::from(with.last.is_some());
        if variadic {
            let fixed = params.len() - 1;
            if given < fixed {
                let got = with.args.len();
                return self
                    .error(format!("wrong number of args for {name}: want at least {fixed} got {got}"));
            }
        } else if given != params.len() {
            let want = params.len();
            return self.error(format!("wrong number of args for {name}: want {want} got {given}"));
        }
        let function = matches!(callee, Callee::Function(_));
        if function && matches!(name, "and" | "or") {
            return self.short_circuit(dot, name == "or", with);
        }
        let mut values = Vec::with_capacity(given + 1);
        if function && name == "call" {
            let shown = with.args.first().map_or_else(
                || with.last.map_or_else(String::new, |s| format!("<{} Value>", s.type_name())),
                ToString::to_string,
            );
            values.push(Value::from(shown));
        }
        if function
            && name == "len"
            && let [arg] = with.args
        {
            let slot = self.operand_value(dot, arg)?;
            if slot.form == Form::Interface && slot.value.is_null() {
                self.at(with.node);
                return self.fault(name, "len of nil pointer".into());
            }
            values.push(slot.value);
        }
        for (i, arg) in with.args.iter().enumerate().skip(values.len().min(usize::from(name == "len"))) {
            values.push(self.argument(dot, param(params, variadic, i), arg)?);
        }
        if let Some(last) = with.last {
            values.push(self.validated(last.clone(), param(params, variadic, with.args.len()))?);
        }
        if function && let Some(recording) = self.recording() {
            recording.called(name, &values);
        }
        let result = match callee {
            Callee::Function(function) => {
                let mut caller = Caller { templates: self.templates, session: &mut *self.session };
                (function.run)(&mut caller, &values)
            }
            Callee::Method(object) => object.call(name, &values).map_err(Fault::Text),
            Callee::MapMethod(map) => values::call_map_method(map, name, &values),
        };
        match result {
            Ok(value) => Ok(Slot::concrete(value)),
            Err(fault) => {
                self.at(with.node);
                self.fault(name, fault)
            }
        }
    }

    fn short_circuit(&mut self, dot: &Slot, or: bool, with: Use<'t, '_>) -> Result<Slot> {
        let mut slot = Slot::invalid();
        for arg in with.args {
            slot = self.operand_value(dot, arg)?;
            if slot.value.is_true() == or {
                return Ok(slot);
            }
        }
        Ok(with.last.cloned().unwrap_or(slot))
    }

    fn argument(&mut self, dot: &Slot, param: Param, arg: &'t Operand) -> Result<Value> {
        self.at(At::Operand(arg));
        match &arg.kind {
            OperandKind::Nil => {
                return match nil_of(param) {
                    Some(value) => Ok(value),
                    None => self.error(format!("cannot assign nil to {}", param.type_name())),
                };
            }
            OperandKind::Bool(_) | OperandKind::Number(_) | OperandKind::String { .. } => {}
            _ => {
                let slot = self.operand_value(dot, arg)?;
                return self.validated(slot, param);
            }
        }
        let wrong = match (param, &arg.kind) {
            (Param::Any | Param::Named("reflect.Value"), _) => {
                return Ok(self.operand_value(dot, arg)?.value);
            }
            (Param::Bool, OperandKind::Bool(b)) => return Ok(Value::Bool(*b)),
            (Param::Str, OperandKind::String { text, .. }) => return Ok(Value::Str(text.clone())),
            (Param::Int, OperandKind::Number(n)) if n.int.is_some() => {
                return Ok(Value::int(n.int.unwrap_or_default()));
            }
            (Param::Int64, OperandKind::Number(n)) if n.int.is_some() => {
                return Ok(Value::int64(n.int.unwrap_or_default()));
            }
            (Param::Float, OperandKind::Number(n)) if n.float.is_some() => {
                return Ok(Value::Float(n.float.unwrap_or_default()));
            }
            (Param::Named("uint32"), OperandKind::Number(n)) if n.uint.is_some() => {
                return Ok(Value::Uint(n.uint.unwrap_or_default() & 0xffff_ffff, UintKind::Uint32));
            }
            (Param::Named("uint32"), _) => "expected unsigned integer",
            (Param::Bool, _) => "expected bool",
            (Param::Str, _) => "expected string",
            (Param::Int | Param::Int64, _) => "expected integer",
            (Param::Float, _) => "expected float",
            _ => {
                return self.error(format!("can't handle {arg} for arg of type {}", param.type_name()));
            }
        };
        self.error(format!("{wrong}; found {arg}"))
    }

    /// Go's validateType: the value as the parameter wants it.
    fn validated(&self, slot: Slot, param: Param) -> Result<Value> {
        if slot.form == Form::Invalid {
            return match nil_of(param) {
                Some(value) => Ok(value),
                None => self.error(format!("invalid value; expected {}", param.type_name())),
            };
        }
        if param == Param::Any {
            return Ok(slot.value);
        }
        let got = if slot.value.is_null() { slot.type_name() } else { slot.value.type_name() }.to_owned();
        match (param, slot.value) {
            (Param::Named("reflect.Value"), value) => Ok(value),
            (Param::Str, value @ Value::Str(_))
            | (Param::Bool, value @ Value::Bool(_))
            | (Param::Float, value @ Value::Float(_))
            | (Param::Int, value @ Value::Int(_, IntKind::Int))
            | (Param::Int64, value @ Value::Int(_, IntKind::Int64)) => Ok(value),
            (Param::Map, Value::Map(map)) if map.kind() != MapKind::Strings => {
                Ok(Value::Map(map.retyped(MapKind::Any)))
            }
            (Param::List, Value::List(list)) if list.kind() == ListKind::Any => Ok(Value::List(list)),
            (Param::Strings, Value::List(list))
                if matches!(list.kind(), ListKind::String | ListKind::Named(_)) =>
            {
                Ok(Value::List(list))
            }
            (Param::Named("uint32"), value @ Value::Uint(_, UintKind::Uint32)) => Ok(value),
            (Param::Named(name), Value::Object(object)) if fits(&*object, name) => Ok(Value::Object(object)),
            _ => self.error(format!("wrong type for value; expected {}; got {got}", param.type_name())),
        }
    }
}

/// Whether the object is of the named type, or a pointer to it.
fn fits(object: &dyn Object, name: &str) -> bool {
    let own = object.type_name();
    own == name || object.kind() == Kind::Ptr && own.strip_prefix('*') == Some(name)
}

/// The nil of a parameter's type, if it has one.
fn nil_of(param: Param) -> Option<Value> {
    match param {
        Param::Any | Param::Named("reflect.Value") => Some(Value::Null),
        Param::Map => Some(Value::Map(Map::nil(MapKind::Any))),
        Param::List => Some(Value::List(List::nil(ListKind::Any))),
        Param::Strings => Some(Value::List(List::nil(ListKind::String))),
        Param::Named(name) if name.starts_with(['*', '[']) => Some(Value::Null),
        Param::Named(_) | Param::Str | Param::Bool | Param::Int | Param::Int64 | Param::Float => None,
    }
}
