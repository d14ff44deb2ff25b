//! `.Files`: the files of a chart that are neither templates nor its own.

use super::super::funcs;
use super::super::function::{Call, Failure, Function};
use super::super::go_type::{BYTES, Kind, STRING, Type};
use super::super::value::{Entries, Map, Text, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::bytes::Regex;

/// `.Files` with the given names and contents.
pub fn files(files: impl IntoIterator<Item = (Text, Text)>) -> Value {
    let entries = files.into_iter().map(|(name, content)| (name, Value::Bytes(content)));
    Value::Map(Map::new(&FILES, entries.collect()))
}

static FILES: Type = Type::of("engine.files", Kind::Map, &BYTES).with(method);

static METHODS: &[Function] = &[
    Function::new("Get", &[&STRING], |call| Ok(Value::Text(content(call)))),
    Function::new("GetBytes", &[&STRING], |call| Ok(Value::Bytes(content(call)))),
    Function::new("Glob", &[&STRING], glob),
    Function::new("AsConfig", &[], |call| as_yaml(call, |content| Value::Text(content.clone()))),
    Function::new("AsSecrets", &[], |call| {
        as_yaml(call, |content| Value::text(STANDARD.encode(content.bytes())))
    }),
    Function::new("Lines", &[&STRING], lines),
];

fn method(name: &str) -> Option<&'static Function> {
    METHODS.iter().find(|method| method.name == name)
}

fn entries(call: &Call<'_>) -> Vec<(Text, Text)> {
    let Some(map) = call.map(0) else { return Vec::new() };
    let entries = map.entries();
    let files = entries.iter().filter_map(|(name, value)| match value {
        Value::Bytes(content) => Some((name.clone(), content.clone())),
        _ => None,
    });
    files.collect()
}

/// The content of the file that is named; nothing when there is none.
fn content(call: &Call<'_>) -> Text {
    let found = call.map(0).and_then(|map| map.entries().get(call.text(1).bytes()).cloned());
    match found {
        Some(Value::Bytes(content)) => content,
        _ => Text::default(),
    }
}

fn lines(call: &mut Call<'_>) -> Result<Value, Failure> {
    let content = content(call);
    call.templates.spend(content.len() / 8)?;
    let text = content.strip_suffix(b"\n").unwrap_or(&content);
    let lines: Vec<&[u8]> =
        if content.is_empty() { Vec::new() } else { text.split(|byte| *byte == b'\n').collect() };
    Ok(Value::texts(lines))
}

fn glob(call: &mut Call<'_>) -> Result<Value, Failure> {
    let files_of_chart = entries(call);
    call.templates.spend(files_of_chart.len())?;
    let pattern = call.text(1).lossy();
    // Helm takes all files when a pattern is none.
    let pattern = pattern_of(&pattern).and_then(|pattern| Regex::new(&pattern).ok());
    let matches = |name: &Text| pattern.as_ref().is_none_or(|pattern| pattern.is_match(name));
    Ok(files(files_of_chart.into_iter().filter(|(name, _)| matches(name))))
}

/// A pattern as a regular expression: `*` and `?` stop at slashes, `**` does not, `[a-z]` and
/// `[!a-z]` are classes, `{a,b}` alternatives.
fn pattern_of(pattern: &str) -> Option<String> {
    let mut out = String::from("(?s)^");
    let mut braces = 0usize;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                let mut stars = 1;
                while chars.next_if_eq(&'*').is_some() {
                    stars += 1;
                }
                out.push_str(if stars > 1 { ".*" } else { "[^/]*" });
            }
            '?' => out.push_str("[^/]"),
            '[' => {
                out.push('[');
                if chars.next_if_eq(&'!').is_some() {
                    out.push('^');
                }
                loop {
                    match chars.next()? {
                        ']' => break,
                        '\\' => out.push_str(&regex::escape(&chars.next()?.to_string())),
                        '-' => out.push('-'),
                        c => out.push_str(&regex::escape(&c.to_string())),
                    }
                }
                out.push(']');
            }
            '{' => {
                braces += 1;
                out.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                out.push(')');
            }
            ',' if braces > 0 => out.push('|'),
            '\\' => out.push_str(&regex::escape(&chars.next()?.to_string())),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.push('$');
    (braces == 0).then_some(out)
}

/// The files as `toYaml` writes a map of them; of two in different folders with one name, the last
/// stays.
fn as_yaml(call: &mut Call<'_>, value: fn(&Text) -> Value) -> Result<Value, Failure> {
    let map: Entries = entries(call)
        .into_iter()
        .map(|(name, content)| (base(&name).into(), value(&content)))
        .collect();
    let to_yaml = funcs::find("toYaml").expect("toYaml is a function of charts");
    let args = [Value::map(map)];
    (to_yaml.body)(&mut Call { args: &args, world: call.world, templates: call.templates })
}

fn base(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| *byte == b'/').next().unwrap_or(name)
}
