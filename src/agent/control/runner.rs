//! Runs the controllers: watches the store, finds out whom a change concerns, carries actions out.
//!
//! One task does all of it, so controllers never race with each other. All actions of one step are
//! one commit: they happen together or not at all. When an object has changed since the step read
//! it, the commit is refused and the step is run again on what is stored now.
//!
//! An index by owner is kept from the watches. What the runner itself creates is put into the
//! index at once, so a controller never counts too few of its own objects.

use super::owner::controller_uid;
use super::{
    Action, Seen, View, account, claim, cron_job, deployment, endpoint, garbage, job, replica_set,
};
use crate::agent::claims::{self, CLAIMS, CLASSES, VOLUMES};
use crate::agent::endpoints;
use crate::agent::entry::{Entry, Refusal};
use crate::agent::events::{self, Event};
use crate::agent::jobs;
use crate::agent::store::{Change, Key, Op, Resource, Store, StoreError, Stored, Watch, metadata};
use crate::base::clock::Clock;
use crate::object::meta;
use crate::object::selector::Selector;
use crate::yaml::Node;
use futures::future::select_all;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What one run of a controller is about.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Task {
    ReplicaSet { namespace: String, name: String },
    Deployment { namespace: String, name: String },
    Job { namespace: String, name: String },
    CronJob { namespace: String, name: String },
    Account { namespace: String },
    Endpoints { namespace: String, name: String },
    Claim { namespace: String, name: String },
    Volume { name: String },
    Garbage(Key),
}

/// What controllers know besides objects.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The certificate of the API's authority, as PEM, that every namespace is to have.
    pub authority: String,
    /// Where volumes for claims are made, if there are pods.
    pub volumes: Option<PathBuf>,
}

/// How long a step that could not be written waits before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The resource of priority classes.
const PRIORITIES: &str = "priorityclasses.scheduling.k8s.io";

/// The resource of definitions of others.
const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// How often old events are looked for.
const EXPIRY: Duration = Duration::from_secs(300);

/// The controllers of one store.
#[derive(Debug)]
pub struct Runner {
    store: Store,
    entry: Entry,
    clock: Arc<dyn Clock>,
    /// What is always watched.
    resources: Vec<Resource>,
    facts: Facts,
    /// What is watched besides: resources that were defined.
    custom: Vec<Resource>,
    index: Index,
    queue: VecDeque<Task>,
    queued: HashSet<Task>,
    later: BinaryHeap<Reverse<(Instant, Task)>>,
    /// Those whose objects were not let in.
    refused: HashSet<Task>,
}

impl Runner {
    /// Makes a runner that watches `resources`: those of the controllers, and all whose objects
    /// may own or be owned.
    #[must_use]
    pub fn new(
        store: Store,
        entry: Entry,
        clock: Arc<dyn Clock>,
        resources: Vec<Resource>,
        facts: Facts,
    ) -> Runner {
        Runner {
            store,
            entry,
            clock,
            resources,
            facts,
            custom: Vec::new(),
            index: Index::default(),
            queue: VecDeque::new(),
            queued: HashSet::new(),
            later: BinaryHeap::new(),
            refused: HashSet::new(),
        }
    }

    /// Runs for ever.
    ///
    /// # Cancellation
    /// Safe at any point: each step is one commit.
    pub async fn run(mut self) {
        loop {
            let mut watches = self.start();
            let mut expiry = Instant::now() + EXPIRY;
            // a watch that fell behind ends the inner loop, and everything is listed again
            while self.drain(&mut watches) {
                if let Some(task) = self.queue.pop_front() {
                    self.queued.remove(&task);
                    self.step(task).await;
                    continue;
                }
                let now = Instant::now();
                if now >= expiry {
                    expiry = now + EXPIRY;
                    let _ = events::expire(&self.store, self.clock.now()).await;
                }
                let wake = self.later.peek().map_or(expiry, |Reverse((at, _))| expiry.min(*at));
                let change = select_all(watches.iter_mut().map(|watch| Box::pin(watch.changed())));
                tokio::select! {
                    _ = change => {}
                    () = tokio::time::sleep_until(wake) => {}
                }
            }
        }
    }

