//! `ONBUILD`, and the triggers it leaves in an image.

use crate::base::SourceFile;
use crate::dockerfile::command::Onbuild;
use crate::dockerfile::parse::flags::Flags;
use crate::dockerfile::parse::instruction::{self, wrong};
use crate::dockerfile::read;
use crate::dockerfile::{Error, Instruction, Problem, Statement};

pub(super) fn parse(statement: &Statement) -> Result<Onbuild, Error> {
    let Some(keyword) = statement.words.first() else {
        return Err(wrong(statement, Problem::AtLeastOneArgument("ONBUILD")));
    };
    Flags::parse(statement, &[])?;
    let name = keyword.text.to_uppercase();
    let refused = match name.as_str() {
        "ONBUILD" => Some(Problem::OnbuildChain),
        "MAINTAINER" | "FROM" => Some(Problem::OnbuildTrigger(name)),
        _ => None,
    };
    if let Some(problem) = refused {
        return Err(Error::within(statement, keyword.span.clone(), problem));
    }
    let blank = ['\t', '\n', '\u{c}', '\r', ' '];
    let line = statement.line.trim_start_matches(blank);
    // A line that begins with another blank keeps its keyword, as in BuildKit.
    let mut text = match line.get(.."ONBUILD".len()) {
        Some(word) if word.eq_ignore_ascii_case("ONBUILD") => {
            line[word.len()..].trim_start_matches(blank).to_owned()
        }
        _ => statement.line.clone(),
    };
    for heredoc in &statement.heredocs {
        text.push('\n');
        text.push_str(&heredoc.body);
        text.push_str(&heredoc.name);
    }
    Ok(Onbuild { keyword: keyword.clone(), text })
}

/// Parses a trigger of an image's configuration, with the default escape character.
///
/// # Errors
/// [`Error::Parse`] in a file called `ONBUILD` that holds the trigger.
pub(in crate::dockerfile) fn parse_trigger(text: &str) -> Result<Instruction, Error> {
    let file = SourceFile::new("ONBUILD", text);
    let mut statements = read::read(&file)?.statements;
    let first = statements.remove(0);
    if let Some(second) = statements.first() {
        return Err(Error::parse(second.span.clone(), Problem::TriggerNotSingle));
    }
    instruction::parse(first, &mut Vec::new())
}
