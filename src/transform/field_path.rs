//! Paths of replacements and variables: `spec.containers.[name=web].image`.
//!
//! | step | leads to |
//! |---|---|
//! | `key` | the field of a map; `\.` is a dot in it, and `[a.b]` is the key `a.b` |
//! | `3` | the item of a list with that index |
//! | `-` | the last item of a list; only when looking up |
//! | `*` | all items of a list; only when writing |
//! | `[key=text]` | items of a list that have that field |
//! | `[=text]` | items of a list that are that text |
//!
//! Looking up takes the first item that has exactly the text. Writing takes all in which the text
//! is found as a regular expression, and may make what is absent.

use super::field_spec::FieldError;
use crate::base::source::Sources;
use crate::base::suggest;
use crate::template::gotmpl::regexp;
use crate::yaml::{Dialect, Node, Value, json};

/// Steps deeper than this are no path that people write.
const MAX_STEPS: usize = 256;

/// The steps of a path.
#[must_use]
pub fn steps(path: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    let mut parts = split(path).into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            steps.push(part);
            continue;
        }
        let mut whole = part;
        for next in parts.by_ref() {
            whole.push('.');
            whole.push_str(&next);
            if next.ends_with(']') {
                break;
            }
        }
        let is_match = whole.contains('=');
        steps.push(if is_match { whole } else { whole.trim_matches(['[', ']']).to_owned() });
    }
    steps
}

/// The parts between dots that no backslash stands before.
fn split(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.strip_prefix('.').unwrap_or(path).split('.') {
        match parts.last_mut().filter(|last| last.ends_with('\\')) {
            Some(last) => {
                last.pop();
                last.push('.');
                last.push_str(part);
            }
            None => parts.push(part.to_owned()),
        }
    }
    parts
}

/// The node that a path leads to.
///
/// # Errors
/// When a step does not fit what it is taken from.
pub fn look_up<'n>(root: &'n Node, steps: &[String]) -> Result<Option<&'n Node>, FieldError> {
    let mut node = root;
    for step in steps.iter().map(|step| step.trim()).filter(|step| !step.is_empty()) {
        let next = match Step::of(step)? {
            Step::Every => {
                return Err(FieldError("wildcard is not supported in PathGetter".to_owned()));
            }
            Step::Last => items(node)?.last(),
            Step::Index(index) => items(node)?.get(index),
            Step::Match { field, text } => items(node)?.iter().find(|item| match field {
                "" => self::text(item) == text,
                field => item.get(field).is_some_and(|value| self::text(value) == text),
            }),
            Step::Key(key) => match &node.value {
                Value::Null => None,
                Value::Map(map) => map.get(key),
                value => return Err(FieldError::wrong("MappingNode", value)),
            },
        };
        match next {
            Some(next) if !next.is_null() => node = next,
            _ => return Ok(None),
        }
    }
    Ok(Some(node))
}

/// What stands where a path leads no further, in words of help; nothing where it leads on.
#[must_use]
pub fn nearest(root: &Node, steps: &[String]) -> Option<String> {
    let mut node = root;
    for (at, step) in steps.iter().enumerate() {
        let next = match &node.value {
            Value::Map(map) => map.get(step),
            Value::List(items) => match Step::of(step).ok()? {
                Step::Index(index) => items.get(index),
                _ => return None,
            },
            _ => None,
        };
        if let Some(next) = next {
            node = next;
            continue;
        }
        let here = match steps[..at].join(".") {
            place if place.is_empty() => "the object".to_owned(),
            place => format!("`{place}`"),
        };
        return Some(match &node.value {
            Value::Map(map) => {
                let keys: Vec<&str> = map.iter().map(|entry| entry.key.as_str()).collect();
                suggest::did_you_mean(step, keys.iter().copied())
                    .unwrap_or_else(|| format!("{here} has {}", keys.join(", ")))
            }
            Value::List(items) => format!("{here} is a list of {}, counted from 0", items.len()),
            _ => format!("{here} is a {}", node.kind()),
        });
    }
    None
}

