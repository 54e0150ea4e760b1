//! What Helm 4 gives a post-renderer and makes of its answer (`Helm 4: pkg/action/action.go`).
//!
//! All files go out as one stream whose documents carry the name of their file as an annotation; the answer is parted
//! by it again. Helm writes every document anew on both ways. We put one line into the text and take it out again, and
//! write a document anew only where that does not do: what is checked is that reading the text gives the same tree.

use std::collections::BTreeMap;

use super::{Compat, Error, Rendered, split};
use crate::yaml::{self, Map, Options, Value, deep_copy, deep_equal};

/// The annotation with the name of a document's file.
const MARK: &str = "postrenderer.helm.sh/postrender-filename";

/// All files as one stream.
///
/// # Errors
/// [`Error::Manifest`] if a document is not YAML or no map.
pub fn merge(files: &BTreeMap<String, Rendered>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for (path, content) in files {
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.starts_with('_') || content.as_bytes().trim_ascii().is_empty() {
            continue;
        }
        for document in split(content, Compat::Helm4) {
            let text = document.lossy();
            let value = read(path, &text)?;
            // Documents of comments alone are lost.
            let Some(map) = value.as_map() else { continue };
            if !out.is_empty() {
                out.extend_from_slice(b"---\n");
            }
            let marked = mark(&text, map, path).ok_or_else(|| Error::Manifest {
                path: path.clone(),
                text: "the document cannot carry an annotation".to_owned(),
            })?;
            out.extend_from_slice(marked.as_bytes());
        }
    }
    Ok(out)
}

/// The files of an answer.
///
/// # Errors
/// [`Error::Manifest`] if it is not YAML.
pub fn part(answer: &[u8]) -> Result<BTreeMap<String, Rendered>, Error> {
    const SOURCE: &str = "the post-renderer's output";
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut number = 0;
    for document in split(&answer.into(), Compat::Helm4) {
        let text = document.lossy();
        let value = read(SOURCE, &text)?;
        if value.is_null() {
            continue;
        }
        let path = annotations(&value)
            .and_then(|a| a.get(MARK.as_bytes()))
            .and_then(|v| v.as_str().map(str::to_owned));
        let (path, plain) = match (path.filter(|path| !path.is_empty()), value.as_map()) {
            (Some(path), Some(map)) => (path, unmark(&text, map)),
            _ => (format!("generated-by-postrender-{number}.yaml"), with_end(text.trim_matches('\n'))),
        };
        let file = files.entry(path).or_default();
        if !file.is_empty() {
            file.push_str("---\n");
        }
        file.push_str(&plain);
        number += 1;
    }
    Ok(files.into_iter().map(|(path, text)| (path, text.into())).collect())
}

fn read(path: &str, text: &str) -> Result<Value, Error> {
    yaml::read(text.as_bytes(), Options::default())
        .map_err(|e| Error::Manifest { path: path.to_owned(), text: e.to_string() })
}

fn annotations(value: &Value) -> Option<Map> {
    value.get("metadata")?.get("annotations")?.as_map().cloned()
}

fn with_end(text: &str) -> String {
    format!("{text}\n")
}

/// A document with its file's name as an annotation.
fn mark(text: &str, map: &Map, path: &str) -> Option<String> {
    let wanted = marked(map, path)?;
    let trimmed = with_end(text.trim_matches('\n').trim_end());
    let line = format!("{MARK}: '{}'", path.replace('\'', "''"));
    let good = |text: &String| {
        yaml::read(text.as_bytes(), Options::default()).is_ok_and(|value| deep_equal(&value, &wanted))
    };
    [in_block(&trimmed, &line), in_flow(&trimmed, &line)]
        .into_iter()
        .flatten()
        .find(good)
        .or_else(|| String::from_utf8(yaml::write(&wanted).ok()?).ok())
}

