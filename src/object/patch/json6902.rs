//! JSON patch (RFC 6902) with JSON pointers (RFC 6901).
//!
//! The texts of failures, negative indices, and a `test` for null that an absent field passes are
//! those of the library behind Kubernetes' API. Two bounds keep a small patch from growing into a
//! large object: the number of operations, and the bytes that `copy` may add.

use super::PatchError;
use crate::base::source::Span;
use crate::yaml::{Entry, Node, Value, json};
use std::borrow::Cow;

/// Most operations of one patch.
pub const MAX_OPERATIONS: usize = 10_000;

/// Most bytes of JSON that all `copy` operations of one patch may add together.
pub const MAX_COPY_BYTES: usize = 3 << 20;

const OPERATIONS: &[&str] = &["add", "remove", "replace", "move", "copy", "test"];

/// Applies the operations in order. The first that fails ends it.
///
/// # Errors
/// [`PatchError::Malformed`] for what is no list of operations, [`PatchError::Unfit`] for an
/// operation that cannot be carried out.
pub fn apply(doc: &mut Node, ops: &Node) -> Result<(), PatchError> {
    let Some(list) = ops.as_list() else {
        return Err(PatchError::malformed(
            ops.span,
            format!("a JSON patch is a list of operations, this is a {}", ops.kind()),
        ));
    };
    if list.len() > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations { allowed: MAX_OPERATIONS, got: list.len() });
    }
    let mut copied = 0;
    for op in list {
        apply_one(doc, op, &mut copied)?;
    }
    Ok(())
}

/// Checks the form of a patch without a document: a list of known operations with their fields.
///
/// # Errors
/// The first fault of form.
pub fn check(ops: &Node) -> Result<(), PatchError> {
    let Some(list) = ops.as_list() else {
        return Err(PatchError::malformed(
            ops.span,
            format!("a JSON patch is a list of operations, this is a {}", ops.kind()),
        ));
    };
    for op in list {
        let name = text(op, "op")?;
        if !OPERATIONS.contains(&name) {
            return Err(PatchError::malformed(
                op.get("op").map_or(op.span, |node| node.span),
                format!("unknown operation `{name}`, expected one of {}", OPERATIONS.join(", ")),
            ));
        }
        let path = text(op, "path")?;
        if !path.is_empty() && !path.starts_with('/') {
            return Err(PatchError::malformed(
                op.get("path").map_or(op.span, |node| node.span),
                format!("the path `{path}` does not begin with `/`"),
            ));
        }
        if matches!(name, "add" | "replace") && op.get("value").is_none() {
            return Err(PatchError::malformed(op.span, format!("`{name}` needs a `value`")));
        }
        if matches!(name, "move" | "copy") {
            text(op, "from")?;
        }
    }
    Ok(())
}

fn text<'a>(op: &'a Node, field: &str) -> Result<&'a str, PatchError> {
    op.get(field).and_then(Node::as_str).ok_or_else(|| {
        PatchError::malformed(op.span, format!("an operation needs `{field}`, a string"))
    })
}

fn apply_one(doc: &mut Node, op: &Node, copied: &mut usize) -> Result<(), PatchError> {
    if op.as_map().is_none() {
        return Err(PatchError::malformed(
            op.span,
            format!("an operation of a JSON patch is a map, this is a {}", op.kind()),
        ));
    }
    let at = op.get("path").map_or(op.span, |node| node.span);
    let fail = |message: String| PatchError::unfit(at, message);
    let name = text(op, "op")?;
    let path = text(op, "path")?;
    let value = || op.get("value").cloned().unwrap_or_default();
    match name {
        "add" => add(doc, path, value(), at, "add"),
        "remove" => remove(doc, path, "remove").map(|_| ()).map_err(fail),
        "replace" => replace(doc, path, value()).map_err(fail),
        "test" => test(doc, path, op.get("value")).map_err(fail),
        "move" => {
            let moved = remove(doc, text(op, "from")?, "move").map_err(fail)?;
            add(doc, path, moved, at, "move")
        }
        "copy" => {
            let from = text(op, "from")?;
            let Some(source) = find(doc, from) else {
                return Err(fail(format!(
                    "copy operation does not apply: doc is missing from path: {from}: missing value"
                )));
            };
            *copied += json::to_string(source).len();
            if *copied > MAX_COPY_BYTES {
                return Err(fail(format!(
                    "Unable to complete the copy, the accumulated size increase of copy is \
                     {copied}, exceeding the limit {MAX_COPY_BYTES}"
                )));
            }
            let mut source = source.clone();
            source.respan(op.span);
            add(doc, path, source, at, "copy")
        }
        _ => Err(fail(format!("Unexpected kind: {name}"))),
    }
}

