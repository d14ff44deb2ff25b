//! The apply patch.

use super::managed::{Held, Managed, Operation, Owner};
use super::typed::{TypeFault, check, compare, field_set};
use super::update::{prune, record, restore, stripped, unchanged, zero_object};
use super::{FieldSet, typed_merge};
use crate::base::clock::rfc3339_seconds;
use crate::object::{Gvk, meta};
use crate::schema::Type;
use crate::yaml::{Node, Value, json};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// Owner of what an object had before its first apply.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Where `kubectl apply` without `--server-side` keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The manager that takes over from client-side apply.
const KUBECTL: &str = "kubectl";

/// How a configuration is applied.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions<'a> {
    /// The `fieldManager`.
    pub manager: &'a str,
    /// Take fields over from other owners instead of failing.
    pub force: bool,
    /// The subresource that is written, `status` or `scale`; empty for the object itself.
    pub subresource: &'a str,
    /// When.
    pub time: Timestamp,
    /// Fields that this endpoint does not write, such as `status` beside a status subresource.
    pub reset: &'a [&'a [&'a str]],
}

/// A field that somebody else owns with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The owner, as messages name it: `"one" using v1`.
    pub manager: String,
    /// The field, in Kubernetes' notation.
    pub field: String,
    sort_key: String,
}

/// Why a configuration could not be applied. The texts are those of a Kubernetes API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyError {
    /// The configuration carries `managedFields`.
    ManagedFields,
    /// The configuration does not fit the schema.
    Untyped {
        /// `namespace/name; group/version, Kind=kind`.
        object: String,
        /// What does not fit.
        faults: Vec<TypeFault>,
    },
    /// Others own fields with other values; never empty.
    Conflicts(Vec<Conflict>),
}

impl std::error::Error for ApplyError {}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApplyError::ManagedFields => f.write_str("metadata.managedFields must be nil"),
            ApplyError::Untyped { object, faults } => {
                write!(f, "failed to create typed patch object ({object}): ")?;
                let line = |fault: &TypeFault| match fault.path.as_str() {
                    "" => fault.message.clone(),
                    path => format!("{path}: {}", fault.message),
                };
                match faults.as_slice() {
                    [one] => f.write_str(&line(one)),
                    many => {
                        f.write_str("errors:")?;
                        many.iter().try_for_each(|fault| write!(f, "\n  {}", line(fault)))
                    }
                }
            }
            ApplyError::Conflicts(conflicts) => match conflicts.as_slice() {
                [one] => write!(
                    f,
                    "Apply failed with 1 conflict: conflict with {}: {}",
                    one.manager, one.field
                ),
                many => {
                    write!(f, "Apply failed with {} conflicts: ", many.len())?;
                    let mut owners: BTreeMap<&str, Vec<&Conflict>> = BTreeMap::new();
                    for conflict in many {
                        owners.entry(&conflict.sort_key).or_default().push(conflict);
                    }
                    let mut lines = Vec::new();
                    for fields in owners.values() {
                        lines.push(format!("conflicts with {}:", fields[0].manager));
                        lines.extend(fields.iter().map(|conflict| format!("- {}", conflict.field)));
                    }
                    f.write_str(&lines.join("\n"))
                }
            },
        }
    }
}

/// Applies a configuration to the live object, or makes the object of it. The result has the owners
/// of its fields, and equals `live` when nothing changes. `ty` is the kind's schema; without one the
/// object's own shape decides.
///
/// # Errors
/// Nothing was changed when it fails.
pub fn apply(
    live: Option<&Node>,
    config: &Node,
    options: ApplyOptions<'_>,
    ty: Option<&Type>,
) -> Result<Node, ApplyError> {
    let carried = config.at(&["metadata", "managedFields"]);
    if carried.is_some_and(|list| !list.is_null()) {
        return Err(ApplyError::ManagedFields);
    }
    let faults = check(config, ty);
    if !faults.is_empty() {
        return Err(ApplyError::Untyped { object: describe(config), faults });
    }
    let request = Request::new(live, config, options, ty);
    let outcome = request.run(options.force).or_else(|conflicts| {
        let last = live.filter(|_| options.manager == KUBECTL).and_then(last_applied);
        let Some(last) = last else { return Err(conflicts) };
        let allowed = field_set(&last, ty);
        let known = conflicts.iter().map(|conflict| conflict.field.clone()).collect::<Vec<_>>();
        let outside = typed_merge::outside(&known, &allowed);
        if outside.is_empty() {
            return request.run(true);
        }
        let stays = |conflict: &Conflict| outside.contains(&&conflict.field);
        Err(conflicts.iter().filter(|conflict| stays(conflict)).cloned().collect())
    });
    let mut object = outcome.map_err(ApplyError::Conflicts)?;
    if options.manager == KUBECTL && object.at(&["metadata", "annotations", LAST_APPLIED]).is_some()
    {
        let text = applied_text(config);
        object.set_at(&["metadata", "annotations", LAST_APPLIED], text);
    }
    Ok(unchanged(live, object))
}

