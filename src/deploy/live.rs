//! What is live, and what applying would make of it.
//!
//! Few objects of a kind are asked for one by one, many with one list. An object whose live state
//! proves that nothing would change costs no further request; all others are applied as a dry run,
//! so that conflicts and faults are known before anything is changed.

use super::apply::{self, Settings};
use super::error::DeployError;
use super::manifest;
use crate::cluster::{ApplyOptions, Client, ClusterError, ListOptions, Rejection, Resource};
use crate::object::hook::{Hook, When, at_event};
use crate::object::inventory::{Inventory, Key};
use crate::object::{Gvk, Object, ObjectId, meta};
use crate::plan::{
    Action, Change, Desired, Forecast, Intent, Options, Plan, Refusals, Subject, Surplus, build,
    conflicts, duplicates, is_settled, prepare as make_ready,
};
use crate::release::{History, MANAGER, Record, Store};
use crate::yaml::Node;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};

/// From so many objects of one kind and namespace on, they are listed rather than asked for.
const LIST_FROM: usize = 8;

/// Requests that are prepared at one time; the client bounds how many are under way.
const AHEAD: usize = 32;

/// What a package came to.
#[derive(Clone, Copy, Debug)]
pub struct Package<'a> {
    /// The objects of the release.
    pub objects: &'a [Object],
    /// Definitions of custom kinds: applied first, never pruned.
    pub definitions: &'a [Object],
    /// Objects that run at times of their own.
    pub hooks: &'a [Object],
}

/// A plan, and what it is based on.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What the release is to become.
    pub intent: Intent,
    /// What has to be done.
    pub plan: Plan,
    /// The revisions so far.
    pub history: History,
}

impl Prepared {
    /// True when the release's own namespace is not there yet.
    #[must_use]
    pub fn makes_namespace(&self) -> bool {
        self.home().is_some()
    }

    /// The hooks that carrying it out runs, and when; none when there is nothing to carry out.
    #[must_use]
    pub fn hooks(&self) -> Vec<(&'static str, &Hook)> {
        let intent = &self.intent;
        let events = events(&self.history);
        let idle = self.plan.is_empty() && apply::is_as_recorded(&self.history, intent);
        let events = events.into_iter().filter(|_| !intent.without_hooks && !idle);
        let all = events.map(|event| (event, at_event(&intent.hooks, event)));
        all.flat_map(|(event, hooks)| hooks.into_iter().map(move |hook| (event, hook))).collect()
    }

    /// The creation of the release's own namespace, when that is part of the plan. It comes before
    /// everything else, since the record of the release is kept there.
    pub(super) fn home(&self) -> Option<&Action> {
        self.plan.actions.iter().find(|action| {
            action.change == Change::Create && is_namespace(&action.id, &self.intent.namespace)
        })
    }
}

/// When hooks run.
fn events(history: &History) -> [&'static str; 2] {
    if history.is_install() {
        ["pre-install", "post-install"]
    } else {
        ["pre-upgrade", "post-upgrade"]
    }
}

/// The hooks that run now; the kinds of others may be unknown to the target.
fn running<'a>(hooks: &'a [Object], history: &History, settings: &Settings) -> Vec<&'a Object> {
    let runs = |object: &&Object| {
        let when = When::read(|key| meta::annotation(&object.root, key));
        let when = when.and_then(Result::ok).unwrap_or_default();
        events(history).iter().any(|event| when.is_at(event))
    };
    hooks.iter().filter(|_| !settings.without_hooks).filter(runs).collect()
}

