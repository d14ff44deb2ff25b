//! `JSONPath` as printer columns and selectable fields have it: `.a.b`, `['a']`, `[0]`, `[*]`,
//! `[?(@.type=="Ready")]`, `\.` in a name, `..` not.
//!
//! Only the first value that a path leads to is asked for, as in an API server's tables.

use crate::yaml::Node;

/// A parsed path.
#[derive(Debug)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Debug)]
enum Step {
    Key(String),
    /// From the end when it is negative.
    Index(i64),
    All,
    /// The items of which a field has a value, or has not.
    Filter {
        path: Vec<String>,
        equal: bool,
        value: String,
    },
}

impl JsonPath {
    /// Reads a path, with or without a dot or a `$` before it; the error is a sentence.
    pub(crate) fn parse(text: &str) -> Result<JsonPath, String> {
        let text = text.trim().trim_start_matches('{').trim_end_matches('}');
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let end = closing(inner).ok_or("unterminated array")?;
                steps.push(bracket(inner[..end].trim())?);
                rest = &inner[end + 1..];
                continue;
            }
            let (key, after) = name(rest.strip_prefix('.').unwrap_or(rest));
            match key.as_str() {
                "" if after.starts_with('[') && steps.is_empty() => {}
                "" => return Err(format!("{text:?} has an empty part")),
                "*" => steps.push(Step::All),
                _ => steps.push(Step::Key(key)),
            }
            rest = after;
        }
        Ok(JsonPath(steps))
    }

    /// The first value at the end of the path.
    pub(crate) fn first<'a>(&self, node: &'a Node) -> Option<&'a Node> {
        walk(node, &self.0)
    }
}

/// The place of the bracket that closes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, ']') => return Some(at),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// A name up to the next dot or bracket; what follows a backslash belongs to it.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '.' | '[' => return (name, &text[at..]),
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            c => name.push(c),
        }
    }
    (name, "")
}

fn bracket(inner: &str) -> Result<Step, String> {
    if inner == "*" {
        return Ok(Step::All);
    }
    if let Some(filter) = inner.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        let (path, equal, value) = match (filter.split_once("=="), filter.split_once("!=")) {
            (Some((path, value)), _) => (path, true, value),
            (None, Some((path, value))) => (path, false, value),
            (None, None) => return Err(format!("unsupported filter {filter:?}")),
        };
        let path = path.trim().strip_prefix('@').ok_or("a filter starts with @")?;
        let keys = path.split('.').filter(|key| !key.is_empty()).map(str::to_owned);
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        return Ok(Step::Filter { path: keys.collect(), equal, value });
    }
    let quoted = ['\'', '"']
        .into_iter()
        .find_map(|quote| inner.strip_prefix(quote)?.strip_suffix(quote).map(str::to_owned));
    if let Some(key) = quoted {
        return Ok(Step::Key(key));
    }
    let index = inner.split(':').next().unwrap_or_default();
    index.parse().map(Step::Index).map_err(|_| format!("invalid array index {inner}"))
}

fn walk<'a>(node: &'a Node, steps: &[Step]) -> Option<&'a Node> {
    let Some((step, rest)) = steps.split_first() else { return Some(node) };
    match step {
        Step::Key(key) => walk(node.get(key)?, rest),
        Step::Index(index) => {
            let items = node.as_list()?;
            let at = match usize::try_from(*index) {
                Ok(at) => at,
                Err(_) => items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
            };
            walk(items.get(at)?, rest)
        }
        Step::All => match (node.as_list(), node.as_map()) {
            (Some(items), _) => items.iter().find_map(|item| walk(item, rest)),
            (_, Some(map)) => map.values().find_map(|value| walk(value, rest)),
            _ => None,
        },
        Step::Filter { path, equal, value } => {
            let keys: Vec<&str> = path.iter().map(String::as_str).collect();
            let meets = |item: &&Node| {
                let found = item.at(&keys).map(crate::agent::api::table::text_of);
                found.is_some_and(|found| (found == *value) == *equal)
            };
            node.as_list()?.iter().filter(meets).find_map(|item| walk(item, rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::JsonPath;
    use crate::yaml::{Node, json};
    use serde_json::json;

    #[test]
    fn paths_lead_to_values() {
        let object = Node::from(json!({
            "spec": {"size": 3, "list": [{"n": "a"}, {"n": "b"}], "a.b/c": true},
            "status": {"conditions": [
                {"type": "Ready", "status": "False"}, {"type": "Done", "status": "True"},
            ]},
        }));
        for (path, expected) in [
            (".spec.size", Some("3")),
            ("spec.size", Some("3")),
            ("{.spec.size}", Some("3")),
            ("$.spec['size']", Some("3")),
            (".spec.list[1].n", Some("\"b\"")),
            (".spec.list[-1].n", Some("\"b\"")),
            (".spec.list[*].n", Some("\"a\"")),
            (".spec.list[9].n", None),
            (".spec.absent.deep", None),
            (".spec.a\\.b/c", Some("true")),
            (".status.conditions[?(@.type==\"Done\")].status", Some("\"True\"")),
            (".status.conditions[?(@.type=='Ready')].status", Some("\"False\"")),
            (".status.conditions[?(@.type!='Ready')].status", Some("\"True\"")),
        ] {
            let parsed = JsonPath::parse(path).expect(path);
            let found = parsed.first(&object).map(json::to_string);
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        for bad in [".a[", ".a[x]", ".a..b", ".a[?(@.b)]"] {
            assert!(JsonPath::parse(bad).is_err(), "{bad}");
        }
    }
}
