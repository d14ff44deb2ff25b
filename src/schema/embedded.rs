//! The embedded schemas of Kubernetes, read on demand.
//!
//! One compressed table holds the definitions of all versions; definitions that several versions
//! share are there once. Opening a version inflates the table (once for all versions) and indexes
//! it; a definition is decoded when a type first refers to it. `schemas/README.md` gives the form,
//! `schemas/generate.py` writes it.

use super::model::{Fields, ListKind, Property, Rules, Shape, Type};
use crate::yaml::{Node, Str};
use std::fmt;
use std::io::Read;
use std::sync::OnceLock;

const PACKED: &[u8] = include_bytes!("../../schemas/kubernetes.bin");

/// The form of the table is checked when it is generated.
const FORM: &str = "the embedded schemas have the form that schemas/generate.py writes";

/// More versions than the table will ever have; each place costs a few bytes.
const PLACES: usize = 32;

/// The definitions of one version.
pub(super) struct Graph {
    /// `1.36`.
    pub(super) version: &'static str,
    /// Body and type of each definition, by the number of its name.
    definitions: Vec<Slot>,
    /// Kinds in the order of `apiVersion`, then `kind`, with the number of their definition.
    kinds: Vec<(&'static str, &'static str, u32)>,
}

#[derive(Default)]
struct Slot {
    body: &'static [u8],
    ty: OnceLock<Type>,
}

/// A definition of a version.
#[derive(Clone, Copy)]
pub(super) struct Definition {
    graph: &'static Graph,
    number: u32,
}

struct Tables {
    versions: Vec<&'static str>,
    names: Vec<&'static str>,
    strings: Vec<&'static str>,
    /// What follows the tables: the definitions.
    rest: &'static [u8],
}

/// Inflates bytes that `generate.py` compressed.
pub(super) fn inflate(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packed.len() * 5);
    flate2::read::ZlibDecoder::new(packed).read_to_end(&mut bytes).expect(FORM);
    bytes
}

fn tables() -> &'static Tables {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut reader = Reader { bytes: BYTES.get_or_init(|| inflate(PACKED)) };
        let versions = reader.texts();
        let names = reader.texts();
        let strings = reader.texts();
        Tables { versions, names, strings, rest: reader.bytes }
    })
}

/// The versions that are embedded, oldest first.
pub(super) fn versions() -> &'static [&'static str] {
    &tables().versions
}

/// The versions that have a kind, oldest first.
pub(super) fn with_kind(api_version: &str, kind: &str) -> Vec<&'static str> {
    let has = |version: &&&str| {
        Graph::open(version).is_some_and(|graph| graph.kind(api_version, kind).is_some())
    };
    versions().iter().filter(has).copied().collect()
}

impl Graph {
    /// The definitions of an embedded version such as `1.36`.
    pub(super) fn open(version: &str) -> Option<&'static Graph> {
        static GRAPHS: [OnceLock<Graph>; PLACES] = [const { OnceLock::new() }; PLACES];
        let at = versions().iter().position(|known| *known == version)?;
        Some(GRAPHS[at].get_or_init(|| Graph::read(at)))
    }

    fn read(version: usize) -> Graph {
        let tables = tables();
        let mut definitions = Vec::new();
        definitions.resize_with(tables.names.len(), Slot::default);
        let mut kinds = Vec::new();
        let mut reader = Reader { bytes: tables.rest };
        for _ in 0..reader.count() {
            let name = reader.count();
            let here = reader.count() >> version & 1 == 1;
            for _ in 0..reader.count() {
                let api_version = tables.strings[reader.count()];
                let kind = tables.strings[reader.count()];
                if here {
                    kinds.push((api_version, kind, u32::try_from(name).expect(FORM)));
                }
            }
            let length = reader.count();
            let body = reader.take(length);
            if here {
                definitions[name].body = body;
            }
        }
        kinds.sort_unstable();
        Graph { version: tables.versions[version], definitions, kinds }
    }

    /// The definition of a kind.
    pub(super) fn kind(&'static self, api_version: &str, kind: &str) -> Option<Definition> {
        let found = self
            .kinds
            .binary_search_by(|(version, name, _)| (*version, *name).cmp(&(api_version, kind)));
        Some(Definition { graph: self, number: self.kinds[found.ok()?].2 })
    }

    /// Every kind: `apiVersion`, `kind` and definition.
    pub(super) fn kinds(
        &'static self,
    ) -> impl Iterator<Item = (&'static str, &'static str, Definition)> + 'static {
        self.kinds.iter().map(move |(version, kind, number)| {
            (*version, *kind, Definition { graph: self, number: *number })
        })
    }

    /// A definition by its whole name.
    pub(super) fn named(&'static self, name: &str) -> Option<Definition> {
        let at = tables().names.iter().position(|known| *known == name)?;
        let there = !self.definitions[at].body.is_empty();
        there.then(|| Definition { graph: self, number: u32::try_from(at).expect(FORM) })
    }
}

