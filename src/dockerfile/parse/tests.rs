//! Places, scripts and stages: what the goldens of other tools cannot say.

use std::sync::Arc;

use crate::base::{Failure, Kind, SourceFile};
use crate::dockerfile::command::{CommandLine, RunScript, Source};
use crate::dockerfile::{Command, Dockerfile, Error, Instruction, Problem, Rule, StageLookup, Word, parse};

fn file(text: &str) -> Arc<SourceFile> {
    SourceFile::new("Dockerfile", text)
}

fn tree(text: &str) -> Dockerfile {
    parse(&file(text)).expect("a valid file")
}

fn wrong(text: &str) -> Error {
    parse(&file(text)).expect_err("a wrong file")
}

/// The source a word came from.
fn source(word: &Word) -> String {
    String::from_utf8_lossy(&word.span.file().bytes()[word.span.range()]).into_owned()
}

fn script(text: &str) -> RunScript {
    let tree = tree(&format!("FROM a\n{text}"));
    let Some(instruction) = tree.stages[0].instructions.first() else { panic!("no instruction") };
    let Command::Run(run) = &instruction.command else { panic!("no RUN") };
    run.script(&instruction.heredocs)
}

#[test]
fn words_know_their_source() {
    let text = "FROM a AS B\nCOPY --chown=\"1 2\" \\\n  # comment\n  one \\\n  tw\\\no /dst\nCMD [\"\\u0061b\", \"c\"]\n";
    let tree = tree(text);
    let stage = &tree.stages[0];
    assert_eq!(
        stage.from.name.as_ref().map(|name| (name.as_str(), source(name))),
        Some(("b", "B".to_owned()))
    );
    let Command::Copy(copy) = &stage.instructions[0].command else { panic!("no COPY") };
    let chown = copy.chown.as_ref().expect("a flag");
    assert_eq!((chown.as_str(), source(chown).as_str()), ("1 2", "--chown=\"1 2\""));
    let [Source::Path(one), Source::Path(two)] = copy.sources.as_slice() else { panic!("two paths") };
    assert_eq!((one.as_str(), one.span.first_line()), ("one", 4));
    assert_eq!((two.as_str(), source(two).as_str()), ("two", "tw\\\no"));
    assert_eq!((copy.destination.span.first_line(), source(&copy.destination).as_str()), (6, "/dst"));
    let Command::Cmd(CommandLine::Exec(words)) = &stage.instructions[1].command else { panic!("no CMD") };
    assert_eq!((words[0].as_str(), source(&words[0]).as_str()), ("ab", "\"\\u0061b\""));
}

#[test]
fn instructions_know_their_lines() {
    let tree = tree("FROM a\nRUN x \\\n y <<E\nbody\nE\nUSER u\n");
    let lines = |instruction: &Instruction| (instruction.first_line, instruction.last_line);
    let all: Vec<_> = tree.instructions().map(lines).collect();
    assert_eq!(all, [(1, 1), (2, 5), (6, 6)]);
    let run = &tree.stages[0].instructions[0];
    assert_eq!(run.text, "RUN x  y <<E");
    assert_eq!(run.span.range(), 7..28);
    assert_eq!((run.heredocs[0].body.as_str(), run.heredocs[0].span.first_line()), ("body\n", 4));
}

#[test]
fn errors_point_at_words_and_name_the_first_line() {
    let error = wrong("FROM a\nCOPY \\\n  --lnk \\\n  a b\n");
    assert_eq!(error.to_string(), "dockerfile parse error on line 2");
    assert_eq!(error.lines(), Some((2, 4)));
    assert_eq!(error.span().map(|span| span.first_line()), Some(3));
    let failure = Failure::from(error);
    assert_eq!(failure.kind(), Kind::Config);
    assert_eq!(failure.causes(), ["unknown flag: --lnk (did you mean link?)"]);
    assert_eq!(failure.hints(), ["write --link"]);
    assert_eq!(failure.label().map(|label| label.span.place()).as_deref(), Some("Dockerfile:3"));
}

