//! Every kind that the agent serves, in the order of discovery.

use super::{Facts, Subresource};
use crate::agent::api::admission as rules;
use crate::agent::api::review;
use crate::agent::api::table as columns;

/// A namespaced kind without status, whose names are as they are in most kinds.
const PLAIN: Facts = Facts {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short: &[],
    categories: &[],
    namespaced: true,
    delete_collection: true,
    subresources: &[],
    status: false,
    scale: false,
    generation: false,
    update_needs_version: false,
    update_creates: false,
    delete_returns_object: false,
    review: None,
    selectable: &[],
    rules: &rules::PLAIN,
    columns: &columns::PLAIN,
};

/// Every kind.
pub(super) static KINDS: &[Facts] = &[
    Facts {
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short: &["cm"],
        rules: &rules::CONFIG_MAP,
        columns: &columns::CONFIG_MAP,
        ..PLAIN
    },
    Facts {
        kind: "Endpoints",
        plural: "endpoints",
        singular: "endpoints",
        short: &["ep"],
        update_creates: true,
        rules: &rules::ENDPOINTS,
        columns: &columns::ENDPOINTS,
        ..PLAIN
    },
    Facts {
        kind: "Event",
        plural: "events",
        singular: "event",
        short: &["ev"],
        update_creates: true,
        selectable: &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        rules: &rules::EVENT,
        columns: &columns::EVENT,
        ..PLAIN
    },
    Facts {
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short: &["ns"],
        namespaced: false,
        delete_collection: false,
        status: true,
        subresources: &[Subresource {
            name: "finalize",
            group_version: None,
            kind: "Namespace",
            verbs: &["update"],
        }],
        selectable: &["status.phase"],
        rules: &rules::NAMESPACE,
        columns: &columns::NAMESPACE,
        ..PLAIN
    },
    Facts {
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short: &["no"],
        namespaced: false,
        status: true,
        selectable: &["spec.unschedulable"],
        rules: &rules::NODE,
        columns: &columns::NODE,
        ..PLAIN
    },
    Facts {
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short: &["po"],
        categories: &["all"],
        status: true,
        generation: true,
        subresources: &[
            Subresource {
                name: "attach",
                group_version: None,
                kind: "PodAttachOptions",
                verbs: &["create", "get"],
            },
            Subresource {
                name: "binding",
                group_version: None,
                kind: "Binding",
                verbs: &["create"],
            },
            Subresource {
                name: "ephemeralcontainers",
                group_version: None,
                kind: "Pod",
                verbs: &["get", "patch", "update"],
            },
            Subresource {
                name: "eviction",
                group_version: Some(("policy", "v1")),
                kind: "Eviction",
                verbs: &["create"],
            },
            Subresource {
                name: "exec",
                group_version: None,
                kind: "PodExecOptions",
                verbs: &["create", "get"],
            },
            Subresource { name: "log", group_version: None, kind: "Pod", verbs: &["get"] },
            Subresource {
                name: "portforward",
                group_version: None,
                kind: "PodPortForwardOptions",
                verbs: &["create", "get"],
            },
        ],
        delete_returns_object: true,
        selectable: &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        rules: &rules::POD,
        columns: &columns::POD,
        ..PLAIN
    },
    Facts {
        kind: "ResourceQuota",
        plural: "resourcequotas",
        singular: "resourcequota",
        short: &["quota"],
        status: true,
        delete_returns_object: true,
        rules: &rules::RESOURCE_QUOTA,
        columns: &columns::RESOURCE_QUOTA,
        ..PLAIN
    },
    Facts {
        kind: "Secret",
        plural: "secrets",
        singular: "secret",
        selectable: &["type"],
        rules: &rules::SECRET,
        columns: &columns::SECRET,
        ..PLAIN
    },
    Facts {
        kind: "Service",
        plural: "services",
        singular: "service",
        short: &["svc"],
        categories: &["all"],
        status: true,
        delete_returns_object: true,
        selectable: &["spec.clusterIP", "spec.type"],
        rules: &rules::SERVICE,
        columns: &columns::SERVICE,
        ..PLAIN
    },
    Facts {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short: &["sa"],
        delete_returns_object: true,
        subresources: &[Subresource {
            name: "token",
            group_version: Some(("authentication.k8s.io", "v1")),
            kind: "TokenRequest",
            verbs: &["create"],
        }],
        rules: &rules::SERVICE_ACCOUNT,
        columns: &columns::SERVICE_ACCOUNT,
        ..PLAIN
    },
    Facts {
        group: "apps",
        kind: "Deployment",
        plural: "deployments",
        singular: "deployment",
        short: &["deploy"],
        categories: &["all"],
        status: true,
        scale: true,
        generation: true,
        rules: &rules::DEPLOYMENT,
        columns: &columns::DEPLOYMENT,
        ..PLAIN
    },
    Facts {
        group: "apps",
        kind: "ReplicaSet",
        plural: "replicasets",
        singular: "replicaset",
        short: &["rs"],
        categories: &["all"],
        status: true,
        scale: true,
        generation: true,
        selectable: &["status.replicas"],
        rules: &rules::REPLICA_SET,
        columns: &columns::REPLICA_SET,
        ..PLAIN
    },
    Facts {
        group: "authentication.k8s.io",
        kind: "SelfSubjectReview",
        plural: "selfsubjectreviews",
        singular: "selfsubjectreview",
        namespaced: false,
        review: Some(review::self_subject),
        ..PLAIN
    },
    Facts {
        group: "authentication.k8s.io",
        kind: "TokenReview",
        plural: "tokenreviews",
        singular: "tokenreview",
        namespaced: false,
        review: Some(review::token),
        ..PLAIN
    },
    Facts {
        group: "authorization.k8s.io",
        kind: "LocalSubjectAccessReview",
        plural: "localsubjectaccessreviews",
        singular: "localsubjectaccessreview",
        namespaced: true,
        review: Some(review::local_subject_access),
        ..PLAIN
    },
    Facts {
        group: "authorization.k8s.io",
        kind: "SelfSubjectAccessReview",
        plural: "selfsubjectaccessreviews",
        singular: "selfsubjectaccessreview",
        namespaced: false,
        review: Some(review::self_subject_access),
        ..PLAIN
    },
    Facts {
        group: "authorization.k8s.io",
        kind: "SelfSubjectRulesReview",
        plural: "selfsubjectrulesreviews",
        singular: "selfsubjectrulesreview",
        namespaced: false,
        review: Some(review::self_subject_rules),
        ..PLAIN
    },
    Facts {
        group: "authorization.k8s.io",
        kind: "SubjectAccessReview",
        plural: "subjectaccessreviews",
        singular: "subjectaccessreview",
        namespaced: false,
        review: Some(review::subject_access),
        ..PLAIN
    },
    Facts {
        group: "coordination.k8s.io",
        kind: "Lease",
        plural: "leases",
        singular: "lease",
        update_needs_version: true,
        update_creates: true,
        rules: &rules::LEASE,
        columns: &columns::LEASE,
        ..PLAIN
    },
    Facts {
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        plural: "endpointslices",
        singular: "endpointslice",
        generation: true,
        update_creates: true,
        rules: &rules::ENDPOINT_SLICE,
        columns: &columns::ENDPOINT_SLICE,
        ..PLAIN
    },
    Facts {
        group: "rbac.authorization.k8s.io",
        kind: "ClusterRoleBinding",
        plural: "clusterrolebindings",
        singular: "clusterrolebinding",
        namespaced: false,
        update_creates: true,
        rules: &rules::CLUSTER_ROLE_BINDING,
        columns: &columns::BINDING,
        ..PLAIN
    },
    Facts {
        group: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        plural: "clusterroles",
        singular: "clusterrole",
        namespaced: false,
        update_creates: true,
        rules: &rules::CLUSTER_ROLE,
        columns: &columns::ROLE,
        ..PLAIN
    },
    Facts {
        group: "rbac.authorization.k8s.io",
        kind: "RoleBinding",
        plural: "rolebindings",
        singular: "rolebinding",
        namespaced: true,
        update_creates: true,
        rules: &rules::ROLE_BINDING,
        columns: &columns::BINDING,
        ..PLAIN
    },
    Facts {
        group: "rbac.authorization.k8s.io",
        kind: "Role",
        plural: "roles",
        singular: "role",
        namespaced: true,
        update_creates: true,
        rules: &rules::ROLE,
        columns: &columns::ROLE,
        ..PLAIN
    },
];
