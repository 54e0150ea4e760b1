//! What `werf.yaml` means: cases with the result written by hand from werf's own rules, in `fixtures/project`.

use lapstrake::project::{Config, Problem};

const CASES: &str = include_str!("../../fixtures/project/config.cases");
const META: &str = "project: shop\nconfigVersion: 1\n---\n";

struct Case {
    name: String,
    text: String,
    expected: Vec<String>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("=== "), cases.last_mut()) {
            (Some(name), _) => {
                cases.push(Case { name: name.to_owned(), text: String::new(), expected: Vec::new() });
            }
            (None, None) => {}
            (None, Some(case)) => match line.strip_prefix("> ") {
                Some(expected) => case.expected.push(expected.to_owned()),
                None if line == "META" => case.text.push_str(META),
                None => {
                    case.text.push_str(line);
                    case.text.push('\n');
                }
            },
        }
    }
    for case in &mut cases {
        // An empty line before the next case belongs to no text.
        while case.text.ends_with("\n\n") {
            case.text.pop();
        }
        if case.name == "windows line ends" {
            case.text = case.text.replace('\n', "\r\n");
        }
    }
    cases
}

fn sets(config: &Config) -> String {
    let sets = config.sets(&[]).expect("no names were given");
    let words = |set: &Vec<&lapstrake::project::Image>| {
        set.iter().map(|image| image.shown_name().to_owned()).collect::<Vec<_>>().join(" ")
    };
    sets.iter().map(words).collect::<Vec<_>>().join(" | ")
}

fn differences(case: &Case) -> Vec<String> {
    let result = Config::parse(&case.text);
    let shown = format!("{result:?}");
    let bad: Vec<&str> = case.expected.iter().filter_map(|line| line.strip_prefix("bad ")).collect();
    let mut wrong = Vec::new();
    match &result {
        Ok(_) if !bad.is_empty() => wrong.push(format!("no problem: {shown}")),
        Err(problems) if bad.len() != problems.len() => wrong.push(format!("problems: {problems:#?}")),
        _ => {}
    }
    for expected in &case.expected {
        let (verb, text) = expected.split_once(' ').unwrap_or((expected, ""));
        let holds = match (verb, &result) {
            ("has", Ok(_)) => shown.contains(text),
            ("lacks", Ok(_)) => !shown.contains(text),
            ("sets", Ok(config)) => sets(config) == text,
            ("bad", Err(problems)) => problems.iter().any(|problem| fits(problem, text)),
            _ => false,
        };
        if !holds {
            wrong.push(format!("{expected}\n  {shown}"));
        }
    }
    wrong
}

fn fits(problem: &Problem, text: &str) -> bool {
    let (line, part) = text.split_once(' ').expect("a line and a text");
    let said = format!("{} {}", problem.message, problem.hint.as_deref().unwrap_or_default());
    problem.line.to_string() == line && said.contains(part)
}

#[test]
fn configurations_mean_what_the_rules_say() {
    let cases = cases(CASES);
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut report = String::new();
    for case in &cases {
        assert!(!case.expected.is_empty(), "{}: nothing is expected", case.name);
        for wrong in differences(case) {
            report.push_str(&format!("=== {}\n{wrong}\n", case.name));
        }
    }
    assert!(report.is_empty(), "{report}");
}
