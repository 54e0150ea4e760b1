//! The entries of a map: most maps are small, so few entries lie side by side and only many become a search tree.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::slice;
use std::vec;

use super::{Text, Value};

/// More entries than this are kept in a tree; up to here moving them aside costs less than a tree's nodes.
const FEW: usize = 24;

/// The entries of a map in byte order of their keys.
#[derive(Clone, Debug)]
pub struct Entries(Kept);

#[derive(Clone, Debug)]
#[allow(clippy::box_collection, reason = "every map is as large as the larger of the two")]
enum Kept {
    Few(Vec<(Text, Value)>),
    Many(Box<BTreeMap<Text, Value>>),
}

impl Entries {
    /// No entries.
    pub fn new() -> Self {
        Self(Kept::Few(Vec::new()))
    }

    /// The value of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&Value> {
        match &self.0 {
            Kept::Few(few) => place(few, key).ok().map(|at| &few[at].1),
            Kept::Many(many) => many.get(key),
        }
    }

    /// Sets `key` and gives the value that it had.
    pub fn insert(&mut self, key: Text, value: Value) -> Option<Value> {
        match &mut self.0 {
            Kept::Few(few) => match place(few, key.as_bytes()) {
                Ok(at) => Some(std::mem::replace(&mut few[at].1, value)),
                Err(at) => {
                    few.insert(at, (key, value));
                    self.grow();
                    None
                }
            },
            Kept::Many(many) => many.insert(key, value),
        }
    }

    /// Sets `key` unless it is there.
    pub fn insert_new(&mut self, key: Text, value: Value) {
        if self.get(key.as_bytes()).is_none() {
            self.insert(key, value);
        }
    }

    /// Removes `key` and gives the value that it had.
    pub fn remove(&mut self, key: &[u8]) -> Option<Value> {
        match &mut self.0 {
            Kept::Few(few) => place(few, key).ok().map(|at| few.remove(at).1),
            Kept::Many(many) => many.remove(key),
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Few(few) => few.len(),
            Kept::Many(many) => many.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries in order.
    pub fn iter(&self) -> Iter<'_> {
        match &self.0 {
            Kept::Few(few) => Iter::Few(few.iter()),
            Kept::Many(many) => Iter::Many(many.iter()),
        }
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &Text> {
        self.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }

    /// Calls `change` with every value.
    pub fn change_values(&mut self, change: impl FnMut(&mut Value)) {
        match &mut self.0 {
            Kept::Few(few) => few.iter_mut().map(|(_, value)| value).for_each(change),
            Kept::Many(many) => many.values_mut().for_each(change),
        }
    }

    /// Gives back memory that further entries would have needed.
    pub fn shrink(&mut self) {
        if let Kept::Few(few) = &mut self.0 {
            few.shrink_to_fit();
        }
    }

    fn grow(&mut self) {
        if let Kept::Few(few) = &mut self.0
            && few.len() > FEW
        {
            self.0 = Kept::Many(Box::new(std::mem::take(few).into_iter().collect()));
        }
    }
}

/// Where a key is, or would be.
fn place(few: &[(Text, Value)], key: &[u8]) -> Result<usize, usize> {
    few.binary_search_by(|(known, _)| known.as_bytes().cmp(key))
}

/// The entries of a map, one after the other.
#[derive(Debug)]
pub enum Iter<'e> {
    /// Side by side.
    Few(slice::Iter<'e, (Text, Value)>),
    /// In a tree.
    Many(btree_map::Iter<'e, Text, Value>),
}

impl<'e> Iterator for Iter<'e> {
    type Item = (&'e Text, &'e Value);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(few) => few.next().map(|(key, value)| (key, value)),
            Self::Many(many) => many.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Few(few) => few.size_hint(),
            Self::Many(many) => many.size_hint(),
        }
    }
}

/// The entries themselves, one after the other.
#[derive(Debug)]
pub enum IntoIter {
    /// Side by side.
    Few(vec::IntoIter<(Text, Value)>),
    /// In a tree.
    Many(btree_map::IntoIter<Text, Value>),
}

impl Iterator for IntoIter {
    type Item = (Text, Value);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(few) => few.next(),
            Self::Many(many) => many.next(),
        }
    }
}

impl IntoIterator for Entries {
    type Item = (Text, Value);
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        match self.0 {
            Kept::Few(few) => IntoIter::Few(few.into_iter()),
            Kept::Many(many) => IntoIter::Many(many.into_iter()),
        }
    }
}

impl Extend<(Text, Value)> for Entries {
    fn extend<I: IntoIterator<Item = (Text, Value)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl FromIterator<(Text, Value)> for Entries {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(entries: I) -> Self {
        let mut all = Self::new();
        all.extend(entries);
        all.shrink();
        all
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Text {
        format!("{n:04}").into()
    }

    #[test]
    fn few_and_many_do_the_same() {
        for count in [0, 1, FEW, FEW + 1, 10 * FEW] {
            let mut entries = Entries::new();
            // In an order that is not theirs: 7 has no divisor in common with the counts.
            for n in (0..count).map(|n| n * 7 % count.max(1)) {
                assert!(entries.insert(key(n), n.to_string().into()).is_none());
                entries.insert_new(key(n), "no".into());
            }
            assert_eq!((entries.len(), entries.is_empty()), (count, count == 0));
            assert!(entries.keys().zip(entries.keys().skip(1)).all(|(a, b)| a < b));
            assert_eq!(entries.iter().size_hint().0, count);
            for n in 0..count {
                assert_eq!(entries.get(key(n).as_bytes()).and_then(Value::as_str), Some(&*n.to_string()));
            }
            assert!(entries.get(b"x").is_none() && entries.remove(b"x").is_none());
            let all: Entries = entries.clone().into_iter().collect();
            assert_eq!(all.values().count(), count);
            for n in 0..count {
                assert!(entries.remove(key(n).as_bytes()).is_some());
            }
            assert!(entries.is_empty());
        }
    }

    #[test]
    fn a_later_value_takes_the_place_of_an_earlier_one() {
        let pairs = [("a", 1.0), ("a", 2.0)].map(|(k, v)| (Text::from(k), Value::from(v)));
        let mut entries: Entries = pairs.into_iter().collect();
        assert!(matches!(entries.insert("a".into(), 3.0.into()), Some(Value::Float(old)) if old == 2.0));
        entries.change_values(|value| *value = Value::Null);
        assert!(entries.get(b"a").is_some_and(Value::is_null));
    }
}
