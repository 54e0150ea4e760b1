//! Rendering all templates of a chart and its dependencies (`Helm: pkg/engine/engine.go`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::capabilities::Capabilities;
use super::dependencies::table;
use super::objects::{Files, chart_value};
use super::words::{exec_error, parse_error};
use super::{Chart, Compat, Error, Rendered};
use crate::template::trace::Recording;
use crate::template::{Door, Functions, MissingKey, Session, Templates, without_no_value};
use crate::yaml::{Map, Text, Value};

/// The release that templates are rendered for.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its revision, from 1.
    pub revision: i64,
    /// Whether it is an upgrade rather than an install.
    pub is_upgrade: bool,
}

/// What to render, and for what.
pub struct Request<'r> {
    /// The chart, its dependencies settled.
    pub chart: &'r Chart,
    /// Its coalesced values; templates may change them.
    pub values: &'r Map,
    /// The release.
    pub release: &'r Release,
    /// What the cluster can do.
    pub capabilities: Arc<Capabilities>,
    /// As which Helm.
    pub compat: Compat,
}

/// Renders every template that is no partial; the results by path.
///
/// # Errors
/// [`Error::Render`] of the first template that cannot be parsed or executed.
pub fn render(
    request: &Request<'_>,
    functions: Arc<Functions>,
    door: &dyn Door,
) -> Result<BTreeMap<String, Rendered>, Error> {
    Rendering::new(request, functions)?.run(&mut Session::new(door))
}

/// Templates that have been collected and parsed, and what they are executed with.
pub struct Rendering {
    collected: Collected,
    templates: Templates,
    /// Paths in the order of execution.
    order: Vec<String>,
    compat: Compat,
}

impl Rendering {
    /// Collects and parses the templates of a chart and its dependencies.
    ///
    /// # Errors
    /// [`Error::Render`] of the first template that cannot be parsed.
    pub fn new(request: &Request<'_>, functions: Arc<Functions>) -> Result<Self, Error> {
        Self::of(Collected::of(request), request.compat, functions).map_err(|failed| failed.1)
    }

    fn of(
        collected: Collected,
        compat: Compat,
        functions: Arc<Functions>,
    ) -> Result<Self, Box<(Collected, Error)>> {
        let found = &collected.templates;
        let order = sorted(found.keys());
        let mut templates = Templates::new("gotpl", functions, MissingKey::Zero);
        let texts: Vec<(&str, &Text)> =
            order.iter().filter_map(|path| Some((path.as_str(), &found.get(path)?.text))).collect();
        match templates.parse_all(&texts) {
            Ok(()) => Ok(Self { collected, templates, order, compat }),
            Err(error) => Err(Box::new((collected, parse_error(&error)))),
        }
    }

    /// Renders every template that is no partial; the results by path. Templates may change what they are given, and so
    /// what a second run would give.
    ///
    /// # Errors
    /// [`Error::Render`] of the first template that cannot be executed.
    pub fn run(&self, session: &mut Session<'_>) -> Result<BTreeMap<String, Rendered>, Error> {
        let mut rendered = BTreeMap::new();
        for path in self.order.iter().filter(|path| !base(path).starts_with('_')) {
            let Some(template) = self.collected.templates.get(path) else { continue };
            let about = Map::new();
            about.insert("Name", path.as_str().into());
            about.insert("BasePath", template.folder.as_str().into());
            let about = about.retyped(self.compat.values_kind());
            template.context.insert("Template", Value::Map(about));
            let context = Value::Map(template.context.retyped(self.compat.values_kind()));
            let out =
                self.templates.execute(path, &context, session).map_err(|e| exec_error(&e, self.compat))?;
            rendered.insert(path.clone(), without_no_value(out).into());
        }
        Ok(rendered)
    }
}

/// A rendering that wrote down what it read.
#[derive(Debug)]
pub struct Recorded {
    /// What [`render`] would have given.
    pub files: Result<BTreeMap<String, Rendered>, Error>,
    /// What was read for it, and what was read last if it failed.
    pub recording: Recording,
    /// The texts of the templates by path.
    pub templates: BTreeMap<String, Text>,
    /// What the charts' templates were executed with, by the charts' names below the outermost one.
    pub contexts: Vec<(Vec<String>, Map)>,
}

