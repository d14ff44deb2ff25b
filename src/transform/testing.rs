//! Runs one transformer over objects given as JSON.

use super::set::{Resource, ResourceSet, Scopes};
use super::{Context, Rules, Transformer};
use crate::base::diag::Diagnostics;
use crate::base::source::Sources;
use crate::schema::Schemas;
use crate::yaml::Node;
use serde_json::Value;
use std::sync::Arc;

/// What the objects are afterwards, or the faults.
pub(crate) fn run(
    transformer: &dyn Transformer,
    objects: &[Value],
) -> Result<Vec<Value>, Diagnostics> {
    let of = |object: &Value| Resource::new(Node::from(object.clone()), Arc::default());
    let list = objects.iter().map(of).collect();
    let mut set = ResourceSet::unchecked(list, Scopes::kustomize().into());
    let mut sink = Diagnostics::new();
    let mut context = Context {
        sources: &Sources::new(),
        schemas: &Schemas::latest(),
        rules: Rules::Kustomize,
        sink: &mut sink,
    };
    transformer.transform(&mut set, &mut context);
    let found = set.iter().map(|resource| Value::from(&resource.root)).collect();
    sink.finish(found).map(|(found, _)| found)
}

/// The objects become others.
pub(crate) fn check(transformer: &dyn Transformer, before: &[Value], after: &[Value]) {
    assert_eq!(run(transformer, before).expect("no fault"), after);
}

/// The code of the first fault.
pub(crate) fn code(transformer: &dyn Transformer, objects: &[Value]) -> &'static str {
    let faults = run(transformer, objects).expect_err("a fault");
    faults.iter().next().expect("a fault").code
}

/// What is wrong.
pub(crate) fn fault(transformer: &dyn Transformer, objects: &[Value]) -> String {
    run(transformer, objects).expect_err("a fault").to_string()
}
