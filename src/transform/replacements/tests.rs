//! Replacements as they are written, over objects as they are before and after.

use super::*;
use crate::transform::read::Reader;
use crate::transform::testing;
use serde_json::json;

fn replacements(text: &str) -> Vec<Replacement> {
    let node = yaml::parse_text(text).expect("YAML");
    let mut reader = Reader::strict();
    let all = read_all(&mut reader, node.as_list().expect("a list"), &mut |_, _| None);
    assert!(reader.faults.is_empty(), "{}", reader.faults);
    all
}

fn objects() -> [serde_json::Value; 2] {
    [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
            "data": {"port": "8080", "host": "a.b", "deep": "{\"x\": {\"y\": 1}}",
                "yaml": "# kept\nx:\n  y: 'a' # too\n"}, "list": [{"n": "x"}]}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"replicas": 1, "on": true, "items": [{"n": "x", "v": "1/2"}, {"n": "xy"}]}}),
    ]
}

fn check(text: &str, path: &[&str], expected: serde_json::Value) {
    let after = testing::run(&replacements(text), &objects()).expect("no fault");
    let root = Node::from(after[1].clone());
    let found = root.at(path).map(serde_json::Value::from);
    assert_eq!(found, Some(expected), "{text}");
}

/// A replacement of a field of the config map into the deployment.
fn from(source: &str, target: &str) -> String {
    format!(
        "[{{source: {{kind: ConfigMap, {source}}}, targets: [{{select: {{name: d}}, {target}}}]}}]"
    )
}

#[test]
fn what_is_written_over_keeps_its_type() {
    for (source, target, path, expected) in [
        ("fieldPath: data.port", "fieldPaths: [spec.replicas]", "replicas", json!(8080)),
        ("fieldPath: data.host", "fieldPaths: [spec.items]", "items", json!("a.b")),
        ("fieldPath: list", "fieldPaths: [spec.items]", "items", json!([{"n": "x"}])),
        (
            "fieldPath: data.host, options: {delimiter: '.', index: 1}",
            "fieldPaths: ['spec.items.[n=^x$].v'], options: {delimiter: /, index: 5}",
            "items",
            json!([{"n": "x", "v": "1/2/b"}, {"n": "xy"}]),
        ),
        (
            "fieldPath: data.port",
            "fieldPaths: ['spec.items.*.v'], options: {create: true}",
            "items",
            json!([{"n": "x", "v": "8080"}, {"n": "xy", "v": 8080}]),
        ),
        (
            "fieldPath: data.host",
            "fieldPaths: [spec.items.0.v], options: {delimiter: /, index: -1}",
            "items",
            json!([{"n": "x", "v": "a.b/1/2"}, {"n": "xy"}]),
        ),
    ] {
        check(&from(source, target), &["spec", path], expected);
    }
    check(
        "[{sourceValue: '7', targets: [{select: {kind: Dep.*}, fieldPaths: [spec.items]}]}]",
        &["spec", "items"],
        json!(7),
    );
}

#[test]
fn texts_with_structure_in_them_are_written_into() {
    let changed = |key: &str, path: &str| {
        let text = format!(
            "[{{sourceValue: '2', targets: [{{select: {{kind: ConfigMap}}, fieldPaths: [{path}]}}]}}]"
        );
        let after = testing::run(&replacements(&text), &objects()).expect("no fault");
        after[0]["data"][key].as_str().expect("a text").to_owned()
    };
    assert_eq!(changed("deep", "data.deep.x.y"), "{\"x\":{\"y\":2}}");
    assert_eq!(changed("yaml", "data.yaml.x.y"), "# kept\nx:\n  y: '2' # too");
}

#[test]
fn rejected_resources_stay() {
    let text = "[{sourceValue: z, targets: [{select: {kind: ConfigMap|Deployment}, \
                reject: [{name: d}], fieldPaths: [metadata.name]}]}]";
    check(text, &["metadata", "name"], json!("d"));
}

#[test]
fn what_does_not_fit_is_said() {
    let lost = replacements(&from("name: x", "fieldPaths: [a]"));
    assert_eq!(testing::code(&lost, &objects()), "wharf::transform::replacement");
    for (source, target, expected) in [
        ("name: x", "fieldPaths: [a]", "nothing selected by ConfigMap.[noVer].[noGrp]/x.[noNs]"),
        (
            "fieldPath: data.no",
            "fieldPaths: [a]",
            "fieldPath `data.no` is missing for replacement source \
             ConfigMap.[noVer].[noGrp]/[noName].[noNs]",
        ),
        (
            "fieldPath: data.port, options: {delimiter: '.', index: 3}",
            "fieldPaths: [a]",
            "options.index 3 is out of bounds for value 8080",
        ),
        (
            "fieldPath: data.host",
            "fieldPaths: [spec.no]",
            "unable to find field \"spec.no\" in replacement target",
        ),
        (
            "fieldPath: data.host",
            "fieldPaths: [spec.replicas.x], options: {create: true}",
            "unable to find or create field \"spec.replicas.x\" in replacement target: \
             wrong node kind: expected MappingNode but got ScalarNode",
        ),
        (
            "fieldPath: data.host",
            "fieldPaths: [spec.replicas]",
            "yaml: cannot decode !!str `a.b` as a !!int",
        ),
        (
            "fieldPath: list",
            "fieldPaths: [spec.items], options: {delimiter: '.'}",
            "delimiter option can only be used with scalar nodes",
        ),
    ] {
        assert_eq!(testing::fault(&replacements(&from(source, target)), &objects()), expected);
    }
}

#[test]
fn a_value_of_another_type_in_a_text_keeps_the_type_in_front() {
    let text =
        "[{sourceValue: x, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.plain.n]}]}]";
    let mut objects = objects();
    objects[0]["data"]["plain"] = "n: 1\nl: []\n".into();
    let after = testing::run(&replacements(text), &objects).expect("no fault");
    assert_eq!(after[0]["data"]["plain"], "n: !!int x\nl: []");
}

#[test]
fn nothing_is_made_below_a_text_that_is_no_document() {
    for (text, step, expected) in [
        ("", "b", Some("wrong node kind: expected MappingNode but got ")),
        (" ", "b.c", Some("wrong node kind: expected MappingNode but got ")),
        ("# c", "0", Some("wrong node kind: expected SequenceNode but got ")),
        ("null", "*", Some("")),
        ("null", "b", None),
    ] {
        let object = json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "d"}, "a": text});
        let fields = format!("fieldPaths: [a.{step}], options: {{create: true}}");
        let asked = format!("[{{sourceValue: x, targets: [{{select: {{name: d}}, {fields}}}]}}]");
        let found = testing::run(&replacements(&asked), &[object]).err();
        let expected = expected.map(|cause| {
            let lost = format!("unable to find or create field \"a.{step}\" in replacement target");
            if cause.is_empty() { lost } else { format!("{lost}: {cause}") }
        });
        let found =
            found.and_then(|faults| faults.iter().next().map(|fault| fault.message.clone()));
        assert_eq!(found, expected, "{text}");
    }
}
