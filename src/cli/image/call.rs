//! `lap image build --call`: what is asked of a Dockerfile instead of an image.

use std::process::ExitCode;
use std::str::FromStr;

use crate::base::Failure;
use crate::build::checks::{self, Checked};
use crate::build::evaluate::survey::document;
use crate::build::{Doors, Request};
use crate::cli::{Result, Session, output};
use crate::ui;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Nothing: the image is built.
    Build,
    /// What is wrong although it builds.
    Check,
    /// What the target takes.
    Outline,
    /// Which stages there are.
    Targets,
}

/// `--call`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is asked.
    pub question: Question,
    json: bool,
    ignore_status: bool,
}

impl Call {
    /// What `--check` stands for.
    pub const CHECK: Self = Self { question: Question::Check, json: false, ignore_status: false };
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut call = Self { question: Question::Build, json: false, ignore_status: false };
        let mut named = false;
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("format", "json")) => call.json = true,
                Some(("format", "text")) => call.json = false,
                Some(("format", other)) => return Err(format!("format `{other}` is neither text nor json")),
                Some(("ignorestatus", value)) => {
                    call.ignore_status = value
                        .parse()
                        .map_err(|_| format!("ignorestatus `{value}` is neither true nor false"))?;
                }
                Some((key, _)) => return Err(format!("`{key}` is neither format nor ignorestatus")),
                None if named => return Err(format!("only one thing can be asked, not also `{part}`")),
                None => {
                    call.question = match part {
                        "build" => Question::Build,
                        "check" | "lint" => Question::Check,
                        "outline" => Question::Outline,
                        "targets" => Question::Targets,
                        other => {
                            return Err(format!("`{other}` is none of build, check, outline, targets"));
                        }
                    };
                    named = true;
                }
            }
        }
        if named {
            Ok(call)
        } else {
            Err("it does not say what to call: build, check, outline or targets".into())
        }
    }
}

impl Call {
    /// Asks, and prints the answer.
    pub fn run(self, session: &Session, doors: &Doors, request: &Request) -> Result {
        match self.question {
            Question::Build => Ok(ExitCode::SUCCESS),
            Question::Check => {
                let checked =
                    session.block_on(async { Ok(checks::check(&session.cx, doors, request).await?) })?;
                self.show(&checked)
            }
            Question::Outline => {
                let found =
                    session.block_on(async { Ok(checks::outline(&session.cx, doors, request).await?) })?;
                match self.json {
                    true => output::json(&document::outline(&found.source, &found.parameters))?,
                    false => output::text(document::outline_text(&found.parameters))?,
                }
                Ok(ExitCode::SUCCESS)
            }
            Question::Targets => {
                let found =
                    session.block_on(async { Ok(checks::targets(&session.cx, doors, request).await?) })?;
                match self.json {
                    true => output::json(&document::targets(&found.source, &found.targets))?,
                    false => output::text(document::targets_text(&found.targets))?,
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    /// Ends with 1 if there is anything to say, as `docker build --check` does.
    fn show(self, checked: &Checked) -> Result {
        let Checked { source, warnings, error } = checked;
        if self.json {
            output::json(&document::check(source, warnings, error.as_ref()))?;
        } else {
            output::text(words(checked))?;
        }
        match error {
            Some(error) => Err(Failure::with_exit_code(error.clone(), 1)),
            None if warnings.is_empty() || self.ignore_status => Ok(ExitCode::SUCCESS),
            None => Ok(ExitCode::FAILURE),
        }
    }
}

fn words(checked: &Checked) -> String {
    let terminal = ui::Terminal::stdout();
    let mut text = String::new();
    for warning in &checked.warnings {
        text.push_str(&ui::warning_page(&checks::told(warning), terminal.colour, terminal.width));
        text.push('\n');
    }
    match (checked.warnings.len(), &checked.error) {
        (0, Some(_)) => {}
        (0, None) => text.push_str("Check complete, no warnings found.\n"),
        (1, _) => text.push_str("Check complete, 1 warning has been found!\n"),
        (count, _) => text.push_str(&format!("Check complete, {count} warnings have been found!\n")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let call = |text: &str| text.parse::<Call>();
        assert_eq!(call("check").unwrap(), Call::CHECK);
        assert_eq!(call("lint").unwrap(), Call::CHECK);
        assert!(call("outline,format=json").unwrap().json);
        assert!(call("format=json,check,ignorestatus=true").unwrap().ignore_status);
        assert_eq!(call("build").unwrap().question, Question::Build);
        for bad in ["", "x", "check,outline", "check,format=yaml", "check,colour=red", "format=json"] {
            assert!(call(bad).is_err(), "{bad}");
        }
    }
}
