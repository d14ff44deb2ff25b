//! `wharf init`: a package that renders, validates and applies as it is.
//!
//! The files are those of the example `hello`, so what is given out is what is tested. Only its
//! program is another one: that of the example is made by the quickstart, this one is public.

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
    examples::write("hello", &args.folder, |text| own(text, name)).map_err(|error| {
        let message = format!("cannot write `{}`: {error}", args.folder.display());
        Failure::failed(MietteDiagnostic::new(message))
    })?;
    ui.say(format_args!("made {0}; see it with `wharf render {0}`", args.folder.display()));
    Ok(FINE)
}

/// What differs from the example: a text in it, and what stands in its place.
const OWN: &[(&str, &str)] = &[
    ("# The program: an image that has /bin/demo\n", "# The program: a small public web server\n"),
    (
        "localhost:5000/wharf/demo\n  tag: \"1.0\"",
        "docker.io/hashicorp/http-echo\n  tag: \"1.0.0\"",
    ),
    ("          command: [/bin/demo]\n", ""),
    (
        r#"args: [http, --port, "8080", --message-env, MESSAGE]"#,
        r#"args: ["-listen=:8080", "-text=$(MESSAGE)"]"#,
    ),
];

/// A file of the example as a package of that name has it.
fn own(text: &str, name: &str) -> String {
    let named = text.replace("name: hello\n", &format!("name: {name}\n"));
    OWN.iter().fold(named, |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_the_example_is_there_once() {
        let all: String = examples::files("hello").iter().map(|(_, text)| *text).collect();
        for (from, _) in OWN {
            assert_eq!(all.matches(from).count(), 1, "{from}");
        }
        let made = own(&all, "shop");
        assert!(!made.contains("demo") && !made.contains("localhost"), "{made}");
    }
}
