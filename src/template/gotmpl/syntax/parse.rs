//! Tokens to trees, by Go's grammar and with Go's errors, one a text: what follows the first is a
//! guess.
//!
//! The text of a file and each `define` or `block` in it are parsed by one [`Parser`] that changes
//! its [`Scope`], since Go forgets variables and line numbers at that border.

use super::super::error::{ParseError, Place};
use super::super::function::Function;
use super::super::stack;
use super::super::value::Text;
use super::ast::{
    Body, Branch, Command, Node, Operand, Pipe, Source, Template, TemplateCall, Variable,
};
use super::lex::{Keyword, Kind, Lexer, Token};
use super::{number, quote, quote::unquote};
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// Finds the function of a name.
pub type Functions = fn(&str) -> Option<&'static Function>;

/// Parses a text: the template of its own name, and those that it defines.
///
/// # Errors
/// When the text is no template, with Go's words.
pub fn parse(name: &Text, text: &Text, functions: Functions) -> Result<Vec<Template>, ParseError> {
    let mut parser = Parser {
        name,
        text,
        functions,
        lexer: Lexer::new(text),
        scope: Scope::new(),
        variables: vec!["$".into()],
        numbers: HashMap::from_iter([("$".into(), 0)]),
        words: HashSet::new(),
        parsed: Vec::new(),
        places: HashMap::new(),
        deepest: 0,
    };
    let body = parser.file().and_then(|body| {
        parser.add(name.clone(), body)?;
        Ok(())
    });
    body.map_err(|fault| parser.error(*fault))?;
    let source =
        Arc::new(Source { name: name.clone(), text: text.clone(), variables: parser.variables });
    let finish = |(name, body): (Text, Body)| {
        let blank = is_blank(&body);
        Template { name, source: Arc::clone(&source), body, blank, deep: parser.deepest > DEEP }
    };
    let parsed = std::mem::take(&mut parser.parsed);
    Ok(parsed.into_iter().map(finish).collect())
}

/// What is known of the text that is being parsed: of a file, a `define` or a `block`.
struct Scope {
    /// Tokens that were read ahead; the newest is the first.
    ahead: Vec<Token>,
    /// Line and place of the token that was read last.
    line: usize,
    start: usize,
    /// Numbers of the variables that are declared, in order, and how often each is, by its number.
    variables: Vec<usize>,
    declared: Vec<usize>,
    action_line: usize,
    action_start: usize,
    ranges: usize,
    parentheses: usize,
    controls: usize,
}

impl Scope {
    fn new() -> Scope {
        Scope {
            ahead: Vec::new(),
            line: 0,
            start: 0,
            variables: vec![0],
            declared: vec![1],
            action_line: 0,
            action_start: 0,
            ranges: 0,
            parentheses: 0,
            controls: 0,
        }
    }
}

struct Parser<'a> {
    name: &'a Text,
    text: &'a Text,
    functions: Functions,
    lexer: Lexer<'a>,
    scope: Scope,
    /// All names of variables in the text, and their numbers.
    variables: Vec<Text>,
    numbers: HashMap<Text, usize>,
    /// Names and short texts, of which there is one of each.
    words: HashSet<Text>,
    /// The templates, and where each name is among them.
    parsed: Vec<(Text, Body)>,
    places: HashMap<Text, usize>,
    /// How deep parentheses and control structures are nested at most.
    deepest: usize,
}

/// What went wrong, boxed since it is rare.
type Parsed<T> = Result<T, Box<Fault>>;

struct Fault {
    message: String,
    line: usize,
    start: usize,
    /// The name of a function that is not known.
    unknown: Option<String>,
    /// Where the action or the block begins that does not end.
    opened: Option<usize>,
}

/// What ends a body.
enum Ending {
    End,
    /// `else`, and what the keyword is that follows it in the same action.
    Else(usize, Option<Keyword>),
}

impl Ending {
    fn text(&self) -> &'static str {
        match self {
            Ending::End => "{{end}}",
            Ending::Else(..) => "{{else}}",
        }
    }
}

enum Piece {
    Node(Node),
    Ending(Ending),
}

/// Go's limit on nested parentheses.
const PARENTHESES: usize = 10_000;
/// Our limit on nested control structures, which Go does not have.
const CONTROLS: usize = 10_000;
/// Texts up to this length are often the same: keys, names of templates.
const SHORT: usize = 64;
/// What nests deeper needs a large stack.
const DEEP: usize = 100;

