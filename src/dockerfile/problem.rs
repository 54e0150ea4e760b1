//! Every complaint of the language, in words close to BuildKit's (people search for them).

use crate::dockerfile::suggest::did_you_mean;

/// Why something of the language is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing in the file.
    #[error("file with no instructions")]
    Empty,
    /// A line is too long.
    #[error("dockerfile line greater than max allowed size of 65535")]
    LineTooLong,
    /// Bytes that are not UTF-8 outside comments.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// A parser directive twice.
    #[error("only one {0} parser directive can be used")]
    DirectiveTwice(String),
    /// `# escape=` with something else.
    #[error("invalid escape token '{0}' does not match ` or \\")]
    EscapeToken(String),
    /// `# check=` cannot be read.
    #[error("failed to parse check option {0:?}")]
    CheckOption(String),
    /// A heredoc without its end.
    #[error("unterminated heredoc")]
    UnterminatedHeredoc,
    /// An unknown keyword.
    #[error("unknown instruction: {word}{}", did_you_mean(.near.as_deref()))]
    UnknownInstruction {
        /// The keyword as written.
        word: String,
        /// The nearest known one.
        near: Option<String>,
    },
    /// An unknown flag.
    #[error("unknown flag: {flag}{}", did_you_mean(.near.as_deref()))]
    UnknownFlag {
        /// The flag as written, with dashes, without value.
        flag: String,
        /// The nearest known one, without dashes.
        near: Option<String>,
    },
    /// A flag twice that may stand once.
    #[error("duplicate flag specified: {0}")]
    DuplicateFlag(String),
    /// A flag that needs a value.
    #[error("missing a value on flag: {0}")]
    FlagWithoutValue(String),
    /// A flag that is true or false.
    #[error("expecting boolean value for flag {flag}, not: {value}")]
    FlagNotBoolean {
        /// The flag with dashes.
        flag: String,
        /// The value.
        value: String,
    },
    /// A JSON array with something else than strings.
    #[error("when using JSON array syntax, arrays must be comprised of strings only")]
    JsonNotStrings,
    /// An instruction without arguments.
    #[error("{0} requires at least one argument")]
    AtLeastOneArgument(&'static str),
    /// An instruction without its argument.
    #[error("{0} requires exactly one argument")]
    ExactlyOneArgument(&'static str),
    /// COPY or ADD with too little.
    #[error(
        "{0} requires at least two arguments, but only one was provided. Destination could not be determined"
    )]
    NoDestination(&'static str),
    /// A heredoc as destination.
    #[error("{0} cannot accept a heredoc as a destination")]
    HeredocDestination(&'static str),
    /// Old `ENV name value` without value.
    #[error("{0} must have two arguments")]
    TwoArguments(&'static str),
    /// A word without `=` among pairs.
    #[error("Syntax error - can't find = in {0:?}. Must be of the form: name=value")]
    NoEqualsSign(String),
    /// An empty name.
    #[error("{0} names can not be blank")]
    BlankName(&'static str),
    /// FROM with two or more than three words.
    #[error("FROM requires either one or three arguments")]
    FromArguments,
    /// A stage name of the wrong shape.
    #[error("invalid name for build stage: {0:?}, name can't start with a number or contain symbols")]
    StageName(String),
    /// An instruction before the first FROM.
    #[error("no build stage in current context")]
    NoStage,
    /// `ONBUILD ONBUILD`.
    #[error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")]
    OnbuildChain,
    /// ONBUILD of what cannot be a trigger.
    #[error("{0} isn't allowed as an ONBUILD trigger")]
    OnbuildTrigger(String),
    /// A trigger that is not one instruction.
    #[error("ONBUILD trigger should be a single expression")]
    TriggerNotSingle,
    /// HEALTHCHECK of another type.
    #[error("Unknown type {0:?} in HEALTHCHECK (try CMD)")]
    HealthcheckType(String),
    /// HEALTHCHECK NONE with words behind it.
    #[error("HEALTHCHECK NONE takes no arguments")]
    HealthcheckNone,
    /// HEALTHCHECK CMD without command.
    #[error("Missing command after HEALTHCHECK CMD")]
    HealthcheckCommand,
    /// A duration that is too short.
    #[error("Interval {0:?} cannot be less than 1ms")]
    ShortInterval(&'static str),
    /// A duration that cannot be read.
    #[error("time: {0}")]
    Duration(String),
    /// `--retries` that is not a number.
    #[error("strconv.ParseInt: parsing {value:?}: {problem}")]
    Retries {
        /// The text.
        value: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// `--retries` below zero.
    #[error("--retries cannot be negative ({0})")]
    NegativeRetries(i64),
    /// SHELL without JSON.
    #[error("SHELL requires the arguments to be in JSON form")]
    ShellNotJson,
    /// An empty volume.
    #[error("VOLUME specified can not be an empty string")]
    EmptyVolume,
    /// `RUN --network` of another mode.
    #[error("invalid network mode {0:?}")]
    NetworkMode(String),
    /// `RUN --security` of another mode.
    #[error("security {0:?} is not valid")]
    SecurityMode(String),
    /// A `--mount` or `--device` value that is wrong.
    #[error("{message}{}", did_you_mean(.near.as_deref()))]
    Mount {
        /// What is wrong.
        message: String,
        /// The nearest known word.
        near: Option<String>,
    },
    /// A variable in `from`.
    #[error("'from' doesn't support variable expansion, define alias stage instead")]
    MountFromVariable,
    /// A variable in `COPY --from`.
    #[error(
        "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a \
         workaround"
    )]
    FromVariable,
    /// A text that cannot be expanded.
    #[error("{0}")]
    Substitution(String),
    /// `${v:?word}` whose variable is missing.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// What was written after `?`.
        message: String,
    },
    /// Brackets inside brackets without end.
    #[error("${{…}} is nested too deeply")]
    TooDeep,
    /// A text that grows without end while it is expanded.
    #[error("it becomes longer than {} MB when it is expanded", crate::dockerfile::LONGEST_TEXT >> 20)]
    TooLong,
    /// A port of EXPOSE.
    #[error("{0}")]
    Port(String),
    /// A pattern that cannot be read.
    #[error("syntax error in pattern")]
    BadPattern,
    /// A lone `!`.
    #[error("illegal exclusion pattern: \"!\"")]
    LoneNegation,
}

impl Problem {
    /// One thing the user can do, where it is not obvious from the words.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownInstruction { near: Some(near), .. } => return Some(format!("write {near}")),
            Self::UnknownFlag { near: Some(near), .. } => return Some(format!("write --{near}")),
            Self::UnterminatedHeredoc => {
                "the line that ends a heredoc holds its delimiter and nothing else; only <<- allows tabs before it"
            }
            Self::NoStage => "only ARG may stand before the first FROM",
            Self::ShellNotJson => r#"write SHELL ["/bin/sh", "-c"]"#,
            Self::NotUtf8 => "save the file as UTF-8",
            Self::MountFromVariable => "add a stage `FROM $VARIABLE AS name` at the top and write from=name",
            Self::FromVariable => "add a stage `FROM $VARIABLE AS name` at the top and write --from=name",
            Self::HeredocDestination(_) => "the last word is the destination: put the heredoc before it",
            Self::LineTooLong => "break the line with continuations or use a heredoc",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
