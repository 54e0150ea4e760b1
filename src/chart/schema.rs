//! Values against `values.schema.json` (`Helm: pkg/chart/common/util/jsonschema.go`), reported in the words and the
//! nesting of the library that Helm uses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{Draft, JsonType, Retrieve, Uri, ValidationError};
use serde_json::Value as Json;

use super::{Chart, Error};
use crate::template::{Door, Question};
use crate::yaml::json::{Html, write};
use crate::yaml::quote::quote;
use crate::yaml::{Map, Value};

/// What a door is asked for a document that a schema refers to; the argument is its address, the answer its text.
pub const SCHEMA: &str = "values.schema.json";

/// Checks coalesced values against the schemas of a chart and of its dependencies. What they refer to elsewhere is asked
/// for at the door.
///
/// # Errors
/// [`Error::Schema`] with every chart's complaints.
pub fn validate(chart: &Chart, values: &Map, door: &dyn Door) -> Result<(), Error> {
    let mut out = String::new();
    check(chart, values, &mut Elsewhere { door, documents: BTreeMap::new() }, &mut out);
    if out.is_empty() { Ok(()) } else { Err(Error::Schema(out)) }
}

fn check(chart: &Chart, values: &Map, elsewhere: &mut Elsewhere<'_>, out: &mut String) {
    if let Some(schema) = &chart.schema
        && let Err(text) = elsewhere_too(schema.data.as_bytes(), values, elsewhere)
    {
        out.push_str(&format!("{}:\n{text}", chart.metadata.name));
    }
    for dependency in &chart.dependencies {
        let name = &dependency.metadata.name;
        match values.get(name.as_bytes()) {
            None | Some(Value::Null) => {}
            Some(Value::Map(section)) => check(dependency, &section, elsewhere, out),
            Some(other) => out.push_str(&format!(
                "{name}:\ninvalid type for values: expected object (map), got {}\n",
                other.type_name()
            )),
        }
    }
}

/// Checks values against one schema.
///
/// # Errors
/// The complaints, a line each.
pub fn single(schema: &[u8], values: &Map, door: &dyn Door) -> Result<(), String> {
    elsewhere_too(schema, values, &mut Elsewhere { door, documents: BTreeMap::new() })
}

fn elsewhere_too(schema: &[u8], values: &Map, elsewhere: &mut Elsewhere<'_>) -> Result<(), String> {
    let schema: Json = serde_json::from_slice(schema).map_err(|e| e.to_string())?;
    if let Some(words) = cycle(&schema) {
        return Err(words);
    }
    let text = write(&Value::Map(values.clone()), Html::Keep).map_err(|e| e.to_string())?;
    let values: Json = serde_json::from_slice(text.as_bytes()).map_err(|e| e.to_string())?;
    let validator = elsewhere.validator(&schema)?;
    let errors: Vec<ValidationError<'_>> = validator.iter_errors(&values).collect();
    if errors.is_empty() {
        return Ok(());
    }
    let leaves: Vec<Leaf<'_>> = errors.iter().map(Leaf::new).collect();
    let mut out = String::new();
    for node in at_schema(leaves, 0) {
        node.show(&mut out, 0);
    }
    Err(out)
}

/// The complaint about a schema whose reference leads back to itself. Where that happens below the top, nothing is
/// checked there.
fn cycle(schema: &Json) -> Option<String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut here = schema;
    while let Some(reference) = here.get("$ref").and_then(Json::as_str) {
        if let Some(first) = seen.iter().position(|known| *known == reference) {
            let way = |steps: usize| "/$ref".repeat(steps);
            let (again, first) = (way(seen.len() + 1), way(first + 1));
            return Some(format!(
                "- at '': both {again} and {first} resolve to \"file:///values.schema.json{reference}\" causing reference \
                 cycle\n"
            ));
        }
        seen.push(reference);
        here = schema.pointer(reference.strip_prefix('#')?)?;
    }
    None
}

fn draft(schema: &Json) -> Draft {
    match schema.get("$schema").and_then(Json::as_str) {
        Some(name) if name.contains("draft-04") => Draft::Draft4,
        Some(name) if name.contains("draft-06") => Draft::Draft6,
        Some(name) if name.contains("draft-07") => Draft::Draft7,
        Some(name) if name.contains("2019-09") => Draft::Draft201909,
        _ => Draft::Draft202012,
    }
}

