//! A chart's own values under those of its parents and of the user (`Helm: pkg/chart/common/util/coalesce.go`).
//!
//! Two modes: coalescing takes away what a null asks to take away, merging keeps nulls for a later coalescing. Where a
//! table is the section of a subchart, its nulls survive one level so that they can take away the subchart's defaults.

use crate::template::format;
use crate::yaml::{Map, Text, Value, deep_copy};

use super::strvals::shown;
use super::{Chart, Compat, Error};

/// The key of values that every chart sees.
const GLOBAL: &str = "global";

/// What nulls do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    /// They take away defaults and are gone.
    Remove,
    /// They stay.
    Keep,
}

/// Coalesces values, noting what is odd about them.
pub(super) struct Coalescer<'w> {
    pub(super) compat: Compat,
    pub(super) warnings: &'w mut Vec<String>,
    /// Whether the outermost chart's values may be used up.
    pub(super) owned: bool,
}

impl Coalescer<'_> {
    /// The values that a chart and its dependencies see under those of the user, which are copied first.
    pub(super) fn values(&mut self, chart: &Chart, user: &Map, nulls: Nulls) -> Result<Map, Error> {
        let values = copy(user);
        self.chart(chart, &values, "", nulls)?;
        Ok(values)
    }

    fn chart(&mut self, chart: &Chart, values: &Map, prefix: &str, nulls: Nulls) -> Result<(), Error> {
        let path = join(prefix, &chart.metadata.name);
        self.defaults(chart, values, &path, nulls);
        // Values of subcharts may be those of several, under aliases.
        self.owned = false;
        for dependency in &chart.dependencies {
            let name = &dependency.metadata.name;
            let section = match values.get(name.as_bytes()) {
                None => {
                    let section = Map::new();
                    values.insert(name.as_str(), Value::Map(section.clone()));
                    section
                }
                Some(Value::Map(section)) => section,
                Some(other) => {
                    let shown = format::printf(b"%t", &[other]);
                    return Err(Error::Values(format!("type mismatch on {name}: {shown}")));
                }
            };
            self.globals(&section, values, &path);
            self.chart(dependency, &section, &path, nulls)?;
        }
        Ok(())
    }

    /// Hands the parent's globals down; those of the parent win.
    fn globals(&mut self, section: &Map, parent: &Map, prefix: &str) {
        let table = |map: &Map| match map.get(GLOBAL.as_bytes()) {
            None => Some(Map::new()),
            Some(Value::Map(map)) => Some(map),
            Some(_) => None,
        };
        let Some(into) = table(section) else {
            return self
                .warn("warning: skipping globals because destination global is not a table.".to_owned());
        };
        let Some(from) = table(parent) else {
            return self.warn("warning: skipping globals because source global is not a table.".to_owned());
        };
        for (key, value) in from.entries() {
            let here = into.get(key.as_bytes());
            match (&value, here) {
                (Value::Map(value), None) => into.insert(key, Value::Map(shallow(value))),
                (Value::Map(value), Some(Value::Map(here))) => {
                    let value = shallow(value);
                    self.tables(&value, &here, &join(prefix, &key.lossy()), Nulls::Keep);
                    into.insert(key, Value::Map(value));
                }
                (Value::Map(_), Some(_)) => self.warn(format!(
                    "Conflict: cannot merge map onto non-map for {:?}. Skipping.",
                    key.lossy()
                )),
                (_, Some(Value::Map(_))) => self.warn(format!("key {key} is table. Skipping")),
                _ => into.insert(key, value),
            }
        }
        section.insert(GLOBAL, Value::Map(into));
    }

    /// Puts the chart's own values under `values`.
    fn defaults(&mut self, chart: &Chart, values: &Map, path: &str, nulls: Nulls) {
        let clean = self.is_clean(nulls);
        for (key, default) in chart.values.entries() {
            match values.get(key.as_bytes()) {
                None => {
                    if !(clean && default.is_null()) {
                        values.insert(key, self.taken(default, clean));
                    }
                }
                Some(Value::Null) if nulls == Nulls::Remove => {
                    values.remove(key.as_bytes());
                }
                Some(Value::Map(table)) => match &default {
                    Value::Map(default) => {
                        let is_subchart = |d: &Chart| d.metadata.name.as_bytes() == key.as_bytes();
                        let nulls =
                            if chart.dependencies.iter().any(is_subchart) { Nulls::Keep } else { nulls };
                        self.under(&table, default, &join(path, &key.lossy()), nulls);
                    }
                    Value::Null => {}
                    _ => self.warn(format!("warning: skipped value for {path}.{key}: Not a table.")),
                },
                Some(_) => {}
            }
        }
    }

    /// Whether defaults lose their nulls.
    fn is_clean(&self, nulls: Nulls) -> bool {
        nulls == Nulls::Remove && !self.compat.is_3()
    }

    /// A default as it becomes a value: a copy, unless it is nobody else's.
    fn taken(&self, default: Value, clean: bool) -> Value {
        let default = if self.owned { default } else { deep_copy(&default) };
        if clean && let Value::Map(map) = &default {
            without_nulls(map);
        }
        default
    }

    /// Puts defaults under a table of values as [`tables`](Self::tables) puts a copy of them.
    fn under(&mut self, into: &Map, defaults: &Map, prefix: &str, nulls: Nulls) {
        let clean = self.is_clean(nulls);
        for (key, default) in defaults.entries() {
            if clean && default.is_null() {
                continue;
            }
            match (into.get(key.as_bytes()), &default) {
                (None, _) => into.insert(key, self.taken(default, clean)),
                (Some(Value::Null), _) if nulls == Nulls::Remove && !default.is_null() => {
                    into.remove(key.as_bytes());
                }
                (Some(Value::Null), _) | (Some(Value::Map(_)), Value::Null) => {}
                (Some(Value::Map(here)), Value::Map(default)) => {
                    self.under(&here, default, &join(prefix, &key.lossy()), nulls);
                }
                (Some(Value::Map(_)), other) => self.refuse_value(&join(prefix, &key.lossy()), other),
                (Some(_), Value::Map(_)) => self.refuse_table(&join(prefix, &key.lossy()), &default),
                (Some(_), _) => {}
            }
        }
    }

    fn refuse_value(&mut self, path: &str, value: &Value) {
        let value = shown(value);
        self.warn(format!("warning: destination for {path} is a table. Ignoring non-table value ({value})"));
    }

    fn refuse_table(&mut self, path: &str, table: &Value) {
        self.warn(format!("warning: cannot overwrite table with non table for {path} ({})", shown(table)));
    }

    /// Puts the entries of `from` under those of `into`. Nulls of `into` are noted in `from`.
    pub(super) fn tables(&mut self, into: &Map, from: &Map, prefix: &str, nulls: Nulls) {
        if into.same(from) {
            return;
        }
        let entries = from.entries();
        for (key, value) in into.entries() {
            if value.is_null() {
                from.insert(key, Value::Null);
            }
        }
        for (key, original) in entries {
            let here = into.get(key.as_bytes());
            let value = if matches!(here, Some(Value::Null)) { Value::Null } else { original.clone() };
            match here {
                Some(Value::Null) if nulls == Nulls::Remove && !original.is_null() => {
                    into.remove(key.as_bytes());
                }
                None => into.insert(key, value),
                Some(Value::Map(here)) => match value {
                    Value::Map(value) => self.tables(&here, &value, &join(prefix, &key.lossy()), nulls),
                    Value::Null => {}
                    other => self.refuse_value(&join(prefix, &key.lossy()), &other),
                },
                Some(_) if matches!(value, Value::Map(_)) => {
                    self.refuse_table(&join(prefix, &key.lossy()), &value);
                }
                Some(_) => {}
            }
        }
    }

    fn warn(&mut self, words: String) {
        self.warnings.push(words);
    }
}

/// A copy that shares nothing that can be changed.
pub(super) fn copy(map: &Map) -> Map {
    match deep_copy(&Value::Map(map.clone())) {
        Value::Map(copy) => copy,
        _ => Map::new(),
    }
}

fn shallow(map: &Map) -> Map {
    map.entries().into_iter().collect()
}

fn without_nulls(map: &Map) {
    let nulls = map.read(|entries| {
        entries.values().for_each(|value| {
            if let Value::Map(inner) = value {
                without_nulls(inner)
            }
        });
        let nulls = entries.iter().filter(|(_, value)| value.is_null());
        nulls.map(|(key, _)| key.clone()).collect::<Vec<Text>>()
    });
    nulls.iter().for_each(|key| drop(map.remove(key.as_bytes())));
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}
