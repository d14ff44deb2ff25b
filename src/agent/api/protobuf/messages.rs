//! The messages of Kubernetes' kinds: numbers, names and types of their fields.
//!
//! The table is text, a field a line, packed by `schemas/messages.py`; it is read when the first
//! client sends protobuf.

use compact_str::CompactString;
use std::collections::HashMap;
use std::io::Read;
use std::sync::OnceLock;

const PACKED: &[u8] = include_bytes!("../../../../schemas/messages.bin");

/// The form of the table is checked when it is generated.
const FORM: &str = "the embedded messages have the form that schemas/messages.py writes";

/// All messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    all: Vec<Message>,
    by_name: HashMap<CompactString, usize>,
    /// Names of packages by `apiVersion`.
    packages: Vec<(CompactString, CompactString)>,
}

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    /// `io.k8s.api.core.v1.Pod`
    pub(super) name: CompactString,
    /// Go has a list here, which the message wraps.
    pub(super) list: bool,
    /// In the order of their numbers.
    pub(super) fields: Vec<Field>,
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    number: u32,
    /// Its name in JSON.
    pub(super) name: CompactString,
    /// Its own fields stand beside this one in JSON.
    pub(super) inline: bool,
    /// Go leaves a zero value out of JSON.
    pub(super) omits_zero: bool,
    pub(super) shape: Shape,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    One,
    List,
    Map,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Text,
    Bool,
    Integer,
    Double,
    Bytes,
    Message(CompactString),
}

impl Messages {
    pub(super) fn get() -> &'static Messages {
        static MESSAGES: OnceLock<Messages> = OnceLock::new();
        MESSAGES.get_or_init(|| {
            let mut text = String::new();
            flate2::read::ZlibDecoder::new(PACKED).read_to_string(&mut text).expect(FORM);
            Messages::read(&text)
        })
    }

    /// The message of a name.
    pub(super) fn named(&self, name: &str) -> Option<&Message> {
        self.by_name.get(name).map(|&at| &self.all[at])
    }

    /// The message of a kind.
    pub(super) fn of(&self, api_version: &str, kind: &str) -> Option<&Message> {
        let (_, package) = self.packages.iter().find(|(version, _)| version == api_version)?;
        self.named(&format!("{package}.{kind}"))
            // options of requests go by the version of the request
            .or_else(|| self.named(&format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}")))
    }

    fn read(text: &str) -> Messages {
        let mut messages = Messages::default();
        let mut package = "";
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["package", name, rest @ ..] => {
                    package = name;
                    let versions = rest.iter().map(|version| ((*version).into(), package.into()));
                    messages.packages.extend(versions);
                }
                ["message", name, rest @ ..] => {
                    let name = compact_str::format_compact!("{package}.{name}");
                    messages.by_name.insert(name.clone(), messages.all.len());
                    let list = *rest == ["list"];
                    messages.all.push(Message { name, list, fields: Vec::new() });
                }
                [number, name, flag, rest @ .., kind] => {
                    let field = Field {
                        number: number.parse().expect(FORM),
                        name: (*name).into(),
                        inline: *flag == "inline",
                        omits_zero: *flag == "omit",
                        shape: match rest {
                            ["map"] => Shape::Map,
                            ["list"] => Shape::List,
                            _ => Shape::One,
                        },
                        kind: match *kind {
                            "s" => Kind::Text,
                            "b" => Kind::Bool,
                            "i" => Kind::Integer,
                            "d" => Kind::Double,
                            "y" => Kind::Bytes,
                            message => Kind::Message(message[1..].into()),
                        },
                    };
                    messages.all.last_mut().expect(FORM).fields.push(field);
                }
                _ => unreachable!("{FORM}: {line:?}"),
            }
        }
        for message in &mut messages.all {
            message.fields.sort_by_key(|field| field.number);
        }
        messages
    }
}

impl Message {
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        let at = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
        Some(&self.fields[at])
    }
}
