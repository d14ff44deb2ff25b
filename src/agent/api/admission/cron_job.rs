//! `CronJob`s.

use super::{PLAIN_RULES, Rules, default, job, keep, pod};
use crate::agent::api::fault::Faults;
use crate::object::meta;
use crate::object::schedule::Schedule;
use crate::yaml::Node;
use jiff::tz::TimeZone;

/// Names of Jobs are eleven characters longer, and may have 63.
const LONGEST: usize = 52;

pub(crate) static CRON_JOB: Rules = Rules {
    default: |object| {
        default(object, "spec", Node::map());
        let Some(spec) = object.get_mut("spec") else { return };
        default(spec, "concurrencyPolicy", "Allow");
        default(spec, "suspend", false);
        default(spec, "successfulJobsHistoryLimit", 3);
        default(spec, "failedJobsHistoryLimit", 1);
        if let Some(template) = spec.get_mut("jobTemplate") {
            default(template, "metadata", Node::map());
            default(template, "spec", Node::map());
            pod::fill_template(template.get_mut("spec").expect("it was set just above"));
        }
    },
    create: |object| object.set("status", Node::map()),
    update: |new, old| keep(new, old, "status"),
    validate,
    ..PLAIN_RULES
};

fn validate(object: &Node, faults: &mut Faults) {
    let Some(spec) = object.get("spec") else { return };
    let is_new = object.at(&["metadata", "resourceVersion"]).is_none();
    let name = meta::name(object);
    if is_new && name.len() > LONGEST {
        faults.invalid("metadata.name", name, format!("must be no more than {LONGEST} characters"));
    }
    match spec.str_at(&["schedule"]).unwrap_or_default() {
        "" => faults.required("spec.schedule", ""),
        text => {
            if let Err(fault) = Schedule::parse(text) {
                faults.invalid("spec.schedule", text, fault.to_string());
            }
        }
    }
    if let Some(zone) = spec.str_at(&["timeZone"]) {
        let local = zone.eq_ignore_ascii_case("local");
        if zone.is_empty() {
            faults.invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string");
        } else if local || TimeZone::get(zone).is_err() {
            faults.invalid("spec.timeZone", zone, format!("unknown time zone {zone}"));
        }
    }
    for field in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"]
    {
        if let Some(negative) = spec.i64_at(&[field]).filter(|value| *value < 0) {
            let rule = "must be greater than or equal to 0";
            faults.invalid(format!("spec.{field}"), negative, rule);
        }
    }
    let policies = ["Allow", "Forbid", "Replace"];
    if let Some(said) = spec.str_at(&["concurrencyPolicy"]).filter(|it| !policies.contains(it)) {
        faults.unsupported("spec.concurrencyPolicy", said, &policies);
    }
    let path = "spec.jobTemplate.spec";
    let Some(template) = spec.at(&["jobTemplate", "spec"]) else {
        faults.required(format!("{path}.template"), "");
        return;
    };
    job::validate_spec(template, path, faults);
    if let Some(selector) = template.get("selector") {
        let rule = "`selector` will be auto-generated";
        faults.invalid(format!("{path}.selector"), selector.clone(), rule);
    }
    if template.get("manualSelector").and_then(Node::as_bool) == Some(true) {
        faults.unsupported(format!("{path}.manualSelector"), true, &["nil", "false"]);
    }
}
