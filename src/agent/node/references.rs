//! Which ConfigMaps, Secrets and claims a pod uses, so that it hears of their changes.

use crate::agent::claims::{CLAIMS, of_pod};
use crate::agent::store::Key;
use crate::yaml::Node;
use std::collections::BTreeSet;

/// The names of the ConfigMaps, Secrets and claims that a pod uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    config_maps: BTreeSet<String>,
    secrets: BTreeSet<String>,
    claims: BTreeSet<String>,
}

impl References {
    /// Those of volumes and environments.
    pub(super) fn of(pod: &Node) -> References {
        let claims = of_pod(pod).map(str::to_owned).collect();
        let mut found = References { claims, ..References::default() };
        for volume in pod.items_at(&["spec", "volumes"]) {
            found.config_map(volume.str_at(&["configMap", "name"]));
            found.secret(volume.str_at(&["secret", "secretName"]));
            for source in volume.items_at(&["projected", "sources"]) {
                found.config_map(source.str_at(&["configMap", "name"]));
                found.secret(source.str_at(&["secret", "name"]));
            }
        }
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for container in pod.items_at(&["spec", list]) {
                for source in container.items_at(&["envFrom"]) {
                    found.config_map(source.str_at(&["configMapRef", "name"]));
                    found.secret(source.str_at(&["secretRef", "name"]));
                }
                for variable in container.items_at(&["env"]) {
                    let from = |kind| variable.str_at(&["valueFrom", kind, "name"]);
                    found.config_map(from("configMapKeyRef"));
                    found.secret(from("secretKeyRef"));
                }
            }
        }
        found
    }

    /// True when the key names one of them; the namespace is the caller's business.
    pub(super) fn contains(&self, key: &Key) -> bool {
        match key.resource.as_str() {
            "configmaps" => self.config_maps.contains(key.name.as_str()),
            CLAIMS => self.claims.contains(key.name.as_str()),
            "secrets" => self.secrets.contains(key.name.as_str()),
            _ => false,
        }
    }

    fn config_map(&mut self, name: Option<&str>) {
        self.config_maps.extend(name.map(str::to_owned));
    }

    fn secret(&mut self, name: Option<&str>) {
        self.secrets.extend(name.map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn volumes_and_environments_are_searched() {
        let pod = Node::from(json!({"spec": {
            "volumes": [
                {"configMap": {"name": "a"}}, {"secret": {"secretName": "b"}},
                {"projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "d"}}]}}],
            "containers": [{
                "envFrom": [{"configMapRef": {"name": "e"}}, {"secretRef": {"name": "f"}}],
                "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "g", "key": "k"}}}]}],
        }}));
        let found = References::of(&pod);
        assert_eq!(found.config_maps, ["a", "c", "e"].map(str::to_owned).into());
        assert_eq!(found.secrets, ["b", "d", "f", "g"].map(str::to_owned).into());
        assert!(found.contains(&Key::new("secrets", "n", "g")));
        assert!(!found.contains(&Key::new("configmaps", "n", "g")));
    }
}
