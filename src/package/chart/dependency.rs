//! Which of a chart's dependencies are there, under which names, and what it takes of their values.

use super::coalesce::{self, Warnings};
use super::load::Chart;
use super::metadata::{Dependency, Import};
use super::version;
use crate::base::source::Span;
use crate::template::gotmpl::value::Entries;
use crate::template::gotmpl::{Map, Value};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

/// The names of dependencies that a chart lists and does not hold.
#[must_use]
pub fn missing(chart: &Chart) -> Vec<(String, Span)> {
    let listed = chart.metadata.dependencies.borrow();
    let held = |name: &str| chart.dependencies.iter().any(|inner| inner.metadata.name == name);
    let names =
        listed.iter().flatten().map(|dependency| (dependency.name.clone(), dependency.span));
    names.filter(|(name, _)| !held(name)).collect()
}

/// Gives dependencies their aliases, drops those that conditions and tags turn off, and imports
/// values, in the chart and in all charts inside of it.
///
/// # Errors
/// When values of a chart are no map.
pub fn settle(chart: &mut Chart, user: &Map, warnings: &mut Warnings) -> Result<(), String> {
    enable(chart, user, "", warnings)?;
    import(chart, warnings)
}

fn enable(
    chart: &mut Chart,
    values: &Map,
    path: &str,
    warnings: &mut Warnings,
) -> Result<(), String> {
    let listed = chart.metadata.dependencies.clone();
    if listed.borrow().is_none() {
        return Ok(());
    }
    rename(chart, listed.borrow_mut().as_mut().expect("it was looked at just above"));
    let seen = coalesce::coalesce(chart, values, warnings)?;
    let mut off = HashSet::new();
    for dependency in listed.borrow_mut().iter_mut().flatten() {
        dependency.enabled = tags_allow(dependency, &seen, warnings);
        apply_conditions(dependency, &seen, path, warnings);
        if !dependency.enabled {
            off.insert(dependency.name.clone());
        }
    }
    chart.dependencies.retain(|inner| !off.contains(&inner.metadata.name));
    for inner in &mut chart.dependencies {
        let path = format!("{path}{}.", inner.metadata.name);
        enable(inner, &seen, &path, warnings)?;
    }
    let mut listed = listed.borrow_mut();
    let on = |dependency: &Dependency| !off.contains(&dependency.name);
    let kept: Vec<Dependency> = listed.take().into_iter().flatten().filter(on).collect();
    // a list without entries counts as none, as appending nothing to nil does in Go
    *listed = (!kept.is_empty()).then_some(kept);
    Ok(())
}

/// Puts the charts in the order in which they are listed, behind those that are not, each under
/// its alias.
fn rename(chart: &mut Chart, listed: &mut [Dependency]) {
    let held = std::mem::take(&mut chart.dependencies);
    let is = |inner: &Chart, dependency: &Dependency| {
        inner.metadata.name == dependency.name
            && version::is_compatible(&dependency.version, &inner.metadata.version)
    };
    let unlisted = held.iter().filter(|inner| !listed.iter().any(|entry| is(inner, entry)));
    chart.dependencies = unlisted.cloned().collect();
    for dependency in listed {
        if let Some(inner) = held.iter().find(|inner| is(inner, dependency)) {
            let mut taken = inner.clone();
            let own = taken.metadata.dependencies.borrow().clone();
            taken.metadata.dependencies = Rc::new(RefCell::new(own));
            if !dependency.alias.is_empty() {
                taken.metadata.name.clone_from(&dependency.alias);
            }
            chart.dependencies.push(taken);
        }
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
    }
}

/// What tags say: on, unless one is off and none is on.
fn tags_allow(dependency: &Dependency, values: &Map, warnings: &mut Warnings) -> bool {
    let Some(Value::Map(tags)) = values.get("tags") else { return true };
    let (mut on, mut off) = (false, false);
    for tag in &dependency.tags {
        match tags.get(tag) {
            Some(Value::Bool(true)) => on = true,
            Some(Value::Bool(false)) => off = true,
            None => {}
            Some(_) => warnings.push(format!(
                "returned non-bool value: tag `{tag}` of chart `{}`",
                dependency.name
            )),
        }
    }
    on || !off
}

/// What the first condition that has a value says.
fn apply_conditions(
    dependency: &mut Dependency,
    values: &Map,
    path: &str,
    warnings: &mut Warnings,
) {
    for condition in dependency.condition.trim().split(',').filter(|path| !path.is_empty()) {
        match scalar(values, &format!("{path}{condition}")) {
            Some(Value::Bool(on)) => {
                dependency.enabled = on;
                break;
            }
            Some(_) => warnings.push(format!(
                "returned non-bool value: condition `{condition}` of chart `{}`",
                dependency.name
            )),
            None => {}
        }
    }
}

/// The value at a path, when it is there and no map.
fn scalar(values: &Map, path: &str) -> Option<Value> {
    let (tables, key) = match path.rsplit_once('.') {
        Some((tables, key)) => (table(values, tables)?, key),
        None => (values.clone(), path),
    };
    tables.get(key).filter(|value| !matches!(value, Value::Map(_)))
}

/// The map at a path with dots.
fn table(values: &Map, path: &str) -> Option<Map> {
    path.split('.').try_fold(values.clone(), |map, key| match map.get(key) {
        Some(Value::Map(inner)) => Some(inner),
        _ => None,
    })
}

/// Takes values from dependencies, the innermost first. They stand under the chart's own.
fn import(chart: &mut Chart, warnings: &mut Warnings) -> Result<(), String> {
    for inner in &mut chart.dependencies {
        import(inner, warnings)?;
    }
    let listed = chart.metadata.dependencies.clone();
    if listed.borrow().is_none() {
        return Ok(());
    }
    let seen = coalesce::merge(chart, &Map::any(Entries::new()), warnings)?;
    let imported = Map::any(Entries::new());
    for dependency in listed.borrow_mut().iter_mut().flatten() {
        let name = &dependency.name;
        dependency.imports.retain(|import| *import != Import::Other);
        for import in &mut dependency.imports {
            if let Import::Export(export) = import {
                let child = format!("exports.{export}");
                *import = Import::Path { child, parent: ".".to_owned() };
            }
            let Import::Path { child, parent } = import else { continue };
            let Some(found) = table(&seen, &format!("{name}.{child}")) else {
                warnings.push(format!("ImportValues missing table from chart `{name}`: {child}"));
                continue;
            };
            coalesce::merge_tables(&imported, &placed(&found, parent), warnings);
        }
    }
    let own = coalesce::copy(&seen);
    coalesce::merge_tables(&own, &imported, warnings);
    chart.values = own;
    Ok(())
}

/// A map at the end of a path of maps.
fn placed(map: &Map, path: &str) -> Map {
    if path == "." {
        return map.clone();
    }
    path.rsplit('.')
        .fold(map.clone(), |inner, key| Map::any(Entries::from([(key.into(), Value::Map(inner))])))
}
