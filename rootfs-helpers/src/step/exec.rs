//! Starting the program: search by `PATH`, and a precise answer when it cannot be started.

use std::ffi::CString;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;

use crate::job::{ExecFailure, ExecProblem};

/// Replaces this process by the program; returns only if that fails.
pub(super) fn exec(args: &[String], env: &[(String, String)]) -> ExecFailure {
    let program = args.first().cloned().unwrap_or_default();
    let why = match (c_strings(args.iter().cloned()), c_strings(env.iter().map(|(k, v)| format!("{k}={v}"))))
    {
        (Some(arguments), Some(environment)) => {
            let mut pause = || std::thread::sleep(PAUSE);
            try_all(&candidates(&program, env), &arguments, &environment, &mut pause)
        }
        // A NUL byte.
        _ => ExecProblem::Other(libc::EINVAL),
    };
    ExecFailure { program, why }
}

fn c_strings(texts: impl Iterator<Item = String>) -> Option<Vec<CString>> {
    texts.map(|text| CString::new(text).ok()).collect()
}

fn candidates(program: &str, env: &[(String, String)]) -> Vec<PathBuf> {
    if program.contains('/') || program.is_empty() {
        return vec![PathBuf::from(program)];
    }
    let path = env.iter().rev().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value.as_str());
    // An empty entry is the working directory.
    path.split(':').map(|place| Path::new(if place.is_empty() { "." } else { place }).join(program)).collect()
}

/// How often a program is tried that somebody still writes, and how long each time is waited: a second in all.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

fn try_all(
    files: &[PathBuf],
    arguments: &[CString],
    environment: &[CString],
    pause: &mut dyn FnMut(),
) -> ExecProblem {
    let mut worst = ExecProblem::NotFound;
    for file in files {
        let Ok(name) = CString::new(file.as_os_str().as_bytes()) else {
            return ExecProblem::Other(libc::EINVAL);
        };
        match problem(file, patiently(|| become_it(&name, arguments, environment), pause)) {
            ExecProblem::NotFound => {}
            // Perhaps a later directory of the path has one that may be executed.
            found @ (ExecProblem::NoPermission | ExecProblem::IsDirectory) => worst = found,
            found => return found,
        }
    }
    worst
}

fn become_it(name: &CString, arguments: &[CString], environment: &[CString]) -> Errno {
    let Err(errno) = nix::unistd::execve(name, arguments, environment);
    errno
}

/// A program that was just written can be open for writing in a process that another thread of the builder is about to
/// start: until that one closes what it inherited, the kernel refuses to run the file.
fn patiently(mut attempt: impl FnMut() -> Errno, pause: &mut dyn FnMut()) -> Errno {
    for _ in 1..TRIES {
        match attempt() {
            Errno::ETXTBSY => pause(),
            other => return other,
        }
    }
    attempt()
}

fn problem(file: &Path, errno: Errno) -> ExecProblem {
    match errno {
        Errno::ENOENT if !file.exists() => ExecProblem::NotFound,
        // The file is there, so what is missing is what it asks for.
        Errno::ENOENT => ExecProblem::MissingInterpreter(interpreter(file).unwrap_or_else(|| "?".to_owned())),
        Errno::ENOTDIR => ExecProblem::NotFound,
        Errno::EACCES | Errno::EPERM if file.is_dir() => ExecProblem::IsDirectory,
        Errno::EACCES | Errno::EPERM => ExecProblem::NoPermission,
        Errno::ENOEXEC => match machine(&head(file)) {
            Some(name) => ExecProblem::WrongMachine(name),
            None => ExecProblem::NotExecutable,
        },
        Errno::E2BIG => ExecProblem::TooLong,
        other => ExecProblem::Other(other as i32),
    }
}

fn head(file: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(opened) = File::open(file) {
        let _ = opened.take(64 << 10).read_to_end(&mut bytes);
    }
    bytes
}

fn interpreter(file: &Path) -> Option<String> {
    let bytes = head(file);
    if let Some(line) = bytes.strip_prefix(b"#!") {
        let line = String::from_utf8_lossy(line.split(|b| *b == b'\n').next()?).into_owned();
        return Some(match line.split_ascii_whitespace().next() {
            // Windows line ends: the kernel looked for a name that ends with a carriage return.
            Some(word) if line.ends_with('\r') => format!("{word}\\r (the script has Windows line ends)"),
            word => word?.to_owned(),
        });
    }
    elf_interpreter(&bytes)
}

