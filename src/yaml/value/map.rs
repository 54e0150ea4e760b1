//! Go's maps with string keys: shared, changed in place, read in byte order of their keys.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Entries, Text, Value, dismantle, stack_is_short};

/// The Go type of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// `map[string]interface {}`.
    Any,
    /// `map[string]string`, as `split` makes.
    Strings,
    /// A named type over `map[string]interface {}`, such as `chartutil.Values`; a thin reference keeps values small.
    Named(&'static &'static str),
}

impl MapKind {
    /// The type's name, as `%T` prints it.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "map[string]interface {}",
            Self::Strings => "map[string]string",
            Self::Named(name) => name,
        }
    }
}

/// A map. Clones share their entries, as Go's maps do.
#[derive(Clone, Debug)]
pub struct Map {
    inner: Arc<Inner>,
    kind: MapKind,
}

#[derive(Debug)]
struct Inner {
    entries: RwLock<Entries>,
    nil: bool,
}

impl Map {
    /// An empty `map[string]interface {}`.
    pub fn new() -> Self {
        Self::from_entries(Entries::new())
    }

    /// A `map[string]interface {}`.
    pub fn from_entries(entries: Entries) -> Self {
        Self::typed(entries, MapKind::Any)
    }

    /// A map of another type; the caller sees to it that the values fit.
    pub fn typed(entries: Entries, kind: MapKind) -> Self {
        Self { inner: Arc::new(Inner { entries: RwLock::new(entries), nil: false }), kind }
    }

    /// A nil map: empty, `null` in JSON, and never written to.
    pub fn nil(kind: MapKind) -> Self {
        Self { inner: Arc::new(Inner { entries: RwLock::default(), nil: true }), kind }
    }

    /// The map's type.
    pub fn kind(&self) -> MapKind {
        self.kind
    }

    /// Whether it is Go's nil map.
    pub fn is_nil(&self) -> bool {
        self.inner.nil
    }

    fn lock(&self) -> RwLockReadGuard<'_, Entries> {
        self.inner.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_mut(&self) -> RwLockWriteGuard<'_, Entries> {
        self.inner.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of `key`.
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.lock().get(key).cloned()
    }

    /// Whether `key` is there, be it with null.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.lock().get(key).is_some()
    }

    /// Sets `key`, in every clone of this map.
    pub fn insert(&self, key: impl Into<Text>, value: Value) {
        let old = self.lock_mut().insert(key.into(), value);
        drop(old);
    }

    /// Removes `key`, in every clone of this map.
    pub fn remove(&self, key: &[u8]) -> Option<Value> {
        self.lock_mut().remove(key)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// What `look` says of the entries as they are now. It must not change this map.
    pub fn read<T>(&self, look: impl FnOnce(&Entries) -> T) -> T {
        look(&self.lock())
    }

    /// A copy of the entries as they are now.
    pub fn entries(&self) -> Vec<(Text, Value)> {
        self.lock().iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// The keys as they are now.
    pub fn keys(&self) -> Vec<Text> {
        self.lock().keys().cloned().collect()
    }

    /// Whether both are the same map in memory.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// What tells this map from others as long as it lives; equal for clones.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }

    /// The same map under another type's name; the entries stay shared.
    #[must_use]
    pub fn retyped(&self, kind: MapKind) -> Self {
        Self { inner: Arc::clone(&self.inner), kind }
    }

    pub(super) fn take_children(self, pending: &mut Vec<Value>) {
        if let Ok(inner) = Arc::try_unwrap(self.inner) {
            let entries = std::mem::take(&mut *inner.entries.write().unwrap_or_else(PoisonError::into_inner));
            pending.extend(entries.into_iter().map(|(_, value)| value));
        }
    }
}

impl Default for Map {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
        if stack_is_short() && entries.values().any(|v| matches!(v, Value::List(_) | Value::Map(_))) {
            dismantle(std::mem::take(entries).into_iter().map(|(_, value)| value).collect());
        }
    }
}

impl FromIterator<(Text, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(entries: I) -> Self {
        Self::from_entries(entries.into_iter().collect())
    }
}
