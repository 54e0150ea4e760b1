//! A terminal inside the step, from the step's own `/dev/pts`. Called inside the root.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::trouble::{Doing as _, Result, Trouble};
use crate::job::Note;
use crate::link::Link;

/// Makes a terminal with this window, sends its controlling side to the main process, and returns the other.
pub(super) fn open(link: &Link, rows: u16, columns: u16) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let controlling = rustix::fs::open("/dev/ptmx", flags, Mode::empty()).doing("open a terminal")?;
    rustix::pty::unlockpt(&controlling).doing("unlock the terminal")?;
    let peer = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal =
        rustix::pty::ioctl_tiocgptpeer(&controlling, peer).doing("open the terminal's other side")?;
    let window = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal, window).doing("set the window size")?;
    link.send(&Note::Terminal, Some(controlling.as_fd()))
        .map_err(|e| Trouble::new("send the terminal", &e))?;
    Ok(terminal)
}
