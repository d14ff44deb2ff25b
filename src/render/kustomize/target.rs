//! One kustomization after the other: what it names, what it makes, and what it changes.

use super::charts;
use super::generate::{Kind, generate as generated};
use super::loader::Loader;
use super::plugins;
use super::provenance::{Maker, Place};
use super::resources::{self, Unreadable};
use super::transformers;
use super::{Layer, Options};
use crate::base::diag::{Diagnostic, Diagnostics, Severity};
use crate::base::source::{FileId, Sources, Span};
use crate::object::Origin;
use crate::package::kustomization::{
    FILE_NAMES, FileError, Files, Kustomization, RemoteError, Repository, is_web,
};
use crate::schema::{MergeTable, Schemas};
use crate::transform::config::Config;
use crate::transform::field_spec::FieldError;
use crate::transform::hash::HashSuffix;
use crate::transform::name_refs::NameReferences;
use crate::transform::set::{Resource, ResourceSet, Scopes};
use crate::transform::sort_order::SortOrder;
use crate::transform::variables::{Variable, Variables};
use crate::transform::{Context, Rules, Transformer};
use crate::yaml::{self, Dialect, Node};
use std::rc::Rc;
use std::sync::Arc;

/// Annotation of objects that are for tools only.
const LOCAL: &str = "config.kubernetes.io/local-config";

/// The version of Kubernetes whose schema kustomize has in itself.
const SCHEMA: &str = "v1.21.2";

/// What to do about an address that nothing may be fetched from.
pub(super) const FETCHED: &str =
    "`wharf kustomize --allow-remote` fetches it and pins it in `wharf.lock`";

/// What has been gathered so far.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) set: ResourceSet,
    /// Where transformers write.
    pub(super) config: Arc<Config>,
    /// Variables, and what they read.
    pub(super) variables: Variables,
}

/// Builds kustomizations.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    pub(super) options: &'a Options,
    pub(super) sources: &'a Sources,
    /// How the fields of kinds merge in overlays.
    schemas: Schemas,
    pub(super) scopes: Arc<Scopes>,
    /// How lists merge; nothing for what kustomize knows by itself.
    pub(super) table: Option<Arc<MergeTable>>,
    /// A kustomization has said which schema holds.
    has_schema: bool,
    /// Whose rules transformers follow.
    rules: Rules,
    pub(super) warnings: Diagnostics,
}

impl<'a> Builder<'a> {
    pub(super) fn new(options: &'a Options, sources: &'a Sources, schemas: &Schemas) -> Self {
        let scopes = Arc::new(Scopes::kustomize());
        Builder {
            options,
            sources,
            schemas: schemas.clone(),
            scopes,
            table: None,
            has_schema: false,
            rules: Rules::Kustomize,
            warnings: Diagnostics::new(),
        }
    }

    /// Builds the kustomization that everything begins with.
    pub(super) fn root(
        &mut self,
        files: Rc<dyn Files>,
        folder: &str,
    ) -> Result<(ResourceSet, Kustomization), Diagnostics> {
        let mut loader =
            Loader::first(files, self.options.remote.clone(), folder, self.options.restricted)
                .map_err(|error| Diagnostics::from(file_fault(&error)))?;
        let kustomization = self.kustomization(&loader)?;
        loader.place = (!kustomization.items("buildMetadata").is_empty()).then(Place::default);
        self.schema(&loader, &kustomization, true)?;
        let empty = self.empty();
        let mut gathered = self.gather(&loader, &kustomization, empty)?;
        self.finish(&mut gathered)?;
        let set = &mut gathered.set;
        set.retain(|resource| {
            let local = resource.root.at(&["metadata", "annotations", LOCAL]);
            local.is_none_or(|value| {
                value.as_str() == Some("false") || value.as_bool() == Some(false)
            })
        });
        gathered.set.check_ids().map_err(|error| {
            let code = "wharf::render::kustomize_duplicate";
            Diagnostic::error(code, error.to_string())
                .at(kustomization.span(), "transformers of this kustomization gave it twice")
        })?;
        Ok((gathered.set, kustomization))
    }

