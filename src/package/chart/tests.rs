//! Charts and values against what Helm 4.3.1 makes of them.

use super::*;
use crate::base::path::SafePath;
use crate::base::source::Sources;
use crate::base::tree::FileTree;
use crate::template::gotmpl::{Map, Value};
use crate::yaml::{Node, json};

/// The coalesced values as JSON, or Helm's text.
fn run(files: &[(&str, &str)], user: &str) -> Result<String, String> {
    let mut tree = FileTree::new("t");
    for (name, text) in files {
        tree.insert(SafePath::parse(name).unwrap(), (*text).to_owned());
    }
    let sources = Sources::new();
    let mut chart = load(&tree, &sources).map_err(|fault| fault.message)?;
    let missing = missing(&chart);
    if !missing.is_empty() {
        let names: Vec<_> = missing.into_iter().map(|(name, _)| name).collect();
        let names = names.join(", ");
        return Err(format!("found in Chart.yaml, but missing in charts/ directory: {names}"));
    }
    let user = read_values("u", user.as_bytes(), &sources).map_err(|fault| fault.text)?;
    let Value::Map(user) = Value::from_node(&user) else { panic!("values are a map") };
    settle(&mut chart, &user, &mut Vec::new())?;
    let values = coalesce::coalesce(&chart, &user, &mut Vec::new())?;
    Ok(json::go_string(&node(&values)))
}

fn node(map: &Map) -> Node {
    let of = |value: &Value| match value {
        Value::Map(map) => node(map),
        Value::Nil => Node::NULL,
        Value::Bool(bool) => (*bool).into(),
        Value::Float(float, _) => (*float).into(),
        Value::Text(text) => Node::from(&*text.lossy()),
        Value::List(items) => {
            let items = items.iter().map(|item| match item {
                Value::Float(float, _) => Node::from(*float),
                other => panic!("{other:?} is in no case"),
            });
            Node::from(items.collect::<Vec<_>>())
        }
        other => panic!("{other:?} is in no case"),
    };
    let entries = map.entries();
    let nodes = entries.iter().map(|(key, value)| (key.lossy().into_owned(), of(value)));
    Node::from(nodes.collect::<crate::yaml::Map>())
}

fn check(files: &[(&str, &str)], user: &str, expected: &str) {
    let found = run(files, user).unwrap_or_else(|text| text);
    let expected = expected.rsplit("missing dependencies: ").next().unwrap_or(expected);
    assert_eq!(found, expected, "{files:?} with {user:?}");
}

#[test]
fn values_merge_as_helm_merges_them() {
    // the user wins, maps merge, lists are replaced
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "x: {p: 1, q: [1, 2]}\ny: 1\n"),
        ],
        "x: {q: [3]}\nz: 2\n",
        r#"{"true":1,"x":{"p":1,"q":[3]},"z":2}"#,
    );
    // a null takes away what is below
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "x: {p: 1, q: 2}\ny: 1\nn:\nm: {na: }\n"),
        ],
        "x: {q: }\ny:\nz:\nw: {v: }\n",
        r#"{"m":{},"w":{"v":null},"x":{"p":1},"z":null}"#,
    );
    // a null of the chart is dropped, also in maps
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "x: {p: , r: {s: , t: 1}}\ny:\n"),
        ],
        "x: {q: 1, r: {u: }}\n",
        r#"{"x":{"q":1,"r":{"t":1,"u":null}}}"#,
    );
    // a map against something else
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "x: {p: 1}\ny: 1\nz: {a: {b: 1}}\n"),
        ],
        "x: 5\ny: {q: 1}\nz: {a: 2}\n",
        r#"{"true":{"q":1},"x":5,"z":{"a":2}}"#,
    );
    // values of a chart inside
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "b: {x: 1, ya: {z: 1}}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "x: 2\ny: {z: 2, w: 3}\nv: 4\n"),
        ],
        "b: {ya: {w: 5}}\n",
        r#"{"b":{"global":{},"true":{"w":3,"z":2},"v":4,"x":1,"ya":{"w":5,"z":1}}}"#,
    );
    // nulls for a chart inside
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "b: {x: , ya: {z: }}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "x: 2\ny: {z: 2, w: 3}\nv: 4\nn:\n"),
        ],
        "b: {v: , ya: {w: }}\n",
        r#"{"b":{"global":{},"true":{"w":3,"z":2},"ya":{"w":null,"z":null}}}"#,
    );
    // a chart whose values are no map
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "b: 5\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
        ],
        "",
        "type mismatch on b: %!t(float64=5)",
    );
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "b: [x, true, {k: 1}, null]\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
        ],
        "",
        "type mismatch on b: [%!t(string=x) true map[%!t(string=k):%!t(float64=1)] <nil>]",
    );
    // globals go down
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "global: {p: 1, m: {x: 1}}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "global: {p: 2, q: 3, m: {ya: 2}}\n"),
        ],
        "global: {r: 4}\nb: {global: {s: 5, p: 6}}\n",
        r#"{"b":{"global":{"m":{"x":1,"ya":2},"p":1,"q":3,"r":4,"s":5}},"global":{"m":{"x":1},"p":1,"r":4}}"#,
    );
    // what is deep in globals is one map
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "global: {m: {d: {x: 1}}}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "global: {m: {d: {ya: 2}, e: 3}}\n"),
            ("charts/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ],
        "",
        r#"{"b":{"global":{"m":{"d":{"x":1,"ya":2},"e":3}}},"c":{"global":{"m":{"d":{"x":1,"ya":2}}}},"global":{"m":{"d":{"x":1,"ya":2}}}}"#,
    );
    // globals that are no map
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "global: 1\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "global: {x: 1}\n"),
        ],
        "",
        r#"{"b":{"global":{"x":1}},"global":1}"#,
    );
    // a null in globals
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "global: {x: 1, m: {ya: 1}}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "global: {x: 2, m: {ya: 3}}\n"),
        ],
        "global: {x: , m: {ya: }}\n",
        r#"{"b":{"global":{"m":{"ya":3},"x":2}},"global":{"m":{}}}"#,
    );
}

