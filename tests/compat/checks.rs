//! Our build checks, outlines and targets against what BuildKit's frontend says of the same Dockerfiles.
//!
//! The questions and BuildKit's answers are lines of `fixtures/compat/checks/*.jsonl`; `tests/oracles/buildkit-checks`
//! asked them. Order is compared by line only: BuildKit's own order changes from run to run.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use lapstrake::base::{Failure, Platform, SourceFile};
use lapstrake::build::Error;
use lapstrake::build::evaluate::survey::{self, Subject, Survey, document};
use lapstrake::build::evaluate::{self, Parameters};
use lapstrake::build::step::Network;
use lapstrake::dockerfile::{self, Rule, ignore};
use lapstrake::oci::ImageConfig;
use serde::Deserialize;
use serde_json::{Value, json};

/// Checks of which our answer differs on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("a syntax error", "with a file that cannot be read, only that is told"),
    ("an unknown flag", "with a file that cannot be read, only that is told"),
    ("a later stage", "with stages that do not fit together, only what the text says is told beside"),
    ("a required variable", "the error says it already"),
    ("an image for another platform that was asked for", "BuildKit's checks do not look at --platform"),
    ("an image for the platform that was asked for", "BuildKit's checks do not look at --platform"),
    ("an image of another variant", "BuildKit's checks do not look at --platform"),
];

/// Lists of targets that differ on purpose: BuildKit does not look at check options there, we read them with the file; and
/// it reads the build argument, which lists of targets do not need.
const OTHER_TARGETS: &[&str] = &[
    "error of another value",
    "an unknown option",
    "an option without value",
    "nonsense on the command line",
];

#[derive(Deserialize)]
struct Question {
    name: String,
    dockerfile: String,
    #[serde(default)]
    ignore: String,
    target: Option<String>,
    platform: Option<String>,
    #[serde(default)]
    args: BTreeMap<String, String>,
    lint: Answer,
    outline: Answer,
    targets: Answer,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Value,
    #[serde(default)]
    text: String,
    #[serde(default)]
    error: String,
}

struct Bases(BTreeMap<String, Value>);

