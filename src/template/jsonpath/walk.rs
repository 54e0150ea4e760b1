//! Parts to values.

use std::cmp::Ordering;

use super::{DEPTH, Node};
use crate::yaml::Value;

/// More results than this nobody reads.
const RESULTS: usize = 1_000_000;

type Found = Result<Vec<Value>, String>;

/// The results of each part of a template.
pub fn results(nodes: &[Node], data: &Value) -> Result<Vec<Vec<Value>>, String> {
    let mut all = Vec::new();
    block(nodes, data, 0, &mut all)?;
    Ok(all)
}

/// Walks a template up to its end, or to the end of the loop it stands in; gives the place behind that.
fn block(nodes: &[Node], data: &Value, loops: usize, all: &mut Vec<Vec<Value>>) -> Result<usize, String> {
    if loops > DEPTH || all.len() > RESULTS {
        return Err("the path gives too much".to_owned());
    }
    let mut at = 0;
    while let Some(node) = nodes.get(at) {
        at += 1;
        if is(node, "end") {
            if loops == 0 {
                return Err("not in range, nothing to end".to_owned());
            }
            return Ok(at);
        }
        let found = walk(std::slice::from_ref(data), node, 0)?;
        if !is(node, "range") {
            all.push(found);
            continue;
        }
        let mut end = 0;
        if found.is_empty() {
            end = block(&nodes[at..], &Value::Null, loops + 1, &mut Vec::new())?;
        }
        for value in &found {
            end = block(&nodes[at..], value, loops + 1, all)?;
        }
        at += end;
    }
    Ok(at)
}

/// Whether a part in braces has a keyword in it.
fn is(node: &Node, word: &str) -> bool {
    matches!(node, Node::List(nodes) if nodes.iter().any(|n| matches!(n, Node::Identifier(name) if name == word)))
}

fn walk(input: &[Value], node: &Node, depth: usize) -> Found {
    if depth > DEPTH || input.len() > RESULTS {
        return Err("the path gives too much".to_owned());
    }
    let constant = |value: Value| Ok(vec![value; input.len()]);
    match node {
        Node::List(nodes) => list(input, nodes, depth),
        Node::Text(text) => Ok(vec![Value::str(text.as_str())]),
        Node::Int(number) => constant(Value::int(*number)),
        Node::Float(number) => constant(Value::Float(*number)),
        Node::Bool(value) => constant(Value::Bool(*value)),
        Node::Field(name) => field(input, name),
        Node::Slice { .. } => slice(input, node),
        Node::Wildcard => Ok(input.iter().flat_map(children).collect()),
        Node::Recursive => {
            let mut out = Vec::new();
            recursive(input, 0, &mut out)?;
            Ok(out)
        }
        Node::Union(parts) => {
            let mut out = Vec::new();
            for part in parts {
                out.extend(list(input, part, depth)?);
            }
            Ok(out)
        }
        Node::Filter { left, operator, right } => filter(input, (left, operator, right), depth),
        Node::Identifier(name) if name == "range" => Ok(input.to_vec()),
        Node::Identifier(name) => Err(format!("unrecognized identifier {name}")),
    }
}

fn list(input: &[Value], nodes: &[Node], depth: usize) -> Found {
    let mut values = input.to_vec();
    for node in nodes {
        values = walk(&values, node, depth + 1)?;
    }
    Ok(values)
}

fn field(input: &[Value], name: &str) -> Found {
    let found: Vec<Value> = input.iter().filter_map(|value| value.as_map()?.get(name.as_bytes())).collect();
    if found.is_empty() && !input.is_empty() {
        return Err(format!("{name} is not found"));
    }
    Ok(found)
}

fn children(value: &Value) -> Vec<Value> {
    match value {
        Value::List(list) => list.items().to_vec(),
        Value::Map(map) => map.entries().into_iter().map(|(_, value)| value).collect(),
        // Go gives the bytes of a text.
        Value::Str(text) => text.as_bytes().iter().map(|b| Value::int(i64::from(*b))).collect(),
        _ => Vec::new(),
    }
}

fn recursive(input: &[Value], depth: usize, out: &mut Vec<Value>) -> Result<(), String> {
    if depth > DEPTH || out.len() > RESULTS {
        return Err("the path gives too much".to_owned());
    }
    for value in input {
        let below = children(value);
        if !below.is_empty() {
            out.push(value.clone());
            recursive(&below, depth + 1, out)?;
        }
    }
    Ok(())
}

fn slice(input: &[Value], node: &Node) -> Found {
    let Node::Slice { from, to, step, one } = node else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for value in input.iter().filter(|value| !value.is_null()) {
        let Value::List(list) = value else {
            return Err(format!("{} is not array or slice", value.type_name()));
        };
        let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
        let mut from = from.unwrap_or(0);
        if from < 0 {
            from = from.saturating_add(length);
        }
        let mut to = to.unwrap_or(length);
        if to < 0 || to == 0 && *one {
            to = to.saturating_add(length);
        }
        if from == to {
            continue;
        }
        let outside = |index: i64| Err(format!("array index out of bounds: index {index}, length {length}"));
        if from >= length || from < 0 {
            return outside(from);
        }
        if to > length || to < 0 {
            return outside(to.saturating_sub(1));
        }
        if from > to {
            return Err(format!("starting index {from} is greater than ending index {to}"));
        }
        let step = match step {
            Some(step) if *step <= 0 => return Err("step must be > 0".to_owned()),
            Some(step) => usize::try_from(*step).unwrap_or(usize::MAX),
            None => 1,
        };
        let range = usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
        out.extend(list.items().get(range).unwrap_or_default().iter().step_by(step).cloned());
    }
    Ok(out)
}

fn filter(input: &[Value], (left, operator, right): (&[Node], &str, &[Node]), depth: usize) -> Found {
    let mut out = Vec::new();
    for value in input {
        let Value::List(items) = value else {
            return Err(format!(
                "{} is not array or slice and cannot be filtered",
                super::format::print(value)
            ));
        };
        for item in items.items() {
            let this = std::slice::from_ref(item);
            let lefts = list(this, left, depth + 1);
            if operator == "exists" {
                if lefts.is_ok_and(|found| !found.is_empty()) {
                    out.push(item.clone());
                }
                continue;
            }
            let (Some(left), Some(right)) = (single(lefts?)?, single(list(this, right, depth + 1)?)?) else {
                continue;
            };
            if compare(&left, operator, &right)? {
                out.push(item.clone());
            }
        }
    }
    Ok(out)
}

fn single(mut found: Vec<Value>) -> Result<Option<Value>, String> {
    if found.len() > 1 {
        return Err("can only compare one element at a time".to_owned());
    }
    Ok(found.pop())
}

/// Go's comparisons: both sides have to be of one kind.
fn compare(left: &Value, operator: &str, right: &Value) -> Result<bool, String> {
    let order = match (left, right) {
        (Value::Int(a, _), Value::Int(b, _)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Str(a), Value::Str(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Bool(a), Value::Bool(b)) if matches!(operator, "==" | "!=") => Some(a.cmp(b)),
        (Value::Bool(_), Value::Bool(_)) => return Err("invalid type for comparison".to_owned()),
        _ => return Err("incompatible types for comparison".to_owned()),
    };
    Ok(match operator {
        "==" => order == Some(Ordering::Equal),
        "!=" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        ">" => order == Some(Ordering::Greater),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        other => return Err(format!("unrecognized filter operator {other}")),
    })
}
