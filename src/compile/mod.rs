//! The driver: from the files of a source to the objects of a release.
//!
//! ```text
//! tree -> package -> values (overlays' too, checked) -> render -> transform (overlays) -> objects
//! ```
//!
//! Compiling is hermetic: it reads its request and nothing else, but for what a kustomization on
//! disk names beside its folder. The same request gives the same objects in the same order. Objects
//! of the target are part of the request: who asks for a compile brings the means to look them up,
//! and templates that do not ask never use them.

mod facts;

pub use crate::render::helm::Lookup;
pub use facts::{ReleaseFacts, TargetFacts};

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Sources;
use crate::base::tree::FileTree;
use crate::object::hook::When;
use crate::object::{Object, meta};
use crate::package::kustomization::Files;
use crate::package::overlay::Layer;
use crate::package::{self, Kind};
use crate::render::helm::{self, Chance};
use crate::render::overlay::{self, Overlay};
use crate::render::{self, Rendered, kustomize};
use crate::schema::Schemas;
use crate::values::{self, Schema};
use crate::yaml::{self, Dialect, Entry, Node};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

/// What is to be compiled, and for whom.
#[derive(Debug)]
pub struct Request {
    /// The files of the source.
    pub tree: FileTree,
    /// What lies over it, the lowest first.
    pub overlays: Vec<Layer>,
    /// The values that the user gives, already layered.
    pub values: Node,
    /// The release.
    pub release: ReleaseFacts,
    /// Where it will run.
    pub target: TargetFacts,
    /// Chance and time, for the templates of charts.
    pub chance: Chance,
    /// What a kustomization may find beside its own folder; nothing for what came packed.
    pub beside: Option<Beside>,
    /// Objects of the target, for the templates of charts; without it they find none.
    pub cluster: Option<Arc<dyn Lookup>>,
}

/// The surroundings of a kustomization, whose bases are seldom in its own folder.
#[derive(Clone, Debug)]
pub struct Beside {
    /// Opens the files.
    pub open: fn() -> Rc<dyn Files>,
    /// The absolute path of the kustomization's folder.
    pub folder: String,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The objects.
    pub objects: Vec<Object>,
    /// Objects that run at times of their own, tests among them.
    pub hooks: Vec<Object>,
    /// Custom resource definitions that must be there before the objects.
    pub crds: Vec<Object>,
    /// Text for the person who installs the package.
    pub notes: Option<String>,
    /// What is doubtful, but no fault.
    pub warnings: Diagnostics,
    /// Name of the package, or of the folder or file.
    pub name: String,
    /// Version of the package; empty for plain manifests.
    pub version: String,
    /// Version of what the package installs, or empty.
    pub app_version: String,
    /// One line about the package, or empty.
    pub description: String,
    /// The release that it was compiled for.
    pub release: ReleaseFacts,
    /// The merged values.
    pub values: Node,
    /// The values that the user gave.
    pub supplied: Node,
}

/// Compiles a request.
///
/// # Errors
/// Every fault of the input that can be found.
pub fn compile(request: &Request, sources: &Sources) -> Result<Compiled, Diagnostics> {
    match package::detect(&request.tree)? {
        Kind::Native => native(request, sources),
        Kind::Helm => chart(request, sources),
        Kind::Plain => plain(request, sources),
        Kind::Kustomize => kustomization(request, sources),
        Kind::Overlay => Err(unsupported(
            &format!("`{}` is an overlay whose base was not loaded", request.tree.label()),
            "name the package, and the overlay with --overlay",
        )),
        kind @ Kind::Compose => Err(unsupported(
            &format!("`{}` is a {}, which cannot be rendered", request.tree.label(), kind.noun()),
            "render it with its own tool and give the result as plain manifests",
        )),
    }
}

/// Compiles a request and hands on the objects one by one, definitions of custom resources first.
/// Of plain manifests none is kept, so a large stream of them takes little memory. When there are
/// faults, some objects may have been handed on before.
///
/// # Errors
/// Every fault of the input that can be found.
pub fn for_each(
    request: &Request,
    sources: &Sources,
    take: &mut dyn FnMut(Object),
) -> Result<Diagnostics, Diagnostics> {
    if request.overlays.is_empty() && package::detect(&request.tree)? == Kind::Plain {
        let mut faults = no_values(&request.values);
        match render::plain::for_each(&request.tree, sources, take) {
            Ok(()) => {}
            Err(more) => faults.extend(more),
        }
        return faults.finish(()).map(|((), warnings)| warnings);
    }
    let compiled = compile(request, sources)?;
    compiled.crds.into_iter().chain(compiled.objects).chain(compiled.hooks).for_each(take);
    Ok(compiled.warnings)
}

