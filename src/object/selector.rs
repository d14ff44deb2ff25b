//! Label selectors and field selectors, with the error texts of Kubernetes' API.
//!
//! ```text
//! a=b,c==d,e!=f,g in (x,y),h notin (z),i,!j,k>1,l<2        labels
//! metadata.name=a,status.phase!=Failed                     fields
//! ```

use crate::yaml::{Map, Node, Value, json};
use std::fmt;

/// A condition on labels; the empty one holds for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with, sorted; none for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The value is one of these: `in`, and `=`, `==` with one value.
    In,
    /// The value is none of these, or the label is absent: `notin`, `!=`.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
    /// The value is an integer greater than this.
    GreaterThan,
    /// The value is an integer less than this.
    LessThan,
}

/// Why a selector cannot be read, in the words of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

impl Selector {
    /// Reads a selector from its text.
    ///
    /// # Errors
    /// The first fault, as Kubernetes says it.
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        let mut parser = Parser { tokens: scan(text), at: 0 };
        parser.selector()
    }

    /// Reads a `LabelSelector`: `matchLabels` and `matchExpressions`.
    ///
    /// # Errors
    /// The first expression that cannot be read.
    pub fn from_label_selector(node: &Node) -> Result<Selector, SelectorError> {
        let mut requirements = Vec::new();
        for entry in node.get("matchLabels").and_then(Node::as_map).into_iter().flatten() {
            let value = entry.value.as_str().unwrap_or_default().to_owned();
            requirements.push(requirement(entry.key.to_string(), Operator::In, vec![value])?);
        }
        for item in node.items_at(&["matchExpressions"]) {
            let key = item.str_at(&["key"]).unwrap_or_default().to_owned();
            let values: Vec<String> = item
                .items_at(&["values"])
                .iter()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect();
            let name = item.str_at(&["operator"]).unwrap_or_default();
            let operator = match name {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => {
                    return Err(SelectorError(format!(
                        "{name:?} is not a valid label selector operator"
                    )));
                }
            };
            requirements.push(requirement(key, operator, values)?);
        }
        Ok(Selector { requirements })
    }

    /// The selector of exactly these labels.
    #[must_use]
    pub fn from_labels(labels: &Map) -> Selector {
        let requirements = labels
            .iter()
            .map(|entry| Requirement {
                key: entry.key.to_string(),
                operator: Operator::In,
                values: vec![entry.value.as_str().unwrap_or_default().to_owned()],
            })
            .collect();
        Selector { requirements }
    }

    /// True when it holds for these labels.
    #[must_use]
    pub fn matches(&self, labels: Option<&Map>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels))
    }

    /// True when it holds for everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The conditions, all of which must hold.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }
}

