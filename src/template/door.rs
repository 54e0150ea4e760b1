//! The door to the outside: whatever a template may ask that is not in its data.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;

use crate::yaml::{List, ListKind, Map, UintKind, Value};

/// What a function asks of the outside.
#[derive(Clone, Debug)]
pub enum Question<'q> {
    /// Nanoseconds since 1970; answered by an integer.
    Now,
    /// That many random bytes; answered by a list of bytes.
    Random(usize),
    /// An environment variable; answered by a string.
    Env(&'q str),
    /// The first address of a host; answered by a string.
    Host(&'q str),
    /// Whatever another function wants, by its name and arguments.
    Call {
        /// The function.
        function: &'q str,
        /// Its arguments.
        args: &'q [Value],
    },
}

/// Answers what is not in the data. A recorded render is replayed by a door that knows the answers.
pub trait Door {
    /// Answers a question.
    ///
    /// # Errors
    /// The text of the function's error.
    fn ask(&self, question: &Question<'_>) -> Result<Value, String>;
}

/// A door that answers nothing: the time is 1970, random bytes are zero, there are no hosts and no variables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Closed;

impl Door for Closed {
    fn ask(&self, question: &Question<'_>) -> Result<Value, String> {
        Ok(match question {
            Question::Now => Value::int64(0),
            Question::Random(n) => bytes(&vec![0; *n]),
            Question::Env(_) | Question::Host(_) => "".into(),
            Question::Call { function: "lookup", .. } => Value::Map(Map::new()),
            Question::Call { function, .. } => return Err(format!("{function} is not available here")),
        })
    }
}

/// A Go slice of bytes, as [`Question::Random`] is answered.
pub fn bytes(bytes: &[u8]) -> Value {
    let items = bytes.iter().map(|b| Value::Uint(u64::from(*b), UintKind::Uint8)).collect();
    Value::List(List::typed(items, ListKind::Byte))
}

impl Question<'_> {
    /// The question in words, equal for equal questions.
    fn words(&self) -> String {
        match self {
            Self::Now => "now".to_owned(),
            Self::Random(n) => format!("random {n}"),
            Self::Env(name) => format!("env {name}"),
            Self::Host(name) => format!("host {name}"),
            Self::Call { function, args } => {
                let args = args.iter().map(super::format::print).map(|t| t.to_string());
                format!("call {function} {}", args.collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// What a door has answered: for each question the answers in the order in which it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers(BTreeMap<String, VecDeque<String>>);

impl Answers {
    /// The answers as text that can be kept.
    pub fn to_text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Reads [`to_text`](Self::to_text) again.
    ///
    /// # Errors
    /// The reader's words, if the text is something else.
    pub fn from_text(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(Self).map_err(|e| e.to_string())
    }
}

/// Asks another door and keeps what it answers, so that the render can be repeated.
pub struct Recorder<'d> {
    door: &'d dyn Door,
    answers: Mutex<Answers>,
}

impl<'d> Recorder<'d> {
    /// A recorder before `door`.
    pub fn new(door: &'d dyn Door) -> Self {
        Self { door, answers: Mutex::default() }
    }

    /// What has been answered so far.
    pub fn answers(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Door for Recorder<'_> {
    fn ask(&self, question: &Question<'_>) -> Result<Value, String> {
        let answer = self.door.ask(question)?;
        let kept = keep(&answer)?;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.0.entry(question.words()).or_default().push_back(kept);
        Ok(answer)
    }
}

/// Answers what a [`Recorder`] has kept, in the same order, and nothing else.
pub struct Replay(Mutex<Answers>);

impl Replay {
    /// A door that knows these answers.
    pub fn new(answers: Answers) -> Self {
        Self(Mutex::new(answers))
    }
}

impl Door for Replay {
    fn ask(&self, question: &Question<'_>) -> Result<Value, String> {
        let words = question.words();
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = answers.0.get_mut(&words).and_then(VecDeque::pop_front);
        kept.ok_or_else(|| format!("the recorded render did not ask for {words}")).and_then(|k| recall(&k))
    }
}

/// An answer as text: whole numbers and bytes would not survive JSON.
fn keep(answer: &Value) -> Result<String, String> {
    let base64 = base64::engine::general_purpose::STANDARD;
    Ok(match answer {
        Value::Int(n, _) => format!("int {n}"),
        Value::List(list) if list.kind() == ListKind::Byte => {
            format!("bytes {}", base64.encode(list.bytes().unwrap_or_default()))
        }
        other => {
            let json = crate::yaml::json::write(other, crate::yaml::json::Html::Keep);
            format!("json {}", json.map_err(|e| e.to_string())?)
        }
    })
}

fn recall(kept: &str) -> Result<Value, String> {
    let broken = || "the recorded answer cannot be read".to_owned();
    let base64 = base64::engine::general_purpose::STANDARD;
    match kept.split_once(' ') {
        Some(("int", n)) => n.parse().map(Value::int64).map_err(|_| broken()),
        Some(("bytes", text)) => base64.decode(text).map(|b| bytes(&b)).map_err(|_| broken()),
        Some(("json", text)) => crate::yaml::json::read(text.as_bytes()).map_err(|e| e.to_string()),
        _ => Err(broken()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(Mutex<u8>);

    impl Door for Counting {
        fn ask(&self, question: &Question<'_>) -> Result<Value, String> {
            let mut n = self.0.lock().unwrap();
            *n += 1;
            Ok(match question {
                Question::Random(_) => bytes(&[*n]),
                Question::Now => Value::int64(i64::MAX - i64::from(*n)),
                _ => Value::map([("n", "x".into())]),
            })
        }
    }

    #[test]
    fn a_recorded_render_repeats() {
        let door = Counting(Mutex::new(0));
        let recorder = Recorder::new(&door);
        let questions = || {
            [
                Question::Random(1),
                Question::Now,
                Question::Random(1),
                Question::Call { function: "genCA", args: &[] },
            ]
        };
        let first: Vec<_> = questions().iter().map(|q| keep(&recorder.ask(q).unwrap())).collect();
        let text = recorder.answers().to_text();
        let replay = Replay::new(Answers::from_text(&text).unwrap());
        let second: Vec<_> = questions().iter().map(|q| keep(&replay.ask(q).unwrap())).collect();
        assert_eq!(first, second);
        assert!(replay.ask(&Question::Now).unwrap_err().contains("did not ask for now"));
    }
}
