//! Building an overlay of many objects: for each app a Deployment, a Service and a generated
//! ConfigMap, all of them with a prefix, a namespace, labels, an image and a JSON patch, beside
//! kustomize, whose time grows with the square of the objects.

use crate::harness::{Bound, Figure, Race, Tool, Unit, peak, wall, wharf};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Objects, the most milliseconds that they may take, and how often the peer builds them.
const SIZES: [(usize, Bound, usize); 3] =
    [(300, Bound::None, 10), (1500, Bound::None, 3), (6000, Bound::AtMost(400.0), 1)];

pub(crate) fn figures() -> Vec<Figure> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kustomize = Tool::find("kustomize", &["version"]);
    let mut figures = Vec::new();
    for (objects, bound, rounds) in SIZES {
        let root = folder.path().join(objects.to_string());
        write_overlay(&root, objects / 3);
        let root = root.join("overlay");
        let ours = || {
            let mut command = Command::new(wharf());
            command.arg("kustomize").arg(&root).current_dir(folder.path());
            command
        };
        let theirs = |tool: &Tool| {
            let mut command = tool.command();
            command.arg("build").arg(&root).current_dir(folder.path());
            command
        };
        let name = format!("kustomize: {objects} objects");
        let race = Race::new(&name, Unit::Milliseconds, bound, || wall(&mut ours()))
            .peer_rounds(rounds)
            .beside("build", &kustomize, |tool| wall(&mut theirs(tool)));
        figures.push(race.run());
        if objects == 6000 {
            let missing = f64::INFINITY;
            let name = format!("{name}, memory");
            let race =
                Race::new(&name, Unit::Megabytes, Bound::None, || peak(&ours()).unwrap_or(missing))
                    .peer_rounds(1);
            let race =
                race.beside("build", &kustomize, |tool| peak(&theirs(tool)).unwrap_or(missing));
            figures.push(race.run());
        }
    }
    figures
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
    fs::write(path, text).expect("a file can be written");
}

/// A base of apps, and the overlay of it.
fn write_overlay(root: &Path, apps: usize) {
    let mut resources = String::new();
    let mut base = String::from("resources: [apps.yaml]\nconfigMapGenerator:\n");
    for app in 0..apps {
        let name = format!("app-{app}");
        write!(
            resources,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  labels: {{app: {name}}}\n\
             spec:\n  replicas: 1\n  selector:\n    matchLabels: {{app: {name}}}\n  template:\n    \
             metadata:\n      labels: {{app: {name}}}\n    spec:\n      containers:\n      - name: main\n        \
             image: registry.example/web:1.0\n        envFrom:\n        - configMapRef: {{name: {name}}}\n        \
             ports:\n        - containerPort: 8080\n---\n\
             apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector: {{app: {name}}}\n  \
             ports:\n  - port: 80\n    targetPort: 8080\n---\n"
        )
        .expect("a text takes what is written");
        writeln!(base, "- name: {name}\n  literals: [LEVEL=info, APP={name}]")
            .expect("a text takes what is written");
    }
    write(&root.join("base/apps.yaml"), &resources);
    write(&root.join("base/kustomization.yaml"), &base);
    let overlay = "resources: [../base]\nnamePrefix: prod-\nnamespace: shop\nlabels:\n\
                   - pairs: {team: web}\n  includeSelectors: true\nimages:\n\
                   - name: registry.example/web\n  newTag: \"2.0\"\npatches:\n\
                   - target: {kind: Deployment}\n  patch: |-\n    - op: replace\n      \
                   path: /spec/replicas\n      value: 3\n";
    write(&root.join("overlay/kustomization.yaml"), overlay);
}
