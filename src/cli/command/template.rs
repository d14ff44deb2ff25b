//! `wharf template`: what `helm template` prints, byte for byte.

use crate::base::path::SafePath;
use crate::base::source::Sources;
use crate::base::tree::FileTree;
use crate::cli::dependencies;
use crate::cli::exit::{FINE, Failure};
use crate::cli::helm_flags::HelmFlags;
use crate::cli::live::Live;
use crate::cli::post_renderer::Program;
use crate::cli::source_args::{SourceArgs, SourceFlags, chance};
use crate::cli::ui::Ui;
use crate::cli::{chart_values, release};
use crate::cluster::kubeconfig;
use crate::deploy;
use crate::render::helm::text::{self, Choice};
use crate::render::helm::{self, PostRender, Release};
use crate::yaml::Node;
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
  wharf template shop oci://registry.example/charts/shop --version 1.x
  wharf template shop web --repo https://charts.example --show-only templates/web.yaml
  wharf template shop ./chart --seed 1          random values are the same each time
  wharf template shop ./chart --dry-run=server  lookup asks the cluster, which judges the result")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Args {
    /// Name of the release, then the chart; the chart alone takes `release-name`
    #[arg(value_name = "[NAME] CHART", required = true, num_args = 1..=2)]
    names: Vec<String>,
    #[command(flatten)]
    flags: SourceFlags,
    /// Fetch the charts that it depends on and that are not there, into its folder
    #[arg(long)]
    dependency_update: bool,
    /// Template that makes the name of the release
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,
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
    /// Program that gets the manifests and prints them as they shall be
    #[arg(long, value_name = "PROGRAM")]
    post_renderer: Option<String>,
    /// An argument of that program
    #[arg(long = "post-renderer-args", value_name = "ARGUMENT", allow_hyphen_values = true)]
    to_program: Vec<String>,
    /// Templates may ask for addresses of hosts
    #[arg(long)]
    enable_dns: bool,
    /// `client`: ask no cluster; `server`: look objects up, and have the cluster judge the result
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "client", value_parser = dry_run)]
    dry_run: Option<DryRun>,
    /// As --dry-run=server
    #[arg(long, hide = true)]
    validate: bool,
    /// Take over objects that are there
    #[arg(long, hide = true)]
    take_ownership: bool,
    /// Taken as Helm takes it: the name is `release-name` all the same
    #[arg(long, short = 'g', hide = true)]
    generate_name: bool,
    /// Also print what could not be read
    #[arg(long)]
    debug: bool,
    #[command(flatten)]
    helm: HelmFlags,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DryRun {
    Client,
    Server,
}

fn dry_run(text: &str) -> Result<DryRun, String> {
    match text {
        "client" | "true" | "unset" => Ok(DryRun::Client),
        "server" => Ok(DryRun::Server),
        _ => Err("it must be `client` or `server`".to_owned()),
    }
}

/// Renders and prints.
///
/// # Errors
/// When the chart cannot be read, has faults, or the output cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    args.helm.check()?;
    let (name, chart) = args.name_and_chart()?;
    if args.flags.overlay.is_some() {
        let message = "--overlay is no flag of Helm's; `wharf render` takes it";
        return Err(Failure::Usage(message.to_owned()));
    }
    let post = match &args.post_renderer {
        Some(name) => Some(Program::find(name, &args.to_program).map_err(Failure::Usage)?),
        None => None,
    };
    if args.dependency_update {
        dependencies::update(ui, chart, &args.flags)?;
    }
    let source = SourceArgs { source: chart.to_owned(), flags: args.flags.clone() };
    let input = Input {
        name,
        tree: source.load(ui)?,
        sources: Arc::new(Sources::new()),
        post: post.as_ref(),
    };
    let values = chart_values::read(ui, &args.flags, &input.sources)?;
    let release = if args.validate || args.dry_run == Some(DryRun::Server) {
        ui.block_on(args.judged(ui, &input, &values))?
    } else {
        let namespace = namespace(ui);
        args.render(ui, &input, &values, &namespace, None)?
    };
    crate::cli::report::warn(ui, &input.sources, &release.warnings);
    let choice = Choice { crds: args.include_crds, hooks: !args.no_hooks, tests: !args.skip_tests };
    let mut out = ui.raw_out();
    if let Some(folder) = &args.output_dir {
        let inner = folder.join(&input.name);
        let folder = if args.release_name { &inner } else { folder };
        for path in write_folder(folder, &release, choice)? {
            writeln!(out, "wrote {}", path.display())?;
        }
        // Helm ends with the manifests, of which none are left
        writeln!(out)?;
    } else {
        let pieces = text::all(&release, choice);
        if args.show_only.is_empty() {
            pieces.iter().try_for_each(|piece| out.write_all(piece))?;
        } else {
            let printed = text::only(&pieces.concat(), &args.show_only);
            out.write_all(&printed.map_err(Failure::failed)?)?;
        }
    }
    out.flush()?;
    // the process ends: what was read and made need not be freed piece by piece
    std::mem::forget((input, values, release));
    Ok(FINE)
}

