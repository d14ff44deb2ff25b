//! Regular expressions: sprig's functions over [`regexp`].

use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{INT, STRING, STRING_LIST};
use crate::template::gotmpl::regexp::{self, Pattern};
use crate::template::gotmpl::value::{Text, Value};
use std::rc::Rc;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("mustRegexFind", &[&STRING, &STRING], |call| find(call, regexp::compile)),
    Function::new("mustRegexFindAll", &[&STRING, &STRING, &INT], |call| {
        find_all(call, regexp::compile)
    }),
    Function::new("mustRegexMatch", &[&STRING, &STRING], must_match),
    Function::new("mustRegexReplaceAll", &[&STRING, &STRING, &STRING], |call| {
        replace_all(call, regexp::compile, false)
    }),
    Function::new("mustRegexReplaceAllLiteral", &[&STRING, &STRING, &STRING], |call| {
        replace_all(call, regexp::compile, true)
    }),
    Function::new("mustRegexSplit", &[&STRING, &STRING, &INT], |call| split(call, regexp::compile)),
    Function::new("regexFind", &[&STRING, &STRING], |call| find(call, regexp::must_compile)),
    Function::new("regexFindAll", &[&STRING, &STRING, &INT], |call| {
        find_all(call, regexp::must_compile)
    }),
    // a pattern that is none matches nothing
    Function::new("regexMatch", &[&STRING, &STRING], |call| {
        spend(call)?;
        let Ok(pattern) = regexp::compile(call.text(0)) else { return Ok(Value::Bool(false)) };
        call.templates.spend(pattern.cost() / 64)?;
        Ok(Value::Bool(pattern.is_match(call.text(1))))
    }),
    Function::new("regexQuoteMeta", &[&STRING], |call| {
        Ok(Value::text(regexp::quote_meta(call.text(0))))
    }),
    Function::new("regexReplaceAll", &[&STRING, &STRING, &STRING], |call| {
        replace_all(call, regexp::must_compile, false)
    }),
    Function::new("regexReplaceAllLiteral", &[&STRING, &STRING, &STRING], |call| {
        replace_all(call, regexp::must_compile, true)
    }),
    Function::new("regexSplit", &[&STRING, &STRING, &INT], |call| {
        split(call, regexp::must_compile)
    }),
];

type Outcome = Result<Value, Failure>;
type Compile = fn(&Text) -> Result<Rc<Pattern>, Text>;

/// Takes the fuel for matching.
fn spend(call: &mut Call<'_>) -> Result<(), Failure> {
    let bytes = call.text(0).len() + call.text(1).len();
    call.templates.spend(bytes / 64 + 1)
}

fn prepared(call: &mut Call<'_>, compile: Compile) -> Result<Rc<Pattern>, Failure> {
    spend(call)?;
    let pattern = compile(call.text(0))?;
    call.templates.spend(pattern.cost() / 64)?;
    Ok(pattern)
}

fn must_match(call: &mut Call<'_>) -> Outcome {
    let pattern = prepared(call, regexp::compile)?;
    Ok(Value::Bool(pattern.is_match(call.text(1))))
}

fn find(call: &mut Call<'_>, compile: Compile) -> Outcome {
    let pattern = prepared(call, compile)?;
    Ok(Value::text(pattern.find(call.text(1)).unwrap_or_default()))
}

fn find_all(call: &mut Call<'_>, compile: Compile) -> Outcome {
    let pattern = prepared(call, compile)?;
    let text = call.text(1);
    let limit = usize::try_from(call.int(2)).unwrap_or(usize::MAX);
    let found = pattern.find_all(text, limit);
    if found.is_empty() {
        return Ok(Value::NilOf(&STRING_LIST));
    }
    Ok(Value::texts(found.into_iter().map(|range| &text[range])))
}

fn replace_all(call: &mut Call<'_>, compile: Compile, literal: bool) -> Outcome {
    let pattern = prepared(call, compile)?;
    let replaced = pattern.replace_all(call.text(1), call.text(2), literal)?;
    call.templates.spend(replaced.len() / 64)?;
    Ok(Value::text(replaced))
}

fn split(call: &mut Call<'_>, compile: Compile) -> Outcome {
    let pattern = prepared(call, compile)?;
    match pattern.split(call.text(1), call.int(2)) {
        Some(parts) => Ok(Value::texts(parts)),
        None => Ok(Value::NilOf(&STRING_LIST)),
    }
}
