//! The build checks: names, words and pages as in BuildKit (`frontend/dockerfile/linter`), which people search for.

use std::fmt;

/// A build check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// A stage name with capitals.
    StageNameCasing,
    /// `FROM` and `as` in different case.
    FromAsCasing,
    /// A blank line inside a continuation.
    NoEmptyContinuation,
    /// Keywords in upper and in lower case in one file.
    ConsistentInstructionCasing,
    /// Two stages of one name.
    DuplicateStageName,
    /// A stage called `scratch` or `context`.
    ReservedStageName,
    /// CMD or ENTRYPOINT in shell form without a SHELL.
    JSONArgsRecommended,
    /// MAINTAINER.
    MaintainerDeprecated,
    /// FROM with an argument that is not declared.
    UndefinedArgInFrom,
    /// The first WORKDIR is relative.
    WorkdirRelativePath,
    /// A variable that nothing sets.
    UndefinedVar,
    /// Of several CMD, ENTRYPOINT or HEALTHCHECK only the last counts.
    MultipleInstructionsDisallowed,
    /// `ENV name value`.
    LegacyKeyValueFormat,
    /// The base image is for another platform.
    InvalidBaseImagePlatform,
    /// `FROM --platform=$TARGETPLATFORM`.
    RedundantTargetPlatform,
    /// A name that sounds like a secret.
    SecretsUsedInArgOrEnv,
    /// FROM means nothing when no arguments are given.
    InvalidDefaultArgInFrom,
    /// `FROM --platform=linux/amd64`.
    FromPlatformFlagConstDisallowed,
    /// A source that the ignore file hides.
    CopyIgnoredFile,
    /// A comment that looks like a description but is none. Experimental.
    InvalidDefinitionDescription,
    /// `EXPOSE 80/TCP`.
    ExposeProtoCasing,
    /// `EXPOSE 8080:80`.
    ExposeInvalidFormat,
    /// Flags of an instruction that takes none and (in BuildKit too) does not look at them. A rule of our own.
    IgnoredFlag,
}

/// What is known of a rule: its name, the last part of its page's address (empty if it has no page), what it is about.
struct Facts(&'static str, &'static str, &'static str);

impl Rule {
    /// The name in `# check=skip=…`.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// What the rule is about, in one sentence.
    pub fn description(self) -> &'static str {
        self.facts().2
    }

    /// The page that explains it.
    pub fn url(self) -> Option<String> {
        let page = self.facts().1;
        (!page.is_empty()).then(|| format!("https://docs.docker.com/go/dockerfile/rule/{page}/"))
    }

    /// Whether it has to be asked for.
    pub fn is_experimental(self) -> bool {
        self == Self::InvalidDefinitionDescription
    }

    fn facts(self) -> Facts {
        match self {
            Self::StageNameCasing => {
                Facts("StageNameCasing", "stage-name-casing", "Stage names should be lowercase")
            }
            Self::FromAsCasing => Facts(
                "FromAsCasing",
                "from-as-casing",
                "The 'as' keyword should match the case of the 'from' keyword",
            ),
            Self::NoEmptyContinuation => Facts(
                "NoEmptyContinuation",
                "no-empty-continuation",
                "Empty continuation lines will become errors in a future release",
            ),
            Self::ConsistentInstructionCasing => Facts(
                "ConsistentInstructionCasing",
                "consistent-instruction-casing",
                "All commands within the Dockerfile should use the same casing (either upper or lower)",
            ),
            Self::DuplicateStageName => {
                Facts("DuplicateStageName", "duplicate-stage-name", "Stage names should be unique")
            }
            Self::ReservedStageName => Facts(
                "ReservedStageName",
                "reserved-stage-name",
                "Reserved words should not be used as stage names",
            ),
            Self::JSONArgsRecommended => Facts(
                "JSONArgsRecommended",
                "json-args-recommended",
                "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
            ),
            Self::MaintainerDeprecated => Facts(
                "MaintainerDeprecated",
                "maintainer-deprecated",
                "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
            ),
            Self::UndefinedArgInFrom => {
                Facts("UndefinedArgInFrom", "undefined-arg-in-from", "FROM command must use declared ARGs")
            }
            Self::WorkdirRelativePath => Facts(
                "WorkdirRelativePath",
                "workdir-relative-path",
                "Relative workdir without an absolute workdir declared within the build can have unexpected results if \
                 the base image changes",
            ),
            Self::UndefinedVar => {
                Facts("UndefinedVar", "undefined-var", "Variables should be defined before their use")
            }
            _ => self.more_facts(),
        }
    }

    fn more_facts(self) -> Facts {
        match self {
            Self::MultipleInstructionsDisallowed => Facts(
                "MultipleInstructionsDisallowed",
                "multiple-instructions-disallowed",
                "Multiple instructions of the same type should not be used in the same stage",
            ),
            Self::LegacyKeyValueFormat => Facts(
                "LegacyKeyValueFormat",
                "legacy-key-value-format",
                "Legacy key/value format with whitespace separator should not be used",
            ),
            Self::InvalidBaseImagePlatform => Facts(
                "InvalidBaseImagePlatform",
                "",
                "Base image platform does not match expected target platform",
            ),
            Self::RedundantTargetPlatform => Facts(
                "RedundantTargetPlatform",
                "redundant-target-platform",
                "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
            ),
            Self::SecretsUsedInArgOrEnv => Facts(
                "SecretsUsedInArgOrEnv",
                "secrets-used-in-arg-or-env",
                "Sensitive data should not be used in the ARG or ENV commands",
            ),
            Self::InvalidDefaultArgInFrom => Facts(
                "InvalidDefaultArgInFrom",
                "invalid-default-arg-in-from",
                "Default value for global ARG results in an empty or invalid base image name",
            ),
            Self::FromPlatformFlagConstDisallowed => Facts(
                "FromPlatformFlagConstDisallowed",
                "from-platform-flag-const-disallowed",
                "FROM --platform flag should not use a constant value",
            ),
            Self::CopyIgnoredFile => Facts(
                "CopyIgnoredFile",
                "copy-ignored-file",
                "Attempting to Copy file that is excluded by .dockerignore",
            ),
            Self::InvalidDefinitionDescription => Facts(
                "InvalidDefinitionDescription",
                "invalid-definition-description",
                "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If \
                 this is not intended to be a description comment, add an empty line or comment between the \
                 instruction and the comment.",
            ),
            Self::ExposeProtoCasing => Facts(
                "ExposeProtoCasing",
                "expose-proto-casing",
                "Protocol in EXPOSE instruction should be lowercase",
            ),
            Self::ExposeInvalidFormat => Facts(
                "ExposeInvalidFormat",
                "expose-invalid-format",
                "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error \
                 in a future release",
            ),
            // The rules above are those of `facts`.
            _ => Facts("IgnoredFlag", "", "Flags that an instruction does not look at have no effect"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
