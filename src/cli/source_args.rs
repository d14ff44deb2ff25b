//! Flags of every command that compiles a source, and the compiling.

use super::chart_source::ChartArgs;
use super::exit::Failure;
use super::guard::guarded;
use super::live::Live;
use super::ui::Ui;
use crate::base::clock::{Clock, SystemClock};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Sources;
use crate::base::tree::{FileTree, Limits};
use crate::compile::{self, Beside, Compiled, ReleaseFacts, Request, TargetFacts};
use crate::object::Object;
use crate::package::kustomization::Files;
use crate::package::{self, Kind};
use crate::render::helm::Chance;
use crate::schema::Schemas;
use crate::source::disk::Disk;
use crate::source::layers::{self, LayerError, Layers};
use crate::source::local;
use crate::values::{self, SetFlag, SetKind};
use crate::yaml::{self, Dialect, Node};
use std::io::Read;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// A source, its values, and what it is compiled for.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct SourceArgs {
    /// A package, a folder or file of manifests, an archive, `oci://…`, `https://…`, a chart of a
    /// Helm repository (`name/chart`), or `-` for standard input
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The flags.
    #[command(flatten)]
    pub flags: SourceFlags,
}

/// Flags of every command that compiles a source.
#[derive(clap::Args, Debug, Clone, Default, PartialEq, Eq)]
#[command(next_help_heading = "Values and target")]
pub struct SourceFlags {
    /// Overlay of the package: `overlays/NAME/overlay.yaml`
    #[arg(long, value_name = "NAME")]
    pub overlay: Option<String>,
    /// Values from a YAML file (`-` for standard input); later files win
    #[arg(long = "values", short = 'f', value_name = "FILE")]
    pub values: Vec<String>,
    /// Values as `a.b=1,c[0]=x`; wins over files
    #[arg(long, value_name = "VALUES")]
    pub set: Vec<String>,
    /// Values that are always text
    #[arg(long, value_name = "VALUES")]
    pub set_string: Vec<String>,
    /// Values as JSON: `a={"b": [1, 2]}`
    #[arg(long, value_name = "VALUES")]
    pub set_json: Vec<String>,
    /// Values read from files: `a=path/to/file`
    #[arg(long, value_name = "VALUES")]
    pub set_file: Vec<String>,
    /// A value that is everything after the `=`, as it stands
    #[arg(long, value_name = "VALUE")]
    pub set_literal: Vec<String>,
    /// Name of the release (default: the package's name)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Kubernetes version to compile for (default: the newest that wharf knows)
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    /// Where it is.
    #[command(flatten)]
    pub place: ChartArgs,
    /// Speak plain HTTP to the registry of an `oci://` source (loopback needs no flag)
    #[arg(long)]
    pub plain_http: bool,
    /// Make random values, certificates and the time of a chart's templates the same each time
    #[arg(long, value_name = "TEXT")]
    pub seed: Option<String>,
    /// API versions that the target has beside Kubernetes' own
    #[arg(long, short = 'a', value_name = "VERSIONS", value_delimiter = ',')]
    pub api_versions: Vec<String>,
}

impl SourceArgs {
    /// Reads and compiles the source.
    ///
    /// # Errors
    /// When it cannot be read, or has faults.
    pub fn compile(&self, ui: &Ui) -> Result<(Arc<Sources>, Compiled), Failure> {
        let loaded = self.read(ui)?;
        let compiled = loaded.compile(ui, &ReleaseFacts::default(), None, &Node::NULL)?;
        super::report::warn(ui, &loaded.sources, &compiled.warnings);
        Ok((loaded.sources, compiled))
    }

    /// Reads and compiles the source and hands on its objects one by one.
    ///
    /// # Errors
    /// When it cannot be read, or has faults.
    pub fn for_each(&self, ui: &Ui, take: &mut dyn FnMut(Object)) -> Result<Arc<Sources>, Failure> {
        let loaded = self.read(ui)?;
        let request = loaded.request(ui, &ReleaseFacts::default(), None, &Node::NULL)?;
        let warnings = guarded(ui, &self.source, bytes(&request), || {
            compile::for_each(&request, &loaded.sources, take)
        });
        let warnings = warnings.map_err(|faults| loaded.input(faults))?;
        super::report::warn(ui, &loaded.sources, &warnings);
        Ok(loaded.sources)
    }

