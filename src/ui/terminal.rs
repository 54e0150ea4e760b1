//! Facts about where output goes.

use std::io::IsTerminal as _;

use anstream::ColorChoice;

use crate::host;

/// Columns where nobody says how many there are.
const COLUMNS: usize = 100;
/// Rows where nobody says how many there are.
const ROWS: usize = 24;

/// What a stream of this process leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Whether a person's terminal is behind it, one that can move its cursor.
    pub is_tty: bool,
    /// Whether colours are wanted: `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM` decide.
    pub colour: bool,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Terminal {
    /// Facts about standard error.
    pub fn stderr() -> Self {
        let stream = std::io::stderr();
        let colour = anstream::AutoStream::choice(&stream) != ColorChoice::Never;
        Self::new(stream.is_terminal(), colour, host::terminal::size(&stream))
    }

    /// Facts about standard output.
    pub fn stdout() -> Self {
        let stream = std::io::stdout();
        let colour = anstream::AutoStream::choice(&stream) != ColorChoice::Never;
        Self::new(stream.is_terminal(), colour, host::terminal::size(&stream))
    }

    /// Somewhere that is no terminal: a file, a pipe, a test.
    pub fn none() -> Self {
        Self { is_tty: false, colour: false, width: COLUMNS, height: ROWS }
    }

    fn new(is_tty: bool, colour: bool, size: Option<(usize, usize)>) -> Self {
        let dumb = host::env::var("TERM").is_none_or(|term| term == "dumb");
        let (width, height) = size.unwrap_or((COLUMNS, ROWS));
        Self { is_tty: is_tty && !dumb, colour, width, height }
    }
}