/// The steps of a pointer, unescaped. A pointer that does not begin with `/` has the text before
/// its first `/` ignored, as the library behind Kubernetes does.
fn steps(path: &str) -> impl Iterator<Item = Cow<'_, str>> {
    path.split('/').skip(1).map(unescape)
}

pub(super) fn unescape(step: &str) -> Cow<'_, str> {
    if step.contains('~') {
        return Cow::Owned(step.replace("~1", "/").replace("~0", "~"));
    }
    Cow::Borrowed(step)
}

fn find<'a>(doc: &'a Node, path: &str) -> Option<&'a Node> {
    steps(path).try_fold(doc, |node, step| match &node.value {
        Value::Map(map) => map.get(&step),
        Value::List(items) => items.get(index(&step, items.len()).ok()?),
        _ => None,
    })
}

/// The container that the last step of a path names something in, and that step.
fn parent<'a, 'p>(doc: &'a mut Node, path: &'p str) -> Option<(&'a mut Node, Cow<'p, str>)> {
    let (head, last) = path.rsplit_once('/')?;
    let container = steps(head).try_fold(doc, |node, step| match &mut node.value {
        Value::Map(map) => map.get_mut(&step),
        Value::List(items) => {
            let at = index(&step, items.len()).ok()?;
            items.get_mut(at)
        }
        _ => None,
    })?;
    matches!(container.value, Value::Map(_) | Value::List(_)).then(|| (container, unescape(last)))
}

/// An index into a list of `len` items; negative ones count from the end.
fn index(step: &str, len: usize) -> Result<usize, String> {
    let number: i64 =
        step.parse().map_err(|_| format!("strconv.Atoi: parsing {step:?}: invalid syntax"))?;
    let outside = || format!("Unable to access invalid index: {number}: invalid index referenced");
    if number >= 0 {
        return usize::try_from(number).map_err(|_| outside());
    }
    usize::try_from(number.unsigned_abs())
        .ok()
        .and_then(|back| len.checked_sub(back))
        .ok_or_else(outside)
}

fn add(doc: &mut Node, path: &str, value: Node, at: Span, op: &str) -> Result<(), PatchError> {
    if path.is_empty() {
        *doc = value;
        return Ok(());
    }
    let fail = |message: String| PatchError::unfit(at, message);
    let Some((container, step)) = parent(doc, path) else {
        let side = if op == "add" { "path" } else { "destination path" };
        return Err(fail(format!(
            "{op} operation does not apply: doc is missing {side}: {path:?}: missing value"
        )));
    };
    let wrap = |message: String| fail(format!("error in {op} for path: '{path}': {message}"));
    match &mut container.value {
        Value::Map(map) => {
            map.insert_entry(Entry { key: step.as_ref().into(), key_span: at, value });
        }
        Value::List(items) => {
            let to = if step == "-" {
                items.len()
            } else {
                index(&step, items.len() + 1).map_err(wrap)?
            };
            if to > items.len() {
                return Err(wrap(format!(
                    "Unable to access invalid index: {to}: invalid index referenced"
                )));
            }
            items.insert(to, value);
        }
        _ => {}
    }
    Ok(())
}

