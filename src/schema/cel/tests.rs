//! What rules of Kubernetes' documentation and of well-known definitions give.

use super::eval::evaluate;
use super::fault;
use super::syntax::parse;
use super::value::Value;
use crate::yaml::Node;
use serde_json::json;

fn check(rule: &str) -> Result<bool, String> {
    let object = Node::from(json!({
        "min": 1, "max": 5, "name": "web", "ratio": 2.5, "empty": "", "on": true,
        "list": [1, 2, 3], "words": ["b", "a"], "x-y": 1, "namespace": "n",
        "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 443}],
        "labels": {"app": "x", "tier": "y"},
    }));
    let expr = parse(rule)?;
    match evaluate(&expr, vec![("self", Value::of(&object, None))])? {
        Value::Bool(value) => Ok(value),
        other => Err(format!("it is a {}", other.type_name())),
    }
}

#[test]
fn rules_that_hold() {
    for rule in [
        "self.min <= self.max && self.max < 10",
        "!has(self.absent) || self.absent > 3",
        "has(self.absent) ? self.absent > 3 : self.on",
        "self.list.all(x, x > 0) && self.list.exists(x, x == 2) && self.list.exists_one(x, x == 3)",
        "self.list.map(x, x * 2) == [2, 4, 6] && self.list.filter(x, x > 1).size() == 2",
        "self.list.map(x, x > 1, x + 1) == [3, 4]",
        "self.ports.all(p, p.port in [80, 443]) && self.ports.exists(p, p.name == 'a')",
        "self.labels.all(k, k.size() < 10) && 'app' in self.labels && self.labels['app'] == \"x\"",
        "self.labels.all(k, v, k != v) && self.list.all(i, v, i < v)",
        "self.name.matches('^[a-z]+$') && self.name.startsWith('w') && size(self.name) == 3",
        "self.x__dash__y == 1 && self.__namespace__ == 'n'",
        "self.ratio > 2 && self.ratio == 2.5 && 7 / 2 == 3 && -7 % 3 == -1 && 2 == 2.0",
        "'a,b,c'.split(',').join('-') == 'a-b-c' && 'Tacocat'.lowerAscii() == 'tacocat'",
        "'hello'.substring(1, 3) == 'el' && 'hello'.indexOf('l') == 2 && 'x'.replace('x', 'yy') == 'yy'",
        "'%s is %d, %.1f'.format(['a', 3, 1.25]) == 'a is 3, 1.2'",
        "self.list.sum() == 6 && self.list.min() == 1 && self.list.isSorted() && !self.words.isSorted()",
        "quantity('1.5Gi').isGreaterThan(quantity('1G')) && quantity('100m').compareTo(quantity('0.1')) == 0",
        "duration('1h30m') > duration('80m') && duration('90s').getSeconds() == 90",
        "timestamp('2024-01-31T12:00:00Z') + duration('1h') == timestamp('2024-01-31T13:00:00Z')",
        "timestamp('2024-01-31T12:00:00Z').getMonth() == 0",
        "ip('10.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.2.3') && !isIP('10.0.0.256')",
        "url('https://example.com:80/a?b=c').getHostname() == 'example.com' && !isURL('no url')",
        "sets.contains([1, 2, 3], [3, 1]) && sets.intersects([1], [1, 2]) && !sets.equivalent([1], [2])",
        "self.?absent.orValue(3) == 3 && self.?name.hasValue() && optional.none().orValue('x') == 'x'",
        "cel.bind(top, self.max, top > 4 && top < 6)",
        "type(self.name) == string && int('5') == 5 && string(5) == '5' && double(2) == 2.0",
        // an error does not matter where the other side decides
        "self.absent == 1 || true",
        "!(false && self.absent == 1)",
        "r'\\d' == '\\\\d' && '''a'b''' == \"a'b\" && b'a' == bytes('a') && '\\u00e9' == 'é'",
        "0x1F == 31 && 1e3 == 1000.0 && 5u == uint(5) // a comment",
        "{'a': 1, 'b': [2]}['b'][0] == 2 && dyn([1, 'a']).size() == 2",
    ] {
        assert_eq!(check(rule), Ok(true), "{rule}");
    }
}

