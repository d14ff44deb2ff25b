//! `.Values`, and `.Template`: maps with methods of their own.

use super::super::fmt::quote::quote;
use super::super::funcs;
use super::super::function::{Call, Failure, Function};
use super::super::go_type::{ANY, ANY_MAP, Kind, STRING, Type};
use super::super::value::{Map, Text, Value};

/// `common.Values`: what `.Values` and `.Template` are in charts.
pub static VALUES: Type = Type::of("common.Values", Kind::Map, &ANY).with(method);

/// What `Encode` writes to, which no template has.
static WRITER: Type = Type::plain("io.Writer", Kind::Interface);

static METHODS: &[Function] = &[
    Function::new("Table", &[&STRING], |call| {
        let path = call.text(1).clone();
        let found = call.map(0).map(|map| table(map, path.split(|byte| *byte == b'.')));
        found.unwrap_or_else(|| Err(no_table(&path))).map(Value::Map)
    }),
    Function::new("PathValue", &[&STRING], path_value),
    Function::new("AsMap", &[], |call| match call.map(0) {
        Some(map) => Ok(Value::Map(map.typed(&ANY_MAP))),
        None => Ok(Value::map(super::super::value::Entries::new())),
    }),
    Function::new("YAML", &[], |call| {
        let to_yaml = funcs::find("toYaml").expect("toYaml is a function of charts");
        let args = &call.args[..1];
        let text =
            (to_yaml.body)(&mut Call { args, world: call.world, templates: call.templates })?;
        match text {
            Value::Text(text) => Ok(Value::text([text.bytes(), b"\n"].concat())),
            other => Ok(other),
        }
    }),
    Function::new("Encode", &[&WRITER], |_| {
        Err("runtime error: invalid memory address or nil pointer dereference".into())
    }),
];

fn method(name: &str) -> Option<&'static Function> {
    METHODS.iter().find(|method| method.name == name)
}

/// The map at a path.
fn table<'a>(values: &Map, path: impl Iterator<Item = &'a [u8]>) -> Result<Map, Failure> {
    let mut table = values.clone();
    for key in path {
        let found = table.entries().get(key).cloned();
        let Some(Value::Map(next)) = found else { return Err(no_table(key)) };
        if next.go_type() != &ANY_MAP && next.go_type() != &VALUES {
            return Err(no_table(key));
        }
        table = next.typed(&VALUES);
    }
    Ok(table)
}

fn no_table(key: &[u8]) -> Failure {
    Failure::new(format!("{} is not a table", quote(key)))
}

fn path_value(call: &mut Call<'_>) -> Result<Value, Failure> {
    let path: &Text = call.text(1);
    if path.is_empty() {
        return Err("YAML path cannot be empty".into());
    }
    let keys: Vec<&[u8]> = path.split(|byte| *byte == b'.').collect();
    let (key, path) = keys.split_last().expect("a path that is split has a part");
    let found = call.map(0).and_then(|map| {
        let table = table(map, path.iter().copied()).ok()?;
        let found = table.entries().get(*key).cloned()?;
        let is_table = matches!(&found, Value::Map(map) if map.go_type() == &ANY_MAP);
        (!is_table).then_some(found)
    });
    found.ok_or_else(|| Failure::new(format!("{} is not a value", quote(key))))
}
