//! JSON patches as kustomize carries them out.
//!
//! kustomize uses another version of the library than Kubernetes' API does (see
//! [`crate::object::patch::json6902`]). It replaces what is not there, takes null for nothing at
//! all, and has texts of its own.

use crate::object::patch::PatchError;
use crate::object::patch::json6902::{MAX_COPY_BYTES, MAX_OPERATIONS, unescape};
use crate::yaml::{Entry, Node, Value, json};

const KINDS: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];

/// Carries out the operations in order; the first that fails ends it.
///
/// # Errors
/// The failure, in kustomize's words.
pub fn operate(doc: &mut Node, operations: &Node) -> Result<(), PatchError> {
    let list = operations.as_list().unwrap_or_default();
    if list.len() > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations { allowed: MAX_OPERATIONS, got: list.len() });
    }
    let mut copied = 0;
    for operation in list {
        let kind = operation.str_at(&["op"]).unwrap_or_default();
        let field = if KINDS.contains(&kind) { "path" } else { "op" };
        let at = operation.get(field).map_or(operation.span, |node| node.span);
        carry_out(doc, operation, &mut copied).map_err(|text| PatchError::unfit(at, text))?;
    }
    Ok(())
}

fn carry_out(doc: &mut Node, operation: &Node, copied: &mut usize) -> Result<(), String> {
    let kind = operation.get("op").and_then(Node::as_str).unwrap_or("unknown");
    let path = text(operation, "path", "operation missing path field");
    let from = text(operation, "from", "operation, missing from field");
    let bad =
        |field: &str, error: String| format!("{kind} operation failed to decode {field}: {error}");
    match kind {
        "add" => {
            let path = path.map_err(|_| bad("path", "missing value".to_owned()))?;
            let Some((container, key)) = find(doc, path) else {
                return Err(format!(
                    "add operation does not apply: doc is missing path: \"{path}\": missing value"
                ));
            };
            add(container, &key, value(operation), operation)
                .map_err(|error| format!("error in add for path: '{path}': {error}"))
        }
        "remove" => {
            let path = path.map_err(|_| bad("path", "missing value".to_owned()))?;
            let Some((container, key)) = find(doc, path) else {
                return Err(format!(
                    "remove operation does not apply: doc is missing path: \"{path}\": missing value"
                ));
            };
            remove(container, &key)
                .map_err(|error| format!("error in remove for path: '{path}': {error}"))
        }
        "replace" => replace(doc, path.map_err(|error| bad("path", error))?, operation),
        "move" => {
            let from = from.map_err(|error| bad("from", error))?;
            let Some((container, key)) = find(doc, from) else {
                return Err(format!(
                    "move operation does not apply: doc is missing from path: {from}: missing value"
                ));
            };
            let wrap = |error| format!("error in move for path: '{key}': {error}");
            let moved = get(container, &key).map_err(wrap)?.cloned().unwrap_or_default();
            remove(container, &key).map_err(wrap)?;
            let path = path.map_err(|error| bad("path", error))?;
            let Some((container, key)) = find(doc, path) else {
                return Err(missing_destination(kind, path));
            };
            add(container, &key, moved, operation)
                .map_err(|error| format!("error in move for path: '{path}': {error}"))
        }
        "copy" => {
            let from = from.map_err(|error| bad("from", error))?;
            let Some((container, key)) = find(doc, from) else {
                return Err(format!(
                    "copy operation does not apply: doc is missing from path: {from}: missing value"
                ));
            };
            let source = get(container, &key)
                .map_err(|error| format!("error in copy for from: '{from}': {error}"))?;
            let source = source.cloned().unwrap_or_default();
            let path = path.map_err(|_| bad("path", "missing value".to_owned()))?;
            let Some((container, key)) = find(doc, path) else {
                return Err(missing_destination(kind, path));
            };
            *copied += json::to_string(&source).len();
            if *copied > MAX_COPY_BYTES {
                return Err(format!(
                    "Unable to complete the copy, the accumulated size increase of copy is \
                     {copied}, exceeding the limit {MAX_COPY_BYTES}"
                ));
            }
            add(container, &key, source, operation)
                .map_err(|error| format!("error while adding value during copy: {error}"))
        }
        "test" => test(doc, path.map_err(|error| bad("path", error))?, operation),
        _ => Err(format!("Unexpected kind: {kind}")),
    }
}

fn missing_destination(kind: &str, path: &str) -> String {
    format!(
        "{kind} operation does not apply: doc is missing destination path: {path}: missing value"
    )
}