    /// Lists everything, and watches from there.
    fn start(&mut self) -> Vec<Watch> {
        self.index = Index::default();
        let mut watches = Vec::new();
        self.custom = self.defined();
        for resource in self.resources.iter().chain(&self.custom).cloned().collect::<Vec<_>>() {
            loop {
                let (objects, revision) = self.store.list(&resource, None);
                let Ok(watch) = self.store.watch(&resource, None, revision) else { continue };
                for stored in &objects {
                    self.index.insert(stored);
                }
                for stored in &objects {
                    self.concerned(stored, Change::Added);
                }
                watches.push(watch);
                break;
            }
        }
        watches
    }

    /// The resources of all definitions, whose objects may own and be owned as well.
    fn defined(&self) -> Vec<Resource> {
        let (definitions, _) = self.store.list(&DEFINITIONS.into(), None);
        let resource = |stored: &Arc<Stored>| {
            let plural = stored.object.str_at(&["status", "acceptedNames", "plural"])?;
            let group = stored.object.str_at(&["spec", "group"])?;
            (!plural.is_empty()).then(|| Resource::of(plural, group))
        };
        definitions.iter().filter_map(resource).collect()
    }

    /// Takes in all changes so far. False when a watch has lost some, or other resources are to be
    /// watched.
    fn drain(&mut self, watches: &mut [Watch]) -> bool {
        let mut strangers = Vec::new();
        let mut redefined = false;
        for watch in watches {
            loop {
                match watch.try_next() {
                    Ok(Some(event)) => {
                        match event.change {
                            Change::Deleted => self.index.remove(&event.object),
                            Change::Added | Change::Modified => {
                                if let Some(previous) = &event.previous {
                                    self.index.remove(previous);
                                }
                                self.index.insert(&event.object);
                                strangers.push(Arc::clone(&event.object));
                            }
                        }
                        redefined |= event.object.key.resource.as_str() == DEFINITIONS;
                        self.concerned(&event.object, event.change);
                        self.services_concerned(&event.object);
                        if let Some(previous) = &event.previous {
                            self.services_concerned(previous);
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return false,
                }
            }
        }
        if redefined && self.defined() != self.custom {
            return false;
        }
        // an owner may have come with a later watch than its dependent: asked when all are in
        for stored in strangers {
            let owners = stored.object.items_at(&["metadata", "ownerReferences"]);
            if owners
                .iter()
                .filter_map(|owner| owner.str_at(&["uid"]))
                .any(|uid| self.index.key(uid).is_none())
            {
                self.enqueue(Task::Garbage(stored.key.clone()));
            }
        }
        while let Some(Reverse((at, _))) = self.later.peek() {
            if *at > Instant::now() {
                break;
            }
            if let Some(Reverse((_, task))) = self.later.pop() {
                self.enqueue(task);
            }
        }
        true
    }

    fn enqueue(&mut self, task: Task) {
        if self.queued.insert(task.clone()) {
            self.queue.push_back(task);
        }
    }

    /// Enqueues the controllers that a change concerns.
    fn concerned(&mut self, stored: &Stored, change: Change) {
        let namespace = stored.key.namespace.to_string();
        let name = stored.key.name.to_string();
        match stored.key.resource.as_str() {
            "deployments.apps" => self.enqueue(Task::Deployment { namespace, name }),
            "replicasets.apps" => {
                self.owner_concerned(&stored.object, &namespace);
                self.enqueue(Task::ReplicaSet { namespace, name });
            }
            "cronjobs.batch" => self.enqueue(Task::CronJob { namespace, name }),
            "jobs.batch" => {
                if let Some(owner) = owner_name(&stored.object, "CronJob") {
                    self.enqueue(Task::CronJob { namespace: namespace.clone(), name: owner });
                }
                self.enqueue(Task::Job { namespace, name });
            }
            "pods" => match controller(&stored.object) {
                Some(("Job", name)) => {
                    self.enqueue(Task::Job { namespace, name });
                }
                Some(("ReplicaSet", owner)) => {
                    let set = Key::new("replicasets.apps", &namespace, &owner);
                    if change == Change::Deleted
                        && let Some(set) = self.store.get(&set)
                    {
                        // a Deployment that recreates waits for the last pod to be gone
                        self.owner_concerned(&set.object, &namespace);
                    }
                    self.enqueue(Task::ReplicaSet { namespace, name: owner });
                }
                Some(_) => {}
                None => self.orphan_concerned(&stored.object, &namespace),
            },
            "services" | "endpoints" => self.enqueue(Task::Endpoints { namespace, name }),
            "endpointslices.discovery.k8s.io" => {
                if let Some(name) = owner_name(&stored.object, "Service") {
                    self.enqueue(Task::Endpoints { namespace, name });
                }
            }
            "namespaces" => self.enqueue(Task::Account { namespace: name }),
            "serviceaccounts" if change == Change::Deleted => {
                self.enqueue(Task::Account { namespace });
            }
            "configmaps" if name == account::ROOT_CA => {
                self.enqueue(Task::Account { namespace });
            }
            CLAIMS => {
                if let Some(name) = stored.object.str_at(&["spec", "volumeName"]) {
                    self.enqueue(Task::Volume { name: name.to_owned() });
                }
                self.enqueue(Task::Claim { namespace, name });
            }
            VOLUMES => {
                self.enqueue(Task::Volume { name });
                self.unbound_concerned();
            }
            CLASSES => self.unbound_concerned(),
            "resourcequotas" | "limitranges" | "serviceaccounts" | PRIORITIES => {
                for task in std::mem::take(&mut self.refused) {
                    self.enqueue(task);
                }
            }
            _ => {}
        }
        if stored.key.resource.as_str() == "pods" {
            for name in claims::of_pod(&stored.object) {
                let namespace = stored.key.namespace.to_string();
                self.enqueue(Task::Claim { namespace, name: name.to_owned() });
            }
        }
        if change == Change::Deleted {
            for dependent in self.index.dependents(meta::uid(&stored.object)) {
                self.enqueue(Task::Garbage(dependent));
            }
            for owner in stored.object.items_at(&["metadata", "ownerReferences"]) {
                let owner = owner.str_at(&["uid"]).and_then(|uid| self.index.key(uid));
                if let Some(key) = owner.filter(|key| self.is_waiting(key)) {
                    self.enqueue(Task::Garbage(key));
                }
            }
        } else if garbage::waits(&stored.object) {
            self.enqueue(Task::Garbage(stored.key.clone()));
        }
    }

    /// Whether the deletion of an object waits for its dependents.
    fn is_waiting(&self, key: &Key) -> bool {
        self.store.get(key).is_some_and(|stored| garbage::waits(&stored.object))
    }

    /// Enqueues the Services that select a pod.
    fn services_concerned(&mut self, pod: &Stored) {
        if pod.key.resource.as_str() != "pods" {
            return;
        }
        let (services, _) = self.store.list(&"services".into(), Some(&pod.key.namespace));
        for service in services {
            let selector = endpoints::selector(&service.object);
            if selector.is_some_and(|selector| selector.matches(meta::labels(&pod.object))) {
                let namespace = service.key.namespace.to_string();
                self.enqueue(Task::Endpoints { namespace, name: service.key.name.to_string() });
            }
        }
    }

    /// Enqueues all claims that wait for a volume.
    fn unbound_concerned(&mut self) {
        let (claims, _) = self.store.list(&CLAIMS.into(), None);
        for claim in claims {
            if claim.object.str_at(&["status", "phase"]) != Some("Bound") {
                let (namespace, name) = (&claim.key.namespace, &claim.key.name);
                self.enqueue(Task::Claim {
                    namespace: namespace.to_string(),
                    name: name.to_string(),
                });
            }
        }
    }

    fn owner_concerned(&mut self, set: &Node, namespace: &str) {
        if let Some(name) = owner_name(set, "Deployment") {
            self.enqueue(Task::Deployment { namespace: namespace.to_owned(), name });
        }
    }

    fn orphan_concerned(&mut self, pod: &Node, namespace: &str) {
        for resource in ["replicasets.apps", "jobs.batch"] {
            let (owners, _) = self.store.list(&resource.into(), Some(namespace));
            for owner in owners {
                let selector =
                    owner.object.at(&["spec", "selector"]).map(Selector::from_label_selector);
                if selector.and_then(Result::ok).is_some_and(|s| s.matches(meta::labels(pod))) {
                    let (namespace, name) = (namespace.to_owned(), owner.key.name.to_string());
                    self.enqueue(if resource == "jobs.batch" {
                        Task::Job { namespace, name }
                    } else {
                        Task::ReplicaSet { namespace, name }
                    });
                }
            }
        }
    }

    async fn step(&mut self, task: Task) {
        let entry = self.entry.clone();
        // what is counted is stored before anybody else counts
        let _held = entry.hold().await;
        let now = self.clock.now();
        let view = StoreView { store: &self.store, entry: &entry, index: &self.index, now };
        let (component, actions) = match &task {
            Task::ReplicaSet { namespace, name } => {
                ("replicaset-controller", replica_set::reconcile(&view, namespace, name))
            }
            Task::Deployment { namespace, name } => {
                ("deployment-controller", deployment::reconcile(&view, namespace, name))
            }
            Task::Job { namespace, name } => {
                ("job-controller", job::reconcile(&view, namespace, name))
            }
            Task::CronJob { namespace, name } => {
                ("cronjob-controller", cron_job::reconcile(&view, namespace, name))
            }
            Task::Account { namespace } => (
                "serviceaccount-controller",
                account::reconcile(&view, namespace, &self.facts.authority),
            ),
            Task::Endpoints { namespace, name } => {
                ("endpoint-controller", endpoint::reconcile(&view, namespace, name))
            }
            Task::Claim { namespace, name } => {
                let folder = self.facts.volumes.as_deref();
                let actions = claim::reconcile(&view, namespace, name, folder);
                ("persistentvolume-controller", actions)
            }
            Task::Volume { name } => {
                ("persistentvolume-controller", claim::reconcile_volume(&view, name))
            }
            Task::Garbage(key) => {
                let actions = self.store.get(key).map_or_else(Vec::new, |stored| {
                    if garbage::waits(&stored.object) {
                        return garbage::release(&stored.object, &view.dependents(&stored.object));
                    }
                    let is_stored = |uid: &str| self.index.key(uid).is_some();
                    garbage::reconcile(&stored.object, key.resource.as_str(), is_stored)
                });
                ("garbage-collector", actions)
            }
        };
        match self.carry_out(&task, actions, component).await {
            Ok(again) => {
                if let Some(after) = again {
                    self.later.push(Reverse((Instant::now() + after, task)));
                }
            }
            Err(StoreError::Closed) => {}
            Err(StoreError::Changed { .. } | StoreError::Missing(_) | StoreError::Exists(_)) => {
                self.later.push(Reverse((Instant::now() + Duration::from_millis(5), task)));
            }
            Err(error) => {
                tracing::warn!(?task, %error, "a controller's step could not be stored");
                self.later.push(Reverse((Instant::now() + RETRY, task)));
            }
        }
    }

    /// Commits the actions of one step. Gives the time after which the step is to be run again.
    async fn carry_out(
        &mut self,
        task: &Task,
        actions: Vec<Action>,
        component: &str,
    ) -> Result<Option<Duration>, StoreError> {
        let now = self.clock.now();
        let mut batch = Batch {
            store: &self.store,
            entry: &self.entry,
            index: &self.index,
            now,
            ops: BTreeMap::new(),
            created: Vec::new(),
            refused: false,
        };
        let mut told = Vec::new();
        let mut again: Option<Duration> = None;
        for action in actions {
            match action {
                Action::Create(object) => batch.create(object, &mut told),
                Action::Update(object) => batch.update(&object, false),
                Action::UpdateStatus(object) => batch.update(&object, true),
                Action::Delete { resource, namespace, name, uid } => {
                    batch.delete(&Key::new(resource.as_str(), &namespace, &name), &uid);
                }
                Action::Event(event) => told.push(event),
                Action::Again(after) => again = Some(again.map_or(after, |soon| soon.min(after))),
            }
        }
        if batch.refused {
            self.refused.insert(task.clone());
        }
        let ops: Vec<Op> = batch.created.into_iter().chain(batch.ops.into_values()).collect();
        if !ops.is_empty() {
            for stored in self.store.commit(ops).await? {
                let is_gone = self.store.get(&stored.key).is_none();
                if !is_gone {
                    self.index.insert(&stored);
                }
            }
        }
        for event in told {
            events::record(&self.store, event, component, now).await?;
        }
        Ok(again)
    }
}

/// The name of an object's controller, if it is of a kind.
fn owner_name(object: &Node, kind: &str) -> Option<String> {
    controller(object).filter(|(its, _)| *its == kind).map(|(_, name)| name)
}

/// The kind and name of an object's controller.
fn controller(object: &Node) -> Option<(&str, String)> {
    let owners = object.items_at(&["metadata", "ownerReferences"]);
    let is_controller =
        |owner: &&Node| owner.get("controller").and_then(Node::as_bool) == Some(true);
    let owner = owners.iter().find(is_controller)?;
    Some((owner.str_at(&["kind"])?, owner.str_at(&["name"])?.to_owned()))
}

/// The operations of one step, one for each object.
struct Batch<'a> {
    store: &'a Store,
    entry: &'a Entry,
    index: &'a Index,
    now: Timestamp,
    ops: BTreeMap<Key, Op>,
    created: Vec<Op>,
    /// True when something was not let in.
    refused: bool,
}

impl Batch<'_> {
    fn create(&mut self, mut object: Node, told: &mut Vec<Event>) {
        let resource = Resource::new(resource_of(&object));
        let owner = owner_of(&object);
        if let Err(refusal) = self.let_in(&resource, &mut object) {
            self.refused = true;
            let message = format!("Error creating: {}", forbidden(&resource, &object, &refusal));
            told.extend(owner.map(|owner| Event::warning(&owner, "FailedCreate", message)));
            return;
        }
        if let Some(prefix) = object.str_at(&["metadata", "generateName"])
            && meta::name(&object).is_empty()
        {
            let name = metadata::generate_name(prefix);
            object.set_at(&["metadata", "name"], name);
        }
        let uncounted = ["serviceaccounts", "configmaps", "endpoints", VOLUMES];
        let counts_generation = !uncounted.contains(&resource.as_str());
        metadata::prepare_create(&mut object, self.now, counts_generation);
        let message = match resource.as_str() {
            "pods" => Some(format!("Created pod: {}", meta::name(&object))),
            "jobs.batch" => {
                jobs::complete(&mut object);
                Some(format!("Created job {}", meta::name(&object)))
            }
            _ => None,
        };
        if let (Some(owner), Some(message)) = (owner, message) {
            told.push(Event::normal(&owner, "SuccessfulCreate", message));
        }
        let key = Key::new(resource, meta::namespace(&object), meta::name(&object));
        self.created.push(Op::Create { key, object });
    }

