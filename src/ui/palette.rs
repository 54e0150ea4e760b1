//! Roles that colours play. Each role also has a word or a sign of its own: nothing is said by colour alone.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// The styles of the roles, all empty where colours are not wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Palette {
    /// Headings.
    pub(super) heading: Style,
    /// What needs no attention.
    pub(super) faint: Style,
    /// Failures.
    pub(super) error: Style,
    /// Warnings, things that were stopped.
    pub(super) warning: Style,
    /// What can be done.
    pub(super) hint: Style,
    /// Whether there are colours at all.
    pub(super) colour: bool,
}

impl Palette {
    /// With colours, or without.
    pub(super) fn new(colour: bool) -> Self {
        if !colour {
            return Self::default();
        }
        Self {
            heading: Style::new().bold(),
            faint: Style::new().dimmed(),
            error: AnsiColor::Red.on_default().bold(),
            warning: AnsiColor::Yellow.on_default().bold(),
            hint: AnsiColor::Cyan.on_default().bold(),
            colour,
        }
    }
}

/// `text` in `style`.
pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