/// The PT_INTERP segment of a little-endian ELF file.
fn elf_interpreter(bytes: &[u8]) -> Option<String> {
    let wide = *bytes.strip_prefix(b"\x7fELF")?.first()? == 2;
    let number = |at: usize, size: usize| -> Option<usize> {
        let field = bytes.get(at..at + size)?;
        field
            .iter()
            .rev()
            .try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))
    };
    let (table, entry, count) = if wide {
        (number(32, 8)?, number(54, 2)?, number(56, 2)?)
    } else {
        (number(28, 4)?, number(42, 2)?, number(44, 2)?)
    };
    for index in 0..count {
        let at = table.checked_add(index.checked_mul(entry)?)?;
        if number(at, 4)? != 3 {
            continue;
        }
        let (offset, size) = if wide {
            (number(at + 8, 8)?, number(at + 32, 8)?)
        } else {
            (number(at + 4, 4)?, number(at + 16, 4)?)
        };
        let name = bytes.get(offset..offset.checked_add(size)?)?;
        return Some(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned());
    }
    None
}

/// The machine an ELF file is made for.
fn machine(bytes: &[u8]) -> Option<String> {
    let fields = bytes.strip_prefix(b"\x7fELF")?;
    let little = *fields.get(1)? == 1;
    let pair = [*fields.get(14)?, *fields.get(15)?];
    let number = if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
    Some(match number {
        3 => "i386".to_owned(),
        8 => "mips".to_owned(),
        21 => "ppc64le".to_owned(),
        22 => "s390x".to_owned(),
        40 => "arm".to_owned(),
        62 => "amd64".to_owned(),
        183 => "arm64".to_owned(),
        243 => "riscv64".to_owned(),
        258 => "loong64".to_owned(),
        other => format!("machine {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_searched_in_order() {
        let env = vec![("PATH".to_owned(), "/x".to_owned()), ("PATH".to_owned(), "/a::/b".to_owned())];
        assert_eq!(candidates("sh", &env), ["/a/sh", "./sh", "/b/sh"].map(PathBuf::from));
        assert_eq!(candidates("./sh", &env), [PathBuf::from("./sh")]);
    }

    #[test]
    fn a_program_that_is_still_written_is_tried_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("lap-busy-{}", std::process::id()));
        let mut writer = Some(File::create(&path).unwrap());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut pauses = 0;
        let mut pause = || {
            pauses += 1;
            writer = None;
            // Only where a test beside this one forked while the file was open is there anything to wait for.
            std::thread::sleep(PAUSE * u32::from(pauses > 1));
        };
        // It is no program, so being allowed to run it does not end this process.
        let why = try_all(std::slice::from_ref(&path), &[c"x".to_owned()], &[], &mut pause);
        assert_eq!(why, ExecProblem::NotExecutable);
        assert!(pauses > 0);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn patience_ends() {
        let (mut attempts, mut pauses) = (0, 0);
        let busy = || {
            attempts += 1;
            Errno::ETXTBSY
        };
        assert_eq!(patiently(busy, &mut || pauses += 1), Errno::ETXTBSY);
        assert_eq!((attempts, pauses), (TRIES, TRIES - 1));
    }

    #[test]
    fn files_tell_what_they_need() {
        let own = head(Path::new("/proc/self/exe"));
        assert_eq!(
            machine(&own).as_deref(),
            Some(if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" })
        );
        assert_eq!(machine(b"#!/bin/sh"), None);
        let path = std::env::temp_dir().join(format!("lap-exec-{}", std::process::id()));
        std::fs::write(&path, "#! /no/such -x\n").unwrap();
        assert_eq!(interpreter(&path).as_deref(), Some("/no/such"));
        assert_eq!(problem(&path, Errno::ENOENT), ExecProblem::MissingInterpreter("/no/such".into()));
        std::fs::write(&path, "#!/bin/sh\r\n").unwrap();
        assert!(interpreter(&path).unwrap().contains("Windows"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(problem(&path, Errno::ENOENT), ExecProblem::NotFound);
        for length in 0..200 {
            let _ = elf_interpreter(own.get(..length).unwrap_or_default());
        }
    }
}