/// More documents than this no schema refers to.
const DOCUMENTS: usize = 64;

/// Documents that schemas refer to: asked for once, and in the order in which they are needed.
struct Elsewhere<'d> {
    door: &'d dyn Door,
    documents: BTreeMap<String, Json>,
}

impl Elsewhere<'_> {
    /// A validator for a schema and what it refers to.
    fn validator(&mut self, schema: &Json) -> Result<jsonschema::Validator, String> {
        loop {
            let missing = Arc::new(Mutex::new(None));
            let known = Known { documents: self.documents.clone(), missing: Arc::clone(&missing) };
            let built = jsonschema::options()
                .with_draft(draft(schema))
                .with_base_uri("file:///values.schema.json")
                .with_retriever(known)
                .should_validate_formats(true)
                .build(schema);
            let error = match built {
                Ok(validator) => return Ok(validator),
                Err(error) => format!("cannot use the schema: {error}"),
            };
            let missing = missing.lock().unwrap_or_else(PoisonError::into_inner).take();
            let address = missing.filter(|_| self.documents.len() < DOCUMENTS).ok_or(error)?;
            let document = self.ask(&address)?;
            self.documents.insert(address, document);
        }
    }

    fn ask(&self, address: &str) -> Result<Json, String> {
        let fail = |why: String| {
            format!(
                "cannot use the schema: failing loading {address:?}: {why} (--skip-schema-validation goes without)"
            )
        };
        if !address.starts_with("http://") && !address.starts_with("https://") {
            return Err(fail("it is not part of the chart, and only http and https are followed".to_owned()));
        }
        let question = Question::Call { function: SCHEMA, args: &[address.into()] };
        let answer = self.door.ask(&question).map_err(fail)?;
        let text = answer.as_text().cloned().unwrap_or_default();
        serde_json::from_slice(text.as_bytes()).map_err(|e| fail(e.to_string()))
    }
}

/// Gives what is known, and notes what is not.
struct Known {
    documents: BTreeMap<String, Json>,
    missing: Arc<Mutex<Option<String>>>,
}

impl Retrieve for Known {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        if uri.scheme().as_str() == "urn" {
            return Ok(Json::Bool(true));
        }
        if let Some(document) = self.documents.get(uri.as_str()) {
            return Ok(document.clone());
        }
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = Some(uri.as_str().to_owned());
        Err("it is not here".into())
    }
}

/// An error with the way to it, cut into parts.
#[derive(Clone)]
struct Leaf<'e> {
    error: &'e ValidationError<'e>,
    way: Vec<String>,
    place: Vec<String>,
}

impl<'e> Leaf<'e> {
    fn new(error: &'e ValidationError<'e>) -> Self {
        Self {
            error,
            way: parts(error.evaluation_path().as_str()),
            place: parts(error.instance_path().as_str()),
        }
    }
}

