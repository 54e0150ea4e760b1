//! How fast the languages of charts are: YAML both ways, templates, `tpl` in a large set, look-ups in a large index.

#![allow(clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lapstrake::chart::{self, Capabilities, Compat, File, Loader, Release, Request};
use lapstrake::chartrepo::Index;
use lapstrake::template::{Closed, Functions, MissingKey, Session, Templates};
use lapstrake::yaml::{self, Map, Options, Value};

/// Values as charts have them: nested maps, lists, comments, quoted and long texts.
fn values(sections: usize) -> String {
    let mut out = String::new();
    for n in 0..sections {
        let _ = write!(
            out,
            "service{n}:\n  # how many of these\n  replicas: {n}\n  enabled: true\n  image:\n    repository: \
             registry.example.com/team/service-{n}\n    tag: \"1.{n}.0\"\n    pullPolicy: IfNotPresent\n  resources:\n    \
             limits: {{cpu: 500m, memory: 256Mi}}\n  env:\n  - name: LOG_LEVEL\n    value: info\n  - name: URL\n    value: \
             'http://service-{n}.example.com/path?x=1'\n  annotations:\n    description: a text of some words that goes on \
             for a while and says little\n  script: |\n    #!/bin/sh\n    exec /bin/service --port 80{n}\n"
        );
    }
    out
}

fn yaml_both_ways(c: &mut Criterion) {
    let mut group = c.benchmark_group("yaml");
    group.sample_size(20);
    for sections in [1000, 2000] {
        let text = values(sections);
        let tree = yaml::read(text.as_bytes(), Options::default()).unwrap();
        let written = yaml::write(&tree).unwrap();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("read", sections), &text, |b, text| {
            b.iter(|| black_box(yaml::read(text.as_bytes(), Options::default()).unwrap()));
        });
        group.throughput(Throughput::Bytes(written.len() as u64));
        group.bench_with_input(BenchmarkId::new("write", sections), &tree, |b, tree| {
            b.iter(|| black_box(yaml::write(tree).unwrap()));
        });
    }
    group.finish();
}

/// A set with that many defined templates.
fn set(defined: usize) -> Templates {
    let mut templates = Templates::new("gotpl", Arc::new(Functions::helm()), MissingKey::Zero);
    for n in 0..defined {
        let text = format!("{{{{ define \"t{n}\" }}}}{{{{ .name | quote }}}}-{n}{{{{ end }}}}");
        templates.parse(&format!("f{n}"), text.as_bytes()).unwrap();
    }
    templates.parse("tpl", b"{{ tpl \"{{ .name }}-{{ .n }}\" . }}").unwrap();
    templates
        .parse(
            "deployment",
            b"{{ range .list }}\nname: {{ .name | quote }}\n{{- with .image }}\nimage: {{ .repository }}:{{ .tag }}\n{{- end \
              }}\nenv:\n  {{- toYaml .env | nindent 2 }}\n{{ include \"t1\" . }}{{ end }}",
        )
        .unwrap();
    templates
}

fn templates(c: &mut Criterion) {
    let data = Value::map([("name", "web".into()), ("n", 3.0.into())]);
    let mut group = c.benchmark_group("tpl, by templates in the set");
    for defined in [10, 2000] {
        let set = set(defined);
        group.bench_with_input(BenchmarkId::from_parameter(defined), &set, |b, set| {
            b.iter(|| black_box(set.execute("tpl", &data, &mut Session::new(&Closed)).unwrap()));
        });
    }
    group.finish();
    let mut group = c.benchmark_group("rendering, by objects");
    group.sample_size(20);
    for objects in [500, 1000] {
        let tree = yaml::read(values(objects).as_bytes(), Options::default()).unwrap();
        let list = tree.as_map().unwrap().entries().into_iter().map(|(name, value)| {
            value.as_map().unwrap().insert("name", Value::Str(name));
            value
        });
        let data = Value::map([("list", Value::list(list.collect()))]);
        let set = set(10);
        group.throughput(Throughput::Elements(objects as u64));
        group.bench_with_input(BenchmarkId::from_parameter(objects), &data, |b, data| {
            b.iter(|| black_box(set.execute("deployment", data, &mut Session::new(&Closed)).unwrap()));
        });
    }
    group.finish();
    c.bench_function("parse a template", |b| {
        let text = b"{{- range $i, $e := .list }}\n{{ if and $e.on (gt $i 3) }}{{ $e.name | quote | upper }}{{ else }}{{ \
                     include \"a\" (dict \"x\" $e) }}{{ end }}\n{{- end }}";
        let mut set = set(1);
        b.iter(|| set.parse("again", black_box(text)).unwrap());
    });
}

