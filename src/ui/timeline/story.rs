//! What happened, as rows: when each task ran, what it waited for, what it moved, and which tasks the end waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::report::{Outcome, TaskKind};
use crate::ui::board::{Board, Entry};
use crate::ui::format;

/// A task that begins this soon after another's end is taken to have waited for it.
const AT_ONCE: Duration = Duration::from_millis(2);
/// Shorter waits are those of the machine, not of the build.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// A task of the run.
#[derive(Debug)]
pub(super) struct Row {
    pub number: usize,
    pub name: String,
    pub kind: TaskKind,
    /// `None` while it runs.
    pub outcome: Option<Outcome>,
    pub began: Duration,
    pub ended: Duration,
    /// From when everything it needs was there until it began.
    pub waited: Duration,
    /// Bytes between here and elsewhere.
    pub moved: u64,
    /// Whether the end of the run waited for it.
    pub critical: bool,
    /// What it ended with.
    pub detail: String,
    /// Its last log lines.
    pub lines: Vec<String>,
}

impl Row {
    /// How long it ran.
    pub fn took(&self) -> Duration {
        self.ended.saturating_sub(self.began)
    }

    /// How it ended, in a word.
    pub fn result(&self) -> &'static str {
        match &self.outcome {
            None => "running",
            Some(Outcome::Done) => "ran",
            Some(Outcome::Cached) => "cached",
            Some(Outcome::Cancelled) => "cancelled",
            Some(Outcome::Failed(_)) => "failed",
        }
    }

    /// What it is, in a word.
    pub fn what(&self) -> &'static str {
        match self.kind {
            TaskKind::Internal => "facts",
            TaskKind::Step => "step",
            TaskKind::Transfer => "transfer",
            TaskKind::Export => "output",
        }
    }
}

/// A time with the digits that matter: milliseconds where it is short.
pub(super) fn time(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "<1ms".to_owned(),
        milliseconds if milliseconds < 1000 => format!("{milliseconds}ms"),
        _ => format::duration(duration),
    }
}

/// The run.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// In the order in which they began.
    pub rows: Vec<Row>,
    /// From the first beginning to the last end.
    pub began: Duration,
    pub ended: Duration,
}

impl Story {
    /// How long it took.
    pub fn took(&self) -> Duration {
        self.ended.saturating_sub(self.began)
    }

    /// Sum of the times on the critical path.
    pub fn critical(&self) -> Duration {
        self.rows.iter().filter(|row| row.critical).map(Row::took).sum()
    }

    /// Number of steps that ended so.
    pub fn steps(&self, result: &str) -> usize {
        self.rows.iter().filter(|row| row.kind == TaskKind::Step && row.result() == result).count()
    }
}

/// Tells what `board` has seen until `now`.
pub(super) fn tell(board: &Board, now: Duration) -> Story {
    let entries = board.entries();
    let ends: Vec<Duration> =
        entries.iter().map(|entry| entry.ended.as_ref().map_or(now, |(end, _)| *end)).collect();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        places.entry(&entry.name).or_insert(place);
    }
    let needs: Vec<Vec<usize>> = entries
        .iter()
        .map(|entry| {
            let names = board.after(&entry.name).into_iter().flatten();
            names.filter_map(|name| places.get(name.as_str()).copied()).collect()
        })
        .collect();
    let critical = critical(entries, &ends, &needs);
    let rows = entries.iter().enumerate().map(|(place, entry)| {
        let ready =
            needs[place].iter().map(|need| ends[*need]).max().or_else(|| board.planned_at(&entry.name));
        let waited = ready.map_or(Duration::ZERO, |ready| entry.began.saturating_sub(ready));
        Row {
            number: entry.number,
            name: entry.name.clone(),
            kind: entry.kind,
            outcome: entry.ended.as_ref().map(|(_, outcome)| outcome.clone()),
            began: entry.began,
            ended: ends[place].max(entry.began),
            waited: if waited < SHORTEST_WAIT { Duration::ZERO } else { waited },
            moved: entry.items.iter().map(|item| item.current).sum(),
            critical: critical[place],
            detail: detail(entry),
            lines: entry.lines.iter().map(|(_, line)| line.clone()).collect(),
        }
    });
    let rows: Vec<Row> = rows.collect();
    let began = rows.iter().map(|row| row.began).min().unwrap_or_default();
    let ended = rows.iter().map(|row| row.ended).max().unwrap_or_default();
    Story { rows, began, ended }
}