    /// Reads the source, what lies over it, and the values of the command line.
    ///
    /// # Errors
    /// When one of them cannot be read, or has faults.
    pub fn read(&self, ui: &Ui) -> Result<Loaded<'_>, Failure> {
        let sources = Arc::new(Sources::new());
        let input = |faults| Failure::Input { sources: sources.clone(), faults };
        let mut fetch = |reference: &str| {
            // the flags speak of the source itself, not of what lies below it
            let place = ChartArgs::default();
            let tree = place.load(ui, reference, self.flags.plain_http)?;
            tree.map_or_else(|| local::load(reference).map_err(Failure::failed), Ok)
        };
        let overlay = self.flags.overlay.as_deref();
        let layers = match layers::resolve(self.load(ui)?, overlay, &sources, &mut fetch) {
            Ok(layers) => layers,
            Err(LayerError::Input(faults)) => return Err(input(faults)),
            Err(LayerError::Fetch(failure)) => return Err(failure),
        };
        let values = match package::detect(&layers.tree) {
            Ok(Kind::Helm) => super::chart_values::read(ui, &self.flags, &sources)?,
            _ => self.flags.values(&sources).map_err(input)?,
        };
        Ok(Loaded { args: self, sources, layers, values })
    }

    /// The files of the source.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn load(&self, ui: &Ui) -> Result<FileTree, Failure> {
        if self.source == "-" && self.flags.values.iter().any(|file| file == "-") {
            let message = "standard input cannot be both the source and its values";
            return Err(Failure::Usage(message.into()));
        }
        match self.flags.place.load(ui, &self.source, self.flags.plain_http)? {
            Some(tree) => Ok(tree),
            None => local::load(&self.source).map_err(Failure::failed),
        }
    }
}

/// A source that was read, to be compiled.
#[derive(Debug)]
pub struct Loaded<'a> {
    args: &'a SourceArgs,
    /// The files that were read so far.
    pub sources: Arc<Sources>,
    layers: Layers,
    /// The values of the command line.
    values: Node,
}

impl Loaded<'_> {
    /// The name that the package gives a release, when it is one.
    pub fn name(&self) -> Option<String> {
        package::name(&self.layers.tree)
    }

    /// Compiles for a revision of a release. Name and namespace are those of the command line, where
    /// they are given; `live` is the target, as far as it is asked, and `below` are values that those
    /// of the command line lie over.
    ///
    /// # Errors
    /// All faults of the source.
    pub fn compile(
        &self,
        ui: &Ui,
        release: &ReleaseFacts,
        live: Option<&Live>,
        below: &Node,
    ) -> Result<Compiled, Failure> {
        let request = self.request(ui, release, live, below)?;
        let compiled = guarded(ui, &self.args.source, bytes(&request), || {
            compile::compile(&request, &self.sources)
        });
        compiled.map_err(|faults| self.input(faults))
    }

    /// Everything that compiling needs.
    fn request(
        &self,
        ui: &Ui,
        release: &ReleaseFacts,
        live: Option<&Live>,
        below: &Node,
    ) -> Result<Request, Failure> {
        let flags = &self.args.flags;
        let mut values = if below.is_null() { Node::map() } else { below.clone() };
        values::layer(&mut values, self.values.clone());
        Ok(Request {
            tree: self.layers.tree.clone(),
            overlays: self.layers.overlays.clone(),
            values,
            release: ReleaseFacts {
                name: flags.name.clone().or(release.name.clone()),
                namespace: ui.global.namespace.clone().unwrap_or(release.namespace.clone()),
                ..release.clone()
            },
            target: flags.target(live.map(|live| &live.facts))?,
            chance: chance(flags.seed.as_deref()),
            beside: beside(self.layers.tree.label()),
            cluster: live.map(|live| live.objects.clone()),
        })
    }

    fn input(&self, faults: Diagnostics) -> Failure {
        Failure::Input { sources: self.sources.clone(), faults }
    }
}

/// What lies beside a folder on disk.
fn beside(label: &str) -> Option<Beside> {
    let folder = Path::new(label).is_dir().then(|| Disk::new().ok())??.path(label);
    let open = || -> Rc<dyn Files> { Rc::new(Disk::new().unwrap_or_default()) };
    Some(Beside { open, folder })
}

/// How large a source is.
fn bytes(request: &Request) -> u64 {
    request.tree.iter().map(|(_, bytes)| bytes.len() as u64).sum()
}

