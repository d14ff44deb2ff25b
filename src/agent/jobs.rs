//! What the system adds to a new Job, whoever makes it: a client of the API or a `CronJob`.

use crate::object::meta;
use crate::yaml::{Map, Node};

/// Labels of a Job's pods with its uid: as it is called now, and as it was.
pub const UID_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];

/// Labels of a Job's pods with its name.
pub const NAME_LABELS: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

/// Fills in a Job's spec, all but the template of its pods.
pub fn fill(spec: &mut Node) {
    let has = |field: &str| spec.get(field).is_some();
    let limit = if has("backoffLimitPerIndex") { i64::from(i32::MAX) } else { 6 };
    let replaced = if has("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    let one = (!has("parallelism")).then_some(("completions", 1.into()));
    let defaults: [(&str, Node); 6] = [
        ("parallelism", 1.into()),
        ("backoffLimit", limit.into()),
        ("completionMode", "NonIndexed".into()),
        ("suspend", false.into()),
        ("podReplacementPolicy", replaced.into()),
        ("manualSelector", false.into()),
    ];
    for (field, value) in one.into_iter().chain(defaults) {
        if spec.get(field).is_none() {
            spec.set(field, value);
        }
    }
    let rules = spec.at_mut(&["podFailurePolicy", "rules"]).and_then(Node::as_list_mut);
    for rule in rules.into_iter().flatten() {
        let patterns = rule.get_mut("onPodConditions").and_then(Node::as_list_mut);
        for pattern in patterns.into_iter().flatten() {
            if pattern.get("status").is_none() {
                pattern.set("status", "True");
            }
        }
    }
}

/// True for a Job whose selector was made by hand.
pub fn is_manual(job: &Node) -> bool {
    job.at(&["spec", "manualSelector"]).and_then(Node::as_bool) == Some(true)
}

/// Labels the pods of a Job with what they belong to, and selects them by it. The Job has its name
/// and its uid.
pub fn complete(job: &mut Node) {
    if !is_manual(job) {
        let (uid, name) = (meta::uid(job).to_owned(), meta::name(job).to_owned());
        let named = NAME_LABELS.iter().map(|label| (label, &name));
        for (label, value) in UID_LABELS.iter().map(|label| (label, &uid)).chain(named) {
            let path = ["spec", "template", "metadata", "labels", label];
            if job.at(&path).is_none() {
                job.set_at(&path, value.as_str());
            }
        }
        let path = ["spec", "selector", "matchLabels", UID_LABELS[0]];
        if job.at(&path).is_none() {
            job.set_at(&path, uid);
        }
    }
    label_as_template(job);
    job.set("status", Node::map());
}

/// A Job without labels has those of its pods.
pub fn label_as_template(job: &mut Node) {
    if meta::labels(job).is_none_or(Map::is_empty)
        && let Some(labels) = job.at(&["spec", "template", "metadata", "labels"]).cloned()
    {
        job.set_at(&["metadata", "labels"], labels);
    }
}
