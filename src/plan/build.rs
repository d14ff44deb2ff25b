//! Puts desired objects, live ones and what the release owned together.

use super::desired::{Desired, MANAGED_BY, RELEASE_NAME, RELEASE_NAMESPACE, is_owned};
use super::fields::{FieldChange, changes};
use super::refusal::{Refusal, Refusals};
use super::shown::{clean, drop_annotations, drop_labels, masked_pair};
use crate::cluster::Rejection;
use crate::object::{ObjectId, meta, order};
use crate::schema::Schemas;
use crate::yaml::Node;

/// What is to be done with an object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Change {
    /// It is not there yet.
    Create,
    /// It is there and differs.
    Update,
    /// It is there as it should be.
    Unchanged,
    /// It differs in what cannot be changed: deleted and made anew.
    Recreate,
    /// The release owned it and wants it no longer.
    Delete,
    /// As [`Change::Delete`], but the object asks to be kept.
    Keep,
}

impl Change {
    /// `create`, `update`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Create => "create",
            Change::Update => "update",
            Change::Unchanged => "unchanged",
            Change::Recreate => "recreate",
            Change::Delete => "delete",
            Change::Keep => "keep",
        }
    }

    /// The change that a text names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Change> {
        use Change::{Create, Delete, Keep, Recreate, Unchanged, Update};
        [Create, Update, Unchanged, Recreate, Delete, Keep]
            .into_iter()
            .find(|change| change.as_str() == text)
    }

    /// True when the cluster is touched.
    #[must_use]
    pub fn acts(self) -> bool {
        !matches!(self, Change::Unchanged | Change::Keep)
    }
}

/// What is to be done with one object.
#[derive(Clone, Debug)]
pub struct Action {
    /// What is to be done.
    pub change: Change,
    /// With which object.
    pub id: ObjectId,
    /// The object to apply; nothing when it is to go.
    pub desired: Option<Node>,
    /// The object as it is live, with everything the server keeps in it.
    pub live: Option<Node>,
    /// The object as it will be, as far as that is known.
    pub after: Option<Node>,
    /// The field manager to apply with.
    pub manager: String,
    /// Take fields over from other managers.
    pub force: bool,
}

impl Action {
    /// Both states as they may be shown; ownership stamps are left out unless they change.
    #[must_use]
    pub fn sides(&self) -> (Option<Node>, Option<Node>) {
        let before = match self.change {
            Change::Create => None,
            _ => self.live.as_ref().map(clean),
        };
        let after = match self.change {
            Change::Delete | Change::Keep => None,
            // what a server fills in by itself is no news about a new object
            Change::Create => self.desired.as_ref().map(clean),
            _ => self.after.as_ref().or(self.desired.as_ref()).map(clean),
        };
        let (mut before, mut after) = masked_pair(before.as_ref(), after.as_ref());
        let stamps = |side: &Option<Node>| {
            side.as_ref().map(|node| {
                let annotation = |key| meta::annotation(node, key).map(str::to_owned);
                let label = meta::labels(node).and_then(|labels| labels.get(MANAGED_BY)).cloned();
                (label, annotation(RELEASE_NAME), annotation(RELEASE_NAMESPACE))
            })
        };
        let (old, new) = (stamps(&before), stamps(&after));
        if old.is_none() || new.is_none() || old == new {
            for side in [&mut before, &mut after].into_iter().flatten() {
                drop_labels(side, &[MANAGED_BY]);
                drop_annotations(side, &[RELEASE_NAME, RELEASE_NAMESPACE]);
            }
        }
        (before, after)
    }

    /// The fields that differ, secrets masked. Only updates have any.
    #[must_use]
    pub fn fields(&self, schemas: &Schemas) -> Vec<FieldChange> {
        if !matches!(self.change, Change::Update | Change::Recreate) {
            return Vec::new();
        }
        let (Some(before), Some(after)) = self.sides() else { return Vec::new() };
        let api_version = self.id.gvk.api_version();
        changes(&before, &after, schemas.kind(&api_version, &self.id.gvk.kind))
    }
}

/// How many objects there are of each change.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// To be created.
    pub create: usize,
    /// To be updated.
    pub update: usize,
    /// To be deleted and made anew.
    pub recreate: usize,
    /// To be deleted.
    pub delete: usize,
    /// As they should be.
    pub unchanged: usize,
    /// Let go of, but kept.
    pub keep: usize,
}