    /// Puts layers over resources, the lowest first.
    pub(super) fn layers(
        &mut self,
        resources: Vec<Resource>,
        layers: impl Iterator<Item = Layer>,
    ) -> Result<ResourceSet, Diagnostics> {
        let mut gathered = self.empty();
        gathered.set = ResourceSet::unchecked(resources, self.scopes.clone());
        let mut order = None;
        for layer in layers {
            let Layer { files, folder, kustomization, patches } = layer;
            let loader = Loader::first(files, self.options.remote.clone(), &folder, false)
                .map_err(|error| Diagnostics::from(file_fault(&error)))?;
            gathered = self.named(&loader, &kustomization, gathered)?;
            if !patches.is_empty() {
                self.learn(&gathered.set);
            }
            self.rules = Rules::Overlay;
            transformers::run(self, &loader, &kustomization, &mut gathered, Some(patches))?;
            self.rules = Rules::Kustomize;
            plugins::validate(self, &loader, &kustomization, &mut gathered.set)?;
            declare(&kustomization, &mut gathered)?;
            order = kustomization.fields.get("sortOptions").map(SortOrder::read).transpose()?;
        }
        self.finish(&mut gathered)?;
        if let Some(order) = order {
            order.sort(&mut gathered.set);
        }
        Ok(gathered.set)
    }

    /// Lets the custom resources of a set merge as their definitions in it say.
    fn learn(&mut self, set: &ResourceSet) {
        for definition in set.iter().filter(|it| it.kind() == "CustomResourceDefinition") {
            // a definition with faults is named where objects are validated
            let _ = self.schemas.add_crd(&definition.root);
        }
    }

    /// What happens once, when all is gathered.
    fn finish(&mut self, gathered: &mut Gathered) -> Result<(), Diagnostics> {
        let set = &mut gathered.set;
        self.run(&HashSuffix, set)?;
        self.run(&NameReferences { references: &gathered.config.name_references }, set)?;
        if !gathered.variables.is_empty() {
            let (variables, specs) = (&gathered.variables, &gathered.config.var_references);
            self.with_context(|context| variables.resolve(set, specs, context))?;
        }
        Ok(())
    }

    pub(super) fn empty(&self) -> Gathered {
        Gathered {
            set: ResourceSet::new(self.scopes.clone()),
            config: Arc::default(),
            variables: Variables::default(),
        }
    }

