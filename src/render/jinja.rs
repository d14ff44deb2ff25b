//! Native packages: templates, macros, notes and CRDs of a package to objects.
//!
//! | file | is |
//! |---|---|
//! | `templates/**.yaml`, `.yml`, `.json` | documents |
//! | `templates/**/_*.j2` | macros, imported by their path below `templates/` |
//! | `templates/NOTES.md` | text for the person who installs the package |
//! | `files/**` | what `file()` and `files()` read |
//! | `crds/**.yaml` | custom resource definitions, taken as they are |
//!
//! Any other file among the templates is a fault: nothing is accepted and then ignored.

use super::documents::Collector;
use super::{Rendered, plain};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::Sources;
use crate::object::{Object, Origin};
use crate::package::Native;
use crate::template::jinja::{self, Facts, Output, Role, Template};
use crate::yaml::{FieldPath, Node};
use std::collections::HashMap;
use std::sync::Arc;

/// What templates know beside the package itself.
pub struct Input<'a> {
    /// The merged values.
    pub values: &'a Node,
    /// `release` in templates.
    pub release: &'a Node,
    /// `target` in templates.
    pub target: &'a Node,
    /// Which paths hold what must not be shown, beginning with `values`.
    pub secret: &'a (dyn Fn(&FieldPath) -> bool + Sync),
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("release", self.release).finish_non_exhaustive()
    }
}

/// Renders a package.
///
/// # Errors
/// Every fault of every template and of what they render.
pub fn render(
    package: &Native,
    input: &Input<'_>,
    sources: &Sources,
) -> Result<Rendered, Diagnostics> {
    let mut objects = Vec::new();
    let mut take = |object| objects.push(object);
    let mut collector = Collector::new(&mut take);
    let templates = templates(package, sources, &mut collector.faults);
    let files = package.tree.subtree("files");
    let files = files.iter().map(|(path, bytes)| (path.to_string(), bytes.clone())).collect();
    let facts = Facts {
        names: vec![
            ("values", input.values),
            ("package", &package.metadata),
            ("release", input.release),
            ("target", input.target),
        ],
        secret: input.secret,
        files: Arc::new(files),
    };
    let mut notes = None;
    match jinja::render(&templates, &facts, sources) {
        Ok(outputs) => {
            for (name, output) in outputs {
                let file = format!("templates/{name}");
                let origin = Arc::new(Origin { package: package.name.clone(), file });
                match output {
                    Output::Documents(documents) => collector.documents(documents, &origin),
                    Output::Text(text) => notes = Some(text),
                }
            }
        }
        Err(faults) => collector.faults.extend(faults),
    }
    let crds = match plain::render(&package.tree.subtree("crds"), sources) {
        Ok(rendered) => crds(package, rendered.objects),
        Err(faults) => {
            collector.faults.extend(faults);
            Vec::new()
        }
    };
    collector.faults.finish(())?;
    Ok(Rendered { objects, crds, notes, ..Rendered::default() })
}

/// Definitions say where they come from as templates do: by the package and the path in it.
fn crds(package: &Native, objects: Vec<Object>) -> Vec<Object> {
    let mut origins: HashMap<String, Arc<Origin>> = HashMap::new();
    let named = |object: Object| {
        let file = &object.origin.file;
        let origin = origins.entry(file.clone()).or_insert_with(|| {
            Arc::new(Origin { package: package.name.clone(), file: format!("crds/{file}") })
        });
        Object { origin: origin.clone(), ..object }
    };
    objects.into_iter().map(named).collect()
}

fn templates(package: &Native, sources: &Sources, faults: &mut Diagnostics) -> Vec<Template> {
    let mut templates = Vec::new();
    for (path, bytes) in package.tree.under("templates") {
        let shown = package.tree.display(path.as_str());
        let Some(role) = role(path.file_name()) else {
            faults.push(
                Diagnostic::error(
                    "wharf::render::unknown_file",
                    format!("`{shown}` is neither a template nor macros"),
                )
                .note("templates end in .yaml, .yml or .json; macros are named `_….j2`")
                .help("move other files to `files/`"),
            );
            continue;
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            let message = format!("`{shown}` is not UTF-8 text");
            faults.push(Diagnostic::error("wharf::render::encoding", message));
            continue;
        };
        let name = path.as_str()["templates/".len()..].to_owned();
        templates.push(Template { name, file: sources.add(shown, text), role });
    }
    templates
}

fn role(name: &str) -> Option<Role> {
    let ends = |list: &[&str]| list.iter().any(|end| name.ends_with(end));
    if name.starts_with('_') && ends(&[".j2", ".jinja"]) {
        Some(Role::Macros)
    } else if name == "NOTES.md" {
        Some(Role::Text)
    } else if ends(&[".yaml", ".yml", ".json"]) {
        Some(Role::Documents)
    } else {
        None
    }
}
