//! Running other programs (credential helpers, sub-id helpers): small input, small output, a time limit.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::host::Error;

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Runs `name` with `arguments`, gives it `input`, and waits up to `limit`, after which it is killed.
///
/// # Errors
/// If it cannot be started or does not end in time.
pub fn run(name: &str, arguments: &[&str], input: &[u8], limit: Duration) -> Result<Output, Error> {
    let fail = |e| Error::new("run", name, e);
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that its children end with it.
        .process_group(0)
        .spawn()
        .map_err(fail)?;
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that does not read its input is no error.
            if let Some(mut pipe) = stdin.take() {
                let _ = pipe.write_all(input);
            }
        });
        let out = scope.spawn(move || read_all(stdout.as_mut()));
        let err = scope.spawn(move || read_all(stderr.as_mut()));
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(fail)? {
                break status;
            }
            if Instant::now() >= deadline {
                if let Some(group) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
                    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                }
                let _ = child.wait();
                let late =
                    std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {limit:?}"));
                return Err(fail(late));
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ok(Output {
            code: status.code(),
            stdout: out.join().unwrap_or_default(),
            stderr: err.join().unwrap_or_default(),
        })
    })
}

fn read_all(pipe: Option<&mut impl std::io::Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(1 << 20).read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_input_and_reports_the_code() {
        let output = run("sh", &["-c", "cat; exit 3"], b"hello", Duration::from_secs(120)).unwrap();
        assert_eq!((output.code, output.stdout.as_slice()), (Some(3), b"hello".as_slice()));
        assert!(run("sh", &["-c", "sleep 9"], b"", Duration::from_millis(50)).is_err());
        assert!(run("no-such-program-here", &[], b"", Duration::from_secs(1)).is_err());
    }
}
