//! Our answer to a question, in the form of the oracle's.

use lapstrake::base::{Failure, SourceFile};
use lapstrake::build::Error;
use lapstrake::build::evaluate::{self, Evaluated, Outline};
use lapstrake::build::step::{
    Action, BaseIndex, ContextIndex, Copy, From, Network, Parent, Read, Run, Step, Workdir,
};
use lapstrake::dockerfile;
use serde_json::{Value, json};

use super::question::{Bases, Question};

/// What we say against a Dockerfile.
pub struct Refusal {
    /// Message and causes.
    pub text: String,
    /// What can be done.
    pub hints: Vec<String>,
    /// The line we name.
    pub line: Option<usize>,
}

impl Refusal {
    /// With the hints.
    pub fn whole(&self) -> String {
        let hints = self.hints.iter().map(|hint| format!(" (hint: {hint})"));
        std::iter::once(self.text.clone()).chain(hints).collect()
    }
}

impl std::convert::From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let failure = Failure::from(error);
        let mut words = vec![failure.message().to_owned()];
        words.extend(failure.causes().iter().cloned());
        let hints = failure.hints().to_vec();
        Self { text: words.join(": "), hints, line: failure.label().map(|label| label.span.first_line()) }
    }
}

/// Evaluates the Dockerfile of a question.
pub fn answer(question: &Question, bases: &Bases) -> Result<Value, Refusal> {
    let parameters = question.parameters();
    let source = SourceFile::new("Dockerfile", question.dockerfile.as_bytes());
    let file = dockerfile::parse(&source).map_err(Error::from)?;
    let outline = evaluate::outline(&file, &parameters)?;
    let mut configurations = Vec::new();
    for request in &outline.bases {
        let missing = || Refusal {
            text: format!("{}: {}: not found", request.name, request.reference),
            hints: Vec::new(),
            line: Some(request.span.first_line()),
        };
        configurations.push(bases.find(request).ok_or_else(missing)?);
    }
    let evaluated = evaluate::evaluate(&file, &outline, &configurations, &parameters)?;
    Ok(Scene { outline: &outline, evaluated: &evaluated }.answer())
}

struct Scene<'a> {
    outline: &'a Outline,
    evaluated: &'a Evaluated,
}

impl Scene<'_> {
    fn answer(&self) -> Value {
        let target = self.evaluated.stages[self.outline.target.0].as_ref().unwrap();
        let mut image: Value = serde_json::from_slice(&target.image.to_bytes()).unwrap();
        for entry in image["history"].as_array_mut().into_iter().flatten() {
            entry.as_object_mut().unwrap().remove("created");
        }
        let steps: Vec<Value> = self.evaluated.steps.iter().map(|step| self.step(step)).collect();
        let mut bases: Vec<String> = (0..self.outline.bases.len()).map(|i| self.base(BaseIndex(i))).collect();
        bases.sort();
        json!({"bases": bases, "image": image, "steps": steps, "result": self.tree(target.result)})
    }

    fn base(&self, index: BaseIndex) -> String {
        let base = &self.outline.bases[index.0];
        format!("{} {}", base.reference, base.platform)
    }

    fn tree(&self, tree: Parent) -> String {
        match tree {
            Parent::Scratch => "scratch".into(),
            Parent::Image(base) => format!("image {}", self.base(base)),
            Parent::Step(step) => format!("line {}", self.evaluated.steps[step.0].span.first_line()),
        }
    }

    fn step(&self, step: &Step) -> Value {
        let name = step.name.split_once("] ").map_or(step.name.as_str(), |(prefix, _)| prefix);
        let (kind, action) = match &step.action {
            Action::Run(run) => ("run", running(run)),
            Action::Copy(copy) => ("copy", self.copying(step, copy)),
            Action::Workdir(workdir) => ("workdir", making(workdir)),
        };
        json!({"line": step.span.first_line(), "name": name, "parent": self.tree(step.parent), kind: action})
    }

    fn copying(&self, step: &Step, copy: &Copy) -> Value {
        let from = |read: &Read| match read.from {
            From::Scratch => "scratch".to_owned(),
            From::Context(ContextIndex(0)) => "context".to_owned(),
            From::Context(other) => format!("context {}", other.0),
            From::Stage(stage) => self.tree(self.evaluated.stages[stage.0].as_ref().unwrap().result),
            From::Image(base) => format!("image {}", self.base(base)),
        };
        let shared = |mut one: Value| {
            one["dest"] = json!(copy.destination);
            one["owner"] = copy.chown.as_deref().map_or(Value::Null, |text| json!(owner(text)));
            one["mode"] = copy.chmod.as_deref().map_or(Value::Null, |text| json!(mode(text)));
            one
        };
        let read = step.reads.iter().flat_map(|read| read.paths.iter().map(move |path| (read, path)));
        let paths = read.map(|(read, path)| {
            let from = from(read);
            let unpack = if read.unpack { json!(true) } else { Value::Null };
            shared(json!({"from": from, "path": path, "unpack": unpack}))
        });
        let documents = copy.documents.iter().map(|document| {
            let text = String::from_utf8_lossy(&document.bytes);
            shared(json!({"file": {"path": format!("/{}", document.name), "text": text, "mode": "644"}}))
        });
        Value::Array(paths.chain(documents).collect())
    }
}

fn running(run: &Run) -> Value {
    let env: Vec<String> = run.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut shown = json!({"args": run.args, "env": env, "cwd": run.cwd});
    if !run.user.is_empty() {
        shown["user"] = json!(run.user);
    }
    if run.network == Network::None {
        shown["network"] = json!("none");
    }
    if let Some(script) = &run.script {
        let text = String::from_utf8_lossy(&script.bytes);
        shown["script"] = json!({"path": script.path, "text": text, "mode": "755"});
    }
    shown
}

fn making(workdir: &Workdir) -> Value {
    let owner = if workdir.user.is_empty() { Value::Null } else { json!(owner(&workdir.user)) };
    json!({"path": workdir.path, "owner": owner})
}

/// `user:group` with numbers as BuildKit reads them.
fn owner(text: &str) -> String {
    let side = |text: &str| match text.parse::<i32>() {
        Ok(number) => number.cast_unsigned().to_string(),
        Err(_) if text.is_empty() || text == "root" => "0".into(),
        Err(_) => text.to_owned(),
    };
    match text.split_once(':') {
        Some((user, group)) => format!("{}:{}", side(user), side(group)),
        None => format!("{}:", side(text)),
    }
}

/// Numbers without leading zeros, symbolic modes as they are.
fn mode(text: &str) -> String {
    u32::from_str_radix(text, 8).map_or_else(|_| text.to_owned(), |mode| format!("{mode:o}"))
}