fn remove(doc: &mut Node, path: &str, op: &str) -> Result<Node, String> {
    let Some((container, step)) = parent(doc, path) else {
        let side = if op == "move" { "from path" } else { "path" };
        return Err(format!(
            "{op} operation does not apply: doc is missing {side}: {path:?}: missing value"
        ));
    };
    let wrap = |message: String| format!("error in {op} for path: '{path}': {message}");
    match &mut container.value {
        Value::List(items) => {
            let at = index(&step, items.len()).map_err(wrap)?;
            if at >= items.len() {
                return Err(wrap(format!(
                    "Unable to access invalid index: {at}: invalid index referenced"
                )));
            }
            Ok(items.remove(at))
        }
        Value::Map(map) => map.remove(&step).ok_or_else(|| {
            wrap(format!("unable to remove nonexistent key: {step}: missing value"))
        }),
        _ => Err(wrap("missing value".into())),
    }
}

fn replace(doc: &mut Node, path: &str, value: Node) -> Result<(), String> {
    if path.is_empty() {
        *doc = value;
        return Ok(());
    }
    let missing = |what: &str| {
        format!("replace operation does not apply: doc is missing {what}: {path}: missing value")
    };
    let (container, step) = parent(doc, path).ok_or_else(|| missing("path"))?;
    let old = match &mut container.value {
        Value::Map(map) => map.get_mut(&step),
        Value::List(items) => {
            let at = index(&step, items.len()).map_err(|_| missing("key"))?;
            items.get_mut(at)
        }
        _ => None,
    };
    *old.ok_or_else(|| missing("key"))? = value;
    Ok(())
}

