//! The driver: from the files of a source to the objects of a release.
//!
//! ```text
//! tree -> package -> values (checked) -> render -> transform (overlay) -> objects
//! ```
//!
//! Compiling is hermetic: it reads its request and nothing else. The same request gives the same
//! objects in the same order.

mod facts;

pub use facts::{ReleaseFacts, TargetFacts};

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Sources;
use crate::base::tree::FileTree;
use crate::object::Object;
use crate::package::{self, Kind, Native};
use crate::render::{self, Rendered};
use crate::values::{self, Schema};
use crate::yaml::{self, Dialect, Node};

/// What is to be compiled, and for whom.
#[derive(Debug)]
pub struct Request {
    /// The files of the source.
    pub tree: FileTree,
    /// The values that the user gives, already layered.
    pub values: Node,
    /// The release.
    pub release: ReleaseFacts,
    /// Where it will run.
    pub target: TargetFacts,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The objects.
    pub objects: Vec<Object>,
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
        Kind::Plain => plain(request, sources),
        kind => Err(Diagnostic::error(
            "wharf::package::unsupported_kind",
            format!("`{}` is a {}, which cannot be rendered", request.tree.label(), kind.noun()),
        )
        .help("render it with its own tool and give the result as plain manifests")
        .into()),
    }
}

fn plain(request: &Request, sources: &Sources) -> Result<Compiled, Diagnostics> {
    if let Some(entry) = request.values.as_map().and_then(|map| map.iter().next()) {
        return Err(Diagnostic::error("wharf::values::unused", "plain manifests take no values")
            .at(entry.key_span, "set here")
            .into());
    }
    let rendered = render::plain::render(&request.tree, sources)?;
    let label = request.tree.label().trim_end_matches('/');
    let name = label.rsplit('/').next().unwrap_or(label);
    Ok(finish(request, rendered, name, String::new(), Node::map()))
}

fn native(request: &Request, sources: &Sources) -> Result<Compiled, Diagnostics> {
    let package = package::load(&request.tree, sources)?;
    let schema = schema(&package, sources)?;
    let mut merged = defaults(&package, sources)?;
    let place = schema.as_ref().map_or(Schema::none(), Schema::new);
    values::merge(&mut merged, request.values.clone(), place);
    let mut faults = Diagnostics::new();
    if let Some(schema) = &schema
        && let Err(more) = values::check(&merged, schema)
    {
        faults.extend(more);
    }
    faults.extend(request.target.unsupported_by(&package));
    if faults.has_errors() {
        return Err(faults);
    }
    let release = request.release.named(&package.name);
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
    let version = package.version.to_string();
    Ok(finish(request, rendered, &package.name, version, merged))
}

fn finish(
    request: &Request,
    rendered: Rendered,
    name: &str,
    version: String,
    values: Node,
) -> Compiled {
    Compiled {
        supplied: request.values.clone(),
        objects: rendered.objects,
        crds: rendered.crds,
        notes: rendered.notes,
        warnings: Diagnostics::new(),
        name: name.to_owned(),
        version,
        release: request.release.named(name),
        values,
    }
}

/// `values.yaml`, or nothing.
fn defaults(package: &Native, sources: &Sources) -> Result<Node, Diagnostics> {
    let root = document(package, "values.yaml", sources)?;
    match &root {
        None => Ok(Node::map()),
        Some(node) if node.is_null() => Ok(Node::map()),
        Some(node) if node.as_map().is_some() => Ok(node.clone()),
        Some(node) => Err(not_a_map("values.yaml", node).into()),
    }
}

/// `values.schema.json`, or nothing.
fn schema(package: &Native, sources: &Sources) -> Result<Option<Node>, Diagnostics> {
    let root = document(package, "values.schema.json", sources)?;
    match root {
        Some(node) if node.as_map().is_none() => Err(not_a_map("values.schema.json", &node).into()),
        root => Ok(root),
    }
}

fn document(package: &Native, name: &str, sources: &Sources) -> Result<Option<Node>, Diagnostics> {
    let shown = package.tree.display(name);
    match (package.tree.get(name), package.tree.text(name)) {
        (None, _) => Ok(None),
        (Some(_), None) => {
            let message = format!("`{shown}` is not UTF-8 text");
            Err(Diagnostic::error("wharf::package::unreadable", message).into())
        }
        (Some(_), Some(text)) => {
            let file = sources.add(shown, text);
            yaml::parse_one(sources, file, Dialect::GoYamlV2).map(Some)
        }
    }
}

fn not_a_map(name: &str, node: &Node) -> Diagnostic {
    let message = format!("`{name}` must be a map, found {}", node.kind());
    Diagnostic::error("wharf::values::invalid", message).at(node.span, "")
}
