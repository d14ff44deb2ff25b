//! The life of `CustomResourceDefinition`s: whose names are accepted, what is served, and how a
//! definition takes its objects with it.
//!
//! ```text
//! stored ─> NamesAccepted ─> Established ─> served ─> deleted: objects go ─> gone
//!                 └ False: its names are another's
//! ```
//!
//! One task does all of it, as soon as a definition changes; conditions and their texts are those
//! of k8s.io/apiextensions-apiserver.

use super::Api;
use super::admission::definition::CLEANUP;
use super::kind::{Kind, Kinds, built_in};
use super::namespace::clear;
use crate::agent::store::{Op, Resource, StoreError, Stored, metadata};
use crate::base::clock::rfc3339_seconds;
use crate::yaml::{Map, Node};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// A definition whose objects wait for finalizers is looked at again after this time.
const RETRY: Duration = Duration::from_millis(200);

fn definitions() -> &'static Kind {
    built_in("customresourcedefinitions.apiextensions.k8s.io")
}

/// True when a condition of a definition holds.
pub(crate) fn condition(definition: &Node, name: &str) -> bool {
    definition.items_at(&["status", "conditions"]).iter().any(|condition| {
        condition.str_at(&["type"]) == Some(name) && condition.str_at(&["status"]) == Some("True")
    })
}

/// Sets a condition; its time only when its status changes.
pub(crate) fn set_condition(
    definition: &mut Node,
    (name, status, reason, message): (&str, bool, &str, &str),
    now: jiff::Timestamp,
) {
    let status = if status { "True" } else { "False" };
    let mut all = definition.items_at(&["status", "conditions"]).to_vec();
    let found = all.iter().position(|condition| condition.str_at(&["type"]) == Some(name));
    let before = found.map(|at| all[at].clone());
    let same = before.as_ref().filter(|before| before.str_at(&["status"]) == Some(status));
    let time = same.and_then(|before| before.get("lastTransitionTime").cloned());
    let mut map = Map::new();
    map.insert("type", name);
    map.insert("status", status);
    map.insert("lastTransitionTime", time.unwrap_or_else(|| rfc3339_seconds(now).into()));
    map.insert("reason", reason);
    map.insert("message", message);
    match found {
        Some(at) => all[at] = map.into(),
        None => all.push(map.into()),
    }
    definition.set_at(&["status", "conditions"], all);
}

/// Serves what is defined now.
pub(super) fn load(api: &Api) {
    let (all, _) = api.store.list(&definitions().resource(), None);
    let served: Vec<&Node> = all
        .iter()
        .map(|stored| &stored.object)
        .filter(|definition| condition(definition, "Established"))
        .collect();
    let before = api.kinds();
    let kinds = Arc::new(Kinds::defined(api.schemas.clone(), &served, &before, &api.stop));
    *api.kinds.write().unwrap_or_else(PoisonError::into_inner) = kinds;
}

/// Keeps what is served true to the definitions until the server stops.
pub(super) async fn run(api: Arc<Api>) {
    let resource = definitions().resource();
    loop {
        let (all, revision) = api.store.list(&resource, None);
        let mut waiting = settle(&api, &all).await.unwrap_or(true);
        let Ok(mut watch) = api.store.watch(&resource, None, revision) else { continue };
        loop {
            let pause = if waiting { RETRY } else { Duration::MAX };
            tokio::select! {
                () = api.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                event = watch.next() => if event.is_err() { break },
            }
            let (all, _) = api.store.list(&resource, None);
            // what could not be written now is tried again
            waiting = settle(&api, &all).await.unwrap_or(true);
        }
    }
}