#[test]
fn mistakes_are_told() {
    for (rule, why) in [
        ("self.absent == 1", "no such key: absent"),
        ("self.list[7] == 1", "index out of bounds: 7"),
        ("1 / 0 == 1", "division by zero"),
        ("9223372036854775807 + 1 == 0", "integer overflow"),
        ("self.name > 1", "no such overload: _<_ applied to '(string, int)'"),
        ("nothing == 1", "undeclared reference to 'nothing'"),
        ("self.min", "it is a int"),
        ("self.min <", "mismatched input <EOF>"),
        ("self.min ) 1", "mismatched input ')'"),
        ("'open", "a text does not end"),
        ("self.name.matches('[')", "error parsing regexp: \"[\""),
    ] {
        assert_eq!(check(rule), Err(why.into()), "{rule}");
    }
}

#[test]
fn mistakes_are_told_before_there_is_an_object() {
    let schema = Node::from(json!({"type": "object", "properties": {
        "replicas": {"type": "integer"},
        "share": {"type": "number"},
        "name": {"type": "string"},
        "port": {"x-kubernetes-int-or-string": true},
        "ready-at": {"type": "string", "format": "date-time"},
        "tags": {"type": "object", "additionalProperties": {"type": "integer"}},
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "parts": {"type": "array", "items": {"type": "object",
            "properties": {"size": {"type": "integer"}, "label": {"type": "string"}}}},
    }}));
    let rule = |rule: &str| fault(&Node::from(json!({"rule": rule})), &schema, true);
    for sound in [
        "self.replicas > 1 && self.share < 2",
        "self.port == 80 || self.port == 'http'",
        "self.metadata.name.startsWith(self.name) && self.kind == 'A'",
        "self.tags.a == 1 && self.tags['b'] == 2 && self.any.what.ever",
        "self.parts.all(p, p.size > 1 && size(p.label) > 1)",
        "self.parts.filter(p, p.size > 1).map(p, p.label)[0] == 'a'",
        "self.parts.exists(i, p, i > 0 && p.size == 1)",
        "has(self.parts) ? self.parts[0].size == 1 : true",
        "self.ready__dash__at > timestamp('2024-01-01T00:00:00Z')",
        "self.tags.all(k, self.tags[k] > 1) && type(self.name) == string",
        "cel.bind(n, self.replicas, n + 1 > oldSelf.replicas)",
        "self.?name.orValue('a') == 'a' && optional.of(1).hasValue()",
        "quantity('1Gi').isGreaterThan(quantity(self.name))",
        "oldSelf == self || null == self.name",
    ] {
        assert_eq!(rule(sound), None, "{sound}");
    }
    for (rotten, why) in [
        ("self.replicsa > 1", "undefined field 'replicsa'"),
        ("has(self.b) || true", "undefined field 'b'"),
        ("self.parts.all(p, p.length > 1)", "undefined field 'length'"),
        ("self.name.first == 'a'", "type 'string' does not support field selection"),
        ("slef.name == 'a'", "undeclared reference to 'slef'"),
        (
            "self.replicas == '1'",
            "found no matching overload for '_==_' applied to '(int, string)'",
        ),
        (
            "self.share == self.replicas",
            "found no matching overload for '_==_' applied to '(double, int)'",
        ),
        (
            "self.tags.a + 'b' == 'c'",
            "found no matching overload for '_+_' applied to '(int, string)'",
        ),
        ("self.name && true", "found no matching overload for '_&&_' applied to '(string, bool)'"),
        ("self.replicas + 1", "cel expression must evaluate to a bool"),
        ("self.parts.map(p, p.size)", "cel expression must evaluate to a bool"),
    ] {
        let expected = ("rule", format!("compilation failed: {why}"));
        assert_eq!(rule(rotten), Some(expected), "{rotten}");
    }
    let told = Node::from(json!({"rule": "true", "messageExpression": "self.replicas"}));
    let why = "messageExpression compilation failed: messageExpression must evaluate to a string";
    assert_eq!(fault(&told, &schema, true), Some(("messageExpression", why.to_owned())));
}

#[test]
fn rules_without_end_are_cut() {
    let nested = "self.list.all(a, ".repeat(8) + "true" + &")".repeat(8);
    assert_eq!(check(&nested), Ok(true));
    let wide = format!("[{}].all(a, ", vec!["1"; 60].join(",")).repeat(5) + "true" + &")".repeat(5);
    assert_eq!(check(&wide), Err("operation cancelled: actual cost limit exceeded".into()));
    assert!(check(&"(".repeat(100_000)).is_err());
    assert!(check(&"!".repeat(100_000)).is_err());
    assert!(check(&format!("self{}", ".a".repeat(100_000))).is_err());
    assert!(check(&"1+".repeat(100_000)).is_err());
}
