//! Rendering packages: an example as people write it, and a generated one of a thousand templates,
//! beside Helm with a chart that gives the same objects.

use crate::harness::{Bound, Figure, Race, Tool, Unit, wall, wharf};
use std::fs;
use std::path::Path;
use std::process::Command;

const TEMPLATES: usize = 1000;

pub(crate) fn figures() -> Vec<Figure> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts-examples/shop");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (package, chart) = (folder.path().join("package"), folder.path().join("chart"));
    write_package(&package);
    write_chart(&chart);
    let helm = Tool::find("helm", &["version", "--short"]);
    let render = |source: &Path| wall(Command::new(wharf()).arg("render").arg(source));
    let shop =
        Race::new("render: shop", Unit::Milliseconds, Bound::AtMost(15.0), || render(&example))
            .rounds(40);
    let many =
        Race::new("render: 1,000 templates", Unit::Milliseconds, Bound::AtMost(150.0), || {
            render(&package)
        })
        .beside("template", &helm, |tool| {
            wall(tool.command().args(["template", "many"]).arg(&chart))
        });
    vec![shop.run(), many.run()]
}

const VALUES: &str = "image: registry.example/web
tag: '1.0'
replicas: 2
resources:
  requests: {cpu: 100m, memory: 64Mi}
";

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
    fs::write(path, text).expect("a file can be written");
}

fn write_package(root: &Path) {
    let meta = "apiVersion: wharf.dev/v1\nkind: Package\nname: many\nversion: 1.0.0\n";
    write(&root.join("Package.yaml"), meta);
    write(&root.join("values.yaml"), VALUES);
    let labels = "{% macro labels(part) %}
app.kubernetes.io/name: {{ package.name }}
app.kubernetes.io/instance: {{ release.name }}
app.kubernetes.io/component: {{ part }}
{% endmacro %}
";
    write(&root.join("templates/_labels.j2"), labels);
    for number in 0..TEMPLATES {
        let text = format!(
            "{{% import \"_labels.j2\" as my %}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{{{ release.name }}}}-{number}
  labels: {{{{ my.labels(\"part-{number}\") }}}}
spec:
  replicas: {{{{ values.replicas }}}}
  selector:
    matchLabels: {{{{ my.labels(\"part-{number}\") }}}}
  template:
    metadata:
      labels: {{{{ my.labels(\"part-{number}\") }}}}
    spec:
      containers:
        - name: web
          image: \"{{{{ values.image }}}}:{{{{ values.tag }}}}\"
          {{% if values.resources %}}
          resources: {{{{ values.resources }}}}
          {{% endif %}}
"
        );
        write(&root.join(format!("templates/part-{number:03}.yaml")), &text);
    }
}

fn write_chart(root: &Path) {
    write(&root.join("Chart.yaml"), "apiVersion: v2\nname: many\nversion: 1.0.0\n");
    write(&root.join("values.yaml"), VALUES);
    let labels = "{{- define \"labels\" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}
";
    write(&root.join("templates/_labels.tpl"), labels);
    for number in 0..TEMPLATES {
        let include = |indent: usize| {
            format!(
                "{{{{- include \"labels\" (dict \"root\" . \"part\" \"part-{number}\") | nindent {indent} }}}}"
            )
        };
        let text = format!(
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{{{ .Release.Name }}}}-{number}
  labels:
    {four}
spec:
  replicas: {{{{ .Values.replicas }}}}
  selector:
    matchLabels:
      {six}
  template:
    metadata:
      labels:
        {eight}
    spec:
      containers:
        - name: web
          image: \"{{{{ .Values.image }}}}:{{{{ .Values.tag }}}}\"
          {{{{- if .Values.resources }}}}
          resources: {{{{- toYaml .Values.resources | nindent 12 }}}}
          {{{{- end }}}}
",
            four = include(4),
            six = include(6),
            eight = include(8),
        );
        write(&root.join(format!("templates/part-{number:03}.yaml")), &text);
    }
}
