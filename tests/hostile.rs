//! Bad input: whatever stands in the files of a package, compiling ends soon, with objects or with
//! faults that can be shown, and never with a panic.

use proptest::prelude::*;
use std::time::{Duration, Instant};
use wharf::base::diag::Diagnostics;
use wharf::base::path::SafePath;
use wharf::base::source::Sources;
use wharf::base::tree::FileTree;
use wharf::compile::{Compiled, ReleaseFacts, Request, TargetFacts, compile};
use wharf::render::helm::Chance;
use wharf::source::layers::{self, LayerError};
use wharf::yaml::Node;

const PACKAGE: &str = "apiVersion: wharf.dev/v1\nkind: Package\nname: x\nversion: 1.0.0\n";

/// Compiles a package of these files; an overlay `o` is put on it when there is one.
fn run(files: &[(&str, &[u8])]) -> Result<Compiled, Diagnostics> {
    let mut tree = FileTree::new("x");
    for (name, bytes) in files {
        tree.insert(SafePath::parse(name).expect("a plain name"), bytes.to_vec());
    }
    let sources = Sources::new();
    let overlay = tree.get("overlays/o/overlay.yaml").map(|_| "o");
    let mut fetch = |_: &str| -> Result<FileTree, ()> { Err(()) };
    let layers = match layers::resolve(tree, overlay, &sources, &mut fetch) {
        Ok(layers) => layers,
        Err(LayerError::Input(faults)) => return Err(faults),
        Err(LayerError::Fetch(())) => return Err(Diagnostics::new()),
    };
    let request = Request {
        tree: layers.tree,
        overlays: layers.overlays,
        values: Node::map(),
        release: ReleaseFacts::default(),
        target: TargetFacts { kube_version: "v1.33.0".into(), ..TargetFacts::default() },
        chance: Chance::default(),
        beside: None,
        cluster: None,
    };
    let compiled = compile(&request, &sources);
    if let Err(faults) = &compiled {
        // every place that is named can be shown
        for fault in faults {
            for label in fault.clone().traced(&sources).labels {
                let _ = (sources.place(label.span), sources.slice(label.span));
            }
        }
    }
    compiled
}

