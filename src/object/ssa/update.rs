//! Bookkeeping of owners for writes that are no apply: create, update, and the other patches.
//!
//! Whoever changes a field owns it from then on, and owns it alone. Whoever removes one takes it
//! from all owners.

use super::managed::{Held, Managed, Operation, Owner, bare, is_reset};
use super::typed::{Comparison, Known, compare};
use super::{FieldSet, typed_merge};
use crate::base::clock::rfc3339_seconds;
use crate::schema::{Kind, Type};
use crate::yaml::{Map, Node};
use jiff::Timestamp;

/// How a write is recorded.
#[derive(Clone, Copy, Debug)]
pub struct UpdateOptions<'a> {
    /// The `fieldManager`.
    pub manager: &'a str,
    /// The subresource that was written, `status` or `scale`; empty for the object itself.
    pub subresource: &'a str,
    /// When.
    pub time: Timestamp,
    /// Fields that this endpoint does not write, such as `status` beside a status subresource.
    pub reset: &'a [&'a [&'a str]],
}

/// Gives `after` the owners that follow from the change; `before` is the stored object, nothing
/// when `after` is created. The manager may rewrite the owners through `after`'s own
/// `managedFields`, or drop them all with `[]` or `[{}]`, but not through a subresource.
///
/// When nothing but owners' times would change, `before`'s owners are kept as they are.
#[must_use]
pub fn update(
    before: Option<&Node>,
    mut after: Node,
    options: UpdateOptions<'_>,
    ty: Option<&Type>,
) -> Node {
    let stored = || before.and_then(Managed::read).unwrap_or_default();
    let managed = if !options.subresource.is_empty() {
        stored()
    } else if is_reset(&after) {
        Managed::default()
    } else {
        Managed::read(&after).filter(|managed| !managed.0.is_empty()).unwrap_or_else(stored)
    };
    after.remove_at(&["metadata", "managedFields"]);
    // ownership of an object without owners begins with its first apply
    if managed.0.is_empty() && before.is_some() {
        return unchanged(before, after);
    }
    let api_version = after.str_at(&["apiVersion"]).unwrap_or_default().to_owned();
    let owner = Owner::new(options.manager, Operation::Update, &api_version, options.subresource);
    let zero;
    let old = match before {
        Some(old) => old,
        None => {
            zero = zero_object(&after, ty);
            &zero
        }
    };
    let reset = FieldSet::of_fields(options.reset);
    let managed = record(managed, old, &after, &owner, &reset, Some(options.time), ty);
    managed.write(&mut after);
    unchanged(before, after)
}

/// The owners after a write by `owner`; entries that it adds get the time.
pub(super) fn record(
    mut managed: Managed,
    old: &Node,
    new: &Node,
    owner: &Owner,
    reset: &FieldSet,
    time: Option<Timestamp>,
    ty: Known<'_>,
) -> Managed {
    let change = without_bookkeeping(compare(old, new, ty));
    let counted = Comparison {
        added: change.added.clone(),
        modified: change.modified.clone(),
        removed: change.removed.clone(),
    }
    .without(reset);
    let changed = counted.changed();
    for held in managed.0.values_mut() {
        held.set = held.set.difference(&changed).difference(&counted.removed);
    }
    let own = change.changed().difference(&change.removed).without_below(reset);
    let own = own.difference(&stripped());
    if !own.is_empty() {
        let api_version = new.str_at(&["apiVersion"]).unwrap_or_default().to_owned();
        let held = managed.0.entry(owner.clone()).or_insert_with(|| Held {
            set: FieldSet::new(),
            api_version: api_version.clone(),
            time: None,
        });
        held.set = held.set.union(&own);
        held.api_version = api_version;
        held.time = time.map(rfc3339_seconds);
    }
    managed.tidy();
    managed
}

fn without_bookkeeping(change: Comparison) -> Comparison {
    change.without(&FieldSet::of_fields(&[&["metadata", "managedFields"]]))
}

