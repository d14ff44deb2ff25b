//! Kinds that make pods: the selector must match the template, and the numbers must make sense.

use super::super::field::Field;
use super::{BAD_NUMBER, at_least, metadata, pod};
use crate::base::diag::Diagnostics;
use crate::object::schedule::{Schedule, ScheduleFault};
use crate::object::selector::Selector;

const SELECTOR_MISMATCH: &str = "wharf::policy::selector_mismatch";
const BAD_STRATEGY: &str = "wharf::policy::bad_strategy";
const BAD_RESTART_POLICY: &str = "wharf::policy::bad_restart_policy";
const BAD_SCHEDULE: &str = "wharf::policy::bad_schedule";
const BAD_WORKLOAD: &str = "wharf::policy::bad_workload";

/// Checks an object that makes pods.
pub(super) fn check(root: &Field, kind: &str, sink: &mut Diagnostics) {
    let Some(spec) = root.get("spec") else { return };
    for key in ["replicas", "minReadySeconds", "parallelism", "completions", "backoffLimit"] {
        at_least(&spec, key, 0, sink);
    }
    for key in ["revisionHistoryLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"] {
        at_least(&spec, key, 0, sink);
    }
    if kind == "CronJob" {
        if let Some(schedule) = spec.get("schedule") {
            self::schedule(&schedule, sink);
        }
        let Some(job) = spec.get("jobTemplate") else { return };
        let Some(inner) = job.get("spec") else { return };
        return pods(&inner, kind, sink);
    }
    selector(&spec, kind, sink);
    match kind {
        "Deployment" => deployment(&spec, sink),
        "DaemonSet" => rolling(&spec, "updateStrategy", sink),
        _ => {}
    }
    pods(&spec, kind, sink);
}

/// Checks the template.
fn pods(spec: &Field, kind: &str, sink: &mut Diagnostics) {
    let Some(template) = spec.get("template") else { return };
    if let Some(metadata) = template.get("metadata") {
        metadata::common(&metadata, sink);
    }
    let is_job = matches!(kind, "Job" | "CronJob");
    let Some(inner) = template.get("spec") else { return };
    let policy = inner.get("restartPolicy");
    match policy.and_then(|policy| policy.text()) {
        Some("Always") | None if is_job => {
            let at = policy.unwrap_or(inner);
            let what = "must have the restart policy `OnFailure` or `Never` in a Job";
            sink.push(at.error(BAD_RESTART_POLICY, what).help("add `restartPolicy: Never`"));
        }
        Some("OnFailure" | "Never") if !is_job => {
            if let Some(policy) = policy {
                let what = format_args!("must be `Always` in a {kind}");
                sink.push(policy.error(BAD_RESTART_POLICY, what));
            }
        }
        _ => {}
    }
    let templates = spec.get("volumeClaimTemplates");
    let claims: Vec<&str> = templates
        .iter()
        .flat_map(|list| list.node.as_list().into_iter().flatten())
        .filter_map(|claim| claim.str_at(&["metadata", "name"]))
        .collect();
    pod::spec(&inner, &claims, sink);
}

fn selector(spec: &Field, kind: &str, sink: &mut Diagnostics) {
    let Some(field) = spec.get("selector") else { return };
    let Some(template) = spec.get("template") else { return };
    let labels = template.node.at(&["metadata", "labels"]).and_then(|labels| labels.as_map());
    let selector = if kind == "ReplicationController" {
        let Some(map) = field.node.as_map() else { return };
        Selector::from_labels(map)
    } else {
        if let Some(labels) = field.get("matchLabels") {
            metadata::label_map(&labels, sink);
        }
        match Selector::from_label_selector(field.node) {
            Ok(selector) => selector,
            Err(error) => {
                return sink
                    .push(field.error(SELECTOR_MISMATCH, format_args!("is wrong: {error}")));
            }
        }
    };
    if kind == "Job" && !spec.flag("manualSelector") {
        let what = "is set by the server; take it out, or set `manualSelector`";
        return sink.push(field.error(SELECTOR_MISMATCH, what));
    }
    if selector.is_empty() {
        return sink.push(field.error(SELECTOR_MISMATCH, "is empty and would select every pod"));
    }
    if !selector.matches(labels) {
        let labels_at = template.get("metadata");
        let labels_at = labels_at.as_ref().and_then(|metadata| metadata.get("labels"));
        let finding = field.error(SELECTOR_MISMATCH, "does not match the labels of the template");
        let at = labels_at.map_or(template.key_span(), |labels| labels.key_span());
        sink.push(
            finding.at(at, "these labels").help(
                "give `spec.template.metadata.labels` every label that the selector asks for",
            ),
        );
    }
}

