//! The chart that the vectors were made with.

use super::super::engine::{Job, Options, RenderError, Rendered, Set, Source, render};
use super::super::objects::{BuildInfo, Capabilities, KubeVersion, VALUES, files};
use super::super::value::{Entries, Map, Object, Text, Value};
use super::super::world::{Random, World};
use crate::yaml::Node;
use std::cell::RefCell;
use std::rc::Rc;

/// The outside of a test: a fixed time, and randomness that is none.
pub(super) fn world() -> World {
    struct Counter(u64);
    impl Random for Counter {
        fn fill(&mut self, bytes: &mut [u8]) {
            for byte in bytes {
                self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (self.0 >> 56) as u8;
            }
        }
    }
    World {
        now: 1_700_000_000_000_000_000,
        zone: "UTC".to_owned(),
        random: RefCell::new(Box::new(Counter(1))),
        cluster: None,
        resolve: None,
    }
}

/// Renders files of the chart `t`, by their names in its `templates`.
pub(super) fn render_chart(
    templates: &[(String, String)],
    values: &Node,
) -> Result<Vec<Rendered>, RenderError> {
    render_within(templates, values, &Options::default())
}

/// Renders files of the chart with options.
pub(super) fn render_within(
    templates: &[(String, String)],
    values: &Node,
    options: &Options,
) -> Result<Vec<Rendered>, RenderError> {
    let name = |file: &str| Text::from(format!("t/templates/{file}"));
    let sources: Vec<Source> = templates
        .iter()
        .map(|(file, text)| Source { name: name(file), text: text.as_str().into() })
        .collect();
    let data = data(values);
    let jobs: Vec<Job> = templates
        .iter()
        .map(|(file, _)| Job {
            name: name(file),
            data: data.clone(),
            base_path: "t/templates".into(),
        })
        .collect();
    render(&Set::parse(&sources)?, &jobs, &world(), options)
}

fn data(values: &Node) -> Map {
    let values = match Value::from_node(values) {
        Value::Map(map) => map.typed(&VALUES),
        _ => Map::new(&VALUES, Entries::new()),
    };
    Map::any(Entries::from([
        ("Values".into(), Value::Map(values)),
        ("Chart".into(), chart()),
        ("Release".into(), release()),
        ("Capabilities".into(), capabilities()),
        ("Files".into(), chart_files()),
        ("Subcharts".into(), Value::map(Entries::new())),
    ]))
}

fn release() -> Value {
    Value::map(Entries::from([
        ("Name".into(), Value::text("rel")),
        ("Namespace".into(), Value::text("ns")),
        ("IsUpgrade".into(), Value::Bool(false)),
        ("IsInstall".into(), Value::Bool(true)),
        ("Revision".into(), Value::int(1)),
        ("Service".into(), Value::text("Helm")),
    ]))
}

fn chart() -> Value {
    let nothing = || Value::list(Vec::new());
    Value::map(Entries::from([
        ("APIVersion".into(), Value::text("v2")),
        ("Annotations".into(), Value::NilOf(&super::super::go_type::STRING_MAP)),
        ("AppVersion".into(), Value::text("4.5.6")),
        ("Condition".into(), Value::text("")),
        ("Dependencies".into(), nothing()),
        ("Deprecated".into(), Value::Bool(false)),
        ("Description".into(), Value::text("A chart")),
        ("Home".into(), Value::text("")),
        ("Icon".into(), Value::text("")),
        ("IsRoot".into(), Value::Bool(true)),
        ("Keywords".into(), Value::list(vec![Value::text("one"), Value::text("two")])),
        ("KubeVersion".into(), Value::text(">=1.20.0-0")),
        ("Maintainers".into(), nothing()),
        ("Name".into(), Value::text("t")),
        ("Sources".into(), nothing()),
        ("Tags".into(), Value::text("")),
        ("Type".into(), Value::text("application")),
        ("Version".into(), Value::text("1.2.3")),
    ]))
}

fn capabilities() -> Value {
    let text = str::to_owned;
    let object: Rc<dyn Object> = Rc::new(Capabilities {
        kube_version: KubeVersion {
            version: text("v1.33.1"),
            normalized: text("v1.33.1"),
            major: text("1"),
            minor: text("33"),
        },
        api_versions: vec![
            text("v1"),
            text("apps/v1"),
            text("batch/v1"),
            text("networking.k8s.io/v1"),
            text("networking.k8s.io/v1/Ingress"),
        ],
        helm_version: BuildInfo {
            version: text("v4.3.1"),
            git_commit: text("c0ffee"),
            git_tree_state: text("clean"),
            go_version: text("go1.26.8"),
            kube_client_version: text("v1.37"),
        },
    });
    Value::Object(object)
}

fn chart_files() -> Value {
    let text = |name: &str, content: &str| (Text::from(name), Text::from(content));
    files([
        text("a.txt", "alpha\nbeta\n"),
        text("nl.txt", "no newline at end"),
        text("empty.txt", ""),
        text("conf/one.ini", "[one]\nkey = value\n"),
        text("conf/two.ini", "[two]\nother: \"x\"\n"),
        text("conf/deep/tre.ini", "3\n"),
        text("conf/x.json", r#"{"k":[1,2.5,"s"],"n":null}"#),
        ("bin.dat".into(), [0u8, 1, 0xfe, 0xff].as_slice().into()),
    ])
}
