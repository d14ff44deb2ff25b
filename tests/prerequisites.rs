//! What a test needs of its machine. Where `WHARF_CI` is set everything must be there, so that a
//! test that would be skipped fails instead.

use std::path::PathBuf;

/// Says that a test cannot run here, and why.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("WHARF_CI").is_none(), "cannot be skipped here: {reason}");
    eprintln!("skipped: {reason}");
}

/// True when the tests run as root; else the test is to be skipped.
pub(crate) fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("containers need root");
    }
    root
}

/// True when a program is installed; else the test is to be skipped.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}

/// The folder that a variable names; without one the test is to be skipped.
pub(crate) fn folder(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable);
    if folder.is_none() {
        skip(&format!("{variable} is not set"));
    }
    folder.map(PathBuf::from)
}