impl Requirement {
    /// True when it holds for these labels.
    #[must_use]
    pub fn matches(&self, labels: Option<&Map>) -> bool {
        // a file may hold what is no text, which is one to whoever compares it
        let scalar = |node: &Node| !matches!(node.value, Value::List(_) | Value::Map(_));
        let value = labels.and_then(|labels| labels.get(&self.key)).filter(|node| scalar(node));
        let other = value.filter(|node| node.as_str().is_none()).map(json::to_string);
        let value = value.and_then(Node::as_str).or(other.as_deref());
        let has = |value: &str| self.values.iter().any(|known| known == value);
        let integer = |text: &str| text.parse::<i64>().ok();
        let bound = || self.values.first().and_then(|text| integer(text));
        match self.operator {
            Operator::In => value.is_some_and(has),
            Operator::NotIn => !value.is_some_and(has),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => {
                value.and_then(integer).zip(bound()).is_some_and(|(value, bound)| value > bound)
            }
            Operator::LessThan => {
                value.and_then(integer).zip(bound()).is_some_and(|(value, bound)| value < bound)
            }
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.requirements.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            write!(f, "{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Requirement { key, operator, values } = self;
        let values = values.join(",");
        let single = self.values.len() == 1;
        match operator {
            Operator::In if single => write!(f, "{key}={values}"),
            Operator::NotIn if single => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// Checks and makes a requirement.
fn requirement(
    key: String,
    operator: Operator,
    mut values: Vec<String>,
) -> Result<Requirement, SelectorError> {
    if let Some(fault) = label_key_fault(&key) {
        return Err(SelectorError(format!("key: Invalid value: {key:?}: {fault}")));
    }
    let invalid = |shown: String, fault: &str| {
        Err(SelectorError(format!("values: Invalid value: {shown}: {fault}")))
    };
    let listed =
        || format!("[{}]", values.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(","));
    match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            return invalid("[]".into(), "for 'in', 'notin' operators, values set can't be empty");
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            return invalid(listed(), "values set must be empty for exists and does not exist");
        }
        Operator::GreaterThan | Operator::LessThan
            if values.len() != 1 || values[0].parse::<i64>().is_err() =>
        {
            return Err(SelectorError(format!(
                "values[0]: Invalid value: {:?}: for 'Gt', 'Lt' operators, the value must be an \
                 integer",
                values.first().map_or("", String::as_str)
            )));
        }
        _ => {}
    }
    for (at, value) in values.iter().enumerate() {
        if let Some(fault) = label_value_fault(value) {
            return Err(SelectorError(format!(
                "values[{at}][{key}]: Invalid value: {value:?}: {fault}"
            )));
        }
    }
    values.sort();
    values.dedup();
    Ok(Requirement { key, operator, values })
}

/// What is wrong with a label's key, in the words of Kubernetes; nothing when it is fine.
#[must_use]
pub fn label_key_fault(key: &str) -> Option<String> {
    const NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start \
        and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex \
        used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    const PREFIX: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
        characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
        'example.com', regex used for validation is \
        '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    let mut faults = Vec::new();
    let name = match key.split_once('/') {
        None => key,
        Some((_, rest)) if rest.contains('/') => {
            return Some(format!(
                "a qualified name {NAME} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            ));
        }
        Some((prefix, name)) => {
            if prefix.is_empty() {
                faults.push("prefix part must be non-empty".to_owned());
            } else if !is_subdomain(prefix) {
                faults.push(format!("prefix part {PREFIX}"));
            } else if prefix.len() > 253 {
                faults.push("prefix part must be no more than 253 characters".to_owned());
            }
            name
        }
    };
    if name.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        faults.push("name part must be no more than 63 characters".to_owned());
    }
    if !is_label_text(name) {
        faults.push(format!("name part {NAME}"));
    }
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// What is wrong with a label's value, in the words of Kubernetes; nothing when it is fine.
#[must_use]
pub fn label_value_fault(value: &str) -> Option<String> {
    if value.len() > 63 {
        return Some("must be no more than 63 characters".to_owned());
    }
    (!value.is_empty() && !is_label_text(value)).then(|| {
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
         '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
         'my_value',  or '12345', regex used for validation is \
         '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            .to_owned()
    })
}

fn is_label_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// True of a DNS subdomain of any length (RFC 1123): small letters, digits and dashes between dots.
#[must_use]
pub fn is_subdomain(text: &str) -> bool {
    text.split('.').all(|part| {
        let bytes = part.as_bytes();
        let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        bytes.first().is_some_and(edge)
            && bytes.last().is_some_and(edge)
            && bytes.iter().all(|b| edge(b) || *b == b'-')
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    End,
    Symbol(&'static str),
    Word(String),
}

const SYMBOLS: &[&str] = &["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

fn scan(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            let special = |c: char| "=!(),><".contains(c) || c.is_ascii_whitespace();
            let (word, tail) = rest.split_at(rest.find(special).unwrap_or(rest.len()));
            tokens.push(Token::Word(word.to_owned()));
            rest = tail;
        }
        rest = rest.trim_start();
    }
    tokens.push(Token::End);
    tokens
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::End => Ok(()),
            Token::Symbol(symbol) => f.write_str(symbol),
            Token::Word(word) => f.write_str(word),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
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

    fn selector(&mut self) -> Result<Selector, SelectorError> {
        let mut requirements = Vec::new();
        let starts = |token: &Token| matches!(token, Token::Word(_) | Token::Symbol("!"));
        loop {
            if *self.peek() == Token::End {
                break;
            }
            if !starts(self.peek()) {
                let found = self.peek();
                return Err(SelectorError(format!(
                    "found '{found}', expected: !, identifier, or 'end of string'"
                )));
            }
            let parsed = self
                .requirement()
                .map_err(|error| SelectorError(format!("unable to parse requirement: {error}")))?;
            requirements.push(parsed);
            match self.next() {
                Token::End => break,
                Token::Symbol(",") if starts(self.peek()) => {}
                Token::Symbol(",") => {
                    let found = self.peek();
                    return Err(SelectorError(format!(
                        "found '{found}', expected: identifier after ','"
                    )));
                }
                found => {
                    return Err(SelectorError(format!(
                        "found '{found}', expected: ',' or 'end of string'"
                    )));
                }
            }
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Selector { requirements })
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let mut token = self.next();
        let negated = token == Token::Symbol("!");
        if negated {
            token = self.next();
        }
        let Token::Word(key) = token else {
            return Err(SelectorError(format!("found '{token}', expected: identifier")));
        };
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            let operator = if negated { Operator::DoesNotExist } else { Operator::Exists };
            return requirement(key, operator, Vec::new());
        }
        if let Some(fault) = label_key_fault(&key) {
            return Err(SelectorError(format!("key: Invalid value: {key:?}: {fault}")));
        }
        let token = self.next();
        match &token {
            Token::Word(word) if word == "in" => {
                let values = self.values()?;
                requirement(key, Operator::In, values)
            }
            Token::Word(word) if word == "notin" => {
                let values = self.values()?;
                requirement(key, Operator::NotIn, values)
            }
            Token::Symbol("=" | "==") => self.exact(key, Operator::In),
            Token::Symbol("!=") => self.exact(key, Operator::NotIn),
            Token::Symbol(">") => self.exact(key, Operator::GreaterThan),
            Token::Symbol("<") => self.exact(key, Operator::LessThan),
            found => Err(SelectorError(format!(
                "found '{found}', expected: in, notin, =, ==, !=, gt, lt"
            ))),
        }
    }

    fn exact(&mut self, key: String, operator: Operator) -> Result<Requirement, SelectorError> {
        let value = match self.peek() {
            Token::End | Token::Symbol(",") => String::new(),
            _ => match self.next() {
                Token::Word(word) => word,
                found => {
                    return Err(SelectorError(format!("found '{found}', expected: identifier")));
                }
            },
        };
        requirement(key, operator, vec![value])
    }

    /// `(a,b)`; an absent value between commas is the empty text.
    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        let open = self.next();
        if open != Token::Symbol("(") {
            return Err(SelectorError(format!("found '{open}' expected: '('")));
        }
        let mut values = Vec::new();
        loop {
            let value = match self.peek() {
                Token::Word(_) => self.next().to_string(),
                Token::Symbol("," | ")") => String::new(),
                found => {
                    return Err(SelectorError(format!(
                        "found '{found}', expected: ',', ')' or identifier"
                    )));
                }
            };
            values.push(value);
            match self.next() {
                Token::Symbol(")") => return Ok(values),
                Token::Symbol(",") => {}
                found => {
                    return Err(SelectorError(format!("found '{found}', expected: ',' or ')'")));
                }
            }
        }
    }
}

/// A condition on fields: every term must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// The terms.
    pub terms: Vec<FieldTerm>,
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTerm {
    /// The field as written: `metadata.name`.
    pub field: String,
    /// True for `=`, false for `!=`.
    pub equal: bool,
    /// What it is compared with.
    pub value: String,
}

impl FieldSelector {
    /// Reads a field selector; `\`, `,` and `=` in a value stand after a backslash.
    ///
    /// # Errors
    /// The first term that cannot be read.
    pub fn parse(text: &str) -> Result<FieldSelector, SelectorError> {
        let mut terms = Vec::new();
        for term in split_terms(text).iter().filter(|term| !term.is_empty()) {
            let unreadable =
                || SelectorError(format!("invalid selector: '{text}'; can't understand '{term}'"));
            let at = term.find(['=', '!']).ok_or_else(unreadable)?;
            let (field, rest) = term.split_at(at);
            let (equal, value) = match rest {
                rest if rest.starts_with("!=") => (false, &rest[2..]),
                rest if rest.starts_with("==") => (true, &rest[2..]),
                rest if rest.starts_with('=') => (true, &rest[1..]),
                _ => return Err(unreadable()),
            };
            terms.push(FieldTerm { field: field.to_owned(), equal, value: unescape(value)? });
        }
        Ok(FieldSelector { terms })
    }

    /// True when it holds for the fields that `lookup` gives; an absent field is the empty text.
    pub fn matches<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.terms
            .iter()
            .all(|term| (lookup(&term.field).unwrap_or_default() == term.value) == term.equal)
    }
}

fn split_terms(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == ',' && !escaped {
            terms.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        terms.last_mut().expect("one term is there from the start").push(c);
    }
    terms
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                other => {
                    let other = other.map_or(String::new(), String::from);
                    return Err(SelectorError(format!(
                        "invalid field selector: invalid escape sequence: \\{other}"
                    )));
                }
            },
            ',' | '=' => {
                return Err(SelectorError(format!(
                    "invalid field selector: unescaped character in value: {c}"
                )));
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn selectors_choose_by_labels() {
        let labels = Node::from(json!({"tier": "web", "env": "prod", "n": "5"}));
        for (text, expected) in [
            ("", true),
            ("tier=web", true),
            ("tier==web,env=prod", true),
            ("tier!=web", false),
            ("none!=x", true),
            ("env in (prod,test)", true),
            ("env notin (prod)", false),
            ("none notin (prod)", true),
            ("env", true),
            ("!env", false),
            ("!none", true),
            ("tier,env!=prod", false),
            ("n>4,n<6", true),
            ("n>5", false),
            ("tier>1", false),
            ("in in (in)", false),
            ("none=", false),
            ("tier in (,)", false),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.matches(labels.as_map()), expected, "{text}");
            assert_eq!(Selector::parse(&selector.to_string()), Ok(selector), "{text}");
        }
    }

    #[test]
    fn faults_read_as_kubernetes_says_them() {
        for (text, expected) in [
            ("tier in web", "unable to parse requirement: found 'web' expected: '('"),
            ("=web", "found '=', expected: !, identifier, or 'end of string'"),
            ("tier=(web)", "unable to parse requirement: found '(', expected: identifier"),
            ("tier,,env", "found ',', expected: identifier after ','"),
            ("tier=bad value", "found 'value', expected: ',' or 'end of string'"),
            (
                "a/b/c=d",
                "unable to parse requirement: key: Invalid value: \"a/b/c\": a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
            ),
            (
                "a=-b",
                "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            ),
        ] {
            assert_eq!(Selector::parse(text).map_err(|e| e.to_string()), Err(expected.into()));
        }
    }

    #[test]
    fn label_selectors_of_objects_are_read() {
        let node = Node::from(json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "env", "operator": "In", "values": ["prod", "test"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }));
        let selector = Selector::from_label_selector(&node).unwrap();
        assert_eq!(selector.to_string(), "app=web,env in (prod,test),!old");
        let labels = Node::from(json!({"app": "web", "env": "test"}));
        assert!(selector.matches(labels.as_map()) && !selector.matches(None));
        let bad = Node::from(json!({"matchExpressions": [{"key": "a", "operator": "Near"}]}));
        assert_eq!(
            Selector::from_label_selector(&bad).map_err(|e| e.to_string()),
            Err("\"Near\" is not a valid label selector operator".into())
        );
    }

    #[test]
    fn field_selectors_choose_by_fields() {
        let lookup = |field: &str| match field {
            "metadata.name" => Some("a,b"),
            "status.phase" => Some("Running"),
            _ => None,
        };
        for (text, expected) in [
            ("", true),
            ("metadata.name=a\\,b", true),
            ("metadata.name==a", false),
            ("status.phase!=Failed,metadata.name!=c", true),
            ("spec.nodeName=", true),
        ] {
            assert_eq!(FieldSelector::parse(text).unwrap().matches(lookup), expected, "{text}");
        }
        assert_eq!(
            FieldSelector::parse("metadata.name").map_err(|e| e.to_string()),
            Err("invalid selector: 'metadata.name'; can't understand 'metadata.name'".into())
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-c=!(),<> in\\\\.]{0,24}") {
            let _ = Selector::parse(&text);
            let _ = FieldSelector::parse(&text);
        }
    }
}
