//! The parser: tokens to trees (`text/template/parse: parse.go`).

use std::sync::Arc;

use super::ast::{Branch, Call, Command, Node, Operand, OperandKind, Pipe, Source, Tree};
use super::error::Error;
use super::function::Functions;
use super::lex::{Item, Items, Token, lex};
use super::number::Number;
use super::quote::{quote, unquote};
use crate::yaml::Text;

/// How deep blocks and parentheses may nest; more is an attack on the stack.
const MAX_NESTING: usize = 1000;

/// Parses a text: the template of that name and all that it defines, in the order they are finished.
///
/// # Errors
/// [`Error::Parse`] with Go's words.
pub(super) fn parse(
    name: &str,
    text: &Text,
    delims: (&str, &str),
    functions: &Functions,
) -> Result<Vec<Tree>> {
    let source = Arc::new(Source { name: name.into(), text: text.clone() });
    let items = lex(text.as_bytes(), delims);
    let mut parser = Parser {
        items,
        next: 0,
        seen: 0,
        functions,
        source,
        trees: Vec::new(),
        depth: 0,
        nodes: Vec::new(),
        commands: Vec::new(),
        operands: Vec::new(),
        variables: vec!["$".into()],
        ranges: 0,
        action_line: 0,
        latest: 0,
    };
    let root = parser.top()?;
    parser.add(name.into(), root)?;
    Ok(parser.trees)
}

struct Parser<'t, 'f> {
    items: Items<'t>,
    next: usize,
    /// How many tokens have been looked at by anybody.
    seen: usize,
    functions: &'f Functions,
    source: Arc<Source>,
    trees: Vec<Tree>,
    depth: usize,
    /// What the lists, pipelines and commands that are open have so far: finished ones get vectors of their very size.
    nodes: Vec<Node>,
    commands: Vec<Command>,
    operands: Vec<Operand>,
    /// Of the tree that is being parsed: its variables, open ranges, the line of the open action and the line of
    /// the newest token it has seen.
    variables: Vec<Box<str>>,
    ranges: usize,
    action_line: usize,
    latest: usize,
}

/// What ends a list.
enum End {
    End,
    Else,
}

enum Step {
    Node(Node),
    End(End),
}

type Result<T> = std::result::Result<T, Error>;

