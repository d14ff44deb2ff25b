//! What a Job says about how its pods end: `podFailurePolicy` and `successPolicy`.

use super::indexes::Indexes;
use crate::object::meta;
use crate::yaml::Node;

/// What becomes of a pod that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It counts against the limit.
    Counts,
    /// It does not count.
    Ignored,
    /// Its index has failed for good.
    FailsIndex,
    /// The Job has failed for good, for this reason.
    FailsJob(String),
}

/// Judges a failed pod by the first rule that it fits.
pub(super) fn judge(job: &Node, pod: &Node) -> Failure {
    let rules = job.items_at(&["spec", "podFailurePolicy", "rules"]);
    for (at, rule) in rules.iter().enumerate() {
        let place = format!("{}/{}", meta::namespace(pod), meta::name(pod));
        let what = match rule.get("onExitCodes") {
            Some(codes) => exit_code(codes, pod).map(|(container, code)| {
                format!("Container {container} for pod {place} failed with exit code {code}")
            }),
            None => condition(rule.items_at(&["onPodConditions"]), pod)
                .map(|kind| format!("Pod {place} has condition {kind}")),
        };
        let Some(what) = what else { continue };
        return match rule.str_at(&["action"]) {
            Some("Ignore") => Failure::Ignored,
            Some("FailIndex") => Failure::FailsIndex,
            Some("FailJob") => {
                Failure::FailsJob(format!("{what} matching FailJob rule at index {at}"))
            }
            _ => Failure::Counts,
        };
    }
    Failure::Counts
}

/// The first container that ended with a code that the rule is about.
fn exit_code<'a>(codes: &Node, pod: &'a Node) -> Option<(&'a str, i64)> {
    let values = codes.items_at(&["values"]);
    let not = codes.str_at(&["operator"]) == Some("NotIn");
    let only = codes.str_at(&["containerName"]);
    let statuses = ["containerStatuses", "initContainerStatuses"];
    statuses.iter().flat_map(|list| pod.items_at(&["status", list])).find_map(|status| {
        let name = status.str_at(&["name"]).unwrap_or_default();
        let code = status.i64_at(&["state", "terminated", "exitCode"])?;
        let listed = values.iter().any(|value| value.as_i64() == Some(code));
        let fits = code != 0 && listed != not && only.is_none_or(|only| only == name);
        fits.then_some((name, code))
    })
}

/// The first condition of a pod that fits one of the patterns.
fn condition<'a>(patterns: &[Node], pod: &'a Node) -> Option<&'a str> {
    let text = |node: &'a Node, key: &str| node.str_at(&[key]).unwrap_or_default();
    pod.items_at(&["status", "conditions"]).iter().find_map(|condition| {
        let (kind, status) = (text(condition, "type"), text(condition, "status"));
        let fits = patterns.iter().any(|pattern| {
            pattern.str_at(&["type"]) == Some(kind)
                && pattern.str_at(&["status"]).unwrap_or("True") == status
        });
        fits.then_some(kind)
    })
}

/// Which rule of an indexed Job says that what has succeeded is enough, as a message.
pub(super) fn enough(job: &Node, completions: i64, succeeded: &Indexes) -> Option<String> {
    let rules = job.items_at(&["spec", "successPolicy", "rules"]);
    let at = rules.iter().position(|rule| {
        let count = rule.i64_at(&["succeededCount"]);
        let Some(wanted) = rule.str_at(&["succeededIndexes"]) else {
            return succeeded.total() > 0 && count.is_some_and(|count| succeeded.total() >= count);
        };
        let wanted = Indexes::parse(wanted, completions);
        let shared = wanted.shared(succeeded);
        let all = wanted.total() > 0 && shared == wanted.total();
        all || shared > 0 && count.is_some_and(|count| shared >= count)
    })?;
    Some(format!("Matched rules at index {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(spec: &serde_json::Value) -> Node {
        Node::from(json!({"metadata": {"name": "j", "namespace": "n"}, "spec": spec}))
    }

    #[test]
    fn the_first_rule_that_fits_judges_a_pod() {
        let job = job(&json!({"podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
            {"action": "FailJob", "onExitCodes": {
                "containerName": "main", "operator": "In", "values": [3, 4]}},
            {"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1]}},
        ]}}));
        let told = "Container main for pod n/p failed with exit code 3 matching FailJob rule at \
                    index 1";
        for (container, code, condition, expected) in [
            ("main", 3, "Ready", Failure::FailsJob(told.to_owned())),
            ("main", 3, "DisruptionTarget", Failure::Ignored),
            ("side", 3, "Ready", Failure::FailsIndex),
            ("main", 1, "Ready", Failure::Counts),
            ("main", 0, "Ready", Failure::Counts),
        ] {
            let pod = Node::from(json!({
                "metadata": {"name": "p", "namespace": "n"},
                "status": {
                    "conditions": [{"type": condition, "status": "True"}],
                    "containerStatuses": [
                        {"name": container, "state": {"terminated": {"exitCode": code}}}],
                },
            }));
            assert_eq!(judge(&job, &pod), expected, "{container} {code} {condition}");
        }
    }

    #[test]
    fn rules_say_what_is_enough() {
        let job = job(&json!({"successPolicy": {"rules": [
            {"succeededIndexes": "0,2-3", "succeededCount": 2},
            {"succeededCount": 4},
        ]}}));
        for (succeeded, rule) in
            [("", None), ("0,5", None), ("0,3", Some(0)), ("1,4-6", Some(1)), ("0-9", Some(0))]
        {
            let told = enough(&job, 10, &Indexes::parse(succeeded, 10));
            assert_eq!(told, rule.map(|at| format!("Matched rules at index {at}")), "{succeeded}");
        }
    }
}