    /// Completes a new object, if there is room for it beside those that the step has created.
    fn let_in(&self, resource: &Resource, object: &mut Node) -> Result<(), Refusal> {
        self.entry.complete(resource, object)?;
        let before = self.created.iter().filter(|op| op.key().resource == *resource).count();
        let (room, refusal) = self.entry.room(resource, object, before + 1);
        refusal.filter(|_| room <= before).map_or(Ok(()), Err)
    }

    /// Joins an update with what the step has already changed on the same object.
    fn update(&mut self, object: &Node, only_status: bool) {
        let Some(key) = self.index.key(meta::uid(object)) else { return };
        let Some(stored) = self.store.get(&key) else { return };
        let read = object.str_at(&["metadata", "resourceVersion"]).and_then(|rv| rv.parse().ok());
        let base = match self.ops.remove(&key) {
            Some(Op::Update { object, .. }) => object,
            Some(other) => {
                self.ops.insert(key, other);
                return;
            }
            None => stored.object.clone(),
        };
        let mut next = if only_status { base.clone() } else { object.clone() };
        let status = if only_status { object.get("status") } else { base.get("status") };
        match status {
            Some(status) => next.set("status", status.clone()),
            None => drop(next.remove("status")),
        }
        if is_free(&key, &next) {
            self.ops.insert(key.clone(), Op::Delete { key, expect: read });
            return;
        }
        if !only_status && next.get("spec") != stored.object.get("spec") {
            let generation = stored.object.i64_at(&["metadata", "generation"]).unwrap_or(0);
            next.set_at(&["metadata", "generation"], generation + 1);
        }
        self.ops.insert(key.clone(), Op::Update { key, object: next, expect: read });
    }

