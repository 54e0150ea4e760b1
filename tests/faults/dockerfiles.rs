//! Dockerfiles and ignore files that are endless, deep, cyclic or no text at all.

use std::fmt::Write as _;

use crate::lab::{Lab, Outcome, Who};
use crate::yard::within;

/// Builds a Dockerfile of these bytes with a file `a` beside it.
fn build(dockerfile: &[u8]) -> Outcome {
    build_with(dockerfile, &[])
}

fn build_with(dockerfile: &[u8], files: &[(&str, &str)]) -> Outcome {
    let lab = Lab::new(Who::Caller);
    let context = lab.context("c", &[&[("a", "1")], files].concat());
    std::fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    within(600, || lab.run(&["image", "build", "--output", "type=cacheonly", context.to_str().unwrap()]))
}

/// Refused as a mistake of the Dockerfile, with its line.
fn refused(dockerfile: impl AsRef<[u8]>, line: usize, words: &[&str]) {
    let outcome = build(dockerfile.as_ref()).failure(words);
    assert_eq!(outcome.code, 3, "{outcome}");
    assert!(outcome.stderr.contains(&format!("Dockerfile:{line}:")), "no line {line} in: {outcome}");
    assert!(outcome.stderr.len() < 100_000, "{} bytes of words", outcome.stderr.len());
}

/// So many lines of one form.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold("FROM scratch\n".to_owned(), |mut text, n| {
        let _ = writeln!(text, "{}", line(n));
        text
    })
}

