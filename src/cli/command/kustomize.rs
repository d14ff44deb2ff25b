//! `wharf kustomize`: what `kustomize build` and `kubectl kustomize` print, byte for byte.

use crate::base::source::Sources;
use crate::cli::exit::{FINE, Failure};
use crate::cli::report;
use crate::cli::source_args::chance;
use crate::cli::ui::Ui;
use crate::package::kustomization::{Denied, Files, Repository};
use crate::package::lock::{self, Lock};
use crate::render::kustomize::{self, Options, SortOrder};
use crate::source::disk::Disk;
use crate::source::remote::Fetcher;
use crate::transform::Resource;
use crate::transform::set::{CLUSTER_WIDE, Scopes};
use miette::MietteDiagnostic;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// Build a kustomization, with kustomize's flags and kustomize's bytes
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf kustomize overlays/production
  wharf kustomize overlays/production -o objects.yaml
  wharf kustomize . --load-restrictor LoadRestrictionsNone    files outside the folder, too
  wharf kustomize . --reorder none                            the order of the files
  wharf kustomize . --enable-helm                             charts, without helm
  wharf kustomize . --allow-remote                            bases of other machines, pinned")]
pub struct Args {
    /// Folder of the kustomization
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: String,
    /// Write to a file, or one file per object to a folder that is there
    #[arg(long, short = 'o', value_name = "FILE|FOLDER")]
    output: Option<PathBuf>,
    /// Order of the objects: legacy (by kind) or none (as they were read)
    #[arg(long, value_name = "ORDER", value_parser = ["legacy", "none"], hide_possible_values = true)]
    reorder: Option<String>,
    /// `LoadRestrictionsRootOnly`, or `LoadRestrictionsNone` to read files outside the folder
    #[arg(long, value_name = "RULE", default_value = "LoadRestrictionsRootOnly")]
    #[arg(value_parser = ["LoadRestrictionsRootOnly", "LoadRestrictionsNone", "rootOnly", "none", ""])]
    #[arg(hide_possible_values = true)]
    load_restrictor: String,
    /// Render the charts that kustomizations name
    #[arg(long)]
    enable_helm: bool,
    /// Kubernetes version that charts are told
    #[arg(long, value_name = "VERSION")]
    helm_kube_version: Option<String>,
    /// API versions that charts are told beside Kubernetes' own
    #[arg(long, value_name = "VERSIONS", value_delimiter = ',')]
    helm_api_versions: Vec<String>,
    /// Fetch files, repositories and charts of other machines, pinned in `wharf.lock`
    #[arg(long)]
    allow_remote: bool,
    /// Label every object as managed by kustomize
    #[arg(long)]
    enable_managedby_label: bool,
    #[command(flatten)]
    idle: Idle,
}

/// Flags for programs that wharf does not run, and for kustomize's own code.
#[derive(clap::Args, Debug)]
struct Idle {
    #[arg(long, hide = true)]
    enable_alpha_plugins: bool,
    #[arg(long, hide = true)]
    enable_exec: bool,
    #[arg(long, hide = true)]
    enable_star: bool,
    #[arg(long, hide = true)]
    as_current_user: bool,
    #[arg(long, short = 'e', hide = true)]
    env: Vec<String>,
    #[arg(long, hide = true)]
    mount: Vec<String>,
    #[arg(long, hide = true)]
    network: bool,
    #[arg(long, hide = true)]
    network_name: Option<String>,
    #[arg(long, hide = true)]
    helm_command: Option<String>,
    #[arg(long, hide = true)]
    helm_debug: bool,
    #[arg(long, hide = true)]
    stack_trace: bool,
}

