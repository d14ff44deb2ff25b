//! Overlays on objects, and the faults of overlays.

use super::*;
use crate::base::path::SafePath;
use crate::base::tree::FileTree;
use serde_json::{Value as Json, json};
use std::sync::Arc;

fn objects() -> Vec<Object> {
    [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "reg.io:5000/web:1"}]}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reader"}}),
    ]
    .map(|root| Object { root: Node::from(root), origin: Arc::default() })
    .into()
}

struct Outcome {
    objects: Vec<Json>,
    faults: Vec<String>,
    sources: Sources,
    roots: Vec<Node>,
}

fn run(overlay: &str, files: &[(&str, &str)]) -> Outcome {
    let sources = Sources::new();
    let mut tree = FileTree::new("shop");
    let mut put = |path: &str, text: &str| {
        let path = SafePath::parse(&format!("overlays/prod/{path}")).unwrap();
        tree.insert(path, text.as_bytes().to_vec());
    };
    put("overlay.yaml", overlay);
    for (path, text) in files {
        put(path, text);
    }
    let mut objects = objects();
    let mut sink = Diagnostics::new();
    let layer = Layer::named(&tree, "prod").unwrap();
    match Overlay::load(&layer, &sources) {
        Ok(overlay) => {
            match apply(vec![overlay], objects.clone(), &Schemas::latest(), &sources, &mut sink) {
                Ok(changed) => objects = changed,
                Err(faults) => sink.extend(faults),
            }
        }
        Err(faults) => sink.extend(faults),
    }
    let faults = sink
        .iter()
        .map(|fault| {
            let fault = fault.clone().traced(&sources);
            let place = fault.labels.first().and_then(|label| sources.place(label.span));
            let help = fault.help.map(|help| format!(" ({help})")).unwrap_or_default();
            format!(
                "{}{}{help}",
                place.map(|place| format!("{place}: ")).unwrap_or_default(),
                fault.message
            )
        })
        .collect();
    Outcome {
        objects: objects.iter().map(|object| Json::from(&object.root)).collect(),
        faults,
        sources,
        roots: objects.into_iter().map(|object| object.root).collect(),
    }
}

#[test]
fn every_field_changes_the_objects() {
    let outcome = run(
        "base: ../..\nvalues: {a: 1}\nnamespace: shop\ncommonAnnotations: {team: x}\n\
         labels:\n- pairs: {app: web}\n  includeSelectors: true\n\
         replicas:\n- {name: web, count: 3}\n\
         images:\n- {name: 'reg.io:5000/web', newTag: '2'}\n\
         patches:\n- path: memory.yaml\n- target: {kind: Service}\n  patch: |-\n    - {op: replace, path: /spec/ports/0/port, value: 8080}\n",
        &[(
            "memory.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        tty: true\n",
        )],
    );
    assert_eq!(outcome.faults, Vec::<String>::new());
    assert_eq!(
        outcome.objects,
        [
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "annotations": {"team": "x"}},
                "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {
                    "metadata": {"labels": {"app": "web"}, "annotations": {"team": "x"}},
                    "spec": {"containers": [{"name": "app", "image": "reg.io:5000/web:2", "tty": true}]}}}}),
            json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "annotations": {"team": "x"}},
                "spec": {"ports": [{"port": 8080}], "selector": {"app": "web"}}}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": {"name": "reader", "labels": {"app": "web"}, "annotations": {"team": "x"}}}),
        ]
    );
    let origin = |node: &Node| {
        let span = outcome.sources.origins(node.span)[0];
        outcome.sources.place(span).unwrap().to_string()
    };
    let container = &outcome.roots[0].items_at(&["spec", "template", "spec", "containers"])[0];
    assert_eq!(origin(container.get("tty").unwrap()), "shop/overlays/prod/memory.yaml:9:14");
    let port = outcome.roots[1].items_at(&["spec", "ports"])[0].get("port").unwrap();
    assert_eq!(origin(port), "shop/overlays/prod/overlay.yaml:16:54");
}

