//! Patches over a small set: entry of the kustomization, then names and what became of them.

use super::Reader;
use crate::base::diag::Diagnostics;
use crate::base::source::{FileId, Sources};
use crate::schema::Schemas;
use crate::transform::set::{Resource, ResourceSet, Scopes};
use crate::transform::{Context, Rules, Transformer};
use crate::yaml::{self, Dialect, emit};
use proptest::prelude::*;
use std::sync::Arc;

const SET: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: {app: x}}
data: {k: \"1\"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b}
data: {k: v}
---
apiVersion: v1
kind: Secret
metadata: {name: a}
";

/// The objects, one a line, or what is wrong.
fn run(field: &str, entry: &str) -> Result<String, String> {
    let sources = Sources::default();
    let read = |name: &str, text: &str| {
        let file = sources.add(name, text);
        (file, yaml::parse_one(&sources, file, Dialect::GoYamlV3).expect("yaml"))
    };
    let (_, entry) = read("kustomization.yaml", entry);
    let set = sources.add("set.yaml", SET);
    let list = yaml::resources(SET, set).expect("the set");
    let list = list.into_iter().map(|root| Resource::new(root, Arc::default())).collect();
    let mut set = ResourceSet::unchecked(list, Scopes::kustomize().into());
    let mut load = |path: &str| match path {
        "patch.yaml" => Ok(sources.add(path, "[{op: remove, path: /data}]")),
        _ => Err::<FileId, _>(format!("no file {path}")),
    };
    let mut reader = Reader { sources: &sources, load: &mut load, table: None };
    let patch = match field {
        "patches" => reader.patch(&entry),
        "patchesStrategicMerge" => reader.strategic_merge(&entry),
        _ => reader.json6902(&entry),
    };
    let mut sink = Diagnostics::new();
    let mut context = Context {
        sources: &sources,
        schemas: &Schemas::latest(),
        rules: Rules::Kustomize,
        sink: &mut sink,
    };
    let patch = patch.map_err(|fault| {
        assert!(
            ["wharf::transform::patch_invalid"].contains(&fault.code)
                || fault.code.starts_with("wharf::yaml::")
        );
        fault.message
    });
    patch?.transform(&mut set, &mut context);
    if let Some(fault) = sink.iter().next() {
        return Err(fault.message.clone());
    }
    let shown = |it: &Resource| {
        let data = it.root.at(&["data"]).map_or_else(String::new, yaml::json::to_string);
        format!("{} {} {data}", it.kind(), it.name()).trim().to_owned()
    };
    Ok(set.iter().map(shown).collect::<Vec<_>>().join("; "))
}

#[test]
fn patches_are_for_what_they_name_or_what_is_chosen() {
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let inline = |text: &str, rest: &str| {
        format!("patch: {}{rest}", emit::to_string(&text.into(), &emit::Style::kubernetes()))
    };
    for (field, entry, expected) in [
        (
            "patches",
            inline(&format!("{head}data: {{k: 2, l: x}}\n"), ""),
            r#"ConfigMap a {"k":"2","l":"x"}; ConfigMap b {"k":"v"}; Secret a"#,
        ),
        (
            "patches",
            inline(&format!("{head}$patch: delete\n"), ""),
            r#"ConfigMap b {"k":"v"}; Secret a"#,
        ),
        (
            "patches",
            inline(&format!("{head}data: null\n"), "target: {kind: Config.*, name: a|b}\n"),
            "ConfigMap a; ConfigMap b; Secret a",
        ),
        (
            "patches",
            inline(
                "apiVersion: v1\nkind: Thing\nmetadata: {name: c}\n",
                "target: {labelSelector: app=x}\noptions: {allowNameChange: true, allowKindChange: true}\n",
            ),
            r#"Thing c {"k":"1"}; ConfigMap b {"k":"v"}; Secret a"#,
        ),
        (
            "patches",
            inline(
                "- {op: test, path: /data/k, value: v}\n- {op: remove, path: /data}\n",
                "target: {name: b}\n",
            ),
            r#"ConfigMap a {"k":"1"}; ConfigMap b; Secret a"#,
        ),
        (
            "patches",
            inline("# nothing\n", "target: {name: b}\n"),
            r#"ConfigMap a {"k":"1"}; ConfigMap b {"k":"v"}; Secret a"#,
        ),
        (
            "patchesStrategicMerge",
            format!(
                "- |\n  {}  $patch: delete\n",
                head.replace('\n', "\n  ").trim_end_matches(' ')
            ),
            r#"ConfigMap b {"k":"v"}; Secret a"#,
        ),
        (
            "patchesJson6902",
            inline(
                "[{\"op\": \"add\", \"path\": \"/data/n\", \"value\": 1}]",
                "target: {kind: ConfigMap, name: b}\n",
            ),
            r#"ConfigMap a {"k":"1"}; ConfigMap b {"k":"v","n":1}; Secret a"#,
        ),
        (
            "patches",
            inline("- {op: remove, path: /data}\n", "target: {name: '\\${NAME}|b'}\n"),
            r#"ConfigMap a {"k":"1"}; ConfigMap b; Secret a"#,
        ),
    ] {
        assert_eq!(run(field, &entry).as_deref(), Ok(expected), "{entry}");
    }
}

#[test]
fn folded_annotations_are_folded_anew_by_operations_alone() {
    let text =
        "metadata:\n  annotations:\n    a: >-\n      x\n       y\ndata:\n  a: >-\n    x\n     y\n";
    let sources = Sources::default();
    let file = sources.add("f.yaml", text);
    let mut root = yaml::parse_one(&sources, file, Dialect::GoYamlV3).expect("yaml");
    let texts = |root: &yaml::Node| {
        ["metadata.annotations.a", "data.a"].map(|path| {
            let keys: Vec<_> = path.split('.').collect();
            root.str_at(&keys).expect("a text").to_owned()
        })
    };
    assert_eq!(texts(&root), ["x\n y", "x\n\n y"]);
    super::operate(&mut root, &yaml::Node::list()).expect("nothing to do");
    assert_eq!(texts(&root), ["x\n\n y", "x\n\n y"]);
}

#[test]
fn faults_have_the_words_of_kustomize() {
    for (field, entry, expected) in [
        (
            "patches",
            "target: {name: a}",
            "must specify one of patch and path in\ntarget:\n  name: a\n",
        ),
        (
            "patches",
            "{path: a, patch: b}",
            "patch and path can't be set at the same time\npatch: b\npath: a\n",
        ),
        (
            "patches",
            "path: none.yaml",
            "failed to get the patch file from path(none.yaml): no file none.yaml",
        ),
        ("patches", "patch: a", "unable to parse SM or JSON patch from [patch: \"a\"]"),
        (
            "patches",
            "path: patch.yaml",
            "unable to parse SM or JSON patch from [path: \"patch.yaml\"]",
        ),
        ("patches", "patch: '[{}]'", "must specify a target for JSON patch [patch: \"[{}]\"]"),
        (
            "patches",
            "patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}'",
            "no resource matches strategic merge patch \"ConfigMap.v1.[noGrp]/c.[noNs]\": no matches for \
             Id ConfigMap.v1.[noGrp]/c.[noNs]; failed to find unique target for patch \
             ConfigMap.v1.[noGrp]/c.[noNs]",
        ),
        (
            "patches",
            "{patch: '[{\"op\": \"remove\", \"path\": \"/x\"}]', target: {name: b}}",
            "the patch does not fit ConfigMap b: error in remove for path: '/x': Unable to remove \
             nonexistent key: x: missing value",
        ),
        ("patchesStrategicMerge", "['']", "patch appears to be empty; files=[], Patch="),
        ("patchesStrategicMerge", "[none.yaml]", "no file none.yaml"),
        ("patchesJson6902", "{path: a}", "must specify the target name"),
        ("patchesJson6902", "target: {name: a}", "empty file path and empty jsonOp"),
        (
            "patchesJson6902",
            "{target: {name: a}, path: a, patch: b}",
            "must specify a file path or jsonOp, not both",
        ),
    ] {
        let found = run(field, entry).expect_err(entry);
        assert_eq!(found, expected, "{entry}");
    }
}

proptest! {
    #[test]
    fn no_entry_panics(text in "([{}\\[\\]:,\\-\\n '\"|&*!$a-c0-2]|op|path|kind|metadata|name){0,40}") {
        let quoted = emit::to_string(&text.as_str().into(), &emit::Style::kubernetes());
        for field in ["patches", "patchesJson6902"] {
            let _ = run(field, &format!("target: {{name: a}}\npatch: {quoted}"));
        }
        let _ = run("patchesStrategicMerge", &format!("- {quoted}"));
    }
}
