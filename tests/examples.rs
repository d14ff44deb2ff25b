//! Every example renders, without faults, to the objects that it should.

use std::path::Path;
use wharf::base::source::Sources;
use wharf::compile::{ReleaseFacts, Request, TargetFacts, compile};
use wharf::yaml::Node;

fn check(name: &str, expected: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts-examples").join(name);
    let tree = wharf::source::local::load(folder.to_str().expect("a path of text"));
    let request = Request {
        tree: tree.expect("the example is there"),
        values: Node::map(),
        release: ReleaseFacts::default(),
        target: TargetFacts { kube_version: "v1.33.0".into(), api_versions: Vec::new() },
    };
    let compiled = compile(&request, &Sources::new()).expect("the example has no faults");
    let kinds: Vec<String> = compiled
        .objects
        .iter()
        .map(|object| format!("{}/{}", object.kind(), object.name()))
        .collect();
    assert_eq!(kinds, expected);
}

#[test]
fn hello_renders() {
    check("hello", &["ConfigMap/hello", "Deployment/hello", "Service/hello"]);
}

#[test]
fn shop_renders() {
    check(
        "shop",
        &[
            "Deployment/shop-api",
            "Service/shop-api",
            "Deployment/shop-cache",
            "Service/shop-cache",
            "ConfigMap/shop-config",
            "Secret/shop-token",
            "Deployment/shop-web",
            "Service/shop-web",
            "Deployment/shop-worker",
        ],
    );
}
