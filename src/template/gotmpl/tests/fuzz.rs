//! No text makes the lexer, the parser or the evaluator panic or hang. `PROPTEST_CASES` says how
//! many texts are tried.

use super::super::syntax::parse;
use super::super::value::Text;
use super::super::{funcs, stack};
use super::fixture::render_chart;
use crate::yaml::Node;
use proptest::prelude::*;
use serde_json::json;

/// Words of the language, and things that stand for values.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{/*",
    "*/}}",
    "(",
    ")",
    "|",
    ".",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    " ",
    "\n",
    "\"a\"",
    "`b`",
    "'c'",
    "1",
    "-1.5e3",
    "0x1p-2",
    "1i",
    "nil",
    "true",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "\"d\"",
    ".Values",
    ".a",
    ".l",
    ".m",
    ".Values.l",
    ".Values.m",
    "eq",
    "and",
    "or",
    "not",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "\"%v %5.2f %x %q\"",
    "call",
    "include",
    "tpl",
    "\"{{ . }}\"",
    "default",
    "dict",
    "list",
    "set",
    "get",
    "merge",
    "toYaml",
    "fromYaml",
    "toJson",
    "nindent",
    "trunc",
    "regexReplaceAll",
    "\"(a|b)+\"",
    "until",
    "int",
    "add",
    "sortAlpha",
    "uniq",
    "required",
    "text",
    "\\",
    "\"",
    "é",
    "\u{0}",
    "😀",
];

fn text() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(WORDS), 0..40);
    prop_oneof![
        words.prop_map(|words| words.concat()),
        prop::collection::vec(prop::sample::select(WORDS), 1..12)
            .prop_map(|words| format!("{{{{ {} }}}}", words.join(" "))),
        any::<String>(),
    ]
}

/// What stands where a value may.
const OPERANDS: &[&str] = &[
    "nil",
    "true",
    "0",
    "1",
    "-1",
    "3",
    "1.5",
    "-0.0",
    "1e308",
    "'é'",
    "9223372036854775807",
    "-9223372036854775808",
    "\"\"",
    "\"a\"",
    "\"A-b_c d\"",
    "\"é😀\\xff\"",
    "\"1.2.3-rc.1\"",
    "\">=1.2 <2 || ^3.x\"",
    "\"2024-02-30T25:61:00Z\"",
    "\"1h3m-\"",
    "\"a: [1, {b: &x c}]\\nd: *x\"",
    "\"{\\\"a\\\": [1e400, null]}\"",
    "\"[a.b]\\nc = [1, 'x']\"",
    "\"(a|b)*?[^c]{2,}$\"",
    "\"https://u:p@h:1/p?q#f\"",
    "\"%[2]*.[1]*f %-5q %U %T %x\"",
    "\"{{ .Values | toYaml | nindent 2 }}\"",
    ".",
    "$",
    ".Values",
    ".Values.a",
    ".Values.l",
    ".Values.m.k",
    ".Values.none.deeper",
    ".Chart",
    ".Capabilities.APIVersions",
    ".Files",
    "$x",
    "(list 1 \"b\" nil (dict \"k\" 2))",
    "(dict \"a\" (list) \"b\" 1)",
];

/// Calls whose work is measured, on purpose, in whole seconds.
const SLOW: &[&str] = &["bcrypt", "htpasswd", "derivePassword"];

fn operation() -> impl Strategy<Value = String> {
    let names: Vec<_> =
        funcs::names().filter(|name| !name.starts_with("gen") && !SLOW.contains(name)).collect();
    let operand = prop::sample::select(OPERANDS).prop_map(str::to_owned);
    operand.prop_recursive(3, 12, 4, move |inner| {
        let call =
            (prop::sample::select(names.clone()), prop::collection::vec(inner.clone(), 0..4));
        prop_oneof![
            6 => call.clone().prop_map(|(name, args)| format!("({name} {})", args.join(" "))),
            1 => (inner, call).prop_map(|(first, (name, args))| {
                format!("({first} | {name} {})", args.join(" "))
            }),
        ]
    })
}

/// Templates that parse, of any functions with any arguments.
fn template() -> impl Strategy<Value = String> {
    operation().prop_map(|it| format!("{{{{ {it} }}}}")).prop_recursive(2, 8, 3, |inner| {
        let body = prop::collection::vec(inner, 1..3).prop_map(|parts| parts.concat());
        (operation(), body, 0..5_usize).prop_map(|(it, body, form)| match form {
            0 => format!("{{{{ if {it} }}}}{body}{{{{ else }}}}-{{{{ end }}}}"),
            1 => format!("{{{{ with {it} }}}}{body}{{{{ end }}}}"),
            2 => format!("{{{{ range $i, $x := {it} }}}}{body}{{{{ if $i }}}}{{{{ break }}}}{{{{ end }}}}{{{{ end }}}}"),
            3 => format!("{{{{ $x = {it} }}}}{body}"),
            _ => format!("{{{{ template \"d\" {it} }}}}{body}"),
        })
    })
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases.unwrap_or(300)) }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn parses(bytes in prop::collection::vec(any::<u8>(), 0..200), text in text()) {
        for text in [Text::from(bytes.as_slice()), Text::from(text.as_str())] {
            let _ = parse(&"x".into(), &text, funcs::find);
        }
    }

    #[test]
    fn what_was_parsed_is_written_so_that_it_parses(text in text()) {
        if let Ok(templates) = parse(&"x".into(), &text.as_str().into(), funcs::find) {
            for template in &templates {
                let _ = template.body.to_string();
            }
        }
    }

    #[test]
    fn renders(text in text()) {
        let values = Node::from(json!({"a": 1, "l": [1, "b", null], "m": {"k": {"x": true}}}));
        let also = "{{ define \"d\" }}{{ . }}{{ end }}".to_owned();
        let files = [("x.yaml".to_owned(), text), ("_d.tpl".to_owned(), also)];
        stack::with_room(|| { let _ = render_chart(&files, &values); });
    }

    #[test]
    fn any_call_ends(text in template()) {
        let values = Node::from(json!({"a": 1, "l": [1, "b", null], "m": {"k": {"x": true}}}));
        let also = "{{ define \"d\" }}{{ . }}{{ end }}".to_owned();
        let files = [("x.yaml".to_owned(), format!("{{{{ $x := 1 }}}}{text}")), ("_d.tpl".to_owned(), also)];
        let start = std::time::Instant::now();
        stack::with_room(|| { let _ = render_chart(&files, &values); });
        prop_assert!(start.elapsed().as_secs() < 60);
    }
}
