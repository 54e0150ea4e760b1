//! Expansion of the words of a Dockerfile with the variables of a stage.

use crate::base::Span;
use crate::build::Error;
use crate::build::evaluate::Vars;
use crate::dockerfile::{self, Dockerfile, Expander, Word};

/// Expands words as the file's escape character asks.
#[derive(Clone, Copy, Debug)]
pub struct Expansion {
    expander: Expander,
}

impl Expansion {
    /// For the words of `file`.
    pub fn new(file: &Dockerfile) -> Self {
        Self { expander: Expander::new(file.directives.escape) }
    }

    /// The value of `word`.
    ///
    /// # Errors
    /// With the word's place.
    pub fn word(&self, word: &Word, vars: &Vars) -> Result<String, Error> {
        Ok(self.expander.word(word, &|name| lookup(vars, name))?.text)
    }

    /// The value of a text that stands at `span`.
    ///
    /// # Errors
    /// With that place.
    pub fn text(&self, text: &str, span: &Span, vars: &Vars) -> Result<String, Error> {
        Ok(self.expander.text(text, &|name| lookup(vars, name)).map_err(|e| e.at(span))?.text)
    }

    /// The value of a text that has no place of its own.
    ///
    /// # Errors
    /// Without a place, for whoever knows it.
    pub fn field(&self, text: &str, vars: &Vars) -> Result<String, dockerfile::Error> {
        Ok(self.expander.text(text, &|name| lookup(vars, name))?.text)
    }

    /// The words that `word` becomes.
    ///
    /// # Errors
    /// With the word's place.
    pub fn words(&self, word: &Word, vars: &Vars) -> Result<Vec<String>, Error> {
        Ok(self.expander.word(word, &|name| lookup(vars, name))?.words)
    }

    /// The body of the heredoc at `place`: variables are expanded, quotes are not looked at.
    ///
    /// # Errors
    /// With the heredoc's place.
    pub fn body(&self, body: &str, place: &Word, vars: &Vars) -> Result<String, Error> {
        let expanded = Expander::body().text(body, &|name| lookup(vars, name));
        Ok(expanded.map_err(|e| e.at(&place.span))?.text)
    }

    /// What `text` becomes, with the names that were looked up.
    ///
    /// # Errors
    /// Without a place.
    pub fn whole(&self, text: &str, vars: &Vars) -> Result<dockerfile::Expansion, dockerfile::Error> {
        self.expander.text(text, &|name| lookup(vars, name))
    }

    /// The same of the body of a heredoc.
    ///
    /// # Errors
    /// Without a place.
    pub fn whole_body(&self, body: &str, vars: &Vars) -> Result<dockerfile::Expansion, dockerfile::Error> {
        Expander::body().text(body, &|name| lookup(vars, name))
    }

    /// A text that is only shown: what cannot be expanded stays as it is written.
    pub fn shown(&self, text: &str, vars: &Vars) -> String {
        let expander = self.expander.keep_quotes().keep_escapes().keep_unset();
        match expander.text(text, &|name| lookup(vars, name)) {
            Ok(expanded) => expanded.text,
            Err(_) => text.to_owned(),
        }
    }
}

fn lookup(vars: &Vars, name: &str) -> Option<String> {
    vars.get(name).map(str::to_owned)
}
