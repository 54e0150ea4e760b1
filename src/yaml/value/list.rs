//! Go's slices: immutable here, for nothing in a template changes one in place.

use std::sync::Arc;

use super::{Value, dismantle, stack_is_short};

/// The element type of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// `[]interface {}`.
    Any,
    /// `[]string`.
    String,
    /// `[]int`.
    Int,
    /// `[]uint8`, Go's `[]byte`.
    Byte,
    /// `[][]interface {}`, as `chunk` makes.
    Lists,
    /// `[]map[string]interface {}`.
    Maps,
    /// A named slice of strings, such as `chartutil.VersionSet`.
    Named(&'static str),
}

impl ListKind {
    /// The type's name, as `%T` prints it.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::String => "[]string",
            Self::Int => "[]int",
            Self::Byte => "[]uint8",
            Self::Lists => "[][]interface {}",
            Self::Maps => "[]map[string]interface {}",
            Self::Named(name) => name,
        }
    }
}

/// A slice of values, cheap to clone.
#[derive(Clone, Debug)]
pub struct List(Arc<Items>);

#[derive(Debug)]
struct Items {
    values: Vec<Value>,
    kind: ListKind,
    nil: bool,
}

impl List {
    /// A `[]interface {}`.
    pub fn new(values: Vec<Value>) -> Self {
        Self::typed(values, ListKind::Any)
    }

    /// A slice of another element type; the caller sees to it that the values fit.
    pub fn typed(values: Vec<Value>, kind: ListKind) -> Self {
        Self(Arc::new(Items { values, kind, nil: false }))
    }

    /// A nil slice: empty, and `null` in JSON.
    pub fn nil(kind: ListKind) -> Self {
        Self(Arc::new(Items { values: Vec::new(), kind, nil: true }))
    }

    /// The elements.
    pub fn items(&self) -> &[Value] {
        &self.0.values
    }

    /// The element type.
    pub fn kind(&self) -> ListKind {
        self.0.kind
    }

    /// Whether it is Go's nil slice.
    pub fn is_nil(&self) -> bool {
        self.0.nil
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.values.is_empty()
    }

    /// Whether both are the same slice in memory.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What tells this slice from others as long as it lives; equal for clones.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The bytes of a `[]uint8`.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        if self.0.kind != ListKind::Byte {
            return None;
        }
        self.0
            .values
            .iter()
            .map(|v| if let Value::Uint(b, _) = v { u8::try_from(*b).ok() } else { None })
            .collect()
    }

    pub(super) fn take_children(self, pending: &mut Vec<Value>) {
        if let Ok(mut items) = Arc::try_unwrap(self.0) {
            pending.append(&mut items.values);
        }
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        if stack_is_short() && self.values.iter().any(|v| matches!(v, Value::List(_) | Value::Map(_))) {
            dismantle(std::mem::take(&mut self.values));
        }
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self::new(values.into_iter().collect())
    }
}
