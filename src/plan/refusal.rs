//! What stands against a plan. All of it is found before anything is changed.

use std::fmt;

/// One thing that stands against a plan.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, miette::Diagnostic)]
pub enum Refusal {
    /// Fields that others own are to be changed.
    #[error("{object}: {}", lines(.fields))]
    #[diagnostic(
        code(wharf::plan::conflict),
        help("leave these fields out of the package, or take them over with `--force-conflicts`")
    )]
    Conflict {
        /// The object.
        object: String,
        /// Each field and the manager that owns it.
        fields: Vec<(String, String)>,
    },
    /// The object is there and is not this release's.
    #[error("{object} is there already and belongs to {owner}")]
    #[diagnostic(
        code(wharf::plan::not_owned),
        help("give it another name, or make it part of this release with `--take-ownership`")
    )]
    NotOwned {
        /// The object.
        object: String,
        /// Whose it is.
        owner: String,
    },
    /// A field cannot be changed in place.
    #[error("{object} cannot be changed in place: {message}")]
    #[diagnostic(
        code(wharf::plan::immutable),
        help(
            "`--force-recreate` deletes and makes it anew; what it holds or runs is lost for a while"
        )
    )]
    Immutable {
        /// The object.
        object: String,
        /// The server's words.
        message: String,
    },
    /// The server does not take the object.
    #[error("{object}{}: {message}", from(.origin))]
    #[diagnostic(code(wharf::plan::rejected))]
    Rejected {
        /// The object.
        object: String,
        /// The file it came from, or empty.
        origin: String,
        /// The server's words.
        message: String,
    },
    /// The same object twice in one package.
    #[error("{object} is there twice{}{}", from(.first), and(.second))]
    #[diagnostic(
        code(wharf::plan::duplicate),
        help("one of the two would overwrite the other; rename or remove one")
    )]
    Duplicate {
        /// The object.
        object: String,
        /// The file of the first one, or empty.
        first: String,
        /// The file of the second one, or empty.
        second: String,
    },
}

impl Refusal {
    /// True when the user may insist on it; false for what can never work.
    #[must_use]
    pub fn is_policy(&self) -> bool {
        matches!(
            self,
            Refusal::Conflict { .. } | Refusal::NotOwned { .. } | Refusal::Immutable { .. }
        )
    }
}

fn from(origin: &str) -> String {
    if origin.is_empty() { String::new() } else { format!(" (from {origin})") }
}

fn and(origin: &str) -> String {
    if origin.is_empty() { String::new() } else { format!(" and ({origin})") }
}

fn lines(fields: &[(String, String)]) -> String {
    let mut text = match fields.len() {
        1 => "a field belongs to another manager".to_owned(),
        count => format!("{count} fields belong to other managers"),
    };
    for (field, manager) in fields {
        text.push_str("\n  ");
        text.push_str(field);
        text.push_str(" is owned by ");
        text.push_str(manager);
    }
    text
}

/// Everything that stands against a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusals(pub Vec<Refusal>);

impl Refusals {
    /// True when the user may insist on all of it.
    #[must_use]
    pub fn are_policy(&self) -> bool {
        self.0.iter().all(Refusal::is_policy)
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => fmt::Display::fmt(one, f),
            many => write!(f, "{} objects cannot be applied; nothing was changed", many.len()),
        }
    }
}

impl std::error::Error for Refusals {}

impl miette::Diagnostic for Refusals {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self.0.as_slice() {
            [one] => one.code(),
            _ => Some(Box::new("wharf::plan::refused")),
        }
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self.0.as_slice() {
            [one] => one.help(),
            _ => None,
        }
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let all = self.0.iter().map(|refusal| refusal as &dyn miette::Diagnostic);
        (self.0.len() > 1).then(|| Box::new(all) as Box<_>)
    }
}
