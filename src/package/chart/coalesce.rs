//! Values of a chart, of the charts in it, and of the user, made one: Helm's rules.
//!
//! What is above wins; maps merge, everything else is replaced; a null above takes away what is
//! below. `merging` keeps such nulls, for values that will be coalesced again. The maps that hold
//! `global` are copied one level deep only, as in Helm: what is below that level is one map that
//! parent and child share, so that what one of them adds is seen by the other.

use super::load::Chart;
use crate::template::gotmpl::value::Entries;
use crate::template::gotmpl::{List, Map, Text, Value, fmt};

/// The key of values that all charts see.
const GLOBAL: &str = "global";

/// What Helm says while it merges.
pub type Warnings = Vec<String>;

/// The values that a chart sees, with those of the charts in it.
///
/// # Errors
/// When a chart's name holds something else than a map.
pub fn coalesce(chart: &Chart, user: &Map, warnings: &mut Warnings) -> Result<Map, String> {
    Pass { warnings, merging: false }.chart(chart, copy(user), "")
}

/// The same with nulls kept.
///
/// # Errors
/// When a chart's name holds something else than a map.
pub fn merge(chart: &Chart, user: &Map, warnings: &mut Warnings) -> Result<Map, String> {
    Pass { warnings, merging: true }.chart(chart, copy(user), "")
}

/// Puts `above` over `below` where both are maps; nulls stay.
pub fn merge_tables(above: &Map, below: &Map, warnings: &mut Warnings) {
    Pass { warnings, merging: true }.tables(above, below, "");
}

/// A map that shares nothing with the one it was made from.
#[must_use]
pub fn copy(map: &Map) -> Map {
    let entries = map.entries();
    let copied = entries.iter().map(|(key, value)| (key.clone(), copy_value(value)));
    Map::new(map.go_type(), copied.collect())
}

fn copy_value(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(copy(map)),
        Value::List(list)
            if list.iter().any(|item| matches!(item, Value::Map(_) | Value::List(_))) =>
        {
            Value::List(List::new(list.go_type(), list.iter().map(copy_value).collect::<Vec<_>>()))
        }
        other => other.clone(),
    }
}

struct Pass<'a> {
    warnings: &'a mut Warnings,
    merging: bool,
}

