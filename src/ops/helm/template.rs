//! `lap helm template`: a chart rendered without a cluster (`Helm: pkg/cmd/template.go`, pkg/action/install.go).

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chart::{check_dependencies, detect, read, values};
use super::output::Output;
use super::trouble::Trouble;
use super::{Settings, failed, load, post_render};
use crate::base::{Failure, Kind};
use crate::chart::explain::{Question, Source, explain, read_last};
use crate::chart::{
    self, Capabilities, Chart, Compat, Given, Hook, KubeVersion, Recorded, Release, Rendered, Rendering,
    Sorted, coalesce_last, is_compatible, pattern, process,
};
use crate::host::{self, fs};
use crate::ops::door::Live;
use crate::report::Context;
use crate::template::{Functions, MissingKey, Session, Templates};
use crate::yaml::{Map, Value};

/// What to render.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Name and chart, or the chart alone.
    pub arguments: Vec<String>,
    /// `--generate-name`.
    pub generate_name: bool,
    /// `--name-template`.
    pub name_template: String,
    /// The user's values.
    pub values: Given,
    /// `--is-upgrade`.
    pub is_upgrade: bool,
    /// `--kube-version`.
    pub kube_version: Option<String>,
    /// `--api-versions`.
    pub api_versions: Vec<String>,
    /// `--include-crds`.
    pub include_crds: bool,
    /// `--no-hooks`.
    pub no_hooks: bool,
    /// `--skip-tests`.
    pub skip_tests: bool,
    /// `--show-only`.
    pub show_only: Vec<String>,
    /// `--output-dir`.
    pub output_dir: Option<PathBuf>,
    /// `--release-name`.
    pub use_release_name: bool,
    /// `--skip-schema-validation`.
    pub skip_schema: bool,
    /// `--enable-dns`.
    pub enable_dns: bool,
    /// `--post-renderer` and its arguments.
    pub post_renderer: Option<(String, Vec<String>)>,
    /// `--explain`: a place of a rendered object.
    pub explain: Option<String>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// For standard output.
    pub output: Output,
    /// For standard error.
    pub warnings: Vec<String>,
    /// Why not all is well; the output may still be worth seeing.
    pub failure: Option<Failure>,
    /// What is not needed any more, for somebody who ends anyway: taking large trees apart takes time.
    pub spent: Vec<Box<dyn Any>>,
}

/// Renders a chart.
///
/// # Errors
/// If the chart, the values or the flags are wrong. What goes wrong in templates is in the report.
pub fn run(cx: &Context, settings: &Settings, request: &Request) -> Result<Report, Failure> {
    let compat = settings.compat;
    let kube_version = request.kube_version.as_deref().filter(|v| !v.is_empty()).map(|text| {
        KubeVersion::parse(text, compat)
            .map_err(|e| failed("read --kube-version", format!("invalid kube version '{text}': {e}")))
    });
    let kube_version = kube_version.transpose()?;
    let (name, reference) = name_and_chart(request)?;
    let source = super::Source::locate(&reference)?;
    let user = values(&request.values, compat)?;
    detect(&source, compat)?;
    let loaded = load(&source, compat)?;
    let mut render = Render {
        cx,
        settings,
        request,
        source,
        doing: format!("render the chart {reference}"),
        name,
        report: Report { warnings: loaded.warnings, ..Report::default() },
    };
    render.chart(loaded.chart, &user, kube_version)?;
    Ok(render.report)
}

fn name_and_chart(request: &Request) -> Result<(String, String), Failure> {
    let doing = "name the release";
    let set = |flag: &str| Err(failed(doing, format!("cannot set --{flag} and also specify a name")));
    match request.arguments.as_slice() {
        [] => Err(Failure::new(Kind::Usage, doing).because("a chart is needed")),
        [_, _] if request.generate_name => set("generate-name"),
        [_, _] if !request.name_template.is_empty() => set("name-template"),
        [name, chart] => Ok((name.clone(), chart.clone())),
        [chart] => {
            if !request.name_template.is_empty() {
                return Ok((name_from(&request.name_template).map_err(|e| failed(doing, e))?, chart.clone()));
            }
            // Helm has named the release before it looks at --generate-name.
            Ok(("release-name".to_owned(), chart.clone()))
        }
        [_, _, rest @ ..] => Err(failed(
            doing,
            format!("expected at most two arguments, unexpected arguments: {}", rest.join(", ")),
        )),
    }
}

