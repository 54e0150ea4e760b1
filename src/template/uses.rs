//! Which fields templates name, without executing them.

use super::ast::{Branch, Node, Operand, OperandKind, Pipe, Tree};
use super::error::Frame;
use super::exec::Templates;

/// A chain of fields that begins at the data of a template: `.Values.a.b`, `$.Values.a.b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldUse {
    /// Where it stands.
    pub frame: Frame,
    /// The names, outermost first.
    pub path: Vec<String>,
}

impl Templates {
    /// The chains of fields that begin with `first`, in the order of the templates' names and of their text. What the dot
    /// stands for is not known, so that a chain may be about something else that has such a field.
    pub fn field_uses(&self, first: &str) -> Vec<FieldUse> {
        let mut finder = Finder { first, found: Vec::new() };
        for tree in self.trees() {
            finder.nodes(&tree, &tree.root);
        }
        finder.found
    }
}

struct Finder<'f> {
    first: &'f str,
    found: Vec<FieldUse>,
}

impl Finder<'_> {
    fn nodes(&mut self, tree: &Tree, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(..) | Node::Break | Node::Continue => {}
                Node::Action(pipe) => self.pipe(tree, pipe),
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => self.branch(tree, branch),
                Node::Template(call) => call.pipe.iter().for_each(|pipe| self.pipe(tree, pipe)),
            }
        }
    }

    fn branch(&mut self, tree: &Tree, branch: &Branch) {
        self.pipe(tree, &branch.pipe);
        stacker::maybe_grow(128 << 10, 2 << 20, || {
            self.nodes(tree, &branch.list);
            self.nodes(tree, branch.otherwise.as_deref().unwrap_or_default());
        });
    }

    fn pipe(&mut self, tree: &Tree, pipe: &Pipe) {
        for operand in pipe.commands.iter().flat_map(|command| &command.args) {
            self.operand(tree, operand);
        }
    }

    fn operand(&mut self, tree: &Tree, operand: &Operand) {
        let names = match &operand.kind {
            OperandKind::Field(names) => names.as_slice(),
            OperandKind::Variable(names) if &*names[0] == "$" => &names[1..],
            OperandKind::Chain { node, .. } => return self.operand(tree, node),
            OperandKind::Pipe(pipe) => {
                return stacker::maybe_grow(128 << 10, 2 << 20, || self.pipe(tree, pipe));
            }
            _ => return,
        };
        if names.first().is_some_and(|name| **name == *self.first) {
            let (line, column) = tree.source.place(operand.pos);
            let frame = Frame { file: tree.source.name.to_string(), line, column, node: operand.to_string() };
            self.found.push(FieldUse { frame, path: names.iter().map(ToString::to_string).collect() });
        }
    }
}
