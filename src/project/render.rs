//! `werf.yaml` is a Go template: what it sees and may call.
//!
//! Functions are Sprig's without `expandenv`, with werf's own `env`, `required`, `include`, `tpl`, `fromYaml`, `toYaml`
//! and the `…_debug` ones. Everything it reads comes through [`ProjectFiles`], which keeps to the rules of giterminism.
//! Source: werf's `pkg/config/parser.go`.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::template::format::print;
use crate::template::{
    Caller, Door, Error, Fault, Function, Functions, MissingKey, Question, Session, Templates,
};
use crate::yaml::{self, Kind, Method, Object, Options, Param, Text, Value};

/// The name of the main template, as errors show it.
const NAME: &str = "werfConfig";

/// What a rendering may cost ([`Session::bounded`]): some seconds, some hundred megabytes. A project of 500 images costs
/// ten thousand.
const MOST: u64 = 20_000_000;

/// Read access to a project by the rules of giterminism; paths are relative to the project.
pub trait ProjectFiles: fmt::Debug + Send + Sync {
    /// The content of a file that a template asks for.
    ///
    /// # Errors
    /// In words, if it is not allowed or not there.
    fn get(&self, path: &str) -> Result<Vec<u8>, String>;

    /// Whether there is a file or folder.
    ///
    /// # Errors
    /// In words, if it cannot be known.
    fn exists(&self, path: &str) -> Result<bool, String>;

    /// Whether there is a folder.
    ///
    /// # Errors
    /// In words, if it cannot be known.
    fn is_dir(&self, path: &str) -> Result<bool, String>;

    /// Paths and contents of the files that a pattern matches.
    ///
    /// # Errors
    /// In words, if one is not allowed or cannot be read.
    fn glob(&self, pattern: &str) -> Result<Vec<(String, Vec<u8>)>, String>;

    /// An environment variable, after the check that the project allows it; `None` if it is not set.
    ///
    /// # Errors
    /// In words, if it is not allowed.
    fn env(&self, name: &str) -> Result<Option<String>, String>;

    /// Whether the project is read without the rules of giterminism.
    fn is_loose(&self) -> bool;

    /// Shows what a `…_debug` function was given, if debugging was asked for.
    fn debug(&self, text: &str);
}

/// The commit a project is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub hash: String,
    /// Its time as Go prints one: `2006-01-02 15:04:05 -0700 MST`.
    pub time: String,
    /// Its time in seconds since 1970.
    pub seconds: i64,
}

/// What is rendered.
pub struct RenderInputs<'a> {
    /// The text of `werf.yaml`.
    pub text: &'a [u8],
    /// The templates of `.werf`: names relative to that folder, and texts.
    pub templates: &'a [(String, Vec<u8>)],
    /// `--env`.
    pub env: &'a str,
    /// Where it comes from.
    pub commit: &'a Commit,
    /// What it may read.
    pub files: &'a Arc<dyn ProjectFiles>,
    /// Answers what no commit knows: the time, random bytes. Who uses these gets other images every time.
    pub door: &'a dyn Door,
}

/// Renders `werf.yaml`.
///
/// # Errors
/// What Go says of the template, with its place.
pub fn render(inputs: &RenderInputs<'_>) -> Result<String, Error> {
    let mut templates = Templates::new(NAME, Arc::new(functions()), MissingKey::default());
    for (name, text) in inputs.templates {
        templates.parse(name, text)?;
    }
    templates.parse(NAME, inputs.text)?;
    let date = Value::map([
        ("Human", Value::str(inputs.commit.time.as_str())),
        ("Unix", Value::str(inputs.commit.seconds.to_string())),
    ]);
    let commit = Value::map([("Hash", Value::str(inputs.commit.hash.as_str())), ("Date", date)]);
    let data = Value::map([
        ("Files", Value::Object(Arc::new(Files(Arc::clone(inputs.files))))),
        ("Env", Value::str(inputs.env)),
        ("Commit", commit),
    ]);
    let door = ProjectDoor { files: inputs.files.as_ref(), outside: inputs.door };
    let out = templates.execute(NAME, &data, &mut Session::new(&door).bounded(MOST))?;
    Ok(Text::from(out).lossy().into_owned())
}

/// What `werf.yaml` may call.
fn functions() -> Functions {
    let mut table = Functions::sprig();
    table.remove(&["env", "expandenv"]);
    table.add(OWN);
    table
}

const ANY: Param = Param::Any;
const STR: Param = Param::Str;