/// Finds out what has to be done. Changes nothing.
///
/// # Errors
/// When the cluster cannot be reached or refuses, or something stands against the plan.
pub async fn prepare(
    client: &Client,
    package: Package<'_>,
    mut intent: Intent,
    settings: &Settings,
) -> Result<Prepared, DeployError> {
    let release = (intent.name.as_str(), intent.namespace.as_str());
    let store = Store::new(client.clone(), &*intent.namespace);
    let history = store.history(&intent.name).await?;
    let hooks = running(package.hooks, &history, settings);
    let own = package.definitions.iter().chain(package.objects);
    let kinds = Kinds::of(client, &own.chain(hooks).collect::<Vec<_>>()).await?;
    let ready = |object: &Object| make_ready(object, kinds.namespaced(&object.gvk()), release);
    let desired: Vec<Desired> = package.objects.iter().map(ready).collect();
    let definitions: Vec<Desired> =
        package.definitions.iter().map(|object| unstamped(ready(object), object)).collect();
    let twice = duplicates(&desired);
    if !twice.is_empty() {
        return Err(Refusals(twice).into());
    }
    let owned = if settings.prune {
        inventory(client, &history.live(), &kinds).await?
    } else {
        Inventory::default()
    };
    let wanted = desired.iter().chain(&definitions).map(|desired| &desired.id);
    let gone: Vec<_> = owned.without(wanted.clone()).into_iter().cloned().collect();
    let ids: Vec<&ObjectId> = wanted.chain(gone.iter().map(|owned| &owned.id)).collect();
    let mut live = fetch(client, &ids, &kinds).await?;
    let namespaces = missing_namespaces(client, &desired, &live, &intent.namespace).await?;
    if namespaces.contains(&intent.namespace) && !settings.create_namespace {
        // one that the package brings does not help: the record of the release comes before it
        return Err(DeployError::NoNamespace { namespace: intent.namespace });
    }
    let subjects = definitions
        .into_iter()
        .map(|desired| (desired, false))
        .chain(desired.into_iter().map(|desired| (desired, true)))
        .map(|(desired, owned)| {
            let live = live.remove(&Key::from(&desired.id));
            forecast(client, desired, live, owned, settings, &namespaces, &kinds)
        });
    let mut subjects: Vec<Subject> = stream::iter(subjects).buffered(AHEAD).try_collect().await?;
    if namespaces.contains(&intent.namespace)
        && !subjects.iter().any(|subject| is_namespace(&subject.desired.id, &intent.namespace))
    {
        subjects.push(home(&intent.namespace));
    }
    let surplus = gone
        .into_iter()
        .map(|owned| Surplus {
            live: live.remove(&Key::from(&owned.id)),
            id: owned.id,
            keep: owned.keep,
        })
        .collect();
    let options = Options {
        release,
        take_ownership: settings.take_ownership,
        force_conflicts: settings.force_conflicts,
        force_recreate: settings.force_recreate,
    };
    let plan = build(subjects, surplus, &options)?;
    intent.base_revision = history.last().map_or(0, Record::version);
    Ok(Prepared { intent, plan, history })
}

fn is_namespace(id: &ObjectId, name: &str) -> bool {
    id.gvk == Gvk::new("v1", "Namespace") && *id.name == *name
}

/// The namespace of a release as `--create-namespace` makes it: Helm's, and not the release's own,
/// so that it stays when the release goes.
fn home(name: &str) -> Subject {
    let mut object = Node::map();
    object.set("apiVersion", "v1");
    object.set("kind", "Namespace");
    object.set_at(&["metadata", "name"], name);
    object.set_at(&["metadata", "labels", "name"], name);
    let id = ObjectId { gvk: Gvk::new("v1", "Namespace"), namespace: "".into(), name: name.into() };
    Subject {
        desired: Desired { id, object, origin: String::new() },
        live: None,
        forecast: Forecast::Unknown,
        manager: MANAGER.to_owned(),
        from_helm: false,
        owned: false,
    }
}

/// A definition as it is applied: it is shared between releases, so it carries no stamps.
fn unstamped(mut ready: Desired, object: &Object) -> Desired {
    for part in ["labels", "annotations"] {
        ready.object.remove_at(&["metadata", part]);
        if let Some(own) = object.root.at(&["metadata", part]).filter(|own| !own.is_null()) {
            ready.object.set_at(&["metadata", part], own.clone());
        }
    }
    ready
}

/// The kinds of a package: known to the server, or defined by the package itself.
pub(super) struct Kinds {
    served: HashMap<Gvk, Resource>,
    /// Kinds that come with the package, and whether they live in namespaces.
    coming: HashMap<(String, String), bool>,
}

