//! Trees are written as they were read, but for indentation.

use super::Tree;
use proptest::prelude::*;

fn check(text: &str, expected: &str) {
    let document = Tree::parse(text).expect(text).expect("a document");
    assert_eq!(document.encode(), expected, "{text}");
}

#[test]
fn comments_quotes_and_anchors_stay() {
    for text in [
        "# head\na: 1 # line\n# between\nb:\n- 'x'\n# foot\n",
        "a: &x\n  b: \"1\" # c\nc: *x\nd:\n  !!merge <<: *x\n",
        "a: |\n  x\n   y\nb: >-\n  folded\n\n  text\nc: [1, {k: v}]\nd: !custom x\n",
        "? [a]\n: b\n",
    ] {
        check(text, text);
    }
    check("a:\n    - b\n    -   c: 1\n        d:  2\n", "a:\n- b\n- c: 1\n  d: 2\n");
    check("{a: , b: 2024-01-01T00:00:00Z}", "{a: '', b: '2024-01-01T00:00:00Z'}\n");
}

#[test]
fn faults_have_the_words_and_lines_of_kustomize() {
    let fault = |text: &str| super::build_fault(text);
    let twice = "yaml: unmarshal errors:\n  line 4: mapping key \"x\" already defined at line 2";
    assert_eq!(fault("a:\n  x: 1\n\n  y: 2\n  x: 3\n").as_deref(), Some(twice));
    assert_eq!(
        fault("a: {1: x}\n").as_deref(),
        Some("json: unsupported type: map[interface {}]interface {}")
    );
    assert_eq!(fault("a: 1\n"), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(text in "([a-c0-1:\\-\\[\\]{},#&*!|>'\" \n]|: |- |\n  ){0,60}") {
        if let Ok(Some(document)) = Tree::parse(&text) {
            let written = document.encode();
            let _ = super::build_fault(&text);
            let _ = super::refolded(&written);
        }
    }
}
