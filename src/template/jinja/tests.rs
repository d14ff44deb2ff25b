//! Typed interpolation, faults and limits of the native engine.

use super::*;
use crate::base::diag::Diagnostic;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Renders `t.yaml` beside macros in `_m.j2`.
fn run(template: &str, macros: &str, values: &Node) -> Result<Vec<Json>, Vec<Diagnostic>> {
    let sources = Sources::new();
    let templates = [
        Template { name: "_m.j2".into(), file: sources.add("_m.j2", macros), role: Role::Macros },
        Template {
            name: "t.yaml".into(),
            file: sources.add("t.yaml", template),
            role: Role::Documents,
        },
    ];
    let files = BTreeMap::from([("a.conf".to_owned(), Bytes::from_static(b"x = 1\ny: [\n"))]);
    let facts = Facts {
        names: vec![("values", values)],
        secret: &|path| path.to_string().ends_with("password"),
        files: Arc::new(files),
    };
    let rendered = render(&templates, &facts, &sources)
        .map_err(|faults| faults.into_iter().collect::<Vec<_>>())?;
    match &rendered[0].1 {
        Output::Documents(documents) => Ok(documents.iter().map(Json::from).collect()),
        Output::Text(_) => unreachable!("the template renders documents"),
    }
}

fn values() -> Node {
    Node::from(json!({
        "flag": "yes", "octal": "0123", "number": 8080, "float": 1.5, "none": null, "off": false,
        "text": "a\n  b: c\n", "map": {"x": {"y": [1, "2"]}}, "list": ["a", "b: c"],
        "repo": "nginx", "tag": "1.10", "labels": {"app": "web"}, "password": "hunter2",
        "objects": [{"kind": "A"}, {"kind": "B"}],
    }))
}

fn check(template: &str, expected: Json) {
    let rendered = run(template, "", &values());
    assert_eq!(rendered, Ok(vec![expected]), "{template}");
}

#[test]
fn a_value_in_a_scalars_place_is_that_value() {
    check("a: {{ values.flag }}", json!({"a": "yes"}));
    check("a: {{ values.octal }}\nb: {{ values.number }}", json!({"a": "0123", "b": 8080}));
    check("a: {{ values.float }}\nb: {{ values.none }}", json!({"a": 1.5, "b": null}));
    check("a: {{ values.map }}", json!({"a": {"x": {"y": [1, "2"]}}}));
    check("a: {{ values.map.x.y }}", json!({"a": [1, "2"]}));
    check("a: {{ values.text }}\nb: 1", json!({"a": "a\n  b: c\n", "b": 1}));
    check("- {{ values.list[1] }}\n- {{ values.off }}", json!(["b: c", false]));
    check("{{ values.repo }}: 1", json!({"nginx": 1}));
    check("m:\n  <<: {{ values.labels }}\n  b: 1", json!({"m": {"app": "web", "b": 1}}));
    check("a: {{ values.number + 1 }}\nb: {{ 1 == 1 }}", json!({"a": 8081, "b": true}));
    check("a: {{ [1, {'k': none}] }}", json!({"a": [1, {"k": null}]}));
    check("a: [{{ values.repo }}, {{ values.number }}]", json!({"a": ["nginx", 8080]}));
    check("a: {{ file('a.conf') }}", json!({"a": "x = 1\ny: [\n"}));
    check("data: {{ files('*.conf') }}", json!({"data": {"a.conf": "x = 1\ny: [\n"}}));
}

