//! How many copies of a workload there are.

use super::field_spec::{FieldSpec, Make};
use super::set::{Resource, ResourceSet};
use super::{Context, Rules, Transformer, failed};
use crate::base::diag::Diagnostic;
use crate::base::suggest;
use crate::yaml::Node;

/// The count of one workload.
#[derive(Clone, Debug)]
pub struct Replicas {
    /// Its name, of now or before.
    pub name: Node,
    /// How many.
    pub count: Node,
    /// Where counts stand.
    pub specs: Vec<FieldSpec>,
}

impl Transformer for Replicas {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let wanted = self.name.as_str().unwrap_or_default();
        let mut found = false;
        for at in set.named(wanted) {
            for spec in &self.specs {
                // a former id has the group and version of now
                let is_about = |resource: &Resource| {
                    let now = resource.gvk();
                    let past = resource.past_ids().filter(|past| past.name == wanted);
                    (resource.name() == wanted && spec.fits(&now))
                        || past.into_iter().any(|past| spec.fits(&past.gvk))
                };
                if !is_about(set.get(at)) {
                    continue;
                }
                found = true;
                let result = set.edit(at, |resource| {
                    if !spec.fits(&resource.gvk()) {
                        return Ok(());
                    }
                    let put = &mut |node: &mut Node| {
                        *node = self.count.clone();
                        Ok(())
                    };
                    spec.visit(&mut resource.root, Make::Scalar, put)
                });
                if let Err(error) = result {
                    let fault = failed(&error, set.get(at), None);
                    context.sink.push(fault.at(self.name.span, "asked for here"));
                }
            }
        }
        if !found {
            let fits = |object: &&Resource| {
                let gvk = object.gvk();
                self.specs.iter().any(|spec| spec.fits(&gvk))
            };
            let known = set.iter().filter(fits).map(|it| it.name());
            let message = self.lost(wanted, context.rules);
            context.sink.push(
                Diagnostic::error("wharf::transform::replicas_match_nothing", message)
                    .at(self.name.span, "asked for here")
                    .maybe_help(suggest::did_you_mean(wanted, known)),
            );
        }
    }
}

impl Replicas {
    /// What to say when nothing has the name.
    fn lost(&self, wanted: &str, rules: Rules) -> String {
        if rules == Rules::Overlay {
            let kinds: Vec<&str> = self.specs.iter().map(|spec| spec.kind.as_str()).collect();
            return format!("no {} is named `{wanted}`", kinds.join(", "));
        }
        let kinds: Vec<String> = self.specs.iter().map(FieldSpec::shown_gvk).collect();
        let kinds = kinds.join(" ");
        format!(
            "resource with name {wanted} does not match a config with the following GVK [{kinds}]"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::config::Config;
    use crate::transform::testing::{check, fault};
    use serde_json::json;

    fn replicas(name: &str) -> Replicas {
        let specs = Config::defaults().replicas.clone();
        Replicas { name: name.into(), count: 3.into(), specs }
    }

    #[test]
    fn counts_go_where_the_kind_has_them() {
        let object = |kind, spec| {
            json!({"apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": "web"}, "spec": spec})
        };
        let before = [object("Deployment", json!({})), object("DaemonSet", json!({}))];
        let after = [object("Deployment", json!({"replicas": 3})), object("DaemonSet", json!({}))];
        check(&replicas("web"), &before, &after);
    }

    #[test]
    fn a_name_that_nothing_has_is_a_fault() {
        assert_eq!(
            fault(&replicas("web"), &[]),
            "resource with name web does not match a config with the following GVK \
             [Deployment.[noVer].[noGrp] StatefulSet.[noVer].[noGrp] \
             ReplicaSet.[noVer].[noGrp] ReplicationController.[noVer].[noGrp]]"
        );
    }
}
