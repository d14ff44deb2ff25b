//! The functions that charts can call, by subject: sprig's and Helm's, beside Go's own.

#![expect(clippy::unnecessary_wraps, reason = "all functions have one signature")]

mod base64;
mod builtin;
mod certificates;
mod crypto;
mod data;
mod date;
mod defaults;
mod dict;
mod durations;
mod encoding;
mod equal;
mod lists;
mod number;
mod paths;
mod random;
mod reflection;
mod regex;
mod semver;
mod strings;
mod strval;
pub(super) mod templates;
mod toml;
mod url;
mod words;

use super::function::Function;
use hashbrown::HashMap;
use std::sync::LazyLock;

/// All of them.
static TABLES: &[&[Function]] = &[
    // First, since charts have another `slice`.
    builtin::TABLE,
    templates::TABLE,
    certificates::FUNCTIONS,
    crypto::FUNCTIONS,
    date::FUNCTIONS,
    data::FUNCTIONS,
    defaults::FUNCTIONS,
    dict::FUNCTIONS,
    durations::FUNCTIONS,
    encoding::FUNCTIONS,
    lists::FUNCTIONS,
    dict::MERGING,
    number::FUNCTIONS,
    paths::FUNCTIONS,
    random::FUNCTIONS,
    reflection::FUNCTIONS,
    regex::FUNCTIONS,
    semver::FUNCTIONS,
    strings::FUNCTIONS,
    toml::FUNCTIONS,
    url::FUNCTIONS,
    words::FUNCTIONS,
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    TABLES.iter().flat_map(|table| table.iter()).map(|function| (function.name, function)).collect()
});

/// The function of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name).copied()
}

/// The function of the language itself, where charts may have another by that name.
#[cfg(test)]
pub(super) fn of_go(name: &str) -> Option<&'static Function> {
    builtin::TABLE.iter().find(|function| function.name == name)
}

/// The names of all functions, to suggest one from.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}