/// Fields that belong to the server or name the object, and so have no owner.
pub(super) fn stripped() -> FieldSet {
    FieldSet::of_fields(&[
        &["apiVersion"],
        &["kind"],
        &["metadata"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "creationTimestamp"],
        &["metadata", "selfLink"],
        &["metadata", "uid"],
        &["metadata", "clusterName"],
        &["metadata", "generation"],
        &["metadata", "managedFields"],
        &["metadata", "resourceVersion"],
    ])
}

/// `after`, with the owners of `before` when nothing but their times differs.
pub(super) fn unchanged(before: Option<&Node>, mut after: Node) -> Node {
    let Some(before) = before else { return after };
    if bare(before) != bare(&after) {
        return after;
    }
    let timeless = |object: &Node| {
        let mut managed = Managed::read(object)?;
        managed.0.values_mut().for_each(|held| held.time = None);
        Some(managed)
    };
    if timeless(before) == timeless(&after) {
        match before.at(&["metadata", "managedFields"]) {
            Some(list) => after.set_at(&["metadata", "managedFields"], list.clone()),
            None => {
                after.remove_at(&["metadata", "managedFields"]);
            }
        }
    }
    after
}

/// The object of a kind before anything is set. A Go server compares a new object of a built-in
/// kind with this: fields that Go always writes are there already, so their maps have no owner of
/// their own. Custom resources begin empty.
pub(super) fn zero_object(object: &Node, ty: Option<&Type>) -> Node {
    let api_version = object.str_at(&["apiVersion"]).unwrap_or_default();
    let mut zero = match ty {
        Some(ty) if is_built_in(api_version) => zero_value(ty, 0),
        _ => Node::map(),
    };
    for key in ["apiVersion", "kind"] {
        if let Some(value) = object.get(key) {
            zero.set(key, value.clone());
        }
    }
    zero
}

fn zero_value(ty: &Type, depth: usize) -> Node {
    // structs that Go writes though they are optional, because they are no pointers
    const ALWAYS: &[&str] = &[
        "metadata",
        "spec",
        "status",
        "template",
        "strategy",
        "updateStrategy",
        "jobTemplate",
        "loadBalancer",
        "source",
    ];
    let mut map = Map::new();
    if depth > 8 {
        return Node::from(map);
    }
    for property in ty.properties() {
        let always = property.required || ALWAYS.contains(&&*property.key);
        let value = match property.ty.kind() {
            Kind::Object if always && !property.ty.properties().is_empty() => {
                zero_value(&property.ty, depth + 1)
            }
            Kind::Object | Kind::List if property.required => Node::NULL,
            Kind::String if property.required => Node::from(""),
            Kind::Integer | Kind::Number if property.required => Node::from(0),
            Kind::Boolean if property.required => Node::from(false),
            _ => continue,
        };
        map.insert(property.key.clone(), value);
    }
    Node::from(map)
}

fn is_built_in(api_version: &str) -> bool {
    const GROUPS: &[&str] = &[
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    match api_version.split_once('/') {
        None => true,
        Some((group, _)) => GROUPS.contains(&group),
    }
}

/// Puts back what an endpoint does not write.
pub(super) fn restore(new: &mut Node, old: &Node, reset: &[&[&str]]) {
    for path in reset {
        match old.at(path) {
            Some(value) => new.set_at(path, value.clone()),
            None => {
                new.remove_at(path);
            }
        }
    }
}

/// Removes what the last apply had set and nobody owns now; `set` is what this one sets.
pub(super) fn prune(
    merged: Node,
    last: &FieldSet,
    set: &FieldSet,
    managed: &FieldSet,
    ty: Known<'_>,
) -> Node {
    if last.difference(managed).is_empty() {
        return merged;
    }
    let named = |set: &FieldSet| typed_merge::with_named(set, ty);
    let fields = |node: &Node| named(&super::typed::field_set(node, ty));
    let remove = |gone: &FieldSet| {
        typed_merge::remove(&merged, gone, Some(set), ty).unwrap_or_else(Node::map)
    };
    let (all, last) = (fields(&merged), named(last));
    let pruned = remove(&last);
    // what somebody else owns, or the new configuration has, comes back
    let owned = remove(&all.difference(&fields(&pruned).union(&named(managed))));
    // and what the manager never had
    remove(&all.difference(&fields(&owned)).intersection(&last))
}
