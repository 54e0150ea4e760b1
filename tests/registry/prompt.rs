//! The question for a password at a terminal, made by util-linux' `script`.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

/// Runs `lap cr login` at a terminal of its own, types `keys`, and gives all that was on the screen: the exit code and the
/// terminal's settings come at the end.
fn typed(keys: &[u8]) -> String {
    let line = format!(
        "stty -a | tr ' ' '\\n' | grep -x -e echo -e -echo; {} cr login 127.0.0.1:1 -u me; echo code=$?; \
         stty -a | tr ' ' '\\n' | grep -x -e echo -e -echo -e isig -e -isig -e icanon -e -icanon",
        env!("CARGO_BIN_EXE_lap")
    );
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("HOME", home.path())
        .env("LAP_HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("script: {e}: install util-linux"));
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut screen, mut buffer, mut keys) = (Vec::new(), [0; 4096], Some(keys));
    loop {
        let count = stdout.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        screen.extend_from_slice(&buffer[..count]);
        // Whoever answers as soon as the question stands there is neither shown nor lost.
        if String::from_utf8_lossy(&screen).contains("Password: ") {
            keys.take().into_iter().flatten().for_each(|key| stdin.write_all(&[*key]).unwrap());
        }
    }
    child.wait().unwrap();
    String::from_utf8_lossy(&screen).into_owned()
}

#[test]
fn an_interrupted_question_leaves_the_terminal_as_it_was() {
    let screen = typed(b"half\x03");
    assert!(screen.contains("Password: "), "{screen}");
    assert!(screen.contains("code=130") && screen.contains("stopped on request"), "{screen}");
    let after = screen.split("code=").nth(1).unwrap();
    for setting in ["echo", "isig", "icanon"] {
        assert!(after.lines().any(|line| line.trim() == setting), "no {setting} in {screen}");
    }
}

#[test]
fn a_password_is_read_and_never_shown() {
    let screen = typed(b"wrong\x15s3cret-pw\r");
    assert!(!screen.contains("s3cret") && !screen.contains("wrong"), "{screen}");
    // Nobody listens on port 1; it got that far.
    assert!(screen.contains("127.0.0.1:1") && !screen.contains("code=130"), "{screen}");
}
