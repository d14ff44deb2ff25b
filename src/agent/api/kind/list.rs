//! Every kind that the agent serves, in the order of discovery.

use super::{Kind, Subresource};
use crate::agent::api::admission as rules;
use crate::agent::api::table as columns;

/// A namespaced kind without status, whose names are as they are in most kinds.
const PLAIN: Kind = Kind {
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
    selectable: &[],
    rules: &rules::PLAIN,
    columns: &columns::PLAIN,
};

/// Every kind.
pub(crate) static KINDS: &[Kind] = &[
    Kind {
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short: &["cm"],
        rules: &rules::CONFIG_MAP,
        columns: &columns::CONFIG_MAP,
        ..PLAIN
    },
    Kind {
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
    Kind {
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
    Kind {
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
    Kind {
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short: &["po"],
        categories: &["all"],
        status: true,
        generation: true,
        subresources: &[Subresource {
            name: "log",
            group_version: None,
            kind: "Pod",
            verbs: &["get"],
        }],
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
    Kind {
        kind: "Secret",
        plural: "secrets",
        singular: "secret",
        selectable: &["type"],
        rules: &rules::SECRET,
        columns: &columns::SECRET,
        ..PLAIN
    },
    Kind {
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
    Kind {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short: &["sa"],
        delete_returns_object: true,
        rules: &rules::SERVICE_ACCOUNT,
        columns: &columns::SERVICE_ACCOUNT,
        ..PLAIN
    },
    Kind {
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
    Kind {
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
    Kind {
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
];
