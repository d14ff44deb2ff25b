//! Native packages' templates: minijinja with typed interpolation.
//!
//! ```text
//! template ── instrument ──> engine ── formatter ──> text with markers ── yaml ──> documents
//!                               │         keeps values aside                ^
//!                             values ── trace: reads, expressions ── segments, kept values
//! ```
//!
//! What is printed in the place of a whole YAML scalar is that value: the formatter keeps the value
//! and writes a marker, and the YAML reader puts the value where the marker stood. Inside a longer
//! scalar it is text. So no value can change the structure of a document.
//!
//! A macro called as the whole of `{{ … }}` gives YAML: its text is read on its own, so it can be a
//! map, a list or a scalar, whatever its indentation. In any other place it gives text, and so do
//! captures.
//!
//! Rendering is bounded in steps ([`FUEL`]), in output ([`OUTPUT`]), in what a value may grow to and
//! in how deep an expression may be, sees nothing but what it is
//! given, and reports a name that is not defined with the nearest one that is.

mod fault;
mod growth;
mod instrument;
mod library;
mod marker;
mod shape;
mod trace;
mod value;

#[cfg(test)]
mod tests;

use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{FileId, RenderMap, Sources, Span};
use crate::yaml::{self, Dialect, FieldPath, Node, ReadOptions, Substitute};
use bytes::Bytes;
use instrument::Prepared;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use rayon::prelude::*;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use trace::{Kept, What};

/// Steps that one template may take; a million take about a tenth of a second.
pub const FUEL: u64 = 10_000_000;

/// Bytes that one template may print.
pub const OUTPUT: usize = 64 << 20;

/// From so many templates on, they are rendered on several threads.
const PARALLEL: usize = 24;

/// Files for `file` and `files`, by their path below `files/`.
pub type Files = Arc<BTreeMap<String, Bytes>>;

/// What a template is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Renders documents.
    Documents,
    /// Renders text that is no YAML.
    Text,
    /// Renders nothing by itself: macros that others import.
    Macros,
}

/// One template.
#[derive(Clone, Debug)]
pub struct Template {
    /// The name by which others import it.
    pub name: String,
    /// Its file in the table of sources.
    pub file: FileId,
    /// What it is for.
    pub role: Role,
}

/// What templates know.
pub struct Facts<'a> {
    /// Names and their values: `values`, `release`, ….
    pub names: Vec<(&'static str, &'a Node)>,
    /// Which paths hold what must not be shown.
    pub secret: &'a (dyn Fn(&FieldPath) -> bool + Sync),
    /// Files for `file` and `files`.
    pub files: Files,
}

impl std::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.names.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Facts").field("names", &names).finish_non_exhaustive()
    }
}

/// What one template rendered.
#[derive(Clone, Debug)]
pub enum Output {
    /// The documents of a template of [`Role::Documents`].
    Documents(Vec<Node>),
    /// The text of a template of [`Role::Text`].
    Text(String),
}

/// Renders all templates that are no macros, in their order.
///
/// # Errors
/// Every fault of every template.
pub fn render(
    templates: &[Template],
    facts: &Facts<'_>,
    sources: &Sources,
) -> Result<Vec<(String, Output)>, Diagnostics> {
    let context = context(facts)?;
    let prepared = prepare(templates, sources)?;
    let places: Vec<Vec<Span>> = prepared.iter().map(|one| one.expressions.clone()).collect();
    let shared = Shared {
        documents: environment(&prepared, facts, Arc::new(places.clone()), Role::Documents),
        text: environment(&prepared, facts, Arc::new(places), Role::Text),
        prepared: &prepared,
        context,
        sources,
    };
    let one = |(at, template): (usize, &Template)| match template.role {
        Role::Macros => None,
        Role::Documents => Some(shared.documents(at).map(Output::Documents)),
        Role::Text => Some(shared.text(at).map(Output::Text)),
    };
    let rendered: Vec<Option<Result<Output, Diagnostics>>> = if templates.len() >= PARALLEL {
        templates.par_iter().enumerate().map(one).collect()
    } else {
        templates.iter().enumerate().map(one).collect()
    };
    let mut faults = Diagnostics::new();
    let mut outputs = Vec::with_capacity(templates.len());
    for (template, output) in templates.iter().zip(rendered) {
        match output {
            Some(Ok(output)) => outputs.push((template.name.clone(), output)),
            Some(Err(more)) => faults.extend(more),
            None => {}
        }
    }
    faults.finish(outputs).map(|(outputs, _)| outputs)
}

fn context(facts: &Facts<'_>) -> Result<Value, Diagnostics> {
    let mut faults = Diagnostics::new();
    let mut names = BTreeMap::new();
    for (name, node) in &facts.names {
        if value::deeper_than(node, value::MAX_DEPTH) {
            let message = format!("`{name}` is nested more than {} deep", value::MAX_DEPTH);
            faults.push(Diagnostic::error("wharf::template::too_deep", message).at(node.span, ""));
            continue;
        }
        let mut marked = Vec::new();
        value::marked(node, &mut marked);
        faults.extend(
            marked
                .into_iter()
                .map(|span| instrument::private_characters("a value").at(span, "in this value")),
        );
        let path = FieldPath::root().key(name);
        names.insert(*name, value::from_node(node, &path, facts.secret));
    }
    faults.finish(Value::from_pairs(names)).map(|(context, _)| context)
}

