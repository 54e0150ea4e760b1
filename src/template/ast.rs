//! The parsed form of a template, and how it prints itself in error messages (`text/template/parse: node.go`).

use std::fmt;
use std::sync::Arc;

use super::function::Function;
use super::number::Number;
use super::quote::quote;
use crate::yaml::Text;

/// A named template.
#[derive(Debug)]
pub struct Tree {
    /// The name it is called by.
    pub(super) name: Arc<str>,
    /// The file it stands in.
    pub(super) source: Arc<Source>,
    pub(super) root: Vec<Node>,
}

/// A parsed text: errors point into it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: Arc<str>,
    pub(super) text: Text,
}

impl Source {
    /// 1-based line and 0-based byte column of a place.
    pub(super) fn place(&self, pos: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..pos.min(self.text.len())];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        (line, before.len() - start)
    }
}

/// A piece of a template or of a pipeline.
#[derive(Debug)]
pub(super) enum Node {
    /// A range of the source.
    Text(usize, usize),
    Action(Pipe),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template(Box<Call>),
    Break,
    Continue,
}

/// The two lists of `if`, `with` and `range`.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) list: Vec<Node>,
    pub(super) otherwise: Option<Vec<Node>>,
}

/// `{{template "name" pipeline}}`.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) pos: usize,
    pub(super) name: Text,
    pub(super) pipe: Option<Pipe>,
}

/// Commands connected by `|`, with the variables that take the result.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) pos: usize,
    pub(super) assign: bool,
    pub(super) variables: Vec<Box<str>>,
    pub(super) commands: Vec<Command>,
}

/// A function or a value with its arguments; the first operand is the function.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) pos: usize,
    pub(super) args: Vec<Operand>,
}

/// A word of a command.
#[derive(Debug)]
pub(super) struct Operand {
    pub(super) pos: usize,
    pub(super) kind: OperandKind,
}

#[derive(Debug)]
pub(super) enum OperandKind {
    Bool(bool),
    Dot,
    Nil,
    Number(Box<Number>),
    String {
        quoted: Box<str>,
        text: Text,
    },
    Field(Vec<Box<str>>),
    /// `$x.a.b`: the first is the variable with its sign.
    Variable(Vec<Box<str>>),
    Identifier(&'static Function),
    Chain {
        node: Box<Operand>,
        fields: Vec<Box<str>>,
    },
    Pipe(Box<Pipe>),
}

impl Tree {
    /// Whether it holds nothing but white space.
    pub(super) fn is_empty(&self) -> bool {
        self.root.iter().all(|node| match node {
            Node::Text(from, to) => {
                String::from_utf8_lossy(&self.source.text.as_bytes()[*from..*to]).trim().is_empty()
            }
            _ => false,
        })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote(self.name.as_bytes()))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.variables.iter().enumerate() {
            write!(f, "{}{name}", if i > 0 { ", " } else { "" })?;
        }
        if !self.variables.is_empty() {
            f.write_str(if self.assign { " = " } else { " := " })?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if i > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            f.write_str(if i > 0 { " " } else { "" })?;
            arg.wrapped(f)?;
        }
        Ok(())
    }
}

impl Operand {
    /// Prints the operand with the parentheses that a pipeline needs inside another node.
    fn wrapped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            OperandKind::Pipe(pipe) => write!(f, "({pipe})"),
            _ => write!(f, "{self}"),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            OperandKind::Bool(b) => write!(f, "{b}"),
            OperandKind::Dot => f.write_str("."),
            OperandKind::Nil => f.write_str("nil"),
            OperandKind::Number(number) => f.write_str(&number.text),
            OperandKind::String { quoted, .. } => f.write_str(quoted),
            OperandKind::Field(names) => names.iter().try_for_each(|name| write!(f, ".{name}")),
            OperandKind::Variable(names) => f.write_str(&names.join(".")),
            OperandKind::Identifier(function) => f.write_str(function.name),
            OperandKind::Chain { node, fields } => {
                node.wrapped(f)?;
                fields.iter().try_for_each(|name| write!(f, ".{name}"))
            }
            OperandKind::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}
