//! One event a line, as it is, for programs.

use std::io::{self, Write};
use std::time::Duration;

use crate::report::Event;
use crate::ui::renderer::Draw;

/// The json face.
#[derive(Debug)]
pub(super) struct Json;

impl Draw for Json {
    fn event(&mut self, event: &Event, _wall: Duration, out: &mut dyn Write) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        out.write_all(&line)
    }
}
