//! `wharf render`: the objects of a source as YAML or JSON.

use crate::base::path::SafePath;
use crate::cli::exit::{FINE, Failure};
use crate::cli::source_args::SourceArgs;
use crate::cli::ui::Ui;
use crate::compile::Compiled;
use crate::object::hook::When;
use crate::object::{Object, meta};
use crate::yaml::{self, Node};
use miette::MietteDiagnostic;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Render a source to Kubernetes objects
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf render shop
  wharf render shop --overlay production --set web.replicas=3
  wharf render shop --show-only templates/web.yaml -o json
  cat objects.yaml | wharf render -")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Print only what these templates render, by their path in the package
    #[arg(long, short = 's', value_name = "PATH")]
    show_only: Vec<String>,
    /// Write one file per template into a folder instead of printing
    #[arg(long, value_name = "FOLDER", conflicts_with = "output")]
    output_dir: Option<PathBuf>,
    /// Format: yaml or json
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "yaml")]
    #[arg(value_parser = ["yaml", "json"], hide_possible_values = true)]
    output: String,
    /// Leave out the package's custom resource definitions
    #[arg(long)]
    skip_crds: bool,
}

/// Renders and prints.
///
/// # Errors
/// When the source cannot be read or has faults, or the output cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let (_, compiled) = args.source.compile(ui)?;
    let objects = chosen(&compiled, args)?;
    if let Some(folder) = &args.output_dir {
        let written = write_folder(folder, &objects)?;
        ui.say(format_args!("wrote {written} files to {}", folder.display()));
        return Ok(FINE);
    }
    let mut out = ui.raw_out();
    if args.output == "json" {
        let items: Vec<Node> = objects.iter().map(|object| object.root.clone()).collect();
        writeln!(out, "{}", yaml::json::to_string_pretty(&Node::from(items)))?;
    } else {
        for object in &objects {
            out.write_all(document(object).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(FINE)
}

/// The objects to print, in their order.
fn chosen<'a>(compiled: &'a Compiled, args: &Args) -> Result<Vec<&'a Object>, Failure> {
    let crds = if args.skip_crds { &[][..] } else { &compiled.crds[..] };
    // tests are for those who ask for them
    let hooks = compiled.hooks.iter().filter(|hook| {
        let when = When::read(|key| meta::annotation(&hook.root, key));
        !when.is_some_and(|when| when.is_ok_and(|when| when.is_test()))
    });
    let all: Vec<&Object> = crds.iter().chain(&compiled.objects).chain(hooks).collect();
    if args.show_only.is_empty() {
        return Ok(all);
    }
    for wanted in &args.show_only {
        let files: Vec<&str> = all.iter().map(|object| object.origin.file.as_str()).collect();
        if !files.contains(&wanted.as_str()) {
            let near = crate::base::suggest::did_you_mean(wanted, files);
            let mut fault = MietteDiagnostic::new(format!("no object comes from `{wanted}`"))
                .with_code("wharf::cli::show_only");
            fault.help = near;
            return Err(Failure::failed(fault));
        }
    }
    let wanted = |object: &&Object| args.show_only.contains(&object.origin.file);
    Ok(all.into_iter().filter(wanted).collect())
}

/// One object as a document that says where it came from, as Helm writes it.
fn document(object: &Object) -> String {
    let origin = &object.origin;
    let source = if origin.package.is_empty() {
        origin.file.clone()
    } else {
        format!("{}/{}", origin.package.trim_end_matches('/'), origin.file)
    };
    let text = yaml::emit::to_string(&object.root, &yaml::emit::Style::default());
    format!("---\n# Source: {source}\n{text}")
}

/// Writes one file per template; gives how many.
fn write_folder(folder: &Path, objects: &[&Object]) -> Result<usize, Failure> {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for object in objects {
        files.entry(&object.origin.file).or_default().push_str(&document(object));
    }
    for (name, text) in &files {
        // names come from the package, and a package does not say where it writes
        let inner = SafePath::parse(name)
            .map_err(|error| Failure::failed(MietteDiagnostic::new(error.to_string())))?;
        let path = folder.join(inner.as_str());
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(&path, text)
        };
        write().map_err(|error| {
            Failure::failed(MietteDiagnostic::new(format!(
                "cannot write `{}`: {error}",
                path.display()
            )))
        })?;
    }
    Ok(files.len())
}
