//! What the system knows about a terminal.

use std::os::fd::AsFd;

/// Columns and rows of the terminal behind `fd`, as they are at this moment; `None` if it is no terminal or has not
/// been told its size.
pub fn size(fd: impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(fd).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
}