impl SourceFlags {
    /// The values of all flags, layered as Helm layers them: files in their order, then JSON, then
    /// typed values, text, files and literals.
    fn values(&self, sources: &Sources) -> Result<Node, Diagnostics> {
        let mut merged = Node::map();
        let mut faults = Diagnostics::new();
        for name in &self.values {
            match values_file(name, sources) {
                Ok(node) => values::layer(&mut merged, node),
                Err(more) => faults.extend(more),
            }
        }
        let flags = [
            (SetKind::Json, &self.set_json),
            (SetKind::Typed, &self.set),
            (SetKind::Text, &self.set_string),
            (SetKind::File, &self.set_file),
            (SetKind::Literal, &self.set_literal),
        ];
        for (kind, texts) in flags {
            for text in texts {
                let flag = SetFlag { kind, text: text.clone() };
                if let Err(fault) = values::apply(&flag, &mut merged, sources, &read_text) {
                    faults.push(fault);
                }
            }
        }
        faults.finish(merged).map(|(merged, _)| merged)
    }

    /// What the objects are compiled for: what the flags say, else what the target serves.
    fn target(&self, served: Option<&TargetFacts>) -> Result<TargetFacts, Failure> {
        let kube_version = match (&self.kube_version, served) {
            (Some(version), _) => {
                let plain = version.trim_start_matches('v');
                let numbers = plain.split(['.', '-', '+']).take(2);
                if plain.split('.').count() < 2
                    || numbers.clone().any(|n| n.parse::<u32>().is_err())
                {
                    let message = format!("`{version}` is no Kubernetes version, such as `1.33`");
                    return Err(Failure::Usage(message));
                }
                format!("v{plain}")
            }
            (None, Some(served)) => served.kube_version.clone(),
            (None, None) => format!("v{}", Schemas::latest().version()),
        };
        let mut api_versions = served.map_or_else(Vec::new, |served| served.api_versions.clone());
        api_versions.extend_from_slice(&self.api_versions);
        Ok(TargetFacts { kube_version, api_versions, served: served.is_some_and(|it| it.served) })
    }
}

/// Chance and time for templates: those that a seed stands for, else those of the host.
#[must_use]
pub fn chance(seed: Option<&str>) -> Chance {
    if let Some(seed) = seed {
        return Chance::reproducible(seed);
    }
    let mut bytes = [0; 32];
    // keys and passwords are made of it: without it nothing may be rendered
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    let now = SystemClock.now().as_nanosecond();
    Chance { seed: bytes, now: i64::try_from(now).unwrap_or(i64::MAX), zone: host_zone() }
}

/// The name of the host's time zone: what `TZ` says, else where `/etc/localtime` leads. Looking for
/// it among all zones, as a library would, takes longer than most charts.
fn host_zone() -> String {
    let named = match std::env::var("TZ") {
        Ok(name) => name.trim_start_matches(':').to_owned(),
        Err(_) => std::fs::read_link("/etc/localtime")
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default(),
    };
    let name = named.rsplit_once("zoneinfo/").map_or(named.as_str(), |(_, name)| name);
    if name.is_empty() { "UTC".to_owned() } else { name.to_owned() }
}

fn values_file(name: &str, sources: &Sources) -> Result<Node, Diagnostics> {
    let unreadable = || {
        Diagnostic::error(
            "wharf::values::unreadable",
            format!("values cannot be read from `{name}`"),
        )
    };
    if ["http://", "https://"].iter().any(|scheme| name.starts_with(scheme)) {
        return Err(unreadable()
            .note("rendering reaches no network, so that it gives the same each time")
            .help(format!("fetch it first: `curl -sf {name} | wharf … -f -`"))
            .into());
    }
    let text = read_text(name).map_err(|error| {
        unreadable().note(error).maybe_help(local::nearest(std::path::Path::new(name)))
    })?;
    let file = sources.add(if name == "-" { "stdin" } else { name }, text);
    let root = yaml::parse_one(sources, file, Dialect::Strict)?;
    match root.as_map() {
        Some(_) => Ok(root),
        None if root.is_null() => Ok(Node::map()),
        None => {
            let message = format!("`{name}` must be a map of values, found {}", root.kind());
            Err(Diagnostic::error("wharf::values::invalid", message).at(root.span, "").into())
        }
    }
}

/// The text of a file, or of standard input for `-`.
pub(super) fn read_text(name: &str) -> Result<String, String> {
    let limit = Limits::default().file_bytes;
    let read = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        from.take(limit + 1).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = match name {
        "-" => read(&mut std::io::stdin().lock()),
        name => std::fs::File::open(name).and_then(|mut file| read(&mut file)),
    };
    let bytes = bytes.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > limit {
        return Err(format!("it holds more than {} MiB", limit >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}