impl Counts {
    /// Each count with its key, in the order in which they are told.
    #[must_use]
    pub fn each(&self) -> [(&'static str, usize); 6] {
        [
            ("create", self.create),
            ("update", self.update),
            ("recreate", self.recreate),
            ("delete", self.delete),
            ("keep", self.keep),
            ("unchanged", self.unchanged),
        ]
    }

    /// The counts that are not zero, each followed by what `word` calls its key; empty when all are.
    #[must_use]
    pub fn told(&self, word: impl Fn(&'static str) -> &'static str) -> String {
        let told = self.each().into_iter().filter(|(_, count)| *count > 0);
        let told: Vec<_> = told.map(|(key, count)| format!("{count} {}", word(key))).collect();
        told.join(", ")
    }

    /// The counts as a map.
    #[must_use]
    pub fn to_node(&self) -> Node {
        let mut node = Node::map();
        for (key, count) in self.each() {
            node.set(key, i64::try_from(count).unwrap_or(i64::MAX));
        }
        node
    }
}

/// What has to be done, in order.
#[derive(Clone, Default, Debug)]
pub struct Plan {
    /// First what is to be there, in the order of installing, then what is to go.
    pub actions: Vec<Action>,
}

impl Plan {
    /// True when nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.actions.iter().any(|action| action.change.acts())
    }

    /// How many objects there are of each change.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for action in &self.actions {
            *match action.change {
                Change::Create => &mut counts.create,
                Change::Update => &mut counts.update,
                Change::Recreate => &mut counts.recreate,
                Change::Delete => &mut counts.delete,
                Change::Unchanged => &mut counts.unchanged,
                Change::Keep => &mut counts.keep,
            } += 1;
        }
        counts
    }

    /// The actions in waves: those of one wave may run at the same time, a wave begins when the
    /// one before it is done.
    pub fn waves(&self) -> impl Iterator<Item = &[Action]> {
        self.actions.chunk_by(|a, b| wave(a) == wave(b))
    }
}

/// What an action has in common with the others of its wave.
fn wave(action: &Action) -> (bool, &str) {
    let leaves = matches!(action.change, Change::Delete | Change::Keep);
    (leaves, action.id.gvk.kind.as_str())
}

/// What the server says would come of applying an object.
#[derive(Clone, Debug)]
pub enum Forecast {
    /// Nothing: the live object proves it.
    Settled,
    /// This object.
    After(Box<Node>),
    /// Not asked, since its namespace or kind comes with the same package.
    Unknown,
    /// The server would not take it.
    Rejected(Rejection),
}

/// A desired object and what is known of it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What is to be there.
    pub desired: Desired,
    /// What is there.
    pub live: Option<Node>,
    /// What applying would give.
    pub forecast: Forecast,
    /// The field manager to apply with.
    pub manager: String,
    /// True when fields are taken over from Helm, which works on the same release.
    pub from_helm: bool,
    /// False for objects that are shared between releases and carry no stamps: definitions of
    /// custom kinds.
    pub owned: bool,
}

/// An object that the release owned and wants no longer.
#[derive(Clone, Debug)]
pub struct Surplus {
    /// What it is.
    pub id: ObjectId,
    /// What is there.
    pub live: Option<Node>,
    /// True when the manifest or the live object asks to be kept.
    pub keep: bool,
}

/// What the user insists on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Options<'a> {
    /// The release's name and namespace.
    pub release: (&'a str, &'a str),
    /// Take over objects that are not this release's.
    pub take_ownership: bool,
    /// Take over fields of other managers.
    pub force_conflicts: bool,
    /// Delete and make anew what cannot be changed in place.
    pub force_recreate: bool,
}

/// Makes the plan.
///
/// # Errors
/// Everything that stands against it.
pub fn build(
    subjects: Vec<Subject>,
    surplus: Vec<Surplus>,
    options: &Options<'_>,
) -> Result<Plan, Refusals> {
    let mut refusals = Vec::new();
    let mut actions = Vec::with_capacity(subjects.len() + surplus.len());
    for subject in subjects {
        match judge(subject, options) {
            Ok(action) => actions.push(action),
            Err(refusal) => refusals.push(refusal),
        }
    }
    if !refusals.is_empty() {
        return Err(Refusals(refusals));
    }
    order::sort_install_by(&mut actions, |action| &action.id.gvk.kind);
    let mut leaving: Vec<Action> =
        surplus.into_iter().filter_map(|surplus| leave(surplus, options)).collect();
    // reversed first: among equals, what came last goes first
    leaving.reverse();
    leaving.sort_by_key(|action| {
        // kinds that the table does not know were installed last, so they go first
        match order::uninstall_rank(&action.id.gvk.kind) {
            u16::MAX => 0,
            rank => rank + 1,
        }
    });
    actions.append(&mut leaving);
    Ok(Plan { actions })
}

