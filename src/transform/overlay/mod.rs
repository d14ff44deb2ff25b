//! Overlays: `overlays/<name>/overlay.yaml`, values and changes on top of a package.
//!
//! ```yaml
//! base: ../..                # what it changes; the package that it stands in need not be named
//! values: {replicas: 3}      # below the values that the user gives
//! namespace: shop            # from here on the fields of a Kustomization
//! patches: [{path: more-memory.yaml}]
//! ```
//!
//! The base is any source: another overlay, a package, manifests; whoever loads the overlay follows
//! it, so reading one touches nothing but its own files.
//!
//! Read strictly: a key that is not known is an error with a suggestion, and one that a
//! Kustomization has but overlays do not is said to be so. All faults are reported at once.

use super::config::Config;
use super::field_spec::FieldSpec;
use super::images::Image;
use super::labels::Labels;
use super::namespace::Namespace;
use super::patches::{Change, Patch, Patches, Target, TargetField};
use super::replicas::Replicas;
use super::set::{Resource, ResourceSet, Scopes};
use super::{Context, Rules, Transformer};
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{FileId, Sources, Span};
use crate::base::suggest;
use crate::base::tree::FileTree;
use crate::object::Object;
use crate::object::patch::json6902;
use crate::object::selector::Selector;
use crate::schema::Schemas;
use crate::yaml::{self, Dialect, Map, Node, Value};
use regex::Regex;

/// The `apiVersion` of an overlay, which need not be written.
const API_VERSION: &str = "wharf.dev/v1";

/// Keys that the path of a field may have.
const MAX_KEYS: usize = 64;

const KEYS: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "base",
    "values",
    "namespace",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "images",
    "replicas",
    "patches",
];

/// Fields of a Kustomization that overlays do not have.
const UNSUPPORTED: &[&str] = &[
    "resources",
    "bases",
    "components",
    "namePrefix",
    "nameSuffix",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
    "generators",
    "transformers",
    "validators",
    "replacements",
    "vars",
    "configurations",
    "crds",
    "openapi",
    "helmCharts",
    "helmGlobals",
    "patchesStrategicMerge",
    "patchesJson6902",
    "buildMetadata",
    "sortOptions",
];

/// An overlay before it is read: its files, and the folder that its `overlay.yaml` is in.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The files that it may name.
    pub tree: FileTree,
    /// Its folder in the tree; empty for the top.
    pub folder: String,
}

impl Layer {
    /// The overlay of a name in a package.
    ///
    /// # Errors
    /// When there is none; names the others.
    pub fn named(tree: &FileTree, name: &str) -> Result<Layer, Diagnostic> {
        let folder = format!("overlays/{name}");
        let path = format!("{folder}/overlay.yaml");
        if tree.get(&path).is_some() {
            return Ok(Layer { tree: tree.clone(), folder });
        }
        let names: Vec<&str> = tree
            .under("overlays")
            .filter_map(|(path, _)| {
                path.as_str().strip_prefix("overlays/")?.strip_suffix("/overlay.yaml")
            })
            .collect();
        let near = suggest::did_you_mean(name, names.iter().copied());
        let known = match names.as_slice() {
            [] => format!("an overlay is a file `{path}`"),
            some => format!("there is {}", some.join(", ")),
        };
        Err(Diagnostic::error(
            "wharf::transform::overlay_not_found",
            format!("`{}` has no overlay `{name}`", tree.label()),
        )
        .help(near.unwrap_or(known)))
    }

    /// Where its `overlay.yaml` is in its tree.
    #[must_use]
    pub fn path(&self) -> String {
        match self.folder.as_str() {
            "" => "overlay.yaml".to_owned(),
            folder => format!("{folder}/overlay.yaml"),
        }
    }

    /// The text of `base`, with where it is written.
    ///
    /// # Errors
    /// When `overlay.yaml` is no YAML.
    pub fn base(&self, sources: &Sources) -> Result<Option<Node>, Diagnostics> {
        let root = self.document(sources)?;
        Ok(root.get("base").filter(|base| base.as_str().is_some()).cloned())
    }

