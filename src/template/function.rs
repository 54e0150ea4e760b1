//! Functions that templates call, and the tables they stand in.

use std::collections::BTreeMap;
use std::fmt;

use super::error::Fault;
use super::exec::Caller;
use crate::yaml::{Param, Value};

/// The body of a function: checked arguments in, a value or an error text out.
pub type Run = fn(&mut Caller<'_, '_>, &[Value]) -> Result<Value, Fault>;

/// A function with its Go signature.
#[derive(Clone, Copy)]
pub struct Function {
    /// The name templates call it by.
    pub name: &'static str,
    /// Types of the parameters; of a variadic function the last one repeats.
    pub params: &'static [Param],
    /// Whether the last parameter may come any number of times.
    pub variadic: bool,
    /// What it does.
    pub run: Run,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A table of functions by name. Later entries of a name replace earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Functions(BTreeMap<&'static str, &'static Function>);

impl Functions {
    /// A table with Go's own functions only.
    pub fn builtin() -> Self {
        let mut table = Self::default();
        table.add(super::builtin::FUNCTIONS);
        table
    }

    /// Adds functions.
    pub fn add(&mut self, functions: &'static [Function]) {
        self.0.extend(functions.iter().map(|f| (f.name, f)));
    }

    /// Takes functions out, so that a template that names one does not parse.
    pub fn remove(&mut self, names: &[&str]) {
        self.0.retain(|name, _| !names.contains(name));
    }

    /// The function of a name.
    pub fn get(&self, name: &str) -> Option<&'static Function> {
        self.0.get(name).copied()
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

/// Shorthand for tables: a function of exactly these parameters.
pub(super) const fn fixed(name: &'static str, params: &'static [Param], run: Run) -> Function {
    Function { name, params, variadic: false, run }
}

/// Shorthand for tables: a function whose last parameter repeats.
pub(super) const fn variadic(name: &'static str, params: &'static [Param], run: Run) -> Function {
    Function { name, params, variadic: true, run }
}
