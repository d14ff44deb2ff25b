//! Walks a schema and a value together.

use super::fault::{Kind, Violation};
use super::text::{count, list, number, shown};
use super::{format, text};
use crate::template::gotmpl::{Map, Value, regexp};
use regex::Regex;
use serde_json::{Map as Object, Value as Json};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// How deep schemas may be followed, so that references in a circle end.
const MAX_DEPTH: usize = 400;

/// The drafts of JSON Schema that differ in what they say of values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum Draft {
    D4,
    D6,
    D7,
    D2019,
    D2020,
}

impl Draft {
    fn of(document: &Json) -> Result<Draft, String> {
        let Some(Json::String(url)) = document.get("$schema") else { return Ok(Draft::D2020) };
        let plain = url.trim_end_matches('#').trim_start_matches("https://");
        match plain.trim_start_matches("http://") {
            "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Ok(Draft::D2020),
            "json-schema.org/draft/2019-09/schema" => Ok(Draft::D2019),
            "json-schema.org/draft-07/schema" => Ok(Draft::D7),
            "json-schema.org/draft-06/schema" => Ok(Draft::D6),
            "json-schema.org/draft-04/schema" => Ok(Draft::D4),
            _ => Err(format!("failing loading {url:?}: documents are not fetched")),
        }
    }
}

pub(super) struct Walk<'a> {
    document: &'a Json,
    patterns: RefCell<HashMap<&'a str, Regex>>,
}

/// A visit: the place in the values, and what was found on the way.
struct Visit<'w, 'a> {
    walk: &'w Walk<'a>,
    draft: Draft,
    path: Vec<String>,
    depth: usize,
}

type Found = Result<Option<Violation>, String>;