    fn document(&self, sources: &Sources) -> Result<Node, Diagnostics> {
        let path = self.path();
        let shown = self.tree.display(&path);
        let Some(text) = self.tree.text(&path) else {
            let message = format!("`{shown}` is missing or is not UTF-8 text");
            return Err(Diagnostic::error("wharf::transform::file_not_found", message).into());
        };
        let file = sources.add(shown, text);
        yaml::parse_one(sources, file, Dialect::Strict)
    }
}

/// What an overlay says.
#[derive(Debug, Default)]
pub struct Overlay {
    /// Values, below those that the user gives.
    pub values: Option<Node>,
    patches: Vec<Patch>,
    namespace: Option<Namespace>,
    labels: Vec<Labels>,
    replicas: Vec<Replicas>,
    images: Vec<Image>,
}

impl Overlay {
    /// Reads an overlay.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn load(layer: &Layer, sources: &Sources) -> Result<Overlay, Diagnostics> {
        let node = layer.document(sources)?;
        let Layer { tree, folder } = layer;
        let mut reader = Reader { tree, folder, sources, faults: Diagnostics::new() };
        let overlay = match &node.value {
            Value::Null => Overlay::default(),
            _ => reader.overlay(&node).unwrap_or_default(),
        };
        reader.faults.finish(overlay).map(|(overlay, _)| overlay)
    }

    /// The namespace that it puts objects into.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_ref().and_then(|namespace| namespace.name.as_str())
    }

    /// Changes rendered objects. Faults and doubts go to the sink.
    pub fn apply(
        self,
        objects: &mut Vec<Object>,
        schemas: &Schemas,
        sources: &Sources,
        sink: &mut Diagnostics,
    ) {
        let mut context = Context { sources, schemas, rules: Rules::Overlay, sink };
        let list = std::mem::take(objects).into_iter().map(Resource::from).collect();
        let mut set = ResourceSet::unchecked(list, Scopes::kubernetes().into());
        let patches = Patches { list: self.patches };
        patches.transform(&mut set, &mut context);
        if let Some(namespace) = &self.namespace {
            namespace.transform(&mut set, &mut context);
        }
        for labels in &self.labels {
            labels.transform(&mut set, &mut context);
        }
        for replicas in &self.replicas {
            replicas.transform(&mut set, &mut context);
        }
        for image in &self.images {
            image.transform(&mut set, &mut context);
        }
        objects.extend(set.into_vec().into_iter().map(Object::from));
    }
}

fn metadata() -> Vec<FieldSpec> {
    vec![FieldSpec::row("", "", "metadata/labels", true)]
}

struct Reader<'a> {
    tree: &'a FileTree,
    folder: &'a str,
    sources: &'a Sources,
    faults: Diagnostics,
}