fn name_from(template: &str) -> Result<String, String> {
    let mut templates = Templates::new("name-template", Arc::new(Functions::sprig()), MissingKey::Invalid);
    templates.parse("name-template", template.as_bytes()).map_err(|e| e.to_string())?;
    let door = Live::new(host::clock::system(), true);
    let out = templates
        .execute("name-template", &Value::Null, &mut Session::new(&door))
        .map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Refuses names that Kubernetes would not take.
fn check_name(name: &str, compat: Compat) -> Result<(), String> {
    let label = |part: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = part.as_bytes();
        matches!((bytes.first(), bytes.last()), (Some(a), Some(b)) if inner(*a) && inner(*b))
            && bytes.iter().all(|b| inner(*b) || *b == b'-')
    };
    if name.len() <= 53 && name.split('.').all(label) {
        return Ok(());
    }
    let prefix = if compat.is_3() { "" } else { "release name check failed: " };
    let why = if name.is_empty() {
        "no name provided".to_owned()
    } else {
        "invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ \
         and the length must not be longer than 53"
            .to_owned()
    };
    Err(format!("{prefix}release name {name:?}: {why}"))
}

struct Render<'r> {
    cx: &'r Context,
    settings: &'r Settings,
    request: &'r Request,
    source: super::Source,
    doing: String,
    name: String,
    report: Report,
}

