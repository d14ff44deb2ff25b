//! The storage class of claims that name none (`plugin/pkg/admission/storage/storageclass/setdefault`).

use crate::agent::claims::{CLASSES, IS_DEFAULT};
use crate::agent::store::Store;
use crate::object::meta;
use crate::yaml::Node;
use std::cmp::Reverse;

/// Fills in the class: of several that are the default, the one that was made last.
pub(super) fn fill(store: &Store, claim: &mut Node) {
    if claim.at(&["spec", "storageClassName"]).is_some_and(|name| !name.is_null()) {
        return;
    }
    let (classes, _) = store.list(&CLASSES.into(), None);
    let classes = classes.iter().map(|stored| &stored.object);
    let defaults = classes.filter(|class| meta::annotation(class, IS_DEFAULT) == Some("true"));
    let since = |class: &Node| class.str_at(&["metadata", "creationTimestamp"]).map(str::to_owned);
    let newest = defaults.min_by_key(|class| (Reverse(since(class)), meta::name(class)));
    if let Some(class) = newest {
        claim.set_at(&["spec", "storageClassName"], meta::name(class));
    }
}