/// The tree that a document with the annotation has.
fn marked(map: &Map, path: &str) -> Option<Value> {
    let copy = deep_copy(&Value::Map(map.clone()));
    let below = |map: &Map, key: &str| match map.get(key.as_bytes()) {
        None | Some(Value::Null) => {
            let fresh = Map::new();
            map.insert(key, Value::Map(fresh.clone()));
            Some(fresh)
        }
        Some(Value::Map(map)) => Some(map),
        Some(_) => None,
    };
    let annotations = below(&below(copy.as_map()?, "metadata")?, "annotations")?;
    annotations.insert(MARK, path.into());
    Some(copy)
}

/// The annotation at the end of blocks that are written over several lines.
fn in_block(text: &str, line: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let Some(metadata) = key(&lines, 0..lines.len(), 0, "metadata") else {
        return Some(format!("{text}metadata:\n  annotations:\n    {line}\n"));
    };
    let (end, indent) = block(&lines, metadata, 0)?;
    let (at, added) = match key(&lines, metadata + 1..end, indent, "annotations") {
        None => (end, format!("{0}annotations:\n{0}  {line}\n", " ".repeat(indent))),
        Some(annotations) => {
            let (end, indent) = block(&lines, annotations, indent)?;
            (end, format!("{}{line}\n", " ".repeat(indent)))
        }
    };
    let mut out: String = lines[..at].iter().map(|line| with_end(line)).collect();
    out.push_str(&added);
    lines[at..].iter().for_each(|line| out.push_str(&with_end(line)));
    Some(out)
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The line of a key that has nothing but a comment behind its colon.
fn key(lines: &[&str], within: std::ops::Range<usize>, indent: usize, name: &str) -> Option<usize> {
    within.into_iter().find(|at| {
        let line = lines[*at];
        let rest = line.trim_start_matches(' ').strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
        indent_of(line) == indent
            && rest.is_some_and(|rest| rest.trim().is_empty() || rest.trim().starts_with('#'))
    })
}

/// Where the block below a key's line ends, and how far it is indented.
fn block(lines: &[&str], key: usize, indent: usize) -> Option<(usize, usize)> {
    let is_text = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let inner = lines[key + 1..].iter().find(|line| is_text(line)).map(|line| indent_of(line))?;
    if inner <= indent {
        return None;
    }
    let mut end = key + 1;
    for (at, line) in lines.iter().enumerate().skip(key + 1) {
        if is_text(line) {
            if indent_of(line) < inner {
                break;
            }
            end = at + 1;
        }
    }
    Some((end, inner))
}

/// The annotation at the end of `metadata: {…}` on one line.
fn in_flow(text: &str, line: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let metadata = lines.iter_mut().find(|l| l.starts_with("metadata: {") && l.trim_end().ends_with('}'))?;
    let open = metadata.trim_end().strip_suffix('}')?.trim_end();
    let comma = if open.ends_with('{') { "" } else { ", " };
    *metadata = format!("{open}{comma}annotations: {{{line}}}}}");
    Some(lines.join("\n") + "\n")
}

/// A document without the annotation, and without maps that are empty because of that.
fn unmark(text: &str, map: &Map) -> String {
    let wanted = deep_copy(&Value::Map(map.clone()));
    if let (Some(whole), Some(metadata)) = (wanted.as_map(), wanted.get("metadata"))
        && let (Some(below), Some(notes)) = (metadata.as_map(), annotations(&wanted))
    {
        notes.remove(MARK.as_bytes());
        if notes.is_empty() {
            below.remove(b"annotations");
        }
        if below.is_empty() {
            whole.remove(b"metadata");
        }
    }
    let good = |text: &String| {
        yaml::read(text.as_bytes(), Options::default()).is_ok_and(|value| deep_equal(&value, &wanted))
    };
    let trimmed = with_end(text.trim_matches('\n'));
    let written = || yaml::write(&wanted).ok().and_then(|text| String::from_utf8(text).ok());
    out_of_block(&trimmed).or_else(|| out_of_flow(&trimmed)).filter(good).or_else(written).unwrap_or(trimmed)
}

fn out_of_block(text: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let bare = |line: &str| line.trim_start().trim_start_matches(['"', '\'']).starts_with(MARK);
    let at = lines.iter().position(|line| bare(line))?;
    lines.remove(at);
    // What held nothing else goes, too.
    for name in ["annotations:", "metadata:"] {
        let Some(before) = at.checked_sub(if name == "metadata:" { 2 } else { 1 }) else { break };
        let next = lines.get(before + 1).map_or(0, |line| indent_of(line));
        if lines[before].trim() != name || next > indent_of(lines[before]) {
            break;
        }
        lines.remove(before);
    }
    Some(lines.join("\n") + "\n")
}

fn out_of_flow(text: &str) -> Option<String> {
    let begin = text.find(&format!("annotations: {{{MARK}:"))?;
    let end = begin + text[begin..].find('}')? + 1;
    let before = text[..begin].trim_end().strip_suffix(',').unwrap_or(&text[..begin]);
    Some(format!("{before}{}", &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(document: &str, stream: &str) {
        let files = BTreeMap::from([("c/t.yaml".to_owned(), Rendered::from(document))]);
        let merged = String::from_utf8(merge(&files).unwrap()).unwrap();
        assert_eq!(merged, stream);
        let back = part(merged.as_bytes()).unwrap();
        assert_eq!(back["c/t.yaml"].lossy(), document, "{merged}");
    }

    #[test]
    fn documents_come_back_as_they_went() {
        let mark = "postrenderer.helm.sh/postrender-filename: 'c/t.yaml'";
        there_and_back(
            "# c\nkind: A\nmetadata:\n  name: a   # n\n  annotations:\n    x: y\nlist:\n-   b\n",
            &format!(
                "# c\nkind: A\nmetadata:\n  name: a   # n\n  annotations:\n    x: y\n    {mark}\nlist:\n-   b\n"
            ),
        );
        there_and_back(
            "metadata:\n    name: a\nkind: A\n",
            &format!("metadata:\n    name: a\n    annotations:\n      {mark}\nkind: A\n"),
        );
        there_and_back("kind: X\n", &format!("kind: X\nmetadata:\n  annotations:\n    {mark}\n"));
        there_and_back(
            "metadata: {name: s}\nkind: S\n",
            &format!("metadata: {{name: s, annotations: {{{mark}}}}}\nkind: S\n"),
        );
        there_and_back(
            "kind: A\nmetadata:\n  name: a\n---\nkind: B\n",
            &format!(
                "kind: A\nmetadata:\n  name: a\n  annotations:\n    {mark}\n---\nkind: B\nmetadata:\n  annotations:\n    {mark}\n"
            ),
        );
    }

    #[test]
    fn what_a_line_cannot_do_is_written_anew() {
        let files = BTreeMap::from([
            ("a".to_owned(), Rendered::from("metadata: {\n  name: x}\n")),
            ("_p".to_owned(), Rendered::from("not: sent\n")),
            ("c".to_owned(), Rendered::from("# nothing\n")),
        ]);
        let merged = String::from_utf8(merge(&files).unwrap()).unwrap();
        assert_eq!(merged, format!("metadata:\n  annotations:\n    {MARK}: a\n  name: x\n"));
        assert_eq!(part(merged.as_bytes()).unwrap()["a"].lossy(), "metadata:\n  name: x\n");
        for bad in ["- a\n", "metadata: 1\n", "metadata: {annotations: []}\n", "a: {\n"] {
            let files = BTreeMap::from([("a".to_owned(), Rendered::from(bad))]);
            assert!(merge(&files).is_err() || bad == "- a\n", "{bad}");
        }
    }

    #[test]
    fn strangers_get_a_name() {
        let files = part(b"kind: A\n---\nkind: B\n").unwrap();
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["generated-by-postrender-0.yaml", "generated-by-postrender-1.yaml"]);
    }
}
