//! Kinds made of `CustomResourceDefinition`s: one for each version that is served.

use super::{Kind, Kinds, Name};
use crate::agent::api::admission as rules;
use crate::agent::api::json_path::JsonPath;
use crate::agent::api::table as columns;
use crate::base::digest::Digest;
use crate::schema::{Schemas, Type, structural};
use crate::yaml::{Node, json};
use std::cmp::{Ordering, Reverse};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What only custom kinds have.
#[derive(Debug)]
pub(crate) struct Definition {
    /// What an object may be.
    pub(crate) ty: Arc<Type>,
    /// The version in which objects are stored.
    pub(crate) stored_version: String,
    /// What every answer warns of, when the version is deprecated.
    pub(crate) warning: Option<String>,
    /// The columns of its Table, after the name.
    pub(crate) columns: Vec<CustomColumn>,
    /// Where the numbers of a `Scale` are.
    pub(crate) scale: Option<ScalePaths>,
    /// Reading an object may fill in what a newer schema has defaults for.
    defaults: bool,
    /// The revision of the definition.
    revision: String,
    /// What the definition says, apart from its metadata and conditions.
    says: Digest,
    /// Cancelled when the kind is gone or another: watches of its objects end then.
    pub(crate) ended: CancellationToken,
}

/// A column of a custom kind.
#[derive(Debug)]
pub(crate) struct CustomColumn {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
    pub(crate) path: JsonPath,
}

/// Where the parts of a `Scale` are in an object.
#[derive(Debug)]
pub(crate) struct ScalePaths {
    pub(crate) spec: Vec<String>,
    pub(crate) status: Vec<String>,
    pub(crate) selector: Option<Vec<String>>,
}

impl Definition {
    /// An object as a version shows it; nothing when that is how it is stored.
    pub(super) fn shown(&self, api_version: &str, object: &Node) -> Option<Node> {
        let other = object.str_at(&["apiVersion"]) != Some(api_version);
        if !other && !self.defaults {
            return None;
        }
        let mut shown = object.clone();
        shown.set("apiVersion", api_version);
        if self.defaults {
            structural::default(&mut shown, &self.ty);
        }
        Some(shown)
    }
}

/// The kinds of a definition: one for each version that it serves.
/// Those of `before` are taken over when the definition has not changed. All end with `stop`.
pub(super) fn kinds(
    definition: &Node,
    schemas: &mut Schemas,
    before: &Kinds,
    stop: &CancellationToken,
) -> Vec<Arc<Kind>> {
    let same = unchanged(definition, before);
    if !same.is_empty() {
        for kind in &same {
            if let Some(custom) = &kind.definition {
                schemas.adopt(&kind.api_version(), &kind.kind, Arc::clone(&custom.ty));
            }
        }
        return same;
    }
    // a definition was judged when it was stored
    let _ = schemas.add_crd(definition);
    let versions = definition.items_at(&["spec", "versions"]);
    let served = versions.iter().filter(|version| is(version, "served"));
    let says = says(definition);
    let mut kinds: Vec<Kind> =
        served.filter_map(|version| kind(definition, version, schemas, says)).collect();
    for kind in &mut kinds {
        let goes_on = before.counterpart(kind).filter(|custom| custom.says == says);
        let ended = goes_on.map_or_else(|| stop.child_token(), |custom| custom.ended.clone());
        if let Some(custom) = &mut kind.definition {
            custom.ended = ended;
        }
    }
    kinds.into_iter().map(Arc::new).collect()
}

/// Ends what is still going on with the kinds of `before` that are no more, or not as they were.
pub(super) fn end(before: &Kinds, now: &Kinds) {
    for kind in before.iter() {
        let Some(custom) = &kind.definition else { continue };
        if now.counterpart(kind).is_none_or(|other| other.says != custom.says) {
            custom.ended.cancel();
        }
    }
}

/// What must stay the same for watches to go on.
fn says(definition: &Node) -> Digest {
    let parts: [&[&str]; 3] = [&["metadata", "uid"], &["spec"], &["status", "acceptedNames"]];
    let texts = parts.map(|path| definition.at(path).map(json::to_string).unwrap_or_default());
    Digest::of(texts.join("\n").as_bytes())
}

fn unchanged(definition: &Node, before: &Kinds) -> Vec<Arc<Kind>> {
    let group = definition.str_at(&["spec", "group"]).unwrap_or_default();
    let plural = definition.str_at(&["status", "acceptedNames", "plural"]).unwrap_or_default();
    let revision = definition.str_at(&["metadata", "resourceVersion"]).unwrap_or_default();
    let of_it = |kind: &&Arc<Kind>| {
        kind.plural == plural
            && kind.group == group
            && kind.definition.as_ref().is_some_and(|custom| custom.revision == revision)
    };
    before.iter().filter(of_it).cloned().collect()
}

fn is(node: &Node, key: &str) -> bool {
    node.get(key).and_then(Node::as_bool) == Some(true)
}

