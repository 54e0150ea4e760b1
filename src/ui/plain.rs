//! Lines for logs: each says by its number which task it belongs to, so that parallel tasks stay readable.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use crate::report::{Event, Outcome, TaskId};
use crate::ui::board::{Board, Entry, Item, last_words, warning_line, warning_summary};
use crate::ui::clean;
use crate::ui::format;
use crate::ui::palette::{Palette, paint};
use crate::ui::renderer::Draw;

/// How often a running transfer says how far it is.
const TRANSFER_EVERY: Duration = Duration::from_secs(5);

/// Columns of a frame in a log.
const COLUMNS: usize = 140;

/// The plain face.
#[derive(Debug)]
pub(super) struct Plain {
    board: Board,
    palette: Palette,
    /// The task whose name stands above the next line.
    current: Option<TaskId>,
    written: bool,
    told: BTreeMap<(TaskId, String), Told>,
}

/// When a transfer was last told of, and whether it was done then.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Duration,
    done: bool,
}

impl Plain {
    pub(super) fn new(palette: Palette) -> Self {
        Self { board: Board::default(), palette, current: None, written: false, told: BTreeMap::new() }
    }

    /// Says which task the next log lines are about, if it is another than before.
    fn turn_to(&mut self, task: TaskId, out: &mut dyn Write) -> io::Result<()> {
        let before = self.current.replace(task);
        if before == Some(task) {
            return Ok(());
        }
        let Some(entry) = self.board.entry(task) else { return Ok(()) };
        if self.written {
            writeln!(out)?;
        }
        self.written = true;
        writeln!(out, "#{} {}", entry.number, paint(self.palette.heading, &entry.name))
    }

    fn lines(&self, task: TaskId, lines: &[(Duration, String)], out: &mut dyn Write) -> io::Result<()> {
        let Some(entry) = self.board.entry(task) else { return Ok(()) };
        for (since, line) in lines {
            writeln!(out, "#{} {:.3} {line}", entry.number, since.as_secs_f64())?;
        }
        Ok(())
    }

    /// A transfer is told when it is done, and now and then before.
    fn transfer(&mut self, task: TaskId, item: &str, out: &mut dyn Write) -> io::Result<()> {
        let Some(entry) = self.board.entry(task) else { return Ok(()) };
        let Some(item) = entry.items.iter().find(|known| known.name == item) else { return Ok(()) };
        let key = (task, item.name.clone());
        let told = self.told.get(&key).copied();
        let early = item.moved.saturating_sub(told.map_or(item.began, |told| told.at)) < TRANSFER_EVERY;
        if told.is_some_and(|told| told.done) || (early && !item.is_done()) {
            return Ok(());
        }
        let line = item_line(entry, item);
        self.told.insert(key, Told { at: item.moved, done: item.is_done() });
        writeln!(out, "{line}")
    }

    /// The line says by its number what it is about: the name is not said again.
    fn finished(&self, task: TaskId, outcome: &Outcome, at: Duration, out: &mut dyn Write) -> io::Result<()> {
        let Some(entry) = self.board.entry(task) else { return Ok(()) };
        let palette = &self.palette;
        let detail = entry.detail.as_ref().map(|detail| format!(" {detail}")).unwrap_or_default();
        let words = match outcome {
            Outcome::Done => format!("DONE {}{detail}", format::duration(entry.took(at))),
            Outcome::Cached => format!("{}{detail}", paint(palette.faint, "CACHED")),
            Outcome::Cancelled => paint(palette.warning, "CANCELED"),
            Outcome::Failed(message) => {
                paint(palette.error, format_args!("ERROR: {}", clean(message.as_bytes())))
            }
        };
        writeln!(out, "#{} {words}", entry.number)
    }
}

/// `#N sha256:… 5MB / 20MB 1.2s`.
fn item_line(entry: &Entry, item: &Item) -> String {
    let mut line = format!("#{}", entry.number);
    if !item.name.is_empty() {
        line.push_str(&format!(" {}", item.name));
    }
    line.push_str(&format!(" {}", format::size(item.current)));
    if let Some(total) = item.total {
        line.push_str(&format!(" / {}", format::size(total)));
    }
    line.push_str(&format!(" {}", format::duration(item.moved.saturating_sub(item.began))));
    if item.is_done() {
        line.push_str(" done");
    }
    line
}

impl Draw for Plain {
    fn event(&mut self, event: &Event, _wall: Duration, out: &mut dyn Write) -> io::Result<()> {
        let warnings = self.board.warnings.len();
        let lines = self.board.take(event);
        match event {
            Event::Started { task, .. } => self.turn_to(*task, out),
            Event::Log { task, .. } if lines.is_empty() => {
                debug_assert!(self.board.entry(*task).is_some(), "a log of a task that never began");
                Ok(())
            }
            Event::Log { task, .. } => {
                self.turn_to(*task, out)?;
                self.lines(*task, &lines, out)
            }
            Event::Progress { task, item, .. } => self.transfer(*task, &clean(item.as_bytes()), out),
            Event::Finished { task, outcome, at, .. } => {
                if !lines.is_empty() {
                    self.turn_to(*task, out)?;
                    self.lines(*task, &lines, out)?;
                }
                self.finished(*task, outcome, at.0, out)
            }
            // One with a place is shown at the end, with its lines.
            Event::Warned(warning) if self.board.warnings.len() > warnings && warning.place.is_none() => {
                writeln!(out, "{} {}", paint(self.palette.warning, "warning:"), warning_line(warning))
            }
            Event::Warned(_) | Event::Planned { .. } => Ok(()),
            Event::Note { message } => writeln!(out, "{}", clean(message.as_bytes())),
        }
    }

    fn close(&mut self, _now: Duration, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(last_words(&self.board).as_bytes())?;
        let warnings = warning_summary(&self.board, self.palette.colour, COLUMNS);
        if !warnings.is_empty() && self.written {
            writeln!(out)?;
        }
        out.write_all(warnings.as_bytes())
    }
}

/// The quiet face: warnings, and the last words of what failed.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    board: Board,
    palette: Palette,
}

impl Quiet {
    pub(super) fn new(palette: Palette) -> Self {
        Self { board: Board::default(), palette }
    }
}

impl Draw for Quiet {
    fn event(&mut self, event: &Event, _wall: Duration, out: &mut dyn Write) -> io::Result<()> {
        let before = self.board.warnings.len();
        self.board.take(event);
        match event {
            Event::Warned(warning) if self.board.warnings.len() > before => {
                writeln!(out, "{} {}", paint(self.palette.warning, "warning:"), warning_line(warning))
            }
            _ => Ok(()),
        }
    }

    fn close(&mut self, _now: Duration, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(last_words(&self.board).as_bytes())
    }
}
