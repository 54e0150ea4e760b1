//! Values with methods: versions, times, certificates, a chart's files.

use std::any::Any;
use std::fmt;

use super::{Kind, Text, Value};

/// The Go type a function or method wants for an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// `interface {}`: anything.
    Any,
    /// `string`.
    Str,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `float64`.
    Float,
    /// `bool`.
    Bool,
    /// `map[string]interface {}`.
    Map,
    /// `[]interface {}`.
    List,
    /// `[]string`.
    Strings,
    /// Another type, by its Go name; only an [`Object`] of that type name or, for `reflect.Value`, anything.
    Named(&'static str),
}

impl Param {
    /// The Go name of the type.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Str => "string",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::Map => "map[string]interface {}",
            Self::List => "[]interface {}",
            Self::Strings => "[]string",
            Self::Named(name) => name,
        }
    }
}

/// What a method takes.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Types of the parameters; of a variadic method the last one repeats.
    pub params: &'static [Param],
    /// Whether the last parameter may come any number of times.
    pub variadic: bool,
}

/// A Go value that is neither a number, a string, a slice nor a map, or one of these with methods.
pub trait Object: fmt::Debug + Send + Sync {
    /// The type's name, as `%T` prints it.
    fn type_name(&self) -> &str;

    /// Struct, pointer, slice or map.
    fn kind(&self) -> Kind;

    /// The value of an exported field.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    /// The method `name`, if there is one.
    fn method(&self, _name: &str) -> Option<Method> {
        None
    }

    /// Calls a method that [`method`](Self::method) has confirmed, with checked arguments.
    ///
    /// # Errors
    /// The text of the error that the Go method would return.
    fn call(&self, name: &str, _args: &[Value]) -> Result<Value, String> {
        Err(format!("no method {name}"))
    }

    /// What `%v` prints.
    fn print(&self) -> Text;

    /// What an action prints that has nothing but a field: there Go still has the place of the value, and with it the
    /// methods of its pointer.
    fn print_in_place(&self) -> Text {
        self.print()
    }

    /// Whether `fmt` would take [`print`](Self::print) for `%s` and `%q` too (a Stringer or an error).
    fn is_stringer(&self) -> bool {
        false
    }

    /// What `encoding/json` would marshal in its place.
    ///
    /// # Errors
    /// The text of the marshalling error.
    fn to_plain(&self) -> Result<Value, String>;

    /// Whether a template takes it for true; structs always are.
    fn is_true(&self) -> bool {
        true
    }

    /// The map or slice behind the methods, for `range`, `index` and `len`.
    fn collection(&self) -> Option<Value> {
        None
    }

    /// The number of a named integer type such as `time.Duration`, for comparisons and `%d`.
    fn integer(&self) -> Option<i64> {
        None
    }

    /// For downcasts by the functions that made it.
    fn as_any(&self) -> &dyn Any;

    /// Go's `reflect.DeepEqual`.
    fn equals(&self, other: &dyn Object) -> bool {
        self.type_name() == other.type_name() && self.print() == other.print()
    }
}