fn detail(entry: &Entry) -> String {
    match &entry.ended {
        Some((_, Outcome::Failed(message))) => message.clone(),
        _ => entry.detail.clone().unwrap_or_default(),
    }
}

/// From the task that ended last back: to what it needed and came last, or, where nothing was planned, to the task that
/// ended last before it began. Steps whose result was known cost nothing and are left out.
fn critical(entries: &[Entry], ends: &[Duration], needs: &[Vec<usize>]) -> Vec<bool> {
    let mut critical = vec![false; entries.len()];
    let costs = |place: &usize| !matches!(entries[*place].ended, Some((_, Outcome::Cached)));
    let latest = |places: &mut dyn Iterator<Item = usize>| places.max_by_key(|place| (ends[*place], *place));
    let mut next = latest(&mut (0..entries.len()).filter(costs));
    while let Some(place) = next {
        if critical[place] {
            break;
        }
        critical[place] = true;
        let began = entries[place].began;
        let needed = latest(&mut needs[place].iter().copied().filter(costs));
        let earlier = |other: &usize| *other != place && !critical[*other] && ends[*other] <= began + AT_ONCE;
        next = needed.or_else(|| latest(&mut (0..entries.len()).filter(earlier).filter(costs)));
    }
    critical
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Event, PlannedStep, Stamp, TaskId};

    fn board(planned: &[(&str, &[&str])], tasks: &[(&str, u64, u64)]) -> Board {
        let mut board = Board::default();
        let steps = planned.iter().map(|(name, after)| PlannedStep {
            name: (*name).into(),
            after: after.iter().map(|name| (*name).into()).collect(),
        });
        let at = |ms| Stamp(Duration::from_millis(ms));
        board.take(&Event::Planned { steps: steps.collect(), at: at(0) });
        for (number, (name, began, ended)) in tasks.iter().enumerate() {
            let task = TaskId(number as u64);
            let kind = TaskKind::Step;
            board.take(&Event::Started { task, kind, name: (*name).into(), at: at(*began) });
            board.take(&Event::Finished { task, outcome: Outcome::Done, detail: None, at: at(*ended) });
        }
        board
    }

    #[test]
    fn the_longest_way_and_what_waited() {
        // b and c need a; d needs both; c is the slow one, and began late.
        let planned: &[(&str, &[&str])] = &[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])];
        let tasks = [("a", 0, 100), ("b", 100, 200), ("c", 150, 500), ("d", 500, 600)];
        let story = tell(&board(planned, &tasks), Duration::from_secs(1));
        let critical: Vec<_> =
            story.rows.iter().filter(|row| row.critical).map(|row| row.name.as_str()).collect();
        assert_eq!(critical, ["a", "c", "d"]);
        let waited: Vec<_> = story.rows.iter().map(|row| row.waited.as_millis()).collect();
        assert_eq!(waited, [0, 0, 50, 0]);
        assert_eq!(story.took(), Duration::from_millis(600));
        assert_eq!(story.critical(), Duration::from_millis(550));
    }

    #[test]
    fn without_a_plan_the_clock_decides() {
        let story =
            tell(&board(&[], &[("read", 0, 10), ("pull", 10, 90), ("push", 91, 120)]), Duration::ZERO);
        assert!(story.rows.iter().all(|row| row.critical), "{story:?}");
    }
}
