//! Manifests of general guides to containers and Kubernetes: each is valid, or is refused for a
//! fault that it has; what is read of it is what is rendered; and the agent's API takes what it
//! serves the kind of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wharf::base::diag::Diagnostics;
use wharf::base::source::Sources;
use wharf::cluster::{ApplyOptions, Client, ClusterError, ConnectOptions, DeleteOptions};
use wharf::compile::{ReleaseFacts, Request, TargetFacts, compile};
use wharf::object::{ObjectId, meta};
use wharf::policy::{self, Options};
use wharf::render::helm::Chance;
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

/// Kinds that the agent's API serves, however many more there are.
const SERVED: &[&str] =
    &["Namespace", "ConfigMap", "Secret", "Pod", "ReplicaSet", "Deployment", "Service"];

/// The corpora, or nothing where the test has to be skipped.
fn corpus() -> Option<PathBuf> {
    crate::prerequisites::folder("WHARF_CORPUS")
}

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
        target: TargetFacts { kube_version: "v1.33.0".into(), ..TargetFacts::default() },
        chance: Chance::default(),
        beside: None,
        cluster: None,
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
    let mut rendered = String::new();
    for object in &compiled.objects {
        rendered.push_str("---\n");
        rendered.push_str(&emit::to_string(&object.root, &emit::Style::default()));
    }
    let file = sources.add("rendered", rendered);
    let back = yaml::parse_documents(&sources, file, Dialect::GoYamlV2).expect("sound YAML");
    let read: Vec<Node> = read.into_iter().filter(|document| !document.is_null()).collect();
    assert_eq!(back, read, "{}", path.display());
    texts(&policy::review(compiled.objects, &Schemas::latest(), Options::default()).findings)
}

#[test]
fn reference_manifests_are_valid_or_refused_for_a_fault_that_they_have() {
    let Some(corpus) = corpus() else { return };
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

#[cfg(target_os = "linux")]
#[tokio::test]
async fn reference_manifests_are_taken_by_the_agents_api() {
    use wharf::agent::{Agent, AgentConfig};
    let Some(corpus) = corpus() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let config = AgentConfig {
        state: folder.path().to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        kubeconfig: Some(kubeconfig.clone()),
        services: "10.96.0.0/16".parse().expect("a subnet"),
        node: None,
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let agent = Agent::start(config).await.expect("an API");
    let (mut taken, mut elsewhere) = (BTreeMap::new(), BTreeMap::new());
    for (number, (name, path)) in manifests(&corpus).into_iter().enumerate() {
        let options = ConnectOptions {
            kubeconfig: Some(kubeconfig.clone()),
            // the same names are there in several files
            namespace: Some(format!("reference-{number}")),
            ..ConnectOptions::default()
        };
        let client = Client::connect(&options).await.expect("a client");
        for (kind, answer) in apply_all(&client, &path).await {
            match answer {
                Answer::Taken => *taken.entry(kind).or_insert(0) += 1,
                Answer::NotServed => *elsewhere.entry(kind).or_insert(0) += 1,
                Answer::Refused(reason) => {
                    // the refused ones have this fault in common
                    assert!(REFUSED.iter().any(|(file, _)| *file == name), "{name}: {reason}");
                    assert!(reason.contains("spec.selector"), "{name}: {reason}");
                }
            }
        }
    }
    agent.stop().await;
    assert!(SERVED.iter().all(|kind| !elsewhere.contains_key(*kind)), "{elsewhere:?}");
    eprintln!("taken by the agent: {taken:?}\nof kinds that it does not serve: {elsewhere:?}");
}

/// What the API says to an object.
enum Answer {
    Taken,
    NotServed,
    Refused(String),
}

/// Applies the objects of a file in a namespace of their own, and deletes each again, because
/// several files want the same port of the node. A file without objects gives none.
async fn apply_all(client: &Client, file: &Path) -> Vec<(String, Answer)> {
    let options = ApplyOptions { manager: "reference", force: false, dry_run: false };
    let space = client.namespace();
    let namespace = Node::from(serde_json::json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space},
    }));
    client.apply(&namespace, options).await.expect("a namespace");
    let sources = Sources::new();
    let file = sources.add("manifest", std::fs::read_to_string(file).expect("a file of text"));
    let documents = yaml::parse_documents(&sources, file, Dialect::GoYamlV2).unwrap_or_default();
    let mut answers = Vec::new();
    for mut object in documents {
        let kind = object.str_at(&["kind"]).unwrap_or_default().to_owned();
        if meta::name(&object).is_empty() {
            continue;
        }
        if kind != "Namespace" {
            object.set_at(&["metadata", "namespace"], space);
        }
        let id = ObjectId {
            gvk: meta::gvk(&object).unwrap_or_default(),
            namespace: meta::namespace(&object).into(),
            name: meta::name(&object).into(),
        };
        let answer = match client.apply(&object, options).await {
            Ok(_) => {
                let deleted = client.delete(&id, DeleteOptions::default()).await;
                deleted.expect("what was applied can be deleted");
                Answer::Taken
            }
            Err(ClusterError::UnknownKind { .. }) => Answer::NotServed,
            Err(error) if error.is_code(404) => Answer::NotServed,
            Err(error) => Answer::Refused(match error.rejection() {
                Some(rejection) => rejection.message.clone(),
                None => error.to_string(),
            }),
        };
        answers.push((kind, answer));
    }
    answers
}
