//! What is known about every task so far: the state that faces draw.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::report::{Event, Outcome, TaskId, TaskKind, Warning};
use crate::ui::clean;
use crate::ui::page::warning_page;

/// Log lines kept of each task, for the page of its failure.
const KEPT_LINES: usize = 20;
/// Bytes of a line without an end that are kept.
const LONGEST_PART: usize = 16 * 1024;

/// How far one item of a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) current: u64,
    pub(super) total: Option<u64>,
    pub(super) began: Duration,
    pub(super) moved: Duration,
}

impl Item {
    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.total.is_some_and(|total| self.current >= total)
    }
}

/// One task.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Place in the order of beginnings, from 1.
    pub(super) number: usize,
    pub(super) kind: TaskKind,
    pub(super) name: String,
    pub(super) began: Duration,
    pub(super) ended: Option<(Duration, Outcome)>,
    pub(super) detail: Option<String>,
    pub(super) items: Vec<Item>,
    /// The last lines with the time since the task began.
    pub(super) lines: VecDeque<(Duration, String)>,
    part: Vec<u8>,
}

impl Entry {
    /// How long it took, or has been running until `now`.
    pub(super) fn took(&self, now: Duration) -> Duration {
        let end = self.ended.as_ref().map_or(now, |(end, _)| *end);
        end.saturating_sub(self.began)
    }

    /// Whether it has not ended.
    pub(super) fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    /// Takes bytes of its log and gives the lines they complete.
    fn log(&mut self, data: &[u8], at: Duration) -> Vec<(Duration, String)> {
        let since = at.saturating_sub(self.began);
        let mut whole = Vec::new();
        for chunk in data.split_inclusive(|byte| *byte == b'\n') {
            self.part.extend_from_slice(chunk);
            if chunk.ends_with(b"\n") || self.part.len() > LONGEST_PART {
                whole.push((since, clean(&std::mem::take(&mut self.part))));
            }
        }
        self.keep(&whole);
        whole
    }

    /// The last line, if it never got its end.
    fn rest(&mut self, at: Duration) -> Option<(Duration, String)> {
        let part = std::mem::take(&mut self.part);
        let line = (!part.is_empty()).then(|| (at.saturating_sub(self.began), clean(&part)));
        self.keep(line.as_slice());
        line
    }

    fn keep(&mut self, lines: &[(Duration, String)]) {
        self.lines.extend(lines.iter().cloned());
        while self.lines.len() > KEPT_LINES {
            self.lines.pop_front();
        }
    }
}

/// Rule, message, file and line of a warning.
type Told = (Option<String>, String, Option<String>, Option<usize>);

/// All tasks in the order they began, and what was said beside them.
#[derive(Debug, Default)]
pub(super) struct Board {
    entries: Vec<Entry>,
    places: BTreeMap<TaskId, usize>,
    /// Of each planned step what it needs, and when that was decided.
    planned: BTreeMap<String, (Vec<String>, Duration)>,
    /// Warnings, each once.
    pub(super) warnings: Vec<Warning>,
    /// What tells one warning from another.
    told: BTreeSet<Told>,
}

impl Board {
    /// Takes an event and gives the log lines it completed.
    pub(super) fn take(&mut self, event: &Event) -> Vec<(Duration, String)> {
        match event {
            Event::Started { task, kind, name, at } => {
                self.places.insert(*task, self.entries.len());
                self.entries.push(Entry {
                    number: self.entries.len() + 1,
                    kind: *kind,
                    name: clean(name.as_bytes()),
                    began: at.0,
                    ended: None,
                    detail: None,
                    items: Vec::new(),
                    lines: VecDeque::new(),
                    part: Vec::new(),
                });
            }
            Event::Log { task, data, at, .. } => {
                return self.entry_mut(*task).map(|entry| entry.log(data, at.0)).unwrap_or_default();
            }
            Event::Progress { task, item, current, total, at } => {
                if let Some(entry) = self.entry_mut(*task) {
                    move_item(
                        entry,
                        Item {
                            name: clean(item.as_bytes()),
                            current: *current,
                            total: *total,
                            began: at.0,
                            moved: at.0,
                        },
                    );
                }
            }
            Event::Finished { task, outcome, detail, at } => {
                if let Some(entry) = self.entry_mut(*task) {
                    entry.ended = Some((at.0, outcome.clone()));
                    entry.detail = detail.as_ref().map(|detail| clean(detail.as_bytes()));
                    return entry.rest(at.0).into_iter().collect();
                }
            }
            Event::Warned(warning) => {
                let known =
                    (warning.rule.clone(), warning.message.clone(), warning.file.clone(), warning.line);
                if self.told.insert(known) {
                    self.warnings.push(warning.clone());
                }
            }
            Event::Planned { steps, at } => {
                for step in steps {
                    let after = step.after.iter().map(|name| clean(name.as_bytes())).collect();
                    self.planned.insert(clean(step.name.as_bytes()), (after, at.0));
                }
            }
            Event::Note { .. } => {}
        }
        Vec::new()
    }

