//! Overlays over every kind of source: charts, packages, kustomizations, manifests, and artifacts
//! in a registry.

use crate::distribution::Place;
use std::fs;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  size: ";

const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [id]
                items:
                  type: object
                  required: [id]
                  properties: {id: {type: string}, size: {type: integer}}
              words: {type: array, items: {type: string}}
";

const THING: &str = "apiVersion: example.com/v1
kind: Thing
metadata: {name: t}
spec:
  parts: [{id: a, size: 1}, {id: b, size: 2}]
  words: [x]
";

fn write(place: &Place, path: &str, text: &str) {
    let path = place.path(path);
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("its folder");
    fs::write(path, text).expect("a file");
}

/// A chart, a package, a kustomization and manifests that make the same objects.
fn sources(place: &Place) {
    let one = format!("{MAP}\"1\"\n");
    for (path, text) in [
        ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("chart/values.yaml", "size: 1\n"),
        ("chart/templates/map.yaml", &format!("{MAP}\"{{{{ .Values.size }}}}\"\n")),
        ("chart/templates/thing.yaml", THING),
        ("chart/crds/things.yaml", DEFINITION),
        (
            "package/Package.yaml",
            "apiVersion: wharf.dev/v1\nkind: Package\nname: web\nversion: 1.0.0\n",
        ),
        ("package/values.yaml", "size: 1\n"),
        ("package/templates/map.yaml", &format!("{MAP}\"{{{{ values.size }}}}\"\n")),
        ("package/templates/thing.yaml", THING),
        ("package/crds/things.yaml", DEFINITION),
        ("kustomization/kustomization.yaml", "resources: [all.yaml]\n"),
        ("kustomization/all.yaml", &format!("{one}---\n{THING}---\n{DEFINITION}")),
        ("manifests/all.yaml", &format!("{one}---\n{THING}---\n{DEFINITION}")),
    ] {
        write(place, path, text);
    }
}

/// What an overlay of this base renders to, and another overlay over that one.
fn check(place: &Place, base: &str, size: &str) {
    let values = if size == "1" { String::new() } else { format!("values: {{size: {size}}}\n") };
    write(
        place,
        "low/overlay.yaml",
        &format!(
            "base: {base}\n{values}namespace: shop\npatches:\n- target: {{kind: ConfigMap}}\n  \
             patch: '[{{op: add, path: /data/more, value: b}}]'\n- path: thing.yaml\n"
        ),
    );
    write(
        place,
        "low/thing.yaml",
        "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\n\
         spec: {parts: [{id: b, size: 9}], words: [z]}\n",
    );
    write(
        place,
        "high/overlay.yaml",
        "base: ../low\nnameSuffix: -eu\npatches:\n- patch: |\n    apiVersion: v1\n    \
         kind: ConfigMap\n    metadata: {name: web}\n    data: {more: c}\n",
    );
    for (overlay, more, suffix) in [("low", "b", ""), ("high", "c", "-eu")] {
        let out = place.wharf(&["render", overlay]);
        for part in [
            format!(
                "  name: web{suffix}\n  namespace: shop\ndata:\n  size: \"{size}\"\n  more: {more}\n"
            ),
            format!("  name: t{suffix}\n  namespace: shop\n"),
            "  parts:\n  - id: b\n    size: 9\n  - id: a\n    size: 1\n  words:\n  - z\n"
                .to_owned(),
        ] {
            assert!(out.contains(&part), "{base}: no\n{part}in\n{out}");
        }
    }
}

#[test]
fn overlays_go_over_every_kind_of_source() {
    let place = Place::own();
    sources(&place);
    check(&place, "../chart", "3");
    check(&place, "../package", "3");
    check(&place, "../kustomization", "1");
    check(&place, "../manifests", "1");
    for source in ["chart", "package"] {
        let address = format!("oci://{}/{source}s", place.address);
        place.wharf(&["push", source, &address]);
        check(&place, &format!("{address}/web:1.0.0"), "3");
    }
}

#[test]
fn a_patch_of_an_overlay_finds_something() {
    let place = Place::own();
    sources(&place);
    let place = &place;
    for base in ["chart", "package", "kustomization", "manifests"] {
        write(
            place,
            "bad/overlay.yaml",
            &format!(
                "base: ../{base}\npatches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    \
                 metadata: {{name: wbe}}\n- target: {{kind: Secret}}\n  \
                 patch: '[{{op: remove, path: /data}}]'\n"
            ),
        );
        let err = place.refused(&["render", "bad"]);
        for part in [
            "there is no v1 ConfigMap `wbe` to patch",
            "bad/overlay.yaml:6:5",
            "did you mean `web`?",
            "no object fits the patch's target",
            "bad/overlay.yaml:7:3",
        ] {
            assert!(err.contains(part), "{base}: no {part} in\n{err}");
        }
    }
}
