//! What people see of a build in a log: whole screens, with times and digests masked.

use regex::Regex;

use crate::lab::{Lab, Outcome, everybody};

/// Text without what changes from run to run.
fn masked(text: &str) -> String {
    let masks = [
        (r"sha256:[0-9a-f]{64}", "sha256:…"),
        (r"(?m)^(#\d+ DONE) \d+\.\ds", "$1 <time>"),
        (r"(?m)^(#\d+ )?\d+\.\d{3} ", "$1<time> "),
        (r"\d+(\.\d+)?[kM]?B uncompressed", "<size> uncompressed"),
    ];
    masks.iter().fold(text.to_owned(), |text, (pattern, with)| {
        Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
    })
}

#[track_caller]
fn shows(outcome: &Outcome, stderr: &str, stdout: &str) {
    assert_eq!(masked(&outcome.stderr).trim(), stderr.trim(), "{outcome}");
    assert_eq!(masked(&outcome.stdout).trim(), stdout.trim(), "{outcome}");
}

const PROJECT: &str = r#"FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox ln -s busybox /bin/sh"]
WORKDIR /app
COPY a.txt .
"#;

const MADE: &str = r#"#1 [internal] load build definition
#1 DONE <time>

#2 [1/5] COPY busybox /bin/busybox
#2 DONE <time> sha256:…

#3 [2/5] RUN ["/bin/busybox", "sh", "-c", "/bin/busybox ln -s busybox /bin/sh"]
#3 DONE <time> sha256:…

#4 [3/5] WORKDIR /app
#4 DONE <time> sha256:…

#5 [4/5] COPY a.txt .
#5 DONE <time> sha256:…

#6 [5/5] RUN echo one; echo two
#6 <time> one
#6 <time> two
#6 DONE <time> sha256:…
"#;

const FAILED: &str = r#"#1 [internal] load build definition
#1 DONE <time>

#2 [1/5] COPY busybox /bin/busybox
#2 CACHED

#3 [2/5] RUN ["/bin/busybox", "sh", "-c", "/bin/busybox ln -s busybox /bin/sh"]
#3 CACHED

#4 [3/5] WORKDIR /app
#4 CACHED

#5 [4/5] COPY a.txt .
#5 CACHED

#6 [5/5] RUN echo going; exit 3
#6 <time> going
#6 ERROR: process "/bin/sh -c echo going; exit 3" did not complete successfully: exit code: 3
------
 > [5/5] RUN echo going; exit 3:
<time> going
------
error: [5/5] RUN echo going; exit 3
 --> Dockerfile:6:1
  |
4 | WORKDIR /app
5 | COPY a.txt .
6 | RUN echo going; exit 3
  | ^^^^^^^^^^^^^^^^^^^^^^
because: process "/bin/sh -c echo going; exit 3" did not complete successfully: exit code: 3
"#;

const MISTAKEN: &str = r#"#1 [internal] load build definition
#1 ERROR: dockerfile parse error on line 2
error: dockerfile parse error on line 2
 --> Dockerfile:2:1
  |
1 | FROM scratch
2 | COPYY a b
  | ^^^^^
because: unknown instruction: COPYY (did you mean COPY?)
hint: write COPY
"#;

#[test]
fn a_build_in_a_log() {
    let silent = Regex::new(r"(?m)^#6 <time> .*\n").unwrap().replace_all(MADE, "");
    let cached = Regex::new(r"(?m)^(#[2-6]) DONE .*$").unwrap().replace_all(&silent, "$1 CACHED");
    for who in everybody() {
        let lab = Lab::new(who);
        let context = lab.busybox_context("c", &[("a.txt", "hello\n")]);
        let tail = |made, cached| {
            format!(
                "tag     shop:1\ndigest  sha256:…\nimage   sha256:…\nlayers  5 made here (<size> uncompressed)\n\
                 steps   {made} made, {cached} cached"
            )
        };
        let whole = format!("{PROJECT}RUN echo one; echo two\n");
        let build = |text: &str| lab.build(&context, text, &["-t", "shop:1"]);
        shows(&build(&whole), MADE, &tail(5, 0));
        shows(&build(&whole), &cached, &tail(0, 5));
        let failed = build(&format!("{PROJECT}RUN echo going; exit 3\n"));
        assert_eq!(failed.code, 1, "{failed}");
        shows(&failed, FAILED, "");
        let mistaken = build("FROM scratch\nCOPYY a b\n");
        assert_eq!(mistaken.code, 3, "{mistaken}");
        shows(&mistaken, MISTAKEN, "");
    }
}