    /// All tasks, the oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// One task.
    pub(super) fn entry(&self, task: TaskId) -> Option<&Entry> {
        self.places.get(&task).map(|place| &self.entries[*place])
    }

    fn entry_mut(&mut self, task: TaskId) -> Option<&mut Entry> {
        self.places.get(&task).map(|place| &mut self.entries[*place])
    }

    /// The names of what a planned task needs.
    pub(super) fn after(&self, name: &str) -> Option<&[String]> {
        self.planned.get(name).map(|(after, _)| after.as_slice())
    }

    /// When a task was planned.
    pub(super) fn planned_at(&self, name: &str) -> Option<Duration> {
        self.planned.get(name).map(|(_, at)| *at)
    }

    /// Number of tasks there are and, as far as is planned, will be.
    pub(super) fn expected(&self) -> usize {
        let begun = |name: &String| self.entries.iter().any(|entry| entry.name == *name);
        self.entries.len() + self.planned.keys().filter(|name| !begun(name)).count()
    }

    /// Number of tasks that ended.
    pub(super) fn finished(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.is_running()).count()
    }

    /// Tasks that failed and wrote something.
    pub(super) fn failed(&self) -> impl Iterator<Item = &Entry> {
        let failed = |entry: &&Entry| matches!(entry.ended, Some((_, Outcome::Failed(_))));
        self.entries.iter().filter(failed).filter(|entry| !entry.lines.is_empty())
    }
}

fn move_item(entry: &mut Entry, item: Item) {
    match entry.items.iter_mut().find(|known| known.name == item.name) {
        Some(known) => *known = Item { began: known.began, ..item },
        None => entry.items.push(item),
    }
}

/// The last words of failed tasks, so that nobody has to scroll for them.
pub(super) fn last_words(board: &Board) -> String {
    let mut out = String::new();
    for entry in board.failed() {
        out.push_str(&format!("------\n > {}:\n", entry.name));
        for (since, line) in &entry.lines {
            out.push_str(&format!("{:.3} {line}\n", since.as_secs_f64()));
        }
        out.push_str("------\n");
    }
    out
}

/// Frames of warnings that are shown.
const MOST_FRAMES: usize = 100;

/// Warnings that have a place, in frames, and how many warnings there were; those without a place were told before.
pub(super) fn warning_summary(board: &Board, colour: bool, width: usize) -> String {
    let mut out = String::new();
    let placed = board.warnings.iter().filter(|warning| warning.place.is_some());
    // Nobody reads more; each is a part of the source again.
    for warning in placed.take(MOST_FRAMES) {
        out.push_str(&warning_page(warning, colour, width));
        out.push('\n');
    }
    match (out.is_empty(), board.warnings.len()) {
        (true, _) => {}
        (false, 1) => out.push_str("1 warning found\n"),
        (false, count) => out.push_str(&format!("{count} warnings found\n")),
    }
    out
}

/// A warning as one line: `warning: message (FILE:LINE, rule)`.
pub(super) fn warning_line(warning: &Warning) -> String {
    let place = match (&warning.file, warning.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        _ => String::new(),
    };
    let rule = warning.rule.clone().unwrap_or_default();
    let beside: Vec<&str> =
        [place.as_str(), rule.as_str()].into_iter().filter(|text| !text.is_empty()).collect();
    let beside = if beside.is_empty() { String::new() } else { format!(" ({})", beside.join(", ")) };
    clean(format!("{}{beside}", warning.message).as_bytes())
}
