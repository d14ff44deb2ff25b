//! Where rendered text comes from.

use super::super::engine::Origin;
use super::fixture::render_chart;
use crate::yaml::Node;
use serde_json::json;

/// What wrote the first place where a text stands in the rendered template.
fn origin(template: &str, text: &str) -> (String, bool, Vec<String>) {
    let values = json!({
        "image": {"tag": "v1"}, "name": "web", "ports": [{"port": 80}], "none": null,
    });
    let rendered = render_chart(&[("x.yaml".to_owned(), template.to_owned())], &Node::from(values));
    let rendered = rendered.expect("the template renders").remove(0);
    let written = String::from_utf8_lossy(&rendered.text).into_owned();
    let at = written.find(text).expect("the text is written");
    let Origin { place, action, reads } = rendered.trace.at(at).expect("something wrote it");
    let reads = reads.iter().map(|path| {
        let path: Vec<_> = path.iter().map(|key| key.lossy().into_owned()).collect();
        path.join(".")
    });
    (format!("{}:{}", place.line, place.column), action, reads.collect())
}

fn check(template: &str, text: &str, place: &str, reads: &[&str]) {
    let (given, _, read) = origin(template, text);
    assert_eq!(
        (given.as_str(), read),
        (place, reads.iter().map(|path| (*path).to_owned()).collect()),
        "{template}"
    );
}

#[test]
fn text_and_actions() {
    check("a: 1\nb: 2\n", "2", "2:3", &[]);
    check("a: {{ .Values.name }}\n", "web", "1:6", &["name"]);
    check("a:\n  b: {{ .Values.image.tag | quote }}!", "v1", "2:8", &["image.tag"]);
    check("a:\n  b: {{ .Values.image.tag | quote }}!", "!", "2:36", &[]);
    check("{{ .Values.none }}{{ .Values.name }}", "web", "1:21", &["name"]);
    check("{{ .Values.none }}x: <no value>{{ .Values.name }}", "web", "1:34", &["name"]);
}

#[test]
fn values_through_scopes_and_variables() {
    check("{{ with .Values.image }}\n{{ .tag }}{{ end }}", "v1", "2:3", &["image.tag"]);
    check("{{ range .Values.ports }}{{ .port }}{{ end }}", "80", "1:28", &["ports.port"]);
    check("{{ $i := .Values.image }}{{ $i.tag }}", "v1", "1:28", &["image.tag"]);
    check("{{ if .Values.name }}{{ $.Values.name }}{{ end }}", "web", "1:24", &["name"]);
    check(
        "{{ define \"n\" }}{{ .Values.name }}{{ end }}{{ template \"n\" . }}",
        "web",
        "1:19",
        &["name"],
    );
    check(
        "{{ printf \"%s:%s\" .Values.name (.Values.image).tag }}",
        "web",
        "1:3",
        &["name", "image.tag"],
    );
}
