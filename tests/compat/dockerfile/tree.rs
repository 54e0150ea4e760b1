//! Our trees in the oracle's JSON.

use std::sync::Arc;

use lapstrake::base::SourceFile;
use lapstrake::dockerfile::command::{CommandLine, Healthcheck, Mount, Network, Pair, Run, Security, Source};
use lapstrake::dockerfile::{
    self, Command, Dockerfile, Error, Escape, Expander, Instruction, Problem, Rule, RuleSet, Statement, Word,
};
use serde_json::{Map, Value, json};

/// What we answer to a Dockerfile.
pub fn answer(file: &Arc<SourceFile>) -> Value {
    let mut out = Map::new();
    match dockerfile::statements(file) {
        Err(error) => drop(out.insert("error".into(), problem(&error))),
        Ok(statements) => {
            out.insert("statements".into(), statements.iter().map(statement).collect());
            match dockerfile::parse(file) {
                Err(error) => drop(out.insert("error".into(), problem(&error))),
                Ok(tree) => {
                    out.extend(directives(&tree));
                    out.extend(stages(&tree));
                }
            }
        }
    }
    shorten(Value::Object(out))
}

/// What we answer to a Dockerfile whose `# check=` BuildKit refuses behind the parser: we refuse it in the parser.
pub fn with_wrong_check(file: &Arc<SourceFile>) -> Value {
    let error = dockerfile::parse(file).expect_err("a wrong check directive");
    assert!(matches!(error.problem(), Problem::CheckOption(_)), "{error}: {}", error.problem());
    assert_eq!(error.lines(), Some((1, 1)));
    let statements = dockerfile::statements(file).expect("only the directive is wrong");
    json!({"statements": list(statements.iter().map(statement))})
}

fn problem(error: &Error) -> Value {
    let (first, last) = error.lines().expect("errors of files have lines");
    json!({"message": error.problem().to_string(), "first": first, "last": last})
}

fn directives(tree: &Dockerfile) -> Map<String, Value> {
    let mut out = Map::new();
    let escape = if tree.directives.escape == Escape::Backtick { "`" } else { "\\" };
    out.insert("escape".into(), json!(escape));
    if let Some(syntax) = &tree.directives.syntax {
        out.insert("syntax".into(), json!(syntax.text));
    }
    if let Some(check) = &tree.directives.check {
        let names = |set: &RuleSet| match set {
            RuleSet::Names(names) if !names.is_empty() => json!(names),
            _ => Value::Null,
        };
        let all = |set: &RuleSet| json!(*set == RuleSet::All);
        let value = json!({
            "skip": names(&check.skip), "skip_all": all(&check.skip), "error": check.error,
            "experimental": names(&check.experimental), "experimental_all": all(&check.experimental),
        });
        out.insert("check".into(), value);
    }
    let empty: Vec<&str> = tree
        .warnings
        .iter()
        .filter(|warning| warning.rule == Rule::NoEmptyContinuation)
        .map(|warning| warning.message.as_str())
        .collect();
    if !empty.is_empty() {
        out.insert("warnings".into(), json!(empty));
    }
    out
}

fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(Word::as_str).collect()
}

fn statement(read: &Statement) -> Value {
    let mut out = json!({
        "keyword": read.keyword.text, "words": texts(&read.words), "line": read.line,
        "first": read.first_line, "last": read.last_line,
    });
    if !read.flags.is_empty() {
        out["flags"] = read.flags.iter().map(|flag| json!(flag.word.text)).collect();
    }
    if read.json {
        out["json"] = json!(true);
    }
    if !read.comments.is_empty() {
        out["comments"] = json!(read.comments);
    }
    if !read.heredocs.is_empty() {
        let heredocs = read.heredocs.iter().map(|heredoc| {
            json!({
                "name": heredoc.name, "fd": heredoc.descriptor, "expand": heredoc.expand,
                "chomp": heredoc.strip_tabs, "content": heredoc.body,
            })
        });
        out["heredocs"] = heredocs.collect();
    }
    out
}

fn stages(tree: &Dockerfile) -> Map<String, Value> {
    let mut out = Map::new();
    if !tree.global_args.is_empty() {
        out.insert("args".into(), tree.global_args.iter().map(command).collect());
    }
    let stages = tree.stages.iter().map(|stage| {
        let platform = stage.from.platform.as_ref().map_or("", Word::as_str);
        json!({
            "base": stage.from.image.text, "name": stage.name().unwrap_or(""), "platform": platform,
            "doc": stage.from.description.as_deref().unwrap_or(""), "first": stage.instruction.first_line,
            "code": stage.instruction.text,
            "commands": list(stage.instructions.iter().map(command)),
        })
    });
    out.insert("stages".into(), list(stages));
    out
}

/// Go's empty lists are null.
fn list(values: impl Iterator<Item = Value>) -> Value {
    let values: Vec<Value> = values.collect();
    if values.is_empty() { Value::Null } else { Value::Array(values) }
}

fn words(list: &[Word]) -> Value {
    self::list(list.iter().map(|word| json!(word.text)))
}

fn pairs(pairs: &[Pair]) -> Value {
    list(pairs.iter().map(|pair| json!([pair.key.text, pair.value.text, pair.legacy])))
}

fn line(line: &CommandLine) -> Value {
    match line {
        CommandLine::Shell(word) if word.text.is_empty() => json!({"shell": true, "args": []}),
        CommandLine::Shell(word) => json!({"shell": true, "args": [word.text]}),
        CommandLine::Exec(words) => json!({"shell": false, "args": texts(words)}),
    }
}