fn replace(doc: &mut Node, path: &str, operation: &Node) -> Result<(), String> {
    let new = value(operation);
    if path.is_empty() {
        if !is_collection(&new) {
            return Err("replace operation value must be object or array".to_owned());
        }
        *doc = new;
        return Ok(());
    }
    let missing = |what: &str| {
        format!("replace operation does not apply: doc is missing {what}: {path}: missing value")
    };
    let (container, key) = find(doc, path).ok_or_else(|| missing("path"))?;
    match &mut container.value {
        Value::List(items) => {
            let at = index(&key, items.len()).map_err(|_| missing("key"))?;
            items[at] = new;
        }
        _ => add(container, &key, new, operation)?,
    }
    Ok(())
}

fn test(doc: &mut Node, path: &str, operation: &Node) -> Result<(), String> {
    let failed = || format!("testing value {path} failed: test failed");
    let expected = operation.get("value").filter(|value| !value.is_null());
    if path.is_empty() {
        return if expected == Some(&*doc) { Ok(()) } else { Err(failed()) };
    }
    let Some((container, key)) = find(doc, path) else {
        return Err(format!(
            "test operation does not apply: is missing path: {path}: missing value"
        ));
    };
    let found = get(container, &key)
        .map_err(|error| format!("error in test for path: '{path}': {error}"))?;
    if found.filter(|value| !value.is_null()) == expected { Ok(()) } else { Err(failed()) }
}

fn text<'a>(operation: &'a Node, field: &str, missing: &str) -> Result<&'a str, String> {
    let Some(node) = operation.get(field).filter(|node| !node.is_null()) else {
        return Err(format!("{missing}: missing value"));
    };
    node.as_str().ok_or_else(|| {
        let kind = json::go_kind(node);
        format!("json: cannot unmarshal {kind} into Go value of type string")
    })
}

fn value(operation: &Node) -> Node {
    operation.get("value").cloned().unwrap_or_default()
}

fn is_collection(node: &Node) -> bool {
    matches!(node.value, Value::List(_) | Value::Map(_))
}

/// The list or map that a path leads into, and what it names there.
fn find<'a>(doc: &'a mut Node, path: &str) -> Option<(&'a mut Node, String)> {
    let (parents, last) = path.rsplit_once('/')?;
    let mut node = doc;
    for step in parents.split('/').skip(1) {
        let step = unescape(step);
        node = match &mut node.value {
            Value::Map(map) => map.get_mut(&step)?,
            Value::List(items) => {
                let at = index(&step, items.len()).ok()?;
                items.get_mut(at)?
            }
            _ => return None,
        };
        if !is_collection(node) {
            return None;
        }
    }
    Some((node, unescape(last).into_owned()))
}

fn get<'a>(container: &'a Node, key: &str) -> Result<Option<&'a Node>, String> {
    match &container.value {
        Value::List(items) => Ok(items.get(index(key, items.len())?)),
        _ => Ok(container.get(key)),
    }
}

fn remove(container: &mut Node, key: &str) -> Result<(), String> {
    if let Value::List(items) = &mut container.value {
        items.remove(index(key, items.len())?);
        return Ok(());
    }
    let removed = container.remove(key);
    let missing = || format!("Unable to remove nonexistent key: {key}: missing value");
    removed.map(drop).ok_or_else(missing)
}

fn add(container: &mut Node, key: &str, value: Node, by: &Node) -> Result<(), String> {
    match &mut container.value {
        Value::List(items) if key == "-" => items.push(value),
        Value::List(items) => {
            let number = number(key)
                .map_err(|error| format!("value was not a proper array index: '{key}': {error}"))?;
            let at = within(number, items.len() + 1)?;
            items.insert(at, value);
        }
        Value::Map(map) => {
            let key_span = by.get("path").map_or(by.span, |path| path.span);
            map.insert_entry(Entry { key: key.into(), key_span, value });
        }
        _ => {}
    }
    Ok(())
}

/// An index into so many items; negative ones count from the end.
fn index(key: &str, count: usize) -> Result<usize, String> {
    within(number(key)?, count)
}

fn number(key: &str) -> Result<i64, String> {
    let why = |error: std::num::ParseIntError| match error.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
            "value out of range"
        }
        _ => "invalid syntax",
    };
    key.parse().map_err(|error| format!("strconv.Atoi: parsing {key:?}: {}", why(error)))
}

fn within(number: i64, count: usize) -> Result<usize, String> {
    let size = i64::try_from(count).unwrap_or(i64::MAX);
    let at = if number < 0 { number + size } else { number };
    let at = if at < size { usize::try_from(at).ok() } else { None };
    at.ok_or_else(|| format!("Unable to access invalid index: {number}: invalid index referenced"))
}
