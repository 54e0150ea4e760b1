//! The parser: tokens to events, with the grammar of libyaml (`go-yaml v2: parserc.go`).
//!
//! What is open stands on a stack of states, so that deep texts need no stack of the machine.

use std::borrow::Cow;
use std::collections::HashMap;

use super::scan::{Input, Kind, Scanner, Token, Trouble};

/// A step of a document.
#[derive(Debug)]
pub(super) enum Event<'t> {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias {
        name: Cow<'t, str>,
        line: usize,
    },
    Scalar {
        properties: Properties<'t>,
        text: Cow<'t, str>,
        plain: bool,
        line: usize,
    },
    SequenceStart {
        properties: Properties<'t>,
        line: usize,
    },
    MappingStart {
        properties: Properties<'t>,
        line: usize,
    },
    /// The end of a sequence or a mapping.
    End,
}

/// The anchor and the tag of a node.
#[derive(Debug, Default)]
pub(super) struct Properties<'t> {
    pub anchor: Option<Cow<'t, str>>,
    pub tag: Option<String>,
}

/// What is expected next.
#[derive(Clone, Copy)]
enum State {
    FirstDocument,
    Document,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequence { first: bool },
    IndentlessSequence,
    BlockKey { first: bool },
    BlockValue,
    FlowSequence { first: bool },
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowKey { first: bool },
    FlowValue,
    FlowEmptyValue,
    End,
}

/// Where a node stands, which decides what it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Flow,
    Block,
    /// A value of a block mapping, whose sequence need not be indented.
    BlockValue,
}

pub(super) struct Parser<'t> {
    scanner: Scanner<'t>,
    state: State,
    states: Vec<State>,
    /// The lines where the open collections began.
    lines: Vec<usize>,
    handles: HashMap<String, String>,
}

type Step<'t> = Result<Event<'t>, Trouble>;

impl<'t> Parser<'t> {
    /// A parser at the beginning of the text.
    pub fn new(input: &'t Input<'_>) -> Self {
        let scanner = Scanner::new(input);
        let (states, lines) = (Vec::new(), Vec::new());
        Self { scanner, state: State::FirstDocument, states, lines, handles: HashMap::new() }
    }

