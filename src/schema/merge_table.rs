//! Which lists merge, and by which keys, for patches as kustomize applies them.
//!
//! kustomize follows the patch strategies of one version of Kubernetes' OpenAPI document, or of a
//! document that a kustomization names in its place. Of such a document only what leads to a list
//! that merges is kept. `schemas/README.md` gives the form of the embedded table; it is read when
//! first asked for, which takes a fraction of a millisecond.

use super::embedded;
use crate::yaml::{Map, Node, Str};
use std::collections::HashMap;
use std::sync::OnceLock;

const PACKED: &[u8] = include_bytes!("../../schemas/kustomize.bin");

const FORM: &str = "kustomize.bin has the form that schemas/kustomize.py writes";

/// The lists that merge, of all kinds.
#[derive(Debug, Default)]
pub struct MergeTable {
    types: Vec<Fields>,
    kinds: HashMap<(Str, Str), u32>,
    /// The types that have names, in the order of their numbers; only of the embedded table.
    names: Vec<Str>,
}

type Fields = HashMap<Str, Field>;

/// What is known of a field or of an item.
#[derive(Clone, Debug, Default)]
struct Field {
    /// The type of the value; of a list that merges, of its items.
    ty: Option<u32>,
    /// The keys of a list that merges.
    keys: Option<Vec<Str>>,
    /// The value is a list that does not merge; the type is that of its items.
    is_list: bool,
}

/// A place in an object of a known kind.
#[derive(Clone, Copy, Debug)]
pub struct MergePlace<'a> {
    table: &'a MergeTable,
    ty: Option<u32>,
    keys: Option<&'a [Str]>,
    is_list: bool,
}

impl MergeTable {
    /// What kustomize knows by itself.
    #[must_use]
    pub fn kustomize() -> &'static MergeTable {
        static TABLE: OnceLock<MergeTable> = OnceLock::new();
        TABLE.get_or_init(|| {
            let text = String::from_utf8(embedded::inflate(PACKED)).expect(FORM);
            MergeTable::read(&text)
        })
    }

    fn read(text: &str) -> MergeTable {
        let mut table = MergeTable::default();
        let number = |text: &str| match text {
            "-" => None,
            text => Some(text.parse::<u32>().expect(FORM)),
        };
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("type ") {
                table.names.push(name.into());
                table.types.push(Fields::new());
                continue;
            }
            let words: Vec<&str> = line.split(' ').collect();
            let Some(fields) = table.types.last_mut() else {
                let [version, kind, ty] = words.as_slice() else { unreachable!("{FORM}") };
                let ty = number(ty).expect(FORM);
                table.kinds.insert((Str::from(*version), Str::from(*kind)), ty);
                continue;
            };
            let keys = words
                .get(2)
                .map(|keys| keys.split(',').filter(|key| !key.is_empty()).map(Str::from).collect());
            let field = Field { ty: number(words[1]), keys, is_list: false };
            fields.insert(Str::from(words[0]), field);
        }
        table
    }

    /// What an OpenAPI document of version 2 says: its `definitions`. What has no meaning there is
    /// passed over. A reference to a type that the document lacks is one to a built-in type, as it
    /// is for kustomize once it has looked at its own schema.
    #[must_use]
    pub fn openapi(document: &Node) -> MergeTable {
        let built_in = MergeTable::kustomize();
        let table = MergeTable { types: built_in.types.clone(), ..MergeTable::default() };
        let named = built_in.names.iter().map(Str::as_str).zip(0..).collect();
        let mut reading = Reading { table, named };
        let none = Map::new();
        let definitions = document.at(&["definitions"]).and_then(Node::as_map).unwrap_or(&none);
        for entry in definitions {
            let number = reading.reserve();
            reading.named.insert(&entry.key, number);
        }
        for entry in definitions {
            let number = reading.named[entry.key.as_str()];
            reading.fill(number, &entry.value);
            for kind in entry.value.items_at(&["x-kubernetes-group-version-kind"]) {
                let text = |key: &str| kind.str_at(&[key]).unwrap_or_default();
                let version = match text("group") {
                    "" => text("version").to_owned(),
                    group => format!("{group}/{}", text("version")),
                };
                reading.table.kinds.insert((version.into(), text("kind").into()), number);
            }
        }
        reading.table
    }

    /// An object of a kind, when the kind is known.
    #[must_use]
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<MergePlace<'_>> {
        let ty = *self.kinds.get(&(Str::from(api_version), Str::from(kind)))?;
        Some(MergePlace { table: self, ty: Some(ty), keys: None, is_list: false })
    }
}

/// A document that is being read.
struct Reading<'a> {
    table: MergeTable,
    named: HashMap<&'a str, u32>,
}

impl<'a> Reading<'a> {
    fn reserve(&mut self) -> u32 {
        self.table.types.push(Fields::new());
        u32::try_from(self.table.types.len() - 1).expect("fewer types than bytes of a document")
    }

