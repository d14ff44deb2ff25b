//! Templates that ask for more than any chart needs fail at their line, soon, and say why.

use super::super::engine::Options;
use super::super::stack;
use super::fixture::render_within;
use crate::yaml::Node;
use std::time::{Duration, Instant};

fn check(template: &str, expected: &str) {
    let start = Instant::now();
    let message = stack::with_room(|| {
        let files = [("x.yaml".to_owned(), template.to_owned())];
        let options = Options { fuel: 40_000_000, ..Options::default() };
        match render_within(&files, &Node::map(), &options) {
            Ok(rendered) => format!("{} bytes", rendered[0].text.len()),
            Err(error) => error.message.to_string(),
        }
    });
    assert!(message.contains(expected), "{template}: {message}");
    assert!(start.elapsed() < Duration::from_mins(1), "{template} took {:?}", start.elapsed());
}

#[test]
fn what_grows_without_end_is_refused() {
    const ITEMS: &str = "items are more than 1048576";
    const BYTES: &str = "is larger than 67108864";
    check("{{ until 1000000000 }}", ITEMS);
    check("{{ untilStep 0 9223372036854775807 1 }}", ITEMS);
    check("{{ seq 1000000000 }}", ITEMS);
    check("{{ repeat 1000000000 \"x\" }}", BYTES);
    check("{{ indent 1000000000 \"x\" }}", BYTES);
    check("{{ replace \"\" (repeat 100000 \"x\") (repeat 100000 \"y\") }}", BYTES);
    check("{{ join (repeat 100000 \"x\") (until 100000) }}", BYTES);
    check("{{ repeat 9223372036854775807 \"\" }}", "0 bytes");
    check("{{ repeat 9223372036854775807 \"ab\" }}", "Repeat output length overflow");
    check(
        "{{ $s := \"x\" }}{{ range until 60 }}{{ $s = cat $s $s }}{{ end }}",
        "error calling cat",
    );
    check(
        "{{ $s := \"x\" }}{{ range until 999 }}{{ $s = b64enc $s }}{{ end }}",
        "error calling b64enc",
    );
    check(
        "{{ $l := list 1 }}{{ range until 60 }}{{ $l = concat $l $l }}{{ end }}",
        "calling concat",
    );
}

#[test]
fn a_few_maps_that_stand_for_many_are_refused() {
    let doubled = "{{ $d := dict }}{{ range until 60 }}{{ $d = dict \"a\" $d \"b\" $d }}{{ end }}";
    for call in ["toYaml $d", "toJson $d", "toToml $d", "toYamlPretty $d", "deepCopy $d"] {
        check(&format!("{doubled}{{{{ {call} }}}}"), "steps");
    }
    let other = doubled.replace("$d", "$e");
    check(&format!("{doubled}{other}{{{{ deepEqual $d $e }}}}"), "steps");
}

#[test]
fn maps_that_hold_themselves_are_refused() {
    let itself = "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}";
    let other = itself.replace("$d", "$e").replace("$_", "$x");
    check(&format!("{itself}[{{{{ toJson $d }}}}{{{{ toYaml $d }}}}]"), "2 bytes");
    check(&format!("{itself}{{{{ mustToJson $d }}}}"), "encountered a cycle");
    check(&format!("{itself}{{{{ deepCopy $d }}}}"), "nested too deep or holds itself");
    check(&format!("{itself}{{{{ toToml $d }}}}"), "bytes");
    check(&format!("{itself}{other}{{{{ deepEqual $d $e }}}}"), "nested too deep");
    check(&format!("{itself}{other}{{{{ merge $d $e }}}}"), "nested too deep");
    check(&format!("{itself}{{{{ merge $d $d | keys }}}}"), "3 bytes");
}
