//! `wharf.lock`: what remote addresses gave when they were first fetched.
//!
//! ```yaml
//! # what was fetched; remove a line to have it fetched anew
//! remote:
//!   https://example.com/a.yaml: sha256:4355a46b…
//!   https://github.com/org/repo//base?ref=v1: 8f0c1f2e…
//! ```
//!
//! A repository is pinned to its commit and a file to its digest, so that a branch that moves or a
//! file that is replaced cannot change what is built without anybody seeing it.

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{FileId, Sources};
use crate::yaml::{self, Dialect, Node, emit};
use std::collections::BTreeMap;

/// The name of the file, beside the kustomization that is built.
pub const FILE_NAME: &str = "wharf.lock";

const HEAD: &str = "# what was fetched; remove a line to have it fetched anew\n";

/// What remote addresses gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    entries: BTreeMap<String, String>,
}

impl Lock {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is no lock file.
    pub fn read(sources: &Sources, file: FileId) -> Result<Lock, Diagnostics> {
        let root = yaml::parse_one(sources, file, Dialect::Strict)?;
        let entries = root.get("remote").and_then(Node::as_map);
        let mut faults = Diagnostics::new();
        let mut fault = |node: &Node, message: &str| {
            let fault = Diagnostic::error("wharf::package::lock", message);
            let help = "it is written by wharf; without it everything is fetched anew";
            faults.push(fault.at(node.span, "here").help(help));
        };
        if entries.is_none() && !root.is_null() {
            fault(&root, "a lock file is a map `remote` from addresses to what they gave");
        }
        let mut lock = Lock::default();
        for entry in entries.into_iter().flatten() {
            match entry.value.as_str() {
                Some(pin) => {
                    lock.entries.insert(entry.key.to_string(), pin.to_owned());
                }
                None => fault(&entry.value, "an address is pinned to a commit or a digest"),
            }
        }
        faults.finish(lock).map(|(lock, _)| lock)
    }

    /// What an address is pinned to.
    #[must_use]
    pub fn get(&self, address: &str) -> Option<&str> {
        self.entries.get(address).map(String::as_str)
    }

    /// Pins an address.
    pub fn pin(&mut self, address: &str, to: &str) {
        self.entries.insert(address.to_owned(), to.to_owned());
    }

    /// True when nothing is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut remote = Node::map();
        for (address, pin) in &self.entries {
            remote.set(address, pin.as_str());
        }
        let mut root = Node::map();
        root.set("remote", remote);
        format!("{HEAD}{}", emit::to_string(&root, &emit::Style::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Lock, Diagnostics> {
        let sources = Sources::new();
        let file = sources.add(FILE_NAME, text);
        Lock::read(&sources, file)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut lock = Lock::default();
        lock.pin("https://github.com/o/r//a?ref=v1", "0123456789");
        lock.pin("https://x/y.yaml", "sha256:12");
        assert_eq!(read(&lock.text()), Ok(lock));
    }

    #[test]
    fn other_texts_are_faults() {
        for text in ["[]", "remote: []", "remote: {a: [b]}"] {
            let fault = read(text).expect_err(text);
            assert_eq!(fault.iter().next().map(|it| it.code), Some("wharf::package::lock"));
        }
    }
}
