//! A plan in a file, so that exactly what was shown is what is done.
//!
//! The file is JSON and holds everything that carrying out the plan needs: the objects to apply,
//! the state that each live object was in, and the record to write. It holds the values of Secrets
//! too, so whoever writes it makes it readable for its owner only.

use super::build::{Action, Change, Plan};
use super::desired::{Intent, PackageFacts};
use super::fields::{FieldChange, changes};
use super::shown::{clean, masked_pair};
use crate::object::{Gvk, Hook, ObjectId, meta};
use crate::yaml::Node;

const API_VERSION: &str = "wharf.dev/v1";
const KIND: &str = "Plan";

/// Why a text is no plan.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("this is no plan that can be applied: {message}")]
#[diagnostic(code(wharf::plan::bad_file), help("make it anew with `wharf plan SRC --out FILE`"))]
pub struct FileError {
    /// What is wrong with it.
    pub message: String,
}

/// A plan and what it was made for.
#[derive(Clone, Debug)]
pub struct Saved {
    /// What the release is to become.
    pub intent: Intent,
    /// The cluster that it was made for.
    pub server: String,
    /// What has to be done.
    pub plan: Plan,
}

/// True when a text looks like a plan file rather than like manifests.
#[must_use]
pub fn is_plan(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && text.contains("\"wharf.dev/v1\"")
        && text.contains("\"kind\": \"Plan\"")
}

impl Saved {
    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let intent = &self.intent;
        let mut root = Node::map();
        root.set("apiVersion", API_VERSION);
        root.set("kind", KIND);
        root.set("server", self.server.as_str());
        root.set_at(&["release", "name"], intent.name.as_str());
        root.set_at(&["release", "namespace"], intent.namespace.as_str());
        root.set_at(&["release", "baseRevision"], intent.base_revision);
        for (key, text) in [
            ("name", &intent.package.name),
            ("version", &intent.package.version),
            ("appVersion", &intent.package.app_version),
            ("description", &intent.package.description),
        ] {
            root.set_at(&["package", key], text.as_str());
        }
        root.set("defaults", intent.defaults.clone());
        root.set("config", intent.config.clone());
        root.set("manifest", intent.manifest.as_str());
        root.set("hooks", intent.hooks.iter().map(Hook::to_node).collect::<Vec<_>>());
        root.set("withoutHooks", intent.without_hooks);
        if let Some(notes) = &intent.notes {
            root.set("notes", notes.as_str());
        }
        let actions = self.plan.actions.iter().map(action_to_node);
        root.set("actions", actions.collect::<Vec<Node>>());
        let mut text = crate::yaml::json::to_string_pretty(&root);
        text.push('\n');
        text
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`FileError`] when it is no plan, or one of another version.
    pub fn parse(text: &str) -> Result<Saved, FileError> {
        let root = crate::yaml::json::parse(text.as_bytes())
            .map_err(|error| FileError { message: error.to_string() })?;
        let wrong = |message: &str| FileError { message: message.to_owned() };
        let version = root.str_at(&["apiVersion"]);
        if root.str_at(&["kind"]) != Some(KIND) || version != Some(API_VERSION) {
            return Err(wrong("it is not of kind `Plan` and version `wharf.dev/v1`"));
        }
        let need = |path: &[&str]| {
            root.str_at(path)
                .map(str::to_owned)
                .ok_or_else(|| FileError { message: format!("`{}` is missing", path.join(".")) })
        };
        let intent = Intent {
            name: need(&["release", "name"])?,
            namespace: need(&["release", "namespace"])?,
            base_revision: root
                .i64_at(&["release", "baseRevision"])
                .ok_or_else(|| wrong("`release.baseRevision` is missing"))?,
            package: PackageFacts {
                name: need(&["package", "name"])?,
                version: need(&["package", "version"])?,
                app_version: need(&["package", "appVersion"])?,
                description: need(&["package", "description"])?,
            },
            defaults: root.get("defaults").cloned().unwrap_or_default(),
            config: root.get("config").cloned().unwrap_or_default(),
            manifest: need(&["manifest"])?,
            hooks: root.items_at(&["hooks"]).iter().map(Hook::from_node).collect(),
            without_hooks: root.get("withoutHooks").and_then(Node::as_bool).unwrap_or_default(),
            notes: root.str_at(&["notes"]).map(str::to_owned),
        };
        let actions = root
            .items_at(&["actions"])
            .iter()
            .enumerate()
            .map(|(at, node)| {
                action_from_node(node)
                    .ok_or_else(|| FileError { message: format!("`actions[{at}]` is damaged") })
            })
            .collect::<Result<_, _>>()?;
        Ok(Saved { intent, server: need(&["server"])?, plan: Plan { actions } })
    }
}

