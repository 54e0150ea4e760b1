//! Which face is shown: flag, then environment, then what is at the other end.

use std::str::FromStr;

use crate::base::{Failure, Kind};
use crate::host;
use crate::ui::Terminal;

/// `--progress`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Tty at a terminal, plain elsewhere.
    #[default]
    Auto,
    /// Lines, for logs.
    Plain,
    /// A live list.
    Tty,
    /// Warnings only.
    Quiet,
    /// BuildKit's SolveStatus objects.
    RawJson,
    /// Nothing.
    None,
}

impl Progress {
    /// All, in the order help shows them.
    pub const ALL: [(&'static str, Self); 6] = [
        ("auto", Self::Auto),
        ("plain", Self::Plain),
        ("tty", Self::Tty),
        ("quiet", Self::Quiet),
        ("rawjson", Self::RawJson),
        ("none", Self::None),
    ];
}

impl FromStr for Progress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        let names = || Self::ALL.map(|(name, _)| name).join(", ");
        found.map(|(_, progress)| *progress).ok_or_else(|| format!("`{text}` is none of {}", names()))
    }
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Words for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is neither text nor json")),
        }
    }
}

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--progress`, if it was given.
    pub progress: Option<Progress>,
    /// `--log-format`.
    pub log_format: LogFormat,
}

/// The face to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    Tty,
    Plain,
    Json,
    RawJson,
    Quiet,
    None,
}

impl Choice {
    /// The face for `terminal`, asking `LAP_PROGRESS` and then `BUILDKIT_PROGRESS` where no flag was given.
    pub(super) fn face(self, terminal: &Terminal) -> Result<Face, Failure> {
        self.face_with(terminal, host::env::var)
    }

    fn face_with(self, terminal: &Terminal, var: impl Fn(&str) -> Option<String>) -> Result<Face, Failure> {
        let progress = match self.progress {
            Some(progress) => progress,
            None => from_environment(var)?,
        };
        let json = self.log_format == LogFormat::Json;
        Ok(match progress {
            Progress::None => Face::None,
            Progress::RawJson => Face::RawJson,
            Progress::Quiet if !json => Face::Quiet,
            // A machine that reads events can leave out what it does not want.
            _ if json => Face::Json,
            Progress::Tty if !terminal.is_tty => {
                let failure = Failure::new(Kind::Usage, "show progress on a terminal");
                return Err(failure
                    .because("standard error is not a terminal that can move its cursor")
                    .hint("leave --progress out, or use --progress plain"));
            }
            Progress::Tty => Face::Tty,
            Progress::Auto if terminal.is_tty => Face::Tty,
            Progress::Auto | Progress::Plain | Progress::Quiet => Face::Plain,
        })
    }
}

fn from_environment(var: impl Fn(&str) -> Option<String>) -> Result<Progress, Failure> {
    for name in ["LAP_PROGRESS", "BUILDKIT_PROGRESS"] {
        if let Some(value) = var(name) {
            return value
                .parse()
                .map_err(|cause: String| Failure::new(Kind::Usage, format!("read {name}")).because(cause));
        }
    }
    Ok(Progress::Auto)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(
        progress: Option<&str>,
        log_format: LogFormat,
        is_tty: bool,
        vars: &[(&str, &str)],
    ) -> Result<Face, Failure> {
        let terminal = Terminal { is_tty, ..Terminal::none() };
        let choice = Choice { progress: progress.map(|text| text.parse().unwrap()), log_format };
        choice.face_with(&terminal, |name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn flag_before_environment_before_terminal() {
        let text = LogFormat::Text;
        assert_eq!(face(None, text, true, &[]).unwrap(), Face::Tty);
        assert_eq!(face(None, text, false, &[]).unwrap(), Face::Plain);
        assert_eq!(face(None, text, true, &[("BUILDKIT_PROGRESS", "plain")]).unwrap(), Face::Plain);
        let both = [("BUILDKIT_PROGRESS", "plain"), ("LAP_PROGRESS", "rawjson")];
        assert_eq!(face(None, text, true, &both).unwrap(), Face::RawJson);
        assert_eq!(face(Some("quiet"), text, true, &both).unwrap(), Face::Quiet);
        assert_eq!(face(Some("none"), LogFormat::Json, true, &[]).unwrap(), Face::None);
        assert_eq!(face(Some("tty"), LogFormat::Json, false, &[]).unwrap(), Face::Json);
    }

    #[test]
    fn wrong_words_are_named() {
        let error = face(None, LogFormat::Text, true, &[("LAP_PROGRESS", "fancy")]).unwrap_err();
        assert_eq!(error.message(), "read LAP_PROGRESS");
        assert_eq!(error.causes(), ["`fancy` is none of auto, plain, tty, quiet, rawjson, none"]);
        assert_eq!(face(Some("tty"), LogFormat::Text, false, &[]).unwrap_err().kind(), Kind::Usage);
    }
}