fn judge(subject: Subject, options: &Options<'_>) -> Result<Action, Refusal> {
    let Subject { desired, live, forecast, manager, from_helm, owned } = subject;
    let object = desired.id.to_string();
    if let Some(live) = &live
        && owned
        && !options.take_ownership
        && !is_owned(live, options.release)
    {
        let owner = match meta::annotation(live, RELEASE_NAME) {
            Some(name) => format!(
                "release `{name}` in namespace `{}`",
                meta::annotation(live, RELEASE_NAMESPACE).unwrap_or_default()
            ),
            None => "no release".to_owned(),
        };
        return Err(Refusal::NotOwned { object, owner });
    }
    let mut action = Action {
        change: if live.is_some() { Change::Update } else { Change::Create },
        id: desired.id,
        desired: Some(desired.object),
        live,
        after: None,
        manager,
        force: options.force_conflicts || from_helm,
    };
    if action.live.as_ref().is_some_and(is_leaving) {
        // whatever is done to it goes with it; it is made anew when it is gone
        action.change = Change::Recreate;
        return Ok(action);
    }
    match forecast {
        Forecast::Settled => {
            action.change = Change::Unchanged;
        }
        Forecast::Unknown => {}
        Forecast::After(after) => {
            if let Some(live) = &action.live
                && clean(live) == clean(&after)
            {
                action.change = Change::Unchanged;
            }
            action.after = Some(*after);
        }
        Forecast::Rejected(rejection) if rejection.is_ownership_conflict() => {
            return Err(Refusal::Conflict { object, fields: conflicts(&rejection) });
        }
        Forecast::Rejected(rejection) if rejection.is_immutable() && action.live.is_some() => {
            if !options.force_recreate {
                return Err(Refusal::Immutable { object, message: rejection.message });
            }
            action.change = Change::Recreate;
        }
        Forecast::Rejected(rejection) => {
            let message = rejection.message;
            return Err(Refusal::Rejected { object, origin: desired.origin, message });
        }
    }
    Ok(action)
}