/// `namespace/name; group/version, Kind=kind`.
fn describe(config: &Node) -> String {
    let Gvk { group, version, kind } = meta::gvk(config).unwrap_or_default();
    format!("{}/{}; {group}/{version}, Kind={kind}", meta::namespace(config), meta::name(config))
}

/// One apply, before it is known whether it is forced.
struct Request<'a> {
    config: &'a Node,
    options: ApplyOptions<'a>,
    ty: Option<&'a Type>,
    base: Node,
    managed: Managed,
    owner: Owner,
    api_version: String,
}

impl<'a> Request<'a> {
    fn new(
        live: Option<&'a Node>,
        config: &'a Node,
        options: ApplyOptions<'a>,
        ty: Option<&'a Type>,
    ) -> Request<'a> {
        let api_version = config.str_at(&["apiVersion"]).unwrap_or_default().to_owned();
        let owner =
            Owner::new(options.manager, Operation::Apply, &api_version, options.subresource);
        let zero = zero_object(config, ty);
        let mut managed = live.and_then(Managed::read).unwrap_or_default();
        if let Some(live) = live
            && managed.0.is_empty()
        {
            // what is there already keeps an owner of its own, and so survives the apply
            let before = Owner::new(
                BEFORE_FIRST_APPLY,
                Operation::Update,
                &api_version,
                options.subresource,
            );
            let time = Some(options.time);
            let reset = FieldSet::of_fields(options.reset);
            managed = record(managed, &zero, live, &before, &reset, time, ty);
        }
        let mut base = live.cloned().unwrap_or_else(Node::map);
        base.remove_at(&["metadata", "managedFields"]);
        Request { config, options, ty, base, managed, owner, api_version }
    }

    fn run(&self, force: bool) -> Result<Node, Vec<Conflict>> {
        let Request { config, options, ty, base, owner, .. } = self;
        let reset = FieldSet::of_fields(options.reset);
        let mut managed = self.managed.clone();
        let mut new = typed_merge::merge(Some(base), config, *ty).unwrap_or_else(Node::map);
        restore(&mut new, base, options.reset);
        let set = field_set(config, *ty).without_below(&reset);
        let last = managed.0.get(owner).cloned();
        let time = last.as_ref().and_then(|held| held.time.clone());
        let held = Held { set: set.clone(), api_version: self.api_version.clone(), time };
        managed.0.insert(owner.clone(), held);
        if let Some(last) = last {
            let last = last.set.without_below(&reset);
            new = prune(new, &last, &set, &managed.all(), *ty);
        }
        let change = compare(base, &new, *ty).without(&reset);
        let changed = change.changed();
        let mut conflicts = Vec::new();
        for (other, held) in managed.0.iter_mut().filter(|(other, _)| *other != owner) {
            let taken = held.set.intersection(&changed);
            conflicts.extend(taken.paths().into_iter().map(|field| Conflict {
                manager: other.describe(),
                field,
                sort_key: other.sort_key(),
            }));
            held.set = held.set.difference(&taken).difference(&change.removed);
        }
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        if let Some(held) = managed.0.get_mut(owner) {
            held.set = held.set.difference(&stripped());
            // an apply that changes no value leaves no time
            if *base != new {
                held.time = Some(rfc3339_seconds(options.time));
            }
        }
        managed.tidy();
        managed.write(&mut new);
        Ok(new)
    }
}

/// What client-side apply noted on an object.
fn last_applied(live: &Node) -> Option<Node> {
    let text = meta::annotation(live, LAST_APPLIED)?;
    json::parse(text.as_bytes()).ok()
}

/// A configuration as client-side apply notes it: JSON with sorted keys, as Go writes it.
fn applied_text(config: &Node) -> String {
    let mut config = config.clone();
    config.remove_at(&["metadata", "annotations", LAST_APPLIED]);
    config.remove_at(&["metadata", "managedFields"]);
    sort(&mut config);
    let mut text = String::new();
    for c in json::to_string(&config).chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            c => text.push(c),
        }
    }
    text + "\n"
}

fn sort(node: &mut Node) {
    match &mut node.value {
        Value::Map(map) => {
            map.sort_by(Ord::cmp);
            map.values_mut().for_each(sort);
        }
        Value::List(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}