/// The fault of values for what takes none.
fn no_values(values: &Node) -> Diagnostics {
    let first = values.as_map().and_then(|map| map.iter().next());
    let fault = |entry: &Entry| {
        Diagnostic::error("wharf::values::unused", "manifests and kustomizations take no values")
            .at(entry.key_span, "set here")
            .help("leave them out; an overlay changes the objects")
    };
    first.map(fault).into_iter().collect()
}

fn unsupported(message: &str, help: &str) -> Diagnostics {
    Diagnostic::error("wharf::package::unsupported_kind", message).help(help).into()
}

fn plain(request: &Request, sources: &Sources) -> Result<Compiled, Diagnostics> {
    without_values(request, sources, &|| {
        let rendered = render::plain::render(&request.tree, sources)?;
        Ok((rendered, Diagnostics::new()))
    })
}

fn kustomization(request: &Request, sources: &Sources) -> Result<Compiled, Diagnostics> {
    without_values(request, sources, &|| {
        let (files, folder): (Rc<dyn Files>, _) = match &request.beside {
            Some(beside) => ((beside.open)(), beside.folder.as_str()),
            None => (Rc::new(request.tree.clone()), "/"),
        };
        // no program is run for its charts, so nobody need allow it
        let chance = request.chance.clone();
        let options = kustomize::Options { helm: true, chance, ..kustomize::Options::default() };
        let built = kustomize::build(&files, folder, &options, sources)?;
        let objects = built.resources.into_iter().map(Object::from).collect();
        Ok((Rendered { objects, ..Rendered::default() }, built.warnings))
    })
}

/// Compiles what takes no values and has no metadata.
fn without_values(
    request: &Request,
    sources: &Sources,
    render: &dyn Fn() -> Result<(Rendered, Diagnostics), Diagnostics>,
) -> Result<Compiled, Diagnostics> {
    let mut faults = Diagnostics::new();
    let overlays = overlays(request, sources, &mut faults);
    let given = overlays.iter().filter_map(|overlay| overlay.values.as_ref());
    faults.extend(given.chain([&request.values]).flat_map(no_values));
    let (rendered, mut warnings) = match render() {
        Ok(rendered) if !faults.has_errors() => rendered,
        Ok(_) => return Err(faults),
        Err(more) => {
            faults.extend(more);
            return Err(faults);
        }
    };
    let label = request.tree.label().trim_end_matches('/');
    let name = label.rsplit('/').next().unwrap_or(label);
    let release = release(request, &overlays, name);
    let (rendered, more) = changed(rendered, overlays, request, sources)?;
    warnings.extend(more);
    Ok(Compiled {
        objects: rendered.objects,
        hooks: Vec::new(),
        crds: rendered.crds,
        notes: None,
        warnings,
        name: name.to_owned(),
        version: String::new(),
        app_version: String::new(),
        description: String::new(),
        release,
        values: Node::map(),
        supplied: Node::map(),
    })
}

fn native(request: &Request, sources: &Sources) -> Result<Compiled, Diagnostics> {
    let mut faults = Diagnostics::new();
    let mut taken = |faulty: Result<Option<Node>, Diagnostics>| match faulty {
        Ok(node) => node,
        Err(more) => {
            faults.extend(more);
            None
        }
    };
    let schema = taken(schema(&request.tree, sources));
    let mut merged = taken(defaults(&request.tree, sources)).unwrap_or_else(Node::map);
    let overlays = overlays(request, sources, &mut faults);
    let package = match package::load(&request.tree, sources) {
        Ok(package) => package,
        Err(mut more) => {
            more.extend(faults);
            return Err(more);
        }
    };
    let place = schema.as_ref().map_or(Schema::none(), Schema::new);
    let given = overlays.iter().filter_map(|overlay| overlay.values.as_ref());
    for values in given.chain([&request.values]) {
        values::merge(&mut merged, values.clone(), place);
    }
    if !faults.has_errors()
        && let Some(schema) = &schema
        && let Err(more) = values::check(&merged, schema)
    {
        faults.extend(more);
    }
    faults.extend(request.target.unsupported_by(&package));
    if faults.has_errors() {
        return Err(faults);
    }
    let release = release(request, &overlays, &package.name);
    let rendered = render::jinja::render(
        &package,
        &render::jinja::Input {
            values: &merged,
            release: &release.to_node(),
            target: &request.target.to_node(),
            secret: &|path| values::is_secret(path, place),
        },
        sources,
    )?;
    let (rendered, warnings) = changed(rendered, overlays, request, sources)?;
    Ok(Compiled {
        objects: rendered.objects,
        hooks: Vec::new(),
        crds: rendered.crds,
        notes: rendered.notes,
        warnings,
        name: package.name,
        version: package.version.to_string(),
        app_version: package.app_version.unwrap_or_default(),
        description: package.description.unwrap_or_default(),
        release,
        values: merged,
        supplied: request.values.clone(),
    })
}

