//! Schemas against what the validator in Helm 4.3.1 says.

use super::walk::Walk;
use crate::base::source::FileId;
use crate::template::gotmpl::Value;
use crate::yaml::{self, Dialect};

fn check(schema: &str, values: &str, expected: &str) {
    let document = serde_json::from_str(schema).unwrap();
    let node = yaml::parse_first(values, FileId::NONE, Dialect::GoYamlV2).unwrap();
    let found = match Walk::new(&document).run(&Value::from_node(&node)) {
        Ok(None) => String::new(),
        Ok(Some(violation)) => violation.listed(),
        Err(text) => text,
    };
    assert_eq!(found, expected, "{schema} {values}");
}

#[test]
fn violations_have_the_validators_texts() {
    check(
        r#"{"properties": {"a": {"type": "string"}}}"#,
        "a: 1\n",
        "- at '/a': got number, want string",
    );
    check(
        r#"{"properties": {"a": {"type": ["string", "null", "boolean"]}}}"#,
        "a: 1.5\n",
        "- at '/a': got number, want null or boolean or string",
    );
    check(
        r#"{"properties": {"a": {"type": "integer"}}}"#,
        "a: 1.5\n",
        "- at '/a': got number, want integer",
    );
    check(r#"{"properties": {"a": {"type": "integer"}}}"#, "a: 2.0\n", "");
    check(
        r#"{"required": ["a", "b"], "minProperties": 2}"#,
        "c: 1\n",
        "- at '': minProperties: got 1, want 2\n- at '': missing properties 'a', 'b'",
    );
    check(r#"{"required": ["a"]}"#, "c: 1\n", "- at '': missing property 'a'");
    check(
        r#"{"properties": {"a": {}}, "additionalProperties": false}"#,
        "a: 1\nb: 2\n",
        "- at '': additional properties 'b' not allowed",
    );
    check(
        r#"{"properties": {"a": {"additionalProperties": {"type": "string"}}}}"#,
        "a: {x: 1, y/z: 2}\n",
        "- at '/a/x': got number, want string\n- at '/a/y~1z': got number, want string",
    );
    check(
        r#"{"properties": {"a": {"enum": ["x", "y", 3]}}}"#,
        "a: z\n",
        "- at '/a': value must be one of 'x', 'y', 3",
    );
    check(r#"{"properties": {"a": {"enum": ["x"]}}}"#, "a: it's\n", "- at '/a': value must be 'x'");
    check(r#"{"properties": {"a": {"const": "x"}}}"#, "a: y\n", "- at '/a': value must be 'x'");
    check(r#"{"properties": {"a": {"enum": [["x"]]}}}"#, "a: y\n", "- at '/a': 'enum' failed");
    check(
        r#"{"properties": {"a": {"minimum": 5, "multipleOf": 2}}}"#,
        "a: 3\n",
        "- at '/a': minimum: got 3, want 5\n- at '/a': multipleOf: got 3, want 2",
    );
    check(
        r#"{"properties": {"a": {"maximum": 1000}}}"#,
        "a: 123456.5\n",
        "- at '/a': maximum: got 123,456.5, want 1,000",
    );
    check(
        r#"{"properties": {"a": {"exclusiveMinimum": 3, "exclusiveMaximum": 3}}}"#,
        "a: 3\n",
        "- at '/a': exclusiveMinimum: got 3, want 3\n- at '/a': exclusiveMaximum: got 3, want 3",
    );
    check(
        r#"{"properties": {"a": {"minLength": 3, "pattern": "^[a-z]+$"}}}"#,
        "a: A1\n",
        "- at '/a': minLength: got 2, want 3\n- at '/a': 'A1' does not match pattern '^[a-z]+$'",
    );
    check(
        r#"{"properties": {"a": {"maxLength": 3}}}"#,
        "a: abcd\n",
        "- at '/a': maxLength: got 4, want 3",
    );
    check(
        r#"{"properties": {"a": {"minItems": 3, "uniqueItems": true}}}"#,
        "a: [1, 1]\n",
        "- at '/a': minItems: got 2, want 3\n- at '/a': items at 0 and 1 are equal",
    );
    check(
        r#"{"properties": {"a": {"items": {"type": "string"}, "maxItems": 1}}}"#,
        "a: [x, 2, 3]\n",
        "- at '/a': maxItems: got 3, want 1\n- at '/a/1': got number, want string\n- at '/a/2': got number, want string",
    );
    check(
        r#"{"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 5}]}}}"#,
        "a: 3\n",
        "- at '/a': 'anyOf' failed\n  - at '/a': got number, want string\n  - at '/a': minimum: got 3, want 5",
    );
    check(
        r#"{"properties": {"a": {"oneOf": [{"type": "string"}, {"required": ["b"]}]}}}"#,
        "a: {}\n",
        "- at '/a': 'oneOf' failed, none matched\n  - at '/a': got object, want string\n  - at '/a': missing property 'b'",
    );
    check(
        r#"{"properties": {"a": {"oneOf": [{"type": "integer"}, {"minimum": 2}]}}}"#,
        "a: 3\n",
        "- at '/a': 'oneOf' failed, subschemas 0, 1 matched",
    );
    check(
        r#"{"properties": {"a": {"allOf": [{"minimum": 5}, {"maximum": 1}]}}}"#,
        "a: 3\n",
        "- at '/a': 'allOf' failed\n  - at '/a': minimum: got 3, want 5\n  - at '/a': maximum: got 3, want 1",
    );
    check(
        r#"{"properties": {"a": {"not": {"type": "number"}}}}"#,
        "a: 3\n",
        "- at '/a': 'not' failed",
    );
    check(
        r#"{"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}"#,
        "a: 3\n",
        "- at '': missing property 'b'",
    );
    check(
        r##"{"$defs": {"x": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/x"}, "b": {"$ref": "#/$defs/x"}}}"##,
        "a: 3\nb: 4\n",
        "- at '/a': got number, want string\n- at '/b': got number, want string",
    );
    check(
        r##"{"$defs": {"x": {"type": "object", "required": ["p"], "properties": {"q": {"type": "string"}}}}, "properties": {"a": {"$ref": "#/$defs/x"}}}"##,
        "a: {q: 1}\n",
        "- at '/a': validation failed\n  - at '/a': missing property 'p'\n  - at '/a/q': got number, want string",
    );
    check(
        r##"{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"x": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/x", "type": "number"}}}"##,
        "a: 3\n",
        "- at '/a': got number, want string",
    );
    check(
        r#"{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"format": "ipv4"}, "b": {"format": "date"}}}"#,
        "a: x\nb: \"2024-13-01\"\n",
        "- at '/a': 'x' is not valid ipv4: expected four decimals\n- at '/b': '2024-13-01' is not valid date: parsing time \"2024-13-01\": month out of range",
    );
    check(r#"{"properties": {"a": {"format": "ipv4"}}}"#, "a: x\n", "");
    check(
        r#"{"dependentRequired": {"a": ["b", "c"]}}"#,
        "a: x\n",
        "- at '': properties 'b', 'c' required, if 'a' exists",
    );
    check(
        r#"{"propertyNames": {"pattern": "^a"}}"#,
        "b: x\n",
        "- at '': invalid propertyName 'b'\n  - at '': 'b' does not match pattern '^a'",
    );
    check(
        r#"{"patternProperties": {"^a": {"type": "string"}}, "additionalProperties": false}"#,
        "a1: 1\nb: x\n",
        "- at '/a1': got number, want string\n- at '': additional properties 'b' not allowed",
    );
    check(
        r#"{"properties": {"a": {"contains": {"type": "string"}}}}"#,
        "a: [1]\n",
        "- at '/a': no items match contains schema\n  - at '/a/0': got number, want string",
    );
    check(
        r#"{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"items": [{"type": "string"}], "additionalItems": false}}}"#,
        "a: [x, 1]\n",
        "- at '/a': last 1 additionalItem(s) not allowed",
    );
    check(r#"{"properties": {"a": false}}"#, "a: 1\n", "- at '/a': false schema");
    check(
        r#"{"properties": {"a": {}}, "unevaluatedProperties": false, "allOf": [{"properties": {"b": {}}}]}"#,
        "a: 1\nb: 2\nc: 3\n",
        "- at '/c': false schema",
    );
    check(
        r#"{"properties": {"a": {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"}}}}}"#,
        "a: {x: 1, y: 2}\n",
        "- at '/a/x': got number, want string",
    );
}
