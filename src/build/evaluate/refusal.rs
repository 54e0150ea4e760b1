//! What is understood but not executed: refused with its place and a clear sentence, never ignored.

use crate::build::Error;
use crate::dockerfile::{Instruction, Word};

/// A step sees no devices of this machine.
pub fn device(word: &Word) -> Error {
    Error::definition(&word.span, "RUN --device is refused: steps see no devices of this machine but null, zero, full, random and tty")
        .hint("a device in a build makes its result depend on the machine; use it in the container that runs the image")
}

/// A step has the default capabilities, whatever it asks for.
pub fn insecure(instruction: &Instruction) -> Error {
    let flag = instruction.flags.iter().find(|f| f.name() == "security");
    let span = flag.map_or(&instruction.span, |f| &f.word.span);
    Error::definition(span, "RUN --security=insecure is refused: security.insecure is not allowed")
        .hint("steps run with the default capabilities in a namespace that has no more to give")
}
