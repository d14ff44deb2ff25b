//! `--set` and its siblings, in Helm's grammar: `a.b[0].c=v,d={x,y},e=null`, with `\` before a
//! character that would end a name or value. `--set-literal` takes one path, and after `=` all that
//! follows as it stands.
//!
//! Every value lives in a virtual file named after the flag, so an error about it shows what was
//! typed. Types are inferred as Helm does: `true`, `false` and `null` in any case, integers that
//! have no leading zero, and text for the rest. A path may go through at most [`MAX_DEPTH`] names,
//! an index is at most [`MAX_INDEX`].
//!
//! What Helm takes and passes over is refused: an empty name (`=x`, `a..b=x`) and a path that breaks
//! off (`a[0`, `a[0]`, `a.`). An empty value at the end of a list's path (`a[0].b=`) counts, which
//! Helm drops; a null in the way becomes a map or list, which Helm refuses; and numbers in JSON keep
//! all their digits.

use crate::base::diag::Diagnostic;
use crate::base::source::{FileId, Sources, Span};
use crate::yaml::{Entry, Node, Value};

/// Largest index of a list, as in Helm.
const MAX_INDEX: usize = 65_536;

/// Deepest path, as in Helm.
const MAX_DEPTH: usize = 30;

/// Which flag it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetKind {
    /// `--set`: types are inferred.
    Typed,
    /// `--set-string`: every value is text.
    Text,
    /// `--set-json`: values are JSON.
    Json,
    /// `--set-file`: values are names of files whose text is the value.
    File,
    /// `--set-literal`: everything after the first `=` is the value.
    Literal,
}

/// One use of a flag.
#[derive(Clone, Debug)]
pub struct SetFlag {
    /// Which flag.
    pub kind: SetKind,
    /// What was typed after it.
    pub text: String,
}

impl SetKind {
    fn flag(self) -> &'static str {
        match self {
            SetKind::Typed => "--set",
            SetKind::Text => "--set-string",
            SetKind::Json => "--set-json",
            SetKind::File => "--set-file",
            SetKind::Literal => "--set-literal",
        }
    }
}

/// Puts what a flag says into `values`. `read` gives the text of a file for `--set-file`.
///
/// # Errors
/// When the text does not follow the grammar or goes beyond the limits.
pub fn apply(
    flag: &SetFlag,
    values: &mut Node,
    sources: &Sources,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(), Diagnostic> {
    let file = sources.add(flag.kind.flag(), flag.text.as_str());
    let mut parser = Parser { kind: flag.kind, text: &flag.text, at: 0, file, read };
    if flag.kind == SetKind::Json && flag.text.trim_start().starts_with('{') {
        let mut object = parser.json()?;
        object.respan(parser.span(0));
        let end = parser.at;
        parser.blanks();
        if parser.at < parser.text.len() {
            return Err(parser.fault(end, "something follows the JSON object"));
        }
        super::layer(values, object);
        return Ok(());
    }
    while parser.at < parser.text.len() {
        parser.key(values, 0)?;
    }
    Ok(())
}

struct Parser<'a> {
    kind: SetKind,
    text: &'a str,
    at: usize,
    file: FileId,
    read: &'a dyn Fn(&str) -> Result<String, String>,
}

/// A name or value up to a stop character, its backslashes resolved.
struct Token {
    text: String,
    start: usize,
    /// What ended it; nothing at the end of the text.
    stop: Option<char>,
}