impl Render<'_> {
    fn fail(&self, words: impl Into<String>) -> Failure {
        failed(self.doing.as_str(), words)
    }

    fn chart(
        &mut self,
        mut chart: Chart,
        user: &Map,
        kube_version: Option<KubeVersion>,
    ) -> Result<(), Failure> {
        let compat = self.settings.compat;
        let metadata = &chart.metadata;
        if !matches!(metadata.kind.as_str(), "" | "application") {
            return Err(self.fail(format!("{} charts are not installable", metadata.kind)));
        }
        if metadata.deprecated {
            self.report.warnings.push("this chart is deprecated".to_owned());
        }
        check_dependencies(&chart).map_err(|e| {
            let (first, mark) = if compat.is_3() { ("An", '`') } else { ("an", '\'') };
            self.fail(format!(
                "{first} error occurred while checking for chart dependencies. You may need to run {mark}helm \
                 dependency build{mark} to fetch missing dependencies: {e}"
            ))
        })?;
        check_name(&self.name, compat).map_err(|e| self.fail(e))?;
        process(&mut chart, user, compat, &mut self.report.warnings).map_err(|e| {
            let prefix = if compat.is_3() { "" } else { "chart dependencies processing failed: " };
            self.fail(format!("{prefix}{e}"))
        })?;
        let capabilities = Capabilities::offline(compat, kube_version, &self.request.api_versions);
        let values = coalesce_last(&mut chart, user, compat, &mut self.report.warnings)
            .map_err(|e| self.fail(e.to_string()))?;
        if !self.request.skip_schema {
            let door = Live::new(self.cx.clock.clone(), false);
            chart::validate(&chart, &values, &door).map_err(|e| self.fail(e.to_string()))?;
        }
        if let Err(failure) = self.rendered(&chart, (&values, user), capabilities) {
            self.report.failure = Some(match self.settings.debug || self.request.explain.is_some() {
                true => failure,
                false => failure.hint("use --debug to see what was rendered, also where it is invalid YAML"),
            });
        }
        self.report.spent.push(Box::new((chart, values)));
        Ok(())
    }

    fn rendered(
        &mut self,
        chart: &Chart,
        (values, user): (&Map, &Map),
        capabilities: Capabilities,
    ) -> Result<(), Failure> {
        let compat = self.settings.compat;
        let kube = &capabilities.kube_version;
        let wanted = &chart.metadata.kube_version;
        if !wanted.is_empty() && !is_compatible(wanted, &kube.normalized) {
            let shown = if compat.is_3() { &kube.normalized } else { &kube.version };
            return Err(self.fail(format!(
                "chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {shown}"
            )));
        }
        let release = Release {
            name: self.name.clone(),
            namespace: self.settings.namespace(),
            revision: 1,
            is_upgrade: self.request.is_upgrade,
        };
        let request =
            chart::Request { chart, values, release: &release, capabilities: Arc::new(capabilities), compat };
        let door = Live::new(self.cx.clock.clone(), self.request.enable_dns);
        let functions = Arc::new(compat.functions());
        if let Some(place) = &self.request.explain {
            let recorded = chart::render_recorded(&request, functions, &door);
            if let Err(error) = &recorded.files {
                return Err(self.trouble(error, chart, &recorded));
            }
            let given = self.given()?;
            let question = Question { chart, given: &given, recorded: &recorded, compat };
            let told =
                explain(&question, place).map_err(|e| failed(format!("explain {place}"), e.to_string()))?;
            self.report.output = told.to_string().into();
            return Ok(());
        }
        let rendering = Rendering::new(&request, Arc::clone(&functions));
        let files = rendering.and_then(|rendering| {
            let files = rendering.run(&mut Session::new(&door))?;
            self.report.spent.push(Box::new(rendering));
            Ok(files)
        });
        let mut files = match files {
            Ok(files) => files,
            Err(error) => {
                // Once more from the beginning, for templates may have changed values: this time all is written down.
                let Ok((chart, values)) = self.again(user) else { return Err(self.fail(error.to_string())) };
                let request = chart::Request { chart: &chart, values: &values, ..request };
                let recorded = chart::render_recorded(&request, functions, &door);
                return Err(self.trouble(&error, &chart, &recorded));
            }
        };
        files.retain(|path, _| !path.ends_with("NOTES.txt"));
        if let (Some((program, arguments)), false) = (&self.request.post_renderer, compat.is_3()) {
            let stream = chart::postrender::merge(&files).map_err(|e| self.fail(e.to_string()))?;
            let answer = post_render::run(&self.doing, program, arguments, &stream)?;
            files = chart::postrender::part(&answer).map_err(|e| self.fail(e.to_string()))?;
        }
        let sorted = match chart::sort(&files, compat) {
            Ok(sorted) => sorted,
            Err(error) => {
                if self.settings.debug {
                    self.raw(&files);
                }
                return Err(self.fail(error.to_string()));
            }
        };
        drop(files);
        self.report.warnings.extend(sorted.notes.iter().cloned());
        self.write(chart, &sorted)
    }

    /// The chart and its values as they were before templates saw them.
    fn again(&self, user: &Map) -> Result<(Chart, Map), Failure> {
        let (compat, warnings) = (self.settings.compat, &mut Vec::new());
        let mut chart = load(&self.source, compat)?.chart;
        process(&mut chart, user, compat, warnings)?;
        let values = coalesce_last(&mut chart, user, compat, warnings)?;
        Ok((chart, values))
    }

    /// What the user gave, piece by piece.
    fn given(&self) -> Result<Vec<Source>, Failure> {
        let sources = self.request.values.sources(self.settings.compat, &mut read);
        sources.map_err(|e| failed("read the values", e.to_string()))
    }

    /// The failure of a rendering, with the place and what was read there.
    fn trouble(&self, error: &chart::Error, chart: &Chart, recorded: &Recorded) -> Failure {
        let failure = self.fail(error.to_string());
        let chart::Error::Render { frames, .. } = error else { return failure };
        // Standard input is gone by now; its values have no place then.
        let given = self.given().unwrap_or_default();
        let question = Question { chart, given: &given, recorded, compat: self.settings.compat };
        Trouble { frames, recorded, read: &read_last(&question) }.tell(failure)
    }

    /// All files as they were rendered, for somebody who looks for the mistake.
    fn raw(&mut self, files: &BTreeMap<String, Rendered>) {
        let mut out = Output::default();
        for (path, content) in files.iter().filter(|(_, c)| !c.as_bytes().trim_ascii().is_empty()) {
            out.document(path, content.clone());
        }
        out.trim();
        out.push("\n");
        self.report.output.append(out);
    }

    fn write(&mut self, chart: &Chart, sorted: &Sorted) -> Result<(), Failure> {
        let hooks: Vec<&Hook> = sorted
            .hooks
            .iter()
            .filter(|hook| {
                !(self.request.no_hooks || self.request.skip_tests && hook.events.contains(&"test"))
            })
            .collect();
        if let Some(folder) = &self.request.output_dir {
            let folder = folder.clone();
            return self.write_files(chart, sorted, &hooks, &folder);
        }
        let mut out = Output::default();
        if self.request.include_crds {
            for crd in chart.crds() {
                out.document(&crd.path, crd.file.data.as_bytes().into());
            }
        }
        for manifest in &sorted.manifests {
            out.document(&manifest.path, manifest.content.clone());
        }
        if let (Some((program, arguments)), true) = (&self.request.post_renderer, self.settings.compat.is_3())
        {
            out = post_render::run(&self.doing, program, arguments, &out.to_bytes())?.into();
        }
        out.trim();
        out.push("\n");
        for hook in hooks {
            out.document(&hook.path, hook.manifest.clone());
        }
        if self.request.show_only.is_empty() {
            self.report.output = out;
            return Ok(());
        }
        self.show_only(&out.to_bytes().into())
    }

    fn show_only(&mut self, all: &Rendered) -> Result<(), Failure> {
        let documents = chart::split(all, self.settings.compat);
        let mut out = Output::default();
        for wanted in &self.request.show_only {
            let mut found = false;
            for document in &documents {
                if source_of(document).is_some_and(|path| pattern::matches(wanted, &path) == Ok(true)) {
                    found = true;
                    out.push("---\n");
                    out.push(document.clone());
                    out.push("\n");
                }
            }
            if !found {
                let words = format!("could not find template {wanted} in chart");
                return Err(self.fail(words));
            }
        }
        self.report.output = out;
        Ok(())
    }

    fn write_files(
        &mut self,
        chart: &Chart,
        sorted: &Sorted,
        hooks: &[&Hook],
        folder: &Path,
    ) -> Result<(), Failure> {
        let named = if self.request.use_release_name { folder.join(&self.name) } else { folder.to_owned() };
        let mut lines = String::new();
        let mut written = Vec::new();
        if self.request.include_crds {
            for crd in chart.crds() {
                let append = written.contains(&crd.path);
                write_file(folder, &crd.path, crd.file.data.as_bytes(), append, &mut lines)?;
                written.push(crd.path);
            }
        }
        for manifest in &sorted.manifests {
            let append = written.contains(&manifest.path);
            write_file(&named, &manifest.path, manifest.content.as_bytes(), append, &mut lines)?;
            written.push(manifest.path.clone());
        }
        for hook in hooks {
            let append = fs::exists(named.join(&hook.path));
            write_file(&named, &hook.path, hook.manifest.as_bytes(), append, &mut lines)?;
        }
        lines.push('\n');
        self.report.output = lines.into();
        Ok(())
    }
}

fn document(out: &mut Vec<u8>, path: &str, content: &[u8]) {
    out.extend_from_slice(b"---\n# Source: ");
    out.extend_from_slice(path.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(content);
    out.push(b'\n');
}

/// The path behind the chart's name in the comment that says where a document comes from.
fn source_of(document: &Rendered) -> Option<String> {
    let text = document.lossy();
    text.lines().find_map(|line| {
        let (_, path) = line.split_once("# Source: ")?;
        let (chart, rest) = path.split_once('/')?;
        (!chart.is_empty() && !rest.is_empty()).then(|| rest.to_owned())
    })
}

fn write_file(
    folder: &Path,
    path: &str,
    content: &[u8],
    append: bool,
    lines: &mut String,
) -> Result<(), Failure> {
    let target = folder.join(path);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut text = Vec::new();
    document(&mut text, path, content);
    if append {
        let mut file = fs::open_with(fs::OpenOptions::new().append(true), &target)?;
        file.write_all(&text).map_err(|e| host::Error::new("write", &target, e))?;
    } else {
        fs::write(&target, &text)?;
    }
    let _ = writeln!(lines, "wrote {}/{path}", folder.display());
    Ok(())
}
