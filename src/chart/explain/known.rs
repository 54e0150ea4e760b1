//! From what was read to paths: maps and lists are known by identity.

use std::collections::HashMap;

use super::place::{Segment, at};
use crate::template::trace::Read;
use crate::yaml::{Map, Value};

/// Where a collection hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// The values of all charts, from the outermost one.
    Values,
    /// `.Chart` of the chart with these names.
    Chart(Vec<String>),
    /// `.Release`.
    Release,
}

/// A path that was read, and what was there.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) root: Root,
    pub(super) path: Vec<Segment>,
    pub(super) value: Option<Value>,
}

/// Collections by identity. The contexts keep them alive.
pub(super) struct Known {
    places: HashMap<usize, (Root, Vec<Segment>)>,
    /// Objects that stand for `.Chart`.
    charts: Vec<(Vec<String>, Value)>,
}

impl Known {
    pub(super) fn of(contexts: &[(Vec<String>, Map)]) -> Self {
        let mut known = Self { places: HashMap::new(), charts: Vec::new() };
        // Outer charts first: what they see under a path of theirs has its name from there.
        let mut contexts: Vec<_> = contexts.iter().collect();
        contexts.sort_by_key(|(names, _)| names.len());
        for (names, context) in contexts {
            let path = names.iter().map(|name| Segment::Key(name.as_str().into())).collect();
            if let Some(values) = context.get(b"Values") {
                known.add(&values, &Root::Values, path);
            }
            if let Some(chart) = context.get(b"Chart") {
                known.add(&chart, &Root::Chart(names.clone()), Vec::new());
                known.charts.push((names.clone(), chart));
            }
            if let Some(release) = context.get(b"Release") {
                known.add(&release, &Root::Release, Vec::new());
            }
        }
        known
    }

    fn add(&mut self, value: &Value, root: &Root, path: Vec<Segment>) {
        let mut pending = vec![(value.clone(), path)];
        while let Some((value, path)) = pending.pop() {
            let id = match &value {
                Value::Map(map) => map.id(),
                Value::List(list) => list.id(),
                _ => continue,
            };
            // A map that was set into itself is met again.
            if self.places.contains_key(&id) {
                continue;
            }
            self.places.insert(id, (root.clone(), path.clone()));
            let below = |segment: Segment, value: Value| ([path.as_slice(), &[segment]].concat(), value);
            match &value {
                Value::Map(map) => {
                    for (key, value) in map.entries() {
                        let (path, value) = below(Segment::Key(key), value);
                        pending.push((value, path));
                    }
                }
                Value::List(list) => {
                    for (i, value) in list.items().iter().enumerate() {
                        let (path, value) = below(Segment::Index(i), value.clone());
                        pending.push((value, path));
                    }
                }
                _ => {}
            }
        }
    }

    /// The paths that were read. Of a collection that was read as a whole the part that belongs to the place asked about
    /// is named, where there is one.
    pub(super) fn steps(&self, reads: &[Read], place: &[Segment]) -> Vec<Step> {
        let mut steps = Vec::new();
        self.collect(reads, place, &mut steps);
        steps
    }

    fn collect(&self, reads: &[Read], place: &[Segment], steps: &mut Vec<Step>) {
        for read in reads {
            match read {
                Read::Through(reads) => self.collect(reads, place, steps),
                Read::Entry(map, key, value) => {
                    // A table on the way to something else says nothing.
                    if !matches!(value, Some(Value::Map(_) | Value::List(_) | Value::Object(_))) {
                        steps.extend(self.step(map.id(), Some(Segment::Key(key.clone())), value.clone()));
                    }
                }
                Read::Item(list, i) => {
                    let value = list.items().get(*i).cloned();
                    if !matches!(value, Some(Value::Map(_) | Value::List(_))) {
                        steps.extend(self.step(list.id(), Some(Segment::Index(*i)), value));
                    }
                }
                Read::Field(object, name, value) => {
                    let is_it = |chart: &Value| match chart {
                        Value::Object(chart) => std::sync::Arc::ptr_eq(chart, object),
                        _ => false,
                    };
                    if let Some((names, _)) = self.charts.iter().find(|(_, chart)| is_it(chart)) {
                        let (root, path) = (Root::Chart(names.clone()), vec![Segment::Key(name.clone())]);
                        steps.push(Step { root, path, value: Some(value.clone()) });
                    }
                }
                Read::Whole(whole) => self.whole(whole, place, steps),
            }
        }
    }

    fn whole(&self, whole: &Value, place: &[Segment], steps: &mut Vec<Step>) {
        let id = match whole {
            Value::Map(map) => map.id(),
            Value::List(list) => list.id(),
            _ => return,
        };
        let Some(mut step) = self.step(id, None, Some(whole.clone())) else { return };
        if step.root != Root::Values {
            return;
        }
        let part = (0..place.len()).map(|from| &place[from..]).find_map(|end| Some((end, at(whole, end)?)));
        if let Some((end, value)) = part {
            step.path.extend_from_slice(end);
            step.value = Some(value);
        }
        steps.push(step);
    }

    fn step(&self, id: usize, last: Option<Segment>, value: Option<Value>) -> Option<Step> {
        let (root, path) = self.places.get(&id)?;
        let mut path = path.clone();
        path.extend(last);
        Some(Step { root: root.clone(), path, value })
    }
}
