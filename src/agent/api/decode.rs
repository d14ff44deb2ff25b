//! From any JSON to an object of its kind, as Go's decoder and encoder would leave it.
//!
//! Kubernetes decodes a body into a struct and encodes the struct again. What that does to a body
//! is done here by schema: fields that the kind does not have are dropped and reported, a wrong
//! type is an error with Go's text, `null` stands for absence (in maps and lists: for the zero
//! value), quantities and times come out in one form, and empty values of fields that are left out
//! when empty are left out. Go knows for each field whether it tells an empty value from none
//! (a pointer); the schema does not, so those fields are listed in [`ZERO_IS_ABSENT`].

use crate::base::clock::rfc3339_seconds;
use crate::object::quantity::Quantity;
use crate::schema::{Kind as Shape, Type};
use crate::yaml::{Entry, FieldPath, Map, Node, Number, Value, json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// Fields whose value `false` or `0` is the same as none. (That of others, `replicas: 0` or
/// `automountServiceAccountToken: false`, means something.)
const ZERO_IS_ABSENT: &[&str] = &[
    "availableReplicas",
    "collisionCount",
    "count",
    "failureThreshold",
    "fullyLabeledReplicas",
    "generation",
    "healthCheckNodePort",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "initialDelaySeconds",
    "minReadySeconds",
    "nodePort",
    "observedGeneration",
    "paused",
    "periodSeconds",
    "publishNotReadyAddresses",
    "readOnly",
    "readyReplicas",
    "stdin",
    "stdinOnce",
    "successThreshold",
    "timeoutSeconds",
    "tty",
    "unavailableReplicas",
    "unschedulable",
    "updatedReplicas",
];

/// Texts that may be empty and yet mean something: pointers in Go.
const EMPTY_MEANS_SOMETHING: &[&str] =
    &["appProtocol", "holderIdentity", "ingressClassName", "storageClassName", "value"];

/// Times with microseconds.
const MICRO_TIMES: &[&str] = &["acquireTime", "eventTime", "lastObservedTime", "renewTime"];

/// Why a body is no object of its kind; the text follows `Pod in version "v1" cannot be handled
/// as a Pod: `.
pub(crate) type Unfit = String;

/// Decodes a body. Unknown fields are dropped; their paths come back.
pub(crate) fn decode(kind: &str, body: Node, ty: &Type) -> Result<(Node, Vec<String>), Unfit> {
    let mut decoder = Decoder {
        path: FieldPath::root(),
        fields: Vec::new(),
        owner: kind.to_owned(),
        unknown: Vec::new(),
    };
    let node = decoder.value(body, ty)?;
    Ok((node, decoder.unknown))
}

struct Decoder {
    /// Where the decoder is, for unknown fields.
    path: FieldPath,
    /// The names of fields on the way, which Go's errors show without indexes and map keys.
    fields: Vec<String>,
    /// The Go struct that holds the field.
    owner: String,
    unknown: Vec<String>,
}

impl Decoder {
    fn value(&mut self, node: Node, ty: &Type) -> Result<Node, Unfit> {
        let mismatch = |this: &Decoder, node: &Node| Err(this.mismatch(node, ty));
        match ty.kind() {
            Shape::Any => Ok(node),
            Shape::Object => match node.value {
                Value::Map(map) => self.object(map, ty),
                _ => mismatch(self, &node),
            },
            Shape::List => match node.value {
                Value::List(items) => self.list(items, ty),
                // a text of base64 is a list of bytes
                _ => mismatch(self, &node),
            },
            Shape::String => match &node.value {
                Value::String(_) => Self::text(node, ty),
                _ => mismatch(self, &node),
            },
            Shape::Boolean => match node.value {
                Value::Bool(_) => Ok(node),
                _ => mismatch(self, &node),
            },
            Shape::Integer => match node.value {
                Value::Number(number) => self.integer(number, ty),
                _ => mismatch(self, &node),
            },
            Shape::Number => match node.value {
                Value::Number(_) => Ok(node),
                _ => mismatch(self, &node),
            },
            Shape::IntOrString => match node.value {
                Value::Number(number) if number.is_integral() => Ok(node),
                Value::String(_) => Ok(node),
                _ => mismatch(self, &node),
            },
            Shape::Quantity => match &node.value {
                Value::String(text) => quantity(text).map(Node::from),
                Value::Number(number) => quantity(&number.to_string()).map(Node::from),
                _ => mismatch(self, &node),
            },
        }
    }

    fn object(&mut self, map: Map, ty: &Type) -> Result<Node, Unfit> {
        let owner = struct_name(ty).map(|name| std::mem::replace(&mut self.owner, name));
        let mut decoded = Map::with_capacity(map.len());
        for Entry { key, key_span, value } in map {
            self.path.push_key(&key);
            let known = ty.property(&key);
            let field = known.or_else(|| ty.additional());
            if known.is_some() {
                self.fields.push(key.to_string());
            }
            let kept = match field {
                None if ty.preserves_unknown() => Some(value),
                None => {
                    self.unknown.push(self.path.to_string());
                    None
                }
                Some(field) if value.is_null() => {
                    // a null value of a map is the zero value; a null field is no field
                    known.is_none().then(|| zero(field)).or_else(|| null_field(&key))
                }
                Some(field) => {
                    let value = if MICRO_TIMES.contains(&key.as_str()) && known.is_some() {
                        micro_time(&value)?
                    } else {
                        self.value(value, field)?
                    };
                    let required = ty.properties().iter().any(|p| p.key == key && p.required);
                    (known.is_none() || required || !is_absent(&key, &value, field))
                        .then_some(value)
                }
            };
            if known.is_some() {
                self.fields.pop();
            }
            self.path.pop();
            if let Some(value) = kept {
                decoded.insert_entry(Entry { key, key_span, value });
            }
        }
        if let Some(owner) = owner {
            self.owner = owner;
        }
        Ok(decoded.into())
    }

    fn list(&mut self, items: Vec<Node>, ty: &Type) -> Result<Node, Unfit> {
        let Some(item_type) = ty.items() else { return Ok(items.into()) };
        let mut decoded = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            self.path.push_index(index);
            let item = if item.is_null() { zero(item_type) } else { self.value(item, item_type)? };
            self.path.pop();
            decoded.push(item);
        }
        Ok(decoded.into())
    }

    fn text(node: Node, ty: &Type) -> Result<Node, Unfit> {
        let text = node.as_str().unwrap_or_default();
        match ty.format() {
            Some("byte") => bytes(text).map(|()| node),
            Some("date-time") => time(text).map(Node::from),
            _ => Ok(node),
        }
    }

    fn integer(&self, number: Number, ty: &Type) -> Result<Node, Unfit> {
        let wide = ty.format() != Some("int32");
        let fits = match number {
            Number::Int(value) => wide || i32::try_from(value).is_ok(),
            Number::UInt(_) => false,
            Number::Float(_) => number.as_i64().is_some_and(|v| wide || i32::try_from(v).is_ok()),
        };
        if fits {
            return Ok(number.as_i64().expect("it was seen to fit").into());
        }
        Err(format!(
            "json: cannot unmarshal number {number} into Go struct field {}.{} of type {}",
            self.owner,
            self.fields.join("."),
            go_type(ty)
        ))
    }

    fn mismatch(&self, node: &Node, ty: &Type) -> Unfit {
        let found = json::go_kind(node);
        let into = go_type(ty);
        if self.fields.is_empty() {
            return format!("json: cannot unmarshal {found} into Go value of type {into}");
        }
        let (owner, fields) = (&self.owner, self.fields.join("."));
        format!(
            "json: cannot unmarshal {found} into Go struct field {owner}.{fields} of type {into}"
        )
    }
}