#[test]
fn inside_a_longer_scalar_it_is_text() {
    check("a: {{ values.repo }}:{{ values.tag }}", json!({"a": "nginx:1.10"}));
    check("a: \"{{ values.number }}\"", json!({"a": "8080"}));
    check("a: '{{ values.map }}'", json!({"a": r#"{"x":{"y":[1,"2"]}}"#}));
    check("a: |\n  one {{ values.text }}\n  two", json!({"a": "one a\n  b: c\n\ntwo"}));
    check(
        "a: x{{ values.number }}\nb: {{ values.octal }}{{ values.octal }}",
        json!({"a": "x8080", "b": "01230123"}),
    );
    check("# {{ values.text }}\na: 1", json!({"a": 1}));
}

#[test]
fn a_list_as_a_whole_document_gives_several() {
    let rendered = run("{{ values.objects }}\n---\nkind: C\n", "", &values());
    assert_eq!(
        rendered,
        Ok(vec![json!({"kind": "A"}), json!({"kind": "B"}), json!({"kind": "C"})])
    );
}

#[test]
fn a_macro_called_as_a_whole_gives_yaml_elsewhere_text() {
    let macros = "{% macro labels(x) %}\napp: {{ x }}\nport: {{ values.number }}\n{% endmacro %}\n\
                  {% macro name(x) -%} {{ x }}-svc {%- endmacro %}\n\
                  {% macro same(x) %}{{ x }}{% endmacro %}\n\
                  {% macro wrap() %}[{{ caller() }}]{% endmacro %}";
    let check = |template: &str, expected: Json| {
        let template = format!("{{% import '_m.j2' as m %}}\n{template}");
        assert_eq!(run(&template, macros, &values()), Ok(vec![expected]), "{template}");
    };
    check("a:\n    b: {{ m.labels('0123') }}", json!({"a": {"b": {"app": "0123", "port": 8080}}}));
    check(
        "a:\n  <<: {{ m.labels('x') }}\n  c: 1",
        json!({"a": {"app": "x", "port": 8080, "c": 1}}),
    );
    check("a: {{ m.name(values.repo) }}", json!({"a": "nginx-svc"}));
    check("a: {{ m.same(values.octal) }}", json!({"a": "0123"}));
    check("a: {{ m.name(values.repo) }}.local", json!({"a": "nginx-svc.local"}));
    check("a: {{ m.name(values.repo) | upper }}", json!({"a": "NGINX-SVC"}));
    check("a: {{ m.same(values.repo) == 'nginx' }}", json!({"a": true}));
    check("a: {{ m.same(values.text) | length }}", json!({"a": 8}));
    check(
        "{% set n = m.name('x') %}a: {{ n ~ '!' }}\nb: {{ n }}",
        json!({"a": "x-svc!", "b": "x-svc"}),
    );
    check("{% if m.same('') %}a: 1{% else %}a: 2{% endif %}", json!({"a": 2}));
    check("a: {% call m.wrap() %}{{ values.number }}{% endcall %}", json!({"a": [8080]}));
    check("a: {{ m.same([]) }}\nb: {{ m.same([1]) }}", json!({"a": [], "b": [1]}));
}

#[test]
fn a_block_call_ends_its_line() {
    let macros = "{% macro of(kind) %}\nkind: {{ kind }}\nspec: {{ caller() }}\n{% endmacro %}";
    let template = "{% import '_m.j2' as m %}\n{% call m.of('A') %}\nx: {{ values.map }}\n\
                    {% endcall %}\n---\n{% call m.of('B') %}z{% endcall %}\n";
    assert_eq!(
        run(template, macros, &values()),
        Ok(vec![
            json!({"kind": "A", "spec": {"x": {"x": {"y": [1, "2"]}}}}),
            json!({"kind": "B", "spec": "z"})
        ])
    );
}

#[test]
fn captures_and_filters_see_text() {
    check(
        "{% set x %}{{ values.repo }}-x{% endset %}a: {{ x }}\nb: {{ x | upper }}\nc: {{ x | length }}",
        json!({"a": "nginx-x", "b": "NGINX-X", "c": 7}),
    );
    check("a: {% filter upper %}{{ values.repo }}{% endfilter %}", json!({"a": "NGINX"}));
    check("{% set x %}a: b{% endset %}k: {{ x }}", json!({"k": "a: b"}));
    check(
        "a: {{ values.map | to_json }}\nb: {{ values.repo | b64encode }}",
        json!({"a": r#"{"x":{"y":[1,"2"]}}"#, "b": "bmdpbng="}),
    );
    check(
        "a: {{ 'bmdpbng=' | b64decode }}\nb: {{ '[1, {a: 0123}]' | from_yaml }}",
        json!({"a": "nginx", "b": [1, {"a": 83}]}),
    );
    check(
        "a: {{ values.repo | sha256 | truncate(8, true, '') if false else 'x' | sha256 }}",
        json!({"a": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}),
    );
    check(
        "a: {{ 'x\\ny' | indent(width=1, first=true) }}\nb: {{ [values.labels] | join('-', attribute='app') }}",
        json!({"a": " x\n y", "b": "web"}),
    );
    check(
        "a: {{ '%3d' | format(1) }}\nb: {{ 'xy'.replace('x', 'z') }}\nc: {{ '-'.join(values.list) }}",
        json!({"a": "  1", "b": "zy", "c": "a-b: c"}),
    );
    check("a: {{ [1, 2, 3] | batch(2, 0) | list }}", json!({"a": [[1, 2], [3, 0]]}));
    check(
        "a: {{ 'q' | quote }}\nb: {{ values.gone | default('d') }}",
        json!({"a": "\"q\"", "b": "d"}),
    );
}

#[test]
fn lines_of_block_tags_leave_nothing_behind() {
    check(
        "a:\n  {% for x in values.list %}\n  - {{ x }}\n  {% endfor %}\nb: 1",
        json!({"a": ["a", "b: c"], "b": 1}),
    );
    check("a: |\n  1\n  {% if true %}\n  2\n  {% endif %}\n  3\n", json!({"a": "1\n2\n3\n"}));
}

fn fault(template: &str) -> String {
    let faults = run(template, "", &values()).expect_err("a fault");
    let fault = &faults[0];
    let help = fault.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{}: {fault}{help}", fault.code.trim_start_matches("wharf::"))
}

#[test]
fn faults_have_codes_and_suggestions() {
    for (template, expected) in [
        (
            "a: {{ values.tga }}",
            "template::undefined: `values.tga` is not defined (did you mean `values.tag`?)",
        ),
        (
            "a: {{ values.lables.app }}",
            "template::undefined: `values.lables` is not defined (did you mean `values.labels`?)",
        ),
        (
            "a: {{ values.map.z | upper }}",
            "template::undefined: `values.map.z` is not defined (did you mean `values.map.x`?)",
        ),
        (
            "{% if values.gone %}a: 1{% endif %}",
            "template::undefined: `values.gone` is not defined (did you mean `values.none`?)",
        ),
        (
            "a: {{ valuse.tag }}",
            "template::undefined: `valuse` is not defined (did you mean `values`?)",
        ),
        ("a: {{ tag }}", "template::undefined: `tag` is not defined"),
        (
            "a: {{ values.tag | uper }}",
            "template::unknown_name: there is no filter `uper` (did you mean `upper`?)",
        ),
        (
            "a: {{ requird(1) }}",
            "template::unknown_name: there is no function `requird` (did you mean `required`?)",
        ),
        (
            "{% for x in range(100000) %}{% for y in range(100000) %}{% endfor %}{% endfor %}",
            "template::too_long: the template takes too long to render (look for a loop that does not end)",
        ),
        (
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "template::too_deep: macros or templates lie too deep in each other (look for one that \
             calls or includes itself without end)",
        ),
        ("a: {{ 'x'.center(3) }}", "template::unknown_name: there is no method `center`"),
        ("{% include 'gone.j2' %}", "template::not_found: there is no template `gone.j2`"),
        ("{{ fail('no ports') }}", "template::fail: no ports"),
        ("a: {{ required(values.none, 'set none') }}", "template::required: set none"),
        (
            "a: {{ file('b.conf') }}",
            "template::file: there is no file `files/b.conf` in the package (did you mean `a.conf`?)",
        ),
        (
            "a: {{ range }}",
            "template::not_a_value: a function or macro is printed (call it: add `()`)",
        ),
        (
            "a: {{ '\\ue000' }}",
            "template::private_character: a printed value holds a private-use character between U+E000 and U+E003",
        ),
        (
            "{% autoescape false %}{% endautoescape %}",
            "template::autoescape: `autoescape` has no meaning here",
        ),
        ("a: {{ values.password | int }}", "template::failed: invalid operation"),
        (
            "a: {{ values.x",
            "template::syntax: the template cannot be read: unexpected end of input, expected end of \
             variable block (`{{ … }}` holds one expression; put a text in quotes)",
        ),
    ] {
        assert_eq!(fault(template), expected, "{template}");
    }
    let marked = Node::from(json!({"a": "x\u{e000}0\u{e001}"}));
    let faults = run("a: 1", "", &marked).expect_err("a refusal");
    assert_eq!(faults[0].code, "wharf::template::private_character");
}

/// Every expression, every value that it read, and the text around lead back to where they are.
#[test]
fn spans_lead_from_objects_to_templates_and_values() {
    let sources = Sources::new();
    let file = sources.add("values.yaml", "image:\n  tag: \"1\"\n  name: n\n");
    let values = yaml::parse_one(&sources, file, Dialect::Strict).expect("values");
    let text = "kind: A\nimage: {{ values.image.name }}:{{ values.image.tag }}\ntag: {{ values.image.tag }}\n";
    let templates = [Template {
        name: "t.yaml".into(),
        file: sources.add("t.yaml", text),
        role: Role::Documents,
    }];
    let facts =
        Facts { names: vec![("values", &values)], secret: &|_| false, files: Arc::default() };
    let rendered = render(&templates, &facts, &sources).expect("a document");
    let Output::Documents(documents) = &rendered[0].1 else { panic!("documents") };
    let places = |key: &str| -> Vec<String> {
        let node = documents[0].get(key).expect("a key");
        sources
            .origins(node.span)
            .into_iter()
            .filter_map(|span| Some(format!("{} {}", sources.place(span)?, sources.slice(span)?)))
            .collect()
    };
    assert_eq!(places("kind"), ["t.yaml:1:7 A"]);
    assert_eq!(places("image"), ["t.yaml:2:11 values.image.name", "values.yaml:3:9 n"]);
    assert_eq!(places("tag"), ["t.yaml:3:9 values.image.tag", "values.yaml:2:8 \"1\""]);
}

fn any_json() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        "[ -~\n\t]{0,12}",
        "\\PC{0,8}",
        Just("- a".to_owned()),
        Just("a: b".to_owned()),
        Just("*x".to_owned()),
        Just("{{ x }}".to_owned()),
        Just("---\nkind: B".to_owned()),
        Just("~".to_owned()),
        Just("<<".to_owned()),
        Just("!!int 3".to_owned()),
        Just("\"".to_owned()),
    ]
    .prop_filter("private characters are refused", |text: &String| !marker::is_in(text));
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-1e9f64..1e9).prop_map(Json::from),
        text.clone().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(text.clone(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is printed in a scalar's place comes back as the same value, wherever that is.
    #[test]
    fn any_value_survives(value in any_json()) {
        let values = Node::from(json!({"v": value}));
        for template in ["a: {{ values.v }}\nb: 1\n", "b: 1\na:   {{ values.v }}   # c\n", "{a: {{ values.v }}, b: 1}"] {
            prop_assert_eq!(run(template, "", &values), Ok(vec![json!({"a": value, "b": 1})]));
        }
        let template = "{% import '_m.j2' as m %}\na: {{ m.same(values.v) }}\nb: 1\n";
        let rendered = run(template, "{% macro same(x) %}{{ x }}{% endmacro %}", &values);
        prop_assert_eq!(rendered, Ok(vec![json!({"a": value, "b": 1})]));
    }

    /// No text changes what stands around it, in any kind of scalar.
    #[test]
    fn no_text_changes_the_structure(text in "\\PC{0,12}|[ -~\n]{0,12}") {
        prop_assume!(!marker::is_in(&text));
        let values = Node::from(json!({"v": text}));
        for (template, before, after) in [
            ("a: x{{ values.v }}y\nb: 1\n", "x", "y"),
            ("a: \"x{{ values.v }}y\"\nb: 1\n", "x", "y"),
            ("a: 'x{{ values.v }}y'\nb: 1\n", "x", "y"),
            ("a: |-\n  x{{ values.v }}y\nb: 1\n", "x", "y"),
            ("a: >-\n  x{{ values.v }}y\nb: 1\n", "x", "y"),
            ("{a: x{{ values.v }}y, b: 1}", "x", "y"),
        ] {
            let expected = json!({"a": format!("{before}{text}{after}"), "b": 1});
            prop_assert_eq!(run(template, "", &values), Ok(vec![expected]), "{}", template);
        }
        let key = json!({"m": {format!("x{text}y"): 1}});
        prop_assert_eq!(run("m:\n  x{{ values.v }}y: 1\n", "", &values), Ok(vec![key]));
    }
}