    /// Takes the schema of a kustomization, unless one above it or before it gave one.
    fn schema(
        &mut self,
        loader: &Loader,
        kustomization: &Kustomization,
        is_first: bool,
    ) -> Result<(), Diagnostics> {
        let Some(openapi) = kustomization.map("openapi") else { return Ok(()) };
        let fault = |node: &Node, message: &str| {
            Diagnostic::error("wharf::render::kustomize_schema", message)
                .at(node.span, "asked for here")
        };
        let path = openapi.get("path");
        let document = path.map(|path| self.document(loader, path)).transpose()?;
        let version = openapi.get("version");
        if self.has_schema && !is_first {
            return Ok(());
        }
        match (document, version) {
            (Some(_), Some(version)) => {
                let message = "builtin version and custom schema provided, cannot use both";
                return Err(fault(version, message).into());
            }
            (Some(document), None) => {
                self.table = Some(Arc::new(MergeTable::openapi(&document)));
                self.has_schema = true;
            }
            (None, Some(version)) if version.as_str() != Some("") => {
                if version.as_str() != Some(SCHEMA) {
                    let message = "the specified OpenAPI version is not built in";
                    let help = format!("kustomize knows {SCHEMA}; name a file with `path`");
                    return Err(fault(version, message).help(help).into());
                }
                self.has_schema = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Lets a transformer change the set. Doubts are kept, faults end it.
    pub(super) fn run(
        &mut self,
        transformer: &dyn Transformer,
        set: &mut ResourceSet,
    ) -> Result<(), Diagnostics> {
        self.with_context(|context| transformer.transform(set, context))
    }

    /// Does something that reports to a context. Doubts are kept, faults end it.
    fn with_context(&mut self, work: impl FnOnce(&mut Context<'_>)) -> Result<(), Diagnostics> {
        let mut sink = Diagnostics::new();
        let (sources, schemas, rules) = (self.sources, &self.schemas, self.rules);
        work(&mut Context { sources, schemas, rules, sink: &mut sink });
        let ((), warnings) = sink.finish(())?;
        self.warnings.extend(warnings);
        Ok(())
    }

    /// Reads the kustomization of a folder.
    fn kustomization(&mut self, loader: &Loader) -> Result<Kustomization, Diagnostics> {
        let mut found = Vec::new();
        for name in FILE_NAMES {
            if let Ok((path, bytes)) = loader.load(name) {
                found.push((*name, path, bytes));
            }
        }
        let root = &loader.root;
        let [(name, path, bytes)] = found.as_slice() else {
            let message = match found.as_slice() {
                [] => format!(
                    "unable to find one of 'kustomization.yaml', 'kustomization.yml' or \
                     'Kustomization' in directory '{root}'"
                ),
                _ => format!("Found multiple kustomization files under: {root}"),
            };
            let code = "wharf::render::kustomization_missing";
            let help = "a kustomization is a folder with such a file, which names `resources`";
            let is_none = found.is_empty();
            let help = if is_none { help } else { "keep one of these files" };
            return Err(Diagnostic::error(code, message).help(help).into());
        };
        let shown = loader.show(path);
        let text = yaml::decode(bytes).map_err(|error| {
            let message = format!("invalid Kustomization: {error}");
            Diagnostics::from(Diagnostic { message, ..Diagnostic::from(error) })
        })?;
        let file = self.sources.add(shown, text.as_ref());
        let mut read = Kustomization::read(self.sources, file, name, root)?;
        self.warnings.extend(std::mem::take(&mut read.warnings));
        Ok(read)
    }

    /// Gathers what a kustomization names and makes, and changes it as it says.
    fn gather(
        &mut self,
        loader: &Loader,
        kustomization: &Kustomization,
        gathered: Gathered,
    ) -> Result<Gathered, Diagnostics> {
        let mut gathered = self.named(loader, kustomization, gathered)?;
        transformers::run(self, loader, kustomization, &mut gathered, None)?;
        plugins::validate(self, loader, kustomization, &mut gathered.set)?;
        declare(kustomization, &mut gathered)?;
        Ok(gathered)
    }

    /// Gathers what a kustomization names and makes.
    fn named(
        &mut self,
        loader: &Loader,
        kustomization: &Kustomization,
        mut gathered: Gathered,
    ) -> Result<Gathered, Diagnostics> {
        let below = loader.with_namespace(kustomization.text("namespace"));
        let mut faults = Diagnostics::new();
        for path in kustomization.resources() {
            // a base that is built for its faults only may be built very often
            if faults.has_errors() && self.is_base(loader, path) {
                continue;
            }
            if let Err(more) = self.resource(&below, path, &mut gathered) {
                faults.extend(frame(more, path.span, "accumulating resources"));
            }
        }
        match transformers::configs(self, loader, kustomization) {
            Ok(configs) => {
                for config in configs {
                    merge_config(&mut gathered.config, config).map_err(|error| {
                        let code = "wharf::render::kustomize_config";
                        Diagnostic::error(code, error.to_string()).at(kustomization.span(), "")
                    })?;
                }
            }
            Err(more) => faults.extend(more),
        }
        let is_whole = !faults.has_errors();
        if let Err(more) = generate(self, loader, kustomization, &mut gathered, is_whole) {
            faults.extend(more);
        }
        // kustomize sees at the very end what it cannot print
        let mut faults: Vec<Diagnostic> = faults.into_iter().collect();
        faults.sort_by_key(|fault| fault.code == "wharf::yaml::key");
        Diagnostics::from_iter(faults).finish(())?;
        for path in kustomization.items("components") {
            gathered = self
                .component(&below, path, gathered)
                .map_err(|faults| frame(faults, path.span, "accumulating components"))?;
        }
        Ok(gathered)
    }

    /// Whether a path leads to a base, here or on another machine.
    fn is_base(&self, loader: &Loader, path: &Node) -> bool {
        let name = path.as_str().unwrap_or_default();
        let is_remote = is_web(name) || Repository::parse(name).is_ok();
        if is_remote { self.options.remote.is_allowed() } else { loader.is_folder(name) }
    }

    /// A file of resources, or the folder of a base.
    pub(super) fn resource(
        &mut self,
        loader: &Loader,
        path: &Node,
        gathered: &mut Gathered,
    ) -> Result<(), Diagnostics> {
        let name = path.as_str().unwrap_or_default();
        let from = |text: &str| format!("accumulating resources from '{name}': {text}");
        if is_web(name) && !self.options.remote.is_allowed() {
            return Err(denied(path).into());
        }
        let unread = match self.file(loader, name) {
            Ok(resources) => {
                let place = loader.place.as_ref().map(|place| place.inner(name));
                for mut resource in resources {
                    if let Some(place) = &place {
                        place.mark(&mut resource);
                    }
                    let words = format!("merging resources from '{name}'");
                    append(&mut gathered.set, resource, path, &words)?;
                }
                return Ok(());
            }
            Err(unread) => unread,
        };
        let is_answer = |fault: &Diagnostic| fault.message.starts_with("HTTP Error: ");
        if is_web(name) && unread.faults.iter().any(is_answer) {
            return Err(prefix(unread.faults, &from("").replace(": ", "")));
        }
        if Repository::parse(name).is_ok() && !self.options.remote.is_allowed() {
            return Err(denied(path).into());
        }
        let first = unread.faults.iter().next().map(|fault| fault.message.clone());
        let first = from(&first.unwrap_or_default());
        let inner = match loader.enter(name) {
            Ok(inner) => inner,
            Err(_) if unread.malformed => {
                return Err(frame(unread.faults, path.span, &from("").replace(": ", "")));
            }
            Err(_) if unread.faults.iter().any(|fault| !fault.labels.is_empty()) => {
                return Err(unread.faults);
            }
            Err(error) => {
                let message = format!("accumulation err='{first}': {error}");
                let code = "wharf::render::kustomize_file";
                let advice = loader.advice(name, &message);
                let fault = Diagnostic::error(code, message).at(path.span, "named here");
                return Err(fault.maybe_help(advice).into());
            }
        };
        let built = self.folder(&inner)?;
        join(built, gathered, path, &inner)
    }

    fn file(&mut self, loader: &Loader, name: &str) -> Result<Vec<Resource>, Unreadable> {
        let plain = |fault: Diagnostic| Unreadable { faults: fault.into(), malformed: false };
        let (path, bytes) = loader.load(name).map_err(|error| plain(file_fault(&error)))?;
        let shown = loader.show(&path);
        let text = yaml::decode(&bytes).map_err(|error| {
            let message = format!("MalformedYAMLError: {error} in File: {name}");
            let fault = Diagnostic { message, ..Diagnostic::from(error) };
            Unreadable { faults: fault.into(), malformed: true }
        })?;
        let origin = Origin { package: loader.show(&loader.root), file: name.to_owned() };
        let file = self.sources.add(shown, text.as_ref());
        resources::read(&text, file, name, &Arc::new(origin))
    }

    /// Builds a base with a set of its own.
    fn folder(&mut self, loader: &Loader) -> Result<Gathered, Diagnostics> {
        let root = &loader.root;
        let kustomization = self
            .kustomization(loader)
            .map_err(|faults| prefix(faults, &format!("couldn't make target for path '{root}'")))?;
        if kustomization.is_component {
            let message = format!("expected kind != 'Component' for path '{root}'");
            return Err(wrong_kind(message, &kustomization, "name it under `components`"));
        }
        self.schema(loader, &kustomization, false)?;
        let empty = self.empty();
        self.gather(loader, &kustomization, empty)
            .map_err(|faults| prefix(faults, &format!("recursed accumulation of path '{root}'")))
    }

    fn component(
        &mut self,
        loader: &Loader,
        path: &Node,
        gathered: Gathered,
    ) -> Result<Gathered, Diagnostics> {
        let inner = loader.enter(path.as_str().unwrap_or_default()).map_err(|error| {
            let message = format!("loader.New \"{error}\"");
            let code = "wharf::render::kustomize_file";
            Diagnostic::error(code, message).at(path.span, "named here")
        })?;
        self.component_of(&inner, gathered).map_err(|faults| {
            reworded(faults, |message| format!("accumulateDirectory: {message:?}"))
        })
    }

    fn component_of(
        &mut self,
        inner: &Loader,
        gathered: Gathered,
    ) -> Result<Gathered, Diagnostics> {
        let root = &inner.root;
        let kustomization = self
            .kustomization(inner)
            .map_err(|faults| prefix(faults, &format!("couldn't make target for path '{root}'")))?;
        if !kustomization.is_component {
            let kind = kustomization.text("kind").and_then(Node::as_str).unwrap_or("Kustomization");
            let message = format!("expected kind 'Component' for path '{root}' but got '{kind}'");
            return Err(wrong_kind(message, &kustomization, "name it under `resources`"));
        }
        self.schema(inner, &kustomization, false)?;
        self.gather(inner, &kustomization, gathered)
            .map_err(|faults| prefix(faults, &format!("recursed accumulation of path '{root}'")))
    }

    /// Reads a text file.
    pub(super) fn source(&self, loader: &Loader, path: &str) -> Result<FileId, FileError> {
        let (real, bytes) = loader.load(path)?;
        let text = yaml::decode(&bytes).map_err(|error| FileError(error.go_text))?;
        Ok(self.sources.add(loader.show(&real), text.as_ref()))
    }

    /// Reads a file that configures something, as one document.
    pub(super) fn document(&self, loader: &Loader, path: &Node) -> Result<Node, Diagnostics> {
        let name = path.as_str().unwrap_or_default();
        let (real, bytes) = loader.load(name).map_err(|error| {
            let advice = loader.advice(name, &error.to_string());
            file_fault(&error).at(path.span, "named here").maybe_help(advice)
        })?;
        let text = yaml::decode(&bytes).map_err(Diagnostic::from)?;
        let file = self.sources.add(loader.show(&real), text.as_ref());
        Ok(yaml::parse_first(&text, file, Dialect::GoYamlV2).map_err(Diagnostic::from)?)
    }
}

/// Puts in what the generators make, unless the set lacks something.
fn generate(
    builder: &mut Builder<'_>,
    loader: &Loader,
    kustomization: &Kustomization,
    gathered: &mut Gathered,
    is_whole: bool,
) -> Result<(), Diagnostics> {
    let mut faults = Diagnostics::new();
    let global = kustomization.fields.get("generatorOptions");
    let package = loader.show(&loader.root);
    let origin = Arc::new(Origin { package, file: kustomization.name.clone() });
    let place = loader.place.as_ref().map(|place| place.inner(&kustomization.name));
    let by = |kind| place.as_ref().map(|place| place.maker("builtin", kind));
    let mut made: Vec<(Resource, Span)> = Vec::new();
    let mut add = |resource: Resource, span: Span, maker: Option<&Maker>| {
        let mut resource = resource;
        if let Some(maker) = maker {
            maker.made(&mut resource);
        }
        made.push((resource, span));
    };
    for (field, kind, name) in [
        ("configMapGenerator", Kind::ConfigMap, "ConfigMapGenerator"),
        ("secretGenerator", Kind::Secret, "SecretGenerator"),
    ] {
        let maker = by(name);
        for args in kustomization.items(field) {
            match generated(kind, args, global, loader, &origin) {
                Ok(resource) => add(resource, args.span, maker.as_ref()),
                Err(fault) => faults.push(fault),
            }
        }
    }
    let (charts, globals) = charts::declared(kustomization);
    let maker = by("HelmChartInflationGenerator");
    for args in &charts {
        match charts::generate(builder, loader, kustomization, args, globals.as_ref()) {
            Ok(rendered) => {
                for resource in rendered {
                    add(resource, args.span, maker.as_ref());
                }
            }
            Err(more) => faults.extend(more),
        }
    }
    for (config, resources) in plugins::generate(builder, loader, kustomization)? {
        let maker = place.as_ref().and_then(|_| Maker::of(&config));
        for resource in resources {
            add(resource, config.root.span, maker.as_ref());
        }
    }
    faults.finish(())?;
    // whether a generator may change what is there is known when all is there
    let made = if is_whole { made } else { Vec::new() };
    for (resource, span) in made {
        gathered.set.absorb(resource).map_err(|error| {
            let message = format!("merging from generator: {error}");
            let code = "wharf::render::generator";
            Diagnostic::error(code, message).at(span, "this generator")
        })?;
    }
    Ok(())
}

/// Puts what a base gave behind what is there.
fn join(
    built: Gathered,
    gathered: &mut Gathered,
    path: &Node,
    inner: &Loader,
) -> Result<(), Diagnostics> {
    let root = &inner.root;
    if gathered.set.is_empty() {
        gathered.set = built.set;
        gathered.set.check_ids().map_err(|error| {
            let message = format!("recursed merging from path '{root}': {error}");
            registered(message, Span::NONE).at(path.span, "named here")
        })?;
    } else {
        for resource in built.set.into_vec() {
            let words = format!("recursed merging from path '{root}'");
            append(&mut gathered.set, resource, path, &words)?;
        }
    }
    merge_config(&mut gathered.config, built.config).map_err(|error| {
        let message = format!("recursed merging from path '{root}': {error}");
        let code = "wharf::render::kustomize_config";
        Diagnostic::error(code, message).at(path.span, "named here")
    })?;
    gathered
        .variables
        .merge(built.variables)
        .map_err(|fault| prefix(fault.into(), &format!("recursed merging from path '{root}'")))
}

/// Declares the variables of a kustomization for what it has by now.
fn declare(kustomization: &Kustomization, gathered: &mut Gathered) -> Result<(), Diagnostics> {
    let variables = transformers::variables(kustomization)?;
    gathered.variables.declare(&variables, &mut gathered.set).map_err(|fault| {
        let items = kustomization.items("vars").iter().map(Variable::written);
        let words = format!("merging vars [{}]", items.collect::<Vec<_>>().join(" "));
        prefix(fault.into(), &words)
    })
}

/// Adds the specs of one to those of another. Most kustomizations add nothing to kustomize's own.
fn merge_config(into: &mut Arc<Config>, more: Arc<Config>) -> Result<(), FieldError> {
    let defaults = Config::defaults();
    let is_own = Arc::ptr_eq(&more, &defaults);
    if is_own && (Arc::ptr_eq(into, &defaults) || **into == Config::default()) {
        *into = more;
        return Ok(());
    }
    Arc::make_mut(into).merge(&more)
}

/// The fault of an address that nothing may be fetched from.
fn denied(path: &Node) -> Diagnostic {
    let name = path.as_str().unwrap_or_default().to_owned();
    let message =
        format!("accumulating resources from '{name}': {}", RemoteError::Denied(name.clone()));
    Diagnostic::error("wharf::render::kustomize_remote", message)
        .at(path.span, "named here")
        .help(FETCHED)
}

/// The fault of a file or folder that is not there, or may not be read.
pub(super) fn file_fault(error: &FileError) -> Diagnostic {
    Diagnostic::error("wharf::render::kustomize_file", error.to_string())
}

/// Puts a resource at the end; where there is one with its id, both are shown.
fn append(
    set: &mut ResourceSet,
    resource: Resource,
    path: &Node,
    words: &str,
) -> Result<(), Diagnostic> {
    let (id, span) = (resource.id(set.scopes()), id_span(&resource));
    set.append(resource).map_err(|error| {
        let first = set.current(&id).first().map(|at| id_span(set.get(*at)));
        registered(format!("{words}: {error}"), span)
            .at(first.unwrap_or(Span::NONE), "the first one")
            .at(path.span, "named here")
    })
}

fn id_span(resource: &Resource) -> Span {
    resource.root.at(&["metadata", "name"]).map_or(resource.root.span, |name| name.span)
}

fn registered(message: String, span: Span) -> Diagnostic {
    Diagnostic::error("wharf::render::kustomize_duplicate", message)
        .at(span, "this one is the second")
}

fn wrong_kind(message: String, kustomization: &Kustomization, help: &str) -> Diagnostics {
    let at = kustomization.text("kind").map_or(kustomization.span(), |kind| kind.span);
    let fault = Diagnostic::error("wharf::render::kustomization_kind", message);
    fault.at(at, "of this kind").help(help).into()
}

/// Puts kustomize's words before the messages, and the line that led there after the places.
fn frame(faults: Diagnostics, span: Span, words: &str) -> Diagnostics {
    let framed = |fault: Diagnostic| match fault.severity {
        Severity::Warning => fault,
        Severity::Error if fault.labels.iter().any(|label| label.span == span) => fault,
        Severity::Error => fault.at(span, "named here"),
    };
    prefix(faults.into_iter().map(framed).collect(), words)
}

pub(super) fn prefix(faults: Diagnostics, words: &str) -> Diagnostics {
    reworded(faults, |message| format!("{words}: {message}"))
}

fn reworded(faults: Diagnostics, change: impl Fn(&str) -> String) -> Diagnostics {
    let worded = |fault: Diagnostic| match fault.severity {
        Severity::Warning => fault,
        Severity::Error => Diagnostic { message: change(&fault.message), ..fault },
    };
    faults.into_iter().map(worded).collect()
}