impl<'a> Walk<'a> {
    pub(super) fn new(document: &'a Json) -> Walk<'a> {
        Walk { document, patterns: RefCell::default() }
    }

    /// What the value has against the schema.
    ///
    /// # Errors
    /// When the schema cannot be used.
    pub(super) fn run(&self, value: &Value) -> Found {
        let draft = Draft::of(self.document)?;
        Visit { walk: self, draft, path: Vec::new(), depth: 0 }.schema(self.document, value)
    }

    fn matches(&self, pattern: &'a str, text: &str) -> Result<bool, String> {
        let mut patterns = self.patterns.borrow_mut();
        if let Some(regex) = patterns.get(pattern) {
            return Ok(regex.is_match(text));
        }
        let regex = regexp::automaton(pattern)
            .map_err(|_| format!("{} is not valid regex", text::quoted(pattern)))?;
        let matched = regex.is_match(text);
        patterns.insert(pattern, regex);
        Ok(matched)
    }

    /// The place that a reference leads to; nothing for one that anything follows.
    fn target(&self, reference: &str) -> Result<Option<&'a Json>, String> {
        let (url, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let own = ["$id", "id"].iter().any(|key| {
            self.document.get(*key).and_then(Json::as_str).is_some_and(|id| {
                id.trim_end_matches('#') == url || id.rsplit('/').next() == Some(url)
            })
        });
        if url.starts_with("urn:") && !own {
            return Ok(None);
        }
        if !url.is_empty() && !own {
            return match find(self.document, &|object| {
                object.get("$id").and_then(Json::as_str) == Some(url)
            }) {
                Some(found) => Ok(Some(found)),
                None => Err(format!("failing loading {url:?}: documents are not fetched")),
            };
        }
        let decoded = percent_decoded(fragment);
        if decoded.is_empty() || decoded.starts_with('/') {
            return self.document.pointer(&decoded).map(Some).ok_or_else(|| {
                format!("json-pointer in \"file:///values.schema.json#{fragment}\" not found")
            });
        }
        let anchored = |object: &Object<String, Json>| {
            let is = |key: &str, name: &str| object.get(key).and_then(Json::as_str) == Some(name);
            is("$anchor", &decoded)
                || is("$dynamicAnchor", &decoded)
                || is("$id", &format!("#{decoded}"))
                || is("id", &format!("#{decoded}"))
        };
        find(self.document, &anchored)
            .map(Some)
            .ok_or_else(|| format!("anchor in \"file:///values.schema.json#{fragment}\" not found"))
    }
}

fn find<'a>(node: &'a Json, wanted: &dyn Fn(&Object<String, Json>) -> bool) -> Option<&'a Json> {
    match node {
        Json::Object(object) if wanted(object) => Some(node),
        Json::Object(object) => object.values().find_map(|inner| find(inner, wanted)),
        Json::Array(items) => items.iter().find_map(|inner| find(inner, wanted)),
        _ => None,
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| byte == b'%') {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl<'a> Visit<'_, 'a> {
    fn fault(&self, message: impl Into<String>) -> Violation {
        let (message, kind) = (message.into(), Kind::Plain);
        Violation { path: self.path.clone(), message, causes: Vec::new(), kind }
    }

    fn at(&mut self, schema: &'a Json, value: &Value, step: String) -> Found {
        self.path.push(step);
        let found = self.schema(schema, value);
        self.path.pop();
        found
    }

    fn schema(&mut self, schema: &'a Json, value: &Value) -> Found {
        let object = match schema {
            Json::Bool(true) => return Ok(None),
            Json::Bool(false) => return Ok(Some(self.fault("false schema"))),
            Json::Object(object) => object,
            _ => return Err("a schema must be a map, true or false".to_owned()),
        };
        if self.depth >= MAX_DEPTH {
            return Err("references lead in a circle".to_owned());
        }
        self.depth += 1;
        let found = self.object(object, value);
        self.depth -= 1;
        found
    }

    fn object(&mut self, schema: &'a Object<String, Json>, value: &Value) -> Found {
        let reference = schema.get("$ref").and_then(Json::as_str);
        if let Some(reference) = reference.filter(|_| self.draft < Draft::D2019) {
            return self.reference(reference, value);
        }
        if let Some(fault) = self.general(schema, value) {
            return Ok(Some(fault));
        }
        let mut found = Vec::new();
        for key in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(reference) = schema.get(key).and_then(Json::as_str) {
                found.extend(self.reference(reference, value)?);
            }
        }
        match value {
            Value::Map(map) => self.map(schema, map, &mut found)?,
            Value::List(items) => self.list(schema, items, &mut found)?,
            Value::Text(text) => self.text(schema, &text.lossy(), &mut found)?,
            _ => {
                if let Some(number) = as_number(value) {
                    self.number(schema, number, &mut found);
                }
            }
        }
        self.combinations(schema, value, &mut found)?;
        Ok(match found.len() {
            0 | 1 => found.pop(),
            _ => {
                let whole = self.fault("validation failed");
                Some(Violation { causes: found, kind: Kind::Group, ..whole })
            }
        })
    }

    fn reference(&mut self, reference: &str, value: &Value) -> Found {
        let Some(target) = self.walk.target(reference)? else { return Ok(None) };
        Ok(self.schema(target, value)?.map(|inner| {
            let causes = if inner.kind == Kind::Group { inner.causes } else { vec![inner] };
            Violation { causes, kind: Kind::Reference, ..self.fault("validation failed") }
        }))
    }

    /// What any value can break; after one of these nothing else is looked at.
    fn general(&self, schema: &Object<String, Json>, value: &Value) -> Option<Violation> {
        let wanted: Vec<&str> = match schema.get("type") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(some)) => some.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        };
        let got = type_of(value);
        let integer = || as_number(value).is_some_and(|number| number.fract() == 0.0);
        let fits = wanted.contains(&got) || wanted.contains(&"integer") && integer();
        if !fits && !wanted.is_empty() {
            let order = ["null", "boolean", "number", "integer", "string", "array", "object"];
            let names: Vec<&str> = order.into_iter().filter(|one| wanted.contains(one)).collect();
            return Some(self.fault(format!("got {got}, want {}", names.join(" or "))));
        }
        if let Some(wanted) = schema.get("const").filter(|wanted| !same(value, wanted)) {
            return Some(self.fault(match wanted {
                Json::Array(_) | Json::Object(_) => "'const' failed".to_owned(),
                wanted => format!("value must be {}", shown(wanted)),
            }));
        }
        if let Some(Json::Array(options)) = schema.get("enum")
            && !options.iter().any(|option| same(value, option))
        {
            let nested = options.iter().any(|option| option.is_array() || option.is_object());
            let names: Vec<String> = options.iter().map(shown).collect();
            return Some(self.fault(match names.as_slice() {
                _ if nested => "'enum' failed".to_owned(),
                [one] => format!("value must be {one}"),
                names => format!("value must be one of {}", names.join(", ")),
            }));
        }
        if let (Some(Json::String(name)), Value::Text(text)) = (schema.get("format"), value)
            && self.draft < Draft::D2019
            && let Some(why) = format::fault(name, &text.lossy())
        {
            let text = text::quoted(&text.lossy());
            return Some(self.fault(format!("{text} is not valid {name}: {why}")));
        }
        None
    }

    fn map(
        &mut self,
        schema: &'a Object<String, Json>,
        map: &Map,
        found: &mut Vec<Violation>,
    ) -> Result<(), String> {
        let entries: Vec<(String, Value)> = {
            let entries = map.entries();
            entries.iter().map(|(key, value)| (key.lossy().into_owned(), value.clone())).collect()
        };
        let keys: HashSet<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        self.size(schema, "Properties", keys.len(), found);
        if let Some(missing) = lacking(schema.get("required"), &keys) {
            found.push(self.fault(match missing.as_slice() {
                [one] => format!("missing property {}", text::quoted(one)),
                some => format!("missing properties {}", list(some.iter().copied())),
            }));
        }
        self.dependent(schema, "dependencies", map, &keys, found)?;
        let properties = schema.get("properties").and_then(Json::as_object);
        let patterns = schema.get("patternProperties").and_then(Json::as_object);
        let more = schema.get("additionalProperties");
        let mut unknown = Vec::new();
        for (key, value) in &entries {
            let mut known = false;
            if let Some(inner) = properties.and_then(|all| all.get(key)) {
                known = true;
                found.extend(self.at(inner, value, key.clone())?);
            }
            for (pattern, inner) in patterns.into_iter().flatten() {
                if self.walk.matches(pattern, key)? {
                    known = true;
                    found.extend(self.at(inner, value, key.clone())?);
                }
            }
            match more {
                Some(Json::Bool(false)) if !known => unknown.push(key.as_str()),
                Some(inner @ Json::Object(_)) if !known => {
                    found.extend(self.at(inner, value, key.clone())?);
                }
                _ => {}
            }
        }
        if !unknown.is_empty() {
            let names = list(unknown);
            found.push(self.fault(format!("additional properties {names} not allowed")));
        }
        if let Some(inner) = schema.get("propertyNames").filter(|_| self.draft > Draft::D4) {
            for (key, _) in &entries {
                let path = std::mem::take(&mut self.path);
                let cause = self.schema(inner, &Value::text(key.as_str()));
                self.path = path;
                if let Some(cause) = cause? {
                    let causes = if cause.kind == Kind::Group { cause.causes } else { vec![cause] };
                    let message = format!("invalid propertyName {}", text::quoted(key));
                    found.push(Violation { causes, ..self.fault(message) });
                }
            }
        }
        self.dependent(schema, "dependentSchemas", map, &keys, found)?;
        self.dependent(schema, "dependentRequired", map, &keys, found)?;
        if let Some(inner) = schema.get("unevaluatedProperties") {
            for (key, value) in &entries {
                if !self.evaluates(schema, key, map)? {
                    found.extend(self.at(inner, value, key.clone())?);
                }
            }
        }
        Ok(())
    }

    /// What holds only when another key is there.
    fn dependent(
        &mut self,
        schema: &'a Object<String, Json>,
        keyword: &str,
        map: &Map,
        keys: &HashSet<&str>,
        found: &mut Vec<Violation>,
    ) -> Result<(), String> {
        for (key, inner) in schema.get(keyword).and_then(Json::as_object).into_iter().flatten() {
            if !keys.contains(key.as_str()) {
                continue;
            }
            if !inner.is_array() {
                found.extend(self.schema(inner, &Value::Map(map.clone()))?);
            } else if let Some(missing) = lacking(Some(inner), keys) {
                found.push(self.fault(format!(
                    "properties {} required, if {} exists",
                    list(missing),
                    text::quoted(key)
                )));
            }
        }
        Ok(())
    }

    /// True when a part of the schema that holds for the map says something of the key.
    fn evaluates(
        &mut self,
        schema: &'a Object<String, Json>,
        key: &str,
        map: &Map,
    ) -> Result<bool, String> {
        let names = |keyword: &str| schema.get(keyword).and_then(Json::as_object);
        if names("properties").is_some_and(|all| all.contains_key(key))
            || schema.contains_key("additionalProperties")
        {
            return Ok(true);
        }
        for pattern in names("patternProperties").into_iter().flat_map(Object::keys) {
            if self.walk.matches(pattern, key)? {
                return Ok(true);
            }
        }
        let whole = Value::Map(map.clone());
        let mut parts: Vec<&'a Json> = Vec::new();
        for keyword in ["allOf", "anyOf", "oneOf"] {
            parts.extend(schema.get(keyword).and_then(Json::as_array).into_iter().flatten());
        }
        parts.extend(["if", "then", "else"].iter().filter_map(|keyword| schema.get(*keyword)));
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            parts.extend(self.walk.target(reference)?);
        }
        for part in parts {
            if let Json::Object(object) = part
                && self.schema(part, &whole)?.is_none()
                && self.evaluates(object, key, map)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn list(
        &mut self,
        schema: &'a Object<String, Json>,
        items: &[Value],
        found: &mut Vec<Violation>,
    ) -> Result<(), String> {
        self.size(schema, "Items", items.len(), found);
        if schema.get("uniqueItems") == Some(&Json::Bool(true)) {
            let equal =
                |second: usize| (0..second).find(|first| alike(&items[*first], &items[second]));
            if let Some((first, second)) =
                (1..items.len()).find_map(|second| Some((equal(second)?, second)))
            {
                found.push(self.fault(format!("items at {first} and {second} are equal")));
            }
        }
        let (first, rest) = match (self.draft, schema.get("items")) {
            (Draft::D2020, rest) => (schema.get("prefixItems"), rest),
            (_, first @ Some(Json::Array(_))) => (first, schema.get("additionalItems")),
            (_, rest) => (None, rest),
        };
        let first = first.and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        if items.len() > first.len()
            && rest == Some(&Json::Bool(false))
            && self.draft < Draft::D2020
        {
            let more = count(items.len() - first.len());
            found.push(self.fault(format!("last {more} additionalItem(s) not allowed")));
        }
        for (index, item) in items.iter().enumerate() {
            let inner = first.get(index).or(rest);
            if let Some(inner) =
                inner.filter(|inner| self.draft == Draft::D2020 || !inner.is_boolean())
            {
                found.extend(self.at(inner, item, index.to_string())?);
            }
        }
        if let Some(inner) = schema.get("contains").filter(|_| self.draft > Draft::D4) {
            let mut causes = Vec::new();
            let mut matched = 0;
            for (index, item) in items.iter().enumerate() {
                match self.at(inner, item, index.to_string())? {
                    Some(cause) => causes.push(cause),
                    None => matched += 1,
                }
            }
            let least = schema.get("minContains").and_then(Json::as_u64).unwrap_or(1);
            if matched < least {
                let fault = self.fault("no items match contains schema");
                found.push(Violation { causes, ..fault });
            }
        }
        Ok(())
    }

    fn text(
        &self,
        schema: &'a Object<String, Json>,
        text: &str,
        found: &mut Vec<Violation>,
    ) -> Result<(), String> {
        self.size(schema, "Length", text.chars().count(), found);
        if let Some(Json::String(pattern)) = schema.get("pattern")
            && !self.walk.matches(pattern, text)?
        {
            let (text, pattern) = (text::quoted(text), text::quoted(pattern));
            found.push(self.fault(format!("{text} does not match pattern {pattern}")));
        }
        Ok(())
    }

    fn number(&self, schema: &Object<String, Json>, got: f64, found: &mut Vec<Violation>) {
        let mut test = |keyword: &str, holds: &dyn Fn(f64) -> bool| {
            if let Some(want) = schema.get(keyword).and_then(Json::as_f64)
                && !holds(want)
            {
                found.push(self.fault(format!(
                    "{keyword}: got {}, want {}",
                    number(got),
                    number(want)
                )));
            }
        };
        test("minimum", &|want| got >= want);
        test("maximum", &|want| got <= want);
        test("exclusiveMinimum", &|want| got > want);
        test("exclusiveMaximum", &|want| got < want);
        test("multipleOf", &|want| {
            let times = got / want;
            (times - times.round()).abs() <= f64::EPSILON * times.abs().max(1.0)
        });
    }

    /// `minItems`, `maxLength` and their like.
    fn size(
        &self,
        schema: &Object<String, Json>,
        of: &str,
        got: usize,
        found: &mut Vec<Violation>,
    ) {
        for (side, wrong) in
            [("min", std::cmp::Ordering::Less), ("max", std::cmp::Ordering::Greater)]
        {
            let keyword = format!("{side}{of}");
            let want = schema.get(&keyword).and_then(Json::as_f64);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a bound that is no count holds for none"
            )]
            if let Some(want) = want.map(|want| want as usize)
                && got.cmp(&want) == wrong
            {
                let (got, want) = (count(got), count(want));
                found.push(self.fault(format!("{keyword}: got {got}, want {want}")));
            }
        }
    }

    fn combinations(
        &mut self,
        schema: &'a Object<String, Json>,
        value: &Value,
        found: &mut Vec<Violation>,
    ) -> Result<(), String> {
        if let Some(inner) = schema.get("not")
            && self.schema(inner, value)?.is_none()
        {
            found.push(self.fault("'not' failed"));
        }
        let parts = |keyword: &str| schema.get(keyword).and_then(Json::as_array);
        let failed = |visit: &mut Self, parts: &'a [Json]| -> Result<Vec<_>, String> {
            parts.iter().map(|part| visit.schema(part, value)).collect()
        };
        if let Some(parts) = parts("allOf") {
            let causes: Vec<_> = failed(self, parts)?.into_iter().flatten().collect();
            if !causes.is_empty() {
                found.push(Violation { causes, ..self.fault("'allOf' failed") });
            }
        }
        if let Some(parts) = parts("anyOf").filter(|parts| !parts.is_empty()) {
            let mut causes = Vec::new();
            for part in parts {
                match self.schema(part, value)? {
                    Some(cause) => causes.push(cause),
                    None => {
                        causes.clear();
                        break;
                    }
                }
            }
            if !causes.is_empty() {
                found.push(Violation { causes, ..self.fault("'anyOf' failed") });
            }
        }
        if let Some(parts) = parts("oneOf").filter(|parts| !parts.is_empty()) {
            let results = failed(self, parts)?;
            let matched: Vec<usize> =
                (0..results.len()).filter(|index| results[*index].is_none()).collect();
            match matched.as_slice() {
                [] => {
                    let causes = results.into_iter().flatten().collect();
                    let fault = self.fault("'oneOf' failed, none matched");
                    found.push(Violation { causes, ..fault });
                }
                [_] => {}
                [first, second, ..] => found.push(
                    self.fault(format!("'oneOf' failed, subschemas {first}, {second} matched")),
                ),
            }
        }
        if let Some(test) = schema.get("if").filter(|_| self.draft >= Draft::D7) {
            let branch = if self.schema(test, value)?.is_none() { "then" } else { "else" };
            if let Some(inner) = schema.get(branch) {
                found.extend(self.schema(inner, value)?);
            }
        }
        Ok(())
    }
}