#[test]
fn a_line_break_that_lacks_at_the_end_is_added() {
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "a: |\n  b"),
        ],
        "c: |\n  d",
        r#"{"a":"b\n","c":"d\n"}"#,
    );
}

#[test]
fn dependencies_are_settled_as_helm_settles_them() {
    // a condition turns a chart off
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\", condition: b.enabled}\n- {name: c, version: \">=1.0.0\", condition: \"c.on,c.enabled\"}\n",
            ),
            ("values.yaml", "b: {enabled: false}\nc: {enabled: true}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "x: 1\n"),
            ("charts/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            ("charts/c/values.yaml", "x: 1\n"),
        ],
        "",
        r#"{"b":{"enabled":false},"c":{"enabled":true,"global":{},"x":1}}"#,
    );
    // a condition counts more than tags
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\", condition: b.enabled, tags: [t]}\n- {name: c, version: \">=1.0.0\", tags: [t, u]}\n- {name: d, version: \">=1.0.0\", tags: [t]}\n",
            ),
            ("values.yaml", "b: {enabled: true}\ntags: {t: false, u: true}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            ("charts/d/Chart.yaml", "apiVersion: v2\nname: d\nversion: 1.0.0\n"),
        ],
        "",
        r#"{"b":{"enabled":true,"global":{}},"c":{"global":{}},"tags":{"t":false,"u":true}}"#,
    );
    // a chart under two names
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\", alias: one}\n- {name: b, version: \">=1.0.0\", alias: two}\n",
            ),
            ("values.yaml", "one: {x: 5}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "x: 1\n"),
        ],
        "two: {ya: 2}\n",
        r#"{"one":{"global":{},"x":5},"two":{"global":{},"x":1,"ya":2}}"#,
    );
    // values that are exported
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\", import-values: [data, none]}\n",
            ),
            ("values.yaml", "x: {p: 1}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "exports: {data: {x: {p: 2, q: 3}, ya: 4}}\n"),
        ],
        "",
        r#"{"b":{"exports":{"data":{"x":{"p":2,"q":3},"ya":4}},"global":{}},"x":{"p":1,"q":3},"ya":4}"#,
    );
    // values from a path to a path
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\", import-values: [{child: d.e, parent: m.n}, {child: f, parent: .}, {child: g}]}\n",
            ),
            ("values.yaml", "m: {na: {k: 0}}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "d: {e: {k: 1, l: 2}}\nf: {o: 1}\ng: {h: 1}\n"),
        ],
        "",
        r#"{"\u003cnil\u003e":{"h":1},"b":{"d":{"e":{"k":1,"l":2}},"f":{"o":1},"g":{"h":1},"global":{}},"m":{"n":{"k":1,"l":2},"na":{"k":0}},"o":1}"#,
    );
    // imports, and the user
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\", import-values: [data]}\n",
            ),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "exports: {data: {ya: 4, z: 5}}\n"),
        ],
        "ya: 6\nz:\n",
        r#"{"b":{"exports":{"data":{"ya":4,"z":5}},"global":{}},"ya":6}"#,
    );
    // imports through two charts
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\", import-values: [data]}\n",
            ),
            (
                "charts/b/Chart.yaml",
                "apiVersion: v2\nname: b\nversion: 1.0.0\ndependencies:\n- {name: c, version: \">=1.0.0\", import-values: [{child: v, parent: exports.data}]}\n",
            ),
            ("charts/b/charts/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            ("charts/b/charts/c/values.yaml", "v: {deep: 1}\n"),
        ],
        "",
        r#"{"b":{"c":{"global":{},"v":{"deep":1}},"exports":{"data":{"deep":1}},"global":{}},"deep":1}"#,
    );
    // nulls of the chart where it imports
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\", import-values: [data]}\n",
            ),
            ("values.yaml", "n:\nm: {k: }\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "exports: {data: {na: 1, m: {k: 2}, o: }}\nq:\n"),
        ],
        "",
        r#"{"b":{"exports":{"data":{"m":{"k":2},"na":1}},"global":{}},"m":{},"na":1}"#,
    );
    // a chart inside a chart turned off by its own values
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\"}\n",
            ),
            (
                "charts/b/Chart.yaml",
                "apiVersion: v2\nname: b\nversion: 1.0.0\ndependencies:\n- {name: c, version: \">=1.0.0\", condition: c.enabled}\n",
            ),
            ("charts/b/values.yaml", "c: {enabled: false}\n"),
            ("charts/b/charts/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            ("charts/b/charts/c/values.yaml", "x: 1\n"),
        ],
        "",
        r#"{"b":{"c":{"enabled":false},"global":{}}}"#,
    );
    // a version that does not suit leaves a chart as it is
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \"2.x\", alias: z}\n",
            ),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "x: 1\n"),
        ],
        "",
        r#"{"b":{"global":{},"x":1}}"#,
    );
    // a dependency that is missing
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\"}\n- {name: c, version: \">=1.0.0\"}\n",
            ),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
        ],
        "",
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: c",
    );
    // requirements.yaml of version 1
    check(
        &[
            ("Chart.yaml", "apiVersion: v1\nname: a\nversion: 1.0.0\n"),
            ("requirements.yaml", "dependencies:\n- {name: b, version: \">=1.0.0\", alias: z}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "x: 1\n"),
        ],
        "",
        r#"{"z":{"global":{},"x":1}}"#,
    );
    // a chart that is none
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "x: 1\n"),
        ],
        "",
        "error unpacking subchart b in a: Chart.yaml file is missing",
    );
}

