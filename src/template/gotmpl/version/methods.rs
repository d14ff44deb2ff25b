//! The methods of versions. A pointer to a version has more of them than a version itself.

#![expect(clippy::unnecessary_wraps, reason = "all methods have one signature")]

use super::{Version, check_pre, identifiers};
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{Kind, STRING, Type, UINT64};
use crate::template::gotmpl::value::Value;
use std::rc::Rc;

/// `*semver.Version`, which functions give.
pub static VERSION: Type = Type {
    name: "*semver.Version",
    kind: Kind::Ptr,
    elem: Some(&PLAIN),
    method: |name| find(VALUE_METHODS, name).or_else(|| find(POINTER_METHODS, name)),
    text: None,
};

/// `semver.Version`, which some methods give.
pub(super) static PLAIN: Type = Type {
    name: "semver.Version",
    kind: Kind::Struct,
    elem: None,
    method: |name| find(VALUE_METHODS, name),
    text: None,
};

fn find(methods: &'static [Function], name: &str) -> Option<&'static Function> {
    methods.iter().find(|method| method.name == name)
}

type Outcome = Result<Value, Failure>;

static VALUE_METHODS: &[Function] = &[
    Function::new("IncMajor", &[], |call| {
        let this = version(call, 0);
        next(this, this.major.checked_add(1), "major", |major| [major, 0, 0])
    }),
    Function::new("IncMinor", &[], |call| {
        let this = version(call, 0);
        next(this, this.minor.checked_add(1), "minor", |minor| [this.major, minor, 0])
    }),
    Function::new("IncPatch", &[], |call| {
        let this = version(call, 0);
        // a pre-release is before its release
        let step = u64::from(this.pre.is_empty());
        next(this, this.patch.checked_add(step), "patch", |patch| [this.major, this.minor, patch])
    }),
    Function::new("Major", &[], |call| number(version(call, 0).major)),
    Function::new("Metadata", &[], |call| text(&version(call, 0).metadata)),
    Function::new("Minor", &[], |call| number(version(call, 0).minor)),
    Function::new("Patch", &[], |call| number(version(call, 0).patch)),
    Function::new("Prerelease", &[], |call| text(&version(call, 0).pre)),
    Function::new("SetMetadata", &[&STRING], |call| {
        let metadata = tag(call, "invalid metadata string")?;
        changed(Version { metadata, ..version(call, 0).clone() })
    }),
    Function::new("SetPrerelease", &[&STRING], |call| {
        let pre = tag(call, "invalid prerelease string")?;
        check_pre(&pre)?;
        changed(Version { pre, ..version(call, 0).clone() })
    }),
    Function::new("String", &[], |call| text(&version(call, 0).canonical())),
];

static POINTER_METHODS: &[Function] = &[
    Function::new("Compare", &[&VERSION], |call| Ok(Value::int(order(call)? as i64))),
    Function::new("Equal", &[&VERSION], |call| compared(call, std::cmp::Ordering::is_eq)),
    Function::new("GreaterThan", &[&VERSION], |call| compared(call, std::cmp::Ordering::is_gt)),
    Function::new("GreaterThanEqual", &[&VERSION], |call| {
        compared(call, std::cmp::Ordering::is_ge)
    }),
    Function::new("LessThan", &[&VERSION], |call| compared(call, std::cmp::Ordering::is_lt)),
    Function::new("LessThanEqual", &[&VERSION], |call| compared(call, std::cmp::Ordering::is_le)),
    Function::new("Original", &[], |call| text(&version(call, 0).original)),
];

fn number(number: u64) -> Outcome {
    Ok(Value::Uint(number, &UINT64))
}

fn text(text: &str) -> Outcome {
    Ok(Value::text(text))
}

fn version_at<'a>(call: &Call<'a>, index: usize) -> Option<&'a Version> {
    match &call.args[index] {
        Value::Object(object) => object.as_any().downcast_ref(),
        _ => None,
    }
}

fn version<'a>(call: &Call<'a>, index: usize) -> &'a Version {
    version_at(call, index).expect("a version by the signature")
}

fn order(call: &Call<'_>) -> Result<std::cmp::Ordering, Failure> {
    match version_at(call, 1) {
        Some(other) => Ok(version(call, 0).precedence(other)),
        None => Err("runtime error: invalid memory address or nil pointer dereference".into()),
    }
}

fn compared(call: &Call<'_>, holds: fn(std::cmp::Ordering) -> bool) -> Outcome {
    Ok(Value::Bool(holds(order(call)?)))
}

/// An argument that is to be a tag, or empty.
fn tag(call: &Call<'_>, fault: &str) -> Result<String, Failure> {
    let tag = call.text(1);
    if identifiers(tag) < tag.len() {
        return Err(fault.into());
    }
    Ok(tag.lossy().into_owned())
}

fn next(
    this: &Version,
    number: Option<u64>,
    what: &str,
    numbers: impl Fn(u64) -> [u64; 3],
) -> Outcome {
    let Some(number) = number else {
        return Err(format!("{what} version increment would overflow uint64").into());
    };
    let [major, minor, patch] = numbers(number);
    let (pre, metadata) = (String::new(), String::new());
    changed(Version { major, minor, patch, pre, metadata, ..this.clone() })
}

/// A version that was made of another.
fn changed(mut version: Version) -> Outcome {
    let prefix = if version.original.starts_with('v') { "v" } else { "" };
    version.original = format!("{prefix}{}", version.canonical());
    version.plain = true;
    Ok(Value::Object(Rc::new(version)))
}
