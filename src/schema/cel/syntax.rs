//! The grammar of CEL: texts to expressions.
//!
//! One hand-written recursive descent over the grammar of the language definition. Macros
//! (`has`, `all`, `map`, …) stay calls; [`super::eval`] knows them. Nesting is limited, so that no
//! rule can exhaust the stack.

use std::iter::Peekable;
use std::str::CharIndices;

/// Expressions nested deeper are refused.
const DEPTH: usize = 64;

/// Trees of expressions higher than this are refused: `a + b + c` is one of height 3.
const HEIGHT: usize = 160;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Name(String),
    /// `target.field`; with `optional` it is `target.?field`.
    Select {
        target: Box<Expr>,
        field: String,
        optional: bool,
    },
    /// `target[key]`; with `optional` it is `target[?key]`.
    Index {
        target: Box<Expr>,
        key: Box<Expr>,
        optional: bool,
    },
    /// A function, or a method of `target`.
    Call {
        target: Option<Box<Expr>>,
        name: String,
        args: Vec<Expr>,
    },
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `condition ? yes : no`
    Choice(Box<[Expr; 3]>),
}

/// What stands between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Operators from the weakest to the strongest.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        ("<", Operator::Less),
        (">=", Operator::AtLeast),
        (">", Operator::More),
        ("in", Operator::In),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

const TOO_DEEP: &str = "the expression is nested too deep";

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Sign(&'static str),
    Value(Expr),
    End,
}