fn action_to_node(action: &Action) -> Node {
    let mut node = Node::map();
    node.set("change", action.change.as_str());
    node.set("apiVersion", action.id.gvk.api_version());
    node.set("kind", action.id.gvk.kind.clone());
    node.set("namespace", action.id.namespace.clone());
    node.set("name", action.id.name.clone());
    node.set("manager", action.manager.as_str());
    node.set("force", action.force);
    for (key, object) in
        [("object", &action.desired), ("live", &action.live), ("after", &action.after)]
    {
        if let Some(object) = object {
            let mut object = object.clone();
            // who owned which field decides nothing any more, and is the larger part of the object
            object.remove_at(&["metadata", "managedFields"]);
            node.set(key, object);
        }
    }
    node
}

fn action_from_node(node: &Node) -> Option<Action> {
    let change = Change::parse(node.str_at(&["change"])?)?;
    let object = |key: &str| node.get(key).cloned();
    let needs_object = !matches!(change, Change::Delete | Change::Keep);
    if needs_object && object("object").is_none() {
        return None;
    }
    Some(Action {
        change,
        id: ObjectId {
            gvk: Gvk::new(node.str_at(&["apiVersion"])?, node.str_at(&["kind"])?),
            namespace: node.str_at(&["namespace"])?.into(),
            name: node.str_at(&["name"])?.into(),
        },
        desired: object("object"),
        live: object("live"),
        after: object("after"),
        manager: node.str_at(&["manager"])?.to_owned(),
        force: node.get("force").and_then(Node::as_bool)?,
    })
}

/// How a live object moved since a plan was made: nothing when it did not. Changes of status do
/// not count; values of Secrets are masked.
#[must_use]
pub fn moved(planned: Option<&Node>, now: Option<&Node>) -> Option<Vec<FieldChange>> {
    match (planned, now) {
        (None, None) => None,
        (Some(was), Some(is)) => {
            let text = |node: &Node, key: &str| {
                node.str_at(&["metadata", key]).unwrap_or_default().to_owned()
            };
            if text(was, "resourceVersion") == text(is, "resourceVersion") {
                return None;
            }
            let same_object = meta::uid(was) == meta::uid(is);
            let (was, is) = (clean(was), clean(is));
            if same_object && was == is {
                return None;
            }
            let (was, is) = masked_pair(Some(&was), Some(&is));
            Some(changes(&was.unwrap_or_default(), &is.unwrap_or_default(), None))
        }
        (was, is) => Some(vec![FieldChange {
            path: String::new(),
            before: was.map(|_| Node::from("there")),
            after: is.map(|_| Node::from("there")),
        }]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn saved() -> Saved {
        let object = Node::from(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "managedFields": [{"manager": "x"}]}}));
        let mut cut = object.clone();
        cut.remove_at(&["metadata", "managedFields"]);
        let action = Action {
            change: Change::Update,
            id: ObjectId {
                gvk: Gvk::new("v1", "ConfigMap"),
                namespace: "prod".into(),
                name: "a".into(),
            },
            desired: Some(cut),
            live: Some(object),
            after: None,
            manager: "wharf".into(),
            force: true,
        };
        let intent = Intent {
            name: "shop".into(),
            namespace: "prod".into(),
            base_revision: 4,
            manifest: "---\n".into(),
            hooks: vec![Hook { name: "before".into(), ..Hook::default() }],
            notes: Some("hello".into()),
            config: Node::from(json!({"a": null})),
            ..Intent::default()
        };
        Saved { intent, server: "https://h".into(), plan: Plan { actions: vec![action] } }
    }

    #[test]
    fn plans_survive_the_way_through_a_file() {
        let saved = saved();
        let text = saved.to_text();
        assert!(is_plan(&text) && !text.contains("managedFields"));
        let read = Saved::parse(&text).expect("a plan");
        assert_eq!(read.intent, saved.intent);
        assert_eq!(read.to_text(), text);
        for (text, message) in [
            ("{}", "it is not of kind `Plan` and version `wharf.dev/v1`"),
            (
                &*text.replace("\"baseRevision\": 4", "\"x\": 4"),
                "`release.baseRevision` is missing",
            ),
            (
                &*text.replace("\"change\": \"update\"", "\"change\": \"u\""),
                "`actions[0]` is damaged",
            ),
        ] {
            assert_eq!(Saved::parse(text).expect_err("no plan").message, message);
        }
    }

    #[test]
    fn only_what_counts_moves_an_object() {
        let object = |version: &str, uid: &str, data: &str, status: i64| {
            Node::from(json!({"apiVersion": "v1", "kind": "Secret", "data": {"x": data},
                "metadata": {"resourceVersion": version, "uid": uid}, "status": {"n": status}}))
        };
        let was = object("1", "u", "eA==", 1);
        assert_eq!(moved(Some(&was), Some(&object("2", "u", "eA==", 2))), None);
        assert_eq!(moved(None, None), None);
        let fields = moved(Some(&was), Some(&object("2", "u", "eQ==", 1))).expect("it moved");
        assert_eq!(fields[0].path, "data.x");
        assert!(!format!("{fields:?}").contains("=="));
        assert!(moved(Some(&was), Some(&object("2", "v", "eA==", 1))).is_some());
        assert!(moved(Some(&was), None).is_some());
    }
}
