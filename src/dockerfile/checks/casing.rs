//! ConsistentInstructionCasing: which keywords stand out.

use crate::dockerfile::{Dockerfile, Instruction, Rule, Warning};

/// Keywords of mixed case, and those of the rarer case; upper case wins a draw. Global `ARG`s do not count, as in BuildKit.
pub(super) fn keywords(file: &Dockerfile) -> Vec<Warning> {
    let lower = |word: &str| word == word.to_lowercase();
    let upper = |word: &str| word == word.to_uppercase();
    let (mut lowers, mut uppers) = (0, 0);
    for instruction in in_stages(file) {
        lowers += usize::from(lower(&instruction.keyword.text));
        uppers += usize::from(upper(&instruction.keyword.text));
    }
    let (wanted, fits): (_, &dyn Fn(&str) -> bool) =
        if lowers > uppers { ("lowercase", &lower) } else { ("uppercase", &upper) };
    let odd = in_stages(file).filter(|instruction| !fits(&instruction.keyword.text));
    odd.map(|instruction| {
        let keyword = &instruction.keyword;
        let message =
            format!("Command '{}' should match the case of the command majority ({wanted})", keyword.text);
        Warning::new(Rule::ConsistentInstructionCasing, instruction, keyword.span.clone(), message)
    })
    .collect()
}

fn in_stages(file: &Dockerfile) -> impl Iterator<Item = &Instruction> {
    file.stages.iter().flat_map(|stage| std::iter::once(&stage.instruction).chain(&stage.instructions))
}
