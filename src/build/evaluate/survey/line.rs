//! One instruction under survey: expanding its words and warning about it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::base::Span;
use crate::build::evaluate::expansion::Expansion;
use crate::build::evaluate::survey::stage::State;
use crate::dockerfile::command::Mount;
use crate::dockerfile::{self, Check, Instruction, Rule, Warning, Word, nearest};

/// Arguments that only steer the builder; they may be named anywhere.
pub const STEERING: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Expanding stopped: the evaluation says why.
pub struct Stopped;

impl From<dockerfile::Error> for Stopped {
    fn from(_: dockerfile::Error) -> Self {
        Self
    }
}

/// An instruction with what holds at it.
pub struct Line<'a> {
    pub instruction: &'a Instruction,
    /// The FROM at which it is fired, if it is a trigger: that is the place it has.
    pub fired: Option<&'a Instruction>,
    pub check: Cow<'a, Check>,
    pub expansion: Expansion,
    pub warnings: &'a mut Vec<Warning>,
}

impl Line<'_> {
    /// The lines that are told.
    pub fn lines(&self) -> (usize, usize) {
        let place = self.fired.unwrap_or(self.instruction);
        (place.first_line, place.last_line)
    }

    /// Warns about words at `span`.
    pub fn warn(&mut self, rule: Rule, span: &Span, message: impl Into<String>) {
        if self.check.allows(rule) {
            let span = self.fired.map_or(span, |from| &from.span).clone();
            self.warnings.push(Warning { rule, span, lines: self.lines(), message: message.into() });
        }
    }

    /// Warns about the instruction.
    pub fn warn_here(&mut self, rule: Rule, message: impl Into<String>) {
        let span = self.instruction.span.clone();
        self.warn(rule, &span, message);
    }

    /// The value of `word`.
    pub fn expand(&mut self, word: &Word, state: &State) -> Result<String, Stopped> {
        let expanded = self.expansion.whole(&word.text, &state.vars)?;
        self.unset(&expanded.unmatched, &word.span, state);
        Ok(expanded.text)
    }

    /// The content of a heredoc of COPY.
    pub fn expand_body(&mut self, body: &str, place: &Word, state: &State) -> Result<(), Stopped> {
        let expanded = self.expansion.whole_body(body, &state.vars)?;
        self.unset(&expanded.unmatched, &place.span, state);
        Ok(())
    }

    /// A mount of RUN, its fields expanded.
    pub fn mount(&mut self, flag: &dockerfile::command::MountFlag, state: &State) -> Result<Mount, Stopped> {
        let mut unset = Vec::new();
        let mount = flag.resolve(&mut |text| {
            let expanded = self.expansion.whole(text, &state.vars)?;
            unset.push(expanded.unmatched);
            Ok(expanded.text)
        })?;
        unset.iter().for_each(|names| self.unset(names, &flag.word.span, state));
        Ok(mount)
    }

    /// UndefinedVar.
    fn unset(&mut self, names: &BTreeSet<String>, span: &Span, state: &State) {
        for name in names {
            if state.args.contains(name) || STEERING.contains(&name.as_str()) {
                continue;
            }
            let known: Vec<&str> = state.vars.names().collect();
            let near = nearest(name, &known, true);
            let near = near.map(|near| format!(" (did you mean ${near}?)")).unwrap_or_default();
            self.warn(Rule::UndefinedVar, span, format!("Usage of undefined variable '${name}'{near}"));
        }
    }
}
