//! `wharf template`: what `helm template` prints, byte for byte.

use crate::base::path::SafePath;
use crate::base::source::Sources;
use crate::cli::chart_source::ChartArgs;
use crate::cli::chart_values;
use crate::cli::exit::{FINE, Failure};
use crate::cli::source_args::{SourceFlags, chance};
use crate::cli::ui::Ui;
use crate::render::helm::text::{self, Choice};
use crate::render::helm::{self, Release};
use miette::MietteDiagnostic;
use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Render a Helm chart, with Helm's flags and Helm's bytes
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf template shop ./chart
  wharf template shop ./chart -f production.yaml --set replicas=3 --namespace shop
  wharf template shop oci://registry.example/charts/shop:1.2.0 --show-only templates/web.yaml
  wharf template shop ./chart --seed 1    random values are the same each time")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Args {
    /// Name of the release, then the chart; the chart alone takes `release-name`
    #[arg(value_name = "[NAME] CHART", required = true, num_args = 1..=2)]
    names: Vec<String>,
    #[command(flatten)]
    flags: SourceFlags,
    #[command(flatten)]
    place: ChartArgs,
    /// Print only what comes from these templates, by their path in the chart
    #[arg(long, short = 's', value_name = "PATTERN")]
    show_only: Vec<String>,
    /// Write one file per template into a folder instead of printing
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Put the files into a folder with the release's name
    #[arg(long)]
    release_name: bool,
    /// Print custom resource definitions, too
    #[arg(long)]
    include_crds: bool,
    /// Leave custom resource definitions out, as they are without --include-crds
    #[arg(long, hide = true)]
    skip_crds: bool,
    /// Leave hooks out
    #[arg(long)]
    no_hooks: bool,
    /// Leave tests out
    #[arg(long)]
    skip_tests: bool,
    /// Set `.Release.IsUpgrade` instead of `.Release.IsInstall`
    #[arg(long)]
    is_upgrade: bool,
    /// Do not check values against the schemas of charts
    #[arg(long)]
    skip_schema_validation: bool,
    /// Taken as Helm takes it: the name is `release-name` all the same
    #[arg(long, short = 'g', hide = true)]
    generate_name: bool,
    /// Also print what could not be read
    #[arg(long)]
    debug: bool,
    /// Flags of Helm that mean nothing where nothing is installed
    #[command(flatten)]
    idle: Idle,
}

/// Flags that do not change what Helm prints.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Idle {
    #[arg(long, hide = true)]
    create_namespace: bool,
    #[arg(long, hide = true)]
    disable_openapi_validation: bool,
    #[arg(long, hide = true)]
    replace: bool,
    #[arg(long, hide = true)]
    hide_notes: bool,
    #[arg(long, hide = true)]
    render_subchart_notes: bool,
    #[arg(long, hide = true)]
    wait_for_jobs: bool,
    #[arg(long, hide = true)]
    atomic: bool,
    #[arg(long, hide = true)]
    rollback_on_failure: bool,
    #[arg(long, hide = true)]
    force: bool,
    #[arg(long, hide = true)]
    take_ownership: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "watcher")]
    wait: Option<String>,
    #[arg(long, hide = true)]
    timeout: Option<String>,
    #[arg(long, hide = true)]
    description: Option<String>,
    #[arg(long, hide = true)]
    labels: Vec<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    #[arg(value_parser = ["client", "true", "none", "false"])]
    dry_run: Option<String>,
}

