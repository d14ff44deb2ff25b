//! Verbs and flags against what Go's fmt prints.

use super::{print, quote, sprint, sprintf, sprintln};
use crate::template::gotmpl::go_type::{ANY_LIST, ANY_MAP, BYTES, UINT64};
use crate::template::gotmpl::value::{Map, Text, Value};

fn map(entries: &[(&str, Value)]) -> Value {
    Value::map(entries.iter().map(|(key, value)| (Text::from(*key), value.clone())).collect())
}

/// The expected texts are those of Go 1.26.
#[test]
fn formats() {
    #[track_caller]
    fn check(format: &str, values: &[Value], expected: &str) {
        let text = sprintf(format.as_bytes(), values).expect("nothing here is endless");
        assert_eq!(text.lossy(), expected, "{format}");
    }
    let (int, float, text) = (Value::int, Value::float, |text: &str| Value::text(text));
    check(
        "%5d|%-5d|%05d|%+d|% d|%x|%#X|%o|%O|%b",
        &[int(42), int(42), int(-42), int(42), int(42), int(255), int(255), int(8), int(8), int(5)],
        "   42|42   |-0042|+42| 42|ff|0XFF|10|0o10|101",
    );
    check(
        "%c %q %U %#U",
        &[int(0x4e16), int(65), int(0x1f600), int(0x1f600)],
        "世 'A' U+1F600 U+1F600 '😀'",
    );
    check(
        "%v %g %e %.3f %8.2f| %G %x %b",
        &[
            float(1e6),
            float(123_456.0),
            float(1234.5678),
            float(2.5),
            float(-2.5),
            float(1e-7),
            float(1.5),
            float(1.0),
        ],
        "1e+06 123456 1.234568e+03 2.500    -2.50| 1E-07 0x1.8p+00 4503599627370496p-52",
    );
    check(
        "%.0f %.0f %.0f %.1f %.2e",
        &[float(0.5), float(1.5), float(2.5), float(0.25), float(2.675)],
        "0 2 2 0.2 2.67e+00",
    );
    check(
        "%v %v %6.1f|%06.1f",
        &[float(f64::INFINITY), float(f64::NAN), float(f64::NEG_INFINITY), float(f64::INFINITY)],
        "+Inf NaN   -Inf|  +Inf",
    );
    check(
        "%s|%10s|%-10s|%.2s|%q|%x|% X|%#q|%+q",
        &[
            text("hé"),
            text("hé"),
            text("hé"),
            text("hél"),
            text("a\"\n"),
            text("hi"),
            text("hi"),
            text("a`"),
            text("é"),
        ],
        "hé|        hé|hé        |hé|\"a\\\"\\n\"|6869|68 69|\"a`\"|\"\\u00e9\"",
    );
    check(
        "%v %+v %#v",
        &[
            map(&[("b", int(1)), ("a", Value::Nil)]),
            text("x"),
            map(&[("l", Value::list([int(1), Value::Nil]))]),
        ],
        "map[a:<nil> b:1] x map[string]interface {}{\"l\":[]interface {}{1, interface {}(nil)}}",
    );
    check(
        "%d %s %d",
        &[text("hi"), int(5), Value::list([text("a"), int(1), Value::Nil])],
        "%!d(string=hi) %!s(int=5) [%!d(string=a) 1 <nil>]",
    );
    check(
        "%v %s %d %T",
        &[Value::Nil, Value::Nil, Value::Nil, Value::Nil],
        "<nil> %!s(<nil>) %!d(<nil>) <nil>",
    );
    check("%d %d", &[int(1)], "1 %!d(MISSING)");
    check("%d", &[int(1), text("x"), Value::Nil], "1%!(EXTRA string=x, <nil>)");
    check("%", &[], "%!(NOVERB)");
    check("%!|%z|%é", &[int(1), int(2), int(3)], "%!!(int=1)|%!z(int=2)|%!é(int=3)");
    check("%[2]d %[1]d %d", &[int(1), int(2)], "2 1 2");
    check("%[3]d|%[x]d|%[1]*d", &[int(1), int(2)], "%!d(BADINDEX)|%!d(BADINDEX)|2");
    check("%*d|%-*d|%.*f", &[int(4), int(1), int(4), int(1), int(1), float(2.25)], "   1|1   |2.2");
    check("%*d %.*d", &[text("x"), int(1), int(-2), int(1)], "%!(BADWIDTH)1 %!(BADPREC)1");
    check("%99999999d", &[int(1)], "%!(NOVERB)%!(EXTRA int=1)");
    check(
        "%t %5t %v %d",
        &[Value::Bool(true), Value::Bool(false), Value::Bool(true), Value::Bool(true)],
        "true false true %!d(bool=true)",
    );
    check(
        "%v %s %x %#v",
        &[
            Value::Bytes("ab".into()),
            Value::Bytes("ab".into()),
            Value::Bytes("ab".into()),
            Value::Bytes("ab".into()),
        ],
        "[97 98] ab 6162 []byte{0x61, 0x62}",
    );
    check(
        "%v %#v %v",
        &[Value::NilOf(&ANY_MAP), Value::NilOf(&ANY_LIST), Value::NilOf(&BYTES)],
        "map[] []interface {}(nil) []",
    );
    check(
        "%v %.1f",
        &[Value::Complex((1.0, -2.5).into()), Value::Complex((1.0, 2.0).into())],
        "(1-2.5i) (1.0+2.0i)",
    );
    check("%#v %#x", &[Value::Uint(255, &UINT64), Value::Uint(255, &UINT64)], "0xff 0xff");
    check("%w", &[int(1)], "%!w(int=1)");
}

#[test]
fn without_a_format() {
    let values = [Value::int(1), Value::int(2), Value::text("a"), Value::int(3), Value::Nil];
    assert_eq!(sprint(&values).expect("prints").lossy(), "1 2a3 <nil>");
    assert_eq!(sprintln(&values).expect("prints").lossy(), "1 2 a 3 <nil>\n");
    assert_eq!(sprint(&[]).expect("prints").lossy(), "");
}

#[test]
fn actions() {
    let mut out = b"> ".to_vec();
    for value in [Value::Nil, Value::float(1e6), Value::texts(["a", "b"]), Value::NilOf(&ANY_MAP)] {
        assert!(print(&mut out, &value).expect("prints"));
    }
    assert_eq!(Text::from(out).lossy(), "> <no value>1e+06[a b]map[]");
}

#[test]
fn what_has_no_end_is_refused() {
    let endless = Map::any([].into());
    endless.set("a", Value::Map(endless.clone()));
    let failure = sprint(&[Value::Map(endless.clone())]).expect_err("it holds itself");
    assert_eq!(failure.message.lossy(), "printing a value that is nested too deep or holds itself");
    endless.entries_mut().clear();
    let format = "%1000000d".repeat(100);
    let failure = sprintf(format.as_bytes(), &vec![Value::int(1); 100]).expect_err("100 MB");
    assert_eq!(failure.message.lossy(), "printed text is larger than 64 MiB");
}

#[test]
fn quotes() {
    assert_eq!(quote::quote(b"a\xff\x01\x7f\\"), r#""a\xff\x01\x7f\\""#);
    assert_eq!(
        quote::quote("\u{2028}\u{10ffff}é\u{a0}".as_bytes()),
        r#""\u2028\U0010ffffé\u00a0""#
    );
    assert!(
        quote::is_printable('\u{38c}')
            && !quote::is_printable('\u{38b}')
            && quote::is_printable(' ')
    );
}
