//! Our Dockerfile cases (`fixtures/builds`), and what BuildKit made of each of them: images must be equal, as root and as
//! an ordinary user. `tests/oracles/builds/run` asks BuildKit; nothing here needs it.
//!
//! A case that differs on purpose says so with a word that `docs/compatibility.md` explains, and its own answer is kept
//! too; a case that no longer differs fails.

mod answer;
mod archive;
mod ask;
mod base;
mod case;
mod layout;
mod server;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use answer::{Answer, Terms};
use ask::{BuildKit, Question};
use base::Base;
use case::Case;
use layout::Laid;
use server::Server;

use crate::lab::{Lab, Registry, Who, everybody, is_root};

macro_rules! topics {
    ($($name:ident)*) => {
        $(#[test] fn $name() { topic(stringify!($name)); })*

        #[test]
        fn every_case_is_compared() {
            let known = [$(stringify!($name)),*, "bases"];
            for file in fs::read_dir(case::folder()).unwrap() {
                let path = file.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                assert!(["README", "coverage"].contains(&name) || known.contains(&name), "no test compares {}", path.display());
            }
        }
    };
}

topics! { add arguments config copy debian destination errors layers link mounts onbuild owner run select stages workdir }

#[test]
fn every_rule_names_cases_that_are_there() {
    let table = fs::read_to_string(case::folder().join("coverage.md")).unwrap();
    let mut titles = BTreeMap::<String, BTreeSet<String>>::new();
    let mut named = 0;
    for line in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule")) {
        let (_, cases) = line.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        for case in cases.split("; ").filter(|_| cases != "cases") {
            named += 1;
            if let Some(path) = case.strip_prefix('`') {
                let path = path.trim_end_matches('`');
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path} is not there");
                continue;
            }
            let (topic, title) = case.split_once(": ").unwrap_or_else(|| panic!("{case:?} names no topic"));
            let known = titles
                .entry(topic.to_owned())
                .or_insert_with(|| case::read(topic).into_iter().map(|case| case.title).collect());
            assert!(known.contains(title), "there is no case {case:?}");
        }
    }
    assert!(named > 300, "{named} names: the table is not read as it is written");
}

/// The time that files get for want of another one, where no base image says when it was made.
const EPOCH_WITHOUT_BASE: i64 = 315_532_800;

/// No case says a time after this one, and none was built before it: 2023-11-14.
const LATEST_TIME: i64 = 1_700_000_000;

/// Titles and answers.
type Answers = Vec<(String, Answer)>;

/// What all cases of a topic share.
struct Ground {
    bases: BTreeMap<String, Base>,
    registry: Registry,
}

fn topic(name: &str) {
    let cases = case::read(name);
    let lab = Lab::new(Who::Caller);
    let bases = base::make(&cases, &lab.path("layouts"));
    let registry = Registry::start(&lab);
    base::push(&bases, &registry.address);
    let ground = Ground { bases, registry };
    match BuildKit::to_ask() {
        Some(buildkit) => write(name, "buildkit", &ask_all(&ground, &cases, &lab, &buildkit)),
        None => compare(&ground, name, &cases),
    }
}

/// Who is asked.
enum Builder<'a> {
    BuildKit(&'a BuildKit),
    Lap,
}

impl Builder<'_> {
    /// Whether a time is one that it gives to what it makes.
    fn gives(&self, time: i64) -> bool {
        match self {
            Self::BuildKit(_) => time > LATEST_TIME,
            Self::Lap => [base::CREATED, EPOCH_WITHOUT_BASE].contains(&time),
        }
    }
}

fn ask_all(ground: &Ground, cases: &[Case], lab: &Lab, buildkit: &BuildKit) -> Answers {
    let answers =
        cases.iter().map(|case| (case.title.clone(), ground.put(case, lab, &Builder::BuildKit(buildkit))));
    answers.collect()
}

