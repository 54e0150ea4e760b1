//! What the system knows about a terminal.

use std::io::{self, BufRead as _};
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

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

/// The next line of the terminal behind standard input, which does not show it meanwhile.
///
/// # Errors
/// If standard input is no terminal or cannot be read.
pub fn read_hidden_line() -> io::Result<String> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    // The end of the line still shows, so that what follows begins on a line of its own.
    hidden.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    let line = read_line();
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    line
}
