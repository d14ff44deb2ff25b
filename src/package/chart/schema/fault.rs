//! What a value has against its schema: a tree, since a combination fails for several reasons.

use super::text::quoted;

/// One violation, with those that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Keys and indices that lead to the value.
    pub path: Vec<String>,
    /// What is wrong with it.
    pub message: String,
    /// Why.
    pub causes: Vec<Violation>,
    /// How it is told.
    pub(super) kind: Kind,
}

/// How a violation is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// By itself.
    Plain,
    /// Several of one value.
    Group,
    /// Behind a reference; not told when it has one cause only.
    Reference,
}

impl Violation {
    /// All of it, as a list with deeper lists in it.
    pub(super) fn listed(&self) -> String {
        let mut lines = Vec::new();
        if self.kind == Kind::Group {
            self.causes.iter().for_each(|cause| cause.list(0, &mut lines));
        } else {
            self.list(0, &mut lines);
        }
        lines.join("\n")
    }

    fn list(&self, depth: usize, lines: &mut Vec<String>) {
        let skipped = self.kind == Kind::Reference && self.causes.len() == 1;
        if !skipped {
            let place = quoted(&self.pointer());
            lines.push(format!("{}- at {place}: {}", "  ".repeat(depth), self.message));
        }
        let depth = depth + usize::from(!skipped);
        self.causes.iter().for_each(|cause| cause.list(depth, lines));
    }

    fn pointer(&self) -> String {
        let escaped = |part: &String| format!("/{}", part.replace('~', "~0").replace('/', "~1"));
        self.path.iter().map(escaped).collect()
    }

    /// Those without causes.
    pub(super) fn leaves(&self) -> Vec<Violation> {
        if self.causes.is_empty() {
            return vec![self.clone()];
        }
        self.causes.iter().flat_map(Violation::leaves).collect()
    }
}
