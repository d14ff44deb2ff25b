//! What a chart renders to, and what is said of one with a fault: code, text and places.

use super::*;
use crate::base::path::SafePath;
use std::fmt::Write as _;

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 1.0.0\n";

fn request<'a>(tree: &'a FileTree, values: &'a Node, chance: &'a Chance) -> Request<'a> {
    Request {
        tree,
        values,
        name: "r",
        namespace: "default",
        revision: 1,
        is_upgrade: false,
        kube_version: None,
        api_versions: &[],
        served: false,
        cluster: None,
        resolves: false,
        post: None,
        skip_schemas: false,
        chance,
        traced: true,
    }
}

fn tree(files: &[(&str, &str)]) -> FileTree {
    let mut tree = FileTree::new("shop");
    for (name, text) in files {
        tree.insert(SafePath::parse(name).unwrap(), (*text).to_owned());
    }
    if tree.get("Chart.yaml").is_none() {
        tree.insert(SafePath::parse("Chart.yaml").unwrap(), CHART.to_owned());
    }
    tree
}

/// Code, first line of the text, and the places.
fn told(faults: &Diagnostics, sources: &Sources) -> String {
    let fault = faults.iter().next().expect("a fault").clone().traced(sources);
    let text = fault.message.lines().next().unwrap_or_default();
    let mut told = format!("{} {text}", fault.code);
    for label in &fault.labels {
        let place = sources.place(label.span).expect("a place");
        let _ = write!(told, " | {place}");
    }
    told
}

fn fault(files: &[(&str, &str)]) -> String {
    let (sources, chance) = (Sources::new(), Chance::default());
    let (tree, values) = (tree(files), Node::map());
    let failed = render(&request(&tree, &values, &chance), &sources).expect_err("a fault");
    told(&failed.faults, &sources)
}

