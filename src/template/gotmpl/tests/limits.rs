//! Templates without end: each is refused with a text, and none overflows the stack, hangs or
//! takes all memory.

use super::super::engine::{Job, Options, RenderError, Set, Source, render};
use super::super::stack;
use super::super::value::{Entries, Map, Text};
use super::fixture::world;

/// Renders one template with few steps, and tells the last line of its error.
fn refusal(template: &str) -> String {
    let options = Options { fuel: 300_000, output: 1024 * 1024, ..Options::default() };
    let result = stack::with_room(|| rendered(template, &options).map_err(|error| error.message));
    let text = result.expect_err("the template has no end").lossy().into_owned();
    let last = text.lines().last().unwrap_or_default().trim();
    last.rsplit(": ").next().unwrap_or_default().to_owned()
}

fn rendered(template: &str, options: &Options) -> Result<Text, RenderError> {
    let name = Text::from("t/templates/x.yaml");
    let set = Set::parse(&[Source { name: name.clone(), text: template.into() }])?;
    let data = Map::any(Entries::new());
    let job = Job { name, data, base_path: "t/templates".into() };
    let rendered = render(&set, &[job], &world(), options)?;
    Ok(Text::from(&rendered[0].text[..]))
}

fn check(template: &str, expected: &str) {
    let text = refusal(template);
    assert!(text.contains(expected), "{template}: {text}");
}

#[test]
fn loops() {
    let steps = "templates took more than 300000 steps";
    check("{{ range 9000000000000000000 }}{{ end }}", steps);
    check("{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}", steps);
    check("{{ range until 1000 }}{{ range until 1000 }}{{ . }}{{ end }}{{ end }}", steps);
    let large = r#"{{ $x := repeat 500000 "x" }}"#;
    check(
        &format!("{large}{{{{ range 1000000 }}}}{{{{ $y := print $x $x }}}}{{{{ end }}}}"),
        steps,
    );
    check(&format!("{large}{{{{ range 1000000 }}}}{{{{ $y := eq $x $x }}}}{{{{ end }}}}"), steps);
    check("{{ range 100000 }}0123456789abcdef{{ end }}", "rendered text is larger than 1 MiB");
}

#[test]
fn templates_of_themselves() {
    check(
        r#"{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#,
        "unable to execute template",
    );
    let both = r#"{{ define "a" }}{{ include "b" . }}{{ end }}
        {{- define "b" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#;
    check(both, "unable to execute template");
    check(
        r#"{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}"#,
        "exceeded maximum template depth",
    );
    check(
        r#"{{ $_ := set . "t" "{{ tpl .t . }}" }}{{ tpl .t . }}"#,
        "templates are nested too deep",
    );
}

#[test]
fn nested_without_a_large_stack() {
    let options = Options::default();
    let deep = |open: &str, inner: &str, close: &str, count: usize| {
        let text = [open.repeat(count), inner.to_owned(), close.repeat(count)].concat();
        rendered(&text, &options)
    };
    for count in [10, 300, 5_000, 50_000] {
        // Whatever the stack, it is a text or an error.
        let _ = deep("{{ if true }}", "x", "{{ end }}", count);
        let _ = rendered(
            &["{{ ", &"(".repeat(count), "1", &")".repeat(count), " }}"].concat(),
            &options,
        );
        let _ = deep("{{ with 1 }}{{ else }}", "x", "{{ end }}", count);
    }
}

#[test]
fn nested_as_deep_as_go_allows() {
    let nested =
        |count: usize| ["{{ ", &"(".repeat(count), "1", &")".repeat(count), " }}"].concat();
    let options = Options::default();
    stack::with_room(|| {
        let text = rendered(&nested(9_999), &options).map_err(|error| error.message);
        assert_eq!(text.expect("Go allows it"), *"1");
        let error = rendered(&nested(10_001), &options).expect_err("Go does not allow it").message;
        let expected = "parse error at (t/templates/x.yaml:1): max expression depth exceeded";
        assert_eq!(error.lossy(), expected);
    });
}

#[test]
fn deep_templates_end_on_any_thread() {
    let text = ["{{ if true }}".repeat(9_000), "x".to_owned(), "{{ end }}".repeat(9_000)].concat();
    let parens = ["{{ ", &"(".repeat(9_999), "1", &")".repeat(9_999), " }}"].concat();
    for text in [text, parens] {
        let source = Source { name: "x".into(), text: text.as_str().into() };
        let set = stack::with_room(|| Set::parse(&[source]).map_err(|error| error.message));
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        let thread = thread.spawn(move || drop(set)).expect("a thread");
        thread.join().expect("it is taken apart");
    }
}

#[test]
fn functions_that_grow() {
    let options = Options { fuel: 300_000, ..Options::default() };
    for template in [
        r#"{{ repeat 1000000000 "x" }}"#,
        r#"{{ $x := "x" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}"#,
        r"{{ $x := list 1 }}{{ range 60 }}{{ $x = concat $x $x }}{{ end }}",
        r"{{ until 1000000000 }}",
        r"{{ untilStep 0 1000000000 1 }}",
        r"{{ seq 1000000000 }}",
        r#"{{ indent 1000000000 "x" }}"#,
        r#"{{ nindent 1000000000 "x\ny" }}"#,
        r#"{{ $x := "x y" }}{{ range 60 }}{{ $x = replace "x" "xx" $x }}{{ end }}"#,
        r#"{{ $x := dict }}{{ range 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ toYaml $x }}"#,
        r#"{{ $x := dict }}{{ range 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ toJson $x }}"#,
        r#"{{ $x := dict }}{{ range 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ $x }}"#,
        r#"{{ $x := dict }}{{ range 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ deepCopy $x | len }}"#,
        r#"{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ $x }}"#,
        r#"{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ toYaml $x }}"#,
        r#"{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ deepCopy $x | len }}"#,
        r#"{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ deepEqual $x $x }}"#,
        r#"{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ merge $x $x | len }}"#,
        r"{{ randAlphaNum 1000000000 }}",
        r#"{{ printf "%1000000000d" 1 }}"#,
        r#"{{ join (repeat 100000 "y") (until 100000) | len }}"#,
        r#"{{ wrapWith 1 (repeat 10000 "z") "a b c d e f" | len }}"#,
    ] {
        // A text or an error, but soon, and without taking all memory.
        let _ = stack::with_room(|| rendered(template, &options).map_err(|error| error.message));
    }
}
