//! The number that a pod's priority class stands for (`plugin/pkg/admission/priority`).

use super::Refusal;
use crate::agent::store::{Key, Store};
use crate::object::meta;
use crate::yaml::Node;

const CLASSES: &str = "priorityclasses.scheduling.k8s.io";

/// What a pod may do when there is no room, when nothing else is said.
const POLICY: &str = "PreemptLowerPriority";

/// Fills in a pod's priority and what follows from it.
pub(super) fn fill(store: &Store, pod: &mut Node) -> Result<(), Refusal> {
    let said = pod.str_at(&["spec", "priorityClassName"]).unwrap_or_default().to_owned();
    let class = if said.is_empty() {
        default_class(store)
    } else {
        let stored = store.get(&Key::new(CLASSES, "", &said));
        let missing = || Refusal(format!("no PriorityClass with name {said} was found"));
        Some(stored.ok_or_else(missing)?.object.clone())
    };
    let class = class.as_ref().unwrap_or(&Node::NULL);
    let value = class.i64_at(&["value"]).unwrap_or(0);
    let policy = class.str_at(&["preemptionPolicy"]).unwrap_or(POLICY);
    if let Some(own) = pod.i64_at(&["spec", "priority"]).filter(|own| *own != value) {
        return Err(Refusal(format!(
            "the integer value of priority ({own}) must not be provided in pod spec; priority \
             admission controller computed {value} from the given PriorityClass name"
        )));
    }
    if let Some(own) = pod.str_at(&["spec", "preemptionPolicy"]).filter(|own| *own != policy) {
        return Err(Refusal(format!(
            "the string value of PreemptionPolicy ({own}) must not be provided in pod spec; \
             priority admission controller computed {policy} from the given PriorityClass name"
        )));
    }
    let name = meta::name(class);
    if said.is_empty() && !name.is_empty() {
        pod.set_at(&["spec", "priorityClassName"], name);
    }
    pod.set_at(&["spec", "priority"], value);
    pod.set_at(&["spec", "preemptionPolicy"], policy);
    Ok(())
}

/// The class of pods that name none: of several the one of lowest value, as in Kubernetes.
fn default_class(store: &Store) -> Option<Node> {
    let (classes, _) = store.list(&CLASSES.into(), None);
    let is_default =
        |class: &Node| class.get("globalDefault").and_then(Node::as_bool) == Some(true);
    let defaults = classes.iter().map(|stored| &stored.object).filter(|class| is_default(class));
    defaults.min_by_key(|class| class.i64_at(&["value"])).cloned()
}
