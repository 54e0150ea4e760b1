//! From bytes to statements: lines, directives, words, JSON arrays, heredocs.

pub(super) mod csv;
pub(super) mod directives;
mod heredocs;
mod json;
mod lex;
mod lines;
mod statement;

pub(super) use heredocs::heredoc_word;
pub(super) use statement::read;
pub use statement::{Statement, statements};