impl Definition {
    /// Its whole name, such as `io.k8s.api.core.v1.Pod`.
    pub(super) fn name(self) -> &'static str {
        tables().names[self.number as usize]
    }

    /// Its type, which is decoded when it is first asked for.
    pub(super) fn get(self) -> &'static Type {
        let slot = &self.graph.definitions[self.number as usize];
        slot.ty.get_or_init(|| Reader { bytes: slot.body }.node(self.graph))
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kubernetes {}", self.version)
    }
}

/// Reads the generated form front to back.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A number, seven bits a byte, the low ones first.
    pub(super) fn count(&mut self) -> usize {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.take(1)[0];
            number |= usize::from(byte & 127) << shift;
            if byte < 128 {
                return number;
            }
            shift += 7;
        }
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        taken
    }

    /// A text with its length before it.
    pub(super) fn text(&mut self) -> &'a str {
        let length = self.count();
        std::str::from_utf8(self.take(length)).expect(FORM)
    }

    /// A table of texts.
    pub(super) fn texts(&mut self) -> Vec<&'a str> {
        (0..self.count()).map(|_| self.text()).collect()
    }

    fn string(&mut self) -> Str {
        Str::const_new(tables().strings[self.count()])
    }

    fn strings(&mut self) -> Vec<Str> {
        (0..self.count()).map(|_| self.string()).collect()
    }

    fn node(&mut self, graph: &'static Graph) -> Type {
        let kind = self.count();
        let flags = self.count();
        let has = |flag: usize| flags & flag != 0;
        let mut rules = Rules::default();
        if has(1) {
            rules.format = Some(self.string());
        }
        if has(2) {
            // an empty text stands for an absent field in built-in kinds
            let texts = std::iter::once(Str::default()).chain(self.strings());
            rules.enumeration = texts.map(Node::from).collect();
        }
        let additional = has(4).then(|| self.node(graph));
        if has(8) {
            let kinds = [ListKind::Atomic, ListKind::Set, ListKind::Map];
            rules.list = Some(kinds[self.count()]);
            rules.keys = self.strings().into();
        }
        if has(16) {
            rules.merge_key = Some(self.string());
        }
        if has(128) {
            rules.default = Some(Node::from(self.string()));
        }
        rules.retain_keys = has(32);
        rules.atomic_map = has(64);
        rules.merge = has(256);
        let shape = match kind {
            0 => Shape::Any,
            1 => {
                let properties: Vec<Property> = (0..self.count())
                    .map(|_| Property {
                        key: self.string(),
                        required: self.count() == 1,
                        ty: self.node(graph),
                    })
                    .collect();
                // an object of which nothing is known holds whatever it is given
                let open = properties.is_empty() && additional.is_none();
                let mut fields = Fields { additional, open, ..Fields::default() };
                fields.set(properties);
                Shape::Object(Box::new(fields))
            }
            2 => Shape::String,
            3 => Shape::Integer,
            4 => Shape::Number,
            5 => Shape::Boolean,
            6 => Shape::List(Box::new(self.node(graph))),
            7 => {
                let number = u32::try_from(self.count()).expect(FORM);
                Shape::Reference(Definition { graph, number })
            }
            8 => Shape::IntOrString,
            9 => Shape::Quantity,
            _ => unreachable!("{FORM}"),
        };
        let plain = flags & !4 == 0;
        Type { shape, rules: (!plain).then(|| Box::new(rules)) }
    }
}
