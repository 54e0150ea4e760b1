//! Progress as BuildKit writes it with `--progress rawjson`, for programs that read it: one SolveStatus object a line
//! (BuildKit: client/graph.go, the field names there).

use std::io::{self, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::base::BlobDigest;
use crate::report::{Event, Outcome, Stamp, Stream, TaskId, Warning};
use crate::ui::board::Board;
use crate::ui::renderer::Draw;

/// The rawjson face.
#[derive(Debug, Default)]
pub(super) struct RawJson {
    board: Board,
    /// Wall-clock time of stamp zero, from the first event.
    epoch: Option<Duration>,
}

impl RawJson {
    fn time(&self, stamp: Duration) -> String {
        let moment = self.epoch.unwrap_or_default() + stamp;
        let nanoseconds = i128::try_from(moment.as_nanos()).unwrap_or(i128::MAX);
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::MAX).to_string()
    }

    /// The object that stands for a task as it is now.
    fn vertex(&self, task: TaskId) -> Option<Value> {
        let entry = self.board.entry(task)?;
        let mut vertex = Map::new();
        vertex.insert("digest".into(), digest(task, &entry.name).into());
        vertex.insert("name".into(), entry.name.clone().into());
        vertex.insert("started".into(), self.time(entry.began).into());
        if let Some((end, outcome)) = &entry.ended {
            vertex.insert("completed".into(), self.time(*end).into());
            match outcome {
                Outcome::Done => {}
                Outcome::Cached => drop(vertex.insert("cached".into(), true.into())),
                Outcome::Cancelled => drop(vertex.insert("error".into(), "context canceled".into())),
                Outcome::Failed(message) => drop(vertex.insert("error".into(), message.clone().into())),
            }
        }
        Some(vertex.into())
    }

    fn status(&self, task: TaskId, item: &str, at: Duration) -> Option<Value> {
        let entry = self.board.entry(task)?;
        let item = entry.items.iter().find(|known| known.name == item)?;
        let mut status = Map::new();
        let id = if item.name.is_empty() { &entry.name } else { &item.name };
        status.insert("id".into(), id.clone().into());
        status.insert("vertex".into(), digest(task, &entry.name).into());
        status.insert("current".into(), item.current.into());
        if let Some(total) = item.total {
            status.insert("total".into(), total.into());
        }
        status.insert("timestamp".into(), self.time(at).into());
        status.insert("started".into(), self.time(item.began).into());
        if item.is_done() {
            status.insert("completed".into(), self.time(item.moved).into());
        }
        Some(status.into())
    }

    fn object(&mut self, event: &Event) -> Option<Value> {
        self.board.take(event);
        Some(match event {
            Event::Started { task, .. } | Event::Finished { task, .. } => {
                json!({ "vertexes": [self.vertex(*task)?] })
            }
            Event::Log { task, stream, data, at } => {
                let stream = if *stream == Stream::Stdout { 1 } else { 2 };
                json!({ "logs": [{
                    "vertex": digest(*task, &self.board.entry(*task)?.name),
                    "stream": stream,
                    "data": STANDARD.encode(data),
                    "timestamp": self.time(at.0),
                }] })
            }
            Event::Progress { task, item, at, .. } => {
                json!({ "statuses": [self.status(*task, item, at.0)?] })
            }
            Event::Warned(warning) => json!({ "warnings": [warned(warning)] }),
            // The format has no place for words that belong to no vertex.
            Event::Note { .. } | Event::Planned { .. } => return None,
        })
    }
}

/// A vertex's name in the stream: any digest will do if it is the same every time.
fn digest(task: TaskId, name: &str) -> String {
    BlobDigest::of(format!("{}\0{name}", task.0).as_bytes()).to_string()
}

fn warned(warning: &Warning) -> Value {
    let mut object = Map::new();
    object.insert("level".into(), 1.into());
    object.insert("short".into(), STANDARD.encode(&warning.message).into());
    if let Some(rule) = &warning.rule {
        object.insert("detail".into(), json!([STANDARD.encode(rule)]));
    }
    if let Some(file) = &warning.file {
        object.insert("sourceInfo".into(), json!({ "filename": file }));
    }
    if let Some(line) = warning.line {
        object.insert("range".into(), json!([{ "start": { "line": line }, "end": { "line": line } }]));
    }
    object.into()
}

fn stamp(event: &Event) -> Option<Stamp> {
    match event {
        Event::Started { at, .. }
        | Event::Log { at, .. }
        | Event::Progress { at, .. }
        | Event::Finished { at, .. } => Some(*at),
        Event::Warned(_) | Event::Note { .. } | Event::Planned { .. } => None,
    }
}

impl Draw for RawJson {
    fn event(&mut self, event: &Event, wall: Duration, out: &mut dyn Write) -> io::Result<()> {
        if let Some(Stamp(at)) = stamp(event) {
            self.epoch.get_or_insert(wall.saturating_sub(at));
        }
        match self.object(event) {
            Some(object) => writeln!(out, "{object}"),
            None => Ok(()),
        }
    }
}
