//! Which dependencies take part, under which names, and what of their values the parent imports
//! (`Helm: pkg/chart/v2/util/dependencies.go`).

use crate::template::{Constraints, Version};
use crate::yaml::{Map, Value};

use super::coalesce::{Coalescer, Nulls, copy};
use super::strvals::shown;
use super::{Chart, Compat, Dependency, Error};

/// Settles the dependencies of a chart under the values of the user. Warnings are added.
///
/// # Errors
/// If a section of the values that belongs to a subchart is no table.
pub fn process(
    chart: &mut Chart,
    user: &Map,
    compat: Compat,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    let mut processor = Processor { coalescer: Coalescer { compat, warnings, owned: false }, charts: 0 };
    processor.choose(chart, user, "")?;
    processor.import(chart)
}

/// Whether a version fits a constraint; what cannot be read never does.
pub fn is_compatible(constraint: &str, version: &str) -> bool {
    match (Version::parse(version), Constraints::parse(constraint)) {
        (Ok(version), Ok(constraint)) => constraint.allow(&version),
        _ => false,
    }
}

/// The key that turns groups of dependencies on and off.
const TAGS: &[u8] = b"tags";
/// How many charts one chart may become: aliases of charts that have aliases multiply.
const MAX_CHARTS: usize = 4096;

struct Processor<'w> {
    coalescer: Coalescer<'w>,
    charts: usize,
}

impl Processor<'_> {
    fn choose(&mut self, chart: &mut Chart, values: &Map, path: &str) -> Result<(), Error> {
        let Some(mut declared) = chart.metadata.dependencies.take() else { return Ok(()) };
        let loaded = std::mem::take(&mut chart.dependencies);
        let covers = |chart: &Chart, dependency: &Dependency| {
            chart.metadata.name == dependency.name
                && is_compatible(&dependency.version, &chart.metadata.version)
        };
        chart.dependencies = loaded
            .iter()
            .filter(|chart| !declared.iter().flatten().any(|dependency| covers(chart, dependency)))
            .cloned()
            .collect();
        for dependency in declared.iter_mut().flatten() {
            if let Some(found) = loaded.iter().find(|chart| covers(chart, dependency)) {
                chart.dependencies.push(renamed(found, dependency, self.coalescer.compat));
            }
            if !dependency.alias.is_empty() {
                dependency.name.clone_from(&dependency.alias);
            }
            dependency.enabled = true;
        }
        self.charts += chart.dependencies.len();
        if self.charts > MAX_CHARTS {
            return Err(Error::Chart(format!(
                "dependencies and their aliases make more than {MAX_CHARTS} charts"
            )));
        }
        let values = match asks_for_tags_only(chart, values, path) {
            true => self.with_tags(chart, values)?,
            false => self.coalescer.values(chart, values, Nulls::Remove)?,
        };
        self.by_tags(&mut declared, &values);
        self.by_conditions(&mut declared, &values, path);
        let off: Vec<String> =
            declared.iter().flatten().filter(|d| !d.enabled).map(|d| d.name.clone()).collect();
        chart.dependencies.retain(|chart| !off.contains(&chart.metadata.name));
        declared.retain(|dependency| dependency.as_ref().is_none_or(|d| !off.contains(&d.name)));
        for dependency in &mut chart.dependencies {
            let path = format!("{path}{}.", dependency.metadata.name);
            self.choose(dependency, &values, &path)?;
        }
        chart.metadata.dependencies = (!declared.is_empty()).then_some(declared);
        Ok(())
    }

    /// The values with the tags of a chart under them. All else is shared: where charts are nested, copies of everything at
    /// every level would grow with the fourth power of the depth.
    fn with_tags(&mut self, chart: &Chart, values: &Map) -> Result<Map, Error> {
        let only = |map: &Map| map.get(TAGS).map(|tags| (TAGS.into(), tags)).into_iter().collect::<Map>();
        let of_chart =
            Chart { metadata: chart.metadata.clone(), values: only(&chart.values), ..Chart::default() };
        let tags = self.coalescer.values(&of_chart, &only(values), Nulls::Remove)?;
        let all: Map = values.entries().into_iter().collect();
        match tags.get(TAGS) {
            Some(tags) => all.insert(TAGS, tags),
            None => drop(all.remove(TAGS)),
        }
        Ok(all)
    }

    fn by_tags(&mut self, declared: &mut [Option<Dependency>], values: &Map) {
        let Some(Value::Map(tags)) = values.get(TAGS) else { return };
        for dependency in declared.iter_mut().flatten() {
            let (mut on, mut off) = (false, false);
            for tag in &dependency.tags {
                match tags.get(tag.as_bytes()) {
                    Some(Value::Bool(true)) => on = true,
                    Some(Value::Bool(false)) => off = true,
                    Some(_) => self.coalescer.warnings.push(format!(
                        "Warning: Tag '{tag}' for chart {} returned non-bool value",
                        dependency.name
                    )),
                    None => {}
                }
            }
            dependency.enabled = on || !off;
        }
    }

    fn by_conditions(&mut self, declared: &mut [Option<Dependency>], values: &Map, path: &str) {
        for dependency in declared.iter_mut().flatten() {
            for condition in dependency.condition.trim().split(',').filter(|c| !c.is_empty()) {
                match path_value(values, &format!("{path}{condition}")) {
                    Some(Value::Bool(enabled)) => {
                        dependency.enabled = enabled;
                        break;
                    }
                    Some(_) => self.coalescer.warnings.push(format!(
                        "Warning: Condition path '{condition}' for chart {} returned non-bool value",
                        dependency.name
                    )),
                    None => {}
                }
            }
        }
    }

    fn import(&mut self, chart: &mut Chart) -> Result<(), Error> {
        for dependency in &mut chart.dependencies {
            self.import(dependency)?;
        }
        let Some(mut declared) = chart.metadata.dependencies.take() else { return Ok(()) };
        let values = self.coalescer.values(chart, &Map::new(), Nulls::Keep)?;
        let imported = Map::new();
        for dependency in declared.iter_mut().flatten() {
            self.imports_of(dependency, &values, &imported);
        }
        chart.metadata.dependencies = Some(declared);
        if imported.is_empty() {
            chart.values = values;
            return Ok(());
        }
        // Imported tables are parts of these values.
        chart.values = copy(&values);
        self.coalescer.tables(&chart.values, &imported, "", Nulls::Keep);
        Ok(())
    }

    fn imports_of(&mut self, dependency: &mut Dependency, values: &Map, imported: &Map) {
        let mut settled = Vec::new();
        for wanted in &dependency.import_values {
            let (child, parent) = match wanted {
                Value::Map(map) => {
                    let text = |key: &str| shown(&map.get(key.as_bytes()).unwrap_or_default());
                    (text("child"), text("parent"))
                }
                Value::Str(name) => (format!("exports.{name}"), ".".to_owned()),
                _ => continue,
            };
            settled.push(Value::map([("child", child.as_str().into()), ("parent", parent.as_str().into())]));
            let path = format!("{}.{child}", dependency.name);
            let Some(found) = table(values, &path) else {
                let last = path.split('.').next_back().unwrap_or_default();
                self.coalescer.warnings.push(format!(
                    "Warning: ImportValues missing table from chart {}: {last:?} is not a table",
                    dependency.name
                ));
                continue;
            };
            self.coalescer.tables(imported, &at_path(&parent, found), "", Nulls::Keep);
        }
        dependency.import_values = settled;
    }
}

