//! Manifests of general guides to containers and Kubernetes: each is valid, or is refused for a
//! fault that it has; and what is read of it is what is rendered.

#![expect(clippy::print_stderr, reason = "tests say what they skip and count")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wharf::base::diag::Diagnostics;
use wharf::base::source::Sources;
use wharf::compile::{ReleaseFacts, Request, TargetFacts, compile};
use wharf::policy::{self, Options};
use wharf::schema::Schemas;
use wharf::yaml::{self, Dialect, Node, emit};

/// A piece of an object, or no object at all.
const NO_OBJECT: &str = "the object has no `apiVersion` and no `kind` and no `metadata.name`";

/// What is refused, and for which fault. Kinds without a schema are custom resources whose
/// definitions the guides do not give.
const REFUSED: &[(&str, &[&str])] = &[
    // Compose projects
    ("doc000/02-docker-compose.yaml", &[NO_OBJECT]),
    ("doc001/03-docker-compose-yml-structure.yaml", &[NO_OBJECT]),
    ("doc002/03-docker-compose-for-local-development.yaml", &[NO_OBJECT]),
    // pieces of a pod's or container's spec
    ("doc001/11-4-configmap.yaml", &[NO_OBJECT]),
    ("doc001/13-5-secret.yaml", &[NO_OBJECT]),
    ("doc002/11-resource-management.yaml", &[NO_OBJECT]),
    ("doc002/12-health-checks.yaml", &[NO_OBJECT]),
    ("doc002/13-security-contexts.yaml", &[NO_OBJECT]),
    ("doc004/18-1-resource-requests-and-limits.yaml", &[NO_OBJECT]),
    ("doc004/19-2-health-checks.yaml", &[NO_OBJECT]),
    ("doc004/21-4-affinity-and-anti-affinity.yaml", &[NO_OBJECT]),
    // a Kustomization and a template of a Helm chart
    ("doc001/26-kustomize.yaml", &["the object has no `metadata.name`"]),
    (
        "doc002/10-templating-with-helm.yaml",
        &["did not find expected key while parsing a block mapping"],
    ),
    // custom resources without their definitions
    (
        "doc000/12-service-mesh-load-balancing.yaml",
        &["no schema for networking.istio.io/v1beta1 DestinationRule"],
    ),
    (
        "doc000/14-vertical-pod-autoscaler-vpa.yaml",
        &["no schema for autoscaling.k8s.io/v1 VerticalPodAutoscaler"],
    ),
    (
        "doc000/23-external-secrets-operator.yaml",
        &[
            "no schema for external-secrets.io/v1beta1 SecretStore",
            "no schema for external-secrets.io/v1beta1 ExternalSecret",
        ],
    ),
    ("doc000/24-servicemonitor.yaml", &["no schema for monitoring.coreos.com/v1 ServiceMonitor"]),
    (
        "doc000/27-eks-cluster-configuration.yaml",
        &["no schema for eksctl.io/v1alpha5 ClusterConfig"],
    ),
    ("doc000/28-gke-configuration.yaml", &["no schema for container.v1 Cluster"]),
    ("doc000/29-blue-green-deployment.yaml", &["no schema for argoproj.io/v1alpha1 Rollout"]),
    ("doc000/30-canary-deployment.yaml", &["no schema for argoproj.io/v1alpha1 Rollout"]),
    (
        "doc001/29-popular-service-meshes.yaml",
        &["no schema for networking.istio.io/v1beta1 VirtualService"],
    ),
    (
        "doc004/04-canary-deployment.yaml",
        &["no schema for networking.istio.io/v1beta1 VirtualService"],
    ),
    (
        "doc004/06-vertical-pod-autoscaling-vpa.yaml",
        &["no schema for autoscaling.k8s.io/v1 VerticalPodAutoscaler"],
    ),
    ("doc004/07-cluster-autoscaling.yaml", &["no schema for autoscaling/v1 ClusterAutoscaler"]),
    // Deployments without a selector, which apps/v1 demands
    ("doc004/12-configmaps.yaml", &["field `spec.selector` is missing"]),
    ("doc004/13-secrets.yaml", &["field `spec.selector` is missing"]),
    ("doc004/14-persistent-volumes.yaml", &["field `spec.selector` is missing"]),
    (
        "doc004/16-pod-security-policies.yaml",
        &["policy/v1beta1 PodSecurityPolicy was removed in Kubernetes 1.25"],
    ),
];

fn manifests(corpus: &Path) -> Vec<(String, PathBuf)> {
    let reference = corpus.join("reference");
    let mut found = Vec::new();
    for folder in std::fs::read_dir(&reference).expect("the reference manifests") {
        for file in std::fs::read_dir(folder.expect("a folder").path()).expect("a folder") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let name = path.strip_prefix(&reference).expect("a path below").display();
                found.push((name.to_string(), path.clone()));
            }
        }
    }
    found.sort();
    found
}

/// The faults of one file; its objects must come back as they were read.
fn judge(path: &Path) -> Vec<String> {
    let sources = Sources::new();
    let request = Request {
        tree: wharf::source::local::load(path.to_str().expect("a path of text")).expect("a file"),
        overlays: Vec::new(),
        values: Node::map(),
        release: ReleaseFacts::default(),
        target: TargetFacts { kube_version: "v1.33.0".into(), api_versions: Vec::new() },
    };
    let texts = |faults: &Diagnostics| -> Vec<String> {
        faults.iter().map(|fault| fault.message.clone()).collect()
    };
    let compiled = match compile(&request, &sources) {
        Ok(compiled) => compiled,
        Err(faults) => return texts(&faults),
    };
    let text = std::fs::read_to_string(path).expect("a file of text");
    let file = sources.add("again", text);
    let read =
        yaml::parse_documents(&sources, file, Dialect::GoYamlV2).expect("it was read before");
    let rendered: String = compiled
        .objects
        .iter()
        .map(|object| format!("---\n{}", emit::to_string(&object.root, &emit::Style::default())))
        .collect();
    let file = sources.add("rendered", rendered);
    let back = yaml::parse_documents(&sources, file, Dialect::GoYamlV2).expect("sound YAML");
    let read: Vec<Node> = read.into_iter().filter(|document| !document.is_null()).collect();
    assert_eq!(back, read, "{}", path.display());
    texts(&policy::review(&compiled.objects, &Schemas::latest(), Options::default()).findings)
}

#[test]
fn reference_manifests_are_valid_or_refused_for_a_fault_that_they_have() {
    let Some(corpus) = std::env::var_os("WHARF_CORPUS").map(PathBuf::from) else {
        assert!(std::env::var_os("WHARF_CI").is_none(), "WHARF_CORPUS is not set");
        eprintln!("skipped: WHARF_CORPUS is not set");
        return;
    };
    let refused: BTreeMap<&str, &[&str]> = REFUSED.iter().copied().collect();
    let manifests = manifests(&corpus);
    let mut wrong = Vec::new();
    for (name, path) in &manifests {
        let expected = refused.get(name.as_str()).copied().unwrap_or_default();
        let found = judge(path);
        let fits = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
        if !fits {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "not as the table says:\n{}", wrong.join("\n"));
    assert!(refused.keys().all(|name| manifests.iter().any(|(found, _)| found == name)));
    eprintln!("{} manifests, {} refused", manifests.len(), refused.len());
}