/// True for an object that is being deleted already.
fn is_leaving(live: &Node) -> bool {
    live.at(&["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_null())
}

/// Field and manager of each conflict, in order: the server's causes have none.
#[must_use]
pub fn conflicts(rejection: &Rejection) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = rejection
        .causes
        .iter()
        .map(|cause| {
            // conflict with "kubectl-scale" using apps/v1
            let manager = cause.message.split('"').nth(1).unwrap_or(&cause.message);
            (cause.field.clone(), manager.to_owned())
        })
        .collect();
    fields.sort();
    fields.dedup();
    fields
}

fn leave(surplus: Surplus, options: &Options<'_>) -> Option<Action> {
    // what is gone already, or was taken by another release, is not ours to delete
    let live = surplus.live.filter(|live| is_owned(live, options.release))?;
    let keep = surplus.keep || crate::object::inventory::is_kept(&live);
    Some(Action {
        change: if keep { Change::Keep } else { Change::Delete },
        id: surplus.id,
        desired: None,
        live: Some(live),
        after: None,
        manager: String::new(),
        force: false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::desired::prepare;
    use super::*;
    use crate::cluster::Cause;
    use crate::object::Object;
    use serde_json::{Value, json};
    use std::sync::Arc;

    const RELEASE: (&str, &str) = ("shop", "prod");

    fn desired(kind: &str, name: &str) -> Desired {
        let root = Node::from(json!({"apiVersion": "v1", "kind": kind,
            "metadata": {"name": name}, "data": {"a": "1"}}));
        prepare(&Object { root, origin: Arc::default() }, true, RELEASE)
    }

    fn subject(kind: &str, name: &str, live: Option<Node>, forecast: Forecast) -> Subject {
        let desired = desired(kind, name);
        let manager = "wharf".into();
        Subject { desired, live, forecast, manager, from_helm: false, owned: true }
    }

    fn live(kind: &str, name: &str, data: Value) -> Node {
        let mut live = desired(kind, name).object;
        live.set("data", Node::from(data));
        live.set_at(&["metadata", "resourceVersion"], "5");
        live
    }

    fn options() -> Options<'static> {
        Options { release: RELEASE, ..Options::default() }
    }

    #[test]
    fn actions_come_in_waves_of_one_kind_and_deletions_last() {
        let as_is = desired("ConfigMap", "same").object;
        let subjects = vec![
            subject("Pod", "p", None, Forecast::Unknown),
            subject("ConfigMap", "new", None, Forecast::Unknown),
            subject(
                "ConfigMap",
                "same",
                Some(live("ConfigMap", "same", json!({"a": "1"}))),
                Forecast::After(Box::new(as_is)),
            ),
            subject(
                "ConfigMap",
                "old",
                Some(live("ConfigMap", "old", json!({"a": "0"}))),
                Forecast::After(Box::new(live("ConfigMap", "old", json!({"a": "1"})))),
            ),
        ];
        let surplus = |kind: &str, name: &str, keep| {
            let live = live(kind, name, json!({}));
            Surplus { id: desired(kind, name).id, live: Some(live), keep }
        };
        let plan = build(
            subjects,
            vec![
                surplus("Secret", "s", false),
                surplus("Service", "svc", false),
                surplus("Secret", "k", true),
            ],
            &options(),
        )
        .expect("a plan");
        let waves: Vec<String> = plan
            .waves()
            .map(|wave| {
                let shown = wave.iter().map(|a| format!("{} {}", a.change.as_str(), a.id));
                shown.collect::<Vec<_>>().join(", ")
            })
            .collect();
        assert_eq!(
            waves,
            [
                "create ConfigMap prod/new, unchanged ConfigMap prod/same, \
                 update ConfigMap prod/old",
                "create Pod prod/p",
                "delete Service prod/svc",
                "keep Secret prod/k, delete Secret prod/s",
            ]
        );
        let counts = plan.counts();
        assert_eq!((counts.create, counts.update, counts.unchanged), (2, 1, 1));
        let fields = plan.actions[2].fields(&Schemas::latest());
        assert_eq!(fields.len(), 1);
        assert_eq!(fields[0].path, "data.a");
    }

    #[test]
    fn everything_that_stands_against_it_is_told_at_once() {
        let conflict = Rejection {
            code: 409,
            causes: vec![
                Cause {
                    reason: "FieldManagerConflict".into(),
                    message: "conflict with \"kubectl-edit\" using v1".into(),
                    field: ".data.b".into(),
                },
                Cause {
                    reason: "FieldManagerConflict".into(),
                    message: "conflict with \"helm\"".into(),
                    field: ".data.a".into(),
                },
            ],
            ..Rejection::default()
        };
        let immutable = Rejection {
            code: 422,
            message: "spec.clusterIP: field is immutable".into(),
            ..Rejection::default()
        };
        let invalid =
            Rejection { code: 422, message: "data: Invalid value".into(), ..Rejection::default() };
        let mut foreign = live("ConfigMap", "foreign", json!({}));
        foreign.set_at(&["metadata", "annotations", RELEASE_NAME], "other");
        let ours = |name: &str| Some(live("ConfigMap", name, json!({})));
        let subjects = || {
            vec![
                subject("ConfigMap", "a", ours("a"), Forecast::Rejected(conflict.clone())),
                subject("ConfigMap", "b", ours("b"), Forecast::Rejected(immutable.clone())),
                subject("ConfigMap", "foreign", Some(foreign.clone()), Forecast::Settled),
            ]
        };
        let refusals = build(subjects(), vec![], &options()).expect_err("refused");
        let shown: Vec<String> = refusals.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "ConfigMap prod/a: 2 fields belong to other managers\n  .data.a is owned by helm\n  \
                 .data.b is owned by kubectl-edit",
                "ConfigMap prod/b cannot be changed in place: spec.clusterIP: field is immutable",
                "ConfigMap prod/foreign is there already and belongs to release `other` in \
                 namespace `prod`",
            ]
        );
        assert!(refusals.are_policy());
        let insisting = Options { take_ownership: true, force_recreate: true, ..options() };
        let left = build(subjects(), vec![], &insisting).expect_err("the conflict is left");
        assert_eq!(left.0.len(), 1);
        let new = vec![subject("ConfigMap", "c", None, Forecast::Rejected(invalid))];
        let refused = build(new, vec![], &options()).expect_err("refused");
        assert_eq!(refused.to_string(), "ConfigMap prod/c: data: Invalid value");
        assert!(!refused.are_policy());
    }

    #[test]
    fn objects_that_another_release_took_are_not_deleted() {
        let mut taken = live("ConfigMap", "a", json!({}));
        taken.set_at(&["metadata", "annotations", RELEASE_NAME], "other");
        let id = desired("ConfigMap", "a").id;
        let surplus = vec![
            Surplus { id: id.clone(), live: Some(taken), keep: false },
            Surplus { id, live: None, keep: false },
        ];
        let plan = build(vec![], surplus, &options()).expect("a plan");
        assert!(plan.actions.is_empty());
    }
}
