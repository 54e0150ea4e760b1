//! `lap helm completion` and what its scripts ask: `lap helm __complete WORDS…`, in the form that Cobra gave Helm.
//!
//! An answer is a candidate a line, a tab and its description behind it, and at last a colon with a number that says
//! what the shell may add. Scripts that Helm wrote can ask us, and ours can ask Helm.

mod candidates;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::print;
use crate::cli::Result;
use crate::ops::helm::{Home, Settings};

/// Print a script that completes command lines of `lap helm` in a shell.
#[derive(Subcommand, Debug)]
pub enum Completion {
    /// For bash: source <(lap helm completion bash)
    Bash(Script),
    /// For fish: lap helm completion fish | source
    Fish(Script),
    /// For PowerShell: lap helm completion powershell | Out-String | Invoke-Expression
    Powershell(Script),
    /// For zsh: source <(lap helm completion zsh)
    Zsh(Script),
}

/// How a script is written.
#[derive(Args, Debug)]
pub struct Script {
    /// Leave out descriptions
    #[arg(long)]
    no_descriptions: bool,
}

impl Completion {
    /// Runs the command.
    pub fn run(self) -> Result {
        let (script, text) = match self {
            Self::Bash(script) => (script, include_str!("bash.sh")),
            Self::Fish(script) => (script, include_str!("fish.fish")),
            Self::Powershell(script) => (script, include_str!("powershell.ps1")),
            Self::Zsh(script) => (script, include_str!("zsh.zsh")),
        };
        let ask = if script.no_descriptions { "__completeNoDesc" } else { "__complete" };
        print(text.replace("__ASK__", ask).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What a shell asks.
#[derive(Args, Debug)]
pub struct Ask {
    /// The words behind `helm`; the last one is to be completed
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Ask {
    /// Runs the command.
    pub fn run(self, home: &Home, settings: &Settings, described: bool) -> Result {
        let answer = candidates::of(home, settings, &self.words);
        let mut out = String::new();
        for (word, description) in &answer.words {
            out.push_str(word);
            if let (true, Some(first)) = (described, description.lines().next().filter(|d| !d.is_empty())) {
                out.push('\t');
                out.push_str(first);
            }
            out.push('\n');
        }
        out.push_str(&format!(":{}\n", answer.directive));
        print(out.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}
