//! Builds that somebody looks at: a shell where a step failed, and builds of every new commit.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::lab::{Lab, everybody};
use crate::project::Shop;

const CONFIG: &str = "project: watched\nconfigVersion: 1\n---\nimage: a\ndockerfile: Dockerfile\n";

/// Ends a process that a failed test leaves behind.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `command` at a terminal; types `keys` once `when` is on the screen. Everything on the screen, and the exit code.
fn at_a_terminal(mut command: Command, when: &str, keys: &str) -> (String, Option<i32>) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let terminal = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    command.stdin(terminal.try_clone().unwrap());
    command.stdout(terminal.try_clone().unwrap()).stderr(terminal);
    let mut child = Guard(command.spawn().unwrap());
    // The terminal is closed once the program has ended and nobody else holds it.
    drop(command);
    let mut controller = File::from(controller);
    let (mut screen, mut buffer, mut typed) = (Vec::new(), [0; 4096], false);
    while let Ok(count) = controller.read(&mut buffer) {
        if count == 0 {
            break;
        }
        screen.extend_from_slice(&buffer[..count]);
        if !typed && String::from_utf8_lossy(&screen).contains(when) {
            controller.write_all(keys.as_bytes()).unwrap();
            typed = true;
        }
    }
    (String::from_utf8_lossy(&screen).into_owned(), child.0.wait().unwrap().code())
}

#[test]
fn a_shell_opens_where_a_step_failed() {
    for who in everybody() {
        let lab = Lab::new(who);
        let dockerfile = "FROM scratch\nCOPY busybox /bin/sh\nENV OF=env-value\nWORKDIR /w\n\
                          RUN --mount=type=tmpfs,target=/t echo left > /left; exit 3\n";
        let shop = Shop::of(&lab, "shop", &[("werf.yaml", CONFIG), ("Dockerfile", dockerfile)]);
        for (flag, said) in [
            ("--introspect-error", "got left env-value /w"),
            ("--introspect-before-error", "got none env-value /w"),
        ] {
            let keys = "read x < /left || x=none; test -d /t && echo got $x $OF $PWD\nexit\n";
            let (screen, code) =
                at_a_terminal(shop.command("store", &["build", flag]), "did not complete successfully", keys);
            assert!(screen.contains(said), "{flag}: {screen}");
            assert!(screen.contains("exit code: 3"), "{flag}: {screen}");
            assert!(code.is_some_and(|code| code != 0), "{flag}: {code:?}: {screen}");
            shop.run(&["build", flag]).failure(&["standard input is no terminal"]);
        }
        // Nothing is kept of what was changed there, and a build that succeeds opens nothing.
        shop.write("Dockerfile", &dockerfile.replace("exit 3", "exit 0"));
        shop.commit();
        let (screen, code) =
            at_a_terminal(shop.command("store", &["build", "--introspect-error"]), "\u{0}", "");
        assert_eq!(code, Some(0), "{screen}");
    }
}

#[test]
fn every_commit_is_built_until_somebody_stops_it() {
    let lab = Lab::new(everybody()[0]);
    let shop = Shop::of(
        &lab,
        "shop",
        &[("werf.yaml", CONFIG), ("Dockerfile", "FROM scratch\nCOPY words /\n"), ("words", "one\n")],
    );
    let mut command = shop.command("store", &["build", "--follow"]);
    let mut child = Guard(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut out = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut err = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let mut built = || out.next().expect("it goes on").unwrap();
    let first = built();
    assert!(first.starts_with("a ") && first.ends_with(" built"), "{first}");
    shop.write("words", "two\n");
    shop.commit();
    let second = built();
    assert!(second.ends_with(" built") && second != first, "{second}");
    // What is wrong is said, and the next commit is built.
    shop.write("Dockerfile", "FORM scratch\n");
    shop.commit();
    assert!(err.any(|line| line.unwrap().contains("FORM")));
    shop.write("Dockerfile", "FROM scratch\nCOPY words /\n");
    shop.commit();
    assert_eq!(built(), second.replace(" built", " was there"));
    let id = Pid::from_child(&child.0);
    kill_process(id, Signal::INT).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    shop.run(&["run", "a", "--follow"]).failure(&["--follow is not supported here"]);
}

#[test]
fn in_development_every_change_is_built() {
    let lab = Lab::new(everybody()[0]);
    let shop = Shop::of(
        &lab,
        "shop",
        &[("werf.yaml", CONFIG), ("Dockerfile", "FROM scratch\nCOPY words /\n"), ("words", "one\n")],
    );
    let mut command = shop.command("store", &["build", "--follow", "--dev", "--dev-ignore", "skipped"]);
    let mut child = Guard(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut out = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut built = || out.next().expect("it goes on").unwrap();
    let first = built();
    // A file that comes by its name comes whole.
    let put = |name: &str, content: &str| {
        std::fs::write(lab.path("whole"), content).unwrap();
        std::fs::rename(lab.path("whole"), lab.path("shop").join(name)).unwrap();
    };
    put("skipped", "nobody looks\n");
    put("words", "two two\n");
    let second = built();
    assert!(second.ends_with(" built") && second != first, "{second}");
    put("new", "a new file\n");
    assert_eq!(built(), second.replace(" built", " was there"));
    kill_process(Pid::from_child(&child.0), Signal::INT).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}
