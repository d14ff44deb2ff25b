//! Rendering is linear in templates and calls; `tpl` costs its own text. The bounds are wide, since
//! machines differ: what they find is growth.

use super::super::stack;
use super::fixture::render_chart;
use crate::yaml::Node;
use serde_json::json;
use std::time::{Duration, Instant};

fn took(templates: usize, calls: usize) -> Duration {
    let mut files = vec![(
        "_helpers.tpl".to_owned(),
        "{{ define \"name\" }}{{ .Release.Name }}-{{ .Values.app.name }}{{ end }}".to_owned(),
    )];
    files.extend((0..templates).map(|file| {
        let calls: Vec<String> = (0..calls)
            .map(|call| {
                format!("  k{call}: {{{{ tpl (printf \"%s-{call}\" .Values.app.text) . }}}}\n")
            })
            .collect();
        let calls = calls.concat();
        let text =
            format!("kind: ConfigMap\nname: {{{{ include \"name\" . }}}}-{file}\ndata:\n{calls}");
        (format!("file{file}.yaml"), text)
    }));
    let values =
        json!({"app": {"name": "web", "text": "{{ .Release.Name }}/{{ .Values.app.name }}"}});
    let values = Node::from(values);
    stack::with_room(|| {
        let start = Instant::now();
        let rendered = render_chart(&files, &values).expect("the chart renders");
        assert_eq!(rendered.len(), templates);
        start.elapsed()
    })
}

#[test]
fn calls_cost_their_own_text() {
    let small = took(50, 20);
    let large = took(500, 20);
    assert!(large < small * 40, "ten times the templates took {large:?} after {small:?}");
    if let Some(count) =
        std::env::var_os("SPEED").and_then(|text| text.into_string().ok()?.parse().ok())
    {
        let time = took(count, 20);
        panic!("{count} templates with {} calls: {time:?}", 20 * count);
    }
}