/// What is rendered.
struct Input<'a> {
    /// The release's name.
    name: String,
    tree: FileTree,
    sources: Arc<Sources>,
    post: Option<&'a Program>,
}

impl Args {
    /// Renders for a cluster, which says what it thinks of the result.
    async fn judged(&self, ui: &Ui, input: &Input<'_>, values: &Node) -> Result<Release, Failure> {
        let client = release::connect(ui).await?;
        let live = Live::of(&client, self.flags.kube_version.is_some()).await?;
        let namespace = client.namespace().to_owned();
        let release = tokio::task::block_in_place(|| {
            self.render(ui, input, values, &namespace, Some(&live))
        })?;
        let roots = release.manifests.iter().filter(|manifest| manifest.hook.is_none());
        let roots: Vec<&Node> = roots.map(|manifest| &manifest.root).collect();
        let owner = (input.name.as_str(), namespace.as_str());
        // an upgrade finds its own objects there
        let takes = self.take_ownership || self.is_upgrade;
        deploy::judge(&client, &roots, owner, takes).await.map_err(release::sorted)?;
        Ok(release)
    }

    fn render(
        &self,
        ui: &Ui,
        input: &Input<'_>,
        values: &Node,
        namespace: &str,
        live: Option<&Live>,
    ) -> Result<Release, Failure> {
        let mut api_versions = live.map_or_else(Vec::new, |live| live.facts.api_versions.clone());
        api_versions.extend_from_slice(&self.flags.api_versions);
        let served = live.map(|live| live.facts.kube_version.as_str());
        let request = helm::Request {
            tree: &input.tree,
            values,
            name: &input.name,
            namespace,
            revision: 1,
            is_upgrade: self.is_upgrade,
            kube_version: self.flags.kube_version.as_deref().or(served),
            api_versions: &api_versions,
            served: live.is_some_and(|live| live.facts.served),
            cluster: live.map(|live| &live.objects),
            resolves: self.enable_dns,
            skip_schemas: self.skip_schema_validation,
            chance: &chance(self.flags.seed.as_deref()),
            post: input.post.map(|program| program as &dyn PostRender),
            traced: live.is_some(),
        };
        helm::render(&request, &input.sources).or_else(|failed| {
            if self.debug {
                let mut out = ui.raw_out();
                let mut text = Vec::new();
                for (path, rendered) in &failed.rendered {
                    text::document(path, rendered, &mut text);
                }
                out.write_all(&text)?;
                out.flush()?;
            }
            Err(Failure::Input { sources: input.sources.clone(), faults: failed.faults })
        })
    }

    fn name_and_chart(&self) -> Result<(String, &str), Failure> {
        let usage = |message: &str| Err(Failure::Usage(message.to_owned()));
        match self.names.as_slice() {
            [_, _] if self.name_template.is_some() => {
                usage("cannot set --name-template and also specify a name")
            }
            [_, _] if self.generate_name => {
                usage("cannot set --generate-name and also specify a name")
            }
            [name, chart] => Ok((name.clone(), chart)),
            [chart, ..] => {
                let name = match (&self.name_template, &self.flags.name) {
                    (Some(template), _) => self.made_name(template)?,
                    (None, Some(name)) => name.clone(),
                    (None, None) => "release-name".to_owned(),
                };
                Ok((name, chart))
            }
            [] => usage("name a chart"),
        }
    }

    fn made_name(&self, template: &str) -> Result<String, Failure> {
        let made = helm::name_from_template(template, &chance(self.flags.seed.as_deref()));
        let sources = Arc::new(Sources::new());
        made.map_err(|failed| Failure::Input { sources, faults: failed.faults })
    }
}

/// The namespace to render for: that of the flag, of Helm's variable, or of the context.
fn namespace(ui: &Ui) -> String {
    let global = &ui.global;
    let named = global.namespace.clone().or_else(|| std::env::var("HELM_NAMESPACE").ok());
    let context = || {
        let variable = std::env::var("HELM_KUBECONTEXT").ok().filter(|name| !name.is_empty());
        let context = global.target.first().cloned().or(variable);
        kubeconfig::namespace(global.kubeconfig.as_deref(), context.as_deref())
    };
    let found = named.filter(|name| !name.is_empty()).or_else(context);
    found.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned())
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