    fn delete(&mut self, key: &Key, uid: &str) {
        let Some(stored) = self.store.get(key) else { return };
        if meta::uid(&stored.object) != uid || metadata::is_deleted(&stored.object) {
            return;
        }
        let object = match self.ops.remove(key) {
            Some(Op::Update { object, .. }) => object,
            _ => stored.object.clone(),
        };
        let op = deletion(&stored, object, self.now);
        self.ops.insert(key.clone(), op);
    }
}

/// Who controls an object, as far as events about it need.
fn owner_of(object: &Node) -> Option<Node> {
    let owner = object.items_at(&["metadata", "ownerReferences"]).first()?;
    let mut found = Node::map();
    for key in ["apiVersion", "kind"] {
        found.set(key, owner.str_at(&[key]).unwrap_or_default());
    }
    for key in ["name", "uid"] {
        found.set_at(&["metadata", key], owner.str_at(&[key]).unwrap_or_default());
    }
    found.set_at(&["metadata", "namespace"], meta::namespace(object));
    Some(found)
}

/// A refusal as the API words it. The name is the prefix of those that are made of one, so that the
/// same refusal reads the same each time.
fn forbidden(resource: &Resource, object: &Node, refusal: &Refusal) -> String {
    let prefix = object.str_at(&["metadata", "generateName"]).unwrap_or_default();
    let name = meta::name(object);
    let name = if name.is_empty() { prefix } else { name };
    format!("{resource} {name:?} is forbidden: {refusal}")
}