fn kind(definition: &Node, version: &Node, schemas: &Schemas, says: Digest) -> Option<Kind> {
    let name = |path: &[&str]| definition.str_at(path).map(|text| Name::from(text.to_owned()));
    let names = |field: &str| -> Vec<Name> {
        let items = definition.items_at(&["status", "acceptedNames", field]);
        items.iter().filter_map(Node::as_str).map(|text| text.to_owned().into()).collect()
    };
    let accepted = |field: &str| name(&["status", "acceptedNames", field]);
    let group = name(&["spec", "group"])?;
    let plural = accepted("plural")?;
    let version_name = version.str_at(&["name"])?;
    let revision = definition.str_at(&["metadata", "resourceVersion"]).unwrap_or_default();
    let kind_name = accepted("kind")?;
    let api_version = super::api_version(&group, version_name);
    let ty = schemas.shared(&api_version, &kind_name)?;
    let status = version.at(&["subresources", "status"]).is_some();
    let scale = version.at(&["subresources", "scale"]).and_then(scale);
    let warning = is(version, "deprecated").then(|| {
        let said = version.str_at(&["deprecationWarning"]).map(str::to_owned);
        said.unwrap_or_else(|| format!("{api_version} {kind_name} is deprecated"))
    });
    let stored = definition.items_at(&["spec", "versions"]).iter().find(|v| is(v, "storage"));
    let stored_version = stored.and_then(|version| version.str_at(&["name"]))?.to_owned();
    let selectable = version.items_at(&["selectableFields"]).iter();
    let selectable = selectable.filter_map(|field| field.str_at(&["jsonPath"]));
    Some(Kind {
        version: version_name.to_owned().into(),
        singular: accepted("singular").unwrap_or_default(),
        short: names("shortNames"),
        categories: names("categories"),
        namespaced: definition.str_at(&["spec", "scope"]) == Some("Namespaced"),
        delete_collection: true,
        subresources: &[],
        status,
        scale: scale.is_some(),
        generation: true,
        update_needs_version: true,
        update_creates: false,
        delete_returns_object: false,
        orphans: false,
        review: None,
        selectable: selectable.map(|path| path.trim_start_matches('.').to_owned().into()).collect(),
        rules: &rules::PLAIN,
        columns: &columns::PLAIN,
        definition: Some(Box::new(Definition {
            defaults: structural::has_defaults(&ty),
            ty,
            stored_version,
            warning,
            columns: printed(version),
            scale,
            revision: revision.to_owned(),
            says,
            ended: CancellationToken::new(),
        })),
        group,
        plural,
        kind: kind_name,
    })
}

fn scale(node: &Node) -> Option<ScalePaths> {
    let path = |field: &str| {
        let text = node.str_at(&[field])?;
        let keys = text.split('.').filter(|key| !key.is_empty());
        Some(keys.map(str::to_owned).collect::<Vec<_>>())
    };
    Some(ScalePaths {
        spec: path("specReplicasPath")?,
        status: path("statusReplicasPath")?,
        selector: path("labelSelectorPath"),
    })
}

/// The columns after the name; without any it is the age.
fn printed(version: &Node) -> Vec<CustomColumn> {
    let age = Node::from(serde_json::json!({
        "name": "Age",
        "type": "date",
        "jsonPath": ".metadata.creationTimestamp",
        "description": columns::AGE_DESCRIPTION,
    }));
    let listed = version.items_at(&["additionalPrinterColumns"]);
    let listed = if listed.is_empty() { std::slice::from_ref(&age) } else { listed };
    let text = |column: &Node, key: &str| column.str_at(&[key]).unwrap_or_default().to_owned();
    let column = |column: &Node| {
        let path = JsonPath::parse(column.str_at(&["jsonPath"])?).ok()?;
        let described = text(column, "description");
        Some(CustomColumn {
            name: text(column, "name"),
            kind: text(column, "type"),
            format: text(column, "format"),
            description: if described.is_empty() {
                format!(
                    "Custom resource definition column (in JSONPath format): {}",
                    text(column, "jsonPath")
                )
            } else {
                described
            },
            priority: column.i64_at(&["priority"]).unwrap_or(0),
            path,
        })
    };
    listed.iter().filter_map(column).collect()
}

/// Versions in the order of Kubernetes: stable ones first, then betas, then alphas, the newest of
/// each first, and other names after them.
pub(super) fn by_priority(a: &str, b: &str) -> Ordering {
    let key = |version: &str| {
        let parsed = parse(version);
        (parsed.is_none(), Reverse(parsed))
    };
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}

/// `v2beta1` as stability, 2, 1.
fn parse(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let major = rest[..end].parse().ok()?;
    let rest = &rest[end..];
    if rest.is_empty() {
        return Some((2, major, 0));
    }
    for (word, stability) in [("beta", 1), ("alpha", 0)] {
        if let Some(minor) = rest.strip_prefix(word) {
            return Some((stability, major, minor.parse().ok()?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::by_priority;

    #[test]
    fn versions_have_an_order() {
        let mut versions =
            ["foo1", "v1alpha1", "v3beta1", "v10", "v2", "v11beta2", "foo10", "v1", "v12alpha1"];
        versions.sort_by(|a, b| by_priority(a, b));
        let expected =
            ["v10", "v2", "v1", "v11beta2", "v3beta1", "v12alpha1", "v1alpha1", "foo1", "foo10"];
        assert_eq!(versions, expected);
    }
}