#[test]
fn an_overlay_has_the_fields_of_a_kustomization() {
    let outcome = run(
        "namePrefix: a-\nresources: [more.yaml]\nsortOptions: {order: legacy}\n\
         configMapGenerator:\n- {name: conf, literals: [k=v]}\n\
         replacements:\n- source: {kind: Service, name: web, fieldPath: 'spec.ports.0.port'}\n  \
         targets: [{select: {kind: Pod}, fieldPaths: [metadata.annotations.port], options: {create: true}}]\n",
        &[(
            "more.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {}}\nspec: {volumes: [{name: v, configMap: {name: conf}}]}\n",
        )],
    );
    assert_eq!(outcome.faults, Vec::<String>::new());
    let name = |object: &Json| format!("{} {}", object["kind"], object["metadata"]["name"]);
    let names: Vec<String> = outcome.objects.iter().map(|it| name(it).replace('"', "")).collect();
    assert_eq!(
        names,
        [
            "ClusterRole a-reader",
            "ConfigMap a-conf-bdg947hgcc",
            "Service a-web",
            "Deployment a-web",
            "Pod a-p"
        ]
    );
    let pod = &outcome.objects[4];
    assert_eq!(pod["spec"]["volumes"][0]["configMap"]["name"], "a-conf-bdg947hgcc");
    assert_eq!(pod["metadata"]["annotations"]["port"], "80");
}

#[test]
fn a_patch_deletes_an_object() {
    let outcome = run(
        "patches:\n- patch: '{apiVersion: v1, kind: Service, metadata: {name: web}, $patch: delete}'\n",
        &[],
    );
    assert_eq!((outcome.objects.len(), outcome.faults), (2, Vec::new()));
}

#[test]
fn faults_lead_to_the_line_and_suggest() {
    for (overlay, expected) in [
        (
            "namespce: x\n",
            "shop/overlays/prod/overlay.yaml:1:1: unknown key `namespce` (did you mean `namespace`?)",
        ),
        (
            "bases: [x]\n",
            "shop/overlays/prod/overlay.yaml:1:1: `bases` is a field of a Kustomization that overlays do not support (name it as `base`, or under `resources`)",
        ),
        (
            "kind: Kustomization\n",
            "shop/overlays/prod/overlay.yaml:1:7: `kind` of an overlay must be `Overlay`",
        ),
        (
            "patches:\n- path: memry.yaml\n",
            "shop/overlays/prod/overlay.yaml:2:9: there is no file `memry.yaml` beside the overlay (did you mean `memory.yaml`?)",
        ),
        (
            "patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: wep}\n",
            "shop/overlays/prod/overlay.yaml:5:22: there is no apps/v1 Deployment `wep` to patch (did you mean `web`?)",
        ),
        (
            "patches:\n- target: {kind: Pod}\n  patch: '{spec: {}}'\n",
            "shop/overlays/prod/overlay.yaml:2:3: no object fits the patch's target (kinds are: ClusterRole, Deployment, Service)",
        ),
        (
            "patches:\n- target: {knd: Pod}\n  patch: '{spec: {}}'\n",
            "shop/overlays/prod/overlay.yaml:2:12: unknown key `knd` (did you mean `kind`?)",
        ),
        (
            "replicas:\n- {name: wab, count: 2}\n",
            "shop/overlays/prod/overlay.yaml:2:10: no Deployment, StatefulSet, ReplicaSet, ReplicationController is named `wab` (did you mean `web`?)",
        ),
        (
            "replicas:\n- {name: web, count: many}\n",
            "shop/overlays/prod/overlay.yaml:2:22: `count` must be an integer, found string",
        ),
        (
            "images:\n- {name: ngnix, newTag: '1'}\n",
            "shop/overlays/prod/overlay.yaml:2:10: no container has the image `ngnix`",
        ),
        (
            "patches:\n- target: {kind: Service}\n  patch: '[{op: remove, path: /none}]'\n",
            "shop/overlays/prod/overlay.yaml:3:31: the patch does not fit Service web: error in remove for path: '/none': unable to remove nonexistent key: none: missing value (the object has apiVersion, kind, metadata, spec)",
        ),
    ] {
        let outcome = run(overlay, &[("memory.yaml", "{}\n")]);
        assert_eq!(outcome.faults.first().map(String::as_str), Some(expected), "{overlay}");
    }
}

#[test]
fn an_unknown_overlay_is_named_with_the_others() {
    let mut tree = FileTree::new("shop");
    tree.insert(SafePath::parse("overlays/production/overlay.yaml").unwrap(), Vec::new());
    let fault = Layer::named(&tree, "producton").unwrap_err();
    assert_eq!(fault.message, "`shop` has no overlay `producton`");
    assert_eq!(fault.help.as_deref(), Some("did you mean `production`?"));
}
