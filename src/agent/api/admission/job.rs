//! Jobs, and the specs of those that others make.

use super::{PLAIN_RULES, Rules, default, keep, name, pod};
use crate::agent::api::fault::Faults;
use crate::agent::jobs;
use crate::object::meta;
use crate::object::selector::Selector;
use crate::yaml::Node;

pub(crate) static JOB: Rules = Rules {
    default: |object| {
        default(object, "spec", Node::map());
        if let Some(spec) = object.get_mut("spec") {
            jobs::fill(spec);
            pod::fill_template(spec);
        }
        jobs::label_as_template(object);
    },
    create: jobs::complete,
    update: |new, old| keep(new, old, "status"),
    validate: |object, faults| {
        if let Some(spec) = object.get("spec") {
            validate_generated(object, faults);
            validate_spec(spec, "spec", faults);
            validate_selector(spec, faults);
            validate_host(object, faults);
        }
    },
    validate_update,
    ..PLAIN_RULES
};

/// What was said of the selector must be what is generated.
fn validate_generated(object: &Node, faults: &mut Faults) {
    let Some(selector) = object.at(&["spec", "selector"]).filter(|_| !jobs::is_manual(object))
    else {
        return;
    };
    let labels = object.at(&["spec", "template", "metadata", "labels"]);
    let mut expected = Node::map();
    for (names, value) in
        [(jobs::UID_LABELS, meta::uid(object)), (jobs::NAME_LABELS, meta::name(object))]
    {
        for label in names {
            expected.set(label, value);
            let path = format!("spec.template.metadata.labels[{label}]");
            let rule = format!("must be '{value}'");
            match labels.and_then(|labels| labels.str_at(&[label])) {
                None => faults.required(path, &rule),
                Some(said) if said != value => {
                    faults.invalid(path, labels.cloned().unwrap_or_default(), rule);
                }
                Some(_) => {}
            }
        }
    }
    let fits = Selector::from_label_selector(selector);
    if fits.is_ok_and(|selector| !selector.matches(expected.as_map())) {
        faults.invalid("spec.selector", selector.clone(), "`selector` not auto-generated");
    }
}

