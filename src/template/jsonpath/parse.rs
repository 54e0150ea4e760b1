//! Text to parts.

use super::{DEPTH, Node};

/// Reads a template.
pub fn template(text: &str, depth: usize) -> Result<Vec<Node>, String> {
    if depth > DEPTH {
        return Err("the path nests too deeply".to_owned());
    }
    let mut nodes = Vec::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once('{') {
        if !before.is_empty() {
            nodes.push(Node::Text(before.to_owned()));
        }
        let mut reader = Reader { text: inside, at: 0, depth };
        nodes.push(Node::List(reader.action()?));
        rest = &inside[reader.at..];
    }
    if !rest.is_empty() {
        nodes.push(Node::Text(rest.to_owned()));
    }
    Ok(nodes)
}

/// The parts of text as it stands between braces.
fn inner(text: &str, depth: usize) -> Result<Vec<Node>, String> {
    match template(&format!("{{{text}}}"), depth + 1)?.into_iter().next() {
        Some(Node::List(nodes)) => Ok(nodes),
        _ => Ok(Vec::new()),
    }
}

/// What ends a word.
fn ends(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn action(&mut self) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with("[?(") {
                nodes.push(self.filter()?);
                continue;
            }
            if rest.starts_with("..") {
                if nodes.last() == Some(&Node::Recursive) {
                    return Err("invalid multiple recursive descent".to_owned());
                }
                self.at += 2;
                nodes.push(Node::Recursive);
                if self.rest().starts_with(|c: char| c == '_' || c.is_alphanumeric()) {
                    nodes.push(self.field());
                }
                continue;
            }
            let Some(next) = rest.chars().next().filter(|c| !matches!(c, '\r' | '\n')) else {
                return Err("unclosed action".to_owned());
            };
            match next {
                '}' => {
                    self.at += 1;
                    return Ok(nodes);
                }
                ' ' | '@' | '$' => self.at += 1,
                '[' => self.array(&mut nodes)?,
                '"' | '\'' => nodes.push(self.quoted(next)?),
                '.' => {
                    self.at += 1;
                    nodes.push(self.field());
                }
                '+' | '-' => nodes.push(self.number()?),
                c if c.is_numeric() => nodes.push(self.number()?),
                c if c == '_' || c.is_alphabetic() => {
                    let word = rest.split(ends).next().unwrap_or_default();
                    self.at += word.len();
                    nodes.push(match word {
                        "true" => Node::Bool(true),
                        "false" => Node::Bool(false),
                        word => Node::Identifier(word.to_owned()),
                    });
                }
                c => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", u32::from(c))),
            }
        }
    }

    fn field(&mut self) -> Node {
        let (mut name, mut chars) = (String::new(), self.rest().chars());
        while let Some(c) = chars.clone().next() {
            if c == '\\' {
                chars.next();
                name.extend(chars.next());
            } else if ends(c) {
                break;
            } else {
                name.push(c);
                chars.next();
            }
        }
        self.at = self.text.len() - chars.as_str().len();
        if name == "*" { Node::Wildcard } else { Node::Field(name) }
    }

    fn number(&mut self) -> Result<Node, String> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with(['+', '-']));
        let digits = rest[sign..].find(|c: char| c != '.' && !c.is_numeric());
        let text = &rest[..digits.map_or(rest.len(), |n| n + sign)];
        self.at += text.len();
        if let Ok(number) = text.parse() {
            return Ok(Node::Int(number));
        }
        text.parse().map(Node::Float).map_err(|_| format!("cannot parse number {text}"))
    }

    fn quoted(&mut self, quote: char) -> Result<Node, String> {
        let rest = self.rest();
        let unterminated = || "unterminated quoted string".to_owned();
        let (mut out, mut chars) = (String::new(), rest[1..].chars());
        loop {
            match chars.next().ok_or_else(unterminated)? {
                '\n' => return Err(unterminated()),
                c if c == quote => break,
                '\\' => {
                    let c = chars.next().ok_or_else(unterminated)?;
                    let plain = match c {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'a' => '\x07',
                        'b' => '\x08',
                        'f' => '\x0c',
                        'v' => '\x0b',
                        c if c == '\\' || c == quote => c,
                        _ => return Err(format!("unquote string {rest} error invalid syntax")),
                    };
                    out.push(plain);
                }
                c => out.push(c),
            }
        }
        self.at = self.text.len() - chars.as_str().len();
        Ok(Node::Text(out))
    }

    fn array(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        let rest = self.rest();
        let end = rest.find([']', '\n']).filter(|end| rest[*end..].starts_with(']'));
        let end = end.ok_or("unterminated array")?;
        self.at += end + 1;
        let text = match &rest[1..end] {
            "*" => ":",
            text => text,
        };
        if text.contains(',') {
            let parts =
                text.split(',').map(|part| inner(&format!("[{}]", part.trim_matches(' ')), self.depth));
            nodes.push(Node::Union(parts.collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).filter(|t| !t.contains('\''));
        if let Some(key) = key {
            nodes.extend(inner(&format!(".{key}"), self.depth)?);
            return Ok(());
        }
        nodes.push(slice(text).ok_or_else(|| format!("invalid array index {text}"))?);
        Ok(())
    }

    fn filter(&mut self) -> Result<Node, String> {
        let rest = &self.rest()[3..];
        let (mut quote, mut closed, mut before) = (None, false, ' ');
        let mut end = None;
        for (at, c) in rest.char_indices() {
            match c {
                '\n' => break,
                '"' | '\'' if quote.is_none() => quote = Some(c),
                '"' | '\'' => closed |= before != '\\' && quote == Some(c),
                ')' if quote.is_some() == closed => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
            before = c;
        }
        let end = end.ok_or("unterminated filter")?;
        if !rest[end + 1..].starts_with(']') {
            return Err("unclosed array expect ]".to_owned());
        }
        self.at += 3 + end + 2;
        let text = &rest[..end];
        let sign = |c: char| matches!(c, '!' | '<' | '>' | '=');
        let parted = text.find(sign).filter(|at| *at > 0).and_then(|at| {
            let after = text[at..].find(|c| !sign(c))? + at;
            Some((&text[..at], &text[at..after], &text[after..]))
        });
        let Some((left, operator, right)) = parted else {
            return Ok(Node::Filter {
                left: inner(text, self.depth)?,
                operator: "exists".to_owned(),
                right: Vec::new(),
            });
        };
        let (left, right) = (inner(left, self.depth)?, inner(right, self.depth)?);
        Ok(Node::Filter { left, operator: operator.to_owned(), right })
    }
}

/// `1`, `1:`, `:2`, `1:5:2`.
fn slice(text: &str) -> Option<Node> {
    let parts: Vec<&str> = text.split(':').collect();
    // The outer option is whether it is a number or nothing, the inner one whether it is a number.
    let number = |part: Option<&&str>| match part {
        None | Some(&"") => Some(None),
        Some(part) => part.parse::<i64>().ok().filter(|_| !part.starts_with('+')).map(Some),
    };
    if parts.len() > 3 {
        return None;
    }
    let (from, to, step) = (number(parts.first())?, number(parts.get(1))?, number(parts.get(2))?);
    let one = parts.len() == 1;
    let to = if one { Some(from.unwrap_or(0).checked_add(1)?) } else { to };
    Some(Node::Slice { from, to, step, one })
}