impl Reader<'_> {
    fn overlay(&mut self, node: &Node) -> Option<Overlay> {
        let map = self.map(node, "an overlay")?;
        self.known(map, KEYS, UNSUPPORTED);
        let mut overlay = Overlay::default();
        for entry in map {
            let value = &entry.value;
            match entry.key.as_str() {
                "apiVersion" => self.constant(value, "apiVersion", API_VERSION),
                "kind" => self.constant(value, "kind", "Overlay"),
                "base" => {
                    self.text(value, "`base`");
                }
                "values" => overlay.values = self.map(value, "`values`").map(|_| value.clone()),
                "namespace" => {
                    overlay.namespace = self.text(value, "`namespace`").map(|_| {
                        Namespace::new(value.clone(), Config::defaults().namespace.clone())
                    });
                }
                "labels" => {
                    for item in self.list(value, "`labels`") {
                        let labels = self.labels(item);
                        overlay.labels.extend(labels);
                    }
                }
                "commonLabels" => {
                    let pairs = self.pairs(value, "`commonLabels`");
                    overlay.labels.extend(pairs.map(|pairs| Labels {
                        pairs,
                        specs: Config::defaults().common_labels.clone(),
                    }));
                }
                "commonAnnotations" => {
                    let pairs = self.pairs(value, "`commonAnnotations`");
                    let specs = Config::defaults().common_annotations.clone();
                    overlay.labels.extend(pairs.map(|pairs| Labels { pairs, specs }));
                }
                "images" => {
                    for item in self.list(value, "`images`") {
                        let image = self.image(item);
                        overlay.images.extend(image);
                    }
                }
                "replicas" => {
                    for item in self.list(value, "`replicas`") {
                        let replicas = self.replicas(item);
                        overlay.replicas.extend(replicas);
                    }
                }
                "patches" => {
                    for item in self.list(value, "`patches`") {
                        let patch = self.patch(item);
                        overlay.patches.extend(patch);
                    }
                }
                _ => {}
            }
        }
        Some(overlay)
    }

    fn constant(&mut self, value: &Node, key: &str, expected: &str) {
        if value.as_str() != Some(expected) {
            self.fault(value.span, &format!("`{key}` of an overlay must be `{expected}`"));
        }
    }

    fn labels(&mut self, item: &Node) -> Option<Labels> {
        let map = self.map(item, "an item of `labels`")?;
        let flags = ["includeSelectors", "includeTemplates"];
        self.known(map, &["pairs", flags[0], flags[1], "fields"], &["includeVolumeClaimTemplates"]);
        let [selectors, templates] = flags.map(|flag| {
            let value = map.get(flag)?;
            if value.as_bool().is_none() {
                self.wrong(value, &format!("`{flag}`"), "true or false");
            }
            value.as_bool()
        });
        let mut specs = match (selectors, templates) {
            (Some(true), _) => Config::defaults().common_labels.clone(),
            (_, Some(true)) => Config::defaults().template_labels.clone(),
            _ => metadata(),
        };
        for field in map.get("fields").map(|value| self.list(value, "`fields`")).unwrap_or_default()
        {
            let spec = self.field_spec(field);
            specs.extend(spec);
        }
        let pairs = self.required(map, item, "pairs")?;
        Some(Labels { pairs: self.pairs(pairs, "`pairs`")?, specs })
    }

    fn field_spec(&mut self, item: &Node) -> Option<FieldSpec> {
        let map = self.map(item, "an item of `fields`")?;
        self.known(map, &["path", "group", "version", "kind", "create"], &[]);
        let path = self.required(map, item, "path")?;
        let keys = self.text(path, "`path`")?;
        if keys.split('/').count() > MAX_KEYS || keys.split('/').any(str::is_empty) {
            let message = format!("`path` must be a path of at most {MAX_KEYS} keys, none empty");
            self.fault(path.span, &message);
            return None;
        }
        let text = |key| map.get(key).and_then(Node::as_str).unwrap_or_default().into();
        let create = map.get("create").and_then(Node::as_bool).unwrap_or(false);
        Some(FieldSpec {
            group: text("group"),
            version: text("version"),
            kind: text("kind"),
            path: keys.into(),
            create,
        })
    }

    fn image(&mut self, item: &Node) -> Option<Image> {
        let map = self.map(item, "an item of `images`")?;
        self.known(map, &["name", "newName", "newTag", "digest", "tagSuffix"], &[]);
        let name = self.required(map, item, "name")?;
        self.text(name, "`name`")?;
        let mut text = |key: &str| {
            let value = map.get(key)?;
            self.text(value, &format!("`{key}`")).map(str::to_owned)
        };
        let image = Image {
            specs: Config::defaults().images.clone(),
            name: name.clone(),
            new_name: text("newName"),
            new_tag: text("newTag"),
            digest: text("digest"),
            tag_suffix: text("tagSuffix"),
            span: map
                .get("newTag")
                .or_else(|| map.get("digest"))
                .or_else(|| map.get("newName"))
                .map_or(item.span, |node| node.span),
        };
        Some(image)
    }

    fn replicas(&mut self, item: &Node) -> Option<Replicas> {
        let map = self.map(item, "an item of `replicas`")?;
        self.known(map, &["name", "count"], &[]);
        let (name, count) = (self.required(map, item, "name"), self.required(map, item, "count"));
        let (name, count) = (name?, count?);
        self.text(name, "`name`")?;
        if count.as_i64().is_none_or(|count| count < 0) {
            self.wrong(count, "`count`", "a number from 0");
            return None;
        }
        let specs = Config::defaults().replicas.clone();
        Some(Replicas { name: name.clone(), count: count.clone(), specs })
    }

    fn patch(&mut self, item: &Node) -> Option<Patch> {
        let map = self.map(item, "an item of `patches`")?;
        self.known(map, &["path", "patch", "target", "options"], &[]);
        let target = map.get("target").map(|value| self.target(value));
        let mut flags = [false; 2];
        if let Some(options) = map.get("options").and_then(|value| self.map(value, "`options`")) {
            let names = ["allowNameChange", "allowKindChange"];
            self.known(options, &names, &[]);
            flags = names.map(|name| options.get(name).and_then(Node::as_bool).unwrap_or(false));
        }
        let (file, text) = match (map.get("path"), map.get("patch")) {
            (Some(path), None) => self.file(path)?,
            (None, Some(patch)) => {
                let text = self.text(patch, "`patch`")?;
                (self.sources.add_scalar(patch.span, text), text.to_owned())
            }
            (Some(_), Some(patch)) => {
                self.fault(patch.span, "a patch has either `path` or `patch`, not both");
                return None;
            }
            (None, None) => {
                self.fault(item.span, "a patch needs `path` or `patch`");
                return None;
            }
        };
        let documents = match yaml::parse_documents(self.sources, file, Dialect::Strict) {
            Ok(documents) => documents,
            Err(faults) => {
                self.faults.extend(faults);
                return None;
            }
        };
        let is_operations = matches!(documents.as_slice(), [Node { value: Value::List(_), .. }]);
        let change = if is_operations {
            let operations = documents.into_iter().next().unwrap_or_default();
            if let Err(error) = json6902::check(&operations) {
                self.fault(error.span(), &error.to_string());
                return None;
            }
            if target.is_none() {
                self.fault(item.span, "a JSON patch needs a `target`");
                return None;
            }
            Change::Json(operations)
        } else {
            if documents.is_empty() {
                let span = Span::new(file, 0, text.len());
                self.fault(if text.is_empty() { item.span } else { span }, "the patch is empty");
            }
            for document in documents.iter().filter(|document| document.as_map().is_none()) {
                self.wrong(document, "a patch", "a map, or a list of operations");
            }
            Change::Strategic(documents)
        };
        let target = match target {
            Some(target) => Some(target?),
            None => None,
        };
        let [renames, changes_kind] = flags;
        Some(Patch { change, target, span: item.span, renames, changes_kind })
    }

    fn target(&mut self, node: &Node) -> Option<Target> {
        let map = self.map(node, "`target`")?;
        let fields = [
            ("group", TargetField::Group),
            ("version", TargetField::Version),
            ("kind", TargetField::Kind),
            ("name", TargetField::Name),
            ("namespace", TargetField::Namespace),
        ];
        let keys = [
            "group",
            "version",
            "kind",
            "name",
            "namespace",
            "labelSelector",
            "annotationSelector",
        ];
        self.known(map, &keys, &[]);
        let mut target = Target::default();
        for (key, field) in fields {
            let Some(value) = map.get(key) else { continue };
            let Some(text) = self.text(value, &format!("`{key}`")) else { continue };
            if text.is_empty() {
                continue;
            }
            match Regex::new(&format!("^(?:{text})$")) {
                Ok(expression) => target.expressions.push((field, expression)),
                Err(_) => self.wrong(value, &format!("`{key}`"), "a regular expression"),
            }
        }
        let mut selector = |key: &str| {
            let value = map.get(key)?;
            let text = self.text(value, &format!("`{key}`"))?;
            Selector::parse(text)
                .map_err(|error| self.fault(value.span, &format!("`{key}`: {error}")))
                .ok()
        };
        target.labels = selector("labelSelector");
        target.annotations = selector("annotationSelector");
        Some(target)
    }

    /// A file that the overlay names.
    fn file(&mut self, node: &Node) -> Option<(FileId, String)> {
        let text = self.text(node, "`path`")?;
        let found = self.path(text).and_then(|path| Some((self.tree.text(&path)?, path.clone())));
        let Some((content, path)) = found else {
            let here: Vec<&str> = self
                .tree
                .under(self.folder)
                .filter_map(|(path, _)| path.as_str().strip_prefix(self.folder)?.strip_prefix('/'))
                .collect();
            self.faults.push(
                Diagnostic::error(
                    "wharf::transform::file_not_found",
                    format!("there is no file `{text}` beside the overlay"),
                )
                .at(node.span, "named here")
                .maybe_help(suggest::did_you_mean(text, here.iter().copied())),
            );
            return None;
        };
        let content = content.to_owned();
        Some((self.sources.add(self.tree.display(&path), content.as_str()), content))
    }

    /// A path relative to the overlay as one of the tree; nothing when it leaves the tree.
    fn path(&self, text: &str) -> Option<String> {
        let mut parts: Vec<&str> = self.folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        (!text.starts_with('/')).then(|| parts.join("/"))
    }

    fn known(&mut self, map: &Map, keys: &[&str], unsupported: &[&str]) {
        for entry in map.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            let key = entry.key.as_str();
            let fault = if unsupported.contains(&key) {
                Diagnostic::error(
                    "wharf::transform::unsupported",
                    format!("`{key}` is a field of a Kustomization that overlays do not support"),
                )
            } else {
                Diagnostic::error("wharf::transform::unknown_key", format!("unknown key `{key}`"))
                    .maybe_help(suggest::did_you_mean(key, keys.iter().copied()))
                    .note(format!("known are {}", keys.join(", ")))
            };
            self.faults.push(fault.at(entry.key_span, "written here"));
        }
    }

    fn required<'n>(&mut self, map: &'n Map, item: &Node, key: &str) -> Option<&'n Node> {
        let value = map.get(key).filter(|value| !value.is_null());
        if value.is_none() {
            self.fault(item.span, &format!("`{key}` is missing"));
        }
        value
    }

    fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Map> {
        if node.as_map().is_none() {
            self.wrong(node, what, "a map");
        }
        node.as_map()
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if node.as_list().is_none() && !node.is_null() {
            self.wrong(node, what, "a list");
        }
        node.as_list().unwrap_or_default()
    }

    fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        if node.as_str().is_none() {
            self.wrong(node, what, "a string");
        }
        node.as_str()
    }

    fn pairs(&mut self, node: &Node, what: &str) -> Option<Map> {
        let map = self.map(node, what)?;
        let mut pairs = map.clone();
        for (key, value) in pairs.iter_mut() {
            match &value.value {
                Value::String(_) => {}
                Value::Bool(_) | Value::Number(_) => {
                    let text = yaml::json::to_string(value);
                    *value = Node::new(text, value.span);
                }
                _ => self.wrong(value, &format!("`{key}`"), "a string"),
            }
        }
        Some(pairs)
    }

    fn wrong(&mut self, node: &Node, what: &str, expected: &str) {
        self.fault(node.span, &format!("{what} must be {expected}, found {}", node.kind()));
    }

    fn fault(&mut self, span: Span, message: &str) {
        let fault = Diagnostic::error("wharf::transform::invalid_overlay", message);
        self.faults.push(fault.at(span, "here"));
    }
}

#[cfg(test)]
mod tests;