/// Where one of the nodes is that a path leads to.
pub type Place = Vec<At>;

/// One step to a node that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// Into a map.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// What to make where a path leads to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing.
    Stays,
    /// A scalar, null until it is set.
    Scalar,
    /// A map.
    Map,
    /// A list.
    List,
}

/// What a path leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where the nodes are.
    pub places: Vec<Place>,
    /// It leads into the structure of a text as well, where nothing is written.
    pub is_inside_text: bool,
}

/// Where all the nodes are that a path leads to.
///
/// # Errors
/// When a step does not fit what it is taken from.
pub fn find(root: &mut Node, steps: &[String], missing: Missing) -> Result<Found, FieldError> {
    if steps.len() > MAX_STEPS {
        return Err(FieldError(format!("a path has at most {MAX_STEPS} steps")));
    }
    let mut search = Search { missing, place: Vec::new(), found: Found::default() };
    search.walk(root, steps)?;
    Ok(search.found)
}

/// The node at a place that [`find`] gave.
pub fn at<'n>(root: &'n mut Node, place: &[At]) -> Option<&'n mut Node> {
    place.iter().try_fold(root, |node, step| match step {
        At::Key(key) => node.get_mut(key),
        At::Index(index) => node.as_list_mut()?.get_mut(*index),
    })
}

/// A scalar as it is written; maps and lists have no text.
#[must_use]
pub fn text(node: &Node) -> String {
    match &node.value {
        Value::String(text) => text.to_string(),
        Value::Map(_) | Value::List(_) => String::new(),
        _ => json::to_string(node),
    }
}

enum Step<'s> {
    Key(&'s str),
    Index(usize),
    Last,
    Every,
    Match { field: &'s str, text: &'s str },
}

impl<'s> Step<'s> {
    fn of(step: &'s str) -> Result<Step<'s>, FieldError> {
        let digits = step.strip_prefix(['+', '-']).unwrap_or(step);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let negative = step.starts_with('-') && digits.bytes().any(|byte| byte != b'0');
            return match digits.parse() {
                Ok(index) if !negative => Ok(Step::Index(index)),
                Ok(_) => Err(FieldError(format!("array index {step} cannot be negative"))),
                Err(_) => Ok(Step::Key(step)),
            };
        }
        match step {
            "-" => return Ok(Step::Last),
            "*" => return Ok(Step::Every),
            _ => {}
        }
        match step.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            None => Ok(Step::Key(step)),
            Some(inner) => match inner.split_once('=') {
                Some((field, text)) => Ok(Step::Match { field, text }),
                None => Err(FieldError(
                    "list path element must contain fieldName=fieldValue for element to match"
                        .to_owned(),
                )),
            },
        }
    }
}

fn items(node: &Node) -> Result<&[Node], FieldError> {
    match &node.value {
        Value::List(items) => Ok(items),
        Value::Null => Ok(&[]),
        value => Err(FieldError::wrong("SequenceNode", value)),
    }
}

struct Search {
    missing: Missing,
    place: Place,
    found: Found,
}

impl Search {
    fn walk(&mut self, node: &mut Node, steps: &[String]) -> Result<(), FieldError> {
        let Some((step, rest)) = steps.split_first() else {
            self.found.places.push(self.place.clone());
            return Ok(());
        };
        // that the last item is meant is known to looking up only
        match if step == "-" { Step::Key(step) } else { Step::of(step)? } {
            Step::Index(index) => self.index(node, index, rest),
            Step::Match { field, text } => self.matching(node, field, text, rest),
            Step::Every => {
                for (index, item) in self.list(node)?.iter_mut().enumerate() {
                    self.down(At::Index(index), item, rest)?;
                }
                Ok(())
            }
            Step::Key(key) => self.key(node, key, rest),
            Step::Last => Ok(()),
        }
    }

    fn down(&mut self, at: At, node: &mut Node, rest: &[String]) -> Result<(), FieldError> {
        self.place.push(at);
        let result = self.walk(node, rest);
        self.place.pop();
        result
    }

