//! A plan as text: a unified diff for people and logs, JSON for programs.

use super::build::{Action, Change, Plan};
use super::fields::aligned;
use super::page;
use crate::schema::Schemas;
use crate::yaml::{Node, emit};

use similar::TextDiff;
use std::fmt::Write;

/// The form of a shown plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A unified diff of YAML for each object.
    Unified,
    /// One JSON document with each changed field.
    Json,
    /// For a comment on a merge request.
    Markdown,
    /// A page that needs nothing else.
    Html,
}

/// Whether a unified diff is coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// As plain text.
    Plain,
    /// With terminal colours.
    Colored,
}

/// The whole plan in a form.
#[must_use]
pub fn render(plan: &Plan, schemas: &Schemas, format: Format, paint: Paint) -> String {
    match format {
        Format::Unified => unified(plan, schemas, paint),
        Format::Json => json(plan, schemas),
        Format::Markdown => page::markdown(plan, schemas),
        Format::Html => page::html(plan, schemas),
    }
}

/// `2 to create, 1 to update, 1 to delete, 5 unchanged`.
#[must_use]
pub fn summary(plan: &Plan) -> String {
    let told = plan.counts().told(|key| match key {
        "create" => "to create",
        "update" => "to update",
        "recreate" => "to recreate",
        "delete" => "to delete",
        "keep" => "let go of but kept",
        key => key,
    });
    if told.is_empty() { "nothing to do".to_owned() } else { told }
}

