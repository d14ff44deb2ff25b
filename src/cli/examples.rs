//! The example packages, which are part of the binary: `init` and `quickstart` write them out, so
//! what is given out is what is tested.

use std::io;
use std::path::Path;

/// A package: its name and its files, a path and a text each.
type Example = (&'static str, &'static [(&'static str, &'static str)]);

const EXAMPLES: &[Example] = &include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// The files of an example.
#[must_use]
pub(crate) fn files(name: &str) -> &'static [(&'static str, &'static str)] {
    let example = EXAMPLES.iter().find(|(example, _)| *example == name);
    example.expect("the examples are named by this program").1
}

/// Writes an example into a folder, each text changed by `edit`.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write(name: &str, folder: &Path, edit: impl Fn(&str) -> String) -> io::Result<()> {
    for (file, text) in files(name) {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, edit(text))?;
    }
    Ok(())
}
