//! The handle through which everything below speaks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::report::redact::Masked;
use crate::report::{Event, Outcome, PlannedStep, Secrets, Stamp, Stream, TaskId, TaskKind, Warning};

/// Somebody who reads events as they happen. Called from many threads.
pub trait Sink: Send + Sync {
    /// Takes one event. Must not block for long.
    fn event(&self, event: &Event);
}

struct Inner {
    sinks: Vec<Arc<dyn Sink>>,
    secrets: Arc<Secrets>,
    began: Instant,
    next: AtomicU64,
}

/// Emits events to all sinks; cheap to clone.
#[derive(Clone)]
pub struct Reporter(Arc<Inner>, Option<Arc<str>>);

impl Reporter {
    /// A reporter for `sinks`, masking `secrets`.
    pub fn new(sinks: Vec<Arc<dyn Sink>>, secrets: Arc<Secrets>) -> Self {
        Self(Arc::new(Inner { sinks, secrets, began: Instant::now(), next: AtomicU64::new(1) }), None)
    }

    /// The same reporter for a part of the whole: names of its tasks begin with `title`.
    #[must_use]
    pub fn within(&self, title: &str) -> Self {
        Self(Arc::clone(&self.0), Some(title.into()))
    }

    fn titled(&self, name: String) -> String {
        match &self.1 {
            Some(title) => format!("{title}: {name}"),
            None => name,
        }
    }

    /// A reporter nobody listens to.
    pub fn silent() -> Self {
        Self::new(Vec::new(), Arc::default())
    }

    /// Where values that must not be shown are registered.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.0.secrets
    }

    /// Time since the run began.
    pub fn now(&self) -> Stamp {
        Stamp(self.0.began.elapsed())
    }

    /// Begins a task. Dropping it unfinished reports it as cancelled.
    pub fn task(&self, kind: TaskKind, name: impl Into<String>) -> Task {
        let id = TaskId(self.0.next.fetch_add(1, Ordering::Relaxed));
        let name = self.0.secrets.redact_text(&self.titled(name.into()));
        self.emit(&Event::Started { task: id, kind, name, at: self.now() });
        Task { reporter: self.clone(), id, streams: Mutex::default(), finished: false }
    }

    /// Says which steps there will be.
    pub fn planned(&self, mut steps: Vec<PlannedStep>) {
        let redact =
            |text: &mut String| *text = self.0.secrets.redact_text(&self.titled(std::mem::take(text)));
        for step in &mut steps {
            redact(&mut step.name);
            step.after.iter_mut().for_each(redact);
        }
        self.emit(&Event::Planned { steps, at: self.now() });
    }

    /// Says something a user should know.
    pub fn warn(&self, message: impl Into<String>) {
        self.warning(Warning { message: message.into(), ..Warning::default() });
    }

    /// Says something a user should know, with its rule and place.
    pub fn warning(&self, mut warning: Warning) {
        warning.message = self.0.secrets.redact_text(&warning.message);
        self.emit(&Event::Warned(warning));
    }

    /// Says a line for people.
    pub fn note(&self, message: impl Into<String>) {
        self.emit(&Event::Note { message: self.0.secrets.redact_text(&message.into()) });
    }

    fn emit(&self, event: &Event) {
        for sink in &self.0.sinks {
            sink.event(event);
        }
    }
}

/// A task that is running.
pub struct Task {
    reporter: Reporter,
    id: TaskId,
    /// What of standard output and standard error is held back.
    streams: Mutex<[Masked; 2]>,
    finished: bool,
}

impl Task {
    /// Its name in events.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The reporter it speaks through.
    pub fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Passes on what its process wrote. A secret is masked even if it was written in pieces.
    pub fn log(&self, stream: Stream, data: &[u8]) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let data = streams[stream as usize].take(&self.reporter.0.secrets, data);
        self.emit_log(stream, data);
    }

    fn emit_log(&self, stream: Stream, data: Vec<u8>) {
        if !data.is_empty() {
            self.reporter.emit(&Event::Log { task: self.id, stream, data, at: self.reporter.now() });
        }
    }

    /// Says how far an item is, in bytes.
    pub fn progress(&self, item: &str, current: u64, total: Option<u64>) {
        let at = self.reporter.now();
        self.reporter.emit(&Event::Progress { task: self.id, item: item.to_owned(), current, total, at });
    }

    /// Ends it.
    pub fn finish(mut self, outcome: Outcome, detail: Option<String>) {
        self.end(outcome, detail);
    }

    fn end(&mut self, outcome: Outcome, detail: Option<String>) {
        self.finished = true;
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            let data = streams[stream as usize].rest(&self.reporter.0.secrets);
            self.emit_log(stream, data);
        }
        let outcome = match outcome {
            Outcome::Failed(message) => Outcome::Failed(self.reporter.0.secrets.redact_text(&message)),
            other => other,
        };
        let detail = detail.map(|detail| self.reporter.0.secrets.redact_text(&detail));
        let at = self.reporter.now();
        self.reporter.emit(&Event::Finished { task: self.id, outcome, detail, at });
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.finished {
            self.end(Outcome::Cancelled, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Memory(Mutex<Vec<Event>>);

    impl Sink for Memory {
        fn event(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[test]
    fn tasks_end_once_and_secrets_stay_out() {
        let memory = Arc::new(Memory::default());
        let reporter = Reporter::new(vec![memory.clone()], Arc::default());
        reporter.secrets().register("s3cret");
        let task = reporter.task(TaskKind::Step, "RUN echo s3cret");
        task.log(Stream::Stdout, b"it is s3");
        task.log(Stream::Stderr, b"s3cr");
        task.log(Stream::Stdout, b"cret\n");
        drop(task);
        let events = memory.0.lock().unwrap();
        assert!(matches!(&events[0], Event::Started { name, .. } if name == "RUN echo ***"));
        let logged = |index: usize| match &events[index] {
            Event::Log { data, stream, .. } => (*stream, String::from_utf8_lossy(data).into_owned()),
            other => panic!("{other:?}"),
        };
        assert_eq!(logged(1), (Stream::Stdout, "it is ".into()));
        assert_eq!(logged(2), (Stream::Stdout, "***\n".into()));
        assert_eq!(logged(3), (Stream::Stderr, "s3cr".into()));
        assert!(matches!(&events[4], Event::Finished { outcome: Outcome::Cancelled, .. }));
        assert_eq!(events.len(), 5);
    }
}
