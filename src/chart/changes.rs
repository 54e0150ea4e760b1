//! What is different between two renderings: objects that came, went or changed, and the lines of their YAML.

use std::fmt;

use super::{Compat, split};
use crate::yaml::{self, Options, Value, deep_equal};

/// Lines shown around a change.
const AROUND: usize = 3;
/// Beyond so many differing lines nothing shorter is looked for than one block out and one block in.
const FARTHEST: usize = 2_000;

/// An object of a rendering.
#[derive(Clone, Debug)]
struct Object {
    name: String,
    value: Value,
}

/// What happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `KIND/NAME`, with the namespace in front where one is said.
    pub object: String,
    /// What happened.
    pub kind: ChangeKind,
}

/// What can happen to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there before; its lines.
    Added(Vec<String>),
    /// It is no longer there; its lines.
    Removed(Vec<String>),
    /// It is another; hunks of lines with `+`, `-` or a space in front.
    Changed(Vec<Vec<String>>),
}

/// All changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In the order of the objects after, those that went last.
    pub changes: Vec<Change>,
    /// Objects that are the same.
    pub same: usize,
}

/// Compares two streams of manifests, as `template` prints them. Layout and comments do not matter.
///
/// # Errors
/// The words of the YAML library for a document that is none.
pub fn changes(before: &[u8], after: &[u8], compat: Compat) -> Result<Changes, String> {
    let (before, after) = (objects(before, compat)?, objects(after, compat)?);
    let mut found = Changes::default();
    for object in &after {
        let kind = match before.iter().find(|old| old.name == object.name) {
            None => ChangeKind::Added(lines(&object.value)),
            Some(old) if deep_equal(&old.value, &object.value) => {
                found.same += 1;
                continue;
            }
            Some(old) => ChangeKind::Changed(hunks(&lines(&old.value), &lines(&object.value))),
        };
        found.changes.push(Change { object: object.name.clone(), kind });
    }
    for old in before.iter().filter(|old| !after.iter().any(|object| object.name == old.name)) {
        let kind = ChangeKind::Removed(lines(&old.value));
        found.changes.push(Change { object: old.name.clone(), kind });
    }
    Ok(found)
}

/// The objects of a stream; a name that comes again is counted.
fn objects(text: &[u8], compat: Compat) -> Result<Vec<Object>, String> {
    let mut found: Vec<Object> = Vec::new();
    for document in split(&text.into(), compat) {
        let value = yaml::read(document.as_bytes(), Options::default()).map_err(|e| e.to_string())?;
        if value.is_null() {
            continue;
        }
        let text = |value: Option<Value>| value.and_then(|v| v.as_text().map(ToString::to_string));
        let metadata = value.get("metadata");
        let of_metadata = |key: &str| text(metadata.as_ref().and_then(|m| m.get(key)));
        let kind = text(value.get("kind")).unwrap_or_else(|| "?".to_owned());
        let name = format!("{kind}/{}", of_metadata("name").unwrap_or_else(|| "?".to_owned()));
        let name = of_metadata("namespace").map_or(name.clone(), |namespace| format!("{namespace}/{name}"));
        let again = found.iter().filter(|o| o.name.split(" (").next() == Some(&name)).count();
        let name = if again == 0 { name } else { format!("{name} ({})", again + 1) };
        found.push(Object { name, value });
    }
    Ok(found)
}