/// Texts that nest, repeat or refer to themselves without measure, and the first word on each.
#[test]
fn bombs_are_refused_soon() {
    let many = |part: &str, times: usize| part.repeat(times);
    let wrap = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let aliases = {
        let mut text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (from, to) in "abcdefghi".chars().zip("bcdefghij".chars()) {
            let list = vec![format!("*{from}"); 10].join(", ");
            text = format!("{text}{to}: &{to} [{list}]\n");
        }
        text
    };
    let grow = |with: &str| {
        format!(
            "{{% set n = namespace(x='xx', l=[1]) %}}{{% for i in range(64) %}}{with}{{% endfor %}}\
             a: {{{{ n.x }}}}"
        )
    };
    // a macro that calls itself forty times
    let recurse = |body: &str| {
        format!(
            "{{% macro m(x, n) %}}{{% if n %}}{body}{{% endif %}}{{% endmacro %}}\
             a: {{{{ m('xx', 40) }}}}"
        )
    };
    let nest = |open: &str, close: &str| {
        format!("{{% set x = 'xx' %}}{}", wrap(open, "a: {{ x }}", close, 40))
    };
    let t = "templates/t.yaml";
    let v = "values.yaml";
    let o = "overlays/o/overlay.yaml";
    let cases: Vec<(&str, String, &str)> = vec![
        (t, "{% for a in range(1000000000) %}x{% endfor %}".into(), "range has too many elements"),
        (t, grow("{% set n.x = n.x ~ n.x %}"), "a value grows too large"),
        (t, grow("{% set n.x = n.x + n.x %}"), "a value grows too large"),
        (t, grow("{% set n.x = n.x | replace('x', 'xxxxxxxx') %}"), "a value grows too large"),
        (t, grow("{% set n.x = n.x.replace('x', 'xxxxxxxx') %}"), "a value grows too large"),
        (t, grow("{% set n.x = [n.x, n.x, n.x] | join(n.x) %}"), "a value grows too large"),
        (t, grow("{% set n.l = n.l + n.l %}"), "a value grows too large"),
        (t, grow("{% set n.l = [n.l, n.l] %}"), "a value grows too large"),
        (
            t,
            grow("{% for j in range(50) %}{% set n.l = [n.l] %}{% endfor %}"),
            "a value grows too large",
        ),
        (t, recurse("{{ m(x ~ x, n - 1) }}"), "a value grows too large"),
        (t, recurse("{{ m([x, x], n - 1) }}"), "a value grows too large"),
        (t, nest("{% with x = x ~ x %}", "{% endwith %}"), "a value grows too large"),
        (t, nest("{% with x = [x, x] %}", "{% endwith %}"), "a value grows too large"),
        (t, nest("{% for x in [x ~ x] %}", "{% endfor %}"), "a value grows too large"),
        (
            t,
            format!("{{% set x = 'x' * 9000000 %}}a: {{{{ (x{})|length }}}}", many(" ~ x", 200)),
            "a value grows too large",
        ),
        (t, "a: {{ 'x' * 100000000000 }}".into(), "repeated string is too large"),
        (t, "a: {{ '%1000000000d' | format(1) }}".into(), "a value grows too large"),
        (t, "a: {{ '{:>10000000000}'.format(1) }}".into(), "a value grows too large"),
        (t, "a: {{ 'x\\ny' | indent(10000000000) }}".into(), "a value grows too large"),
        (t, "a: {{ 'x\\ny' | indent(width=10000000000) }}".into(), "a value grows too large"),
        (t, "a: {{ 'x\\ny' | nindent(10000000000) }}".into(), "the template prints too much"),
        (t, "a: {{ [1] | batch(10000000000, 1) | list }}".into(), "a value grows too large"),
        (t, "a: {{ [1] | slice(10000000000) | list }}".into(), "a value grows too large"),
        (
            t,
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".into(),
            "macros or templates lie too deep",
        ),
        (t, "{% include 't.yaml' %}".into(), "macros or templates lie too deep"),
        (t, "{% extends 't.yaml' %}".into(), "cycle in template inheritance"),
        (t, format!("a: {{{{ {} }}}}", wrap("(", "1", ")", 100_000)), "an expression has more"),
        (t, format!("a: {{{{ {}1 }}}}", many("not ", 100_000)), "an expression has more"),
        (t, format!("a: {{{{ {}1 }}}}", many("-", 100_000)), "an expression has more"),
        (t, format!("a: {{{{ values{} }}}}", many(".a", 100_000)), "an expression has more"),
        (t, format!("a: {{{{ 1{} }}}}", many("|string", 100_000)), "an expression has more"),
        (t, format!("a: {{{{ 1{} }}}}", many(" ~ 1", 100_000)), "an expression has more"),
        (
            t,
            format!("{{% if 0 %}}{}{{% endif %}}", many("{% elif 0 %}", 50_000)),
            "an `if` has more than 100 branches",
        ),
        (
            t,
            wrap("{% if 1 %}", "a", "{% endif %}", 50_000),
            "the template cannot be read: template exceeds maximum recursion limits",
        ),
        (t, format!("a: {}", many("[", 100_000)), "nested more than 500 levels deep"),
        (t, aliases.clone(), "aliases expand to"),
        (v, aliases, "aliases expand to"),
        (v, format!("a: {}", many("{a: ", 100_000)), "nested more than 500 levels deep"),
        (v, format!("a: {}", wrap("{a: ", "1", "}", 400)), "`values` is nested more than 128 deep"),
        (
            o,
            "patches:\n- target: {name: \"((a{1000}){1000}){1000}\"}\n  patch: '{a: 1}'\n".into(),
            "`name` must be a regular expression",
        ),
        (
            o,
            format!(
                "labels:\n- pairs: {{a: b}}\n  fields: [{{path: {}, create: true}}]\n",
                vec!["a"; 20_000].join("/")
            ),
            "failed to merge labels: `path` must be a path of at most 64 keys",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, text, expected) in cases {
        let start = Instant::now();
        let mut files: Vec<(&str, &[u8])> = vec![("Package.yaml", PACKAGE.as_bytes())];
        if name != t {
            files.push((t, b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"));
        }
        files.push((name, text.as_bytes()));
        let short: String = text.chars().take(80).collect();
        let first = match run(&files) {
            Ok(_) => "objects".to_owned(),
            Err(faults) => faults.iter().next().map(ToString::to_string).unwrap_or_default(),
        };
        if !first.starts_with(expected) || start.elapsed() > Duration::from_secs(30) {
            wrong.push(format!("{short}\n  gives {first} after {:?}", start.elapsed()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Pieces of the languages that a package is written in.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "a",
        "b: ",
        "- ",
        "\n",
        "\n  ",
        "---\n",
        "{{ ",
        " }}",
        "{% ",
        " %}",
        "values",
        ".a",
        "|",
        "[0]",
        "(",
        ")",
        "'x'",
        "\"",
        ":",
        "{",
        "}",
        "[",
        "]",
        ",",
        "#",
        "&a",
        " *a",
        "<<: ",
        "!!int ",
        "~",
        "if ",
        "endif",
        "for x in ",
        "endfor",
        "range(3)",
        "set x = ",
        "set x",
        "endset",
        "macro m(a)",
        "endmacro",
        "m(1)",
        "call m()",
        "caller()",
        "endcall",
        "filter upper",
        "endfilter",
        "1",
        "0123",
        "{#",
        "#}",
        "{%-",
        "-%}",
        "name: ",
        "kind: ",
        "apiVersion: v1\n",
        "metadata: {name: a}\n",
        "base: ",
        "patches:\n",
        "- path: ",
        "target: ",
        "namespace: ",
        "images:\n",
        "\u{e000}0\u{e001}",
        "\u{e002}0.0\u{e003}",
        "\u{0}",
        "\u{feff}",
        "é",
        "\t",
        "|-\n",
        ">\n",
        "? ",
        "%YAML 1.1\n",
        "raw %}",
        "endraw",
        "include 't.yaml'",
        "import 't.yaml' as x",
        "x.y()",
        "to_json",
        "$patch: delete",
        "$ref",
        "properties",
        "type",
        "..",
        "/",
    ]);
    prop_oneof![
        4 => prop::collection::vec(pieces, 0..24).prop_map(|parts| parts.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
}

/// Fields of kustomizations with values that they may have, and some that they may not.
const FIELDS: &[&str] = &[
    "resources: [a.yaml, b.yaml]",
    "resources: [a.yaml, .., nothing.yaml, 'https://x/y', b.yaml/]",
    "components: [c]",
    "crds: [a.yaml]",
    "namespace: n",
    "namePrefix: p-",
    "nameSuffix: [s]",
    "commonLabels: {l: v, 'a/b': null}",
    "labels: [{pairs: {l: v}, includeSelectors: true, fields: [{path: a/*/b[]/c, create: true}]}]",
    "commonAnnotations: {a: 1}",
    "images: [{name: 'nginx(', newTag: '1'}, {name: nginx, newName: x, digest: 'sha256:0'}]",
    "replicas: [{name: web, count: 3}, {name: web, count: -1}]",
    "configMapGenerator: [{name: g, literals: [a=b, c], files: [a.yaml, k=b.yaml], envs: [b.yaml]}]",
    "secretGenerator: [{name: g, behavior: merge, literals: ['a=\\x00']}]",
    "generatorOptions: {disableNameSuffixHash: true, labels: {a: b}}",
    "patches: [{path: p.yaml}, {path: p.yaml, target: {kind: 'Dep.*', name: '${A}'}}]",
    "patches: [{patch: '[{op: add, path: /spec/x/-, value: [1]}]', target: {labelSelector: 'a in (b'}}]",
    "patches: [{patch: '{kind: Deployment, metadata: {name: web}, spec: {$patch: replace}}', \
     target: {kind: Deployment}, options: {allowKindChange: true}}]",
    "patchesStrategicMerge: [p.yaml, '{a: b}']",
    "patchesJson6902: [{target: {version: v1, kind: Service, name: web}, path: p.yaml}]",
    "replacements: [{source: {kind: Service, fieldPath: metadata.name, options: {delimiter: e, index: 9}}, \
     targets: [{select: {kind: Deployment}, fieldPaths: ['spec.*.[name=x].y', 'a.-.b'], \
     options: {create: true}}]}]",
    "vars: [{name: V, objref: {kind: Service, name: web, apiVersion: v1}, fieldref: {fieldpath: 'spec[0'}}]",
    "configurations: [conf.yaml]",
    "transformers: [conf.yaml, p.yaml]",
    "generators: [p.yaml]",
    "validators: [a.yaml]",
    "openapi: {path: a.yaml}",
    "buildMetadata: [originAnnotations, transformerAnnotations, managedByLabel, x]",
    "sortOptions: {order: legacy, legacySortOptions: {orderFirst: [Service]}}",
    "helmCharts: [{name: x, releaseName: y}]",
    "kind: Component",
    "apiVersion: kustomize.config.k8s.io/v1alpha1",
    "nonsense: {a: [b]}",
];

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  \
                   annotations: {a: '$(V)'}\nspec:\n  template:\n    spec:\n      containers:\n      - \
                   name: x\n        image: nginx:1\n        envFrom: [{configMapRef: {name: g}}]\n";

proptest! {
    #![proptest_config(kustomizations())]

    #[test]
    fn any_kustomization_gives_objects_or_faults(
        start in prop::sample::select(vec![FIELDS[0], FIELDS[0], ""]),
        fields in prop::collection::vec(prop::sample::select(&FIELDS[1..]), 0..5),
        inner in prop::collection::vec(prop::sample::select(FIELDS), 0..3),
        odd in prop_oneof![9 => Just(Vec::new()), 1 => soup()],
        object in prop_oneof![3 => Just(WEB.as_bytes().to_vec()), 1 => soup()],
        patch in prop_oneof![1 => Just(WEB.as_bytes().to_vec()), 2 => soup()],
    ) {
        let is_sound = !start.is_empty() && fields.is_empty() && odd.is_empty() && object == WEB.as_bytes();
        let outer = [format!("{start}\n{}\n", fields.join("\n")).into_bytes(), odd].concat();
        let inner = format!("kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n{}\n", inner.join("\n"));
        let files: &[(&str, &[u8])] = &[
            ("kustomization.yaml", &outer),
            ("c/kustomization.yaml", inner.as_bytes()),
            ("a.yaml", &object),
            ("b.yaml", b"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {a: b}}\n"),
            ("p.yaml", &patch),
            ("conf.yaml", b"nameReference: [{kind: Service, fieldSpecs: [{path: spec/*, kind: Deployment}]}]\n\
              varReference: [{path: metadata/annotations}]\nimages: [{path: spec/template/0}]\n"),
        ];
        let start = Instant::now();
        let first = run(files).map(|compiled| compiled.objects.len()).ok();
        prop_assert!(start.elapsed() < Duration::from_secs(20));
        prop_assert!(!is_sound || first == Some(2));
        prop_assert_eq!(first, run(files).map(|compiled| compiled.objects.len()).ok());
    }
}

/// As many as `PROPTEST_CASES` says.
fn kustomizations() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases.unwrap_or(300)) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_files_give_objects_or_faults(
        package in prop_oneof![9 => Just(PACKAGE.as_bytes().to_vec()), 1 => soup()],
        values in prop_oneof![2 => Just(b"a: {b: [1]}\n".to_vec()), 1 => soup()],
        schema in prop_oneof![9 => Just(b"{}".to_vec()), 1 => soup()],
        template in soup(),
        overlay in prop::option::of(soup()),
    ) {
        let mut files: Vec<(&str, &[u8])> = vec![
            ("Package.yaml", &package),
            ("values.yaml", &values),
            ("values.schema.json", &schema),
            ("templates/t.yaml", &template),
            ("templates/u.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"),
        ];
        if let Some(overlay) = &overlay {
            files.push(("overlays/o/overlay.yaml", overlay));
        }
        let start = Instant::now();
        let first = run(&files).map(|compiled| compiled.objects.len());
        prop_assert!(start.elapsed() < Duration::from_secs(20));
        let again = run(&files).map(|compiled| compiled.objects.len());
        prop_assert_eq!(first.is_ok(), again.is_ok());
    }
}
