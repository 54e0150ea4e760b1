//! What the system knows about a terminal.

use std::io::{self, BufRead as _};
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

/// Columns and rows of the terminal behind `fd`, as they are at this moment; `None` if it is no terminal or has not
/// been told its size.
pub fn size(fd: impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(fd).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// The next line of standard input, without its end.
///
/// # Errors
/// If standard input cannot be read or is not UTF-8.
pub fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Keys of a terminal that asks without showing.
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const ERASE: [u8; 2] = [8, 127];
const ERASE_LINE: u8 = 21;

/// The next line of the terminal behind standard input, which does not show it meanwhile. `question` is called once the
/// terminal hides what is typed: whoever answers at once is neither shown nor lost. Ctrl-C is read as a key, so that the
/// terminal is as it was before when the process ends because of it.
///
/// # Errors
/// `Interrupted` for Ctrl-C; if standard input is no terminal, cannot be read, or the line is not UTF-8.
pub fn read_hidden_line(question: &dyn Fn()) -> io::Result<String> {
    let stdin = io::stdin();
    // Without a terminal the question stands before the reason that nobody can answer it.
    let before = tcgetattr(&stdin).inspect_err(|_| question())?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
    hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    question();
    let line = read_keys(|byte| {
        loop {
            match rustix::io::read(&stdin, &mut *byte) {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    });
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    String::from_utf8(line?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// A line as it is typed, one key at a time.
fn read_keys(mut next: impl FnMut(&mut [u8; 1]) -> io::Result<usize>) -> io::Result<Vec<u8>> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while next(&mut byte)? > 0 {
        match byte[0] {
            b'\n' | b'\r' => return Ok(line),
            INTERRUPT => return Err(io::ErrorKind::Interrupted.into()),
            END if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            END => {}
            ERASE_LINE => line.clear(),
            key if ERASE.contains(&key) => {
                // A character of several bytes goes whole.
                while line.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
            }
            key => line.push(key),
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let typed = |keys: &[u8]| {
            let mut keys = keys.iter();
            read_keys(|byte| {
                Ok(keys.next().map_or(0, |key| {
                    byte[0] = *key;
                    1
                }))
            })
        };
        assert_eq!(typed(b"pass\rmore").unwrap(), b"pass");
        assert_eq!(typed("aé\x7f\x7fb\n".as_bytes()).unwrap(), b"b");
        assert_eq!(typed(b"wrong\x15right\n").unwrap(), b"right");
        assert_eq!(typed(b"pa\x03ss\n").unwrap_err().kind(), io::ErrorKind::Interrupted);
        assert_eq!(typed(b"\x04").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(typed(b"cut").unwrap(), b"cut");
    }
}
