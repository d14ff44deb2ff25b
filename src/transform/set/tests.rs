//! Sets find by every id that a resource had, and stay in order.

use super::*;
use crate::yaml::Node;
use serde_json::json;

fn resource(kind: &str, name: &str, namespace: &str) -> Resource {
    let mut root =
        Node::from(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}));
    if !namespace.is_empty() {
        root.set_at(&["metadata", "namespace"], namespace);
    }
    Resource::new(root, Arc::default())
}

fn set(list: Vec<Resource>) -> ResourceSet {
    let mut set = ResourceSet::new(Arc::default());
    for resource in list {
        set.append(resource).expect("another id");
    }
    set
}

#[test]
fn an_id_is_there_once() {
    let mut set = set(vec![resource("Service", "a", "")]);
    let again = set.append(resource("Service", "a", "default")).expect_err("the same id");
    assert_eq!(
        again.to_string(),
        "may not add resource with an already registered id: Service.v1.[noGrp]/a.default"
    );
    assert!(set.append(resource("Service", "a", "b")).is_ok());
}

#[test]
fn what_was_renamed_is_found_by_both_names() {
    let mut set = set(vec![resource("Service", "a", ""), resource("Secret", "a", "")]);
    let scopes = set.scopes().clone();
    let old = set.get(0).id(&scopes);
    assert_eq!(set.named("a"), [0, 1]);
    set.edit(0, |resource| {
        resource.remember(&scopes);
        resource.root.set_at(&["metadata", "name"], "x-a");
    });
    assert_eq!((set.current(&old), set.any(&old)), (vec![], vec![0]));
    assert_eq!((set.named("a"), set.named("x-a")), (vec![0, 1], vec![0]));
    let select = Select::read(&json!({"kind": "S.*e", "name": "a"}).into()).expect("a selector");
    assert_eq!(set.select(&select), [0]);
}

#[test]
fn generated_data_goes_where_its_behaviour_says() {
    let with = |behavior, data| {
        let mut made = resource("ConfigMap", "a", "");
        made.root.set("data", Node::from(data));
        Resource { behavior, ..made }
    };
    let mut set = set(vec![with(Behavior::Create, json!({"x": "1", "y": "1"}))]);
    set.absorb(with(Behavior::Merge, json!({"y": "2"}))).expect("a merge");
    assert_eq!(set.get(0).root.at(&["data"]), Some(&json!({"x": "1", "y": "2"}).into()));
    set.absorb(with(Behavior::Replace, json!({"z": "3"}))).expect("a replacement");
    assert_eq!(set.get(0).root.at(&["data"]), Some(&json!({"z": "3"}).into()));
    let twice = set.absorb(with(Behavior::Unspecified, json!({}))).expect_err("it is there");
    assert!(twice.to_string().ends_with("behavior must be merge or replace"), "{twice}");
}