impl Parser<'_> {
    fn span(&self, start: usize) -> Span {
        Span::new(self.file, start, self.at.max(start))
    }

    fn fault(&self, start: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error("wharf::values::set_syntax", message)
            .at(Span::new(self.file, start, self.at.max(start + 1).min(self.text.len())), "")
            .note("the grammar is Helm's: `name.inner[0]=value,other={a,b}`, `\\` before a literal comma")
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Reads up to one of the stops. A backslash takes the next character as it is; as the last one
    /// it is dropped.
    fn token(&mut self, stops: &[char]) -> Token {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.text[start..].char_indices();
        while let Some((offset, char)) = chars.next() {
            if stops.contains(&char) {
                self.at = start + offset + char.len_utf8();
                return Token { text, start, stop: Some(char) };
            }
            if char == '\\' && self.kind != SetKind::Literal {
                text.extend(chars.next().map(|(_, next)| next));
            } else {
                text.push(char);
            }
        }
        self.at = self.text.len();
        Token { text, start, stop: None }
    }

    /// One `path=value` below `parent`.
    fn key(&mut self, parent: &mut Node, depth: usize) -> Result<(), Diagnostic> {
        let stops = ['=', '[', '.', ','];
        let literal = self.kind == SetKind::Literal;
        let key = self.token(if literal { &stops[..3] } else { &stops });
        let key_end = if key.stop.is_some() { self.at - 1 } else { self.at };
        let key_span = Span::new(self.file, key.start, key_end);
        match key.stop {
            None if key.text.is_empty() && depth == 0 => return Ok(()),
            None | Some(',') => {
                return Err(self
                    .fault(key.start, format!("key `{}` has no value", key.text))
                    .help("write `key=value`; a comma inside a value needs a `\\` before it"));
            }
            _ => {}
        }
        let map = match &mut parent.value {
            Value::Map(map) => map,
            Value::Null => parent.ensure_map(),
            _ => {
                let message = format!("`{}` goes into a {}", key.text, parent.kind());
                return Err(self.fault(key.start, message));
            }
        };
        if key.text.is_empty() {
            return Err(self.fault(key.start, "a name is empty"));
        }
        if !map.contains_key(&key.text) {
            let key = key.text.as_str().into();
            map.insert_entry(Entry { key, key_span, value: Node::new(Value::Null, key_span) });
        }
        let node = map.get_mut(&key.text).expect("it was put in just above");
        match key.stop {
            Some('[') => {
                let index = self.index()?;
                self.item(node, index, depth)
            }
            Some('.') => {
                if depth + 1 > MAX_DEPTH {
                    let message = format!("the path has more than {MAX_DEPTH} names");
                    return Err(self.fault(key.start, message));
                }
                if self.at == self.text.len() {
                    return Err(self.fault(key.start, format!("key `{}` has no value", key.text)));
                }
                self.key(node, depth + 1)
            }
            _ => {
                *node = self.value()?;
                Ok(())
            }
        }
    }

    /// The index between brackets, of which the first was read.
    fn index(&mut self) -> Result<usize, Diagnostic> {
        let token = self.token(&[']']);
        if token.stop.is_none() {
            return Err(self.fault(token.start, "an index ends with `]`"));
        }
        match token.text.parse::<usize>() {
            Ok(index) if index <= MAX_INDEX => Ok(index),
            Ok(index) => {
                let message = format!("index {index} is over the largest, {MAX_INDEX}");
                Err(self.fault(token.start, message))
            }
            Err(_) => {
                Err(self.fault(token.start, format!("`{}` is no index of a list", token.text)))
            }
        }
    }

    /// What follows `name[index]`.
    fn item(&mut self, node: &mut Node, index: usize, depth: usize) -> Result<(), Diagnostic> {
        let start = self.at;
        if node.is_null() {
            *node = Node::new(Vec::new(), node.span);
        }
        let kind = node.kind();
        let Some(list) = node.as_list_mut() else {
            return Err(self.fault(start, format!("an index goes into a {kind}")));
        };
        if list.len() <= index {
            list.resize_with(index + 1, || Node::new(Value::Null, Span::NONE));
        }
        let item = &mut list[index];
        let token = self.token(&['[', '.', '=']);
        if !token.text.is_empty() {
            let message = format!("`{}` follows an index", token.text);
            return Err(self.fault(token.start, message).help("write `.`, `[` or `=` after `]`"));
        }
        match token.stop {
            Some('=') => *item = self.value()?,
            Some('[') => {
                let inner = self.index()?;
                if depth + 1 > MAX_DEPTH {
                    let message = format!("the path has more than {MAX_DEPTH} names");
                    return Err(self.fault(start, message));
                }
                self.item(item, inner, depth + 1)?;
            }
            Some(_) => {
                // Helm: an item that is no map gives way to one
                if item.as_map().is_none() {
                    *item = Node::map();
                }
                if self.at == self.text.len() {
                    return Err(self.fault(start, "a name is missing after `.`"));
                }
                self.key(item, depth + 1)?;
            }
            None => return Err(self.fault(start, "an index without a value")),
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Node, Diagnostic> {
        if self.kind == SetKind::Json {
            return self.json_value();
        }
        if self.kind == SetKind::Literal {
            let token = self.token(&[]);
            return self.scalar(token);
        }
        if self.at == self.text.len() {
            // nothing is an empty text for every flag, and names no file
            return Ok(Node::new("", self.span(self.at)));
        }
        if self.peek() != Some('{') {
            let token = self.token(&[',']);
            return self.scalar(token);
        }
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        loop {
            let token = self.token(&[',', '}']);
            match token.stop {
                None => return Err(self.fault(start, "a list ends with `}`")),
                Some('}') => {
                    items.push(self.scalar(token)?);
                    let span = self.span(start);
                    if self.peek() == Some(',') {
                        self.at += 1;
                    }
                    return Ok(Node::new(items, span));
                }
                Some(_) => items.push(self.scalar(token)?),
            }
        }
    }

    fn scalar(&self, token: Token) -> Result<Node, Diagnostic> {
        let end = if token.stop.is_some() { self.at - 1 } else { self.at };
        let span = Span::new(self.file, token.start, end);
        let text = token.text;
        let value = match self.kind {
            SetKind::Typed => inferred(text),
            SetKind::File => Value::from((self.read)(&text).map_err(|error| {
                Diagnostic::error("wharf::values::set_file", format!("cannot read `{text}`"))
                    .at(span, "named here")
                    .note(error)
            })?),
            SetKind::Text | SetKind::Json | SetKind::Literal => Value::from(text),
        };
        Ok(Node::new(value, span))
    }

    /// A JSON value and the comma after it; nothing is null.
    fn json_value(&mut self) -> Result<Node, Diagnostic> {
        self.blanks();
        if matches!(self.peek(), None | Some(',')) {
            let span = self.span(self.at);
            self.at += usize::from(self.peek().is_some());
            return Ok(Node::new(Value::Null, span));
        }
        let start = self.at;
        let mut node = self.json()?;
        node.respan(self.span(start));
        self.blanks();
        if self.peek() == Some(',') {
            self.at += 1;
        }
        Ok(node)
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += self.peek().map_or(0, char::len_utf8);
        }
    }

    fn json(&mut self) -> Result<Node, Diagnostic> {
        let start = self.at;
        let mut stream = serde_json::Deserializer::from_str(&self.text[start..]).into_iter();
        let read: Option<Result<Node, _>> = stream.next();
        self.at = start + stream.byte_offset();
        match read {
            Some(Ok(node)) => Ok(node),
            Some(Err(error)) => {
                self.at = self.text.len();
                Err(self.fault(start, "the value is no JSON").note(error.to_string()))
            }
            None => Ok(Node::NULL),
        }
    }
}

/// The value that Helm takes a text for.
fn inferred(text: String) -> Value {
    for (word, value) in
        [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
    {
        if text.eq_ignore_ascii_case(word) {
            return value;
        }
    }
    if text == "0" {
        return Value::from(0);
    }
    let integer = (!text.starts_with('0')).then(|| text.parse::<i64>().ok()).flatten();
    integer.map_or_else(|| Value::from(text), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn run(kind: SetKind, texts: &[&str]) -> Result<Json, String> {
        let sources = Sources::new();
        let mut values = Node::map();
        for text in texts {
            let flag = SetFlag { kind, text: (*text).to_owned() };
            let read = |name: &str| {
                if name == "gone" { Err("no such file".into()) } else { Ok(format!("<{name}>")) }
            };
            apply(&flag, &mut values, &sources, &read).map_err(|fault| fault.message)?;
        }
        Ok(Json::from(&values))
    }

    fn check(text: &str, expected: Json) {
        assert_eq!(run(SetKind::Typed, &[text]), Ok(expected), "{text}");
    }

    /// Rows of Helm's own documentation and behaviour.
    #[test]
    fn the_grammar_is_helms() {
        check("a=b", json!({"a": "b"}));
        check("a=b,", json!({"a": "b"}));
        check("a=", json!({"a": ""}));
        check("a=,b=1", json!({"a": "", "b": 1}));
        check("a=1,b=01,c=0,d=-5,e=+5", json!({"a": 1, "b": "01", "c": 0, "d": -5, "e": 5}));
        check("a=True,b=FALSE,c=Null,d=yes", json!({"a": true, "b": false, "c": null, "d": "yes"}));
        check("a=1.5,b=1e3", json!({"a": "1.5", "b": "1e3"}));
        check("a={x,y,1}", json!({"a": ["x", "y", 1]}));
        check("a={},b={x},c=2", json!({"a": [""], "b": ["x"], "c": 2}));
        check(r"a=x\,y,b\.c=1", json!({"a": "x,y", "b.c": 1}));
        check("a.b.c=1,a.b.d=2", json!({"a": {"b": {"c": 1, "d": 2}}}));
        check("a[0].b=1,a[0].c=2,a[2]=x", json!({"a": [{"b": 1, "c": 2}, null, "x"]}));
        check("a[0][1]=x", json!({"a": [[null, "x"]]}));
        check("a={1,2},a[1]=3", json!({"a": [1, 3]}));
        check(r"a=b\\c,d=e\f", json!({"a": r"b\c", "d": "ef"}));
        check("a=x=y", json!({"a": "x=y"}));
        check(r"a=b\", json!({"a": "b"}));
        check("a[0].b=", json!({"a": [{"b": ""}]}));
        check("a=9223372036854775808", json!({"a": "9223372036854775808"}));
    }

    #[test]
    fn other_flags_read_text_json_and_files() {
        assert_eq!(run(SetKind::Text, &["a=1,b={true}"]), Ok(json!({"a": "1", "b": ["true"]})));
        assert_eq!(
            run(SetKind::Json, &[r#"a={"x":[1, 2]} ,b=null,c="q",d="#]),
            Ok(json!({"a": {"x": [1, 2]}, "b": null, "c": "q", "d": null}))
        );
        assert_eq!(run(SetKind::Json, &[r#"{"a": {"b": 1}}"#]), Ok(json!({"a": {"b": 1}})));
        assert_eq!(
            run(SetKind::File, &["a=f.txt,b={g,h},c="]),
            Ok(json!({"a": "<f.txt>", "b": ["<g>", "<h>"], "c": ""}))
        );
        assert_eq!(
            run(SetKind::Literal, &[r"a.b=x,y={1}\z", "c[1]=", "d,e=1"]),
            Ok(json!({"a": {"b": r"x,y={1}\z"}, "c": [null, ""], "d,e": "1"}))
        );
    }

    #[test]
    fn faults_say_what_is_wrong() {
        for (text, message) in [
            ("a", "key `a` has no value"),
            ("a,b=1", "key `a` has no value"),
            ("a.b", "key `b` has no value"),
            ("a.", "key `a` has no value"),
            (r"a.\", "key `` has no value"),
            ("a=1,a.b=2", "`b` goes into a integer"),
            ("a=1,a[0]=2", "an index goes into a integer"),
            ("a[-1]=1", "`-1` is no index of a list"),
            ("a[70000]=1", "index 70000 is over the largest, 65536"),
            ("a[0]b=1", "`b` follows an index"),
            ("a[0]", "an index without a value"),
            ("=1", "a name is empty"),
            ("a..b=1", "a name is empty"),
            ("a=1,,b=2", "key `` has no value"),
            ("a[0", "an index ends with `]`"),
            ("a={x", "a list ends with `}`"),
        ] {
            assert_eq!(run(SetKind::Typed, &[text]), Err(message.into()), "{text}");
        }
        let deep = format!("{}=1", vec!["a"; 40].join("."));
        assert_eq!(run(SetKind::Typed, &[&deep]), Err("the path has more than 30 names".into()));
        assert_eq!(run(SetKind::File, &["a=gone"]), Err("cannot read `gone`".into()));
        assert_eq!(
            run(SetKind::Json, &[r#"{"a": 1} b"#]),
            Err("something follows the JSON object".into())
        );
        assert_eq!(run(SetKind::Json, &["a={"]), Err("the value is no JSON".into()));
    }
}