    fn list<'n>(&self, node: &'n mut Node) -> Result<&'n mut Vec<Node>, FieldError> {
        if node.is_null() && self.missing != Missing::Stays {
            node.value = Value::List(Vec::new());
        }
        match &mut node.value {
            Value::List(items) => Ok(items),
            value => Err(FieldError::wrong("SequenceNode", value)),
        }
    }

    fn key(&mut self, node: &mut Node, key: &str, rest: &[String]) -> Result<(), FieldError> {
        if node.is_null() && self.missing != Missing::Stays {
            node.value = Node::map().value;
        }
        let map = match &mut node.value {
            Value::Map(map) => map,
            Value::Null => return Ok(()),
            value => return Err(FieldError::wrong("MappingNode", value)),
        };
        if map.get(key).is_none() {
            if self.missing == Missing::Stays {
                return Ok(());
            }
            map.insert(key, self.made(rest));
        }
        let value = map.get_mut(key).expect("it is there or was made");
        if !rest.is_empty() && !matches!(value.value, Value::Map(_) | Value::List(_)) {
            return self.inside(value, rest);
        }
        self.down(At::Key(key.to_owned()), value, rest)
    }

    /// Goes on in the structure that a text holds. Kustomize writes into a copy of it here, and so
    /// nowhere.
    fn inside(&mut self, node: &Node, rest: &[String]) -> Result<(), FieldError> {
        let text = if node.form.is_nothing() { String::new() } else { text(node) };
        // a document that is there has a place
        let file = Sources::new().add("", text.as_str());
        let parsed = crate::yaml::parse_first(&text, file, Dialect::GoYamlV3);
        let mut copy = parsed.map_err(|error| FieldError(error.to_string()))?;
        let next = rest.first().map_or(Ok(Step::Every), |step| Step::of(step))?;
        if copy.is_null() && copy.span.is_none() {
            let wanted = match next {
                Step::Key(_) | Step::Last => "MappingNode",
                Step::Index(_) | Step::Every | Step::Match { .. } => "SequenceNode",
            };
            return Err(FieldError(format!("wrong node kind: expected {wanted} but got ")));
        }
        if copy.is_null() {
            let makes = self.missing != Missing::Stays && !matches!(next, Step::Every);
            self.found.is_inside_text |= makes;
            return Ok(());
        }
        let found = find(&mut copy, rest, self.missing)?;
        self.found.is_inside_text |= found.is_inside_text || !found.places.is_empty();
        Ok(())
    }

    fn index(&mut self, node: &mut Node, index: usize, rest: &[String]) -> Result<(), FieldError> {
        let (missing, made) = (self.missing, self.made(rest));
        let items = self.list(node)?;
        if items.len() == index && missing != Missing::Stays {
            items.push(made);
        }
        let count = items.len();
        match items.get_mut(index) {
            Some(item) => self.down(At::Index(index), item, rest),
            None => {
                Err(FieldError(format!("index {index} specified but only {count} elements found")))
            }
        }
    }

    fn matching(
        &mut self,
        node: &mut Node,
        field: &str,
        wanted: &str,
        rest: &[String],
    ) -> Result<(), FieldError> {
        let pattern = regexp::automaton(wanted).map_err(FieldError)?;
        let fits = |item: &Node| match field {
            "" => pattern.is_match(text(item).trim()),
            field => item.get(field).is_some_and(|value| pattern.is_match(text(value).trim())),
        };
        let missing = self.missing;
        let items = self.list(node)?;
        if missing != Missing::Stays && !items.iter().any(fits) {
            if field.is_empty() {
                // it is about to be written over, and has no type yet
                items.push(Node::NULL);
                let mut place = self.place.clone();
                place.push(At::Index(items.len() - 1));
                self.found.places.push(place);
                return Ok(());
            }
            let mut item = Node::map();
            item.set(field, crate::yaml::plain_scalar(wanted));
            items.push(item);
        }
        for (index, item) in items.iter_mut().enumerate().filter(|(_, item)| fits(item)) {
            // a text that is matched as a whole is what the path leads to
            let rest = if field.is_empty() { &[] } else { rest };
            self.down(At::Index(index), item, rest)?;
        }
        Ok(())
    }

    /// What is made for a step, which the step after it tells.
    fn made(&self, rest: &[String]) -> Node {
        let is_list = |next: &String| {
            (next.starts_with('[') && next.ends_with(']'))
                || (!next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit()))
        };
        match (rest.first(), self.missing) {
            (Some(next), _) if is_list(next) => Node::list(),
            (Some(next), _) if !next.is_empty() => Node::map(),
            (_, Missing::Map) => Node::map(),
            (_, Missing::List) => Node::list(),
            (_, Missing::Scalar | Missing::Stays) => Node::NULL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dots_escapes_and_brackets_make_steps() {
        for (path, expected) in [
            ("a.b", vec!["a", "b"]),
            (".a.b", vec!["a", "b"]),
            ("a.b\\.c", vec!["a", "b.c"]),
            ("a.[b.c/d].e", vec!["a", "b.c/d", "e"]),
            ("a.[name=b.c].e", vec!["a", "[name=b.c]", "e"]),
            ("a.[b]", vec!["a", "[b]"]),
        ] {
            assert_eq!(steps(path), expected, "{path}");
        }
    }

    #[test]
    fn looking_up_takes_the_first_exact_match() {
        let node = Node::from(json!({"a": [{"n": "xy"}, {"n": "x", "v": 1}, {"n": "x", "v": 2}]}));
        for (path, expected) in [
            ("a.[n=x].v", Ok(Some("1".to_owned()))),
            ("a.0.n", Ok(Some("xy".to_owned()))),
            ("a.-.v", Ok(Some("2".to_owned()))),
            ("a.7", Ok(None)),
            ("b.c", Ok(None)),
            ("a.*.n", Err("wildcard is not supported in PathGetter".to_owned())),
            ("a.n", Err("wrong node kind: expected MappingNode but got SequenceNode".to_owned())),
        ] {
            let found = look_up(&node, &steps(path)).map_err(|error| error.to_string());
            assert_eq!(found.map(|found| found.map(text)), expected, "{path}");
        }
    }

    #[test]
    fn writing_finds_all_and_makes_what_is_missing() {
        use Missing::{Scalar, Stays};
        for (path, missing, expected, after) in [
            ("a.*.v", Stays, Ok(2), json!({"a": [{"n": "x", "v": 9}, {"n": "xy", "v": 9}]})),
            ("a.[n=x].v", Stays, Ok(2), json!({"a": [{"n": "x", "v": 9}, {"n": "xy", "v": 9}]})),
            ("a.[n=^x$].v", Stays, Ok(1), json!({"a": [{"n": "x", "v": 9}, {"n": "xy", "v": 0}]})),
            ("a.1.v", Stays, Ok(1), json!({"a": [{"n": "x", "v": 0}, {"n": "xy", "v": 9}]})),
            ("a.b", Stays, Err("MappingNode but got SequenceNode"), json!(null)),
            ("b.c", Stays, Ok(0), json!({"a": [{"n": "x", "v": 0}, {"n": "xy", "v": 0}]})),
            ("a.5.v", Stays, Err("index 5 specified but only 2 elements found"), json!(null)),
            (
                "a.[n=z].v",
                Scalar,
                Ok(1),
                json!({"a": [{"n": "x", "v": 0}, {"n": "xy", "v": 0}, {"n": "z", "v": 9}]}),
            ),
        ] {
            let mut node = Node::from(json!({"a": [{"n": "x", "v": 0}, {"n": "xy", "v": 0}]}));
            match (find(&mut node, &steps(path), missing), expected) {
                (Ok(found), Ok(count)) => {
                    assert_eq!(found.places.len(), count, "{path}");
                    for place in found.places {
                        *at(&mut node, &place).expect("a place") = 9.into();
                    }
                    assert_eq!(node, Node::from(after), "{path}");
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, expected) => panic!("{path}: {found:?}, not {expected:?}"),
            }
        }
    }
}
