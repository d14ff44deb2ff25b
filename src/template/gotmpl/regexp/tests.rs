//! Patterns against what Go's regexp finds.

use super::{automaton, compile, must_compile};
use crate::template::gotmpl::value::Text;

#[test]
fn automatons_read_patterns_as_go_does() {
    let names = automaton("^(?:${NAME}-a{,3})$").expect("braces that count nothing are texts");
    assert!(!names.is_match("${NAME}-a{,3}"), "the dollar is an end");
    assert!(automaton(r"^\${NAME}$").expect("a pattern").is_match("${NAME}"));
    let fault = automaton("a{1001}").expect_err("too many");
    assert_eq!(fault, "error parsing regexp: invalid repeat count: `{1001}`");
}

/// The expected results are those of Go 1.26.
#[test]
fn replaces_and_splits() {
    #[track_caller]
    fn check(pattern: &str, text: &[u8], replacement: &str, replaced: &[u8], parts: &[&str]) {
        let pattern = compile(&pattern.into()).expect("a pattern");
        let result =
            pattern.replace_all(text, replacement.as_bytes(), false).expect("a short text");
        assert_eq!(Text::from(result), Text::from(replaced), "{pattern:?}");
        let found = pattern.split(text, -1).expect("a limit");
        let found: Vec<_> = found.into_iter().map(|part| Text::from(part).to_string()).collect();
        assert_eq!(found, parts, "{pattern:?}");
    }
    check("a*", b"baac", "<$0>", b"<>b<aa>c<>", &["b", "c"]);
    check(r"\s", b"a b\x0bc", "-", b"a-b\x0bc", &["a", "b\u{b}c"]);
    check(r"\w+", "café".as_bytes(), "x", "xé".as_bytes(), &["", "é"]);
    check(r"\B", "aé".as_bytes(), "|", "aé|".as_bytes(), &["aé"]);
    check("(?i)s", "sSſ".as_bytes(), "x", b"xxx", &["", "", "", ""]);
    check("(?P<n>a)(b)?", b"ab a", "${n}$2-$nx$$", b"ab-$ a-$", &["", " ", ""]);
    check("a|ab", b"abab", "${1", b"${1b${1b", &["", "b", "b"]);
    check(r"\Qa.\E*", b"a..b", "x", b"xb", &["", "b"]);
    check(".", b"\xff\xc3", "[$0]", b"[\xff][\xc3]", &["", "", ""]);
    check("[^a]", b"\xffa", "x", b"xa", &["", "a"]);
    check("(?m)^", b"a\nb", "> ", b"> a\n> b", &["a\n", "b"]);
    check(r"[[:alpha:]&&-]\x{2d}\055", b"&--", "x", b"x", &["", ""]);
    check(r"(?U)a+", b"aa", "x", b"xx", &["", "", ""]);
    check(r"\p{^greek}\pL", "aα".as_bytes(), "x", b"x", &["", ""]);
}

#[test]
fn faults() {
    #[track_caller]
    fn check(pattern: &[u8], expected: &str) {
        let message = compile(&pattern.into()).expect_err("no pattern");
        assert_eq!(message.lossy(), format!("error parsing regexp: {expected}"));
    }
    check(b"(", "missing closing ): `(`");
    check(b"a)", "unexpected ): `a)`");
    check(b"[a", "missing closing ]: `[a`");
    check(b"[b-a]", "invalid character class range: `b-a`");
    check(b"[[:foo:]]", "invalid character class range: `[:foo:]`");
    check(b"\\p{Grek}", "invalid character class range: `\\p{Grek}`");
    check(b"*", "missing argument to repetition operator: `*`");
    check(b"(?i)*?", "missing argument to repetition operator: `*?`");
    check(b"a**", "invalid nested repetition operator: `**`");
    check(b"a{1001}", "invalid repeat count: `{1001}`");
    check(b"(a{100}){11}", "invalid repeat count: `{11}`");
    check(b"\\1", "invalid escape sequence: `\\1`");
    check(b"\\x{110000}", "invalid escape sequence: `\\x{110000`");
    check(b"\\", "trailing backslash at end of expression: ``");
    check(b"(?=a)", "invalid or unsupported Perl syntax: `(?=`");
    check(b"(?P<n-m>a)", "invalid named capture: `(?P<n-m>`");
    check(b"a\xff", "invalid UTF-8: `\u{fffd}`");
    check(&b"(".repeat(1001)[..], &format!("missing closing ): `{}`", "(".repeat(1001)));
    let deep = [b"(".repeat(1001), b")".repeat(1001)].concat();
    check(&deep, &format!("expression nests too deeply: `{}`", Text::from(deep.clone())));
    let message = must_compile(&"[`".into()).expect_err("no pattern");
    assert_eq!(
        message.lossy(),
        "regexp: Compile(\"[`\"): error parsing regexp: missing closing ]: `[``"
    );
}
