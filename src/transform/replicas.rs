//! How many copies of a workload there are.

use super::set::{Resource, ResourceSet};
use super::{Context, Transformer};
use crate::base::diag::Diagnostic;
use crate::base::suggest;
use crate::yaml::Node;

/// The count of one workload.
#[derive(Clone, Debug)]
pub struct Replicas {
    /// Its name.
    pub name: Node,
    /// How many.
    pub count: Node,
}

/// Kinds that have a count.
const KINDS: &[&str] = &["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"];

impl Transformer for Replicas {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let wanted = self.name.as_str().unwrap_or_default();
        let mut found = false;
        for object in set.contents_mut().filter(|object| KINDS.contains(&object.kind())) {
            if object.name() == wanted {
                object.root.set_at(&["spec", "replicas"], self.count.clone());
                found = true;
            }
        }
        if !found {
            let known = set.iter().filter(|object| KINDS.contains(&object.kind()));
            context.sink.push(
                Diagnostic::error(
                    "wharf::transform::replicas_match_nothing",
                    format!("no {} is named `{wanted}`", KINDS.join(", ")),
                )
                .at(self.name.span, "asked for here")
                .maybe_help(suggest::did_you_mean(wanted, known.map(Resource::name))),
            );
        }
    }
}