/// The resource of an object by its kind; those that controllers make.
fn resource_of(object: &Node) -> &'static str {
    match object.str_at(&["kind"]) {
        Some("ReplicaSet") => "replicasets.apps",
        Some("Job") => "jobs.batch",
        Some("ServiceAccount") => "serviceaccounts",
        Some("ConfigMap") => "configmaps",
        Some("Endpoints") => "endpoints",
        Some("EndpointSlice") => "endpointslices.discovery.k8s.io",
        Some("PersistentVolume") => VOLUMES,
        _ => "pods",
    }
}

/// True for an object that is being deleted and that nothing holds any more.
fn is_free(key: &Key, object: &Node) -> bool {
    let grace = object.i64_at(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
    metadata::is_deleted(object)
        && object.items_at(&["metadata", "finalizers"]).is_empty()
        && object.items_at(&["spec", "finalizers"]).is_empty()
        && (key.resource.as_str() != "pods" || grace == 0)
}

/// A deletion as the API does it: pods that run and objects with finalizers are marked, others go.
fn deletion(stored: &Stored, mut object: Node, now: Timestamp) -> Op {
    let grace = object.i64_at(&["spec", "terminationGracePeriodSeconds"]).unwrap_or(30);
    let on_node = stored.key.resource.as_str() == "pods"
        && object.str_at(&["spec", "nodeName"]).is_some_and(|node| !node.is_empty());
    let held = !object.items_at(&["metadata", "finalizers"]).is_empty();
    let (key, expect) = (stored.key.clone(), Some(stored.revision));
    if !on_node && !held {
        return Op::Delete { key, expect };
    }
    metadata::mark_deleted(&mut object, now, if on_node { grace } else { 0 });
    Op::Update { key, object, expect }
}

/// Keys by uid and by owner.
#[derive(Debug, Default)]
struct Index {
    uids: HashMap<String, Key>,
    dependents: HashMap<String, BTreeSet<Key>>,
    /// Pods and ReplicaSets without a controller, by namespace.
    orphans: HashMap<(String, String), BTreeSet<Key>>,
}

impl Index {
    fn insert(&mut self, stored: &Stored) {
        self.uids.insert(meta::uid(&stored.object).to_owned(), stored.key.clone());
        for owner in stored.object.items_at(&["metadata", "ownerReferences"]) {
            if let Some(uid) = owner.str_at(&["uid"]) {
                self.dependents.entry(uid.to_owned()).or_default().insert(stored.key.clone());
            }
        }
        if adoptable(&stored.key) && controller_uid(&stored.object).is_none() {
            self.orphans.entry(place(&stored.key)).or_default().insert(stored.key.clone());
        }
    }

    fn remove(&mut self, stored: &Stored) {
        self.uids.remove(meta::uid(&stored.object));
        for owner in stored.object.items_at(&["metadata", "ownerReferences"]) {
            let Some(uid) = owner.str_at(&["uid"]) else { continue };
            if let Some(keys) = self.dependents.get_mut(uid) {
                keys.remove(&stored.key);
                if keys.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
        if let Some(keys) = self.orphans.get_mut(&place(&stored.key)) {
            keys.remove(&stored.key);
        }
    }

    fn key(&self, uid: &str) -> Option<Key> {
        self.uids.get(uid).cloned()
    }

    fn dependents(&self, uid: &str) -> Vec<Key> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }
}

fn adoptable(key: &Key) -> bool {
    matches!(key.resource.as_str(), "pods" | "replicasets.apps")
}

fn place(key: &Key) -> (String, String) {
    (key.resource.to_string(), key.namespace.to_string())
}

/// What is stored now, seen through the index.
struct StoreView<'a> {
    store: &'a Store,
    entry: &'a Entry,
    index: &'a Index,
    now: Timestamp,
}

impl StoreView<'_> {
    /// The dependents of an owner, each with whether it has dependents itself.
    fn dependents(&self, owner: &Node) -> Vec<garbage::Dependent> {
        let keys = self.index.dependents(meta::uid(owner));
        let found = keys.into_iter().filter_map(|key| {
            let stored = self.store.get(&key)?;
            let owns = !self.index.dependents(meta::uid(&stored.object)).is_empty();
            let (resource, object) = (key.resource.as_str().to_owned(), Seen::from(stored));
            Some(garbage::Dependent { resource, object, owns })
        });
        found.collect()
    }

    fn read(&self, keys: impl IntoIterator<Item = Key>) -> Vec<Seen> {
        keys.into_iter().filter_map(|key| self.store.get(&key)).map(Seen::from).collect()
    }
}