/// Tests, each of its own name.
macro_rules! cases {
    ($($(#[$doc:meta])* $name:ident => $body:expr;)*) => {$( $(#[$doc])* #[test] fn $name() { $body } )*};
}

cases! {
    a_hundred_thousand_instructions => {
        build(lines(100_000, |n| format!("ENV E{} v{n}", n % 1000)).as_bytes()).success();
    };
    a_hundred_thousand_labels => {
        build(lines(100_000, |n| format!("LABEL l{n}=v")).as_bytes()).success();
    };
    twenty_thousand_variables_in_a_thousand_steps => {
        let mut text = lines(20_000, |n| format!("ENV E{n}=value"));
        text.push_str(&"RUN true\n".repeat(2000));
        build(text.as_bytes()).failure(&["variables of all steps", "256 MB", "Dockerfile:2"]);
    };
    ten_thousand_stages => {
        let text = (0..10_000).fold("FROM scratch AS s0\n".to_owned(), |mut text, n| {
            let _ = writeln!(text, "FROM s{n} AS s{}", n + 1);
            text
        });
        build(text.as_bytes()).success();
    };
    a_line_of_10_megabytes => refused(format!("FROM scratch\nLABEL a={}", "x".repeat(10 << 20)), 2, &["65535"]);
    a_line_of_10_megabytes_in_pieces => {
        let text = format!("FROM scratch\nENV A=\\\n{}x\n", format!("{}\\\n", "x".repeat(1000)).repeat(10_000));
        // The value and its history are more than a configuration may hold.
        refused(text, 2, &["larger than 16 MB"]);
    };
    a_hundred_thousand_continuations => {
        build(format!("FROM scratch\nENV A=1{}\n", " \\\n".repeat(100_000)).as_bytes()).success();
    };
    a_dockerfile_of_20_megabytes => {
        build(lines(20 << 10, |_| format!("# {}", "x".repeat(1020))).as_bytes()).failure(&["MB", "Dockerfile"]);
    };
    no_text => refused(b"FROM scratch\nLABEL a=\xff\xfe\n", 2, &["UTF-8"]);
    zeros => { build(&[0; 10_000]).failure(&["Dockerfile"]); };
    nothing => { build(b"").failure(&["cannot be empty"]); };
    only_comments => { build(&b"# nothing\n".repeat(1000)).failure(&["no instructions"]); };
    a_program => { build(&std::fs::read("/bin/busybox").unwrap()[..1 << 20]).failure(&["Dockerfile"]); };

    onbuild_of_onbuild => refused("FROM scratch\nONBUILD ONBUILD RUN true\n", 2, &["ONBUILD"]);
    onbuild_of_from => refused("FROM scratch\nONBUILD FROM x\n", 2, &["FROM"]);
    onbuild_without_end => refused(format!("FROM scratch\n{}RUN true\n", "ONBUILD ".repeat(5000)), 2, &["ONBUILD"]);
    stages_in_a_circle => {
        // A stage can only be built from an earlier one: these are images of that name, which nobody has.
        let text = "FROM 127.0.0.1:1/b AS a\nFROM a AS 127.0.0.1:1/b\n";
        build(text.as_bytes()).failure(&["Dockerfile"]);
    };
    a_copy_from_a_later_stage => refused(
        "FROM scratch AS a\nCOPY --from=b /x /x\nFROM scratch AS b\nCOPY a /x\nFROM a\n", 2, &["before current stage"]
    );
    a_copy_from_itself => refused("FROM scratch AS a\nCOPY --from=a /x /x\n", 2, &["a"]);

    braces_100000_deep => {
        // Over many lines: one may not be so long.
        let text = format!("FROM scratch\nENV A={}x{}\n", "${a:-\\\n".repeat(100_000), "}".repeat(60_000));
        refused(text, 2, &["nested too deeply"]);
    };
    quotes_without_end => refused("FROM scratch\nENV A=\"x\n", 2, &["double-quote"]);
    variables_that_double => {
        let text = lines(60, |n| if n == 0 { "ENV V0=0123456789".into() } else { format!("ENV V{n}=$V{0}$V{0}", n - 1) });
        refused(text, 21, &["MB"]);
    };
    build_arguments_that_double => {
        let text = lines(60, |n| if n == 0 { "ARG V0=0123456789".into() } else { format!("ARG V{n}=$V{0}$V{0}", n - 1) });
        refused(text, 21, &["MB"]);
    };
    global_arguments_that_double => {
        let mut text = "ARG V0=0123456789\n".to_owned();
        (1..60).for_each(|n| { let _ = writeln!(text, "ARG V{n}=$V{0}$V{0}", n - 1); });
        text.push_str("FROM scratch\n");
        build(text.as_bytes()).failure(&["MB", "Dockerfile:2"]);
    };
    labels_that_double => {
        let mut text = lines(20, |n| if n == 0 { "ENV V0=0123456789".into() } else { format!("ENV V{n}=$V{0}$V{0}", n - 1) });
        text.push_str(&"LABEL a=$V18\n".repeat(100));
        build(text.as_bytes()).failure(&["larger than 16 MB"]);
    };
    replacements_that_multiply => {
        let mut text = lines(16, |n| if n == 0 { "ENV V0=0123456789".into() } else { format!("ENV V{n}=$V{0}$V{0}", n - 1) });
        text.push_str("ENV W=${V15//?/$V15}\n");
        refused(text, 18, &["MB"]);
    };
    a_pattern_that_backtracks => {
        let value = "a".repeat(5000);
        let text = format!("FROM scratch\nENV V={value}\nENV W=${{V##{}b}}\n", "*a".repeat(1000));
        build(text.as_bytes()).success();
    };
    a_pattern_that_takes_an_hour => {
        let text = format!("FROM scratch\nENV V={0}\nENV W=$V$V$V$V\nENV X=${{W##{1}b}}\n", "a".repeat(60_000), "*a".repeat(10_000));
        refused(text, 4, &["pattern", "too long"]);
    };
    a_wildcard_that_backtracks => {
        let name = "a".repeat(200);
        let text = format!("FROM scratch\nCOPY {}b /x\nCOPY a /a\n", "*a".repeat(100));
        build_with(text.as_bytes(), &[(&name, "1")]).success();
    };
    json_10000_brackets_deep => {
        let text = format!("FROM scratch\nCMD {}{}\n", "[".repeat(30_000), "]".repeat(30_000));
        build(text.as_bytes()).success();
    };
    every_port_there_is => {
        build("FROM scratch\nEXPOSE 1-65535 1-65535/udp\n".as_bytes()).success();
    };
    more_ports_than_there_are => refused("FROM scratch\nEXPOSE 1-99999999999\n", 2, &["ort"]);
    ten_thousand_heredocs => {
        let mut text = "FROM scratch\nCOPY".to_owned();
        (0..5000).for_each(|n| { let _ = write!(text, " <<E{n}"); });
        text.push_str(" /d/\n");
        (0..5000).for_each(|n| { let _ = write!(text, "body\nE{n}\n"); });
        build(text.as_bytes()).success();
    };
    a_heredoc_without_end => refused("FROM scratch\nCOPY <<EOF /x\nbody\n", 2, &["EOF"]);
    a_heredoc_of_5_megabytes => {
        let text = format!("FROM scratch\nCOPY <<EOF /x\n{}EOF\n", "line $nothing\n".repeat(350_000));
        build(text.as_bytes()).success();
    };
    a_thousand_directives => {
        build(format!("{}FROM scratch\n", "# escape=`\n".repeat(1000)).as_bytes()).failure(&["escape"]);
    };
    a_terminal_that_is_spoken_to => {
        let outcome = build(b"FROM scratch\nRUN\x1b[2J\x1b]0;owned\x07 x\n").failure(&["Dockerfile:2"]);
        assert!(!outcome.stderr.contains('\x1b') && !outcome.stderr.contains('\x07'), "{outcome}");
    };
    ignore_patterns_that_backtrack => {
        let ignore = format!("{}b\n{}\n", "**/*a".repeat(30), "*a".repeat(100));
        let name = "b/".repeat(20) + &"a".repeat(100);
        build_with(b"FROM scratch\nCOPY . /\n", &[(".dockerignore", &ignore), (&name, "1")]).success();
    };
    a_hundred_thousand_ignore_patterns => {
        let ignore = (0..100_000).fold(String::new(), |mut text, n| { let _ = writeln!(text, "dir{n}/**/file{n}"); text });
        build_with(b"FROM scratch\nCOPY . /\n", &[(".dockerignore", &ignore)]).success();
    };
    an_ignore_pattern_without_end => {
        build_with(b"FROM scratch\nCOPY . /\n", &[(".dockerignore", "ok\n[a-\n")]).failure(&[".dockerignore:2", "[a-"]);
    };
    an_ignore_file_of_20_megabytes => {
        let ignore = "x".repeat(20 << 20);
        build_with(b"FROM scratch\nCOPY . /\n", &[(".dockerignore", &ignore)]).failure(&[".dockerignore", "larger"]);
    };
}
