//! How stages are named and how FROM is written.

use std::collections::BTreeSet;

use crate::dockerfile::{Command, Dockerfile, Instruction, Rule, Warning};

/// Names that stand for something else.
const RESERVED: [&str; 2] = ["context", "scratch"];

/// ReservedStageName and DuplicateStageName.
pub(super) fn names(file: &Dockerfile) -> Vec<Warning> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for stage in &file.stages {
        let Some(name) = &stage.from.name else { continue };
        let mut warn =
            |rule, message| found.push(Warning::new(rule, &stage.instruction, name.span.clone(), message));
        if RESERVED.contains(&name.text.as_str()) {
            let message =
                format!("Stage name should not use the same name as reserved stage \"{}\"", name.text);
            warn(Rule::ReservedStageName, message);
        }
        if !seen.insert(name.text.as_str()) {
            let message = format!("Duplicate stage name \"{}\", stage names should be unique", name.text);
            warn(Rule::DuplicateStageName, message);
        }
    }
    found
}

/// StageNameCasing and FromAsCasing of a FROM.
pub(super) fn writing(instruction: &Instruction) -> Vec<Warning> {
    let Command::From(from) = &instruction.command else { return Vec::new() };
    let Some(name) = &from.name else { return Vec::new() };
    let mut words = instruction.text.split_whitespace().rev();
    let (Some(written), Some(word)) = (words.next(), words.next()) else { return Vec::new() };
    let keyword = &instruction.keyword.text;
    let mut found = Vec::new();
    if written != written.to_lowercase() {
        let message = format!("Stage name '{written}' should be lowercase");
        found.push(Warning::new(Rule::StageNameCasing, instruction, name.span.clone(), message));
    }
    // A keyword of mixed case fits nothing; that is told by another rule.
    let fits = if *keyword == keyword.to_lowercase() {
        word == word.to_lowercase()
    } else {
        *keyword != keyword.to_uppercase() || word == word.to_uppercase()
    };
    if !fits {
        let message = format!("'{word}' and '{keyword}' keywords' casing do not match");
        let span = instruction.keyword.span.clone();
        found.push(Warning::new(Rule::FromAsCasing, instruction, span, message));
    }
    found
}
