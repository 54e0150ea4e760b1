//! `--timeline FILE.html`: one page that shows where the time of a build went.
//!
//! The page is complete in itself: no script, style, font or picture from elsewhere (a content security policy in it
//! forbids them), readable without scripts, by keyboard and by screen readers: a table says everything the picture shows,
//! and nothing is told by colour alone. Whatever came from outside is escaped here; secrets were taken out before, where
//! every event passes.

mod page;
mod picture;
mod story;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::report::{Event, Sink};
use crate::ui::board::Board;

/// Collects the events of a run.
#[derive(Default)]
pub struct Timeline {
    board: Mutex<Board>,
}

impl Timeline {
    /// One that has seen nothing yet; give it to the reporter as a sink.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The page of what was seen until `now`, the time since the run began; `title` says what was built.
    pub fn page(&self, title: &str, now: Duration) -> String {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        page::page(title, &story::tell(&board, now))
    }
}

impl Sink for Timeline {
    fn event(&self, event: &Event) {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).take(event);
    }
}

/// Text for HTML, in elements and in attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Outcome, PlannedStep, Reporter, Stream, TaskKind};

    #[test]
    fn hostile_words_stay_words() {
        let timeline = Timeline::new();
        let reporter = Reporter::new(vec![timeline.clone()], Arc::default());
        reporter.secrets().register("hunter22");
        let name = "[1/1] RUN <script>alert(\"x\")</script> 'hunter22' &amp;";
        reporter.planned(vec![PlannedStep { name: name.into(), after: Vec::new() }]);
        let task = reporter.task(TaskKind::Step, name);
        task.log(Stream::Stderr, b"</pre><img src=x onerror=alert(1)> hunter22\n");
        task.finish(Outcome::Failed("</td> hunter22".into()), Some("<b> hunter22".into()));
        let page = timeline.page("<title>", Duration::from_secs(1));
        for forbidden in ["<script>alert", "<img", "hunter22", "</td> ***", "<b>", "<title><title>"] {
            assert!(!page.contains(forbidden), "{forbidden} in {page}");
        }
        assert!(page.contains("&lt;script&gt;alert(&quot;x&quot;)"), "{page}");
        assert!(page.contains("Content-Security-Policy"), "{page}");
        for outside in ["http:", "https:", "src=\"", "@import", "<link"] {
            assert!(!page.contains(outside), "{outside} in {page}");
        }
    }

    #[test]
    fn an_empty_run_has_a_page() {
        let page = Timeline::new().page("nothing", Duration::ZERO);
        assert!(page.starts_with("<!doctype html>") && page.contains("Nothing happened"), "{page}");
    }
}