/// Whether nothing but the tags of a chart's values can decide which of its dependencies take part. Conditions are looked up
/// along the path from the outermost chart, whose sections have been coalesced by then; a chart has a say in them only if
/// one of its values, or of the charts below it, goes by a name that stands at the top.
fn asks_for_tags_only(chart: &Chart, values: &Map, path: &str) -> bool {
    let outermost = path.split('.').next().unwrap_or_default();
    !outermost.is_empty() && !chart.values.contains(outermost.as_bytes()) && !has_section(chart, values)
}

/// Whether a chart below `chart` has a section at the top of the values.
fn has_section(chart: &Chart, values: &Map) -> bool {
    chart.dependencies.iter().any(|below| {
        let name = below.metadata.name.as_bytes();
        name == TAGS || values.contains(name) || has_section(below, values)
    })
}

/// The copy of a loaded chart that a declared dependency stands for.
fn renamed(chart: &Chart, dependency: &Dependency, compat: Compat) -> Chart {
    let mut copy = chart.clone();
    if !dependency.alias.is_empty() {
        if compat.is_3() {
            // Helm 3 leaves the children with the chart that was copied, and so their paths.
            for child in &mut copy.dependencies {
                child.path_below = Some(chart.metadata.name.clone());
            }
        }
        copy.metadata.name.clone_from(&dependency.alias);
    }
    copy
}

/// The table at a dotted path.
pub(super) fn table(values: &Map, path: &str) -> Option<Map> {
    path.split('.').try_fold(values.clone(), |here, part| match here.get(part.as_bytes()) {
        Some(Value::Map(next)) => Some(next),
        _ => None,
    })
}

/// The value at a dotted path, unless it is a table.
fn path_value(values: &Map, path: &str) -> Option<Value> {
    let (parent, key) = match path.rsplit_once('.') {
        Some((parent, key)) => (table(values, parent)?, key),
        None => (values.clone(), path),
    };
    parent.get(key.as_bytes()).filter(|value| !matches!(value, Value::Map(_)))
}

/// A map that has `table` at a dotted path; `.` is the map itself.
fn at_path(path: &str, table: Map) -> Map {
    if path == "." {
        return table;
    }
    path.split('.').rev().fold(table, |inner, part| Map::from_iter([(part.into(), Value::Map(inner))]))
}
