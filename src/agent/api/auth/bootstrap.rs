//! The roles that are there from the start, as in Kubernetes'
//! `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`, for the kinds that the agent serves.

use crate::agent::api::Api;
use crate::agent::api::kind;
use crate::agent::store::StoreError;
use serde_json::{Value, json};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Makes roles and bindings that are absent. What somebody changed stays changed.
pub(crate) async fn ensure(api: &Api) -> Result<(), StoreError> {
    for (name, rules) in roles() {
        create(api, "clusterroles", name, json!({ "rules": rules })).await?;
    }
    for (name, group) in [
        ("cluster-admin", "system:masters"),
        ("system:basic-user", "system:authenticated"),
        ("system:discovery", "system:authenticated"),
        ("system:public-info-viewer", "system:authenticated"),
    ] {
        let binding = json!({
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": GROUP, "kind": "Group", "name": group}],
        });
        create(api, "clusterrolebindings", name, binding).await?;
    }
    Ok(())
}

async fn create(api: &Api, plural: &str, name: &str, mut body: Value) -> Result<(), StoreError> {
    body["metadata"] = json!({"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}});
    api.ensure(kind::built_in(&format!("{plural}.{GROUP}")), name, body).await
}

fn roles() -> Vec<(&'static str, Value)> {
    let read = ["get", "list", "watch"];
    let write = ["create", "delete", "deletecollection", "patch", "update"];
    let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| json!({"apiGroups": groups, "resources": resources, "verbs": verbs});
    let core = [
        "configmaps",
        "endpoints",
        "events",
        "limitranges",
        "persistentvolumeclaims",
        "persistentvolumeclaims/status",
        "pods",
        "pods/log",
        "pods/status",
        "resourcequotas",
        "resourcequotas/status",
        "serviceaccounts",
        "services",
        "services/status",
    ];
    let apps = [
        "deployments",
        "deployments/scale",
        "deployments/status",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
    ];
    let view = vec![
        rule(&[""], &core, &read),
        rule(&[""], &["namespaces"], &["get", "list", "watch"]),
        rule(&["apps"], &apps, &read),
        rule(&["batch"], &["cronjobs", "cronjobs/status", "jobs", "jobs/status"], &read),
        rule(&["discovery.k8s.io"], &["endpointslices"], &read),
    ];
    let mut edit = view.clone();
    edit.extend([
        rule(
            &[""],
            &[
                "configmaps",
                "persistentvolumeclaims",
                "pods",
                "serviceaccounts",
                "services",
                "events",
            ],
            &write,
        ),
        rule(&[""], &["secrets"], &[&read[..], &write].concat()),
        rule(&[""], &["pods/attach", "pods/exec", "pods/portforward"], &["create", "get"]),
        rule(&[""], &["pods/eviction", "serviceaccounts/token"], &["create"]),
        rule(&[""], &["serviceaccounts"], &["impersonate"]),
        rule(
            &["apps"],
            &["deployments", "deployments/scale", "replicasets", "replicasets/scale"],
            &write,
        ),
        rule(&["batch"], &["cronjobs", "jobs"], &write),
        rule(&["coordination.k8s.io"], &["leases"], &[&read[..], &write].concat()),
    ]);
    let mut admin = edit.clone();
    admin.extend([
        rule(&["authorization.k8s.io"], &["localsubjectaccessreviews"], &["create"]),
        rule(&[GROUP], &["rolebindings", "roles"], &[&read[..], &write].concat()),
    ]);
    vec![
        (
            "cluster-admin",
            json!([
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["*"]},
            ]),
        ),
        ("admin", admin.into()),
        ("edit", edit.into()),
        ("view", view.into()),
        (
            "system:basic-user",
            json!([
                rule(
                    &["authorization.k8s.io"],
                    &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
                    &["create"],
                ),
                rule(&["authentication.k8s.io"], &["selfsubjectreviews"], &["create"]),
            ]),
        ),
        (
            "system:discovery",
            json!([{
                "nonResourceURLs": [
                    "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi",
                    "/openapi/*", "/readyz", "/version", "/version/",
                ],
                "verbs": ["get"],
            }]),
        ),
        (
            "system:public-info-viewer",
            json!([{
                "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"],
                "verbs": ["get"],
            }]),
        ),
    ]
}