/// The Go name of a struct: the last part of its definition's name.
fn struct_name(ty: &Type) -> Option<String> {
    ty.name()?.rsplit('.').next().map(str::to_owned)
}

/// A type as Go writes it.
fn go_type(ty: &Type) -> String {
    match ty.kind() {
        Shape::Any => "interface {}".into(),
        Shape::String if ty.format() == Some("byte") => "[]uint8".into(),
        Shape::String if ty.format() == Some("date-time") => "v1.Time".into(),
        Shape::String => "string".into(),
        Shape::Boolean => "bool".into(),
        Shape::Integer => ty.format().unwrap_or("int64").into(),
        Shape::Number => "float64".into(),
        Shape::IntOrString => "intstr.IntOrString".into(),
        Shape::Quantity => "resource.Quantity".into(),
        Shape::List => format!("[]{}", ty.items().map(go_type).unwrap_or_default()),
        Shape::Object => match (struct_name(ty), ty.additional()) {
            (Some(name), None) => format!("v1.{name}"),
            (_, Some(values)) => format!("map[string]{}", go_type(values)),
            (None, None) => "map[string]interface {}".into(),
        },
    }
}

/// The zero value of a type.
fn zero(ty: &Type) -> Node {
    match ty.kind() {
        Shape::String => "".into(),
        Shape::Boolean => false.into(),
        Shape::Integer | Shape::Number | Shape::IntOrString => 0.into(),
        Shape::Quantity => "0".into(),
        Shape::List | Shape::Any => Node::NULL,
        Shape::Object => Node::map(),
    }
}

/// Fields that are shown as `null` when they are empty.
fn null_field(key: &str) -> Option<Node> {
    matches!(key, "eventTime" | "lastTransitionTime" | "lastProbeTime").then_some(Node::NULL)
}

