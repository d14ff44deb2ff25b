//! Deployments and `ReplicaSets`.

use super::{PLAIN_RULES, Rules, default, keep, pod};
use crate::agent::api::fault::Faults;
use crate::object::selector::Selector;
use crate::yaml::Node;

pub(crate) static DEPLOYMENT: Rules = Rules {
    default: fill_deployment,
    create: |object| object.set("status", Node::map()),
    update: |new, old| keep(new, old, "status"),
    validate,
    validate_update,
    ..PLAIN_RULES
};

pub(crate) static REPLICA_SET: Rules = Rules {
    default: fill,
    create: |object| {
        object.set("status", Node::map());
        object.set_at(&["status", "replicas"], 0);
    },
    update: |new, old| keep(new, old, "status"),
    validate,
    validate_update,
    ..PLAIN_RULES
};

fn fill(object: &mut Node) {
    default(object, "spec", Node::map());
    let spec = object.get_mut("spec").expect("it was set just above");
    default(spec, "replicas", 1);
    pod::fill_template(spec);
}

fn fill_deployment(object: &mut Node) {
    fill(object);
    let spec = object.get_mut("spec").expect("it was set just above");
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    default(spec, "strategy", Node::map());
    let strategy = spec.get_mut("strategy").expect("it was set just above");
    default(strategy, "type", "RollingUpdate");
    if strategy.str_at(&["type"]) == Some("RollingUpdate") {
        default(strategy, "rollingUpdate", Node::map());
        let rolling = strategy.get_mut("rollingUpdate").expect("it was set just above");
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
}

fn validate(object: &Node, faults: &mut Faults) {
    let Some(spec) = object.get("spec") else { return };
    if let Some(replicas) = spec.i64_at(&["replicas"])
        && replicas < 0
    {
        faults.invalid("spec.replicas", replicas, "must be greater than or equal to 0");
    }
    let selector = spec.get("selector");
    match selector.map(|node| (node, Selector::from_label_selector(node))) {
        None => faults.required("spec.selector", ""),
        Some((node, _))
            if node.as_map().is_some_and(|map| {
                map.values().all(|part| {
                    part.as_map().is_none_or(crate::yaml::Map::is_empty)
                        && part.as_list().is_none_or(<[Node]>::is_empty)
                })
            }) =>
        {
            let rule = "empty selector is invalid for deployment";
            faults.invalid("spec.selector", node.clone(), rule);
        }
        Some((node, Err(error))) => {
            faults.invalid("spec.selector", node.clone(), error.to_string());
        }
        Some((_, Ok(selector))) => pod::validate_selected(spec, &selector, faults),
    }
    pod::validate_template(spec.get("template"), "spec.template", faults);
    let policy = spec.str_at(&["template", "spec", "restartPolicy"]);
    if let Some(policy @ ("OnFailure" | "Never")) = policy {
        faults.unsupported("spec.template.spec.restartPolicy", policy, &["Always"]);
    }
    if let Some(kind) = spec.str_at(&["strategy", "type"])
        && !["Recreate", "RollingUpdate"].contains(&kind)
    {
        faults.unsupported("spec.strategy.type", kind, &["Recreate", "RollingUpdate"]);
    }
    if spec.str_at(&["strategy", "type"]) == Some("Recreate")
        && spec.at(&["strategy", "rollingUpdate"]).is_some()
    {
        let rule = "may not be specified when strategy `type` is 'Recreate'";
        faults.forbidden("spec.strategy.rollingUpdate", rule);
    }
}

fn validate_update(new: &Node, old: &Node, faults: &mut Faults) {
    let (now, before) = (new.at(&["spec", "selector"]), old.at(&["spec", "selector"]));
    if now != before {
        let shown = now.cloned().unwrap_or_default();
        faults.invalid("spec.selector", shown, "field is immutable");
    }
}