/// Rules for a Job's spec, wherever it stands.
pub(super) fn validate_spec(spec: &Node, path: &str, faults: &mut Faults) {
    let at = |field: &str| format!("{path}.{field}");
    let number = |field: &str| spec.i64_at(&[field]);
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        if let Some(negative) = number(field).filter(|value| *value < 0) {
            faults.invalid(at(field), negative, "must be greater than or equal to 0");
        }
    }
    if number("maxFailedIndexes").is_some() && number("backoffLimitPerIndex").is_none() {
        faults.required(at("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    match spec.str_at(&["completionMode"]) {
        Some("Indexed") => validate_indexed(spec, path, faults),
        Some(mode) if mode != "NonIndexed" => {
            faults.unsupported(at("completionMode"), mode, &["NonIndexed", "Indexed"]);
        }
        _ => {
            for field in ["backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"] {
                if let Some(value) = spec.get(field) {
                    faults.invalid(at(field), value.clone(), "requires indexed completion mode");
                }
            }
        }
    }
    for (index, rule) in spec.items_at(&["podFailurePolicy", "rules"]).iter().enumerate() {
        let path = format!("{path}.podFailurePolicy.rules[{index}]");
        validate_failure_rule(spec, rule, &path, faults);
    }
    let policy = spec.get("podFailurePolicy").is_some();
    let known: &[&str] = if policy { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
    if let Some(said) = spec.str_at(&["podReplacementPolicy"]).filter(|it| !known.contains(it)) {
        faults.unsupported(at("podReplacementPolicy"), said, known);
    }
    pod::validate_template(spec.get("template"), &at("template"), faults);
    let field = at("template.spec.restartPolicy");
    match spec.str_at(&["template", "spec", "restartPolicy"]).unwrap_or_default() {
        "" | "Always" => faults.required(field, "valid values: \"OnFailure\", \"Never\""),
        said @ "OnFailure" if policy => {
            let rule = "only \"Never\" is supported when podFailurePolicy is specified";
            faults.invalid(field, said, rule);
        }
        _ => {}
    }
}

fn validate_indexed(spec: &Node, path: &str, faults: &mut Faults) {
    const MOST: i64 = 100_000;
    let number = |field: &str| spec.i64_at(&[field]);
    let Some(completions) = number("completions") else {
        faults.required(format!("{path}.completions"), "when completion mode is Indexed");
        return;
    };
    if let Some(many) = number("parallelism").filter(|many| *many > MOST) {
        let rule = format!("must be less than or equal to {MOST} when completion mode is Indexed");
        faults.invalid(format!("{path}.parallelism"), many, rule);
    }
    if let Some(many) = number("maxFailedIndexes").filter(|many| *many > completions.min(MOST)) {
        let most = if many > completions { "completions".to_owned() } else { MOST.to_string() };
        let rule = format!("must be less than or equal to {most}");
        faults.invalid(format!("{path}.maxFailedIndexes"), many, rule);
    }
    let Some(policy) = spec.get("successPolicy") else { return };
    let path = format!("{path}.successPolicy.rules");
    if policy.items_at(&["rules"]).is_empty() {
        let rule = "at least one rules must be specified when the successPolicy is specified";
        faults.required(path.clone(), rule);
    }
    for (index, rule) in policy.items_at(&["rules"]).iter().enumerate() {
        let path = format!("{path}[{index}]");
        let count = rule.i64_at(&["succeededCount"]);
        if count.is_none() && rule.get("succeededIndexes").is_none() {
            let rule = "at least one of succeededCount or succeededIndexes must be specified";
            faults.required(path.clone(), rule);
        }
        if let Some(count) = count.filter(|count| *count > completions) {
            let rule = format!(
                "must be less than or equal to {completions} (the number of specified completions)"
            );
            faults.invalid(format!("{path}.succeededCount"), count, rule);
        }
    }
}

fn validate_failure_rule(spec: &Node, rule: &Node, path: &str, faults: &mut Faults) {
    let action = rule.str_at(&["action"]).unwrap_or_default();
    let actions = ["Count", "FailIndex", "FailJob", "Ignore"];
    let field = format!("{path}.action");
    if action.is_empty() {
        let shown: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
        faults.required(field, &format!("valid values: [{}]", shown.join(" ")));
    } else if !actions.contains(&action) {
        faults.unsupported(field, action, &actions);
    } else if action == "FailIndex" && spec.get("backoffLimitPerIndex").is_none() {
        faults.invalid(field, action, "requires the backoffLimitPerIndex to be set");
    }
    let conditions = !rule.items_at(&["onPodConditions"]).is_empty();
    match rule.get("onExitCodes") {
        Some(_) if conditions => {
            let what = "specifying both OnExitCodes and OnPodConditions is not supported";
            faults.invalid(path, rule.clone(), what);
        }
        None if !conditions => {
            let what = "specifying one of OnExitCodes and OnPodConditions is required";
            faults.invalid(path, rule.clone(), what);
        }
        Some(codes) => validate_exit_codes(spec, codes, &format!("{path}.onExitCodes"), faults),
        None => {}
    }
}

fn validate_exit_codes(spec: &Node, codes: &Node, path: &str, faults: &mut Faults) {
    let operator = codes.str_at(&["operator"]).unwrap_or_default();
    if !["In", "NotIn"].contains(&operator) {
        faults.unsupported(format!("{path}.operator"), operator, &["In", "NotIn"]);
    }
    if let Some(container) = codes.str_at(&["containerName"]) {
        let lists = ["containers", "initContainers"].into_iter();
        let mut all = lists.flat_map(|list| spec.items_at(&["template", "spec", list]));
        if !all.any(|known| known.str_at(&["name"]) == Some(container)) {
            let rule = "must be one of the container or initContainer names in the pod template";
            faults.invalid(format!("{path}.containerName"), container, rule);
        }
    }
    let values: Vec<i64> = codes.items_at(&["values"]).iter().filter_map(Node::as_i64).collect();
    let shown = || codes.get("values").cloned().unwrap_or_default();
    let field = format!("{path}.values");
    if values.is_empty() {
        faults.invalid(field.clone(), shown(), "at least one value is required");
    }
    for (index, value) in values.iter().enumerate() {
        let field = format!("{field}[{index}]");
        if operator == "In" && *value == 0 {
            faults.invalid(field.clone(), 0, "must not be 0 for the In operator");
        }
        if values[..index].contains(value) {
            faults.duplicate(field, *value);
        }
    }
    if !values.is_sorted() {
        faults.invalid(field, shown(), "must be ordered");
    }
}

fn validate_selector(spec: &Node, faults: &mut Faults) {
    let Some(node) = spec.get("selector") else {
        faults.required("spec.selector", "");
        return;
    };
    match Selector::from_label_selector(node) {
        Err(error) => faults.invalid("spec.selector", node.clone(), error.to_string()),
        Ok(selector) => pod::validate_selected(spec, &selector, faults),
    }
}

/// The pods of an indexed Job have host names that end with their index.
fn validate_host(object: &Node, faults: &mut Faults) {
    let indexed = object.str_at(&["spec", "completionMode"]) == Some("Indexed");
    let completions = object.i64_at(&["spec", "completions"]).filter(|many| indexed && *many > 0);
    let Some(completions) = completions else { return };
    let host = format!("{}-{}", meta::name(object), completions - 1);
    if !name::label(&host).is_empty() {
        let rule = format!("will not able to create pod with invalid DNS label: {host}");
        faults.invalid("metadata.name", meta::name(object), rule);
    }
}

/// Of a Job only its speed, its limits and whether it is suspended may change. Where its pods may
/// run may change, too, before it begins.
fn validate_update(new: &Node, old: &Node, faults: &mut Faults) {
    let mut old = old.clone();
    // what is stored may lack a default
    (JOB.default)(&mut old);
    let value = |object: &Node, field: &str| object.at(&["spec", field]).cloned();
    let indexed = value(new, "completionMode") == Some("Indexed".into());
    let unstarted = old.at(&["status", "startTime"]).is_none();
    if unstarted && value(&old, "suspend") == Some(true.into()) {
        for path in [
            &["metadata", "labels"][..],
            &["metadata", "annotations"],
            &["spec", "nodeSelector"],
            &["spec", "tolerations"],
            &["spec", "schedulingGates"],
            &["spec", "affinity", "nodeAffinity"],
        ] {
            let path = [&["spec", "template"][..], path].concat();
            match new.at(&path) {
                Some(value) => old.set_at(&path, value.clone()),
                None => drop(old.remove_at(&path)),
            }
        }
    }
    for field in [
        "completions",
        "selector",
        "template",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        let (now, before) = (value(new, field), value(&old, field));
        if now == before {
            continue;
        }
        let shown = now.clone().unwrap_or_default();
        let path = format!("spec.{field}");
        if field != "completions" || !indexed {
            faults.invalid(path, shown, "field is immutable");
        } else if now != value(new, "parallelism") {
            faults.invalid(path, shown, "can only be modified in tandem with spec.parallelism");
        }
    }
}
