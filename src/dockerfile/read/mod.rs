//! From bytes to statements: lines, directives, words, JSON arrays, heredocs.

pub(super) mod csv;
pub(super) mod directives;
mod heredocs;
mod json;
mod lex;
mod lines;
mod statement;

pub(super) use heredocs::heredoc_word;
pub(super) use lines::find_keyword_end;
pub use statement::{Statement, statements};
pub(super) use statement::{Read, read};
