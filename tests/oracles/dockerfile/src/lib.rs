//! What three parsers make of one Dockerfile, in a form that can be compared: instructions in order, stages with their
//! bases and names.

// Our reading, by its sources: as a dependency, `lap` would be compiled a second time with everything it needs.
#[path = "../../../../src/base/mod.rs"]
pub mod base;
#[path = "../../../../src/dockerfile/mod.rs"]
pub mod dockerfile;

use base::SourceFile;

/// What a parser saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Keywords in order, upper case, with the 1-based line each begins on.
    pub instructions: Vec<(usize, String)>,
    /// Base and name (lower case) of every stage.
    pub stages: Vec<(String, Option<String>)>,
}

/// Our reading, or the first line of our error.
pub fn ours(text: &str) -> Result<Reading, String> {
    let file = dockerfile::parse(&SourceFile::new("Dockerfile", text)).map_err(|error| error.to_string())?;
    let all = file.global_args.iter().chain(
        file.stages.iter().flat_map(|stage| std::iter::once(&stage.instruction).chain(&stage.instructions)),
    );
    let instructions = all.map(|one| (one.first_line, one.keyword.text.to_uppercase())).collect();
    let stages =
        file.stages.iter().map(|stage| (stage.from.image.text.clone(), stage.name().map(str::to_owned)));
    Ok(Reading { instructions, stages: stages.collect() })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// What parse-dockerfile reads.
pub fn parse_dockerfile(text: &str) -> Result<Reading, String> {
    use ::parse_dockerfile::Instruction;
    let file = ::parse_dockerfile::parse(text).map_err(|error| error.to_string())?;
    let mut reading = Reading { instructions: Vec::new(), stages: Vec::new() };
    for one in &file.instructions {
        let Some(span) = keyword(one) else { return Err("an instruction of a newer parser".to_owned()) };
        reading.instructions.push((line_of(text, span.start), text[span].to_uppercase()));
        if let Instruction::From(from) = one {
            let name = from.as_.as_ref().map(|(_, name)| name.value.to_lowercase());
            reading.stages.push((from.image.value.to_string(), name));
        }
    }
    Ok(reading)
}

/// Where an instruction's keyword is.
fn keyword(one: &::parse_dockerfile::Instruction<'_>) -> Option<std::ops::Range<usize>> {
    use ::parse_dockerfile::Instruction;
    Some(match one {
        Instruction::Add(one) => one.add.span.clone(),
        Instruction::Arg(one) => one.arg.span.clone(),
        Instruction::Cmd(one) => one.cmd.span.clone(),
        Instruction::Copy(one) => one.copy.span.clone(),
        Instruction::Entrypoint(one) => one.entrypoint.span.clone(),
        Instruction::Env(one) => one.env.span.clone(),
        Instruction::Expose(one) => one.expose.span.clone(),
        Instruction::From(one) => one.from.span.clone(),
        Instruction::Healthcheck(one) => one.healthcheck.span.clone(),
        Instruction::Label(one) => one.label.span.clone(),
        Instruction::Maintainer(one) => one.maintainer.span.clone(),
        Instruction::Onbuild(one) => one.onbuild.span.clone(),
        Instruction::Run(one) => one.run.span.clone(),
        Instruction::Shell(one) => one.shell.span.clone(),
        Instruction::Stopsignal(one) => one.stopsignal.span.clone(),
        Instruction::User(one) => one.user.span.clone(),
        Instruction::Volume(one) => one.volume.span.clone(),
        Instruction::Workdir(one) => one.workdir.span.clone(),
        _ => return None,
    })
}

/// What dockerfile-parser reads.
pub fn dockerfile_parser(text: &str) -> Result<Reading, String> {
    use ::dockerfile_parser::Instruction;
    let file = ::dockerfile_parser::Dockerfile::parse(text).map_err(|error| error.to_string())?;
    let mut reading = Reading { instructions: Vec::new(), stages: Vec::new() };
    for one in &file.instructions {
        let start = one.span().start;
        let keyword: String = text[start..].chars().take_while(char::is_ascii_alphabetic).collect();
        reading.instructions.push((line_of(text, start), keyword.to_uppercase()));
        if let Instruction::From(from) = one {
            let name = from.alias.as_ref().map(|alias| alias.content.to_lowercase());
            reading.stages.push((from.image.content.clone(), name));
        }
    }
    Ok(reading)
}
