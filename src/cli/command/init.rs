//! `wharf init`: a package that renders, validates and applies as it is.
//!
//! The files are those of the example `hello`, so what is given out is what is tested.

use crate::cli::examples;
use crate::cli::exit::{FINE, Failure};
use crate::cli::ui::Ui;
use miette::MietteDiagnostic;
use std::fs;
use std::path::PathBuf;

/// Make a new package
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  wharf init shop && wharf render shop")]
pub struct Args {
    /// The folder to make; its last part is the package's name
    #[arg(value_name = "NAME")]
    folder: PathBuf,
}

/// Writes the files; an existing folder must be empty.
///
/// # Errors
/// When the name cannot be a package's, the folder holds something, or cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let name = args.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let valid = !name.is_empty()
        && name.len() <= 63
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !valid {
        return Err(Failure::Usage(format!(
            "`{name}` cannot be a package's name: use lower-case letters, digits and `-`"
        )));
    }
    if fs::read_dir(&args.folder).is_ok_and(|mut entries| entries.next().is_some()) {
        let message = format!("`{}` is there already and not empty", args.folder.display());
        return Err(Failure::failed(
            MietteDiagnostic::new(message).with_help("choose another name, or empty the folder"),
        ));
    }
    let named = |text: &str| text.replace("name: hello\n", &format!("name: {name}\n"));
    examples::write("hello", &args.folder, named).map_err(|error| {
        let message = format!("cannot write `{}`: {error}", args.folder.display());
        Failure::failed(MietteDiagnostic::new(message))
    })?;
    ui.say(format_args!("made {0}; see it with `wharf render {0}`", args.folder.display()));
    Ok(FINE)
}