impl Kinds {
    async fn of(client: &Client, objects: &[&Object]) -> Result<Kinds, DeployError> {
        let coming = objects
            .iter()
            .filter(|object| object.kind() == "CustomResourceDefinition")
            .map(|object| {
                let text = |path: &[&str]| object.root.str_at(path).unwrap_or_default().to_owned();
                let key = (text(&["spec", "group"]), text(&["spec", "names", "kind"]));
                (key, text(&["spec", "scope"]) == "Namespaced")
            })
            .collect();
        let mut kinds = Kinds { served: HashMap::new(), coming };
        for gvk in objects.iter().map(|object| object.gvk()).collect::<HashSet<_>>() {
            match client.resource(&gvk).await {
                Ok(resource) => {
                    kinds.served.insert(gvk, resource);
                }
                Err(ClusterError::UnknownKind { .. }) if kinds.is_coming(&gvk) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(kinds)
    }

    fn is_coming(&self, gvk: &Gvk) -> bool {
        self.coming.contains_key(&(gvk.group.to_string(), gvk.kind.to_string()))
    }

    fn namespaced(&self, gvk: &Gvk) -> bool {
        match self.served.get(gvk) {
            Some(resource) => resource.namespaced,
            None => self
                .coming
                .get(&(gvk.group.to_string(), gvk.kind.to_string()))
                .copied()
                .unwrap_or(true),
        }
    }
}

/// What the given revisions own. Kinds that the server knows no longer cannot have objects.
pub(super) async fn inventory(
    client: &Client,
    records: &[&Record],
    kinds: &Kinds,
) -> Result<Inventory, DeployError> {
    let mut objects: Vec<Node> = Vec::new();
    // the newest first: its word counts for what is to be kept
    for record in records.iter().rev() {
        objects.extend(manifest::parse(record)?.into_iter().map(|object| object.root));
    }
    let mut scope: HashMap<Gvk, Option<bool>> = HashMap::new();
    for gvk in objects.iter().filter_map(meta::gvk).collect::<HashSet<_>>() {
        let namespaced = match kinds.served.get(&gvk) {
            Some(resource) => Some(resource.namespaced),
            None => match client.resource(&gvk).await {
                Ok(resource) => Some(resource.namespaced),
                Err(ClusterError::UnknownKind { .. }) => None,
                Err(error) => return Err(error.into()),
            },
        };
        scope.insert(gvk, namespaced);
    }
    objects.retain(|object| {
        meta::gvk(object).is_some_and(|gvk| scope.get(&gvk).copied().flatten().is_some())
    });
    let namespace = records.last().map(|record| record.namespace()).unwrap_or_default();
    Ok(Inventory::of(&objects, |gvk| {
        let namespaced = scope.get(gvk).copied().flatten().unwrap_or(true);
        if namespaced { namespace.into() } else { "".into() }
    }))
}

impl Kinds {
    /// No kinds: for what has no package.
    pub(super) fn none() -> Kinds {
        Kinds { served: HashMap::new(), coming: HashMap::new() }
    }
}

/// The live objects among the given ones.
pub(super) async fn fetch(
    client: &Client,
    ids: &[&ObjectId],
    kinds: &Kinds,
) -> Result<HashMap<Key, Node>, DeployError> {
    let mut groups: HashMap<(Gvk, &str), Vec<&ObjectId>> = HashMap::new();
    for id in ids {
        if !kinds.served.contains_key(&id.gvk) && kinds.is_coming(&id.gvk) {
            continue;
        }
        groups.entry((id.gvk.clone(), id.namespace.as_str())).or_default().push(id);
    }
    let mut singles: Vec<&ObjectId> = Vec::new();
    let mut found = HashMap::with_capacity(ids.len());
    for ((gvk, namespace), ids) in groups {
        if ids.len() < LIST_FROM {
            singles.extend(ids);
            continue;
        }
        let resource = client.resource(&gvk).await?;
        let scope = (!namespace.is_empty()).then_some(namespace);
        match client.list(&resource, scope, &ListOptions::default()).await {
            Ok(list) => {
                let wanted: HashMap<&str, &ObjectId> =
                    ids.iter().map(|id| (id.name.as_str(), *id)).collect();
                for item in list.items {
                    if let Some(id) = wanted.get(meta::name(&item)) {
                        found.insert(Key::from(*id), item);
                    }
                }
            }
            // who may not list may still be allowed to look at single objects
            Err(error) if error.is_code(403) => singles.extend(ids),
            Err(error) => return Err(error.into()),
        }
    }
    let asked = singles
        .into_iter()
        .map(|id| async move { Ok::<_, ClusterError>((Key::from(id), client.get(id).await?)) });
    let asked: Vec<_> = stream::iter(asked).buffer_unordered(AHEAD).try_collect().await?;
    found.extend(asked.into_iter().filter_map(|(key, live)| Some((key, live?))));
    Ok(found)
}

/// The namespaces that objects are to be in and that are not there yet. One is asked for only when
/// nothing proves that it is there.
async fn missing_namespaces(
    client: &Client,
    desired: &[Desired],
    live: &HashMap<Key, Node>,
    home: &str,
) -> Result<HashSet<String>, DeployError> {
    let there: HashSet<&str> = live.keys().map(|key| key.namespace.as_str()).collect();
    let mut names: HashSet<&str> = desired
        .iter()
        .map(|desired| desired.id.namespace.as_str())
        .chain([home])
        .filter(|name| !name.is_empty() && !there.contains(name))
        .collect();
    names.remove("");
    let gvk = Gvk::new("v1", "Namespace");
    let asked = names.into_iter().map(|name| {
        let id = ObjectId { gvk: gvk.clone(), namespace: "".into(), name: name.into() };
        async move {
            match client.get(&id).await {
                Ok(live) => Ok((name.to_owned(), live.is_none())),
                // who may not look at namespaces finds out when something is written
                Err(error) if error.is_code(403) => Ok((name.to_owned(), false)),
                Err(error) => Err(error),
            }
        }
    });
    let asked: Vec<(String, bool)> =
        stream::iter(asked).buffer_unordered(AHEAD).try_collect().await?;
    Ok(asked.into_iter().filter_map(|(name, missing)| missing.then_some(name)).collect())
}

async fn forecast(
    client: &Client,
    desired: Desired,
    live: Option<Node>,
    owned: bool,
    settings: &Settings,
    missing: &HashSet<String>,
    kinds: &Kinds,
) -> Result<Subject, ClusterError> {
    let manager = live.as_ref().map_or(MANAGER, manager_of).to_owned();
    let settled = live.as_ref().is_some_and(|live| is_settled(&desired.object, live, &manager));
    let unknown =
        missing.contains(&*desired.id.namespace) || !kinds.served.contains_key(&desired.id.gvk);
    let mut from_helm = false;
    let forecast = if settled {
        Forecast::Settled
    } else if unknown {
        Forecast::Unknown
    } else {
        let mut options =
            ApplyOptions { manager: &manager, force: settings.force_conflicts, dry_run: true };
        let mut answer = client.apply(&desired.object, options).await;
        // whoever uses Helm on a release of wharf's changes its fields in Helm's name
        from_helm = owned && is_conflict_with_helm(&answer);
        if from_helm {
            options.force = true;
            answer = client.apply(&desired.object, options).await;
        }
        match answer {
            Ok(after) => Forecast::After(Box::new(after)),
            Err(ClusterError::Rejected { rejection, .. }) if is_about_the_object(&rejection) => {
                Forecast::Rejected(*rejection)
            }
            // admission may miss what comes with the same package, such as a service account
            Err(error) if live.is_none() && (error.is_code(403) || error.is_code(404)) => {
                Forecast::Unknown
            }
            Err(error) => return Err(error),
        }
    };
    Ok(Subject { desired, live, forecast, manager, from_helm, owned })
}

fn is_conflict_with_helm(answer: &Result<Node, ClusterError>) -> bool {
    let Err(ClusterError::Rejected { rejection, .. }) = answer else { return false };
    let fields = conflicts(rejection);
    rejection.is_ownership_conflict()
        && !fields.is_empty()
        && fields.iter().all(|(_, manager)| manager == "helm")
}

/// True when the server has something against the object, not against the request. Fields that no
/// schema has come as an internal error in a server-side apply.
fn is_about_the_object(rejection: &Rejection) -> bool {
    match rejection.code {
        401 | 403 | 404 | 408 | 415 | 429 => false,
        500 => rejection.message.starts_with("failed to create typed patch object"),
        code => (400..500).contains(&code),
    }
}

/// The field manager to go on with: objects that Helm applied stay Helm's, so that fields which
/// the next version lacks are removed, and Helm can take the release up again.
fn manager_of(live: &Node) -> &str {
    let applies = |name: &str| {
        live.items_at(&["metadata", "managedFields"]).iter().any(|entry| {
            entry.str_at(&["manager"]) == Some(name)
                && entry.str_at(&["operation"]) == Some("Apply")
                && entry.str_at(&["subresource"]).unwrap_or_default().is_empty()
        })
    };
    if !applies(MANAGER) && applies("helm") { "helm" } else { MANAGER }
}

/// The objects that a revision owns, in the order of its manifest.
///
/// # Errors
/// When its manifest cannot be read, or the cluster cannot be reached or refuses.
pub async fn owned(client: &Client, record: &Record) -> Result<Vec<ObjectId>, DeployError> {
    let owned = inventory(client, &[record], &Kinds::none()).await?;
    Ok(owned.iter().map(|owned| owned.id.clone()).collect())
}