/// Builds and prints.
///
/// # Errors
/// When the kustomization cannot be read, has faults, or the output cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let failed = |what: String| Failure::failed(MietteDiagnostic::new(what));
    let disk = Disk::new().map_err(|error| failed(format!("there is no folder here: {error}")))?;
    let is_remote = Repository::parse(&args.folder).is_ok();
    let folder = if is_remote { args.folder.clone() } else { disk.path(&args.folder) };
    let sources = Arc::new(Sources::new());
    let lock = (!is_remote).then(|| Path::new(&folder).join(lock::FILE_NAME));
    let fetcher = if args.allow_remote {
        Some(Rc::new(Fetcher::new(locked(lock.as_deref(), &sources)?)))
    } else {
        None
    };
    let files: Rc<dyn Files> = Rc::new(disk);
    let options = Options {
        restricted: !["LoadRestrictionsNone", "none"].contains(&args.load_restrictor.as_str()),
        order: match args.reorder.as_deref() {
            Some("none") => SortOrder::Fifo,
            _ => SortOrder::legacy(),
        },
        managed_by: args.enable_managedby_label,
        helm: args.enable_helm,
        kube_version: args.helm_kube_version.clone(),
        api_versions: args.helm_api_versions.clone(),
        chance: chance(None),
        remote: match &fetcher {
            Some(fetcher) => fetcher.clone(),
            None => Rc::new(Denied),
        },
        plugins: args.idle.enable_alpha_plugins,
    };
    let input = |faults| Failure::Input { sources: sources.clone(), faults };
    let built = kustomize::build(&files, &folder, &options, &sources).map_err(input)?;
    report::warn(ui, &sources, &built.warnings);
    if let (Some(fetcher), Some(path)) = (&fetcher, &lock) {
        let lock = fetcher.lock();
        let text = lock.text();
        if !lock.is_empty() && fs::read_to_string(path).ok().as_ref() != Some(&text) {
            fs::write(path, text).map_err(|error| failed(unwritten(path, &error)))?;
        }
    }
    if let Some(folder) = args.output.as_deref().filter(|output| output.is_dir()) {
        for (name, text) in parts(&built.resources).map_err(input)? {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| failed(unwritten(&path, &error)))?;
        }
        return Ok(FINE);
    }
    let text = kustomize::print(&built.resources).map_err(input)?;
    if let Some(path) = &args.output {
        fs::write(path, text).map_err(|error| failed(unwritten(path, &error)))?;
        return Ok(FINE);
    }
    let mut out = ui.raw_out();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(FINE)
}

/// What was fetched before.
fn locked(path: Option<&Path>, sources: &Arc<Sources>) -> Result<Lock, Failure> {
    let Some(path) = path.filter(|path| path.exists()) else { return Ok(Lock::default()) };
    let text = fs::read_to_string(path)?;
    let file = sources.add(lock::FILE_NAME, text);
    Lock::read(sources, file).map_err(|faults| Failure::Input { sources: sources.clone(), faults })
}

fn unwritten(path: &Path, error: &std::io::Error) -> String {
    format!("cannot write `{}`: {error}", path.display())
}

/// One file per object. Objects of several namespaces have the namespace in the name of the file.
fn parts(resources: &[Resource]) -> Result<Vec<(String, String)>, crate::base::diag::Diagnostics> {
    let scopes = Scopes::kustomize();
    let place = |resource: &Resource| resource.id(&scopes).effective_namespace().to_owned();
    let mut places: BTreeSet<String> = resources.iter().map(place).collect();
    places.remove(CLUSTER_WIDE);
    let mut parts = Vec::with_capacity(resources.len());
    for resource in resources {
        let gvk = resource.gvk();
        let kind = [gvk.group.as_str(), &gvk.version, &gvk.kind];
        let kind = kind.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
        // a name may hold what no file's name can
        let name = resource.name().replace('/', "_");
        let mut file = format!("{kind}_{name}.yaml").to_lowercase();
        let place = place(resource);
        if places.len() > 1 && place != CLUSTER_WIDE {
            file = format!("{}_{file}", place.to_lowercase().replace('/', "_"));
        }
        parts.push((file, kustomize::document(resource)?));
    }
    Ok(parts)
}