fn unified(plan: &Plan, schemas: &Schemas, paint: Paint) -> String {
    let mut text = String::new();
    for action in plan.actions.iter().filter(|action| action.change.acts()) {
        for line in diff(action, schemas).lines() {
            let style = match paint {
                Paint::Plain => "",
                Paint::Colored => match line.as_bytes() {
                    [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => "\x1b[1m",
                    [b'+', ..] => "\x1b[32m",
                    [b'-', ..] => "\x1b[31m",
                    [b'@', ..] => "\x1b[36m",
                    _ => "",
                },
            };
            let end = if style.is_empty() { "" } else { "\x1b[0m" };
            let _ = writeln!(text, "{style}{line}{end}");
        }
    }
    text
}

/// The unified diff of one object, with a heading that says what is to be done.
pub(super) fn diff(action: &Action, schemas: &Schemas) -> String {
    let (before, after) = action.sides();
    let ty = schemas.kind(&action.id.gvk.api_version(), &action.id.gvk.kind);
    let yaml = |side: Option<&Node>| {
        let style = emit::Style { sort_keys: true, ..emit::Style::default() };
        side.map(|node| emit::to_string(node, &style)).unwrap_or_default()
    };
    let old = match (&before, &after) {
        (Some(before), Some(after)) => yaml(Some(&aligned(before, after, ty))),
        (before, _) => yaml(before.as_ref()),
    };
    let new = yaml(after.as_ref());
    let name = heading(action);
    let (left, right) = match action.change {
        Change::Create => ("/dev/null".to_owned(), format!("{name} (to create)")),
        Change::Delete => (format!("{name} (to delete)"), "/dev/null".to_owned()),
        Change::Recreate => (format!("{name} (live)"), format!("{name} (to recreate)")),
        _ => (format!("{name} (live)"), format!("{name} (to update)")),
    };
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .context_radius(3)
        .header(&left, &right)
        .missing_newline_hint(false)
        .to_string()
}

/// `apps/v1 Deployment shop/web`.
pub(super) fn heading(action: &Action) -> String {
    format!("{} {}", action.id.gvk.api_version(), action.id)
}

fn json(plan: &Plan, schemas: &Schemas) -> String {
    let mut root = Node::map();
    root.set("summary", plan.counts().to_node());
    let actions = plan.actions.iter().filter(|action| action.change != Change::Unchanged);
    let changes = actions.map(|action| {
        let mut node = Node::map();
        node.set("change", action.change.as_str());
        node.set("apiVersion", action.id.gvk.api_version());
        node.set("kind", action.id.gvk.kind.clone());
        if !action.id.namespace.is_empty() {
            node.set("namespace", action.id.namespace.clone());
        }
        node.set("name", action.id.name.clone());
        if action.change == Change::Create {
            let (_, after) = action.sides();
            node.set("object", after.unwrap_or_default());
        }
        let fields = action.fields(schemas).into_iter().map(|field| {
            let mut node = Node::map();
            node.set("path", field.path);
            for (key, side) in [("before", field.before), ("after", field.after)] {
                if let Some(value) = side {
                    node.set(key, value);
                }
            }
            node
        });
        let fields: Vec<Node> = fields.collect();
        if !fields.is_empty() {
            node.set("fields", fields);
        }
        node
    });
    root.set("changes", changes.collect::<Vec<Node>>());
    let mut text = crate::yaml::json::to_string_pretty(&root);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Gvk, ObjectId};
    use serde_json::json;

    pub(crate) fn plan() -> Plan {
        let object = |kind: &str, data: serde_json::Value| {
            Node::from(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a",
                "namespace": "prod", "uid": "1"}, "data": data}))
        };
        let action = |change, kind: &str, live: Option<Node>, after: Option<Node>| Action {
            change,
            id: ObjectId { gvk: Gvk::new("v1", kind), namespace: "prod".into(), name: "a".into() },
            desired: after.clone(),
            live,
            after,
            manager: "wharf".into(),
            force: false,
        };
        Plan {
            actions: vec![
                action(
                    Change::Update,
                    "Secret",
                    Some(object("Secret", json!({"x": "c2VjcmV0"}))),
                    Some(object("Secret", json!({"x": "b3RoZXI="}))),
                ),
                action(
                    Change::Unchanged,
                    "ConfigMap",
                    Some(object("ConfigMap", json!({"z": "1"}))),
                    None,
                ),
                action(
                    Change::Delete,
                    "ConfigMap",
                    Some(object("ConfigMap", json!({"x": "<1>"}))),
                    None,
                ),
            ],
        }
    }

    #[test]
    fn unified_diffs_show_objects_without_noise_and_secrets() {
        let text = render(&plan(), &Schemas::latest(), Format::Unified, Paint::Plain);
        assert_eq!(
            text,
            "--- v1 Secret prod/a (live)\n+++ v1 Secret prod/a (to update)\n@@ -1,6 +1,6 @@\n \
             apiVersion: v1\n data:\n-  x: '*** (before)'\n+  x: '*** (after)'\n kind: Secret\n \
             metadata:\n   name: a\n--- v1 ConfigMap prod/a (to delete)\n+++ /dev/null\n\
             @@ -1,7 +0,0 @@\n-apiVersion: v1\n-data:\n-  x: <1>\n-kind: ConfigMap\n-metadata:\n\
             -  name: a\n-  namespace: prod\n"
        );
        let colored = render(&plan(), &Schemas::latest(), Format::Unified, Paint::Colored);
        assert!(colored.contains("\x1b[31m-  x: '*** (before)'\x1b[0m"));
        assert_eq!(summary(&plan()), "1 to update, 1 to delete, 1 unchanged");
    }

    #[test]
    fn programs_get_every_field() {
        let text = render(&plan(), &Schemas::latest(), Format::Json, Paint::Plain);
        let node = crate::yaml::json::parse(text.as_bytes()).expect("JSON");
        let fields = node.items_at(&["changes"])[0].items_at(&["fields"]);
        assert_eq!(fields[0].str_at(&["path"]), Some("data.x"));
        assert_eq!(fields[0].str_at(&["after"]), Some("*** (after)"));
        assert_eq!(node.i64_at(&["summary", "delete"]), Some(1));
    }

    #[test]
    fn pages_escape_what_they_show() {
        let html = render(&plan(), &Schemas::latest(), Format::Html, Paint::Plain);
        assert!(html.contains("&lt;1&gt;") && !html.contains("<1>"), "{html}");
        let markdown = render(&plan(), &Schemas::latest(), Format::Markdown, Paint::Plain);
        assert!(markdown.contains("| update | `v1 Secret prod/a` | 1 |"), "{markdown}");
        assert!(markdown.contains("```diff\n--- v1 Secret"), "{markdown}");
    }
}