/// True for a value that Go leaves out when it encodes an optional field.
fn is_absent(key: &str, value: &Node, ty: &Type) -> bool {
    match &value.value {
        _ if ty.kind() == Shape::Any => false,
        Value::String(text) => text.is_empty() && !EMPTY_MEANS_SOMETHING.contains(&key),
        Value::Bool(false) => ZERO_IS_ABSENT.contains(&key),
        Value::Number(number) => number.as_i64() == Some(0) && ZERO_IS_ABSENT.contains(&key),
        Value::List(items) => items.is_empty(),
        // a struct is there or not; a map without entries is none
        Value::Map(map) => {
            map.is_empty() && ty.properties().is_empty() && ty.additional().is_some()
        }
        _ => false,
    }
}

/// An amount in its canonical form; whole numbers stay as they were written.
fn quantity(text: &str) -> Result<String, Unfit> {
    let amount = Quantity::parse(text.trim()).map_err(|error| error.to_string())?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Ok(amount.to_string())
}

/// Checks base64 as Go's decoder does, with its text.
fn bytes(text: &str) -> Result<(), Unfit> {
    use base64::DecodeError;
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match STANDARD.decode(&clean) {
        Ok(_) => Ok(()),
        Err(DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _)) => {
            Err(format!("illegal base64 data at input byte {at}"))
        }
        Err(_) => Err(format!("illegal base64 data at input byte {}", clean.len())),
    }
}

fn parse_time(text: &str) -> Result<Timestamp, Unfit> {
    text.parse::<Timestamp>().map_err(|_| {
        format!(
            "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \
             \"2006\""
        )
    })
}

/// A time in UTC with whole seconds.
fn time(text: &str) -> Result<String, Unfit> {
    parse_time(text).map(rfc3339_seconds)
}

/// A time with microseconds, which are always six digits.
fn micro_time(node: &Node) -> Result<Node, Unfit> {
    let text = node.as_str().unwrap_or_default();
    let unfit = || {
        format!(
            "parsing time {text:?} as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse {text:?} \
             as \".000000\""
        )
    };
    let fraction = text.split_once('.').map(|(_, rest)| rest).unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits != 6 {
        return Err(unfit());
    }
    let time = parse_time(text).map_err(|_| unfit())?;
    Ok(time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schemas;
    use serde_json::json;

    fn check(
        kind: &str,
        body: serde_json::Value,
    ) -> Result<(serde_json::Value, Vec<String>), String> {
        let schemas = Schemas::latest();
        let ty =
            schemas.kind("v1", kind).or_else(|| schemas.kind("apps/v1", kind)).expect("is a kind");
        decode(kind, Node::from(body), ty).map(|(node, unknown)| ((&node).into(), unknown))
    }

    #[test]
    fn bodies_become_objects() {
        let body = json!({
            "metadata": {"name": "a", "labels": {"a": null}, "colour": "red", "creationTimestamp": null},
            "data": {"k": null}, "binaryData": {}, "immutable": false, "spec": {"replicas": 1}
        });
        let expected = json!({
            "metadata": {"name": "a", "labels": {"a": ""}}, "data": {"k": ""}, "immutable": false
        });
        let unknown = vec!["metadata.colour".to_owned(), "spec".to_owned()];
        assert_eq!(check("ConfigMap", body), Ok((expected, unknown)));

        let body = json!({"spec": {
            "hostNetwork": false, "automountServiceAccountToken": false, "nodeSelector": {},
            "containers": [{"name": "a", "image": "", "tty": false, "resources": {"limits": {"cpu": "1000m", "memory": 1024}},
                "securityContext": {}, "command": [], "foo": 1}]
        }});
        let expected = json!({"spec": {
            "automountServiceAccountToken": false,
            "containers": [{"name": "a", "resources": {"limits": {"cpu": "1", "memory": "1024"}}, "securityContext": {}}]
        }});
        assert_eq!(check("Pod", body), Ok((expected, vec!["spec.containers[0].foo".to_owned()])));
    }

    #[test]
    fn wrong_types_are_told_in_gos_words() {
        for (kind, body, expected) in [
            (
                "ConfigMap",
                json!({"data": {"k": 1}}),
                "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
            ),
            (
                "ConfigMap",
                json!({"data": "k"}),
                "json: cannot unmarshal string into Go struct field ConfigMap.data of type map[string]string",
            ),
            (
                "ConfigMap",
                json!({"immutable": "yes"}),
                "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool",
            ),
            (
                "Deployment",
                json!({"spec": {"replicas": "3"}}),
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "Pod",
                json!({"spec": {"containers": [{"env": [{"name": "a", "value": 1}]}]}}),
                "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
            ),
            (
                "Pod",
                json!({"spec": {"containers": {}}}),
                "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
            ),
            (
                "Secret",
                json!({"data": {"k": "not base64!"}}),
                "illegal base64 data at input byte 3",
            ),
            (
                "ConfigMap",
                json!({"binaryData": {"k": "%%%"}}),
                "illegal base64 data at input byte 0",
            ),
        ] {
            assert_eq!(check(kind, body), Err(expected.to_owned()));
        }
    }
}
