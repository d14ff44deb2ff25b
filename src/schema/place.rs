//! Where validation stands in a value: the way from the root, and where else a key would fit.

use super::model::{Kind, Type};
use crate::base::source::Span;
use crate::yaml::{FieldPath, Node};
use std::collections::VecDeque;

/// How many levels down a misplaced key is looked for. A container's field put at the root of a
/// Deployment is three levels off.
const LEVELS: usize = 4;

/// One level on the way from the root; kept on the stack, so that a sound value costs nothing.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) parent: Option<&'a Place<'a>>,
    pub(super) step: Step<'a>,
    /// What the value at this place may be.
    pub(super) ty: &'a Type,
    /// Where the place begins: its key, or the item itself.
    pub(super) span: Span,
}

#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The root of a value.
    pub(super) fn root(ty: &'a Type, span: Span) -> Place<'a> {
        Place { parent: None, step: Step::Root, ty, span }
    }

    /// One key further down.
    pub(super) fn key(&'a self, key: &'a str, ty: &'a Type, span: Span) -> Place<'a> {
        Place { parent: Some(self), step: Step::Key(key), ty, span }
    }

    /// One item further down.
    pub(super) fn index(&'a self, index: usize, ty: &'a Type, span: Span) -> Place<'a> {
        Place { parent: Some(self), step: Step::Index(index), ty, span }
    }

    /// The whole path.
    pub(super) fn path(&self) -> FieldPath {
        let mut path = self.parent.map(Place::path).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Key(key) => path.push_key(key),
            Step::Index(index) => path.push_index(index),
        }
        path
    }

    /// The path of a key at this place.
    pub(super) fn path_of(&self, key: &str) -> String {
        self.path().key(key).to_string()
    }

    /// Where a key that is unknown here would be known: above, else below.
    pub(super) fn home_of(&self, key: &str, value: &Node) -> Option<String> {
        let mut above = self.parent;
        while let Some(place) = above {
            let fits = place.ty.property(key).is_some_and(|ty| may_hold(ty, value));
            if fits {
                let path = place.path().to_string();
                return Some(if path.is_empty() { "the root of the object".into() } else { path });
            }
            above = place.parent;
        }
        self.home_below(key, value)
    }

    fn home_below(&self, key: &str, value: &Node) -> Option<String> {
        let mut queue = VecDeque::from([(self.ty, String::new(), 0)]);
        let mut found: Vec<String> = Vec::new();
        let mut deepest = LEVELS;
        while let Some((ty, path, level)) = queue.pop_front() {
            if level >= deepest {
                continue;
            }
            for property in ty.properties() {
                if matches!(property.key.as_str(), "status" | "managedFields") {
                    continue;
                }
                let (inner, brackets) = match property.ty.items() {
                    Some(items) => (items, "[]"),
                    None => (&property.ty, ""),
                };
                let dot = if path.is_empty() { "" } else { "." };
                let below = format!("{path}{dot}{}{brackets}", property.key);
                if inner.property(key).is_some_and(|ty| may_hold(ty, value)) {
                    deepest = level + 1;
                    found.push(below);
                } else {
                    queue.push_back((inner, below, level + 1));
                }
            }
        }
        // of many places of the same depth only that of ordinary containers goes without saying
        let plain = |path: &&String| path.ends_with("containers[]");
        let home = match &*found {
            [only] => only,
            many => many.iter().find(plain)?,
        };
        let own = self.path().to_string();
        Some(if own.is_empty() { home.clone() } else { format!("{own}.{home}") })
    }
}

fn may_hold(ty: &Type, value: &Node) -> bool {
    match value.kind() {
        "map" => matches!(ty.kind(), Kind::Object | Kind::Any),
        "list" => matches!(ty.kind(), Kind::List | Kind::Any),
        "null" => true,
        _ => !matches!(ty.kind(), Kind::Object | Kind::List),
    }
}