/// The names of a list that are no keys.
fn lacking<'a>(names: Option<&'a Json>, keys: &HashSet<&str>) -> Option<Vec<&'a str>> {
    let names = names?.as_array()?.iter().filter_map(Json::as_str);
    let missing: Vec<&str> = names.filter(|name| !keys.contains(name)).collect();
    (!missing.is_empty()).then_some(missing)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "null",
        Value::Bool(_) => "boolean",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "number",
    }
}

#[expect(clippy::cast_precision_loss, reason = "schemas compare doubles")]
fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(int, _) => Some(*int as f64),
        Value::Uint(int, _) => Some(*int as f64),
        Value::Float(float, _) => Some(*float),
        _ => None,
    }
}

fn same(value: &Value, wanted: &Json) -> bool {
    match (value, wanted) {
        (Value::Nil, Json::Null) => true,
        (Value::Bool(a), Json::Bool(b)) => a == b,
        (Value::Text(a), Json::String(b)) => a == b.as_str(),
        (Value::List(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Json::Object(b)) => {
            let a = a.entries();
            a.len() == b.len()
                && a.iter().all(|(key, a)| b.get(&*key.lossy()).is_some_and(|b| same(a, b)))
        }
        (value, Json::Number(number)) => {
            as_number(value).is_some_and(|value| number.as_f64() == Some(value))
        }
        _ => false,
    }
}

/// True when two values are equal.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| alike(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let (a, b) = (a.entries(), b.entries());
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.0 == b.0 && alike(a.1, b.1))
        }
        (a, b) => as_number(a).is_some() && as_number(a) == as_number(b),
    }
}