    /// The next event. Behind the end of the stream there is only the end.
    pub fn next(&mut self) -> Step<'t> {
        match self.state {
            State::FirstDocument => self.document_start(true),
            State::Document => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(Place::Block),
            State::BlockSequence { first } => self.block_sequence(first),
            State::IndentlessSequence => self.indentless_sequence(),
            State::BlockKey { first } => self.block_key(first),
            State::BlockValue => self.block_value(),
            State::FlowSequence { first } => self.flow_sequence(first),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_pair_value(),
            State::FlowPairEnd => {
                self.scanner.peek()?;
                self.state = State::FlowSequence { first: false };
                Ok(Event::End)
            }
            State::FlowKey { first } => self.flow_key(first),
            State::FlowValue => self.flow_value(),
            State::FlowEmptyValue => {
                let (_, line) = self.scanner.peek()?;
                Ok(self.empty(State::FlowKey { first: false }, line))
            }
            State::End => Ok(Event::StreamEnd),
        }
    }

    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn empty(&mut self, next: State, line: usize) -> Event<'t> {
        self.state = next;
        Event::Scalar { properties: Properties::default(), text: Cow::Borrowed(""), plain: true, line }
    }

    fn node_then(&mut self, next: State, place: Place) -> Step<'t> {
        self.states.push(next);
        self.node(place)
    }

    fn document_start(&mut self, implicit: bool) -> Step<'t> {
        while !implicit && self.scanner.peek()?.0 == Kind::DocumentEnd {
            self.scanner.take();
        }
        match self.scanner.peek()?.0 {
            Kind::StreamEnd => {
                self.state = State::End;
                self.scanner.take();
                return Ok(Event::StreamEnd);
            }
            Kind::Version | Kind::TagDirective | Kind::DocumentStart => {}
            _ if implicit => {
                self.default_handles();
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                return Ok(Event::DocumentStart);
            }
            _ => {}
        }
        self.directives()?;
        let (kind, line) = self.scanner.peek()?;
        if kind != Kind::DocumentStart {
            return Err(at(line, "did not find expected <document start>"));
        }
        self.scanner.take();
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok(Event::DocumentStart)
    }

    fn default_handles(&mut self) {
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            self.handles.entry(handle.to_owned()).or_insert_with(|| prefix.to_owned());
        }
    }

    fn directives(&mut self) -> Result<(), Trouble> {
        let mut versioned = false;
        loop {
            let (kind, line) = self.scanner.peek()?;
            if !matches!(kind, Kind::Version | Kind::TagDirective) {
                break;
            }
            let Some(token) = self.scanner.take() else { break };
            if kind == Kind::Version {
                if versioned {
                    return Err(at(line, "found duplicate %YAML directive"));
                }
                versioned = true;
                let mut numbers = token.text.split('.').map(str::parse::<u8>);
                if (numbers.next(), numbers.next()) != (Some(Ok(1)), Some(Ok(1))) {
                    return Err(at(line, "found incompatible YAML document"));
                }
            } else {
                let prefix = token.suffix.map(String::from).unwrap_or_default();
                if self.handles.insert(token.text.into_owned(), prefix).is_some() {
                    return Err(at(line, "found duplicate %TAG directive"));
                }
            }
        }
        self.default_handles();
        Ok(())
    }

    fn document_content(&mut self) -> Step<'t> {
        let (kind, line) = self.scanner.peek()?;
        if matches!(
            kind,
            Kind::Version | Kind::TagDirective | Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd
        ) {
            self.pop();
            return Ok(self.empty(self.state, line));
        }
        self.node(Place::Block)
    }

    fn document_end(&mut self) -> Step<'t> {
        if self.scanner.peek()?.0 == Kind::DocumentEnd {
            self.scanner.take();
        }
        self.handles.clear();
        self.state = State::Document;
        Ok(Event::DocumentEnd)
    }

    fn node(&mut self, place: Place) -> Step<'t> {
        let (mut kind, start) = self.scanner.peek()?;
        if kind == Kind::Alias {
            let name = self.scanner.take().map(|t| t.text).unwrap_or_default();
            self.pop();
            return Ok(Event::Alias { name, line: start });
        }
        let mut properties = Properties::default();
        if matches!(kind, Kind::Anchor | Kind::Tag) {
            properties = self.properties(start)?;
            kind = self.scanner.peek()?.0;
        }
        let line = start;
        match kind {
            Kind::BlockEntry if place == Place::BlockValue => {
                self.state = State::IndentlessSequence;
                Ok(Event::SequenceStart { properties, line })
            }
            Kind::Plain | Kind::Quoted => {
                let text = self.scanner.take().map(|t| t.text).unwrap_or_default();
                self.pop();
                Ok(Event::Scalar { properties, text, plain: kind == Kind::Plain, line })
            }
            Kind::FlowSequenceStart => {
                self.state = State::FlowSequence { first: true };
                Ok(Event::SequenceStart { properties, line })
            }
            Kind::FlowMappingStart => {
                self.state = State::FlowKey { first: true };
                Ok(Event::MappingStart { properties, line })
            }
            Kind::BlockSequenceStart if place != Place::Flow => {
                self.state = State::BlockSequence { first: true };
                Ok(Event::SequenceStart { properties, line })
            }
            Kind::BlockMappingStart if place != Place::Flow => {
                self.state = State::BlockKey { first: true };
                Ok(Event::MappingStart { properties, line })
            }
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                self.pop();
                Ok(Event::Scalar { properties, text: Cow::Borrowed(""), plain: true, line })
            }
            _ => {
                let line = self.scanner.peek()?.1;
                Err(within(line, start, "did not find expected node content"))
            }
        }
    }

    fn properties(&mut self, start: usize) -> Result<Properties<'t>, Trouble> {
        let mut properties = Properties::default();
        let mut tagged = None;
        loop {
            let (kind, line) = self.scanner.peek()?;
            match kind {
                Kind::Anchor if properties.anchor.is_none() => {
                    properties.anchor = self.scanner.take().map(|t| t.text);
                }
                Kind::Tag if tagged.is_none() => tagged = self.scanner.take().map(|t| (t, line)),
                _ => break,
            }
        }
        if let Some((Token { text: handle, suffix, .. }, line)) = tagged {
            let suffix = suffix.map(String::from).unwrap_or_default();
            let tag = if handle.is_empty() {
                suffix
            } else {
                let Some(prefix) = self.handles.get(&*handle) else {
                    return Err(within(line, start, "found undefined tag handle"));
                };
                format!("{prefix}{suffix}")
            };
            properties.tag = Some(tag).filter(|t| !t.is_empty());
        }
        Ok(properties)
    }

    /// Enters a collection by its first token.
    fn enter(&mut self) -> Result<(), Trouble> {
        let (_, line) = self.scanner.peek()?;
        self.lines.push(line);
        self.scanner.take();
        Ok(())
    }

    fn leave(&mut self) -> Event<'t> {
        self.scanner.take();
        self.lines.pop();
        self.pop();
        Event::End
    }

    fn unexpected(&mut self, line: usize, message: &'static str) -> Trouble {
        within(line, self.lines.pop().unwrap_or(0), message)
    }

    fn block_sequence(&mut self, first: bool) -> Step<'t> {
        if first {
            self.enter()?;
        }
        match self.scanner.peek()? {
            (Kind::BlockEntry, line) => {
                self.scanner.take();
                let next = State::BlockSequence { first: false };
                match self.scanner.peek()?.0 {
                    Kind::BlockEntry | Kind::BlockEnd => Ok(self.empty(next, line)),
                    _ => self.node_then(next, Place::Block),
                }
            }
            (Kind::BlockEnd, _) => Ok(self.leave()),
            (_, line) => Err(self.unexpected(line, "did not find expected '-' indicator")),
        }
    }

    fn indentless_sequence(&mut self) -> Step<'t> {
        let (kind, line) = self.scanner.peek()?;
        if kind != Kind::BlockEntry {
            self.pop();
            return Ok(Event::End);
        }
        self.scanner.take();
        match self.scanner.peek()?.0 {
            Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd => {
                Ok(self.empty(State::IndentlessSequence, line))
            }
            _ => self.node_then(State::IndentlessSequence, Place::Block),
        }
    }

    fn block_key(&mut self, first: bool) -> Step<'t> {
        if first {
            self.enter()?;
        }
        match self.scanner.peek()? {
            (Kind::Key, line) => {
                self.scanner.take();
                self.block_item(State::BlockValue, line)
            }
            (Kind::BlockEnd, _) => Ok(self.leave()),
            (_, line) => Err(self.unexpected(line, "did not find expected key")),
        }
    }

    /// The node behind a `?` or `:`, which may be left out.
    fn block_item(&mut self, next: State, line: usize) -> Step<'t> {
        match self.scanner.peek()?.0 {
            Kind::Key | Kind::Value | Kind::BlockEnd => Ok(self.empty(next, line)),
            _ => self.node_then(next, Place::BlockValue),
        }
    }

    fn block_value(&mut self) -> Step<'t> {
        let next = State::BlockKey { first: false };
        let (kind, line) = self.scanner.peek()?;
        if kind != Kind::Value {
            return Ok(self.empty(next, line));
        }
        self.scanner.take();
        self.block_item(next, line)
    }

    fn flow_sequence(&mut self, first: bool) -> Step<'t> {
        if first {
            self.enter()?;
        }
        let (mut kind, mut line) = self.scanner.peek()?;
        if kind != Kind::FlowSequenceEnd {
            if !first {
                if kind != Kind::FlowEntry {
                    return Err(self.unexpected(line, "did not find expected ',' or ']'"));
                }
                self.scanner.take();
                (kind, line) = self.scanner.peek()?;
            }
            if kind == Kind::Key {
                self.scanner.take();
                self.state = State::FlowPairKey;
                return Ok(Event::MappingStart { properties: Properties::default(), line });
            }
            if kind != Kind::FlowSequenceEnd {
                return self.node_then(State::FlowSequence { first: false }, Place::Flow);
            }
        }
        Ok(self.leave())
    }

    fn flow_pair_key(&mut self) -> Step<'t> {
        let (kind, line) = self.scanner.peek()?;
        if !matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd) {
            return self.node_then(State::FlowPairValue, Place::Flow);
        }
        // go-yaml takes the token here, whatever it is.
        self.scanner.take();
        Ok(self.empty(State::FlowPairValue, line))
    }

    fn flow_pair_value(&mut self) -> Step<'t> {
        let (mut kind, mut line) = self.scanner.peek()?;
        if kind == Kind::Value {
            self.scanner.take();
            (kind, line) = self.scanner.peek()?;
            if !matches!(kind, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                return self.node_then(State::FlowPairEnd, Place::Flow);
            }
        }
        Ok(self.empty(State::FlowPairEnd, line))
    }

    fn flow_key(&mut self, first: bool) -> Step<'t> {
        if first {
            self.enter()?;
        }
        let (mut kind, line) = self.scanner.peek()?;
        if kind != Kind::FlowMappingEnd {
            if !first {
                if kind != Kind::FlowEntry {
                    return Err(self.unexpected(line, "did not find expected ',' or '}'"));
                }
                self.scanner.take();
                kind = self.scanner.peek()?.0;
            }
            if kind == Kind::Key {
                self.scanner.take();
                let kind = self.scanner.peek()?.0;
                if matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd) {
                    return Ok(self.empty(State::FlowValue, line));
                }
                return self.node_then(State::FlowValue, Place::Flow);
            }
            if kind != Kind::FlowMappingEnd {
                return self.node_then(State::FlowEmptyValue, Place::Flow);
            }
        }
        Ok(self.leave())
    }

    fn flow_value(&mut self) -> Step<'t> {
        let next = State::FlowKey { first: false };
        let (mut kind, mut line) = self.scanner.peek()?;
        if kind == Kind::Value {
            self.scanner.take();
            (kind, line) = self.scanner.peek()?;
            if !matches!(kind, Kind::FlowEntry | Kind::FlowMappingEnd) {
                return self.node_then(next, Place::Flow);
            }
        }
        Ok(self.empty(next, line))
    }
}

fn at(line: usize, message: &'static str) -> Trouble {
    Trouble { message: message.into(), line }
}

/// Where the problem stands on the first line, the line where its construct began is told.
fn within(line: usize, context: usize, message: &'static str) -> Trouble {
    at(if line == 0 { context } else { line }, message)
}