fn compare(ground: &Ground, name: &str, cases: &[Case]) {
    let theirs = read(name, "buildkit");
    let kept = read(name, "lap");
    let accept = std::env::var_os("LAP_GOLDENS_ACCEPT").is_some();
    let mut wrong = String::new();
    let mut own = Answers::new();
    let outcomes: Vec<(Who, Vec<(&Case, Answer)>)> = std::thread::scope(|scope| {
        let runs: Vec<_> = everybody()
            .into_iter()
            .map(|who| scope.spawn(move || (who, ask_us(ground, cases, who))))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for (who, answers) in &outcomes {
        for (case, ours) in answers {
            let theirs = theirs.get(&case.title);
            let theirs = theirs.unwrap_or_else(|| panic!("BuildKit was not asked: {}", case.title));
            let differs = case.one("differs");
            let verdict = match (ours.agrees(theirs), differs) {
                (true, None) => None,
                (true, Some(_)) => Some("it does not differ any more: take the word out".into()),
                (false, None) => Some(ours.difference(theirs)),
                (false, Some(word)) => {
                    own.push((case.title.clone(), ours.clone()));
                    let same = accept || kept.get(&case.title).is_some_and(|kept| ours.agrees(kept));
                    let known = explained(word);
                    match (same, known) {
                        (true, true) => None,
                        (false, _) => {
                            Some(format!("it differs otherwise than before\n{}", ours.difference(theirs)))
                        }
                        (_, false) => Some(format!("docs/compatibility.md does not explain `{word}`\n")),
                    }
                }
            };
            if let Some(words) = verdict {
                let _ = writeln!(wrong, "{who:?}: {name}: {}\n{words}", case.title);
            }
        }
    }
    if accept && !own.is_empty() {
        write(name, "lap", &own);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn explained(word: &str) -> bool {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/compatibility.md");
    fs::read_to_string(path).unwrap().contains(&format!("`{word}`"))
}

/// Asks `lap` about every case.
fn ask_us<'a>(ground: &Ground, cases: &'a [Case], who: Who) -> Vec<(&'a Case, Answer)> {
    let lab = Lab::new(who);
    let root = who == Who::Caller && is_root();
    let cases = cases.iter().filter(|case| root || case.one("only") != Some("root"));
    cases.map(|case| (case, ground.put(case, &lab, &Builder::Lap))).collect()
}

impl Ground {
    /// Lays a case out and serves it for as long as somebody is asked.
    fn put(&self, case: &Case, lab: &Lab, builder: &Builder<'_>) -> Answer {
        let folder = tempfile::Builder::new().prefix("case-").tempdir_in(lab.path("out")).unwrap();
        let root = folder.path().to_owned();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        lab.give(&root);
        let server = Server::start(case, &root);
        let mut names = vec![
            (self.registry.address.clone(), "%registry%".to_owned()),
            (server.address.clone(), "%server%".to_owned()),
        ];
        for (name, base) in &self.bases {
            let folder = base.layout.parent().unwrap().display().to_string();
            names.push((folder, "%layouts%".to_owned()));
            names.push((base.digest.clone(), format!("%digest-{name}%")));
        }
        names.push((root.display().to_string(), "%root%".to_owned()));
        let case = said_out(case, &names);
        let laid = Laid::new(&case, &root, lab.ids());
        let _agent = case.has("ssh").then(|| {
            let socket = UnixListener::bind(laid.beside("agent")).unwrap();
            lab.give(&laid.beside("agent"));
            socket
        });
        let base_layers = self.bases.values().flat_map(|base| base.diff_ids.clone()).collect();
        let now = Box::new(|time| builder.gives(time));
        let omitted = case.all("omit").flat_map(|part| part.rest.split(' ').map(str::to_owned)).collect();
        let (folder_times, contents) = (case.has("epoch"), BTreeMap::new());
        let mut terms = Terms { base_layers, now, folder_times, names, contents, omitted };
        terms.name_contents(&root, laid.files());
        let question = Question { case: &case, laid: &laid, terms: &terms };
        match builder {
            Builder::BuildKit(buildkit) => buildkit.ask(&question),
            // What BuildKit was asked has no cache either.
            Builder::Lap => question.ask_lap(lab, &["--no-cache"]),
        }
    }
}

/// A case with addresses and folders in place of what stands for them.
fn said_out(case: &Case, names: &[(String, String)]) -> Case {
    let mut case = case.clone();
    for part in &mut case.parts {
        for (name, mark) in names {
            part.rest = part.rest.replace(mark, name);
            if let Ok(text) = std::str::from_utf8(&part.body)
                && text.contains(mark)
            {
                part.body = text.replace(mark, name).into_bytes();
            }
        }
    }
    case
}

fn read(topic: &str, who: &str) -> BTreeMap<String, Answer> {
    let path = case::folder().join(format!("{topic}.{who}"));
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut answers = BTreeMap::<String, Answer>::new();
    let mut title = String::new();
    for line in text.lines() {
        match line.strip_prefix("=== ") {
            Some(name) => title = name.to_owned(),
            None => answers.entry(title.clone()).or_default().lines.push(line.to_owned()),
        }
    }
    answers
}

/// Writes answers, each title once.
fn write(topic: &str, who: &str, answers: &Answers) {
    let mut text = String::new();
    let mut written = BTreeSet::new();
    for (title, answer) in answers {
        if !written.insert(title) {
            continue;
        }
        let _ = writeln!(text, "=== {title}\n{}", answer.lines.join("\n"));
    }
    fs::write(case::folder().join(format!("{topic}.{who}")), text).unwrap();
}
