//! Screens: fixed events with fixed stamps, and what each face makes of them.

use super::*;
use crate::report::{Outcome, Stamp, Stream, TaskId, TaskKind, Warning};

/// Bytes a test can read while the renderer holds the other end.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(lock(&self.0).clone()).unwrap()
    }
}

fn at(milliseconds: u64) -> Stamp {
    Stamp(Duration::from_millis(milliseconds))
}

fn started(task: u64, kind: TaskKind, name: &str, ms: u64) -> Event {
    Event::Started { task: TaskId(task), kind, name: name.to_owned(), at: at(ms) }
}

fn log(task: u64, text: &str, ms: u64) -> Event {
    Event::Log { task: TaskId(task), stream: Stream::Stdout, data: text.as_bytes().to_vec(), at: at(ms) }
}

fn progress(task: u64, item: &str, current: u64, total: u64, ms: u64) -> Event {
    Event::Progress { task: TaskId(task), item: item.to_owned(), current, total: Some(total), at: at(ms) }
}

fn finished(task: u64, outcome: Outcome, ms: u64) -> Event {
    Event::Finished { task: TaskId(task), outcome, detail: None, at: at(ms) }
}

/// A build in which one step is cached, one runs, a base is being pulled, and a step fails.
fn story() -> Vec<Event> {
    let unused = Warning {
        rule: Some("UnusedArg".to_owned()),
        message: "ARG V is never used".to_owned(),
        file: Some("Dockerfile".to_owned()),
        line: Some(3),
        ..Warning::default()
    };
    vec![
        started(1, TaskKind::Internal, "[internal] load build definition from Dockerfile", 0),
        finished(1, Outcome::Done, 12),
        Event::Warned(unused.clone()),
        started(2, TaskKind::Transfer, "[base 1/2] FROM debian", 20),
        progress(2, "sha256:0123abcd", 0, 20_000_000, 30),
        progress(2, "sha256:0123abcd", 5_000_000, 20_000_000, 1_230),
        started(3, TaskKind::Step, "[build 1/3] RUN make", 40),
        finished(3, Outcome::Cached, 41),
        started(4, TaskKind::Step, "[build 2/3] RUN make test", 50),
        log(4, "one\ntw", 100),
        log(4, "o\n\x1b[31mdrei 日本\x1b[0m\r\n", 200),
        progress(2, "sha256:0123abcd", 20_000_000, 20_000_000, 3_000),
        progress(2, "sha256:0123abcd", 20_000_000, 20_000_000, 3_001),
        Event::Warned(unused),
        finished(2, Outcome::Done, 3_100),
        log(4, "no newline", 3_200),
        Event::Note { message: "a word beside".to_owned() },
        finished(
            4,
            Outcome::Failed("process \"/bin/sh -c make test\" did not complete: exit code: 2".to_owned()),
            3_300,
        ),
        started(5, TaskKind::Export, "exporting to image", 3_300),
        finished(5, Outcome::Cancelled, 3_310),
    ]
}

/// What `face` writes for `events`, closed at the end.
fn shown(face: impl Draw + 'static, events: &[Event]) -> String {
    let paper = Paper::default();
    let mut renderer =
        Renderer::new(Some(Box::new(face)), Box::new(paper.clone()), Clock::fixed(1_700_000_000));
    events.iter().for_each(|event| renderer.sink().event(event));
    renderer.close();
    paper.text()
}

