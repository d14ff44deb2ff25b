//! Versions: sprig's functions over [`Version`] and [`Constraint`].

use crate::template::gotmpl::function::Function;
use crate::template::gotmpl::go_type::STRING;
use crate::template::gotmpl::value::Value;
use crate::template::gotmpl::version::{Constraint, Version};
use std::rc::Rc;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("semver", &[&STRING], |call| {
        Ok(Value::Object(Rc::new(Version::parse(call.text(0))?)))
    }),
    Function::new("semverCompare", &[&STRING, &STRING], |call| {
        let constraint = Constraint::parse(call.text(0))?;
        Ok(Value::Bool(constraint.allows(&Version::parse(call.text(1))?)))
    }),
];
