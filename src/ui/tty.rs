//! The live list: one line a task, redrawn in place.
//!
//! Events only change the board; the screen follows when the renderer's clock ticks, so a step that writes a million
//! lines costs ten frames a second. A frame never has more rows than the terminal; the last one, which stays, has all
//! tasks.

use std::io::{self, Write};
use std::time::Duration;

use unicode_width::UnicodeWidthStr as _;

use crate::report::{Event, Outcome, TaskKind};
use crate::ui::board::{Board, Entry, Item, last_words, warning_line, warning_summary};
use crate::ui::clean::{clean, fill, fit};
use crate::ui::format;
use crate::ui::palette::{Palette, paint};
use crate::ui::renderer::Draw;

/// Columns kept for the time at the end of a line.
const TIME_COLUMNS: usize = 9;
/// Fewer columns than this are treated as this many.
const NARROWEST: usize = 20;

/// Columns and rows of the terminal at this moment.
pub(super) type Size = Box<dyn Fn() -> (usize, usize) + Send>;

/// The tty face.
pub(super) struct Tty {
    board: Board,
    palette: Palette,
    /// The word of the header: `Building`, `Pulling`.
    doing: &'static str,
    size: Size,
    /// Log lines shown of each running task.
    log_lines: usize,
    /// Notes waiting to be written above the list.
    notes: Vec<String>,
    /// Widths of the lines that are on the screen now.
    drawn: Vec<usize>,
}

impl Tty {
    pub(super) fn new(palette: Palette, doing: &'static str, log_lines: usize, size: Size) -> Self {
        Self {
            board: Board::default(),
            palette,
            doing,
            size,
            log_lines,
            notes: Vec::new(),
            drawn: Vec::new(),
        }
    }

    /// Goes back to where the list begins. Lines that a narrower terminal has folded take several rows.
    fn rewind(&mut self, columns: usize, out: &mut dyn Write) -> io::Result<()> {
        let rows: usize = self.drawn.drain(..).map(|width| width.div_ceil(columns).max(1)).sum();
        if rows > 0 {
            write!(out, "\x1b[{rows}A")?;
        }
        write!(out, "\r")
    }

    fn frame(&mut self, lines: Vec<String>, widths: Vec<usize>, out: &mut dyn Write) -> io::Result<()> {
        let (columns, _) = self.bounds();
        // One write a frame, with the cursor hidden meanwhile, so that nothing flickers.
        let mut frame = Vec::new();
        write!(frame, "\x1b[?25l")?;
        self.rewind(columns, &mut frame)?;
        for note in self.notes.drain(..) {
            writeln!(frame, "{note}\x1b[K")?;
        }
        for line in &lines {
            writeln!(frame, "{line}\x1b[K")?;
        }
        write!(frame, "\x1b[J\x1b[?25h")?;
        self.drawn = widths;
        out.write_all(&frame)
    }

    fn bounds(&self) -> (usize, usize) {
        let (columns, rows) = (self.size)();
        (columns.max(NARROWEST), rows.max(4))
    }

    fn header(&self, now: Duration, closed: bool) -> String {
        let began = self.board.entries().first().map_or(now, |entry| entry.began);
        let last =
            self.board.entries().iter().filter_map(|entry| entry.ended.as_ref().map(|(end, _)| *end)).max();
        let end = if closed { last.unwrap_or(now) } else { now };
        let (done, all) = (self.board.finished(), self.board.entries().len());
        let shown = if closed { all } else { self.board.expected() };
        let took = format::duration(end.saturating_sub(began));
        let counts = if closed { self.counts() } else { String::new() };
        let end_word = if closed && done == all { format!(" FINISHED{counts}") } else { counts };
        format!("[+] {} {took} ({done}/{shown}){end_word}", self.doing)
    }

    /// `: 3 steps ran, 4 cached`, where there were steps.
    fn counts(&self) -> String {
        let steps = self.board.entries().iter().filter(|entry| entry.kind == TaskKind::Step);
        let (mut ran, mut cached, mut failed, mut stopped) = (0, 0, 0, 0);
        for entry in steps {
            match entry.ended {
                Some((_, Outcome::Done)) => ran += 1,
                Some((_, Outcome::Cached)) => cached += 1,
                Some((_, Outcome::Failed(_))) => failed += 1,
                Some((_, Outcome::Cancelled)) | None => stopped += 1,
            }
        }
        if ran + cached + failed + stopped == 0 {
            return String::new();
        }
        let plural = if ran == 1 { "" } else { "s" };
        let mut words = format!(": {ran} step{plural} ran, {cached} cached");
        for (count, word) in [(failed, "failed"), (stopped, "stopped")] {
            if count > 0 {
                words.push_str(&format!(", {count} {word}"));
            }
        }
        words
    }