/// Accepts names, establishes, serves, and removes. True when something is not done yet.
async fn settle(api: &Api, all: &[Arc<Stored>]) -> Result<bool, StoreError> {
    let mut by_age: Vec<&Arc<Stored>> = all.iter().collect();
    by_age.sort_by_key(|stored| {
        let created = stored.object.str_at(&["metadata", "creationTimestamp"]);
        (created.map(str::to_owned), stored.revision)
    });
    let mut now: Vec<Node> = by_age.iter().map(|stored| stored.object.clone()).collect();
    for at in 0..now.len() {
        if metadata::is_deleted(&now[at]) {
            continue;
        }
        let mut new = now[at].clone();
        accept(&mut new, &now, at, api.now());
        if new == now[at] {
            continue;
        }
        let stored = by_age[at];
        let op = Op::Update {
            key: stored.key.clone(),
            object: new.clone(),
            expect: Some(stored.revision),
        };
        match api.store.commit(vec![op]).await {
            Ok(mut done) => {
                new = done.pop().expect("one operation gives one object").object.clone();
            }
            // the change that came between wakes this task again
            Err(StoreError::Changed { .. } | StoreError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
        now[at] = new;
    }
    load(api);
    let mut waiting = false;
    for stored in by_age.iter().filter(|stored| metadata::is_deleted(&stored.object)) {
        waiting |= !remove(api, stored).await?;
    }
    if !waiting && by_age.iter().any(|stored| metadata::is_deleted(&stored.object)) {
        load(api);
    }
    Ok(waiting)
}

/// Decides which names a definition gets: those that no other one of its group has.
fn accept(definition: &mut Node, all: &[Node], own: usize, now: jiff::Timestamp) {
    let group = definition.str_at(&["spec", "group"]).map(str::to_owned);
    let others: Vec<&Node> = all
        .iter()
        .enumerate()
        .filter(|(at, other)| *at != own && other.str_at(&["spec", "group"]) == group.as_deref())
        .filter_map(|(_, other)| other.at(&["status", "acceptedNames"]))
        .collect();
    let is_resource = |name: &str| {
        others.iter().any(|names| {
            let short = names.items_at(&["shortNames"]).iter();
            names.str_at(&["plural"]) == Some(name)
                || names.str_at(&["singular"]) == Some(name)
                || short.filter_map(Node::as_str).any(|short| short == name)
        })
    };
    let is_kind = |name: &str| {
        others.iter().any(|names| {
            names.str_at(&["kind"]) == Some(name) || names.str_at(&["listKind"]) == Some(name)
        })
    };
    let wanted = definition.at(&["spec", "names"]).cloned().unwrap_or_else(Node::map);
    let before = definition.at(&["status", "acceptedNames"]).cloned().unwrap_or_else(Node::map);
    let mut accepted = wanted.clone();
    let mut conflict: Option<(&str, String)> = None;
    for (field, reason, kind) in [
        ("plural", "PluralConflict", false),
        ("singular", "SingularConflict", false),
        ("kind", "KindConflict", true),
        ("listKind", "ListKindConflict", true),
    ] {
        let name = wanted.str_at(&[field]).unwrap_or_default();
        if if kind { is_kind(name) } else { is_resource(name) } {
            conflict = Some((reason, format!("{name:?} is already in use")));
            match before.get(field) {
                Some(kept) => accepted.set(field, kept.clone()),
                None => {
                    accepted.remove(field);
                }
            }
        }
        if field == "singular" {
            let short: Vec<&str> =
                wanted.items_at(&["shortNames"]).iter().filter_map(Node::as_str).collect();
            if let Some(taken) = short.iter().find(|name| is_resource(name)) {
                conflict = Some(("ShortNamesConflict", format!("{taken:?} is already in use")));
                match before.get("shortNames") {
                    Some(kept) => accepted.set("shortNames", kept.clone()),
                    None => {
                        accepted.remove("shortNames");
                    }
                }
            }
        }
    }
    definition.set_at(&["status", "acceptedNames"], accepted);
    let established = condition(definition, "Established");
    match conflict {
        None => {
            let names = ("NamesAccepted", true, "NoConflicts", "no conflicts found");
            set_condition(definition, names, now);
            let message = "the initial names have been accepted";
            let done = ("Established", true, "InitialNamesAccepted", message);
            set_condition(definition, done, now);
            hold(definition);
        }
        Some((reason, message)) => {
            set_condition(definition, ("NamesAccepted", false, reason, &message), now);
            if !established {
                let message = "not all names are accepted";
                let refused = ("Established", false, "NotAccepted", message);
                set_condition(definition, refused, now);
            }
        }
    }
}

/// Puts the finalizer on a definition that may have objects.
fn hold(definition: &mut Node) {
    let mut finalizers = definition.items_at(&["metadata", "finalizers"]).to_vec();
    if !finalizers.iter().any(|known| known.as_str() == Some(CLEANUP)) {
        finalizers.push(CLEANUP.into());
        definition.set_at(&["metadata", "finalizers"], finalizers);
    }
}

/// Deletes the objects of a definition, then what holds it. True when that is done.
async fn remove(api: &Api, stored: &Stored) -> Result<bool, StoreError> {
    let names = stored.object.str_at(&["status", "acceptedNames", "plural"]);
    let plural = names.or(stored.object.str_at(&["spec", "names", "plural"])).unwrap_or_default();
    let group = stored.object.str_at(&["spec", "group"]).unwrap_or_default();
    if condition(&stored.object, "Established")
        && clear(api, &Resource::of(plural, group), None).await? > 0
    {
        return Ok(false);
    }
    let key = stored.key.clone();
    let mut object = stored.object.clone();
    let mut finalizers = object.items_at(&["metadata", "finalizers"]).to_vec();
    let count = finalizers.len();
    finalizers.retain(|known| known.as_str() != Some(CLEANUP));
    let expect = Some(stored.revision);
    let op = if finalizers.is_empty() {
        Op::Delete { key, expect }
    } else if finalizers.len() == count {
        // somebody else holds it, and will change it
        return Ok(true);
    } else {
        object.set_at(&["metadata", "finalizers"], finalizers);
        Op::Update { key, object, expect }
    };
    match api.store.commit(vec![op]).await {
        Ok(_) | Err(StoreError::Missing(_)) => Ok(true),
        Err(StoreError::Changed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
