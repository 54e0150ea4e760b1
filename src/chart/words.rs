//! What Helm makes of the template engine's errors: cut in version 3, a line per frame in version 4.

use super::{Compat, Error};
use crate::template::{self, ExecError, Frame, WARNING_END, WARNING_START};

/// A template that cannot be parsed: the last piece of Go's message.
pub(super) fn parse_error(error: &template::Error) -> Error {
    let text = error.to_string();
    let location = text.split(": ").nth(1).unwrap_or_default();
    let last = text.rsplit(": ").next().unwrap_or_default();
    let frame = location.rsplit_once(':').and_then(|(file, line)| {
        Some(Frame { file: file.to_owned(), line: line.parse().ok()?, column: 0, node: String::new() })
    });
    Error::Render {
        text: format!("parse error at ({location}): {last}"),
        frames: frame.into_iter().collect(),
    }
}

/// A template that failed while it was executed.
pub(super) fn exec_error(error: &template::Error, compat: Compat) -> Error {
    let template::Error::Execute(exec) = error else {
        return Error::Render { text: error.to_string(), frames: Vec::new() };
    };
    let text = exec.to_string();
    let chain = std::iter::successors(Some(&**exec), |error| error.cause.as_deref());
    let frames = chain.filter_map(|error| error.frame.clone()).collect();
    let mut pieces = text.splitn(3, ": ");
    let (_, location, rest) = (pieces.next(), pieces.next().unwrap_or_default(), pieces.next());
    let words = match rest {
        None => text.clone(),
        Some(rest) => match warning(rest) {
            Some(words) => format!("execution error at ({location}): {words}"),
            None if compat.is_3() => text.clone(),
            None => lines(exec).unwrap_or_else(|| text.clone()),
        },
    };
    Error::Render { text: words, frames }
}

/// The message of `fail` or `required`: from the first mark to the last.
fn warning(text: &str) -> Option<&str> {
    let from = text.find(WARNING_START)? + WARNING_START.len();
    let to = text.rfind(WARNING_END)?;
    text.get(from..to)
}

/// Helm 4's form, where every text of the chain has Go's form; a foreign one leaves the chain as it is.
fn lines(exec: &ExecError) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(exec);
    while let Some(error) = next {
        let part = frame(&error.to_string())?;
        if parts.last() != Some(&part) {
            parts.push(part);
        }
        match &error.cause {
            Some(cause) => {
                // Between two frames stands the function that executed the inner template. Words of its own there
                // are an error of their own in the chain.
                let called = error.message.strip_prefix("error calling ")?;
                let (_, words) = called.split_once(": ")?;
                if !words.is_empty() {
                    return None;
                }
                next = Some(cause);
            }
            None => {
                if let Some(called) = error.message.strip_prefix("error calling ") {
                    let (_, words) = called.split_once(": ")?;
                    let part = frame(words)?;
                    if parts.last() != Some(&part) {
                        parts.push(part);
                    }
                }
                next = None;
            }
        }
    }
    Some(parts.concat().trim().to_owned())
}

/// One text of the chain as Helm 4 takes it apart.
fn frame(text: &str) -> Option<String> {
    let rest = text.strip_prefix("template: ")?;
    if rest.starts_with("no template ") {
        return Some(format!("{text}\n"));
    }
    if let Some((location, after)) = rest.split_once(": executing ") {
        let found = after
            .strip_prefix('"')
            .and_then(|after| after.split_once('"'))
            .and_then(|(name, after)| Some((name, after.strip_prefix(" at <")?.split_once(">: ")?)));
        if let Some((name, (node, message))) = found {
            let message = message.split(" template:").next().unwrap_or_default();
            let mut out = format!("{location}\n  executing \"{name}\" at <{node}>:\n    ");
            if !message.is_empty() {
                out.push_str(message);
                out.push('\n');
            }
            return Some(out);
        }
    }
    let (location, message) = rest.rsplit_once(": ")?;
    let message = message.split(" template:").next().unwrap_or_default();
    Some(format!("{location}\n  {message}\n"))
}