impl<'t> Parser<'t, '_> {
    fn peek(&mut self) -> Token {
        let at = self.next.min(self.items.len() - 1);
        let (token, line) = self.items.kind(at);
        if at >= self.seen {
            self.seen = at + 1;
            self.latest = line;
        }
        token
    }

    /// The next token, which stays the next one.
    fn item(&mut self) -> Item<'t> {
        self.peek();
        self.items.get(self.next)
    }

    fn take(&mut self) -> Item<'t> {
        let item = self.item();
        self.next = (self.next + 1).min(self.items.len());
        item
    }

    fn skip_space(&mut self) {
        while self.peek() == Token::Space {
            self.next += 1;
        }
    }

    fn peek_word(&mut self) -> Token {
        self.skip_space();
        self.peek()
    }

    fn take_word(&mut self) -> Item<'t> {
        self.skip_space();
        self.take()
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(Error::Parse { name: self.source.name.to_string(), line: self.latest, message: message.into() })
    }

    fn unexpected<T>(&self, item: &Item<'_>, context: &str) -> Result<T> {
        if item.token == Token::Error {
            let text = item.describe();
            let mut extra = String::new();
            if self.action_line != 0 && self.action_line != item.line {
                extra = format!(" in action started at {}:{}", self.source.name, self.action_line);
                if text.ends_with(" action") {
                    extra = extra[" in action".len()..].to_owned();
                }
            }
            return self.fail(format!("{text}{extra}"));
        }
        self.fail(format!("unexpected {} in {context}", item.describe()))
    }

    fn expect(&mut self, token: Token, context: &str) -> Result<Item<'t>> {
        let item = self.take_word();
        if item.token == token { Ok(item) } else { self.unexpected(&item, context) }
    }

    fn add(&mut self, name: Arc<str>, root: Vec<Node>) -> Result<()> {
        let tree = Tree { name, source: Arc::clone(&self.source), root };
        match self.trees.iter().position(|t| t.name == tree.name) {
            None => self.trees.push(tree),
            Some(old) if self.trees[old].is_empty() => {
                self.trees.remove(old);
                self.trees.push(tree);
            }
            Some(_) if tree.is_empty() => {}
            Some(_) => {
                let name = quote(tree.name.as_bytes());
                return self.fail(format!("template: multiple definition of template {name}"));
            }
        }
        Ok(())
    }

    fn top(&mut self) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        while self.peek() != Token::Eof {
            if self.peek() == Token::LeftDelim {
                let back = self.next;
                self.next += 1;
                if self.take_word().token == Token::Define {
                    self.definition()?;
                    continue;
                }
                self.next = back;
            }
            match self.text_or_action()? {
                Step::Node(node) => nodes.push(node),
                Step::End(End::End) => return self.fail("unexpected {{end}}"),
                Step::End(End::Else) => return self.fail("unexpected {{else}}"),
            }
        }
        nodes.shrink_to_fit();
        Ok(nodes)
    }

    /// Parses a list as a tree of its own, with its own variables.
    fn subtree(&mut self, context: &str) -> Result<Vec<Node>> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let ranges = std::mem::take(&mut self.ranges);
        let action_line = std::mem::take(&mut self.action_line);
        let (nodes, end) = self.list()?;
        if matches!(end, End::Else) {
            return self.fail(format!("unexpected {{{{else}}}} in {context}"));
        }
        (self.variables, self.ranges, self.action_line) = (variables, ranges, action_line);
        Ok(nodes)
    }

    fn definition(&mut self) -> Result<()> {
        const CONTEXT: &str = "define clause";
        let outer = self.latest;
        let item = self.take_word();
        let name = self.name(&item, CONTEXT)?;
        self.expect(Token::RightDelim, CONTEXT)?;
        let root = self.subtree(CONTEXT)?;
        self.add(name.lossy().into(), root)?;
        self.latest = outer;
        Ok(())
    }

    fn name(&mut self, item: &Item<'_>, context: &str) -> Result<Text> {
        if !matches!(item.token, Token::String | Token::RawString) {
            return self.unexpected(item, context);
        }
        match unquote(&item.text) {
            Some(name) => Ok(name.into()),
            None => self.fail("invalid syntax"),
        }
    }

    fn list(&mut self) -> Result<(Vec<Node>, End)> {
        if self.depth >= MAX_NESTING {
            return self.fail("max expression depth exceeded");
        }
        self.depth += 1;
        let list = stacker::maybe_grow(128 << 10, 2 << 20, || self.list_here());
        self.depth -= 1;
        list
    }

    fn list_here(&mut self) -> Result<(Vec<Node>, End)> {
        let mark = self.nodes.len();
        while self.peek_word() != Token::Eof {
            match self.text_or_action()? {
                Step::Node(node) => self.nodes.push(node),
                Step::End(end) => return Ok((self.nodes.drain(mark..).collect(), end)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Step> {
        let item = self.take_word();
        match item.token {
            Token::Text => Ok(Step::Node(Node::Text(item.pos, item.pos + item.text.len()))),
            Token::LeftDelim => {
                self.action_line = item.line;
                let step = self.action();
                self.action_line = 0;
                step
            }
            _ => self.unexpected(&item, "input"),
        }
    }

    fn action(&mut self) -> Result<Step> {
        let back = self.next;
        let item = self.take_word();
        let node = match item.token {
            Token::Block => self.block()?,
            Token::Break => self.jump("{{break}}", Node::Break)?,
            Token::Continue => self.jump("{{continue}}", Node::Continue)?,
            Token::Else => return self.otherwise(),
            Token::End => {
                self.expect(Token::RightDelim, "end")?;
                return Ok(Step::End(End::End));
            }
            Token::If => Node::If(self.control("if")?),
            Token::Range => Node::Range(self.control("range")?),
            Token::With => Node::With(self.control("with")?),
            Token::Template => self.template()?,
            _ => {
                self.next = back;
                Node::Action(self.pipeline("command", Token::RightDelim)?)
            }
        };
        Ok(Step::Node(node))
    }

    fn jump(&mut self, name: &str, node: Node) -> Result<Node> {
        let next = self.take_word();
        if next.token != Token::RightDelim {
            return self.unexpected(&next, name);
        }
        if self.ranges == 0 {
            return self.fail(format!("{name} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn otherwise(&mut self) -> Result<Step> {
        if !matches!(self.peek_word(), Token::If | Token::With) {
            self.expect(Token::RightDelim, "else")?;
        }
        Ok(Step::End(End::Else))
    }

    fn control(&mut self, context: &str) -> Result<Box<Branch>> {
        let mark = self.variables.len();
        let pipe = self.pipeline(context, Token::RightDelim)?;
        let range = usize::from(context == "range");
        self.ranges += range;
        let (list, end) = self.list()?;
        self.ranges -= range;
        let mut otherwise = None;
        if matches!(end, End::Else) {
            let chained = matches!((context, self.peek()), ("if", Token::If) | ("with", Token::With));
            otherwise = Some(if chained { self.chained(context)? } else { self.last_list()? });
        }
        self.variables.truncate(mark);
        Ok(Box::new(Branch { pipe, list, otherwise }))
    }

    /// `else if` and `else with`: a control structure whose end is the outer one's too.
    fn chained(&mut self, context: &str) -> Result<Vec<Node>> {
        if self.depth >= MAX_NESTING {
            return self.fail("max expression depth exceeded");
        }
        self.next += 1;
        self.depth += 1;
        let branch = stacker::maybe_grow(128 << 10, 2 << 20, || self.control(context))?;
        self.depth -= 1;
        Ok(vec![if context == "if" { Node::If(branch) } else { Node::With(branch) }])
    }

    fn last_list(&mut self) -> Result<Vec<Node>> {
        match self.list()? {
            (list, End::End) => Ok(list),
            (_, End::Else) => self.fail("expected end; found {{else}}"),
        }
    }

    fn block(&mut self) -> Result<Node> {
        const CONTEXT: &str = "block clause";
        let item = self.take_word();
        let name = self.name(&item, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Token::RightDelim)?;
        let outer = self.latest;
        let root = self.subtree(CONTEXT)?;
        self.add(name.lossy().into(), root)?;
        self.latest = outer;
        Ok(Node::Template(Box::new(Call { pos: item.pos, name, pipe: Some(pipe) })))
    }

    fn template(&mut self) -> Result<Node> {
        const CONTEXT: &str = "template clause";
        let item = self.take_word();
        let name = self.name(&item, CONTEXT)?;
        let mut pipe = None;
        if self.peek_word() == Token::RightDelim {
            self.next += 1;
        } else {
            pipe = Some(self.pipeline(CONTEXT, Token::RightDelim)?);
        }
        Ok(Node::Template(Box::new(Call { pos: item.pos, name, pipe })))
    }

    fn pipeline(&mut self, context: &str, end: Token) -> Result<Pipe> {
        self.skip_space();
        let pos = self.item().pos;
        let mark = self.commands.len();
        let mut pipe = Pipe { pos, assign: false, variables: Vec::new(), commands: Vec::new() };
        self.declarations(context, &mut pipe)?;
        loop {
            let back = self.next;
            let item = self.take_word();
            match item.token {
                token if token == end => {
                    pipe.commands = self.commands.drain(mark..).collect();
                    self.check(&pipe, context)?;
                    return Ok(pipe);
                }
                Token::Bool
                | Token::CharConstant
                | Token::Complex
                | Token::Dot
                | Token::Field
                | Token::Identifier
                | Token::Number
                | Token::Nil
                | Token::RawString
                | Token::String
                | Token::Variable
                | Token::LeftParen => {
                    self.next = back;
                    let command = self.command()?;
                    self.commands.push(command);
                }
                _ => return self.unexpected(&item, context),
            }
        }
    }

    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Result<()> {
        while self.peek_word() == Token::Variable {
            let back = self.next;
            let variable = self.take();
            let name: Box<str> = String::from_utf8_lossy(&variable.text).into();
            self.skip_space();
            let next = self.item();
            match next.token {
                Token::Assign | Token::Declare => {
                    self.next += 1;
                    pipe.assign = next.token == Token::Assign;
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    return Ok(());
                }
                Token::Char if *next.text == *b"," => {
                    self.next += 1;
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    if context != "range" || pipe.variables.len() >= 2 {
                        return self.fail(format!("too many declarations in {context}"));
                    }
                    if !matches!(self.peek_word(), Token::Variable | Token::RightDelim | Token::RightParen) {
                        return self.fail("range can only initialize variables");
                    }
                }
                _ => {
                    self.next = back;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Result<()> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            use OperandKind::{Bool, Dot, Nil, Number, String};
            let first = command.args.first().map(|arg| &arg.kind);
            if matches!(first, Some(Bool(_) | Dot | Nil | Number(_) | String { .. })) {
                return self.fail(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command> {
        self.skip_space();
        let mut command = Command { pos: self.item().pos, args: Vec::new() };
        let mark = self.operands.len();
        loop {
            self.skip_space();
            if let Some(operand) = self.operand()? {
                self.operands.push(operand);
            }
            let item = self.take();
            match item.token {
                Token::Space => {}
                Token::RightDelim | Token::RightParen => {
                    self.next -= 1;
                    break;
                }
                Token::Pipe => break,
                _ => return self.unexpected(&item, "operand"),
            }
        }
        command.args = self.operands.drain(mark..).collect();
        if command.args.is_empty() {
            return self.fail("empty command");
        }
        Ok(command)
    }

    fn operand(&mut self) -> Result<Option<Operand>> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        if self.peek() != Token::Field {
            return Ok(Some(operand));
        }
        let pos = self.item().pos;
        let mut fields: Vec<Box<str>> = Vec::new();
        while self.peek() == Token::Field {
            fields.push(field_name(&self.take().text));
        }
        fields.shrink_to_fit();
        match &mut operand.kind {
            OperandKind::Field(names) | OperandKind::Variable(names) => {
                names.reserve_exact(fields.len());
                names.append(&mut fields);
                operand.pos = pos;
            }
            OperandKind::Bool(_)
            | OperandKind::String { .. }
            | OperandKind::Number(_)
            | OperandKind::Nil
            | OperandKind::Dot => {
                let term = quote(operand.to_string().as_bytes());
                return self.fail(format!("unexpected . after term {term}"));
            }
            _ => {
                operand = Operand { pos, kind: OperandKind::Chain { node: Box::new(operand), fields } };
            }
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Result<Option<Operand>> {
        let back = self.next;
        let item = self.take_word();
        let text = || String::from_utf8_lossy(&item.text);
        let kind = match item.token {
            Token::Identifier => match self.functions.get(&text()) {
                Some(function) => OperandKind::Identifier(function),
                None => return self.fail(format!("function {} not defined", quote(&item.text))),
            },
            Token::Dot => OperandKind::Dot,
            Token::Nil => OperandKind::Nil,
            Token::Variable => {
                let name = text();
                if !self.variables.iter().any(|known| **known == *name) {
                    return self.fail(format!("undefined variable {}", quote(&item.text)));
                }
                OperandKind::Variable(vec![name.into()])
            }
            Token::Field => OperandKind::Field(vec![field_name(&item.text)]),
            Token::Bool => OperandKind::Bool(*item.text == *b"true"),
            Token::CharConstant | Token::Complex | Token::Number => {
                let (char, complex) = (item.token == Token::CharConstant, item.token == Token::Complex);
                match Number::read(&text(), char, complex) {
                    Ok(number) => OperandKind::Number(Box::new(number)),
                    Err(message) => return self.fail(message),
                }
            }
            Token::LeftParen => {
                if self.depth >= MAX_NESTING {
                    return self.fail("max expression depth exceeded");
                }
                self.depth += 1;
                let pipe = stacker::maybe_grow(128 << 10, 2 << 20, || {
                    self.pipeline("parenthesized pipeline", Token::RightParen)
                })?;
                self.depth -= 1;
                return Ok(Some(Operand { pos: pipe.pos, kind: OperandKind::Pipe(Box::new(pipe)) }));
            }
            Token::String | Token::RawString => match unquote(&item.text) {
                Some(value) => OperandKind::String { quoted: text().into(), text: value.into() },
                None => return self.fail("invalid syntax"),
            },
            _ => {
                self.next = back;
                self.skip_space();
                return Ok(None);
            }
        };
        Ok(Some(Operand { pos: item.pos, kind }))
    }
}

fn field_name(text: &[u8]) -> Box<str> {
    String::from_utf8_lossy(text.get(1..).unwrap_or_default()).into()
}
