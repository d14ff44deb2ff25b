//! The user's values for a chart, read and layered as Helm does it.
//!
//! ```text
//! -f …  <-  --set-json  <-  --set  <-  --set-string  <-  --set-file  <-  --set-literal
//! ```

use super::chart_source;
use super::exit::Failure;
use super::source_args::{SourceFlags, read_text};
use super::ui::Ui;
use crate::base::diag::Diagnostics;
use crate::base::source::Sources;
use crate::base::suggest;
use crate::package::chart;
use crate::values::{self, SetFlag, SetKind};
use crate::yaml::Node;
use std::path::Path;
use std::sync::Arc;

/// Reads the values that the flags name.
///
/// # Errors
/// When one of them cannot be read.
pub fn read(ui: &Ui, flags: &SourceFlags, sources: &Arc<Sources>) -> Result<Node, Failure> {
    let mut merged = Node::map();
    let mut faults = Diagnostics::new();
    for name in &flags.values {
        let text = text_of(ui, flags, name)?;
        let shown = if name == "-" { "stdin" } else { name };
        match chart::read_values(shown, text.as_bytes(), sources) {
            Ok(node) => values::layer(&mut merged, node),
            Err(mut fault) => {
                fault.text = format!("failed to parse {name}: {}", fault.text);
                faults.push(fault.diagnostic("wharf::values::invalid"));
            }
        }
    }
    let flags = [
        (SetKind::Json, &flags.set_json),
        (SetKind::Typed, &flags.set),
        (SetKind::Text, &flags.set_string),
        (SetKind::File, &flags.set_file),
        (SetKind::Literal, &flags.set_literal),
    ];
    for (kind, texts) in flags {
        for text in texts {
            let flag = SetFlag { kind, text: text.clone() };
            if let Err(fault) = values::apply(&flag, &mut merged, sources, &read_text) {
                faults.push(fault);
            }
        }
    }
    match faults.finish(merged) {
        Ok((merged, _)) => Ok(merged),
        Err(faults) => Err(Failure::Input { sources: sources.clone(), faults }),
    }
}

/// The text of a file, of standard input, or of what a server sends.
fn text_of(ui: &Ui, flags: &SourceFlags, name: &str) -> Result<String, Failure> {
    if chart_source::is_web(name) {
        let web = flags.place.for_values()?;
        let fetch = async { web.get(name).await.map_err(chart_source::failure) };
        return Ok(String::from_utf8_lossy(&ui.block_on(fetch)?).into_owned());
    }
    read_text(name.trim()).map_err(|error| {
        let message = format!("values cannot be read from `{name}`: {error}");
        let mut fault =
            miette::MietteDiagnostic::new(message).with_code("wharf::values::unreadable");
        fault.help = nearest_file(Path::new(name.trim()));
        Failure::failed(fault)
    })
}

/// The file beside one that is not there which may be meant.
fn nearest_file(path: &Path) -> Option<String> {
    let folder = match path.parent()? {
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    let entries = folder.read_dir().ok()?.flatten();
    let names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).take(1000).collect();
    suggest::did_you_mean(path.file_name()?.to_str()?, names.iter().map(String::as_str))
}
