//! Paths: what each leads to.

use super::auth::authorize::Action;
use super::kind::{Kind, Kinds};
use super::query::{Query, decode};
use http::Method;
use std::sync::Arc;

/// What a path names.
#[derive(Debug)]
pub(crate) enum Route {
    /// `/healthz`, `/livez`, `/readyz` and what lies below.
    Health,
    /// `/version`
    Version,
    /// `/`
    Root,
    /// `/api`
    Core,
    /// `/apis`
    Groups,
    /// `/apis/{group}`
    Group(String),
    /// `/api/v1`, `/apis/{group}/{version}`
    GroupVersion(String, String),
    /// `/openapi/v2`
    OpenApiV2,
    /// `/openapi/v3`
    OpenApiIndex,
    /// `/openapi/v3/{group version}`
    OpenApi(String),
    /// Objects.
    Resource(Target),
    /// Nothing, below a known group.
    NoResource,
    /// Nothing at all.
    Nothing,
}

/// Objects of one kind: all, those of a namespace, one, or a part of one.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) kind: Arc<Kind>,
    /// Empty for all namespaces, and for kinds of the whole cluster.
    pub(crate) namespace: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: String,
}

impl Target {
    /// What a request wants to do here.
    pub(crate) fn action(&self, method: &Method, query: &Query) -> Action {
        let one = self.name.is_some();
        let verb = match *method {
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if one => "delete",
            Method::DELETE => "deletecollection",
            _ if !one && query.flag("watch") => "watch",
            _ if !one => "list",
            _ => "get",
        };
        let (kind, slash) = (&self.kind, if self.subresource.is_empty() { "" } else { "/" });
        let resource = format!("{}{slash}{}", kind.plural, self.subresource);
        // a namespace lies in itself, so that a role in it may grant it
        let inside = kind.group.is_empty() && kind.kind == "Namespace";
        let name = self.name.clone().unwrap_or_default();
        let namespace = if inside { &name } else { &self.namespace };
        Action::resource(verb, &kind.group, &resource, namespace).named(name.clone())
    }
}

/// Reads a path.
pub(crate) fn route(path: &str, kinds: &Kinds) -> Route {
    let parts: Vec<String> =
        path.split('/').skip(1).filter(|part| !part.is_empty()).map(|p| decode(p, false)).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [] => Route::Root,
        ["healthz" | "livez" | "readyz", ..] => Route::Health,
        ["version"] => Route::Version,
        ["api"] => Route::Core,
        ["api", "v1"] => Route::GroupVersion(String::new(), "v1".into()),
        ["api", "v1", rest @ ..] => resource(kinds, "", "v1", rest),
        ["api", ..] => Route::NoResource,
        ["apis"] => Route::Groups,
        ["apis", name, rest @ ..] => {
            let Some((group, versions)) =
                kinds.groups().into_iter().find(|(group, _)| group == name)
            else {
                return Route::Nothing;
            };
            let Some((version, rest)) = rest.split_first() else {
                return Route::Group(group.to_owned());
            };
            let Some(version) = versions.into_iter().find(|known| known == version) else {
                return nothing_in(kinds, group);
            };
            if rest.is_empty() {
                return Route::GroupVersion(group.to_owned(), version.to_owned());
            }
            match resource(kinds, group, version, rest) {
                Route::NoResource => nothing_in(kinds, group),
                route => route,
            }
        }
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiIndex,
        ["openapi", "v3", rest @ ..] => Route::OpenApi(rest.join("/")),
        _ => Route::Nothing,
    }
}

/// What is not there, in a group that is.
fn nothing_in(kinds: &Kinds, group: &str) -> Route {
    if kinds.is_custom(group) { Route::Nothing } else { Route::NoResource }
}

fn resource(kinds: &Kinds, group: &str, version: &str, parts: &[&str]) -> Route {
    // `namespaces/x/status` is a part of a namespace, `namespaces/x/pods` are objects in it
    let (namespace, parts) = match parts {
        ["namespaces", namespace, plural, rest @ ..]
            if !group.is_empty() || !matches!(*plural, "status" | "finalize") =>
        {
            let mut inner = vec![*plural];
            inner.extend(rest);
            (Some(*namespace), inner)
        }
        parts => (None, parts.to_vec()),
    };
    let (plural, name, subresource) = match parts.as_slice() {
        [plural] => (*plural, None, ""),
        [plural, name] => (*plural, Some(*name), ""),
        [plural, name, subresource] => (*plural, Some(*name), *subresource),
        _ => return Route::NoResource,
    };
    let Some(kind) = kinds.by_plural(group, version, plural) else { return Route::NoResource };
    let known = match subresource {
        "" => true,
        "status" => kind.status,
        "scale" => kind.scale,
        other => kind.subresources.iter().any(|known| known.name == other),
    };
    // one object of a namespaced kind lies in a namespace; kinds of the cluster never do
    let placed =
        if kind.namespaced { namespace.is_some() || name.is_none() } else { namespace.is_none() };
    if !known || !placed {
        return Route::NoResource;
    }
    Route::Resource(Target {
        kind: Arc::clone(kind),
        namespace: namespace.unwrap_or_default().to_owned(),
        name: name.map(str::to_owned),
        subresource: subresource.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schemas;

    #[test]
    fn paths_lead_to_objects() {
        let check = |path: &str| match route(path, &Kinds::built_in(Schemas::latest())) {
            Route::Resource(target) => format!(
                "{} {} {} {}",
                target.kind.plural,
                target.namespace,
                target.name.unwrap_or_default(),
                target.subresource
            ),
            other => format!("{other:?}"),
        };
        assert_eq!(check("/api/v1/pods"), "pods   ");
        assert_eq!(check("/api/v1/namespaces"), "namespaces   ");
        assert_eq!(check("/api/v1/namespaces/a/status"), "namespaces  a status");
        assert_eq!(check("/api/v1/namespaces/a/pods/b%2e/log"), "pods a b. log");
        assert_eq!(
            check("/apis/apps/v1/namespaces/a/deployments/b/scale"),
            "deployments a b scale"
        );
        assert_eq!(check("/api/v1/namespaces/a/nodes"), "NoResource");
        assert_eq!(check("/api/v1/pods/b"), "NoResource");
        assert_eq!(check("/apis/apps/v2"), "NoResource");
        assert_eq!(check("/apis/none/v1"), "Nothing");
        assert_eq!(check("/api/v1/namespaces/a/configmaps/b/status"), "NoResource");
    }
}