impl View for StoreView<'_> {
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Seen> {
        self.read([Key::new(resource, namespace, name)]).pop()
    }

    fn owned(&self, resource: &str, uid: &str) -> Vec<Seen> {
        let keys = self.index.dependents(uid);
        let mut owned = self.read(keys.into_iter().filter(|key| key.resource.as_str() == resource));
        owned.retain(|object| controller_uid(object) == Some(uid));
        owned
    }

    fn orphans(&self, resource: &str, namespace: &str) -> Vec<Seen> {
        let place = (resource.to_owned(), namespace.to_owned());
        let keys = self.index.orphans.get(&place).cloned().unwrap_or_default();
        let mut orphans = self.read(keys);
        orphans.retain(|object| controller_uid(object).is_none());
        orphans
    }

    fn all(&self, resource: &str, namespace: &str) -> Vec<Seen> {
        let (objects, _) = self.store.list(&resource.into(), Some(namespace));
        objects.into_iter().map(Seen::from).collect()
    }

    fn room(&self, object: &Node, wanted: usize) -> (usize, Option<String>) {
        let resource = Resource::new(resource_of(object));
        let mut completed = object.clone();
        let (room, refusal) = match self.entry.complete(&resource, &mut completed) {
            Ok(()) => self.entry.room(&resource, &completed, wanted),
            Err(refusal) => (0, Some(refusal)),
        };
        (room, refusal.map(|refusal| forbidden(&resource, object, &refusal)))
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}
