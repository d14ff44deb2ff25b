//! Objects that run at a time of their own: before or after a release is installed, upgraded,
//! rolled back or removed. Helm's annotations say when; its records keep them beside the manifest.

use super::order;
use crate::yaml::Node;

const EVENTS: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
const OUTPUT_LOG_POLICY: &str = "helm.sh/hook-output-log-policy";

/// When hooks run.
const KNOWN: &[&str] = &[
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
];

/// When a hook runs, and what becomes of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct When {
    /// At which events.
    pub events: Vec<String>,
    /// Hooks of one event run in the order of their weights.
    pub weight: i64,
    /// When it is deleted.
    pub delete_policies: Vec<String>,
    /// When its logs are shown.
    pub output_log_policies: Vec<String>,
}

/// An event that Helm does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownEvent;

impl When {
    /// Reads annotations. Nothing when they are not those of a hook.
    ///
    /// # Errors
    /// When they name an event that there is not.
    pub fn read<'a>(
        annotation: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<Result<When, UnknownEvent>> {
        let list = |key: &str| -> Vec<String> {
            let parts = annotation(key).into_iter().flat_map(|text| text.split(','));
            parts.map(|part| part.trim().to_lowercase()).collect()
        };
        annotation(EVENTS)?;
        let mut events = Vec::new();
        for event in list(EVENTS) {
            let event = if event == "test-success" { "test".to_owned() } else { event };
            if !KNOWN.contains(&event.as_str()) {
                return Some(Err(UnknownEvent));
            }
            events.push(event);
        }
        let weight = annotation(WEIGHT).and_then(|text| text.parse().ok());
        Some(Ok(When {
            events,
            weight: weight.unwrap_or(0),
            delete_policies: list(DELETE_POLICY),
            output_log_policies: list(OUTPUT_LOG_POLICY),
        }))
    }

    /// True when it runs at an event.
    #[must_use]
    pub fn is_at(&self, event: &str) -> bool {
        self.events.iter().any(|its| its == event)
    }

    /// True for a test.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.is_at("test")
    }

    /// True when it is deleted at a time: `before-hook-creation`, which is what counts when nothing
    /// is said, `hook-succeeded` or `hook-failed`.
    #[must_use]
    pub fn deletes(&self, policy: &str) -> bool {
        match self.delete_policies.as_slice() {
            [] => policy == "before-hook-creation",
            policies => policies.iter().any(|its| its == policy),
        }
    }
}

/// A hook as a record keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hook {
    /// Name of its object.
    pub name: String,
    /// Kind of its object.
    pub kind: String,
    /// The file it came from.
    pub path: String,
    /// Its object as text.
    pub manifest: String,
    /// When it runs.
    pub when: When,
}

impl Hook {
    /// Reads an entry of a record.
    #[must_use]
    pub fn from_node(node: &Node) -> Hook {
        let text = |key: &str| node.str_at(&[key]).unwrap_or_default().to_owned();
        let list = |key: &str| {
            let items = node.items_at(&[key]).iter();
            items.filter_map(Node::as_str).map(str::to_owned).collect()
        };
        Hook {
            name: text("name"),
            kind: text("kind"),
            path: text("path"),
            manifest: text("manifest"),
            when: When {
                events: list("events"),
                weight: node.i64_at(&["weight"]).unwrap_or(0),
                delete_policies: list("delete_policies"),
                output_log_policies: list("output_log_policies"),
            },
        }
    }

    /// The entry of a record, for a hook that did not run yet.
    #[must_use]
    pub fn to_node(&self) -> Node {
        let mut node = Node::map();
        for (key, text) in [
            ("name", &self.name),
            ("kind", &self.kind),
            ("path", &self.path),
            ("manifest", &self.manifest),
        ] {
            node.set(key, text.as_str());
        }
        let list = |texts: &[String]| texts.iter().map(|t| Node::from(t.as_str())).collect();
        let list = |texts: &[String]| -> Vec<Node> { list(texts) };
        node.set("events", list(&self.when.events));
        node.set_at(&["last_run", "phase"], "");
        if self.when.weight != 0 {
            node.set("weight", self.when.weight);
        }
        for (key, texts) in [
            ("delete_policies", &self.when.delete_policies),
            ("output_log_policies", &self.when.output_log_policies),
        ] {
            if !texts.is_empty() {
                node.set(key, list(texts));
            }
        }
        node
    }
}

/// The hooks of an event, in the order in which they run: by weight, then by name, then by kind.
#[must_use]
pub fn at_event<'a>(hooks: &'a [Hook], event: &str) -> Vec<&'a Hook> {
    let mut found: Vec<&Hook> = hooks.iter().filter(|hook| hook.when.is_at(event)).collect();
    found.sort_by_key(|hook| order::install_rank(&hook.kind));
    found.sort_by(|a, b| (a.when.weight, &a.name).cmp(&(b.when.weight, &b.name)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, kind: &str, annotations: &[(&str, &str)]) -> Hook {
        let read = |key: &str| annotations.iter().find(|(its, _)| *its == key).map(|(_, v)| *v);
        let when = When::read(read).expect("a hook").expect("known events");
        Hook { name: name.into(), kind: kind.into(), when, ..Hook::default() }
    }

    #[test]
    fn annotations_say_when_a_hook_runs_and_goes() {
        let some = hook(
            "a",
            "Job",
            &[
                (EVENTS, "pre-install, Post-Upgrade"),
                (WEIGHT, "-5"),
                (DELETE_POLICY, "hook-failed"),
            ],
        );
        assert!(some.when.is_at("post-upgrade") && !some.when.is_test());
        assert!(some.when.deletes("hook-failed") && !some.when.deletes("before-hook-creation"));
        assert_eq!(Hook::from_node(&some.to_node()), some);
        let test = hook("b", "Pod", &[(EVENTS, "test-success")]);
        assert!(test.when.is_test() && test.when.deletes("before-hook-creation"));
        assert_eq!(
            When::read(|key| (key == EVENTS).then_some("sometimes")),
            Some(Err(UnknownEvent))
        );
        assert_eq!(When::read(|_| None), None);
    }

    #[test]
    fn hooks_run_by_weight_name_and_kind() {
        let at =
            |name, kind, weight| hook(name, kind, &[(EVENTS, "pre-install"), (WEIGHT, weight)]);
        let hooks = [
            at("b", "Job", "0"),
            at("a", "Job", "1"),
            at("b", "ConfigMap", "0"),
            at("z", "Job", "-1"),
        ];
        let order: Vec<_> = at_event(&hooks, "pre-install")
            .into_iter()
            .map(|hook| format!("{} {}", hook.kind, hook.name))
            .collect();
        assert_eq!(order, ["Job z", "ConfigMap b", "Job b", "Job a"]);
        assert!(at_event(&hooks, "post-install").is_empty());
    }
}