/// The parts of a JSON pointer.
fn parts(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

/// A line of the report and what stands below it.
struct Node {
    place: String,
    text: String,
    below: Vec<Node>,
}

impl Node {
    fn show(&self, out: &mut String, depth: usize) {
        out.push_str(&"  ".repeat(depth));
        out.push_str(&format!("- at {}: {}\n", quoted(&self.place), self.text));
        for node in &self.below {
            node.show(out, depth + 1);
        }
    }
}

fn pointer(place: &[String]) -> String {
    place.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
}

/// Keywords whose schema looks at a part of the instance, and how many parts of the way they take.
fn step(keyword: &str) -> Option<(usize, usize)> {
    match keyword {
        "properties" | "patternProperties" | "prefixItems" => Some((2, 1)),
        "additionalProperties"
        | "items"
        | "additionalItems"
        | "unevaluatedProperties"
        | "unevaluatedItems"
        | "contains" => Some((1, 1)),
        "allOf" | "anyOf" | "oneOf" | "dependentSchemas" | "dependencies" => Some((2, 0)),
        "$ref" | "$dynamicRef" | "$recursiveRef" | "then" | "else" | "if" | "not" | "propertyNames" => {
            Some((1, 0))
        }
        _ => None,
    }
}

/// The complaints of the schema that all leaves have come to, `at` parts along their ways.
fn at_schema(leaves: Vec<Leaf<'_>>, at: usize) -> Vec<Node> {
    let (own, below): (Vec<_>, Vec<_>) =
        leaves.into_iter().partition(|leaf| leaf.way.len() <= at + 1 || !goes_on(leaf, at));
    let mut nodes = own_nodes(&own);
    if own.iter().any(|leaf| is_first(leaf.error)) {
        return nodes;
    }
    let mut groups: BTreeMap<(usize, Vec<String>, Vec<String>), Vec<Leaf<'_>>> = BTreeMap::new();
    for leaf in below {
        let keyword = leaf.way[at].as_str();
        let (taken, _) = step(keyword).unwrap_or((1, 0));
        let all_of = matches!(keyword, "allOf");
        let key = leaf.way[at..(at + if all_of { 1 } else { taken }).min(leaf.way.len())].to_vec();
        let depth = depth_before(&leaf.way, at) + step(keyword).map_or(0, |s| s.1);
        let place = leaf.place.iter().take(depth).cloned().collect();
        groups.entry((order(keyword), key, place)).or_default().push(leaf);
    }
    for ((_, key, place), leaves) in groups {
        nodes.extend(below_keyword(&key, &place, leaves, at));
    }
    nodes
}

/// Whether a leaf's way leads through another schema from here.
fn goes_on(leaf: &Leaf<'_>, at: usize) -> bool {
    let keyword = leaf.way[at].as_str();
    step(keyword).is_some_and(|(taken, _)| leaf.way.len() > at + taken)
}

/// How many parts of the instance the schemas up to `at` have gone down.
fn depth_before(way: &[String], at: usize) -> usize {
    let (mut i, mut depth) = (0, 0);
    while i < at {
        let (taken, down) = step(&way[i]).unwrap_or((1, 0));
        i += taken;
        depth += down;
    }
    depth
}

/// The order in which the library looks at keywords.
fn order(keyword: &str) -> usize {
    match keyword {
        "$ref" => 0,
        "$recursiveRef" | "$dynamicRef" => 2,
        "allOf" => 3,
        "anyOf" => 4,
        "oneOf" => 5,
        "then" | "else" | "if" => 6,
        _ => 1,
    }
}

fn below_keyword(key: &[String], place: &[String], leaves: Vec<Leaf<'_>>, at: usize) -> Vec<Node> {
    let keyword = key[0].as_str();
    let place = pointer(place);
    match keyword {
        "allOf" => {
            let mut branches: BTreeMap<usize, Vec<Leaf<'_>>> = BTreeMap::new();
            for leaf in leaves {
                let branch = leaf.way[at + 1].parse().unwrap_or(0);
                branches.entry(branch).or_default().push(leaf);
            }
            let below = branches.into_values().flat_map(|leaves| grouped(&place, at_schema(leaves, at + 2)));
            vec![Node { text: "'allOf' failed".to_owned(), below: below.collect(), place }]
        }
        "$ref" | "$dynamicRef" | "$recursiveRef" => {
            let below = at_schema(leaves, at + 1);
            if below.len() == 1 {
                return below;
            }
            vec![Node { text: "validation failed".to_owned(), below, place }]
        }
        _ => grouped(&place, at_schema(leaves, at + key.len())),
    }
}

/// Several complaints of one schema stand under a line of their own.
fn grouped(place: &str, nodes: Vec<Node>) -> Vec<Node> {
    if nodes.len() < 2 {
        return nodes;
    }
    vec![Node { place: place.to_owned(), text: "validation failed".to_owned(), below: nodes }]
}

/// Complaints after which the library does not look on.
fn is_first(error: &ValidationError<'_>) -> bool {
    matches!(
        error.kind(),
        Kind::Type { .. }
            | Kind::Constant { .. }
            | Kind::Enum { .. }
            | Kind::Format { .. }
            | Kind::FalseSchema
    )
}

fn own_nodes(leaves: &[Leaf<'_>]) -> Vec<Node> {
    let rank = |error: &ValidationError<'_>| match error.kind() {
        Kind::Type { .. } | Kind::FalseSchema => 0,
        Kind::Constant { .. } => 1,
        Kind::Enum { .. } => 2,
        Kind::Format { .. } => 3,
        _ => 4,
    };
    let mut leaves: Vec<&Leaf<'_>> = leaves.iter().collect();
    leaves.sort_by_key(|leaf| rank(leaf.error));
    if leaves.first().is_some_and(|leaf| is_first(leaf.error)) {
        leaves.truncate(1);
    }
    let mut nodes = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    let mut missing_at = String::new();
    for leaf in leaves {
        if let Some(node) = not_evaluated(leaf) {
            nodes.push(node);
        } else if let Kind::Required { property } = leaf.error.kind() {
            missing.push(property.as_str().unwrap_or_default().to_owned());
            missing_at = pointer(&leaf.place);
        } else {
            nodes.push(node(leaf));
        }
    }
    if !missing.is_empty() {
        let word = if missing.len() == 1 { "property" } else { "properties" };
        let text = format!("missing {word} {}", list(&missing));
        nodes.insert(0, Node { place: missing_at, text, below: Vec::new() });
    }
    nodes
}

/// Properties that `unevaluatedProperties: false` does not want: each fails the schema `false`.
fn not_evaluated(leaf: &Leaf<'_>) -> Option<Node> {
    let Kind::UnevaluatedProperties { unexpected } = leaf.error.kind() else { return None };
    let at = pointer(&leaf.place);
    let node = |name: &String| Node {
        place: format!("{at}{}", pointer(std::slice::from_ref(name))),
        text: "false schema".to_owned(),
        below: Vec::new(),
    };
    match unexpected.as_slice() {
        [one] => Some(node(one)),
        several => Some(Node {
            place: at.clone(),
            text: "validation failed".to_owned(),
            below: several.iter().map(node).collect(),
        }),
    }
}

fn node(leaf: &Leaf<'_>) -> Node {
    let place = pointer(&leaf.place);
    let branches = |context: &[Vec<ValidationError<'static>>]| {
        let at = leaf.way.len() + 1;
        context
            .iter()
            .flat_map(|errors| {
                let leaves = errors.iter().map(Leaf::new).collect();
                grouped(&place, at_schema(leaves, at))
            })
            .collect::<Vec<_>>()
    };
    let (text, below) = match leaf.error.kind() {
        Kind::AnyOf { context } => ("'anyOf' failed".to_owned(), branches(context)),
        Kind::OneOfNotValid { context } => ("'oneOf' failed, none matched".to_owned(), branches(context)),
        Kind::OneOfMultipleValid { context } => {
            let valid: Vec<usize> =
                context.iter().enumerate().filter(|(_, errors)| errors.is_empty()).map(|(i, _)| i).collect();
            let text = match valid.as_slice() {
                [a, b, ..] => format!("'oneOf' failed, subschemas {a}, {b} matched"),
                _ => "'oneOf' failed, several matched".to_owned(),
            };
            (text, Vec::new())
        }
        Kind::PropertyNames { error } => {
            let name = error.instance().as_str().unwrap_or_default();
            let mut below = node(&Leaf::new(error));
            below.place.clear();
            (format!("invalid propertyName {}", quoted(name)), vec![below])
        }
        kind => (words(kind, leaf.error.instance()), Vec::new()),
    };
    Node { place, text, below }
}

fn words(kind: &Kind, instance: &Json) -> String {
    let got = instance;
    match kind {
        Kind::Type { kind } => format!("got {}, want {}", type_of(got), wanted(kind)),
        Kind::Constant { expected_value } => match &**expected_value {
            Json::Array(_) | Json::Object(_) => "'const' failed".to_owned(),
            other => format!("value must be {}", display(other)),
        },
        Kind::Enum { options } => one_of(options),
        Kind::Minimum { limit } => format!("minimum: got {}, want {}", number(got), number(limit)),
        Kind::Maximum { limit } => format!("maximum: got {}, want {}", number(got), number(limit)),
        Kind::ExclusiveMinimum { limit } => {
            format!("exclusiveMinimum: got {}, want {}", number(got), number(limit))
        }
        Kind::ExclusiveMaximum { limit } => {
            format!("exclusiveMaximum: got {}, want {}", number(got), number(limit))
        }
        Kind::MultipleOf { multiple_of } => {
            format!("multipleOf: got {}, want {}", number(got), number(&Json::from(*multiple_of)))
        }
        Kind::MinLength { limit } => {
            format!("minLength: got {}, want {}", length(got), grouping(&limit.to_string()))
        }
        Kind::MaxLength { limit } => {
            format!("maxLength: got {}, want {}", length(got), grouping(&limit.to_string()))
        }
        Kind::MinItems { limit } => {
            format!("minItems: got {}, want {}", length(got), grouping(&limit.to_string()))
        }
        Kind::MaxItems { limit } => {
            format!("maxItems: got {}, want {}", length(got), grouping(&limit.to_string()))
        }
        Kind::MinProperties { limit } => {
            format!("minProperties: got {}, want {}", length(got), grouping(&limit.to_string()))
        }
        Kind::MaxProperties { limit } => {
            format!("maxProperties: got {}, want {}", length(got), grouping(&limit.to_string()))
        }
        Kind::Pattern { pattern } => {
            format!("{} does not match pattern {}", quoted(got.as_str().unwrap_or_default()), quoted(pattern))
        }
        Kind::AdditionalProperties { unexpected } => {
            format!("additional properties {} not allowed", list(unexpected))
        }
        Kind::AdditionalItems { limit } => {
            let count = got.as_array().map_or(0, |items| items.len().saturating_sub(*limit));
            format!("last {count} additionalItem(s) not allowed")
        }
        Kind::UniqueItems => match duplicates(got) {
            Some((a, b)) => format!("items at {a} and {b} are equal"),
            None => "items are equal".to_owned(),
        },
        Kind::Contains => "no items match contains schema".to_owned(),
        Kind::Not { .. } => "'not' failed".to_owned(),
        Kind::FalseSchema => "false schema".to_owned(),
        Kind::Format { format } => format!("{} is not valid {format}", display(got)),
        other => format!("{} failed", quoted(other.keyword())),
    }
}

fn one_of(options: &Json) -> String {
    let options = options.as_array().map_or(&[][..], Vec::as_slice);
    if options.iter().any(|o| o.is_array() || o.is_object()) {
        return "'enum' failed".to_owned();
    }
    match options {
        [one] => format!("value must be {}", display(one)),
        several => {
            let shown: Vec<String> = several.iter().map(display).collect();
            format!("value must be one of {}", shown.join(", "))
        }
    }
}

fn duplicates(value: &Json) -> Option<(usize, usize)> {
    let items = value.as_array()?;
    (1..items.len()).find_map(|b| (0..b).find(|a| items[*a] == items[b]).map(|a| (a, b)))
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn wanted(kind: &TypeKind) -> String {
    const ORDER: [(JsonType, &str); 7] = [
        (JsonType::Null, "null"),
        (JsonType::Boolean, "boolean"),
        (JsonType::Number, "number"),
        (JsonType::Integer, "integer"),
        (JsonType::String, "string"),
        (JsonType::Array, "array"),
        (JsonType::Object, "object"),
    ];
    let fits = |wanted: JsonType| match kind {
        TypeKind::Single(kind) => *kind == wanted,
        TypeKind::Multiple(kinds) => kinds.contains(wanted),
    };
    let names: Vec<&str> = ORDER.iter().filter(|(kind, _)| fits(*kind)).map(|(_, name)| *name).collect();
    names.join(" or ")
}

fn length(value: &Json) -> String {
    let length = match value {
        Json::String(text) => text.chars().count(),
        Json::Array(items) => items.len(),
        Json::Object(entries) => entries.len(),
        _ => 0,
    };
    grouping(&length.to_string())
}

/// A number as the library's English printer shows it.
fn number(value: &Json) -> String {
    let number = value.as_f64().unwrap_or_default();
    grouping(&format!("{number}"))
}

/// Commas between thousands.
fn grouping(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    let mut out = sign.to_owned();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn display(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Array(_) | Json::Object(_) => "value".to_owned(),
        Json::Null => "<nil>".to_owned(),
        Json::Number(n) => match n.as_f64() {
            Some(f) if n.is_f64() => crate::yaml::format_float(f),
            _ => n.to_string(),
        },
        Json::Bool(b) => b.to_string(),
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// The library's quotes.
fn quoted(text: &str) -> String {
    let text = quote(text.as_bytes()).replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{}'", &text[1..text.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Options, read_map};

    /// A door with some documents behind it.
    struct Shelf;

    impl Door for Shelf {
        fn ask(&self, question: &Question<'_>) -> Result<Value, String> {
            let Question::Call { function: SCHEMA, args } = question else { return Err("no".to_owned()) };
            match args[0].as_str().unwrap() {
                "https://example.org/a/first.json" => Ok(r#"{"$ref": "second.json#/$defs/n"}"#.into()),
                "https://example.org/a/second.json" => {
                    Ok(r##"{"$defs": {"n": {"type": "object", "properties": {"k": {"$ref": "#/$defs/i"}}}, "i": {"type": "integer"}}}"##.into())
                }
                "https://example.org/self.json" => Ok(r#"{"$ref": "https://example.org/self.json"}"#.into()),
                other if other.contains("/chain/") => {
                    let n: u32 = other.rsplit('/').next().unwrap().parse().unwrap();
                    Ok(format!(r#"{{"$ref": "https://example.org/chain/{}"}}"#, n + 1).into())
                }
                _ => Err("404 Not Found".to_owned()),
            }
        }
    }

    fn complaints(schema: &str, values: &str) -> String {
        let values = read_map(values.as_bytes(), Options::default()).unwrap();
        single(schema.as_bytes(), &values, &Shelf).err().unwrap_or_default()
    }

    #[test]
    fn words_and_nesting() {
        let schema = r##"{"properties": {"a": {"type": "integer"}, "b": {"type": ["string", "null"]},
            "c": {"allOf": [{"required": ["x", "y"]}, {"minProperties": 1}]}, "d": {"enum": ["p", 1]},
            "e": {"$ref": "#/definitions/e"}}, "required": ["a"], "additionalProperties": false,
            "definitions": {"e": {"properties": {"f": {"minimum": 1000}, "g": {"pattern": "^x"}}}}}"##;
        assert_eq!(complaints(schema, "a: 1.0\nb: null\n"), "");
        assert_eq!(complaints(schema, "b: x\n"), "- at '': missing property 'a'\n");
        assert_eq!(complaints(schema, "a: x\n"), "- at '/a': got string, want integer\n");
        assert_eq!(
            complaints(schema, "a: 1\nc: {}\n"),
            "- at '/c': 'allOf' failed\n  - at '/c': missing properties 'x', 'y'\n  - at '/c': minProperties: got 0, \
             want 1\n"
        );
        assert_eq!(complaints(schema, "a: 1\nd: 2\n"), "- at '/d': value must be one of 'p', 1\n");
        assert_eq!(complaints(schema, "a: 1\nz: 2\n"), "- at '': additional properties 'z' not allowed\n");
        assert_eq!(
            complaints(schema, "a: 1\ne: {f: 1, g: q}\n"),
            "- at '/e': validation failed\n  - at '/e/f': minimum: got 1, want 1,000\n  - at '/e/g': 'q' does not \
             match pattern '^x'\n"
        );
    }

    #[test]
    fn schemas_that_lead_elsewhere() {
        let to = |address: &str| complaints(&format!(r#"{{"$ref": "{address}"}}"#), "k: x");
        assert_eq!(to("https://example.org/a/second.json#/$defs/n"), "- at '/k': got string, want integer\n");
        assert_eq!(to("https://example.org/a/first.json"), "- at '/k': got string, want integer\n");
        assert_eq!(to("urn:example:x"), "");
        let text = to("https://example.org/none.json");
        assert!(text.contains("\"https://example.org/none.json\": 404 Not Found"), "{text}");
        for file in ["file:///etc/passwd", "other.json", "ftp://example.org/x"] {
            let text = to(file);
            assert!(text.contains("is not part of the chart"), "{file}: {text}");
        }
        // Neither circles nor chains without an end go on for ever.
        let _ = to("https://example.org/self.json");
        assert!(!to("https://example.org/chain/1").is_empty());
        assert!(!complaints("{", "a: 1").is_empty());
    }
}
