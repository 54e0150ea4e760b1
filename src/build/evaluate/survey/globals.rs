//! The global arguments with what they are made of.

use std::collections::{BTreeMap, BTreeSet};

use crate::build::evaluate::expansion::Expansion;
use crate::build::evaluate::survey::parameters::Known;
use crate::build::evaluate::{Parameters, Vars, outline};
use crate::dockerfile::{Command, Dockerfile};

/// Values, predefined ones included, and what is known of the declared ones.
pub struct Globals {
    pub vars: Vars,
    pub known: BTreeMap<String, Known>,
}

impl Globals {
    /// With `given` as build arguments; `None` if a default cannot be expanded, which the evaluation tells.
    pub fn read(
        file: &Dockerfile,
        parameters: &Parameters,
        given: &BTreeMap<String, String>,
    ) -> Option<Self> {
        let expansion = Expansion::new(file);
        let mut globals = Self { vars: outline::predefined(file, parameters), known: BTreeMap::new() };
        for instruction in &file.global_args {
            let Command::Arg(arg) = &instruction.command else { continue };
            for item in &arg.items {
                let name = &item.name.text;
                let mut needs = BTreeSet::new();
                let value = match (given.get(name), &item.default) {
                    (Some(value), _) => Some(value.clone()),
                    (None, None) => None,
                    (None, Some(default)) => {
                        let expanded = expansion.whole(&default.text, &globals.vars).ok()?;
                        needs = expanded.matched;
                        // An argument upon itself is made of what the earlier one was made of.
                        if needs.remove(name)
                            && let Some(earlier) = globals.known.get(name)
                        {
                            needs.extend(earlier.needs.iter().cloned());
                        }
                        Some(expanded.text)
                    }
                };
                if let Some(value) = &value {
                    globals.vars.set(name, value.clone());
                }
                let known = Known {
                    value: value.unwrap_or_default(),
                    description: item.description.clone(),
                    lines: (instruction.first_line, instruction.last_line),
                    needs,
                };
                globals.known.insert(name.clone(), known);
            }
        }
        Some(globals)
    }

    /// Whether FROM may name it.
    pub fn has(&self, name: &str) -> bool {
        self.known.contains_key(name) || self.vars.get(name).is_some()
    }

    /// All names that FROM may name, each once.
    pub fn names(&self) -> BTreeSet<&str> {
        self.known.keys().map(String::as_str).chain(self.vars.names()).collect()
    }
}