#[test]
fn faults_of_charts_have_helms_texts() {
    // a file among charts
    check(
        &[("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"), ("charts/README.md", "x\n")],
        "",
        "error unpacking subchart README.md in a: Chart.yaml file is missing",
    );
    // charts that are passed over
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("charts/_b/values.yaml", "x: 1\n"),
            ("charts/.b/x", "y\n"),
        ],
        "",
        "{}",
    );
    // values in several documents
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "---\nx: {p: 1}\n---\nx: {q: 2}\n"),
        ],
        "ya: 1\n--- # c\ny: 2\n",
        r#"{"true":2,"x":{"p":1,"q":2},"ya":1}"#,
    );
    // values that are no map
    check(
        &[("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"), ("values.yaml", "- 1\n")],
        "",
        "cannot load values.yaml: cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}",
    );
    // values that are no YAML
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "a: 1\nb: {\n"),
        ],
        "",
        "cannot load values.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: line 2: did not find expected node content",
    );
    // a separator with text behind
    check(
        &[
            ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            ("values.yaml", "a: 1\n--- b\n"),
        ],
        "",
        "cannot load values.yaml: error reading yaml document: invalid Yaml document separator: b",
    );
    // aliased twice, what is inside is settled once
    check(
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: \">=1.0.0\", alias: one}\n- {name: b, version: \">=1.0.0\", alias: two}\n",
            ),
            ("values.yaml", "one: {d: {c: {enabled: false}}}\ntwo: {d: {c: {enabled: true}}}\n"),
            (
                "charts/b/Chart.yaml",
                "apiVersion: v2\nname: b\nversion: 1.0.0\ndependencies:\n- {name: d, version: \">=1.0.0\"}\n",
            ),
            (
                "charts/b/charts/d/Chart.yaml",
                "apiVersion: v2\nname: d\nversion: 1.0.0\ndependencies:\n- {name: c, version: \">=1.0.0\", condition: c.enabled}\n",
            ),
            ("charts/b/charts/d/charts/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            ("charts/b/charts/d/charts/c/values.yaml", "x: 1\n"),
        ],
        "",
        r#"{"one":{"d":{"c":{"enabled":false},"global":{}},"global":{}},"two":{"d":{"c":{"enabled":true,"global":{},"x":1},"global":{}},"global":{}}}"#,
    );
}