fn optional(word: Option<&Word>) -> &str {
    word.map_or("", Word::as_str)
}

fn sources(sources: &[Source], destination: &Word, mut out: Value) -> Value {
    let (mut paths, mut contents) = (Vec::new(), Vec::new());
    for source in sources {
        match source {
            Source::Path(path) => paths.push(json!(path.text)),
            Source::Inline(file) => contents.push(json!([file.name.text, file.content, file.expand])),
        }
    }
    out["paths"] = list(paths.into_iter());
    out["contents"] = list(contents.into_iter());
    out["dest"] = json!(destination.text);
    out
}

fn command(instruction: &Instruction) -> Value {
    match &instruction.command {
        Command::From(_) => json!({"unknown": true}),
        Command::Arg(arg) => {
            let items = arg.items.iter().map(|item| {
                let default = item.default.as_ref().map(Word::as_str);
                json!([item.name.text, default, item.description.as_deref().unwrap_or("")])
            });
            json!({"arg": list(items)})
        }
        Command::Run(run) => json!({"run": self::run(run)}),
        Command::Copy(copy) => {
            let flags = json!({
                "chown": optional(copy.chown.as_ref()), "chmod": optional(copy.chmod.as_ref()), "link": copy.link,
                "exclude": words(&copy.exclude), "from": optional(copy.from.as_ref()), "parents": copy.parents,
            });
            json!({"copy": sources(&copy.sources, &copy.destination, flags)})
        }
        Command::Add(add) => {
            let flags = json!({
                "chown": optional(add.chown.as_ref()), "chmod": optional(add.chmod.as_ref()), "link": add.link,
                "exclude": words(&add.exclude), "keep": add.keep_git_dir,
                "checksum": optional(add.checksum.as_ref()), "unpack": add.unpack,
            });
            json!({"add": sources(&add.sources, &add.destination, flags)})
        }
        Command::Cmd(command) => json!({"cmd": line(command)}),
        Command::Entrypoint(command) => json!({"entrypoint": line(command)}),
        Command::Env(env) => json!({"env": pairs(&env.pairs)}),
        Command::Label(label) => json!({"label": pairs(&label.pairs)}),
        Command::Expose(expose) => json!({"expose": texts(&expose.ports)}),
        Command::Healthcheck(check) => json!({"healthcheck": healthcheck(check)}),
        Command::Maintainer(word) => json!({"maintainer": word.text}),
        Command::Onbuild(onbuild) => json!({"onbuild": onbuild.text}),
        Command::Shell(shell) => json!({"shell": texts(&shell.argv)}),
        Command::Stopsignal(word) => json!({"stopsignal": word.text}),
        Command::User(word) => json!({"user": word.text}),
        Command::Volume(volume) => json!({"volume": texts(&volume.paths)}),
        Command::Workdir(word) => json!({"workdir": word.text}),
    }
}

fn healthcheck(check: &Healthcheck) -> Value {
    let Healthcheck::Command(check) = check else {
        return json!({
            "test": ["NONE"], "interval": 0, "timeout": 0, "start": 0, "start_interval": 0, "retries": 0,
        });
    };
    let test: Vec<&str> = match &check.command {
        CommandLine::Shell(word) => vec!["CMD-SHELL", word.as_str()],
        CommandLine::Exec(words) => std::iter::once("CMD").chain(words.iter().map(Word::as_str)).collect(),
    };
    let nanos = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).expect("Go's range");
    json!({
        "test": test, "interval": nanos(check.interval), "timeout": nanos(check.timeout),
        "start": nanos(check.start_period), "start_interval": nanos(check.start_interval), "retries": check.retries,
    })
}

fn run(run: &Run) -> Value {
    let mut out = line(&run.line);
    out["network"] = json!(match run.network {
        Network::Default => "default",
        Network::None => "none",
        Network::Host => "host",
    });
    out["security"] = json!(if run.security == Security::Sandbox { "sandbox" } else { "insecure" });
    out["devices"] = list(run.devices.iter().map(|device| json!([device.name, device.required])));
    let expander = Expander::new(Escape::Backslash);
    let mut expand = |text: &str| expander.text(text, &super::variable).map(|expansion| expansion.text);
    let mounts: Result<Vec<_>, _> = run.mounts.iter().map(|mount| mount.resolve(&mut expand)).collect();
    match mounts {
        Ok(mounts) => out["mounts"] = list(mounts.iter().map(mount)),
        Err(error @ Error::Expand { .. }) => {
            out["mount_error"] = json!(format!("{error}: {}", error.problem()));
        }
        Err(error) => out["mount_error"] = json!(error.problem().to_string()),
    }
    out
}

fn mount(mount: &Mount) -> Value {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    json!({
        "type": mount.kind.name(), "from": text(&mount.from), "source": text(&mount.source),
        "target": text(&mount.target), "ro": mount.read_only, "size": mount.size, "id": text(&mount.id),
        "sharing": mount.sharing.map_or("", |sharing| sharing.name()), "required": mount.required,
        "env": mount.env, "mode": mount.mode, "uid": mount.uid, "gid": mount.gid,
    })
}

/// Cuts long strings as the oracle does.
fn shorten(value: Value) -> Value {
    match value {
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, shorten(value))).collect(),
        Value::Array(list) => list.into_iter().map(shorten).collect(),
        Value::String(text) if text.len() > 1000 => json!(format!("{}… {} bytes", &text[..20], text.len())),
        other => other,
    }
}
