//! Rendering Helm charts: a thousand templates that call `tpl` twenty times each, beside Helm, which
//! clones its whole set of templates for each call.

use crate::harness::{Bound, Figure, Race, Tool, Unit, wall, wharf};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

const TEMPLATES: usize = 1000;
const CALLS: usize = 20;

pub(crate) fn figures() -> Vec<Figure> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chart = folder.path().join("calls");
    write_chart(&chart);
    let helm = Tool::find("helm", &["version", "--short"]);
    let calls = Race::new(
        "template: 20,000 calls of tpl",
        Unit::Milliseconds,
        Bound::AtMost(150.0),
        || wall(Command::new(wharf()).args(["template", "calls"]).arg(&chart)),
    )
    .rounds(5)
    .beside("template", &helm, |tool| wall(tool.command().args(["template", "calls"]).arg(&chart)));
    vec![calls.run()]
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
    fs::write(path, text).expect("a file can be written");
}

fn write_chart(root: &Path) {
    write(&root.join("Chart.yaml"), "apiVersion: v2\nname: calls\nversion: 1.0.0\n");
    write(
        &root.join("values.yaml"),
        "app: web\ntext: '{{ .Release.Name }}/{{ .Values.app | upper }}'\n",
    );
    let name = "{{ define \"name\" }}{{ .Release.Name }}-{{ .Values.app }}{{ end }}\n";
    write(&root.join("templates/_helpers.tpl"), name);
    for number in 0..TEMPLATES {
        let mut text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  \
             name: {{{{ include \"name\" . }}}}-{number}\ndata:\n"
        );
        for call in 0..CALLS {
            let argument = format!("(printf \"%s-{call}\" .Values.text)");
            writeln!(text, "  key{call}: {{{{ tpl {argument} . | quote }}}}")
                .expect("a text takes what is written");
        }
        write(&root.join(format!("templates/map{number}.yaml")), &text);
    }
}
