//! Laws of the language, on generated input.

use proptest::prelude::*;

use crate::base::SourceFile;
use crate::dockerfile::{self, Escape, Expander, ignore, parse, print};

/// Pieces from which nearly every construct of the language arises by chance.
const PIECES: [&str; 72] = [
    "FROM",
    "ARG",
    "RUN",
    "COPY",
    "ADD",
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "LABEL",
    "EXPOSE",
    "HEALTHCHECK",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
    "NONE",
    "AS",
    "as",
    " ",
    " ",
    " ",
    "  ",
    "\t",
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\\\n",
    "\\ \n",
    "`\n",
    "\\",
    "`",
    "\u{b}",
    "\u{a0}",
    "\"",
    "'",
    "[\"a\", \"b\"]",
    "[\"<<X\", \"/\"]",
    "[",
    "]",
    "[1]",
    "--x",
    "--from=a",
    "--mount=type=bind,from=b",
    "--chown=\"1 2\"",
    "--link",
    "--",
    "=",
    "a=b",
    "a",
    "$A",
    "${A:-b}",
    "#",
    "# a d\n",
    "# escape=`\n",
    "# syntax=x y\n",
    "# check=skip=A,B;error=true\n",
    "<<EOF",
    "<<-EOF",
    "<<'EOF'",
    "3<<X",
    "EOF",
    "X",
    "/dst",
    ".",
    "é",
    "\u{feff}",
    "--interval=3s",
    "ONBUILD ",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![8 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned), 1 => ".{0,3}"];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Text that is more often valid: whole lines of an instruction with random arguments.
fn lines() -> impl Strategy<Value = String> {
    let keyword = prop::sample::select(&PIECES[1..18]);
    let rest =
        prop::collection::vec(prop::sample::select(&PIECES[18..]), 0..8).prop_map(|pieces| pieces.concat());
    let line = (keyword, rest).prop_map(|(keyword, rest)| format!("{keyword} {rest}\n"));
    prop::collection::vec(line, 0..4).prop_map(|lines| format!("FROM a\n{}", lines.concat()))
}

fn check_law(text: &str) -> Result<(), TestCaseError> {
    let Ok(first) = parse(&SourceFile::new("Dockerfile", text)) else { return Ok(()) };
    let printed = print(&first);
    let again = parse(&SourceFile::new("printed", printed.as_str()));
    let again =
        again.map_err(|error| TestCaseError::fail(format!("{error}: {} in {printed:?}", error.problem())))?;
    prop_assert_eq!(&first, &again, "printed as {:?}", printed);
    prop_assert_eq!(print(&again), printed, "printing is not stable");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printed_text_means_the_same(text in text()) {
        check_law(&text)?;
    }

    #[test]
    fn printed_lines_mean_the_same(text in lines()) {
        check_law(&text)?;
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let file = SourceFile::new("Dockerfile", bytes);
        let parsed = parse(&file);
        prop_assert!(parsed.is_ok() || parsed.is_err_and(|error| error.lines().is_some()));
        prop_assert!(ignore::read(&file).len() <= file.line_count());
    }

    #[test]
    fn spans_hold_what_they_say(text in text()) {
        let file = SourceFile::new("Dockerfile", text);
        for statement in dockerfile::statements(&file).unwrap_or_default() {
            for word in &statement.words {
                prop_assert!(word.span.first_line() >= statement.first_line, "{word:?}");
                prop_assert!(word.span.first_line() <= statement.last_line, "{word:?}");
            }
        }
    }

    #[test]
    fn text_without_meaning_stays(text in "[a-z0-9 ./]{0,40}") {
        let expansion = Expander::new(Escape::Backslash).text(&text, &|_| None).expect("no meaning");
        prop_assert_eq!(&expansion.text, &text);
        prop_assert_eq!(expansion.words, text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    }

    #[test]
    fn expansion_never_panics(text in "[\\\\$`{}:#%/?*+='\"a-c <-]{0,40}", value in ".{0,8}") {
        let env = |name: &str| (name == "a").then(|| value.clone());
        for expander in [Expander::new(Escape::Backslash), Expander::new(Escape::Backtick), Expander::body()] {
            if let Err(error) = expander.text(&text, &env) {
                prop_assert!(!error.problem().to_string().is_empty());
            }
        }
    }

    #[test]
    fn walking_misses_nothing_visible(
        patterns in prop::collection::vec("!?(\\*\\*/)?[ab*?]{1,3}(/[ab*]{1,2})?(/\\*\\*)?", 0..5),
        path in "[ab]{1,2}(/[ab]{1,2}){0,3}",
    ) {
        let Ok(matcher) = ignore::Matcher::new(&patterns) else { return Ok(()) };
        let mut parent = ignore::Parent::default();
        let mut left_out = false;
        for (at, _) in path.match_indices('/') {
            let (hidden, known) = matcher.enter(&parent, &path[..at]);
            left_out |= hidden && !matcher.may_include_below(&path[..at]);
            parent = known;
        }
        let (hidden, _) = matcher.enter(&parent, &path);
        prop_assert!(hidden || !left_out, "a folder was left out");
        if !matcher.has_negations() {
            prop_assert_eq!(hidden, matcher.excludes(&path));
        }
    }
}
