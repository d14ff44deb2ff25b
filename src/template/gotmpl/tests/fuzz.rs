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
}
