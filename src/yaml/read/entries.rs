//! Reading a few entries of a large document: the others are checked and not built.

use super::{FrameKind, Key, Options, Reader, read};
use crate::yaml::parse::Event;
use crate::yaml::resolve::{Scalar, resolve};
use crate::yaml::scan::Input;
use crate::yaml::{Error, Value};

/// What is nested deeper is read as a whole.
const MAX_SKIPPED: usize = 1000;

/// Reads the first document as [`read`] does; of a map at its top only the entries whose keys are `wanted` are kept.
///
/// # Errors
/// Those of [`read`], also for what stands in the other entries.
pub fn read_entries(text: &[u8], options: Options, wanted: impl Fn(&str) -> bool) -> Result<Value, Error> {
    let input = Input::new(text);
    let mut reader = Reader::new(&input, options);
    match reader.entries(&wanted) {
        Some(value) => Ok(value),
        // Something is wrong or out of the ordinary: only the reading of all can tell.
        None => read(text, options),
    }
}

impl<'t> Reader<'t> {
    fn entries(&mut self, wanted: &dyn Fn(&str) -> bool) -> Option<Value> {
        loop {
            match self.event().ok()? {
                Event::DocumentStart => break,
                Event::StreamEnd => return None,
                _ => {}
            }
        }
        let mut root = None;
        loop {
            let event = self.event().ok()?;
            if matches!(event, Event::DocumentEnd | Event::StreamEnd) {
                break;
            }
            if !is_ordinary(&event) {
                return None;
            }
            if self.is_unwanted(wanted) {
                self.skip(event)?;
            } else if let Some(node) = self.step(event).ok()? {
                root = self.finish(node);
            }
        }
        if self.problem.is_some() { None } else { Some(root.unwrap_or_default()) }
    }

    /// Whether the next node is the value of a key at the top that nobody wants.
    fn is_unwanted(&self, wanted: &dyn Fn(&str) -> bool) -> bool {
        match self.frames.as_slice() {
            [frame] => match &frame.kind {
                FrameKind::Map { key: Some(Key::Text(key)), .. } => !wanted(&key.lossy()),
                _ => false,
            },
            _ => false,
        }
    }

    /// Goes behind the node that begins with `event`; `None` if it holds anything that is not plainly right.
    fn skip(&mut self, mut event: Event<'t>) -> Option<()> {
        // For every open collection: whether it is a map that waits for a key.
        let mut open: Vec<(bool, bool)> = Vec::new();
        loop {
            let at_key = open.last() == Some(&(true, true));
            match &event {
                Event::Scalar { text, plain: true, .. } => match resolve(text) {
                    Scalar::Null | Scalar::Merge | Scalar::Uint(_) if at_key => return None,
                    Scalar::Float(f) if !f.is_finite() => return None,
                    _ => {}
                },
                Event::Scalar { .. } => {}
                Event::End => drop(open.pop()?),
                _ if at_key || open.len() >= MAX_SKIPPED || !is_ordinary(&event) => return None,
                Event::SequenceStart { .. } => open.push((false, false)),
                Event::MappingStart { .. } => open.push((true, true)),
                _ => return None,
            }
            if !matches!(event, Event::SequenceStart { .. } | Event::MappingStart { .. }) {
                match open.last_mut() {
                    None => break,
                    Some((is_map, waits)) => *waits = *is_map && !*waits,
                }
            }
            event = self.event().ok()?;
            if !is_ordinary(&event) {
                return None;
            }
        }
        if let Some(FrameKind::Map { key, .. }) = self.frames.last_mut().map(|frame| &mut frame.kind) {
            *key = None;
        }
        Some(())
    }
}

/// Neither an alias nor with an anchor or a tag.
fn is_ordinary(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar { properties, .. }
        | Event::SequenceStart { properties, .. }
        | Event::MappingStart { properties, .. } => properties.anchor.is_none() && properties.tag.is_none(),
        Event::Alias { .. } => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Map, deep_equal, json};

    /// What [`read`] gives, without the entries that are not wanted.
    fn expected(text: &str, wanted: fn(&str) -> bool) -> Result<Value, String> {
        let value = read(text.as_bytes(), Options::default()).map_err(|e| e.to_string())?;
        Ok(match value {
            Value::Map(map) => {
                Value::Map(map.entries().into_iter().filter(|(k, _)| wanted(&k.lossy())).collect::<Map>())
            }
            other => other,
        })
    }

    #[test]
    fn others_are_left_out_and_still_checked() {
        let wanted: fn(&str) -> bool = |key| key == "kind" || key == "metadata";
        for text in [
            "kind: A\nmetadata: {name: x}\nspec:\n  a: [1, {b: c}]\n  d: |\n    e\n",
            "spec: [a, b]\nkind: A\nspec: c\nkind: B\n",
            "a: 1\n",
            "- a\n",
            "text",
            "",
            "a: {b: .inf}",
            "a: {.inf: b}",
            "a: {~: b}",
            "a: {<<: b}",
            "a: [<<, ~]",
            "a: {[b]: c}",
            "a: {{b: c}: d}",
            "a: {b: !!int c}",
            "a: {99999999999999999999: b}",
            "a: {18446744073709551615: b}",
            "a: [b",
            "a: {b: c}}",
            "a: b: c",
            "a: \"\\q\"",
            "a: &x b\nkind: *x\n",
            "a: *x",
            "kind: A\n--- b\n",
            "a:\n- b\n  c\nkind: x",
            "a: {b, c: , d}\nkind: e",
            "a: [b: c, d]\nkind: e",
            "? a\n: b\nkind: c",
            "1: [x]\nkind: c",
        ] {
            match (read_entries(text.as_bytes(), Options::default(), wanted), expected(text, wanted)) {
                (Ok(found), Ok(expected)) => {
                    let found = match found {
                        Value::Map(map) => {
                            let entries = map.entries().into_iter().filter(|(k, _)| wanted(&k.lossy()));
                            Value::Map(entries.collect::<Map>())
                        }
                        other => other,
                    };
                    let shown = json::write(&found, json::Html::Keep);
                    assert!(deep_equal(&found, &expected), "{text}: {shown:?}");
                }
                (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected, "{text}"),
                (found, expected) => panic!("{text}: {found:?} {expected:?}"),
            }
        }
    }
}