fn lines(value: &Value) -> Vec<String> {
    let text = yaml::write(value).unwrap_or_else(|e| e.to_string().into_bytes());
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

/// The lines that differ, each group with some lines around it.
fn hunks(before: &[String], after: &[String]) -> Vec<Vec<String>> {
    let script = script(before, after);
    let is_change = |line: &String| !line.starts_with(' ');
    let near = |at: usize| {
        let (from, to) = (at.saturating_sub(AROUND), (at + AROUND + 1).min(script.len()));
        script[from..to].iter().any(is_change)
    };
    let mut hunks: Vec<Vec<String>> = Vec::new();
    let mut open = false;
    for (at, line) in script.iter().enumerate() {
        if !near(at) {
            open = false;
            continue;
        }
        match hunks.last_mut().filter(|_| open) {
            Some(hunk) => hunk.push(line.clone()),
            None => hunks.push(vec![line.clone()]),
        }
        open = true;
    }
    hunks
}

/// All lines with a mark in front: the shortest way from one text to the other (E. Myers' greedy algorithm).
fn script(before: &[String], after: &[String]) -> Vec<String> {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (old, new) = (&before[same..], &after[same..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let marked = |mark: char| move |line: &String| format!("{mark} {line}");
    let mut out: Vec<String> = before[..same].iter().map(marked(' ')).collect();
    match steps(old, new) {
        Some(steps) => out.extend(steps),
        None => {
            out.extend(old.iter().map(marked('-')));
            out.extend(new.iter().map(marked('+')));
        }
    }
    out.extend(before[before.len() - tail..].iter().map(marked(' ')));
    out
}

fn steps(old: &[String], new: &[String]) -> Option<Vec<String>> {
    let (n, m) = (old.len().cast_signed(), new.len().cast_signed());
    let limit = (old.len() + new.len()).min(FARTHEST);
    let middle = limit + 1;
    let at = |k: isize| (middle.cast_signed() + k).cast_unsigned();
    let mut reached = vec![0isize; 2 * middle + 1];
    let mut history = Vec::new();
    for d in 0..=limit.cast_signed() {
        history.push(reached.clone());
        for k in (-d..=d).step_by(2) {
            let down = k == -d || k != d && reached[at(k - 1)] < reached[at(k + 1)];
            let mut x = if down { reached[at(k + 1)] } else { reached[at(k - 1)] + 1 };
            while x < n && x - k < m && old[x.cast_unsigned()] == new[(x - k).cast_unsigned()] {
                x += 1;
            }
            reached[at(k)] = x;
            if x >= n && x - k >= m {
                return Some(back(old, new, &history, at));
            }
        }
    }
    None
}

/// The way back through what was reached before each round, turned round.
fn back(old: &[String], new: &[String], history: &[Vec<isize>], at: impl Fn(isize) -> usize) -> Vec<String> {
    let (mut x, mut y) = (old.len().cast_signed(), new.len().cast_signed());
    let mut out = Vec::new();
    for (d, reached) in history.iter().enumerate().rev() {
        let (d, k) = (d.cast_signed(), x - y);
        let down = k == -d || k != d && reached[at(k - 1)] < reached[at(k + 1)];
        let previous = if down { k + 1 } else { k - 1 };
        let from = reached[at(previous)];
        while x > from && y > from - previous {
            (x, y) = (x - 1, y - 1);
            out.push(format!("  {}", old[x.cast_unsigned()]));
        }
        if d > 0 {
            let line = if down { &new[y.cast_unsigned() - 1] } else { &old[x.cast_unsigned() - 1] };
            out.push(format!("{} {line}", if down { '+' } else { '-' }));
            (x, y) = (from, from - previous);
        }
    }
    out.reverse();
    out
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |wanted: fn(&ChangeKind) -> bool| self.changes.iter().filter(|c| wanted(&c.kind)).count();
        for change in &self.changes {
            match &change.kind {
                ChangeKind::Added(lines) => {
                    writeln!(f, "{} is new", change.object)?;
                    lines.iter().try_for_each(|line| writeln!(f, "+ {line}"))?;
                }
                ChangeKind::Removed(lines) => {
                    writeln!(f, "{} is gone", change.object)?;
                    lines.iter().try_for_each(|line| writeln!(f, "- {line}"))?;
                }
                ChangeKind::Changed(hunks) => {
                    writeln!(f, "{} changes", change.object)?;
                    for (i, hunk) in hunks.iter().enumerate() {
                        if i > 0 {
                            writeln!(f, "  …")?;
                        }
                        hunk.iter().try_for_each(|line| writeln!(f, "{line}"))?;
                    }
                }
            }
            writeln!(f)?;
        }
        writeln!(
            f,
            "{} changed, {} new, {} gone, {} the same",
            count(|kind| matches!(kind, ChangeKind::Changed(_))),
            count(|kind| matches!(kind, ChangeKind::Added(_))),
            count(|kind| matches!(kind, ChangeKind::Removed(_))),
            self.same
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(before: &str, after: &str) -> String {
        changes(before.as_bytes(), after.as_bytes(), Compat::Helm4).unwrap().to_string()
    }

    #[test]
    fn objects_come_go_and_change() {
        let before = "---\n# Source: a\nkind: A\nmetadata: {name: x}\nspec: {num: 1, m: 2}\n---\nkind: B\nmetadata:\n  name: b\n";
        let after = "---\nkind: C\nmetadata: {name: z}\n---\nkind: A\nmetadata:\n    name: x\nspec:\n  num: 3\n  m: 2\n";
        assert_eq!(
            between(before, after),
            "C/z is new\n+ kind: C\n+ metadata:\n+   name: z\n\nA/x changes\n    name: x\n  spec:\n    m: 2\n\
             -   num: 1\n+   num: 3\n\nB/b is gone\n- kind: B\n- metadata:\n-   name: b\n\n1 changed, 1 new, 1 gone, 0 the same\n"
        );
        assert_eq!(between(before, before), "0 changed, 0 new, 0 gone, 2 the same\n");
    }

    #[test]
    fn the_script_makes_one_of_the_other() {
        let texts =
            ["", "a", "b", "a b", "b a", "a b c d", "a c d", "x a b y d", "d c b a", "a a a b", "b a a a a"];
        for old in texts {
            for new in texts {
                let split = |t: &str| t.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                let (old, new) = (split(old), split(new));
                let script = script(&old, &new);
                let side = |skip: char| {
                    let kept = script.iter().filter(|line| !line.starts_with(skip));
                    kept.map(|line| line[2..].to_owned()).collect::<Vec<_>>()
                };
                assert_eq!((side('+'), side('-')), (old, new), "{script:?}");
            }
        }
    }
}
