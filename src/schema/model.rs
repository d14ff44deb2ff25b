//! The type of a value: its shape, its fields, and how lists and maps of it merge.
//!
//! Types of built-in kinds refer to definitions that are decoded when somebody first looks, so the
//! graph may be cyclic. A reference may carry rules of its own (`retainKeys` beside a `$ref`);
//! everything else is asked of what it refers to.

use super::embedded::Definition;
use crate::yaml::{Node, Str};
use regex::Regex;

/// What a value may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Anything.
    Any,
    /// A map with known properties, or with values of one type.
    Object,
    /// A list.
    List,
    /// A text.
    String,
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An integer or a text, such as `8080` or `http`.
    IntOrString,
    /// An amount such as `100m` or `2Gi`, as text or number.
    Quantity,
}

/// How a list merges with another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListType<'a> {
    /// As a whole.
    Atomic,
    /// Each value is there once.
    Set,
    /// Items are told apart by these keys.
    Map(&'a [Str]),
}

/// The type of a value.
#[derive(Debug, Default)]
pub struct Type {
    pub(super) shape: Shape,
    pub(super) rules: Option<Box<Rules>>,
}

#[derive(Debug, Default)]
pub(super) enum Shape {
    #[default]
    Any,
    Object(Box<Fields>),
    List(Box<Type>),
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
    Quantity,
    Reference(Definition),
}

/// The fields of an object.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// In the order of their keys.
    pub(super) properties: Box<[Property]>,
    /// How many of them are required.
    pub(super) required: usize,
    /// The type of values of other keys.
    pub(super) additional: Option<Type>,
    /// Other keys may have any value.
    pub(super) open: bool,
    /// The object is one of its own, with `apiVersion`, `kind` and `metadata`.
    pub(super) embedded: bool,
}

impl Fields {
    /// Sets the known properties.
    pub(super) fn set(&mut self, mut properties: Vec<Property>) {
        properties.sort_by(|a, b| a.key.cmp(&b.key));
        self.required = properties.iter().filter(|property| property.required).count();
        self.properties = properties.into();
    }

    /// A known property.
    pub(super) fn property(&self, key: &str) -> Option<&Property> {
        let at =
            self.properties.binary_search_by(|property| property.key.as_str().cmp(key)).ok()?;
        Some(&self.properties[at])
    }
}

/// A field of an object.
#[derive(Debug)]
pub struct Property {
    /// Its key.
    pub key: Str,
    /// True when an object must have it.
    pub required: bool,
    /// What it may be.
    pub ty: Type,
}

/// What only some types have.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) format: Option<Str>,
    pub(super) enumeration: Vec<Node>,
    pub(super) default: Option<Node>,
    pub(super) nullable: bool,
    pub(super) list: Option<ListKind>,
    pub(super) keys: Box<[Str]>,
    pub(super) merge_key: Option<Str>,
    pub(super) merge: bool,
    pub(super) retain_keys: bool,
    pub(super) atomic_map: bool,
    pub(super) checks: Option<Box<Checks>>,
    /// Of custom kinds; those of built-in kinds are kept apart.
    pub(super) description: Option<Str>,
    /// Rules in CEL.
    pub(super) validations: Box<[super::cel::Rule]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ListKind {
    Atomic,
    Set,
    Map,
}

/// Conditions on values that only custom resources have.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) pattern: Option<Regex>,
    pub(super) minimum: Option<Bound>,
    pub(super) maximum: Option<Bound>,
    pub(super) multiple_of: Option<f64>,
    pub(super) length: Range,
    pub(super) items: Range,
    pub(super) properties: Range,
    pub(super) unique: bool,
    pub(super) all_of: Vec<Condition>,
    pub(super) any_of: Vec<Condition>,
    pub(super) one_of: Vec<Condition>,
    pub(super) not: Option<Box<Condition>>,
}

/// A limit of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) value: f64,
    pub(super) exclusive: bool,
}

/// Least and greatest of a count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
}

/// A schema below `allOf`, `anyOf`, `oneOf` or `not`: it only adds conditions to a type.
#[derive(Debug, Default)]
pub(super) struct Condition {
    pub(super) properties: Vec<(Str, Condition)>,
    pub(super) additional: Option<Box<Condition>>,
    pub(super) items: Option<Box<Condition>>,
    pub(super) required: Vec<Str>,
    pub(super) kind: Option<Kind>,
    pub(super) enumeration: Vec<Node>,
    pub(super) format: Option<Str>,
    pub(super) checks: Checks,
}

impl Type {
    /// What references lead to.
    pub(super) fn target(&self) -> &Type {
        let mut ty = self;
        while let Shape::Reference(definition) = &ty.shape {
            ty = definition.get();
        }
        ty
    }