impl Parser<'_> {
    fn error(&self, fault: Fault) -> ParseError {
        let place = Place::of(self.name, self.text, fault.start);
        ParseError {
            message: format!("template: {}:{}: {}", self.name, fault.line, fault.message),
            place,
            unknown: fault.unknown,
            opened: fault.opened.map(|start| Box::new(Place::of(self.name, self.text, start))),
        }
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(Box::new(Fault {
            message: message.into(),
            line: self.scope.line,
            start: self.scope.start,
            unknown: None,
            opened: None,
        }))
    }

    /// As [`Parser::fail`], of something that begins at `opened` and does not end.
    fn fail_open<T>(&self, message: impl Into<String>, opened: usize) -> Parsed<T> {
        self.fail(message).map_err(|mut fault: Box<Fault>| {
            fault.opened = Some(opened);
            fault
        })
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return self.fail(format!("unexpected {} in {context}", self.describe(token)));
        }
        let started = self.scope.action_line;
        let begin = self.scope.action_start;
        let fault = self.lexer.fault.as_str();
        if started == token.line && fault == "unclosed action" {
            return self.fail_open(fault, begin);
        }
        if started == 0 || started == token.line {
            return self.fail(fault);
        }
        let action = if fault.ends_with(" action") { "" } else { " in action" };
        let message = format!("{fault}{action} started at {}:{started}", self.name);
        self.fail_open(message, begin)
    }

    fn describe(&self, token: &Token) -> String {
        let text = self.text_of(token);
        match token.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Error => self.lexer.fault.clone(),
            Kind::Keyword(_) => format!("<{}>", text.escape_ascii()),
            _ if text.len() > 10 => format!("{}...", quote(first_characters(text, 10))),
            _ => quote(text),
        }
    }

    fn text_of(&self, token: &Token) -> &[u8] {
        &self.text[token.start..token.end]
    }

    // Tokens.

    fn next(&mut self) -> Token {
        self.scope.ahead.pop().unwrap_or_else(|| self.read())
    }

    fn read(&mut self) -> Token {
        let token = self.lexer.next();
        self.scope.line = token.line;
        self.scope.start = token.start;
        token
    }

    fn peek(&mut self) -> Token {
        if let Some(token) = self.scope.ahead.last() {
            return *token;
        }
        let token = self.read();
        self.scope.ahead.push(token);
        token
    }

    fn back(&mut self, token: Token) {
        self.scope.ahead.push(token);
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token {
        loop {
            let token = self.peek();
            if token.kind != Kind::Space {
                return token;
            }
            self.next();
        }
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    // Bodies.

    fn file(&mut self) -> Parsed<Body> {
        let mut body = Body { start: self.peek().start, nodes: Vec::new() };
        while self.peek().kind != Kind::End {
            if self.peek().kind == Kind::LeftDelim {
                let delimiter = self.next();
                let token = self.next_non_space();
                if token.kind == Kind::Keyword(Keyword::Define) {
                    self.definition(token.start)?;
                    continue;
                }
                self.back(token);
                self.back(delimiter);
            }
            match self.text_or_action()? {
                Piece::Node(node) => body.nodes.push(node),
                Piece::Ending(ending) => return self.fail(format!("unexpected {}", ending.text())),
            }
        }
        Ok(body)
    }

    fn definition(&mut self, start: usize) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let (body, ending) = self.body(start)?;
        if let Ending::Else(..) = ending {
            return self.fail(format!("unexpected {} in {CONTEXT}", ending.text()));
        }
        self.add(name, body)?;
        self.scope = outer;
        Ok(())
    }

    /// Adds a template. Of two with one name, one must be blank.
    fn add(&mut self, name: Text, body: Body) -> Parsed<()> {
        match self.places.get(&name).map(|place| &mut self.parsed[*place]) {
            None => {
                self.places.insert(name.clone(), self.parsed.len());
                self.parsed.push((name, body));
            }
            Some((_, known)) if is_blank(known) => *known = body,
            Some(_) if is_blank(&body) => {}
            Some(_) => {
                let name = quote(&name);
                return self.fail(format!("template: multiple definition of template {name}"));
            }
        }
        Ok(())
    }

    /// Nodes up to the `end` or `else` of what begins at `opened`.
    fn body(&mut self, opened: usize) -> Parsed<(Body, Ending)> {
        let mut body = Body { start: self.peek_non_space().start, nodes: Vec::new() };
        while self.peek_non_space().kind != Kind::End {
            match self.text_or_action()? {
                Piece::Node(node) => body.nodes.push(node),
                Piece::Ending(ending) => return Ok((body, ending)),
            }
        }
        self.fail_open("unexpected EOF", opened)
    }

    fn text_or_action(&mut self) -> Parsed<Piece> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Piece::Node(Node::Text(token.start, self.text_of(&token).into()))),
            Kind::LeftDelim => {
                self.scope.action_line = token.line;
                self.scope.action_start = token.start;
                let piece = self.action()?;
                self.scope.action_line = 0;
                Ok(piece)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Piece> {
        let token = self.next_non_space();
        let Kind::Keyword(keyword) = token.kind else {
            self.back(token);
            return Ok(Piece::Node(Node::Action(self.pipeline("command", Kind::RightDelim)?)));
        };
        Ok(Piece::Node(match keyword {
            Keyword::Block => self.block(token.start)?,
            Keyword::Break => self.jump(&token, "{{break}}", Node::Break)?,
            Keyword::Continue => self.jump(&token, "{{continue}}", Node::Continue)?,
            Keyword::Else => return Ok(Piece::Ending(self.else_ending()?)),
            Keyword::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Piece::Ending(Ending::End));
            }
            Keyword::If => Node::If(self.control("if", token.start)?),
            Keyword::Range => Node::Range(self.control("range", token.start)?),
            Keyword::Template => self.template_call()?,
            Keyword::With => Node::With(self.control("with", token.start)?),
            Keyword::Define | Keyword::Dot | Keyword::Nil => {
                self.back(token);
                Node::Action(self.pipeline("command", Kind::RightDelim)?)
            }
        }))
    }

    fn jump(&mut self, token: &Token, text: &str, node: fn(usize) -> Node) -> Parsed<Node> {
        let next = self.next_non_space();
        if next.kind != Kind::RightDelim {
            return self.unexpected(&next, text);
        }
        if self.scope.ranges == 0 {
            return self.fail(format!("{text} outside {{{{range}}}}"));
        }
        Ok(node(token.start))
    }

    fn else_ending(&mut self) -> Parsed<Ending> {
        let next = self.peek_non_space();
        let start = next.start;
        match next.kind {
            Kind::Keyword(keyword @ (Keyword::If | Keyword::With)) => {
                Ok(Ending::Else(start, Some(keyword)))
            }
            _ => {
                self.expect(Kind::RightDelim, "else")?;
                Ok(Ending::Else(start, None))
            }
        }
    }

    fn control(&mut self, context: &str, opened: usize) -> Parsed<Box<Branch>> {
        if self.scope.controls >= CONTROLS || !stack::has_room() {
            return self.fail("control structures are nested too deep");
        }
        self.scope.controls += 1;
        self.deepest = self.deepest.max(self.scope.parentheses + self.scope.controls);
        let declared = self.scope.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let is_range = usize::from(context == "range");
        self.scope.ranges += is_range;
        let (body, ending) = self.body(opened)?;
        self.scope.ranges -= is_range;
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else(start, Some(Keyword::If)) if context == "if" => {
                self.next();
                let nodes = vec![Node::If(self.control("if", start)?)];
                Some(Body { start, nodes })
            }
            Ending::Else(start, Some(Keyword::With)) if context == "with" => {
                self.next();
                let nodes = vec![Node::With(self.control("with", start)?)];
                Some(Body { start, nodes })
            }
            Ending::Else(..) => {
                let (body, ending) = self.body(opened)?;
                if let Ending::Else(..) = ending {
                    return self.fail(format!("expected end; found {}", ending.text()));
                }
                Some(body)
            }
        };
        for number in self.scope.variables.drain(declared..) {
            self.scope.declared[number] -= 1;
        }
        self.scope.controls -= 1;
        Ok(Box::new(Branch { pipe, body, otherwise }))
    }

    fn block(&mut self, opened: usize) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        if self.scope.controls >= CONTROLS || !stack::has_room() {
            return self.fail("control structures are nested too deep");
        }
        let inner = Scope { controls: self.scope.controls + 1, ..Scope::new() };
        self.deepest = self.deepest.max(inner.controls);
        let outer = std::mem::replace(&mut self.scope, inner);
        let (body, ending) = self.body(opened)?;
        if let Ending::Else(..) = ending {
            self.scope = outer;
            return self.fail(format!("unexpected {} in {CONTEXT}", ending.text()));
        }
        self.add(name.clone(), body)?;
        self.scope = outer;
        Ok(Node::Call(Box::new(TemplateCall { start: token.start, name, pipe: Some(pipe) })))
    }

    fn template_call(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let next = self.next_non_space();
        let pipe = if next.kind == Kind::RightDelim {
            None
        } else {
            self.back(next);
            Some(self.pipeline(CONTEXT, Kind::RightDelim)?)
        };
        Ok(Node::Call(Box::new(TemplateCall { start: token.start, name, pipe })))
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Parsed<Text> {
        match token.kind {
            Kind::String | Kind::RawString => self.unquoted(token),
            _ => self.unexpected(token, context),
        }
    }

    fn unquoted(&self, token: &Token) -> Parsed<Text> {
        match unquote(self.text_of(token)) {
            Some(text) => Ok(text.into()),
            None => self.fail("invalid syntax"),
        }
    }

    // Pipelines.

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let start = self.peek_non_space().start;
        // most have a command only
        let commands = Vec::with_capacity(1);
        let mut pipe = Pipe { start, variables: Vec::new(), assigns: false, commands };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Keyword(Keyword::Dot | Keyword::Nil)
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back(token);
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if let Operand::Bool(..)
            | Operand::Dot(_)
            | Operand::Nil(_)
            | Operand::Number(..)
            | Operand::Text(..) = command.operands[0]
            {
                let stage = index + 1;
                return self.fail(format!("non executable command in pipeline stage {stage}"));
            }
        }
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, and for ranges `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        while self.peek_non_space().kind == Kind::Variable {
            let token = self.next();
            let after = self.peek();
            let next = self.peek_non_space();
            let comma = next.kind == Kind::Char && self.text_of(&next) == b",";
            if !comma && next.kind != Kind::Assign && next.kind != Kind::Declare {
                if after.kind == Kind::Space {
                    self.back(after);
                }
                self.back(token);
                return Ok(());
            }
            self.next();
            let number = self.number_of(&token);
            let name = self.variables[number].clone();
            self.scope.variables.push(number);
            let length = self.scope.declared.len().max(number + 1);
            self.scope.declared.resize(length, 0);
            self.scope.declared[number] += 1;
            pipe.variables.push(Variable { start: token.start, name, number, fields: Vec::new() });
            if !comma {
                pipe.assigns = next.kind == Kind::Assign;
                return Ok(());
            }
            if context != "range" || pipe.variables.len() > 1 {
                return self.fail(format!("too many declarations in {context}"));
            }
            match self.peek_non_space().kind {
                Kind::Variable | Kind::RightDelim | Kind::RightParen => {}
                _ => return self.fail("range can only initialize variables"),
            }
        }
        Ok(())
    }

    fn number_of(&mut self, token: &Token) -> usize {
        if let Some(number) = self.numbers.get(self.text_of(token)) {
            return *number;
        }
        let name = Text::from(self.text_of(token));
        let number = self.variables.len();
        self.variables.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    /// The text at a place, or the same text from elsewhere.
    fn word(&mut self, start: usize, end: usize) -> Text {
        let text = &self.text[start..end];
        if let Some(word) = self.words.get(text) {
            return word.clone();
        }
        let word = Text::from(text);
        self.words.insert(word.clone());
        word
    }

    fn command(&mut self) -> Parsed<Command> {
        let start = self.peek_non_space().start;
        // a name, or a function and its argument: vectors that grow begin with more
        let mut operands = Vec::with_capacity(2);
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                operands.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelim | Kind::RightParen => {
                    self.back(token);
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if operands.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command { start, operands })
    }

    /// A term and the fields that are taken of it.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(mut term) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(term));
        }
        let start = self.peek().start;
        let (known, mut taken) = match &mut term {
            Operand::Field(_, fields) => (true, std::mem::take(fields)),
            _ => (false, Vec::with_capacity(2)),
        };
        while self.peek().kind == Kind::Field {
            let token = self.next();
            taken.push(self.word(token.start + 1, token.end));
        }
        Ok(Some(match term {
            _ if known => Operand::Field(start, taken),
            Operand::Variable(variable) => {
                Operand::Variable(Variable { start, fields: taken, ..variable })
            }
            Operand::Bool(..)
            | Operand::Text(..)
            | Operand::Number(..)
            | Operand::Nil(_)
            | Operand::Dot(_) => {
                let term = quote(term.to_string().as_bytes());
                return self.fail(format!("unexpected . after term {term}"));
            }
            other => Operand::Chain(start, Box::new(other), taken),
        }))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.next_non_space();
        let start = token.start;
        Ok(Some(match token.kind {
            Kind::Identifier => return self.function(&token).map(Some),
            Kind::Keyword(Keyword::Dot) => Operand::Dot(start),
            Kind::Keyword(Keyword::Nil) => Operand::Nil(start),
            Kind::Variable => Operand::Variable(self.variable(&token)?),
            Kind::Field => {
                let mut fields = Vec::with_capacity(2);
                fields.push(self.word(start + 1, token.end));
                Operand::Field(start, fields)
            }
            Kind::Bool => Operand::Bool(start, self.text_of(&token) == b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let text = String::from_utf8_lossy(self.text_of(&token));
                let number = match token.kind {
                    Kind::CharConstant => number::character(&text),
                    Kind::Complex => number::complex(&text),
                    _ => number::number(&text),
                };
                match number {
                    Ok(number) => Operand::Number(start, Box::new(number)),
                    Err(message) => return self.fail(message),
                }
            }
            Kind::LeftParen => {
                if self.scope.parentheses >= PARENTHESES || !stack::has_room() {
                    return self.fail("max expression depth exceeded");
                }
                self.scope.parentheses += 1;
                self.deepest = self.deepest.max(self.scope.parentheses + self.scope.controls);
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.scope.parentheses -= 1;
                Operand::Pipe(pipe)
            }
            Kind::String | Kind::RawString => self.text(&token)?,
            _ => {
                self.back(token);
                return Ok(None);
            }
        }))
    }

    /// A text with the way it was written, unless that is as it is between quotes.
    fn text(&mut self, token: &Token) -> Parsed<Operand> {
        let plain = match self.text_of(token) {
            [b'"', inner @ .., b'"'] => inner.len() <= SHORT && !inner.contains(&b'\\'),
            _ => false,
        };
        if plain && std::str::from_utf8(self.text_of(token)).is_ok() {
            return Ok(Operand::Text(token.start, self.word(token.start + 1, token.end - 1), None));
        }
        let text = self.unquoted(token)?;
        Ok(Operand::Text(token.start, text, Some(self.text_of(token).into())))
    }

    fn function(&mut self, token: &Token) -> Parsed<Operand> {
        let name = self.text_of(token);
        if let Some(function) = std::str::from_utf8(name).ok().and_then(self.functions) {
            return Ok(Operand::Function(token.start, function));
        }
        let name = String::from_utf8_lossy(name);
        Err(Box::new(Fault {
            message: format!("function {} not defined", quote(name.as_bytes())),
            line: self.scope.line,
            start: token.start,
            unknown: Some(name.into_owned()),
            opened: None,
        }))
    }

    fn variable(&mut self, token: &Token) -> Parsed<Variable> {
        let name = self.text_of(token);
        let number = self.numbers.get(name).copied();
        let is_declared = |number: &usize| self.scope.declared.get(*number).is_some_and(|n| *n > 0);
        match number.filter(is_declared) {
            Some(number) => Ok(Variable {
                start: token.start,
                name: self.variables[number].clone(),
                number,
                fields: Vec::new(),
            }),
            None => self.fail(format!("undefined variable {}", quote(name))),
        }
    }
}

/// True when a body holds only space. Calls and controls are something even when they write nothing.
fn is_blank(body: &Body) -> bool {
    body.nodes.iter().all(|node| match node {
        Node::Text(_, text) => {
            !text.iter().any(u8::is_ascii_graphic) && text.lossy().trim().is_empty()
        }
        _ => false,
    })
}

/// The first characters of a text.
fn first_characters(text: &[u8], count: usize) -> &[u8] {
    let mut end = 0;
    for _ in 0..count {
        end += super::lex::decode(&text[end..]).map_or(0, |(_, length)| length);
    }
    &text[..end]
}
