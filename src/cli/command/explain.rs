//! `wharf explain`: where an object, or one of its fields, came from.

use crate::base::source::Sources;
use crate::base::suggest;
use crate::cli::exit::{FINE, Failure};
use crate::cli::source_args::SourceArgs;
use crate::cli::ui::Ui;
use crate::object::Object;
use crate::yaml::{FieldPath, Node, Step};
use miette::MietteDiagnostic;
use std::io::Write;

/// Show where a value of an object came from
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  wharf explain shop Deployment/shop-web.spec.template.spec.containers[0].image")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// The object, and a field of it: `Kind/name.path.to[0].field`
    #[arg(value_name = "OBJECT")]
    object: String,
}

/// Prints the places, the nearest first: template, then values.
///
/// # Errors
/// When the source has faults, or has no such object or field.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let (sources, compiled) = args.source.compile(ui)?;
    let objects: Vec<&Object> =
        compiled.objects.iter().chain(&compiled.crds).chain(&compiled.hooks).collect();
    let ids: Vec<String> =
        objects.iter().map(|object| format!("{}/{}", object.kind(), object.name())).collect();
    // names may hold dots, so the longest id that fits is meant
    let found = ids
        .iter()
        .zip(&objects)
        .filter_map(|(id, object)| {
            let rest = args.object.strip_prefix(id.as_str())?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some((id, object, rest))
        })
        .max_by_key(|(id, ..)| id.len());
    let Some((id, object, rest)) = found else {
        let message = format!("the source has no object `{}`", args.object);
        let mut fault = MietteDiagnostic::new(message);
        fault.help = suggest::did_you_mean(&args.object, ids.iter().map(String::as_str));
        return Err(Failure::failed(fault));
    };
    let path = field_path(rest);
    let Some(node) = path.find(&object.root) else {
        let message = format!("`{id}` has no field `{path}`");
        return Err(Failure::failed(MietteDiagnostic::new(message)));
    };
    let mut out = ui.out();
    writeln!(out, "{id}{}{path}", if path.steps().is_empty() { "" } else { "." })?;
    writeln!(out, "  from {}/{}", object.origin.package, object.origin.file)?;
    print(&mut out, node, &sources)?;
    out.flush()?;
    Ok(FINE)
}

fn print(out: &mut impl Write, node: &Node, sources: &Sources) -> std::io::Result<()> {
    for (index, span) in sources.origins(node.span).into_iter().enumerate() {
        let Some(place) = sources.place(span) else { continue };
        let what = if index == 0 { "written at" } else { "value from" };
        writeln!(out, "  {what} {place}")?;
    }
    Ok(())
}

fn field_path(text: &str) -> FieldPath {
    let parts = text.split(['.', '[']).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.strip_suffix(']') {
            Some(index) => index
                .parse()
                .map_or_else(|_| Step::Key(index.trim_matches('"').into()), Step::Index),
            None => Step::Key(part.into()),
        })
        .collect()
}
