//! What is understood but not executed yet: refused with its place and a clear sentence, never ignored.

use crate::build::Error;
use crate::dockerfile::{Instruction, Word};
use crate::oci::ImageConfig;

/// `what` at `word` is not executed yet.
pub fn feature(word: &Word, what: &str) -> Error {
    Error::definition(&word.span, format!("{what} is not supported yet"))
}

/// The instruction's flag `name` is not executed yet.
pub fn flag(instruction: &Instruction, name: &str) -> Error {
    let keyword = instruction.command.name();
    let span =
        instruction.flags.iter().find(|f| f.name() == name).map_or(&instruction.span, |f| &f.word.span);
    Error::definition(span, format!("{keyword} --{name} is not supported yet"))
}

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

/// ONBUILD is not executed yet.
pub fn onbuild(instruction: &Instruction) -> Error {
    Error::definition(&instruction.span, "ONBUILD is not supported yet")
        .hint("move the triggered instruction into the Dockerfiles that build on this image")
}

/// Triggers of a base image are not executed yet; an image built without them would not be what its author meant.
pub fn base_triggers(image: &ImageConfig, from: &Word) -> Result<(), Error> {
    let Some(first) = image.config.on_build.first() else { return Ok(()) };
    let message = format!("the base image has ONBUILD triggers ({first:?}), which are not supported yet");
    Err(Error::definition(&from.span, message))
}