fn test(doc: &Node, path: &str, value: Option<&Node>) -> Result<(), String> {
    let expected = value.unwrap_or(&Node::NULL);
    match find(doc, path) {
        Some(found) if found == expected => Ok(()),
        None if expected.is_null() => Ok(()),
        _ => Err(format!("testing value {path} failed: test failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn run(doc: serde_json::Value, ops: serde_json::Value) -> Result<serde_json::Value, String> {
        let mut doc = Node::from(doc);
        apply(&mut doc, &Node::from(ops)).map_err(|error| error.to_string())?;
        Ok(serde_json::Value::from(&doc))
    }

    #[test]
    fn operations_change_the_document() {
        let doc = json!({"a": {"b": [1, 2, 3], "x/y": 1, "m~n": 2}});
        for (ops, expected) in [
            (
                json!([{"op": "add", "path": "/a/c", "value": 1}]),
                json!({"a": {"b": [1, 2, 3], "x/y": 1, "m~n": 2, "c": 1}}),
            ),
            (
                json!([{"op": "add", "path": "/a/b/-", "value": 4}]),
                json!({"a": {"b": [1, 2, 3, 4], "x/y": 1, "m~n": 2}}),
            ),
            (
                json!([{"op": "add", "path": "/a/b/0", "value": 0}]),
                json!({"a": {"b": [0, 1, 2, 3], "x/y": 1, "m~n": 2}}),
            ),
            (
                json!([{"op": "add", "path": "/a/b/-1", "value": 9}]),
                json!({"a": {"b": [1, 2, 3, 9], "x/y": 1, "m~n": 2}}),
            ),
            (
                json!([{"op": "remove", "path": "/a/b/-1"}]),
                json!({"a": {"b": [1, 2], "x/y": 1, "m~n": 2}}),
            ),
            (
                json!([{"op": "remove", "path": "/a/x~1y"}, {"op": "remove", "path": "/a/m~0n"}]),
                json!({"a": {"b": [1, 2, 3]}}),
            ),
            (json!([{"op": "replace", "path": "/a", "value": null}]), json!({"a": null})),
            (json!([{"op": "replace", "path": "", "value": {"n": 1}}]), json!({"n": 1})),
            (
                json!([{"op": "move", "from": "/a/b", "path": "/b"}]),
                json!({"a": {"x/y": 1, "m~n": 2}, "b": [1, 2, 3]}),
            ),
            (
                json!([{"op": "copy", "from": "/a/b/1", "path": "/b"}]),
                json!({"a": {"b": [1, 2, 3], "x/y": 1, "m~n": 2}, "b": 2}),
            ),
            (
                json!([{"op": "test", "path": "/a/b/0", "value": 1.0}, {"op": "test", "path": "/none", "value": null}, {"op": "remove", "path": "/a"}]),
                json!({}),
            ),
        ] {
            assert_eq!(run(doc.clone(), ops.clone()), Ok(expected), "{ops}");
        }
    }

    #[test]
    fn failures_say_what_does_not_apply() {
        for (ops, expected) in [
            (json!({"op": "add"}), "a JSON patch is a list of operations, this is a map"),
            (json!([1]), "an operation of a JSON patch is a map, this is a integer"),
            (json!([{"path": "/a"}]), "an operation needs `op`, a string"),
            (json!([{"op": "jump", "path": "/a"}]), "Unexpected kind: jump"),
            (
                json!([{"op": "test", "path": "/a/k", "value": "w"}]),
                "testing value /a/k failed: test failed",
            ),
            (
                json!([{"op": "remove", "path": "/a/none"}]),
                "error in remove for path: '/a/none': unable to remove nonexistent key: none: missing value",
            ),
            (
                json!([{"op": "remove", "path": "/none/k"}]),
                "remove operation does not apply: doc is missing path: \"/none/k\": missing value",
            ),
            (
                json!([{"op": "add", "path": "/none/k", "value": 1}]),
                "add operation does not apply: doc is missing path: \"/none/k\": missing value",
            ),
            (
                json!([{"op": "replace", "path": "/a/none", "value": 1}]),
                "replace operation does not apply: doc is missing key: /a/none: missing value",
            ),
            (
                json!([{"op": "copy", "from": "/none", "path": "/b"}]),
                "copy operation does not apply: doc is missing from path: /none: missing value",
            ),
            (
                json!([{"op": "move", "from": "/none", "path": "/b"}]),
                "error in move for path: '/none': unable to remove nonexistent key: none: missing value",
            ),
            (
                json!([{"op": "add", "path": "/l/7", "value": 1}]),
                "error in add for path: '/l/7': Unable to access invalid index: 7: invalid index referenced",
            ),
            (
                json!([{"op": "add", "path": "/l/x", "value": 1}]),
                "error in add for path: '/l/x': strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            (
                json!([{"op": "add", "path": "/a/k/z", "value": 1}]),
                "add operation does not apply: doc is missing path: \"/a/k/z\": missing value",
            ),
        ] {
            let doc = json!({"a": {"k": "v"}, "l": [1]});
            assert_eq!(run(doc, ops.clone()), Err(expected.to_owned()), "{ops}");
        }
    }

    #[test]
    fn size_is_bounded() {
        let many = vec![json!({"op": "add", "path": "/k", "value": 1}); MAX_OPERATIONS + 1];
        assert_eq!(
            run(json!({}), many.into()),
            Err("The allowed maximum operations in a JSON patch is 10000, got 10001".into())
        );
        let doubling: Vec<_> =
            (0..64).map(|n| json!({"op": "copy", "from": "", "path": format!("/k{n}")})).collect();
        let error = run(json!({"seed": "x".repeat(1000)}), doubling.into()).unwrap_err();
        assert!(error.starts_with("Unable to complete the copy"), "{error}");
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Into::into),
            any::<i8>().prop_map(Into::into),
            "[a-c]{0,2}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_patch_panics(
            doc in any_json(),
            ops in prop::collection::vec(
                (0..7_usize, "(/[a-c0-2-]{0,2}){0,4}", "(/[a-c0-2-]{0,2}){0,3}", any_json()),
                0..6,
            ),
        ) {
            let ops: Vec<_> = ops
                .into_iter()
                .map(|(op, path, from, value)| {
                    let op = OPERATIONS.get(op).copied().unwrap_or("none");
                    json!({"op": op, "path": path, "from": from, "value": value})
                })
                .collect();
            let _ = run(doc, ops.into());
        }
    }
}