#[test]
fn faults_have_codes_and_places() {
    for (files, expected) in [
        (
            &[("Chart.yaml", "name: shop\nversion: [1]\n")][..],
            "wharf::package::chart cannot load Chart.yaml: error unmarshaling JSON: while decoding \
             JSON: json: cannot unmarshal array into Go struct field Metadata.version of type \
             string | shop/Chart.yaml:2:10",
        ),
        (
            &[("Chart.yaml", "name: shop\nversion: 1.0.0\ndependencies: [{name: cache}]\n")],
            "wharf::package::chart_dependency found in Chart.yaml, but missing in charts/ \
             directory: cache",
        ),
        (
            &[
                ("values.yaml", "cache: 5\n"),
                ("charts/cache/Chart.yaml", "name: cache\nversion: 1.0.0\n"),
            ],
            "wharf::values::chart type mismatch on cache: %!t(float64=5)",
        ),
        (
            &[
                ("values.yaml", "size: many\n"),
                ("values.schema.json", r#"{"properties": {"size": {"type": "integer"}}}"#),
            ],
            "wharf::values::chart_schema values don't meet the specifications of the schema(s) in \
             the following chart(s): | shop/values.yaml:1:7",
        ),
        (
            &[
                ("templates/_x.tpl", "{{ define \"x\" }}\n{{ fail \"no\" }}\n{{ end }}"),
                ("templates/a.yaml", "a: 1\nb: {{ include \"x\" . }}\n"),
            ],
            "wharf::render::template execution error at (shop/templates/a.yaml:2:6): no | \
             shop/templates/_x.tpl:2:4 | shop/templates/a.yaml:2:7",
        ),
        (
            &[("templates/a.yaml", "a: {{ .Release.Name | qoute }}\n")],
            "wharf::render::template_syntax parse error at (shop/templates/a.yaml:1): function \
             \"qoute\" not defined",
        ),
        (
            &[
                ("values.yaml", "title: \"a: b\"\n"),
                ("templates/a.yaml", "a: 1\nb: {{ .Values.title }}\n"),
            ],
            "wharf::render::manifest YAML parse error on shop/templates/a.yaml: error converting \
             YAML to JSON: yaml: line 2: mapping values are not allowed in this context",
        ),
    ] {
        let found = fault(files);
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    }
}

#[test]
fn a_bad_line_leads_to_the_template_and_the_value() {
    let files = [
        ("values.yaml", "title: \"a: b\"\n"),
        ("templates/a.yaml", "a: 1\nb: {{ .Values.title }}\n"),
    ];
    let found = fault(&files);
    assert!(found.contains("| shop/templates/a.yaml:2:"), "{found}");
    assert!(found.ends_with("| shop/values.yaml:1:8"), "{found}");
}

#[test]
fn of_two_versions_of_a_chart_side_by_side_the_listed_one_is_rendered() {
    let (sources, chance) = (Sources::new(), Chance::default());
    let chart = |version: &str| format!("name: cache\nversion: {version}\n");
    let pod = |name: &str| format!("kind: Pod\napiVersion: v1\nmetadata: {{name: {name}}}\n");
    let tree = tree(&[
        ("Chart.yaml", &format!("{CHART}dependencies: [{{name: cache, version: 1.x}}]\n")),
        ("charts/new/Chart.yaml", &chart("2.0.0")),
        ("charts/new/templates/a.yaml", &pod("new")),
        ("charts/new/templates/b.yaml", &pod("only")),
        ("charts/old/Chart.yaml", &chart("1.0.0")),
        ("charts/old/templates/a.yaml", &pod("old")),
    ]);
    let values = Node::map();
    let release = render(&request(&tree, &values, &chance), &sources).unwrap();
    let (rendered, _) = objects(&release, &sources).unwrap();
    let names: Vec<_> = rendered.objects.iter().map(|it| it.id().to_string()).collect();
    assert_eq!(names, ["Pod old", "Pod only"]);
}

#[test]
fn a_version_of_kubernetes_must_be_one() {
    let (sources, chance) = (Sources::new(), Chance::default());
    let (tree, values) = (tree(&[]), Node::map());
    let request = Request { kube_version: Some("one"), ..request(&tree, &values, &chance) };
    let failed = render(&request, &sources).expect_err("a fault");
    assert_eq!(
        told(&failed.faults, &sources),
        "wharf::values::kube_version invalid kube version 'one': could not parse \"one\" as version"
    );
}

#[test]
fn hooks_stand_aside_and_what_is_not_there_is_told() {
    let (sources, chance) = (Sources::new(), Chance::default());
    let hook = "kind: Job\napiVersion: batch/v1\nmetadata:\n  name: j\n  annotations: {helm.sh/hook: \
                pre-install}\n";
    let tree = tree(&[
        ("templates/b.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: b}\n"),
        ("templates/a.yaml", hook),
        ("templates/NOTES.txt", "Hello {{ .Release.Name }}"),
    ]);
    let values = Node::map();
    let release = render(&request(&tree, &values, &chance), &sources).unwrap();
    let (rendered, warnings) = objects(&release, &sources).unwrap();
    let names: Vec<String> =
        rendered.objects.iter().map(|object| object.id().to_string()).collect();
    assert_eq!(names, ["Pod b"]);
    assert_eq!(rendered.notes.as_deref(), Some("Hello r"));
    let names: Vec<String> = rendered.hooks.iter().map(|hook| hook.id().to_string()).collect();
    assert_eq!(names, ["Job j"]);
    assert_eq!(warnings.iter().count(), 0);
    let choice = text::Choice { crds: false, hooks: true, tests: true };
    let printed = text::all(&release, choice).concat();
    assert_eq!(
        String::from_utf8_lossy(&printed),
        format!(
            "---\n# Source: shop/templates/b.yaml\nkind: Pod\napiVersion: v1\nmetadata: {{name: \
             b}}\n---\n# Source: shop/templates/a.yaml\n{hook}\n"
        )
    );
    let error = text::only(&printed, &["templates/c.yaml".to_owned()]).unwrap_err();
    let code = miette::Diagnostic::code(&error).map(|code| code.to_string());
    assert_eq!(code.as_deref(), Some("wharf::render::show_only"));
    assert_eq!(error.to_string(), "could not find template templates/c.yaml in chart");
}