#[test]
fn every_rule_is_asked_for() {
    let mut asked = BTreeSet::new();
    for question in questions() {
        for warning in question.lint.result["warnings"].as_array().into_iter().flatten() {
            asked.insert(warning["ruleName"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(asked.len(), 22, "{asked:?}");
}

#[test]
fn checks() {
    compare(250, |question, bases| {
        let (ours, error) = check(question, bases);
        let Some(theirs) = question.lint.result.as_object() else {
            return (!error).then(|| format!("BuildKit says {}", question.lint.error)).into_iter().collect();
        };
        let stopped = theirs.get("buildError");
        let mut found = Vec::new();
        if stopped.is_some() != error {
            found.push(format!("error: BuildKit {stopped:?}, we {:?}", ours["buildError"]));
        }
        if let Some(stopped) = stopped {
            let place = &stopped["location"];
            let named = place.as_object().is_some_and(|place| !place.is_empty());
            if named && first_line(&ours["buildError"]) != first_line(stopped) {
                found.push(format!("place of the error: BuildKit {place}, we {}", ours["buildError"]));
            }
        }
        let (theirs, ours) = (warnings(&question.lint.result), warnings(&ours));
        // After an error BuildKit looks no further; we may.
        let missing = theirs.iter().filter(|warning| count(&theirs, warning) > count(&ours, warning));
        found.extend(missing.map(|warning| format!("we do not say: {warning}")));
        if stopped.is_none() {
            let more = ours.iter().filter(|warning| count(&ours, warning) > count(&theirs, warning));
            found.extend(more.map(|warning| format!("BuildKit does not say: {warning}")));
        }
        match DIFFERENT.iter().find(|(name, _)| *name == question.name) {
            Some(_) if found.is_empty() => {
                vec!["it does not differ any more: take it out of DIFFERENT".into()]
            }
            Some(_) => Vec::new(),
            None => found,
        }
    });
}

#[test]
fn outlines() {
    compare(250, |question, bases| {
        let Some(file) = parse(question) else {
            return (question.outline.error.is_empty())
                .then(|| "we cannot read it".into())
                .into_iter()
                .collect();
        };
        let Some((ours, stopped)) = look(question, bases, &file, false) else {
            return question.outline.error.is_empty().then(|| "we say nothing".into()).into_iter().collect();
        };
        if !question.outline.error.is_empty() {
            return (!stopped)
                .then(|| format!("BuildKit says {}", question.outline.error))
                .into_iter()
                .collect();
        }
        let mut document = document::outline(&file.file, &ours.parameters);
        document.as_object_mut().unwrap().remove("sources");
        let mut found = Vec::new();
        if sorted(&document) != sorted(&question.outline.result) {
            found.push(format!("BuildKit {}\nwe       {document}", question.outline.result));
        }
        let printed = document::outline_text(&ours.parameters);
        let (theirs, ours) = (lines(&question.outline.text), lines(&printed));
        if theirs != ours {
            found.push(format!("BuildKit prints {theirs:#?}, we {ours:#?}"));
        }
        found
    });
}

#[test]
fn targets() {
    compare(250, |question, _| {
        let different = OTHER_TARGETS.contains(&question.name.as_str());
        if question.targets.error == "it crashes" || different {
            return Vec::new();
        }
        let Some(file) = parse(question) else {
            return question
                .targets
                .error
                .is_empty()
                .then(|| "we cannot read it".into())
                .into_iter()
                .collect();
        };
        let ours = survey::targets(&file);
        let mut document = document::targets(&file.file, &ours);
        document.as_object_mut().unwrap().remove("sources");
        let mut theirs = question.targets.result.clone();
        if theirs["targets"].is_null() && theirs.is_object() {
            theirs["targets"] = json!([]);
        }
        let mut found = Vec::new();
        if document != theirs {
            found.push(format!("BuildKit {theirs}\nwe       {document}"));
        }
        // Its columns are aligned by block; ends of lines are ours.
        if lines(&question.targets.text) != lines(&document::targets_text(&ours)) {
            found.push(format!(
                "BuildKit prints {}, we {}",
                question.targets.text,
                document::targets_text(&ours)
            ));
        }
        found
    });
}

fn questions() -> Vec<Question> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/compat/checks");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.iter().filter(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
    let texts = files.map(|path| std::fs::read_to_string(path).unwrap());
    texts
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
        .collect()
}

/// Asks all questions; `least` is how many there must be, so that empty files do not pass.
fn compare(least: usize, differences: impl Fn(&Question, &Bases) -> Vec<String>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/compat/checks/bases.json");
    let bases = Bases(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap());
    let questions = questions();
    assert!(questions.len() >= least, "only {} cases", questions.len());
    let mut complaints = Vec::new();
    for question in &questions {
        let found = differences(question, &bases);
        if !found.is_empty() {
            complaints.push(format!("{}:\n{}\n{}", question.name, question.dockerfile, found.join("\n")));
        }
    }
    let (count, all) = (complaints.len(), questions.len());
    assert!(complaints.is_empty(), "{count} of {all} cases differ\n\n{}", complaints.join("\n\n"));
}

fn source(question: &Question) -> Arc<SourceFile> {
    SourceFile::new("Dockerfile", question.dockerfile.as_bytes())
}

fn parse(question: &Question) -> Option<dockerfile::Dockerfile> {
    dockerfile::parse(&source(question)).ok()
}

fn parameters(question: &Question) -> Parameters {
    let machine = Platform::new("linux", "amd64", "");
    Parameters {
        build_args: question.args.clone(),
        target: question.target.clone(),
        platform: question.platform.as_ref().map_or(machine.clone(), |text| text.parse().unwrap()),
        platform_given: question.platform.is_some(),
        build_platform: machine,
        network: Network::Host,
        labels: BTreeMap::new(),
        contexts: Vec::new(),
        lenient: false,
        always_given: false,
    }
}

/// Our `--call check` as JSON, and whether it says that the file cannot be built.
fn check(question: &Question, bases: &Bases) -> (Value, bool) {
    let source = source(question);
    let file = match dockerfile::parse(&source) {
        Ok(file) => file,
        Err(error) => {
            let failure = Failure::from(error);
            return (document::check(&source, &[], Some(&failure)), true);
        }
    };
    let parameters = parameters(question);
    let options = match survey::options(&file, &parameters) {
        Ok(options) => options,
        Err(error) => return (document::check(&source, &[], Some(&Failure::from(error))), true),
    };
    let (mut warnings, mut error) = match surveyed(question, bases, (&file, &parameters), true) {
        Ok((survey, error)) => (survey.warnings, error),
        Err(error) => (survey::text(&file, &parameters, &options), Some(error)),
    };
    warnings.retain(|warning| warning.rule != Rule::IgnoredFlag);
    error = error.or_else(|| survey::violation(&options, &warnings));
    let failure = error.map(Failure::from);
    (document::check(&source, &warnings, failure.as_ref()), failure.is_some())
}

fn look(
    question: &Question,
    bases: &Bases,
    file: &dockerfile::Dockerfile,
    all: bool,
) -> Option<(Survey, bool)> {
    let parameters = parameters(question);
    let (survey, error) = surveyed(question, bases, (file, &parameters), all).ok()?;
    let options = survey::options(file, &parameters).ok()?;
    let stopped = error.is_some() || survey::violation(&options, &survey.warnings).is_some();
    Some((survey, stopped))
}

fn surveyed(
    question: &Question,
    bases: &Bases,
    (file, parameters): (&dockerfile::Dockerfile, &Parameters),
    all: bool,
) -> Result<(Survey, Option<Error>), Error> {
    let options = survey::options(file, parameters)?;
    let outlined = match all && question.target.is_none() {
        true => evaluate::outline_all(file, parameters)?,
        false => evaluate::outline(file, parameters)?,
    };
    let mut configs = Vec::new();
    for base in &outlined.bases {
        let name = base.reference.to_string();
        let found = bases.0.get(&format!("{name} {}", base.platform)).or_else(|| bases.0.get(&name));
        match found {
            Some(found) => configs.push(ImageConfig::parse(found.to_string().as_bytes()).unwrap()),
            None => return Err(Error::definition(&base.span, format!("{name}: not found"))),
        }
    }
    let ignore = ignore::Matcher::read(question.ignore.as_bytes())?;
    let subject =
        Subject { file, outline: &outlined, bases: &configs, parameters, ignore: &ignore, check: &options };
    let error = evaluate::evaluate(file, &outlined, &configs, parameters).err();
    Ok((survey::survey(&subject), error.filter(|error| !is_unsupported(error))))
}

/// What is understood but not carried out yet is no error of the file.
fn is_unsupported(error: &Error) -> bool {
    error.to_string().contains("not supported yet")
}

/// Warnings as lines of JSON.
fn warnings(document: &Value) -> Vec<String> {
    let list = document["warnings"].as_array().into_iter().flatten();
    list.map(|warning| sorted(warning).to_string()).collect()
}

fn count(all: &[String], one: &String) -> usize {
    all.iter().filter(|other| *other == one).count()
}

fn first_line(error: &Value) -> &Value {
    &error["location"]["ranges"][0]["start"]["line"]
}

/// The lists of a document in an order of their own; `serde_json` sorts the names.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(sorted).collect();
            list.sort_by_key(ToString::to_string);
            list.into()
        }
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), sorted(value))).collect(),
        other => other.clone(),
    }
}

/// Lines without blanks at their ends, in an order of their own.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.sort_unstable();
    lines
}
