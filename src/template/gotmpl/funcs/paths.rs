//! Paths with slashes, as Go's `path` takes them apart. Those of the host are the same: charts are
//! rendered alike everywhere.

use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::STRING;
use crate::template::gotmpl::value::Value;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("base", &[&STRING], base),
    Function::new("clean", &[&STRING], |call| Ok(Value::text(cleaned(call.text(0))))),
    Function::new("dir", &[&STRING], dir),
    Function::new("ext", &[&STRING], ext),
    Function::new("isAbs", &[&STRING], is_abs),
    Function::new("osBase", &[&STRING], base),
    Function::new("osClean", &[&STRING], |call| Ok(Value::text(cleaned(call.text(0))))),
    Function::new("osDir", &[&STRING], dir),
    Function::new("osExt", &[&STRING], ext),
    Function::new("osIsAbs", &[&STRING], is_abs),
];

fn base(call: &mut Call<'_>) -> Result<Value, Failure> {
    let path = call.text(0);
    let Some(last) = path.iter().rposition(|byte| *byte != b'/') else {
        return Ok(Value::text(if path.is_empty() { "." } else { "/" }));
    };
    let path = &path[..=last];
    Ok(Value::text(&path[after_last_slash(path)..]))
}

fn dir(call: &mut Call<'_>) -> Result<Value, Failure> {
    let path = call.text(0);
    Ok(Value::text(cleaned(&path[..after_last_slash(path)])))
}

fn ext(call: &mut Call<'_>) -> Result<Value, Failure> {
    let path = call.text(0);
    let name = &path[after_last_slash(path)..];
    let dot = name.iter().rposition(|byte| *byte == b'.').unwrap_or(name.len());
    Ok(Value::text(&name[dot..]))
}

fn is_abs(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(call.text(0).starts_with(b"/")))
}

fn after_last_slash(path: &[u8]) -> usize {
    path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)
}

/// The shortest path to the same place, by its letters alone.
fn cleaned(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(&last) if last != b".." => {
                    parts.pop();
                }
                None if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