fn deployment(spec: &Field, sink: &mut Diagnostics) {
    rolling(spec, "strategy", sink);
    let ready = spec.int_at("minReadySeconds").unwrap_or(0);
    let deadline = spec.int_at("progressDeadlineSeconds").unwrap_or(600);
    if deadline <= ready {
        let at = spec.get("progressDeadlineSeconds").or_else(|| spec.get("minReadySeconds"));
        let what = format_args!(
            "makes `progressDeadlineSeconds` {deadline} not larger than `minReadySeconds` {ready}"
        );
        sink.push(at.unwrap_or(*spec).error(BAD_NUMBER, what));
    }
}

fn rolling(spec: &Field, key: &str, sink: &mut Diagnostics) {
    let Some(strategy) = spec.get(key) else { return };
    let Some(rolling) = strategy.get("rollingUpdate") else { return };
    let ty = strategy.text_at("type").unwrap_or("RollingUpdate");
    if matches!(ty, "Recreate" | "OnDelete") {
        let what = format_args!("cannot be set when `type` is `{ty}`");
        return sink.push(rolling.error(BAD_STRATEGY, what));
    }
    let mut zeros = 0;
    for key in ["maxSurge", "maxUnavailable"] {
        let Some(amount) = rolling.get(key) else { continue };
        let percent = amount.text().map(|text| text.strip_suffix('%').and_then(|n| n.parse().ok()));
        let number: Option<i64> = percent.unwrap_or_else(|| amount.node.as_i64());
        match number {
            Some(0) => zeros += 1,
            Some(number) if number > 0 => {}
            _ => {
                let what = "must be a number or a percentage such as `25%`";
                sink.push(amount.error(BAD_STRATEGY, what));
            }
        }
    }
    if zeros == 2 {
        let what = "must not have 0 for both `maxSurge` and `maxUnavailable`";
        sink.push(rolling.error(BAD_STRATEGY, what));
    }
}

/// Five fields, or a name such as `@daily`.
fn schedule(field: &Field, sink: &mut Diagnostics) {
    let Some(text) = field.text() else { return };
    let Err(fault) = Schedule::parse(text) else { return };
    let wrong = |what: String| field.error(BAD_SCHEDULE, what);
    sink.push(match fault {
        ScheduleFault::Zone => {
            wrong("must not name a time zone".to_owned()).help("use `spec.timeZone`")
        }
        ScheduleFault::Unknown => wrong(format!("`{text}` is no known schedule")),
        ScheduleFault::Count(count) => {
            let help = "minute, hour, day, month, weekday: `30 3 * * *` is 3:30 each day";
            wrong(format!("`{text}` has {count} fields, five are needed")).help(help)
        }
        ScheduleFault::Field { unit, text: part, least, most } => {
            wrong(format!("`{text}` has the {unit} `{part}`, from {least} to {most} are allowed"))
        }
    });
}

/// Checks a `HorizontalPodAutoscaler`.
pub(super) fn autoscaler(root: &Field, sink: &mut Diagnostics) {
    let Some(spec) = root.get("spec") else { return };
    at_least(&spec, "maxReplicas", 1, sink);
    let (least, most) = (spec.int_at("minReplicas").unwrap_or(1), spec.int_at("maxReplicas"));
    if let (Some(most), Some(field)) = (most, spec.get("maxReplicas"))
        && most < least
    {
        let what = format_args!("is {most}, less than `minReplicas` {least}");
        sink.push(field.error(BAD_NUMBER, what));
    }
}

/// Checks a `PodDisruptionBudget`.
pub(super) fn disruption_budget(root: &Field, sink: &mut Diagnostics) {
    let Some(spec) = root.get("spec") else { return };
    if spec.has("minAvailable") && spec.has("maxUnavailable") {
        let what = "has both `minAvailable` and `maxUnavailable`, only one is allowed";
        sink.push(spec.error(BAD_WORKLOAD, what));
    }
}