/// The files of a chart with that many templates, each printing one section, and that many sections of values.
fn files(templates: usize, sections: usize) -> Vec<File> {
    let file = |name: &str, text: &str| File::new(name, text.as_bytes(), 0);
    let mut files = vec![
        file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        file("values.yaml", &values(sections)),
        file(
            "templates/_h.tpl",
            "{{ define \"labels\" }}app: {{ .Chart.Name }}\nrelease: {{ .Release.Name }}{{ end }}",
        ),
    ];
    for n in 0..templates {
        let text = format!(
            "{{{{- with .Values.service{n} }}}}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c-{n}\n  labels:\n    \
             {{{{- include \"labels\" $ | nindent 4 }}}}\ndata:\n  all: |\n    {{{{- toYaml . | nindent 4 }}}}\n  image: {{{{ \
             printf \"%s:%s\" .image.repository .image.tag | quote }}}}\n  {{{{- range .env }}}}\n  {{{{ .name }}}}: {{{{ .value | quote \
             }}}}\n  {{{{- end }}}}\n{{{{- end }}}}\n"
        );
        files.push(file(&format!("templates/t{n}.yaml"), &text));
    }
    files
}

/// All that `helm template` does with the files of a chart; the number of manifests.
fn rendered(files: Vec<File>) -> usize {
    let compat = Compat::Helm4;
    let mut chart = Loader { compat }.files(files).unwrap().chart;
    let warnings = &mut Vec::new();
    chart::process(&mut chart, &Map::new(), compat, warnings).unwrap();
    let values = chart::coalesce_last(&mut chart, &Map::new(), compat, warnings).unwrap();
    let (name, namespace) = ("r".to_owned(), "n".to_owned());
    let release = Release { name, namespace, revision: 1, is_upgrade: false };
    let capabilities = Arc::new(Capabilities::offline(compat, None, &[]));
    let request = Request { chart: &chart, values: &values, release: &release, capabilities, compat };
    let files = chart::render(&request, Arc::new(compat.functions()), &Closed).unwrap();
    chart::sort(&files, compat).unwrap().manifests.len()
}

/// Twice the templates and twice the values, each by itself: the difference is what they cost.
fn growth(c: &mut Criterion) {
    let mut group = c.benchmark_group("a chart, by templates and sections of values");
    group.sample_size(10);
    for (templates, sections) in [(200, 1000), (400, 1000), (800, 1000), (200, 2000), (200, 4000)] {
        let files = files(templates, sections);
        assert_eq!(rendered(files.clone()), templates);
        group.bench_function(format!("{templates} and {sections}"), |b| {
            b.iter(|| black_box(rendered(files.clone())));
        });
    }
    group.finish();
}

/// An index of 100 MB.
fn index() -> String {
    let mut out = "apiVersion: v1\nentries:\n".to_owned();
    for chart in 0..700 {
        let _ = writeln!(out, "  chart-{chart}:");
        for version in 0..300 {
            let _ = write!(
                out,
                "  - apiVersion: v2\n    appVersion: {version}.0.0\n    created: \"2024-01-02T03:04:05.678901234Z\"\n    \
                 dependencies:\n    - name: common\n      repository: https://charts.example.com/stable\n      tags:\n      \
                 - common\n      version: 1.x.x\n    description: A chart of many that says what it does in a sentence\n    \
                 digest: {chart:032x}{version:032x}\n    home: https://example.com\n    name: chart-{chart}\n    urls:\n    \
                 - https://charts.example.com/stable/chart-{chart}-{version}.0.0.tgz\n    version: {version}.0.0\n"
            );
        }
    }
    out + "generated: \"2024-01-02T03:04:05Z\"\n"
}

fn indexes(c: &mut Criterion) {
    let text = index();
    let mut group = c.benchmark_group(format!("index of {} MB", text.len() / 1_000_000));
    group.sample_size(10);
    for chart in ["chart-0", "chart-699", "none"] {
        group.bench_with_input(BenchmarkId::new("look up", chart), chart, |b, chart| {
            b.iter(|| black_box(Index::lookup(text.as_bytes(), chart, "bench").unwrap()));
        });
    }
    group.bench_function("read whole", |b| {
        b.iter(|| black_box(Index::parse(text.as_bytes(), "bench").unwrap()))
    });
    group.finish();
}

criterion_group!(benches, yaml_both_ways, templates, growth, indexes);
criterion_main!(benches);