/// Renders and prints.
///
/// # Errors
/// When the chart cannot be read, has faults, or the output cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let (name, chart) = args.name_and_chart()?;
    if args.flags.overlay.is_some() {
        let message = "--overlay is no flag of Helm's; `wharf render` takes it";
        return Err(Failure::Usage(message.to_owned()));
    }
    let tree = args.place.load(ui, chart, &args.flags)?;
    let sources = Arc::new(Sources::new());
    let values = chart_values::read(ui, &args.flags, &sources)?;
    let chance = chance(args.flags.seed.as_deref());
    let namespace = ui.global.namespace.clone().or_else(|| std::env::var("HELM_NAMESPACE").ok());
    let request = helm::Request {
        tree: &tree,
        values: &values,
        name: &name,
        namespace: namespace.as_deref().filter(|name| !name.is_empty()).unwrap_or("default"),
        revision: 1,
        is_upgrade: args.is_upgrade,
        kube_version: args.flags.kube_version.as_deref(),
        api_versions: &args.flags.api_versions,
        skip_schemas: args.skip_schema_validation,
        chance: &chance,
        traced: false,
    };
    let release = match helm::render(&request, &sources) {
        Ok(release) => release,
        Err(failed) => {
            if args.debug {
                let mut out = ui.out();
                let mut text = Vec::new();
                for (path, rendered) in &failed.rendered {
                    text::document(path, rendered, &mut text);
                }
                out.write_all(&text)?;
                out.flush()?;
            }
            return Err(Failure::Input { sources, faults: failed.faults });
        }
    };
    crate::cli::report::warn(ui, &sources, &release.warnings);
    let choice = Choice { crds: args.include_crds, hooks: !args.no_hooks, tests: !args.skip_tests };
    let mut out = ui.out();
    if let Some(folder) = &args.output_dir {
        let inner = folder.join(&name);
        let folder = if args.release_name { &inner } else { folder };
        for path in write_folder(folder, &release, choice)? {
            writeln!(out, "wrote {}", path.display())?;
        }
    } else {
        let mut printed = text::all(&release, choice);
        if !args.show_only.is_empty() {
            printed = text::only(&printed, &args.show_only).map_err(Failure::failed)?;
        }
        out.write_all(&printed)?;
    }
    out.flush()?;
    Ok(FINE)
}

impl Args {
    fn name_and_chart(&self) -> Result<(String, &str), Failure> {
        match self.names.as_slice() {
            [name, chart] if !self.generate_name => Ok((name.clone(), chart)),
            [_, _] => {
                let message = "cannot set --generate-name and also specify a name";
                Err(Failure::Usage(message.to_owned()))
            }
            [chart, ..] => {
                Ok((self.flags.name.clone().unwrap_or_else(|| "release-name".to_owned()), chart))
            }
            [] => Err(Failure::Usage("name a chart".to_owned())),
        }
    }
}

/// Writes one file per template; gives the files as they are written, once for each document.
fn write_folder(folder: &Path, release: &Release, choice: Choice) -> Result<Vec<PathBuf>, Failure> {
    let mut written = Vec::new();
    let mut begun = HashSet::new();
    let crds = release.crds.iter().filter(|_| choice.crds);
    let crds = crds.map(|crd| (crd.path.as_str(), &crd.text[..]));
    let manifests = release.manifests.iter().filter(|manifest| manifest.hook.is_none());
    let documents = manifests
        .chain(text::hooks(release, choice))
        .map(|manifest| (manifest.path.as_str(), manifest.text.as_bytes()));
    for (path, content) in crds.chain(documents) {
        // names come from the chart, and a chart does not say where it writes
        let inner = SafePath::parse(path)
            .map_err(|error| Failure::failed(MietteDiagnostic::new(error.to_string())))?;
        let target = folder.join(inner.as_str());
        let mut text = Vec::new();
        text::document(path, content, &mut text);
        let first = begun.insert(target.clone());
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(target.parent().unwrap_or(folder))?;
            if first {
                return fs::write(&target, text);
            }
            fs::OpenOptions::new().append(true).open(&target)?.write_all(&text)
        };
        write().map_err(|error| {
            let message = format!("cannot write `{}`: {error}", target.display());
            Failure::failed(MietteDiagnostic::new(message))
        })?;
        written.push(target);
    }
    Ok(written)
}