#[test]
fn plain_is_readable_in_a_log() {
    insta::assert_snapshot!(shown(Plain::new(Palette::default()), &story()), @r#"
    #1 [internal] load build definition from Dockerfile
    #1 DONE 0.0s
    warning: ARG V is never used (Dockerfile:3, UnusedArg)

    #2 [base 1/2] FROM debian

    #3 [build 1/3] RUN make
    #3 CACHED

    #4 [build 2/3] RUN make test
    #4 0.050 one
    #4 0.150 two
    #4 0.150 drei 日本
    #2 sha256:0123abcd 20MB / 20MB 3.0s done
    #2 DONE 3.1s
    a word beside
    #4 3.250 no newline
    #4 ERROR: process "/bin/sh -c make test" did not complete: exit code: 2

    #5 exporting to image
    #5 CANCELED
    ------
     > [build 2/3] RUN make test:
    0.050 one
    0.150 two
    0.150 drei 日本
    3.250 no newline
    ------
    "#);
}

#[test]
fn quiet_shows_warnings_once_and_last_words() {
    insta::assert_snapshot!(shown(Quiet::new(Palette::default()), &story()), @r#"
    warning: ARG V is never used (Dockerfile:3, UnusedArg)
    ------
     > [build 2/3] RUN make test:
    0.050 one
    0.150 two
    0.150 drei 日本
    3.250 no newline
    ------
    "#);
}

#[test]
fn rawjson_has_the_fields_of_buildkit() {
    let events: Vec<Event> = story().into_iter().take(7).collect();
    insta::assert_snapshot!(shown(RawJson::default(), &events), @r#"
    {"vertexes":[{"digest":"sha256:9ae4947ce7fe6800c82f7c9d55b3dc33630834ec776f406abc6c3c2da2f5e570","name":"[internal] load build definition from Dockerfile","started":"2023-11-14T22:13:20Z"}]}
    {"vertexes":[{"completed":"2023-11-14T22:13:20.012Z","digest":"sha256:9ae4947ce7fe6800c82f7c9d55b3dc33630834ec776f406abc6c3c2da2f5e570","name":"[internal] load build definition from Dockerfile","started":"2023-11-14T22:13:20Z"}]}
    {"warnings":[{"detail":["VW51c2VkQXJn"],"level":1,"range":[{"end":{"line":3},"start":{"line":3}}],"short":"QVJHIFYgaXMgbmV2ZXIgdXNlZA==","sourceInfo":{"filename":"Dockerfile"}}]}
    {"vertexes":[{"digest":"sha256:53a005344a9a8c824f812430e660fd7edf403f36905c6933fad6b7b6c5345b5a","name":"[base 1/2] FROM debian","started":"2023-11-14T22:13:20.02Z"}]}
    {"statuses":[{"current":0,"id":"sha256:0123abcd","started":"2023-11-14T22:13:20.03Z","timestamp":"2023-11-14T22:13:20.03Z","total":20000000,"vertex":"sha256:53a005344a9a8c824f812430e660fd7edf403f36905c6933fad6b7b6c5345b5a"}]}
    {"statuses":[{"current":5000000,"id":"sha256:0123abcd","started":"2023-11-14T22:13:20.03Z","timestamp":"2023-11-14T22:13:21.23Z","total":20000000,"vertex":"sha256:53a005344a9a8c824f812430e660fd7edf403f36905c6933fad6b7b6c5345b5a"}]}
    {"vertexes":[{"digest":"sha256:076f962af34bbef2c5889a4af389cc0386340dd89c91427479702f7fa60fc537","name":"[build 1/3] RUN make","started":"2023-11-14T22:13:20.04Z"}]}
    "#);
}

#[test]
fn json_is_one_object_a_line() {
    let text = shown(Json, &story());
    assert_eq!(text.lines().count(), story().len());
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["event"], "started");
    assert_eq!(first["at"], 0.0);
    let log: serde_json::Value = serde_json::from_str(text.lines().nth(9).unwrap()).unwrap();
    assert_eq!((log["data"].as_str(), log["at"].as_f64()), (Some("b25lCnR3"), Some(0.1)));
}

/// A terminal of `columns` that understands what the tty face says: the rows it ends up showing, and all it was told.
struct Emulator {
    rows: Vec<String>,
    row: usize,
}

impl Emulator {
    fn feed(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("\x1b[") {
                let end = after.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let number: usize = after[..end].parse().unwrap_or(1);
                match &after[end..=end] {
                    "A" => self.row = self.row.checked_sub(number).expect("the cursor stays on the screen"),
                    "J" => self.rows.truncate(self.row),
                    _ => {}
                }
                rest = &after[end + 1..];
            } else if let Some(after) = rest.strip_prefix('\r') {
                rest = after;
            } else {
                let end = rest.find('\n').unwrap();
                let line = rest[..end].split('\x1b').next().unwrap();
                self.rows.resize(self.rows.len().max(self.row + 1), String::new());
                self.rows[self.row] = line.to_owned();
                self.row += 1;
                rest = &rest[end + 1..];
            }
        }
    }

    fn screen(&self) -> String {
        self.rows.iter().map(|row| format!("{row}|\n")).collect()
    }
}

/// Feeds events to a tty face of `columns` × `rows`, drawing after each; the screen before closing and after.
fn screens(columns: usize, rows: usize, events: &[Event], now: u64) -> (String, String) {
    let mut face = Tty::new(Palette::default(), "Building", 6, Box::new(move || (columns, rows)));
    let mut emulator = Emulator { rows: Vec::new(), row: 0 };
    for event in events {
        let mut out = Vec::new();
        face.event(event, Duration::ZERO, &mut out).unwrap();
        face.redraw(Duration::from_millis(now), &mut out).unwrap();
        emulator.feed(std::str::from_utf8(&out).unwrap());
    }
    let live = emulator.screen();
    let mut out = Vec::new();
    face.close(Duration::from_millis(now), &mut out).unwrap();
    emulator.feed(std::str::from_utf8(&out).unwrap());
    (live, emulator.screen())
}

#[test]
fn tty_shows_what_runs_and_leaves_the_whole_list() {
    let (live, _) = screens(64, 24, &story()[..11], 3_250);
    insta::assert_snapshot!(live, @r#"
    [+] Building 3.3s (2/4)|
    => [internal] load build definition from Dockerfile        0.0s|
     > [base 1/2] FROM debian                                  3.2s|
       sha256:0123abcd 5MB / 20MB                              1.2s|
    => CACHED [build 1/3] RUN make                             0.0s|
     > [build 2/3] RUN make test                               3.2s|
       # one|
       # two|
       # drei 日本|
    "#);
    let (_, last) = screens(64, 24, &story(), 3_400);
    insta::assert_snapshot!(last, @r#"
    a word beside|
    [+] Building 3.3s (5/5) FINISHED: 0 steps ran, 1 cached, 1 fai…|
    => [internal] load build definition from Dockerfile        0.0s|
    => [base 1/2] FROM debian                                  3.1s|
    => CACHED [build 1/3] RUN make                             0.0s|
    => ERROR [build 2/3] RUN make test                         3.3s|
    => CANCELED exporting to image                             0.0s|
    ------|
     > [build 2/3] RUN make test:|
    0.050 one|
    0.150 two|
    0.150 drei 日本|
    3.250 no newline|
    ------|
    warning: ARG V is never used (Dockerfile:3, UnusedArg)|
    "#);
}

#[test]
fn tty_fits_small_terminals_and_long_lists() {
    let mut events = Vec::new();
    for task in 1..=30 {
        events.push(started(task, TaskKind::Step, &format!("[build {task}/30] RUN 日本日本日本日本"), task));
        if task % 10 != 0 {
            events.push(finished(task, Outcome::Done, task + 1));
        } else {
            events.push(log(task, &"line\n".repeat(30), task + 1));
        }
    }
    let (live, last) = screens(30, 8, &events, 90);
    insta::assert_snapshot!(live, @r#"
    [+] Building 0.1s (27/30)|
     > [build 10/30] RU…     0.1s|
       # line|
       # line|
     > [build 20/30] RU…     0.1s|
    => [build 29/30] RU…     0.0s|
     > [build 30/30] RU…     0.1s|
    "#);
    assert_eq!(last.lines().count(), 31);
    for (columns, rows) in [(1, 1), (5, 3), (20, 4), (200, 100)] {
        let (live, _) = screens(columns, rows, &events, 90);
        assert!(live.lines().count() < rows.max(4), "{live}");
    }
}

#[test]
fn a_narrower_terminal_folds_lines_and_the_list_still_starts_where_it_did() {
    let width = Arc::new(Mutex::new(60));
    let seen = Arc::clone(&width);
    let mut face = Tty::new(Palette::default(), "Building", 6, Box::new(move || (*lock(&seen), 24)));
    let mut out = Vec::new();
    face.event(&story()[0], Duration::ZERO, &mut out).unwrap();
    face.redraw(Duration::ZERO, &mut out).unwrap();
    *lock(&width) = 30;
    out.clear();
    face.redraw(Duration::ZERO, &mut out).unwrap();
    // The header takes one row (26 columns), the task, 59 columns wide, two.
    assert!(out.starts_with(b"\x1b[?25l\x1b[3A\r"), "{:?}", String::from_utf8_lossy(&out));
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    struct Closed(Arc<Mutex<usize>>);
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            *lock(&self.0) += 1;
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let writes = Arc::new(Mutex::new(0));
    let face: Box<dyn Draw> = Box::new(Plain::new(Palette::default()));
    let mut renderer = Renderer::new(Some(face), Box::new(Closed(Arc::clone(&writes))), Clock::fixed(0));
    story().iter().for_each(|event| renderer.sink().event(event));
    renderer.close();
    assert_eq!(*lock(&writes), 1);
}

#[test]
fn the_clock_draws_while_nothing_happens() {
    let paper = Paper::default();
    let face = Tty::new(Palette::default(), "Building", 6, Box::new(|| (80, 24)));
    let renderer =
        Renderer::new(Some(Box::new(face)), Box::new(paper.clone()), host::clock::system()).ticking();
    renderer.sink().event(&story()[0]);
    for _ in 0..1200 {
        if paper.text().contains("load build definition") {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing was drawn in a minute");
}