#[test]
fn only_comments_may_be_no_utf8() {
    let bytes = b"# \xff\nFROM a\nRUN x \\\n# \xfe\n y\n".to_vec();
    assert!(parse(&SourceFile::new("Dockerfile", bytes)).is_ok());
    for (bytes, line) in [
        (&b"FROM a\nRUN \xff\n"[..], 2),
        (b"FROM a\nRUN x \\\n \xff\n", 3),
        (b"FROM a\nRUN <<E\n\xff\nE\n", 3),
    ] {
        let error = parse(&SourceFile::new("Dockerfile", bytes)).expect_err("no UTF-8");
        assert_eq!((error.problem(), error.lines()), (&Problem::NotUtf8, Some((line, line))));
    }
}

#[test]
fn scripts() {
    assert_eq!(script("RUN a b"), RunScript::Shell("a b".to_owned()));
    assert_eq!(script("RUN [\"a\", \"b\"]"), RunScript::Exec(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(script("RUN <<E\na\nb\nE"), RunScript::Shell("a\nb\n".to_owned()));
    assert_eq!(script("RUN <<-E\n\ta\n\tE"), RunScript::Shell("a\n".to_owned()));
    let content = "#!/bin/x\ny\n".to_owned();
    assert_eq!(script("RUN <<E\n#!/bin/x\ny\nE"), RunScript::File { name: "E".to_owned(), content });
    assert_eq!(script("RUN cat <<A <<B\na\nA\nb\nB"), RunScript::Shell("cat <<A <<B\na\nA\nb\nB".to_owned()));
}

#[test]
fn stages_are_found_by_name_and_number() {
    let tree = tree("FROM a AS one\nFROM b AS Two\nFROM c AS one\nFROM d\n");
    assert_eq!(tree.base_stage(3, "one").map(|stage| stage.index), Some(2));
    assert_eq!(tree.base_stage(2, "one").map(|stage| stage.index), Some(0));
    assert!(tree.base_stage(3, "Two").is_none(), "bases are compared as written");
    assert_eq!(tree.source_stage(3, "TWO"), StageLookup::Stage(1));
    assert_eq!(tree.source_stage(1, "1"), StageLookup::NotBefore(1));
    assert_eq!(tree.source_stage(3, "debian"), StageLookup::NotAStage);
    assert_eq!(tree.target(Some("TWO")).map(|stage| stage.index), Some(1));
    assert_eq!(tree.target(None).map(|stage| stage.title()).as_deref(), Some("3"));
    assert!(tree.target(Some("0")).is_none());
}

#[test]
fn the_parser_warns() {
    let tree = tree("FROM a\nrun b \\\n\n c\nARG --x y\nCMD z\n");
    let found: Vec<_> =
        tree.warnings.iter().map(|warning| (warning.rule, warning.span.first_line())).collect();
    assert_eq!(found, [(Rule::NoEmptyContinuation, 3), (Rule::IgnoredFlag, 5)]);
}

#[test]
fn triggers_are_parsed_when_they_fire() {
    let tree = tree("FROM a\nONBUILD COPY <<f /x\nbody\nf\n");
    let Command::Onbuild(onbuild) = &tree.stages[0].instructions[0].command else { panic!("no ONBUILD") };
    let trigger = crate::dockerfile::parse_trigger(&onbuild.text).expect("a trigger");
    let Command::Copy(copy) = &trigger.command else { panic!("no COPY") };
    assert!(matches!(&copy.sources[0], Source::Inline(file) if file.content == "body\n"));
    let error = crate::dockerfile::parse_trigger("RUN a\nRUN b").expect_err("two");
    assert_eq!(error.problem(), &Problem::TriggerNotSingle);
}

#[test]
fn from_flags_take_no_variables() {
    let tree = tree("FROM a\nCOPY --from=$V a b\nCOPY --from=v a b\n");
    let reference = |index: usize| match &tree.stages[0].instructions[index].command {
        Command::Copy(copy) => {
            copy.stage_reference(tree.directives.escape).map(|word| word.map(Word::as_str))
        }
        _ => Ok(None),
    };
    assert_eq!(reference(0).expect_err("a variable").problem(), &Problem::FromVariable);
    assert_eq!(reference(1), Ok(Some("v")));
}