    /// The tasks a frame of `rows` lines has room for: all that run (with their logs), and the latest others.
    fn chosen(&self, rows: usize) -> (Vec<&Entry>, usize) {
        let entries = self.board.entries();
        let running = entries.iter().filter(|entry| entry.is_running()).count();
        if entries.len() <= rows {
            return (entries.iter().collect(), rows - entries.len());
        }
        // Something of the logs stays in sight, however many tasks there are.
        let logs = self.log_lines.min(rows / 3);
        let mut others = rows.saturating_sub(running + logs);
        let mut live = rows.min(running);
        let mut chosen: Vec<&Entry> = entries
            .iter()
            .rev()
            .filter(|entry| {
                let room = if entry.is_running() { &mut live } else { &mut others };
                let fits = *room > 0;
                *room = room.saturating_sub(1);
                fits
            })
            .collect();
        chosen.reverse();
        let left = rows - chosen.len();
        (chosen, left)
    }

    fn task_line(&self, entry: &Entry, columns: usize, now: Duration) -> String {
        let palette = &self.palette;
        let (word, style) = match &entry.ended {
            None | Some((_, Outcome::Done)) => ("", None),
            Some((_, Outcome::Cached)) => ("CACHED ", Some(palette.faint)),
            Some((_, Outcome::Cancelled)) => ("CANCELED ", Some(palette.warning)),
            Some((_, Outcome::Failed(_))) => ("ERROR ", Some(palette.error)),
        };
        let sign = if entry.is_running() { " >" } else { "=>" };
        let detail = match &entry.detail {
            Some(detail) if entry.kind != TaskKind::Step => format!(" {detail}"),
            _ => String::new(),
        };
        let text = format!("{sign} {word}{}{detail}", entry.name);
        let line = with_time(&text, entry.took(now), columns);
        style.map_or(line.clone(), |style| paint(style, line))
    }

    /// What is shown below a running task: its unfinished transfers, then the end of its log.
    fn below(&self, entry: &Entry, columns: usize, room: &mut usize) -> Vec<String> {
        let mut lines = Vec::new();
        let moving = entry.items.iter().filter(|item| !item.is_done());
        for item in moving.take(*room) {
            lines.push(with_time(&item_text(item), item.moved.saturating_sub(item.began), columns));
        }
        let shown = self.log_lines.min(room.saturating_sub(lines.len()));
        for (_, line) in entry.lines.iter().skip(entry.lines.len().saturating_sub(shown)) {
            lines.push(paint(self.palette.faint, fit(&format!("   # {line}"), columns - 1)));
        }
        *room -= lines.len();
        lines
    }
}

fn item_text(item: &Item) -> String {
    let total = item.total.map(|total| format!(" / {}", format::size(total))).unwrap_or_default();
    format!("   {} {}{total}", item.name, format::size(item.current))
}

/// `text` filled up to the time at the end of the line; one column stays free, so that no terminal folds the line.
fn with_time(text: &str, took: Duration, columns: usize) -> String {
    let time = format::duration(took);
    let room = columns.saturating_sub(1 + TIME_COLUMNS);
    format!("{}{time:>TIME_COLUMNS$}", fill(text, room))
}

/// Columns a line takes, colours left out.
fn width(line: &str) -> usize {
    clean(line.as_bytes()).width()
}

impl Draw for Tty {
    fn event(&mut self, event: &Event, _wall: Duration, _out: &mut dyn Write) -> io::Result<()> {
        self.board.take(event);
        if let Event::Note { message } = event {
            self.notes.push(clean(message.as_bytes()));
        }
        Ok(())
    }

    fn redraw(&mut self, now: Duration, out: &mut dyn Write) -> io::Result<()> {
        if self.board.entries().is_empty() && self.notes.is_empty() {
            return Ok(());
        }
        let (columns, rows) = self.bounds();
        let mut lines = Vec::new();
        if !self.board.entries().is_empty() {
            lines.push(paint(self.palette.heading, fit(&self.header(now, false), columns - 1)));
            // One row for the header, one for the cursor.
            let (chosen, mut room) = self.chosen(rows - 2);
            for entry in chosen {
                lines.push(self.task_line(entry, columns, now));
                if entry.is_running() {
                    lines.extend(self.below(entry, columns, &mut room));
                }
            }
        }
        let widths = lines.iter().map(|line| width(line)).collect();
        self.frame(lines, widths, out)
    }

    fn close(&mut self, now: Duration, out: &mut dyn Write) -> io::Result<()> {
        if self.board.entries().is_empty() && self.notes.is_empty() && self.board.warnings.is_empty() {
            return Ok(());
        }
        let (columns, _) = self.bounds();
        let mut lines = Vec::new();
        if !self.board.entries().is_empty() {
            lines.push(paint(self.palette.heading, fit(&self.header(now, true), columns - 1)));
            lines.extend(self.board.entries().iter().map(|entry| self.task_line(entry, columns, now)));
        }
        lines.extend(last_words(&self.board).lines().map(str::to_owned));
        for warning in self.board.warnings.iter().filter(|warning| warning.place.is_none()) {
            lines.push(format!("{} {}", paint(self.palette.warning, "warning:"), warning_line(warning)));
        }
        let warnings = warning_summary(&self.board, self.palette.colour, columns);
        if !warnings.is_empty() {
            lines.push(String::new());
            lines.extend(warnings.lines().map(str::to_owned));
        }
        // What is drawn now stays.
        self.frame(lines, Vec::new(), out)
    }
}
