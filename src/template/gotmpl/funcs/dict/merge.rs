//! Merging maps with the rules of `mergo`, which are its own:
//!
//! - Without overwriting, a value takes the place of one that is absent or empty: nil, false, zero,
//!   or of no length.
//! - With overwriting it takes the place of any, even when it is itself empty.
//! - Maps are merged into maps, unless the one in place is still empty after that: then the other
//!   map itself comes there, and is shared from then on.
//! - Nil counts only when overwriting.

use super::super::equal::DEPTH;
use super::super::strval::kind_of;
use crate::template::gotmpl::function::{Call, Failure, Function, Templates};
use crate::template::gotmpl::go_type::{ANY, ANY_MAP, Kind, STRING};
use crate::template::gotmpl::value::{Entries, Map, Text, Value};

/// The functions of this subject.
pub(in super::super) static FUNCTIONS: &[Function] = &[
    Function::variadic("merge", &[&ANY_MAP, &ANY_MAP], |call| merge(call, false)),
    Function::variadic("mergeOverwrite", &[&ANY_MAP, &ANY_MAP], |call| merge(call, true)),
    Function::variadic("mustMerge", &[&ANY_MAP, &ANY_MAP], |call| must_merge(call, false)),
    Function::variadic("mustMergeOverwrite", &[&ANY_MAP, &ANY_MAP], |call| must_merge(call, true)),
];

const DIFFERENT: &str = "src and dst must be of same type";

fn merge(call: &mut Call<'_>, overwrite: bool) -> Result<Value, Failure> {
    match must_merge(call, overwrite) {
        Err(failure) if failure.message == *DIFFERENT => Ok(Value::text("")),
        merged => merged,
    }
}

fn must_merge(call: &mut Call<'_>, overwrite: bool) -> Result<Value, Failure> {
    let mut target = call.map(0).cloned();
    for index in 1..call.args.len() {
        if let Some(source) = call.map(index) {
            let target = target.get_or_insert_with(|| Map::any(Entries::new()));
            Merge { overwrite, templates: call.templates }.maps(target, source, 0)?;
        }
    }
    Ok(target.map_or(Value::NilOf(&ANY_MAP), Value::Map))
}

struct Merge<'a> {
    overwrite: bool,
    templates: &'a mut dyn Templates,
}

impl Merge<'_> {
    fn maps(&mut self, target: &Map, source: &Map, depth: usize) -> Result<(), Failure> {
        if target.is(source) {
            return Ok(());
        }
        if depth > DEPTH {
            return Err("merging maps that are nested too deep or hold themselves".into());
        }
        // both may hold each other: nothing stays borrowed
        let entries: Vec<(Text, Value)> =
            source.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        self.templates.pay_items(entries.len())?;
        for (key, value) in entries {
            self.entry(target, source, key, value, depth)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        target: &Map,
        source: &Map,
        key: Text,
        value: Value,
        depth: usize,
    ) -> Result<(), Failure> {
        let old = target.entries().get(&key).cloned();
        match (&value, &old) {
            (Value::Nil, _) => {
                if self.overwrite {
                    put(target, source, key, value)?;
                }
                return Ok(());
            }
            (Value::Map(value), Some(Value::Map(old))) => self.maps(old, value, depth + 1)?,
            (Value::Map(_), Some(Value::Object(old)))
                if old.go_type().kind == Kind::Ptr && !self.overwrite =>
            {
                return Err(DIFFERENT.into());
            }
            _ => {}
        }
        let is_slice = kind_of(&value) == Kind::Slice;
        match old.as_ref().filter(|old| !is_empty(old)) {
            // the slice in place is set anew: nothing changes unless it is overwritten
            Some(_) if is_slice && !self.overwrite => return Ok(()),
            Some(old) if !is_slice && kind_of(&value) == Kind::Map && kind_of(old) == Kind::Map => {
                return Ok(());
            }
            Some(_) if !self.overwrite => return Ok(()),
            _ => {}
        }
        put(target, source, key, value)
    }
}

/// Sets an entry, as Go's reflection does it: the type of what the source holds must fit.
fn put(target: &Map, source: &Map, key: Text, value: Value) -> Result<(), Failure> {
    let holds_texts = |map: &Map| map.go_type().elem == Some(&STRING);
    if holds_texts(target) && !holds_texts(source) {
        let is_slice = kind_of(&value) == Kind::Slice;
        let of = value.go_type().filter(|_| is_slice).unwrap_or(&ANY);
        let error = format!("value of type {of} is not assignable to type string");
        return Err(format!("reflect.Value.SetMapIndex: {error}").into());
    }
    target.set(key, value);
    Ok(())
}

/// What `mergo` takes for empty.
fn is_empty(value: &Value) -> bool {
    !matches!(value, Value::Complex(_) | Value::Object(_))
        && super::super::defaults::is_empty(value)
}
