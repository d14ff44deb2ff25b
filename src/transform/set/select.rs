//! Choosing resources: regular expressions over kind, name and namespace, selectors over labels and
//! annotations. Expressions match whole texts; name and namespace may be those of now or the first.

use super::id::{Id, Scopes};
use super::resource::Resource;
use crate::object::selector::{Selector, SelectorError};
use crate::object::{Gvk, meta};
use crate::template::gotmpl::regexp;
use crate::yaml::{Node, Str};
use regex::Regex;

/// An expression that a whole text must match. Most are plain names, which need no automaton.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// A text without special characters.
    Literal(Str),
    /// A regular expression.
    Regex(Regex),
}

impl Pattern {
    /// Reads an expression; the empty one matches everything and is nothing.
    ///
    /// # Errors
    /// Go's text.
    pub fn parse(text: &str) -> Result<Option<Pattern>, String> {
        let plain =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-_/:,% \"'=@<>!~;&`#".contains(&byte);
        if text.is_empty() {
            return Ok(None);
        }
        if text.bytes().all(plain) {
            return Ok(Some(Pattern::Literal(text.into())));
        }
        Ok(Some(Pattern::Regex(regexp::automaton(&format!("^(?:{text})$"))?)))
    }

    /// True when the whole text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Literal(literal) => literal == text,
            Pattern::Regex(regex) => regex.is_match(text),
        }
    }

    /// The text, when it is the only one that matches.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self {
            Pattern::Literal(literal) => Some(literal),
            Pattern::Regex(_) => None,
        }
    }
}

/// Which resources are meant. What is not given fits any.
#[derive(Clone, Debug, Default)]
pub struct Select {
    /// The API group.
    pub group: Option<Pattern>,
    /// The API version.
    pub version: Option<Pattern>,
    /// The kind.
    pub kind: Option<Pattern>,
    /// The name, of now or the first one.
    pub name: Option<Pattern>,
    /// The effective namespace, of now or the first one.
    pub namespace: Option<Pattern>,
    /// A selector of labels.
    pub labels: Option<Selector>,
    /// A selector of annotations.
    pub annotations: Option<Selector>,
}

/// Why a selector cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SelectError {
    /// A field is no regular expression.
    #[error("{0}")]
    Expression(String),
    /// A selector of labels or annotations is none.
    #[error(transparent)]
    Selector(#[from] SelectorError),
}

impl Select {
    /// Reads the fields `group`, `version`, `kind`, `name`, `namespace`, `labelSelector` and
    /// `annotationSelector` of a map.
    pub fn read(node: &Node) -> Result<Select, SelectError> {
        let (select, errors) = Select::read_all(node);
        errors.into_iter().next().map_or(Ok(select), |(_, error)| Err(error))
    }

    /// Reads what can be read, and says which fields cannot.
    pub fn read_all(node: &Node) -> (Select, Vec<(&'static str, SelectError)>) {
        let mut errors = Vec::new();
        let text = |key: &str| node.str_at(&[key]).unwrap_or_default();
        let mut pattern = |key| {
            Pattern::parse(text(key))
                .map_err(|error| errors.push((key, SelectError::Expression(error))))
                .unwrap_or_default()
        };
        let [group, version, kind] = ["group", "version", "kind"].map(&mut pattern);
        let [name, namespace] = ["name", "namespace"].map(&mut pattern);
        let mut selector = |key| match text(key) {
            "" => None,
            text => Selector::parse(text)
                .map_err(|error| errors.push((key, SelectError::from(error))))
                .ok(),
        };
        let [labels, annotations] = ["labelSelector", "annotationSelector"].map(&mut selector);
        (Select { group, version, kind, name, namespace, labels, annotations }, errors)
    }

    /// True when the resource is meant.
    #[must_use]
    pub fn matches(&self, resource: &Resource, scopes: &Scopes) -> bool {
        self.matches_gvk(&resource.gvk())
            && self.matches_names(resource, scopes)
            && self.labels.as_ref().is_none_or(|it| it.matches(meta::labels(&resource.root)))
            && self.annotations.as_ref().is_none_or(|it| {
                it.matches(resource.root.at(&["metadata", "annotations"]).and_then(Node::as_map))
            })
    }

    /// True when group, version and kind fit.
    #[must_use]
    pub fn matches_gvk(&self, gvk: &Gvk) -> bool {
        fits(self.group.as_ref(), &gvk.group)
            && fits(self.version.as_ref(), &gvk.version)
            && fits(self.kind.as_ref(), &gvk.kind)
    }

    /// True when the kind and the names of an id fit.
    #[must_use]
    pub fn matches_id(&self, id: &Id) -> bool {
        self.matches_gvk(&id.gvk)
            && fits(self.name.as_ref(), &id.name)
            && fits(self.namespace.as_ref(), id.effective_namespace())
    }

    fn matches_names(&self, resource: &Resource, scopes: &Scopes) -> bool {
        let name = self.name.as_ref();
        if !fits(name, resource.name()) && !fits(name, resource.original_name()) {
            return false;
        }
        let Some(namespace) = &self.namespace else { return true };
        namespace.matches(resource.original_id(scopes).effective_namespace())
            || namespace.matches(resource.id(scopes).effective_namespace())
    }
}

fn fits(pattern: Option<&Pattern>, text: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.matches(text))
}