    fn fill(&mut self, number: u32, schema: &'a Node) {
        let mut fields = Fields::new();
        for entry in schema.at(&["properties"]).and_then(Node::as_map).into_iter().flatten() {
            fields.insert(entry.key.clone(), self.field(&entry.value));
        }
        if let Some(more) = schema.at(&["additionalProperties"]).filter(|it| it.as_map().is_some())
        {
            fields.insert("*".into(), self.field(more));
        }
        self.table.types[number as usize] = fields;
    }

    fn field(&mut self, schema: &'a Node) -> Field {
        let strategy = schema.str_at(&["x-kubernetes-patch-strategy"]).unwrap_or_default();
        let texts = |node: &Node| node.as_str().map(Str::from);
        let keys = strategy.split(',').any(|part| part == "merge").then(|| {
            match schema.at(&["x-kubernetes-list-map-keys"]).and_then(Node::as_list) {
                Some(keys) => keys.iter().filter_map(texts).collect(),
                None => schema
                    .at(&["x-kubernetes-patch-merge-key"])
                    .and_then(texts)
                    .into_iter()
                    .collect(),
            }
        });
        let items = schema.at(&["items"]);
        let ty = match items {
            Some(items) => self.number(items),
            None => self.number(schema),
        };
        Field { ty, keys, is_list: items.is_some() }
    }

    /// The number of a schema's type.
    fn number(&mut self, schema: &'a Node) -> Option<u32> {
        if let Some(reference) = schema.str_at(&["$ref"]) {
            let name = reference.strip_prefix("#/definitions/")?;
            return self.named.get(name).copied();
        }
        let has = |key: &str| schema.at(&[key]).is_some_and(|it| it.as_map().is_some());
        if !has("properties") && !has("additionalProperties") {
            return None;
        }
        let number = self.reserve();
        self.fill(number, schema);
        Some(number)
    }
}

impl<'a> MergePlace<'a> {
    /// A field of the object here, when it is known.
    #[must_use]
    pub fn field(self, name: &str) -> Option<MergePlace<'a>> {
        if self.is_list || self.keys.is_some() {
            return None;
        }
        let fields = &self.table.types[self.ty? as usize];
        let field = fields.get(name).or_else(|| fields.get("*"))?;
        let keys = field.keys.as_deref();
        Some(MergePlace { table: self.table, ty: field.ty, keys, is_list: field.is_list })
    }

    /// The keys by which the list here merges; none for a list of plain values that merges.
    #[must_use]
    pub fn keys(self) -> Option<&'a [Str]> {
        self.keys
    }

    /// An item of the list here.
    #[must_use]
    pub fn items(self) -> MergePlace<'a> {
        MergePlace { keys: None, is_list: false, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_of_built_in_kinds_have_their_keys() {
        let table = MergeTable::kustomize();
        let pod = table.kind("apps/v1", "Deployment").expect("Deployment");
        let pod = ["spec", "template", "spec"].iter().try_fold(pod, |at, step| at.field(step));
        let containers = pod.expect("a pod").field("containers").expect("containers");
        assert_eq!(containers.keys(), Some(&["name".into()][..]));
        let ports = containers.items().field("ports").expect("ports");
        assert_eq!(ports.keys(), Some(&["containerPort".into(), "protocol".into()][..]));
        let metadata = table.kind("v1", "Pod").and_then(|pod| pod.field("metadata"));
        let finalizers = metadata.and_then(|at| at.field("finalizers")).expect("finalizers");
        assert_eq!(finalizers.keys(), Some(&[][..]));
        assert!(containers.items().field("args").is_none());
        assert!(table.kind("example.com/v1", "Thing").is_none());
    }

    #[test]
    fn a_document_says_which_lists_merge() {
        let document = Node::from(json!({"definitions": {
            "v1.Thing": {
                "properties": {
                    "spec": {"properties": {"parts": {
                        "type": "array", "items": {"$ref": "#/definitions/v1.Part"},
                        "x-kubernetes-patch-strategy": "merge,retainKeys",
                        "x-kubernetes-patch-merge-key": "id",
                    }}},
                    "loop": {"$ref": "#/definitions/v1.Thing"},
                    "template": {"$ref": "#/definitions/io.k8s.api.core.v1.PodTemplateSpec"},
                },
                "x-kubernetes-group-version-kind": [
                    {"group": "example.com", "version": "v1", "kind": "Thing"},
                ],
            },
            "v1.Part": {"properties": {"id": {"type": "string"}}},
        }}));
        let table = MergeTable::openapi(&document);
        let thing = table.kind("example.com/v1", "Thing").expect("the kind");
        let parts =
            thing.field("loop").and_then(|at| at.field("spec")).and_then(|at| at.field("parts"));
        assert_eq!(parts.expect("the list").keys(), Some(&["id".into()][..]));
        let template = thing.field("template").and_then(|at| at.field("spec"));
        let volumes = template.and_then(|at| at.field("volumes"));
        assert_eq!(volumes.expect("a list of pods").keys(), Some(&["name".into()][..]));
        assert!(table.kind("v1", "Pod").is_none());
    }
}
