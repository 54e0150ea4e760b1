//! How fast Dockerfiles are parsed, words expanded and paths matched against an ignore file.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lapstrake::base::SourceFile;
use lapstrake::dockerfile::{Escape, Expander, ignore, parse, print};

/// A Dockerfile of `stages` stages with a bit of everything.
fn dockerfile(stages: usize) -> String {
    let mut text = "# syntax=docker/dockerfile:1\nARG VERSION=1\n".to_owned();
    for stage in 0..stages {
        text.push_str(&format!(
            "FROM debian:${{VERSION}} AS stage{stage}\nARG TARGETARCH\nENV A=b PATH=\"/opt/bin:$PATH\" \\\n    C='d e'\n\
             RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n    # comment\n    apt-get update && \\\n    \
             apt-get install -y curl\nCOPY --chown=1000:1000 --link [\"a b\", \"/c\"]\nRUN <<EOF\nset -e\necho $A\nEOF\n\
             HEALTHCHECK --interval=10s CMD [\"curl\", \"localhost\"]\nENTRYPOINT [\"/app\"]\n"
        ));
    }
    text
}

fn parsing(c: &mut Criterion) {
    let mut group = c.benchmark_group("dockerfile");
    for stages in [1, 100] {
        let file = SourceFile::new("Dockerfile", dockerfile(stages));
        group.throughput(Throughput::Bytes(file.bytes().len() as u64));
        group.bench_function(format!("parse {stages} stages"), |b| {
            b.iter(|| parse(black_box(&file)).expect("a valid file"));
        });
    }
    let tree = parse(&SourceFile::new("Dockerfile", dockerfile(100))).expect("a valid file");
    group.bench_function("print 100 stages", |b| b.iter(|| print(black_box(&tree))));
    group.finish();
}

fn expanding(c: &mut Criterion) {
    let expander = Expander::new(Escape::Backslash);
    let env = |name: &str| (name == "A").then(|| "a.b.c".to_owned());
    c.bench_function("expand a word", |b| {
        b.iter(|| {
            expander.text(black_box("x/$A/\"${B:-two words}\"/${A%.*}/${A//./-}"), &env).expect("valid")
        });
    });
}

fn matching(c: &mut Criterion) {
    let patterns =
        ["**/node_modules", "*.md", "!README.md", "target/**", "**/*.o", ".git", "docs/*/draft?", "[._]*"];
    let matcher = ignore::Matcher::new(patterns).expect("valid patterns");
    let paths: Vec<(String, String)> = (0..5_000)
        .map(|n| (format!("src/part{}", n % 50), format!("src/part{}/file{n}.rs", n % 50)))
        .collect();
    let mut group = c.benchmark_group("ignore");
    group.throughput(Throughput::Elements(paths.len() as u64));
    group.bench_function("5000 paths alone", |b| {
        b.iter(|| paths.iter().filter(|(_, path)| matcher.excludes(black_box(path))).count());
    });
    group.bench_function("5000 paths in a walk", |b| {
        let (_, src) = matcher.enter(&ignore::Parent::default(), "src");
        b.iter(|| {
            let hidden = |(folder, path): &&(String, String)| {
                let (_, parent) = matcher.enter(&src, folder);
                matcher.enter(&parent, black_box(path)).0
            };
            paths.iter().filter(hidden).count()
        });
    });
    group.finish();
}

criterion_group!(benches, parsing, expanding, matching);
criterion_main!(benches);
