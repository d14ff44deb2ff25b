//! Rules across fields of built-in kinds, each one that an API server has. What a schema says is
//! not said again: a field of the wrong type is passed over here.

mod config;
mod container;
mod metadata;
mod network;
mod pod;
mod workload;

use super::field::Field;
use crate::base::diag::Diagnostics;
use crate::yaml::Node;
use std::collections::HashMap;

/// Reports what an API server would refuse in an object beyond its schema.
pub fn check(object: &Node, sink: &mut Diagnostics) {
    let root = Field::root(object);
    let kind = root.text_at("kind").unwrap_or_default();
    let group = root.text_at("apiVersion").and_then(|text| text.split_once('/'));
    let group = group.map_or("", |(group, _)| group);
    metadata::check(&root, group, kind, sink);
    match (group, kind) {
        ("", "ConfigMap") => config::config_map(&root, sink),
        ("", "Secret") => config::secret(&root, sink),
        ("", "Service") => network::service(&root, sink),
        ("", "Pod") => {
            if let Some(spec) = root.get("spec") {
                pod::spec(&spec, &[], sink);
            }
        }
        ("", "ReplicationController")
        | ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("batch", "Job" | "CronJob") => workload::check(&root, kind, sink),
        ("networking.k8s.io", "Ingress") => network::ingress(&root, sink),
        ("autoscaling", "HorizontalPodAutoscaler") => workload::autoscaler(&root, sink),
        ("policy", "PodDisruptionBudget") => workload::disruption_budget(&root, sink),
        _ => {}
    }
}

/// Reports a number that is below the least allowed one.
fn at_least(field: &Field, key: &str, least: i64, sink: &mut Diagnostics) {
    if let Some(found) = field.get(key)
        && let Some(number) = found.node.as_i64()
        && number < least
    {
        sink.push(found.error(BAD_NUMBER, format_args!("must be {least} or more, not {number}")));
    }
}

/// Reports a port that is none.
fn port_number(field: &Field, key: &str, sink: &mut Diagnostics) {
    if let Some(found) = field.get(key)
        && let Some(number) = found.node.as_i64()
        && !(1..=65535).contains(&number)
    {
        sink.push(found.error(BAD_PORT, format_args!("must be from 1 to 65535, not {number}")));
    }
}

/// Reports items of lists that share a name, be they in one list or in several.
fn unique<'a>(names: impl Iterator<Item = Field<'a>>, what: &str, sink: &mut Diagnostics) {
    let mut seen: HashMap<&str, Field> = HashMap::new();
    for field in names {
        let Some(name) = field.text() else { continue };
        if let Some(first) = seen.get(name) {
            let what = format_args!("is `{name}`, the name of another {what}");
            sink.push(field.error(DUPLICATE_NAME, what).at(first.span(), "first here"));
        } else {
            seen.insert(name, field);
        }
    }
}

/// Reports a text that breaks a syntax.
fn syntax(
    field: &Field,
    code: &'static str,
    fault: fn(&str) -> Option<String>,
    sink: &mut Diagnostics,
) {
    if let Some(text) = field.text()
        && let Some(what) = fault(text)
    {
        let finding = field.error(code, format_args!("`{text}` {what}"));
        sink.push(finding.maybe_help(super::names::suggestion(text, fault)));
    }
}

const BAD_NAME: &str = "wharf::policy::bad_name";
const BAD_LABEL: &str = "wharf::policy::bad_label";
const BAD_NUMBER: &str = "wharf::policy::bad_number";
const BAD_PORT: &str = "wharf::policy::bad_port";
const DUPLICATE_NAME: &str = "wharf::policy::duplicate_name";

#[cfg(test)]
mod tests;
