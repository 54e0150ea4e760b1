//! The door to the outside: whatever a template may ask that is not in its data.

use crate::yaml::Value;

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
        use crate::yaml::{List, ListKind, UintKind};
        Ok(match question {
            Question::Now => Value::int64(0),
            Question::Random(n) => {
                Value::List(List::typed(vec![Value::Uint(0, UintKind::Uint8); *n], ListKind::Byte))
            }
            Question::Env(_) | Question::Host(_) => "".into(),
            Question::Call { function: "lookup", .. } => Value::Map(crate::yaml::Map::new()),
            Question::Call { function, .. } => return Err(format!("{function} is not available here")),
        })
    }
}
