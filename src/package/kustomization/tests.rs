//! Kustomizations are read as kustomize reads them; faults have its words.

use super::*;

fn check(text: &str) -> Result<Kustomization, Vec<String>> {
    let sources = Sources::new();
    let file = sources.add("kustomization.yaml", text);
    let read = Kustomization::read(&sources, file, "kustomization.yaml", "/app");
    read.map_err(|faults| {
        let help = |fault: &Diagnostic| {
            fault.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default()
        };
        faults.iter().map(|fault| format!("{fault}{}", help(fault))).collect()
    })
}

#[test]
fn fields_have_any_case_and_null_is_nothing() {
    let read = check("NamePrefix: a-\nresources: [x.yaml]\nbases: [../b]\nlabels: null\n");
    let read = read.expect("a kustomization");
    assert_eq!(read.text("namePrefix").and_then(Node::as_str), Some("a-"));
    let resources: Vec<&str> = read.resources().filter_map(Node::as_str).collect();
    assert_eq!(resources, ["x.yaml", "../b"]);
    assert!(read.fields.get("labels").is_none());
    let warnings: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["'bases' is deprecated. Please use 'resources' instead."]);
}

#[test]
fn faults_are_told_in_go_s_words() {
    for (text, fault) in [
        ("namePrefx: a", "json: unknown field \"namePrefx\" (did you mean `namePrefix`?)"),
        (
            "nameprefix: 3",
            "json: cannot unmarshal number into Go struct field Kustomization.namePrefix of type \
             string (put it in quotes)",
        ),
        (
            "configMapGenerator: [{name: true}]",
            "json: cannot unmarshal bool into Go struct field \
             ConfigMapArgs.configMapGenerator.GeneratorArgs.name of type string (put it in quotes)",
        ),
        (
            "patches: [a]",
            "json: cannot unmarshal string into Go struct field Kustomization.patches of type \
             types.Patch",
        ),
        (
            "replicas: [{count: 1.5}]",
            "json: cannot unmarshal number 1.5 into Go struct field Replica.replicas.count of \
             type int64",
        ),
        (
            "helmCharts: [{valuesInline: a}]",
            "json: cannot unmarshal string into Go struct field HelmChart.helmCharts.valuesInline \
             of type map[string]interface {}",
        ),
        ("- a", "json: cannot unmarshal array into Go value of type types.Kustomization"),
    ] {
        let faults = check(text).expect_err(text);
        assert_eq!(faults, [format!("invalid Kustomization: {fault}")], "{text}");
    }
}

#[test]
fn what_says_nothing_is_empty() {
    for text in ["", "kind: Kustomization", "resources: null", "namePrefix: ''"] {
        let faults = check(text).expect_err(text);
        assert_eq!(faults, ["kustomization.yaml is empty (name its `resources`)"], "{text}");
    }
    assert!(check("resources: []").is_ok());
}

#[test]
fn components_have_a_version_of_their_own() {
    let text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Component\nresources: [a]\n";
    let faults = check(text).expect_err("a fault");
    assert_eq!(
        faults,
        ["Failed to read kustomization file under /app:\napiVersion for Component should be \
          kustomize.config.k8s.io/v1alpha1 (write `apiVersion: kustomize.config.k8s.io/v1alpha1`)"]
    );
}