/// Reads an expression; the error is a sentence.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let tokens = Lexer { text, rest: text.char_indices().peekable() }.tokens()?;
    let mut parser = Parser { tokens, at: 0, depth: 0, height: 0 };
    let expr = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(expr),
        other => Err(format!("mismatched input {}", describe(other))),
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::Name(name) => format!("'{name}'"),
        Token::Sign(sign) => format!("'{sign}'"),
        Token::Value(_) => "a literal".into(),
        Token::End => "<EOF>".into(),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// The height of the expression that was read last.
    height: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = match self.peek() {
            Token::Sign(known) => *known == sign,
            Token::Name(name) => sign == "in" && name == "in",
            _ => false,
        };
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.eat(sign) {
            return Ok(());
        }
        Err(format!("mismatched input {} expecting '{sign}'", describe(self.peek())))
    }

    /// Puts an expression on top of the last one and of others, which have a height.
    fn grow(&mut self, others: usize) -> Result<(), String> {
        self.height = self.height.max(others) + 1;
        if self.height > HEIGHT {
            return Err(TOO_DEEP.into());
        }
        Ok(())
    }

    fn expression(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(TOO_DEEP.into());
        }
        let condition = self.level(0)?;
        let expr = if self.eat("?") {
            let first = self.height;
            let yes = self.level(0)?;
            let second = self.height;
            self.expect(":")?;
            let no = self.expression()?;
            self.grow(first.max(second))?;
            Expr::Choice(Box::new([condition, yes, no]))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn level(&mut self, level: usize) -> Result<Expr, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.eat(sign)) {
            let height = self.height;
            let right = self.level(level + 1)?;
            self.grow(height)?;
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, String> {
        let mut signs = Vec::new();
        while let Some(sign) = ["!", "-"].into_iter().find(|sign| self.eat(sign)) {
            signs.push(sign);
        }
        let mut expr = self.member()?;
        for sign in signs.into_iter().rev() {
            self.grow(0)?;
            expr = match (sign, expr) {
                ("!", inner) => Expr::Not(Box::new(inner)),
                (_, inner) => Expr::Minus(Box::new(inner)),
            };
        }
        Ok(expr)
    }

    fn member(&mut self) -> Result<Expr, String> {
        let mut expr = self.primary()?;
        loop {
            let height = self.height;
            if self.eat(".") {
                let optional = self.eat("?");
                let name = self.name()?;
                self.grow(0)?;
                expr = if !optional && self.eat("(") {
                    let args = self.list(")")?;
                    self.grow(height)?;
                    Expr::Call { target: Some(Box::new(expr)), name, args }
                } else {
                    Expr::Select { target: Box::new(expr), field: unescape(&name), optional }
                };
            } else if self.eat("[") {
                let optional = self.eat("?");
                let key = Box::new(self.expression()?);
                self.expect("]")?;
                self.grow(height)?;
                expr = Expr::Index { target: Box::new(expr), key, optional };
            } else {
                return Ok(expr);
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next() {
            Token::Name(name) => Ok(name),
            other => Err(format!("mismatched input {} expecting a name", describe(&other))),
        }
    }

    fn primary(&mut self) -> Result<Expr, String> {
        if self.eat("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.eat("[") {
            return Ok(Expr::List(self.list("]")?));
        }
        if self.eat("{") {
            return self.map();
        }
        // a leading dot names something at the root
        self.eat(".");
        self.height = 1;
        match self.next() {
            Token::Value(value) => Ok(value),
            Token::Name(name) => Ok(match name.as_str() {
                "true" => Expr::Bool(true),
                "false" => Expr::Bool(false),
                "null" => Expr::Null,
                _ if self.eat("(") => Expr::Call { target: None, name, args: self.list(")")? },
                _ => Expr::Name(name),
            }),
            other => Err(format!("mismatched input {}", describe(&other))),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut items = Vec::new();
        let mut highest = 0;
        while !self.eat(end) {
            items.push(self.expression()?);
            highest = self.height.max(highest);
            if !self.eat(",") {
                self.expect(end)?;
                break;
            }
        }
        self.height = highest;
        self.grow(0)?;
        Ok(items)
    }

    fn map(&mut self) -> Result<Expr, String> {
        let mut entries = Vec::new();
        let mut highest = 0;
        while !self.eat("}") {
            let key = self.expression()?;
            highest = self.height.max(highest);
            self.expect(":")?;
            entries.push((key, self.expression()?));
            highest = self.height.max(highest);
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        self.height = highest;
        self.grow(0)?;
        Ok(Expr::Map(entries))
    }
}

/// Property names that are no names of CEL are written with escapes in Kubernetes' rules.
fn unescape(name: &str) -> String {
    if !name.starts_with("__") && !name.contains("__") {
        return name.to_owned();
    }
    if let Some(word) = name.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"))
        && !word.contains("__")
        && !matches!(word, "dot" | "dash" | "slash" | "underscores")
    {
        return word.to_owned();
    }
    name.replace("__underscores__", "\0")
        .replace("__dot__", ".")
        .replace("__dash__", "-")
        .replace("__slash__", "/")
        .replace('\0', "__")
}

struct Lexer<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

const SIGNS: [&str; 24] = [
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];

impl Lexer<'_> {
    fn tokens(mut self) -> Result<Vec<Token>, String> {
        let mut tokens = Vec::new();
        while let Some(&(at, c)) = self.rest.peek() {
            let here = &self.text[at..];
            if c.is_whitespace() {
                self.rest.next();
            } else if here.starts_with("//") {
                self.skip(here.find('\n').unwrap_or(here.len()));
            } else if let Some((token, length)) = text_literal(here)? {
                tokens.push(token);
                self.skip(length);
            } else if c.is_ascii_digit()
                || c == '.' && here[1..].starts_with(|c: char| c.is_ascii_digit())
            {
                let (token, length) = number(here)?;
                tokens.push(token);
                self.skip(length);
            } else if c.is_ascii_alphabetic() || c == '_' {
                let end = here.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let name = &here[..end.unwrap_or(here.len())];
                tokens.push(Token::Name(name.to_owned()));
                self.skip(name.len());
            } else if let Some(sign) = SIGNS.into_iter().find(|sign| here.starts_with(sign)) {
                tokens.push(Token::Sign(sign));
                self.skip(sign.len());
            } else {
                return Err(format!("token recognition error at: '{c}'"));
            }
        }
        tokens.push(Token::End);
        Ok(tokens)
    }

    /// Passes over so many bytes.
    fn skip(&mut self, bytes: usize) {
        let Some(&(start, _)) = self.rest.peek() else { return };
        while self.rest.next_if(|(at, _)| *at < start + bytes).is_some() {}
    }
}

/// A number at the start of a text, and its length.
fn number(text: &str) -> Result<(Token, usize), String> {
    let bytes = text.as_bytes();
    let hex = text.starts_with("0x") || text.starts_with("0X");
    let mut end = if hex { 2 } else { 0 };
    let mut double = false;
    while let Some(byte) = bytes.get(end) {
        let sign_of_exponent =
            matches!(byte, b'+' | b'-') && matches!(bytes[end - usize::from(end > 0)], b'e' | b'E');
        match byte {
            b'0'..=b'9' => {}
            b'a'..=b'f' | b'A'..=b'F' if hex => {}
            b'.' if !hex && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) => double = true,
            b'e' | b'E' if end > 0 => double = true,
            _ if double && sign_of_exponent => {}
            _ => break,
        }
        end += 1;
    }
    let digits = &text[..end];
    let wrong = || format!("invalid number '{digits}'");
    if double {
        return Ok((Token::Value(Expr::Double(digits.parse().map_err(|_| wrong())?)), end));
    }
    let value = if hex { u64::from_str_radix(&digits[2..], 16) } else { digits.parse() };
    let value = value.map_err(|_| wrong())?;
    if matches!(bytes.get(end), Some(b'u' | b'U')) {
        return Ok((Token::Value(Expr::Uint(value)), end + 1));
    }
    let value = i64::try_from(value).map_err(|_| wrong())?;
    Ok((Token::Value(Expr::Int(value)), end))
}

/// A text or bytes at the start, and the length; nothing when something else stands there.
fn text_literal(text: &str) -> Result<Option<(Token, usize)>, String> {
    let prefix = text.bytes().take_while(|b| matches!(b, b'r' | b'R' | b'b' | b'B')).count();
    let (marks, body) = text.split_at(prefix.min(2));
    let (raw, bytes) = (marks.contains(['r', 'R']), marks.contains(['b', 'B']));
    let quotes = ["\"\"\"", "'''", "\"", "'"];
    let Some(quote) = quotes.into_iter().find(|quote| body.starts_with(quote)) else {
        return Ok(None);
    };
    let inner = &body[quote.len()..];
    let mut value = Vec::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        if inner[at..].starts_with(quote) {
            let length = marks.len() + 2 * quote.len() + at;
            let token = if bytes {
                Expr::Bytes(value)
            } else {
                Expr::Text(String::from_utf8(value).map_err(|_| "a text is no UTF-8")?)
            };
            return Ok(Some((Token::Value(token), length)));
        }
        if c == '\n' && quote.len() == 1 {
            break;
        }
        if c != '\\' || raw {
            value.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        let (_, escape) = chars.next().ok_or("a text does not end")?;
        let plain = match escape {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '`' | '?' => escape,
            'x' | 'X' | 'u' | 'U' | '0'..='3' => {
                let (count, radix, first) = match escape {
                    'x' | 'X' => (2, 16, None),
                    'u' => (4, 16, None),
                    'U' => (8, 16, None),
                    digit => (2, 8, Some(digit)),
                };
                let digits: String =
                    first.into_iter().chain(chars.by_ref().take(count).map(|(_, c)| c)).collect();
                let code = u32::from_str_radix(&digits, radix)
                    .map_err(|_| format!("invalid escape '\\{escape}{digits}'"))?;
                if bytes && !matches!(escape, 'u' | 'U') {
                    value.push(u8::try_from(code).map_err(|_| "a byte is too large")?);
                    continue;
                }
                char::from_u32(code).ok_or("an escape is no character")?
            }
            other => return Err(format!("invalid escape '\\{other}'")),
        };
        value.extend(plain.encode_utf8(&mut [0; 4]).bytes());
    }
    Err("a text does not end".into())
}