/// Renders as [`render`] does and writes down what is read on the way.
pub fn render_recorded(request: &Request<'_>, functions: Arc<Functions>, door: &dyn Door) -> Recorded {
    let mut session = Session::new(door).recorded();
    let (collected, files) = match Rendering::of(Collected::of(request), request.compat, functions) {
        Ok(rendering) => {
            let files = rendering.run(&mut session);
            (rendering.collected, files)
        }
        Err(failed) => (failed.0, Err(failed.1)),
    };
    Recorded {
        files,
        recording: session.into_recording().unwrap_or_default(),
        templates: collected.templates.into_iter().map(|(path, found)| (path, found.text)).collect(),
        contexts: collected.contexts,
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn release_value(release: &Release) -> Value {
    Value::map([
        ("Name", release.name.as_str().into()),
        ("Namespace", release.namespace.as_str().into()),
        ("IsUpgrade", release.is_upgrade.into()),
        ("IsInstall", (!release.is_upgrade).into()),
        ("Revision", Value::int(release.revision)),
        ("Service", "Helm".into()),
    ])
}

/// The deepest paths first, and among equals the last ones: what is parsed later wins.
fn sorted<'k>(paths: impl Iterator<Item = &'k String>) -> Vec<String> {
    let depth = |path: &String| path.bytes().filter(|b| *b == b'/').count();
    let mut paths: Vec<String> = paths.cloned().collect();
    paths.sort_by(|a, b| depth(b).cmp(&depth(a)).then_with(|| b.cmp(a)));
    paths
}

/// A template and what it is executed with.
struct Found {
    text: Text,
    context: Map,
    folder: String,
}

/// All templates by path, and what those of each chart are executed with.
#[derive(Default)]
struct Collected {
    templates: HashMap<String, Found>,
    contexts: Vec<(Vec<String>, Map)>,
}

impl Collected {
    fn of(request: &Request<'_>) -> Self {
        let top = Top {
            release: release_value(request.release),
            capabilities: Value::Object(Arc::clone(&request.capabilities) as Arc<_>),
            compat: request.compat,
        };
        let mut collected = Self::default();
        top.collect(request.chart, &Place::Root(request.values), &mut Vec::new(), &mut collected);
        collected
    }
}

/// What all charts see alike.
struct Top {
    release: Value,
    capabilities: Value,
    compat: Compat,
}

/// Where a chart stands.
enum Place<'p> {
    Root(&'p Map),
    Below { values: &'p Map, parent: &'p str, grandparent: &'p str },
}

impl Top {
    /// Collects the templates of a chart and its dependencies; the context of the chart comes back.
    fn collect(
        &self,
        chart: &Chart,
        place: &Place<'_>,
        names: &mut Vec<String>,
        collected: &mut Collected,
    ) -> Map {
        let name = &chart.metadata.name;
        let (values, path, above) = match place {
            Place::Root(values) => ((*values).clone(), name.clone(), ""),
            Place::Below { values, parent, grandparent } => {
                let path = match &chart.path_below {
                    Some(old) => format!("{grandparent}/charts/{old}/charts/{name}"),
                    None => format!("{parent}/charts/{name}"),
                };
                (table(values, name).unwrap_or_default(), path, *parent)
            }
        };
        let context = Map::new();
        let children = Map::new();
        context.insert("Chart", chart_value(chart, matches!(place, Place::Root(_)), self.compat));
        context.insert("Files", Files::value(&chart.files));
        context.insert("Release", self.release.clone());
        context.insert("Capabilities", self.capabilities.clone());
        context.insert("Values", Value::Map(values.retyped(self.compat.values_kind())));
        context.insert("Subcharts", Value::Map(children.clone()));
        for child in &chart.dependencies {
            let place = Place::Below { values: &values, parent: &path, grandparent: above };
            names.push(child.metadata.name.clone());
            let below = self.collect(child, &place, names, collected);
            names.pop();
            children.insert(child.metadata.name.as_str(), Value::Map(below));
        }
        let library = chart.metadata.kind.eq_ignore_ascii_case("library");
        for template in chart.templates.iter() {
            if library && !base(&template.name).starts_with('_') {
                continue;
            }
            collected.templates.insert(
                format!("{path}/{}", template.name),
                Found {
                    text: template.data.clone(),
                    context: context.clone(),
                    folder: format!("{path}/templates"),
                },
            );
        }
        collected.contexts.push((names.clone(), context.clone()));
        context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_and_late_paths_come_first() {
        let paths = ["a/templates/b", "a/templates/_c", "a/charts/s/templates/x", "a/templates/B"];
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(
            sorted(paths.iter()),
            ["a/charts/s/templates/x", "a/templates/b", "a/templates/_c", "a/templates/B"]
        );
    }
}
