//! Heredocs: bodies of text below `RUN`, `COPY` and `ADD`.

use crate::base::Span;

/// A heredoc with its body. Source of the rules: BuildKit `frontend/dockerfile/parser`, measured.
#[derive(Clone, Debug)]
pub struct Heredoc {
    /// The delimiter, quotes removed; in `COPY` the name of the file.
    pub name: String,
    /// The file descriptor written before `<<`; 0 if there is none.
    pub descriptor: u64,
    /// Whether the builder may expand variables in the body: no part of the delimiter was quoted.
    pub expand: bool,
    /// `<<-`: leading tabs of the lines do not count.
    pub strip_tabs: bool,
    /// The lines between, as they stand in the file, line endings and leading tabs included, terminator not.
    pub body: String,
    /// Where the body stands, terminator line not included.
    pub span: Span,
}

impl PartialEq for Heredoc {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.descriptor, self.expand, self.strip_tabs, &self.body)
            == (&other.name, other.descriptor, other.expand, other.strip_tabs, &other.body)
    }
}

impl Eq for Heredoc {}

impl Heredoc {
    /// The body as a reader sees it: with `<<-` without leading tabs.
    pub fn content(&self) -> String {
        if self.strip_tabs { strip_leading_tabs(&self.body) } else { self.body.clone() }
    }
}

/// Removes the tabs at the start of every line.
pub(super) fn strip_leading_tabs(text: &str) -> String {
    text.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
}