const OWN: &[Function] = &[
    own("include", &[STR, ANY], include),
    own("include_debug", &[STR, ANY], |caller, a| {
        let out = include(caller, a)?;
        debug(caller, &format!("-- include_debug template {:?} result:\n{}", text(a, 0), print(&out)))?;
        Ok(out)
    }),
    own("tpl", &[STR, ANY], |caller, a| Ok(Value::str(caller.tpl(&text(a, 0), &a[1])?))),
    own("tpl_debug", &[STR, ANY], |caller, a| {
        let out = Value::str(caller.tpl(&text(a, 0), &a[1])?);
        debug(caller, &format!("-- tpl_debug result:\n{}", print(&out)))?;
        Ok(out)
    }),
    Function {
        name: "printf_debug",
        params: &[STR, ANY],
        variadic: true,
        run: |caller, a| {
            let shown =
                crate::template::format::printf(text(a, 0).as_bytes(), a.get(1..).unwrap_or_default());
            debug(caller, &format!("-- printf_debug result:\n{shown}"))?;
            Ok("".into())
        },
    },
    own("dump_debug", &[ANY], |caller, a| {
        let shown = yaml::write(&a[0]).map_or_else(|_| print(&a[0]), Text::from);
        debug(caller, &format!("-- dump_debug result:\n{shown}"))?;
        Ok("".into())
    }),
    own("required", &[STR, ANY], |_, a| match &a[1] {
        Value::Null => Err(Fault::Text(text(a, 0).lossy().into_owned())),
        Value::Str(value) if value.is_empty() => Err(Fault::Text(text(a, 0).lossy().into_owned())),
        other => Ok(other.clone()),
    }),
    own("fromYaml", &[STR], |_, a| {
        let read = yaml::read_map(text(a, 0).as_bytes(), Options::default());
        read.map(Value::Map).map_err(|error| Fault::Text(error.to_string()))
    }),
    own("toYaml", &[ANY], |_, a| {
        let mut out = yaml::write(&a[0]).unwrap_or_default();
        if out.last() == Some(&b'\n') {
            out.pop();
        }
        Ok(Value::str(out))
    }),
    Function {
        name: "env",
        params: &[ANY, STR],
        variadic: true,
        run: |caller, a| Ok(caller.door().ask(&Question::Call { function: "env", args: a })?),
    },
];

const fn own(name: &'static str, params: &'static [Param], run: crate::template::Run) -> Function {
    Function { name, params, variadic: false, run }
}

fn text(args: &[Value], index: usize) -> Text {
    args.get(index).and_then(Value::as_text).cloned().unwrap_or_default()
}

fn include(caller: &mut Caller<'_, '_>, args: &[Value]) -> Result<Value, Fault> {
    caller.include(&text(args, 0), &args[1]).map(Value::str)
}

fn debug(caller: &Caller<'_, '_>, text: &str) -> Result<(), Fault> {
    let args = [Value::str(text)];
    caller.door().ask(&Question::Call { function: "debug", args: &args })?;
    Ok(())
}

/// Answers what `werf.yaml` asks of the outside.
struct ProjectDoor<'a> {
    files: &'a dyn ProjectFiles,
    outside: &'a dyn Door,
}

impl Door for ProjectDoor<'_> {
    fn ask(&self, question: &Question<'_>) -> Result<Value, String> {
        match question {
            Question::Call { function: "env", args } => self.env(args),
            Question::Call { function: "debug", args } => {
                self.files.debug(&text(args, 0).lossy());
                Ok(Value::Null)
            }
            Question::Call { function, .. } => Err(format!("{function} is not available in werf.yaml")),
            Question::Now | Question::Random(_) | Question::Host(_) => self.outside.ask(question),
            Question::Env(name) => self.env(&[Value::str(*name)]),
        }
    }
}

impl ProjectDoor<'_> {
    fn env(&self, args: &[Value]) -> Result<Value, String> {
        if args.len() > 2 {
            return Err("more than 1 optional argument prohibited".into());
        }
        let name = args.first().map(print).unwrap_or_default();
        let fallback = args.get(1).cloned();
        match (self.files.env(&name.lossy())?, fallback) {
            (Some(value), Some(fallback)) if value.is_empty() => Ok(fallback),
            (Some(value), _) => Ok(value.into()),
            (None, Some(fallback)) => Ok(fallback),
            (None, None) if self.files.is_loose() => Ok("".into()),
            (None, None) => {
                Err(format!("the environment variable {name:?} must be set or default must be provided"))
            }
        }
    }
}

/// `.Files`.
#[derive(Debug)]
struct Files(Arc<dyn ProjectFiles>);

impl Object for Files {
    fn type_name(&self) -> &str {
        "config.files"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn method(&self, name: &str) -> Option<Method> {
        matches!(name, "Get" | "Glob" | "Exists" | "IsDir")
            .then_some(Method { params: &[STR], variadic: false })
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let path = text(args, 0);
        let path = path.lossy();
        match name {
            "Get" => {
                let read = self.0.get(&path);
                read.map(Value::str).map_err(|why| format!("{{{{ .Files.Get {path:?} }}}}: {why}"))
            }
            "Exists" => self.0.exists(&path).map(Value::Bool),
            "IsDir" => self.0.is_dir(&path).map(Value::Bool),
            "Glob" => {
                let found = self.0.glob(&path)?;
                Ok(Value::map(found.into_iter().map(|(name, content)| (name, Value::str(content)))))
            }
            _ => Err(format!("no method {name}")),
        }
    }

    fn print(&self) -> Text {
        "{}".into()
    }

    fn to_plain(&self) -> Result<Value, String> {
        Ok(Value::map::<&str>([]))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