    pub(super) fn fields(&self) -> Option<&Fields> {
        match &self.target().shape {
            Shape::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The first answer of the place where the type is used, else of what it refers to.
    fn rule<'a, T>(&'a self, ask: impl Fn(&'a Rules) -> Option<T>) -> Option<T> {
        let own = self.rules.as_deref().and_then(&ask);
        own.or_else(|| match &self.shape {
            Shape::Reference(definition) => definition.get().rule(ask),
            _ => None,
        })
    }

    /// The whole name of the definition that this type refers to, such as
    /// `io.k8s.api.core.v1.PodSpec`.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        match &self.shape {
            Shape::Reference(definition) => Some(definition.name()),
            _ => None,
        }
    }

    /// What the value may be.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.target().shape {
            Shape::Object(_) => Kind::Object,
            Shape::List(_) => Kind::List,
            Shape::String => Kind::String,
            Shape::Integer => Kind::Integer,
            Shape::Number => Kind::Number,
            Shape::Boolean => Kind::Boolean,
            Shape::IntOrString => Kind::IntOrString,
            Shape::Quantity => Kind::Quantity,
            Shape::Any | Shape::Reference(_) => Kind::Any,
        }
    }

    /// The type of a known property. Values of other keys: [`Type::additional`].
    #[must_use]
    pub fn property(&self, key: &str) -> Option<&Type> {
        self.fields()?.property(key).map(|property| &property.ty)
    }

    /// All known properties, in the order of their keys.
    #[must_use]
    pub fn properties(&self) -> &[Property] {
        self.fields().map(|fields| &*fields.properties).unwrap_or_default()
    }

    /// The type of a key's value, be it known or one of many of the same type.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Type> {
        self.property(key).or_else(|| self.additional())
    }

    /// The type of the values of keys that are not known properties.
    #[must_use]
    pub fn additional(&self) -> Option<&Type> {
        self.fields()?.additional.as_ref()
    }

    /// True when keys that are not known are kept with any value.
    #[must_use]
    pub fn preserves_unknown(&self) -> bool {
        match &self.target().shape {
            Shape::Any => true,
            Shape::Object(fields) => fields.open,
            _ => false,
        }
    }

    /// True when the value is an object with `apiVersion`, `kind` and `metadata` of its own.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.fields().is_some_and(|fields| fields.embedded)
    }

    /// The type of a list's items.
    #[must_use]
    pub fn items(&self) -> Option<&Type> {
        match &self.target().shape {
            Shape::List(items) => Some(items),
            _ => None,
        }
    }

    /// How a list of this type merges in server-side apply. The older `patchMergeKey` counts where
    /// no list type is given, as in an API server.
    #[must_use]
    pub fn list_type(&self) -> ListType<'_> {
        let asked = self.rule(|rules| {
            Some(match rules.list {
                Some(ListKind::Atomic) => ListType::Atomic,
                Some(ListKind::Set) => ListType::Set,
                Some(ListKind::Map) => ListType::Map(&rules.keys),
                None if !rules.merge => return None,
                None => rules
                    .merge_key
                    .as_ref()
                    .map_or(ListType::Set, |key| ListType::Map(std::slice::from_ref(key))),
            })
        });
        asked.unwrap_or(ListType::Atomic)
    }

    /// True when a map merges as a whole.
    #[must_use]
    pub fn is_atomic_map(&self) -> bool {
        self.rule(|rules| rules.atomic_map.then_some(())).is_some()
    }

    /// The key by which a strategic merge patch tells items apart; only where lists merge.
    #[must_use]
    pub fn patch_merge_key(&self) -> Option<&str> {
        self.rule(|rules| rules.merge_key.as_deref().filter(|_| rules.merge))
    }

    /// True when a strategic merge patch merges lists of this type; without a
    /// [`Type::patch_merge_key`] it adds missing values.
    #[must_use]
    pub fn patch_merges(&self) -> bool {
        self.rule(|rules| rules.merge.then_some(())).is_some()
    }

    /// True when a strategic merge patch drops the keys that it does not name.
    #[must_use]
    pub fn retain_keys(&self) -> bool {
        self.rule(|rules| rules.retain_keys.then_some(())).is_some()
    }

    /// The default of a key of this list's items: `TCP` for `protocol` of container ports.
    #[must_use]
    pub fn key_default(&self, key: &str) -> Option<&Node> {
        self.items()?.property(key)?.default_value()
    }

    /// The value that an API server fills in.
    #[must_use]
    pub fn default_value(&self) -> Option<&Node> {
        self.rule(|rules| rules.default.as_ref())
    }

    /// True when `null` is a value of its own rather than the same as an absent field.
    #[must_use]
    pub fn is_nullable(&self) -> bool {
        self.rule(|rules| rules.nullable.then_some(())).is_some()
    }

    /// The format of a text or number: `int32`, `date-time`, `byte`.
    #[must_use]
    pub fn format(&self) -> Option<&str> {
        self.rule(|rules| rules.format.as_deref())
    }

    pub(super) fn enumeration(&self) -> &[Node] {
        self.rule(|rules| Some(rules.enumeration.as_slice()).filter(|values| !values.is_empty()))
            .unwrap_or_default()
    }

    pub(super) fn checks(&self) -> Option<&Checks> {
        self.rule(|rules| rules.checks.as_deref())
    }
}