fn chart(request: &Request, sources: &Sources) -> Result<Compiled, Diagnostics> {
    let mut faults = Diagnostics::new();
    let overlays = overlays(request, sources, &mut faults);
    if faults.has_errors() {
        return Err(faults);
    }
    let mut given = Node::map();
    for layer in overlays.iter().filter_map(|overlay| overlay.values.as_ref()) {
        values::layer(&mut given, layer.clone());
    }
    values::layer(&mut given, request.values.clone());
    let name = package::chart::name(&request.tree);
    let facts = release(request, &overlays, &name);
    let rendered = helm::render(
        &helm::Request {
            tree: &request.tree,
            values: &given,
            name: facts.name.as_deref().unwrap_or(&name),
            namespace: &facts.namespace,
            revision: facts.revision,
            is_upgrade: facts.is_upgrade,
            kube_version: Some(&request.target.kube_version),
            api_versions: &request.target.api_versions,
            served: request.target.served,
            cluster: request.cluster.as_ref(),
            resolves: false,
            post: None,
            skip_schemas: false,
            chance: &request.chance,
            traced: true,
        },
        sources,
    )
    .map_err(|failed| failed.faults)?;
    let (objects, mut warnings) = helm::objects(&rendered, sources)?;
    let (objects, more) = changed(objects, overlays, request, sources)?;
    warnings.extend(more);
    Ok(Compiled {
        objects: objects.objects,
        hooks: objects.hooks,
        crds: objects.crds,
        notes: objects.notes,
        warnings,
        name: rendered.chart,
        version: rendered.version,
        app_version: rendered.app_version,
        description: rendered.description,
        release: facts,
        values: rendered.values,
        supplied: request.values.clone(),
    })
}

/// The overlays that can be read.
fn overlays(request: &Request, sources: &Sources, faults: &mut Diagnostics) -> Vec<Overlay> {
    let read = |layer| match Overlay::load(layer, sources) {
        Ok(overlay) => Some(overlay),
        Err(more) => {
            faults.extend(more);
            None
        }
    };
    request.overlays.iter().filter_map(read).collect()
}

/// The release; an overlay says for templates too where the objects will be.
fn release(request: &Request, overlays: &[Overlay], package: &str) -> ReleaseFacts {
    let mut release = request.release.named(package);
    if let Some(namespace) = overlays.iter().rev().find_map(Overlay::namespace) {
        namespace.clone_into(&mut release.namespace);
    }
    release
}

/// Puts the overlays over what was rendered. They change definitions of custom resources as well.
fn changed(
    rendered: Rendered,
    overlays: Vec<Overlay>,
    request: &Request,
    sources: &Sources,
) -> Result<(Rendered, Diagnostics), Diagnostics> {
    if overlays.is_empty() {
        return Ok((rendered, Diagnostics::new()));
    }
    let schemas = Schemas::kubernetes(&request.target.kube_version).unwrap_or_else(Schemas::latest);
    let mut sink = Diagnostics::new();
    let mut all = rendered.crds;
    let origins = |objects: &[Object]| -> HashSet<_> {
        objects.iter().map(|object| object.origin.clone()).collect()
    };
    let (definitions, timed) = (origins(&all), origins(&rendered.hooks));
    all.extend(rendered.objects);
    all.extend(rendered.hooks);
    let all = overlay::apply(overlays, all, &schemas, sources, &mut sink)?;
    let is_hook = |object: &Object| {
        timed.contains(&object.origin)
            && When::read(|key| meta::annotation(&object.root, key)).is_some()
    };
    let (crds, all): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|object| definitions.contains(&object.origin));
    let (hooks, objects) = all.into_iter().partition(is_hook);
    sink.finish(Rendered { objects, hooks, crds, notes: rendered.notes })
}

/// `values.yaml`, or nothing.
fn defaults(tree: &FileTree, sources: &Sources) -> Result<Option<Node>, Diagnostics> {
    map_of(tree, "values.yaml", sources).map(|root| root.filter(|node| !node.is_null()))
}

/// `values.schema.json`, or nothing.
fn schema(tree: &FileTree, sources: &Sources) -> Result<Option<Node>, Diagnostics> {
    map_of(tree, "values.schema.json", sources)
}

fn map_of(tree: &FileTree, name: &str, sources: &Sources) -> Result<Option<Node>, Diagnostics> {
    let shown = tree.display(name);
    let root = match (tree.get(name), tree.text(name)) {
        (None, _) => return Ok(None),
        (Some(_), None) => {
            let message = format!("`{shown}` is not UTF-8 text");
            return Err(Diagnostic::error("wharf::package::unreadable", message).into());
        }
        (Some(_), Some(text)) => {
            let file = sources.add(shown, text);
            yaml::parse_one(sources, file, Dialect::Strict)?
        }
    };
    if root.is_null() || root.as_map().is_some() {
        return Ok(Some(root));
    }
    let message = format!("`{name}` must be a map, found {}", root.kind());
    Err(Diagnostic::error("wharf::values::invalid", message).at(root.span, "").into())
}