impl Pass<'_> {
    fn chart(&mut self, chart: &Chart, values: Map, prefix: &str) -> Result<Map, String> {
        self.own(chart, &values, prefix);
        let name = &chart.metadata.name;
        let prefix = joined(prefix, name);
        for inner in &chart.dependencies {
            let key = inner.metadata.name.as_str();
            let below = match values.get(key) {
                None => {
                    let below = Map::any(Entries::new());
                    values.set(key, Value::Map(below.clone()));
                    below
                }
                Some(Value::Map(below)) => below,
                Some(other) => {
                    return Err(format!("type mismatch on {key}: {}", bool_verb(&other)));
                }
            };
            self.globals(&below, &values, &prefix);
            let below = self.chart(inner, below, &prefix)?;
            values.set(key, Value::Map(below));
        }
        Ok(values)
    }

    /// Puts a chart's own values under those that it was given.
    fn own(&mut self, chart: &Chart, values: &Map, prefix: &str) {
        let prefix = joined(prefix, &chart.metadata.name);
        let own = copy(&chart.values);
        for (key, value) in entries(&own) {
            let there = values.entries().get(&key).cloned();
            match (there, value) {
                (None, Value::Nil) if !self.merging => {}
                (None, value) => {
                    if let (false, Value::Map(map)) = (self.merging, &value) {
                        drop_nulls(map);
                    }
                    values.set(key, value);
                }
                (Some(Value::Nil), _) if !self.merging => {
                    values.entries_mut().remove(&key);
                }
                (Some(Value::Map(above)), Value::Map(below)) => {
                    let is_chart = |inner: &Chart| *inner.metadata.name.as_bytes() == *key;
                    let merging = self.merging || chart.dependencies.iter().any(is_chart);
                    if !merging {
                        drop_nulls(&below);
                    }
                    let place = joined(&prefix, &key.lossy());
                    Pass { warnings: self.warnings, merging }.tables(&above, &below, &place);
                }
                (Some(Value::Map(_)), Value::Nil) => {}
                (Some(Value::Map(_)), _) => self
                    .warnings
                    .push(format!("warning: skipped value for {prefix}.{key}: Not a table.")),
                _ => {}
            }
        }
    }

    /// Puts the globals of a chart over those of a chart in it.
    fn globals(&mut self, below: &Map, above: &Map, prefix: &str) {
        let mut table = |map: &Map, side: &str| match map.get(GLOBAL) {
            None => Some(Map::any(Entries::new())),
            Some(Value::Map(table)) => Some(table),
            Some(_) => {
                self.warnings.push(format!(
                    "warning: skipping globals because {side} {GLOBAL} is not a table."
                ));
                None
            }
        };
        let Some(lower) = table(below, "destination") else { return };
        let Some(upper) = table(above, "source") else { return };
        for (key, value) in entries(&upper) {
            let there = lower.entries().get(&key).cloned();
            match (value, there) {
                (Value::Map(value), None) => lower.set(key, Value::Map(shallow(&value))),
                (Value::Map(value), Some(Value::Map(there))) => {
                    let copied = shallow(&value);
                    let place = joined(prefix, &key.lossy());
                    Pass { warnings: self.warnings, merging: true }.tables(&copied, &there, &place);
                    lower.set(key, Value::Map(copied));
                }
                (Value::Map(_), Some(_)) => self.warnings.push(format!(
                    "Conflict: cannot merge map onto non-map for {:?}. Skipping.",
                    key.lossy()
                )),
                (_, Some(Value::Map(_))) => {
                    self.warnings.push(format!("key {key} is table. Skipping"));
                }
                (value, _) => lower.set(key, value),
            }
        }
        below.set(GLOBAL, Value::Map(lower));
    }

    /// Puts `below` under `above`, which is changed; `below` must not be used any more.
    fn tables(&mut self, above: &Map, below: &Map, prefix: &str) {
        if above.is(below) {
            return;
        }
        let lower = entries(below);
        // Helm takes away in the lower map, too, what a null above takes away
        for (key, value) in above.entries().iter() {
            if matches!(value, Value::Nil) {
                below.set(key.clone(), Value::Nil);
            }
        }
        for (key, low) in lower {
            let place = || joined(prefix, &key.lossy());
            let high = above.entries().get(&key).cloned();
            match (high, low) {
                (None, low) => above.set(key, low),
                (Some(Value::Nil), low) if !self.merging && !matches!(low, Value::Nil) => {
                    above.entries_mut().remove(&key);
                }
                (Some(Value::Map(high)), Value::Map(low)) => self.tables(&high, &low, &place()),
                (Some(Value::Map(_)), Value::Nil) => {}
                (Some(Value::Map(_)), low) => self.warnings.push(format!(
                    "warning: destination for {} is a table. Ignoring non-table value ({})",
                    place(),
                    shown(&low)
                )),
                (Some(_), low @ Value::Map(_)) => self.warnings.push(format!(
                    "warning: cannot overwrite table with non table for {} ({})",
                    place(),
                    shown(&low)
                )),
                _ => {}
            }
        }
    }
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// The entries as they are now, so that the map can change meanwhile.
fn entries(map: &Map) -> Vec<(Text, Value)> {
    map.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn shallow(map: &Map) -> Map {
    Map::new(map.go_type(), map.entries().clone())
}

/// Takes nulls out of a map and the maps in it.
fn drop_nulls(map: &Map) {
    map.entries_mut().retain(|_, value| !matches!(value, Value::Nil));
    for value in map.entries().values() {
        if let Value::Map(inner) = value {
            drop_nulls(inner);
        }
    }
}

/// A value in a warning: values may be secret, so only what kind it is.
fn shown(value: &Value) -> String {
    value.go_type().map_or("nil", |of| of.name).to_owned()
}

/// A value as Go prints it where it wants a bool.
fn bool_verb(value: &Value) -> String {
    // what cannot be printed is told by its type
    fmt::sprintf(b"%t", std::slice::from_ref(value)).map_or_else(
        |_| value.go_type().map_or("nil", |of| of.name).to_owned(),
        |text| text.to_string(),
    )
}