fn prepare(templates: &[Template], sources: &Sources) -> Result<Vec<Prepared>, Diagnostics> {
    let syntax = instrument::syntax();
    let one = |(at, template): (usize, &Template)| {
        let text = sources.get(template.file).map_or_else(|| "".into(), |f| f.text().clone());
        instrument::prepare(at, &template.name, template.file, &text, &syntax)
    };
    let prepared: Vec<Result<Prepared, Diagnostic>> = if templates.len() >= PARALLEL {
        templates.par_iter().enumerate().map(one).collect()
    } else {
        templates.iter().enumerate().map(one).collect()
    };
    let mut faults = Diagnostics::new();
    let mut out = Vec::with_capacity(prepared.len());
    for one in prepared {
        match one {
            Ok(prepared) => out.push(prepared),
            Err(fault) => faults.push(fault),
        }
    }
    faults.finish(out).map(|(out, _)| out)
}

fn environment<'a>(
    prepared: &'a [Prepared],
    facts: &Facts<'_>,
    places: Arc<Vec<Vec<Span>>>,
    role: Role,
) -> Environment<'a> {
    let mut env = Environment::new();
    env.set_syntax(instrument::syntax());
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_debug(true);
    env.set_fuel(Some(FUEL));
    library::install(&mut env, &facts.files, places);
    if role == Role::Documents {
        // a kind of escaping of its own tells what macros rendered from values
        env.set_auto_escape_callback(|_| AutoEscape::Custom(Cow::Borrowed("yaml")));
        env.set_formatter(|out, _, value| library::print_marker(out, value));
    } else {
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_formatter(|out, _, value| library::print_text(out, value));
    }
    let texts: BTreeMap<String, String> =
        prepared.iter().map(|template| (template.name.clone(), template.source.clone())).collect();
    env.set_loader(move |name| Ok(texts.get(name).cloned()));
    env
}

struct Shared<'a> {
    documents: Environment<'a>,
    text: Environment<'a>,
    prepared: &'a [Prepared],
    context: Value,
    sources: &'a Sources,
}

impl<'a> Shared<'a> {
    fn run(&self, env: &Environment<'a>, at: usize) -> Result<(String, Vec<Kept>), Diagnostics> {
        let template = &self.prepared[at];
        trace::start(OUTPUT);
        let rendered = env
            .template_from_named_str(&template.name, &template.source)
            .and_then(|compiled| compiled.render(self.context.clone()));
        let trace = trace::finish();
        match rendered {
            Ok(text) => Ok((text, trace.kept)),
            Err(error) => Err(fault::describe(&error, &trace, self.prepared, self.sources).into()),
        }
    }

    fn text(&self, at: usize) -> Result<String, Diagnostics> {
        let (text, kept) = self.run(&self.text, at)?;
        Ok(library::plain(&text, &kept, 0))
    }

    fn documents(&self, at: usize) -> Result<Vec<Node>, Diagnostics> {
        let (rendered, kept) = self.run(&self.documents, at)?;
        let markers = Markers {
            shared: self,
            name: &self.prepared[at].name,
            kept: &kept,
            depth: 0,
            faults: RefCell::default(),
        };
        let documents = markers.read(&rendered);
        let mut faults = markers.faults.into_inner();
        match documents {
            Ok(documents) => faults.finish(documents).map(|(documents, _)| documents),
            Err(more) => {
                faults.extend(more);
                Err(faults)
            }
        }
    }
}

/// The values of one rendered text's markers.
struct Markers<'a> {
    shared: &'a Shared<'a>,
    name: &'a str,
    kept: &'a [Kept],
    depth: usize,
    faults: RefCell<Diagnostics>,
}

impl Markers<'_> {
    fn read(&self, rendered: &str) -> Result<Vec<Node>, Diagnostics> {
        let sources = self.shared.sources;
        let (text, segments) = marker::settle(rendered, self.kept, self.shared.prepared);
        let file = sources.add_rendered(self.name, text, RenderMap::new(segments));
        let options = ReadOptions { dialect: Dialect::Strict, markers: Some(self) };
        yaml::parse_documents_with(sources, file, &options)
    }

    /// What a macro rendered, read on its own.
    fn fragment(&self, text: &str, place: Span) -> Node {
        if let Some(node) = marker::alone(text).and_then(|index| self.node(index)) {
            return node;
        }
        if self.depth >= value::MAX_DEPTH {
            let message = "macros are nested too deep";
            self.faults
                .borrow_mut()
                .push(Diagnostic::error("wharf::template::too_deep", message).at(place, ""));
            return Node::NULL;
        }
        let inner = Markers { depth: self.depth + 1, faults: RefCell::default(), ..*self };
        let documents = inner.read(text);
        self.faults.borrow_mut().extend(inner.faults.into_inner());
        match documents {
            Ok(mut documents) => match documents.len() {
                0 => Node::NULL,
                1 => documents.swap_remove(0),
                _ => Node::from(documents),
            },
            Err(faults) => {
                self.faults.borrow_mut().extend(
                    faults.into_iter().map(|fault| fault.at(place, "the macro is called here")),
                );
                Node::NULL
            }
        }
    }
}

impl Substitute for Markers<'_> {
    fn node(&self, index: usize) -> Option<Node> {
        let kept = self.kept.get(index)?;
        Some(match &kept.what {
            // without a span of its own it gets the marker's, which leads to template and values
            What::Value(node) => Node { span: Span::NONE, ..node.clone() },
            What::Fragment(text) => self.fragment(text, kept.place),
        })
    }

    fn text(&self, index: usize) -> Option<Cow<'_, str>> {
        let kept = self.kept.get(index)?;
        Some(match &kept.what {
            What::Value(node) => value::to_text(node),
            What::Fragment(text) => library::plain(text, self.kept, 0).trim().to_owned().into(),
        })
    }
}
