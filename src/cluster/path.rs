//! Paths and queries of the Kubernetes API.

use super::discovery::Resource;

/// The path of a collection or, with a name, of one object.
pub(super) fn of(resource: &Resource, namespace: Option<&str>, name: Option<&str>) -> String {
    let mut path = match resource.group.as_str() {
        "" => format!("/api/{}", resource.version),
        group => format!("/apis/{group}/{}", resource.version),
    };
    if let Some(namespace) = namespace.filter(|text| resource.namespaced && !text.is_empty()) {
        path.push_str("/namespaces/");
        escape(&mut path, namespace);
    }
    path.push('/');
    path.push_str(&resource.plural);
    if let Some(name) = name {
        path.push('/');
        escape(&mut path, name);
    }
    path
}

/// Collects query parameters.
#[derive(Default)]
pub(super) struct Query(String);

impl Query {
    /// Adds a parameter; nothing when the value is absent.
    pub(super) fn add(mut self, key: &str, value: Option<impl AsRef<str>>) -> Query {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(key);
            self.0.push('=');
            escape(&mut self.0, value.as_ref());
        }
        self
    }

    /// Adds a parameter that is `true`; nothing when it is not.
    pub(super) fn flag(self, key: &str, on: bool) -> Query {
        self.add(key, on.then_some("true"))
    }

    /// A path with the query behind it.
    pub(super) fn after(self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
fn escape(target: &mut String, text: &str) {
    use std::fmt::Write;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            let _ = write!(target, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_group_scope_and_name() {
        let resource = |group: &str, plural: &str, namespaced| Resource {
            group: group.into(),
            version: "v1".into(),
            kind: "K".into(),
            plural: plural.into(),
            namespaced,
        };
        let pods = resource("", "pods", true);
        assert_eq!(of(&pods, Some("a"), Some("b")), "/api/v1/namespaces/a/pods/b");
        assert_eq!(of(&pods, None, None), "/api/v1/pods");
        let roles = resource("rbac.authorization.k8s.io", "clusterroles", false);
        assert_eq!(
            of(&roles, Some("a"), Some("system:x/y")),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax%2Fy"
        );
        let query = Query::default().add("labelSelector", Some("a=b")).flag("watch", true);
        assert_eq!(query.after("/x"), "/x?labelSelector=a%3Db&watch=true");
    }
}
