//! Reading the files of `configurations:`.

use super::{Config, NameReference};
use crate::base::diag::Diagnostics;
use crate::transform::field_spec::{FieldSpec, MAX_KEYS};
use crate::transform::read::Reader;
use crate::yaml::{Map, Node};

const KEYS: &[&str] = &[
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "templateLabels",
    "commonAnnotations",
    "varReference",
    "images",
    "replicas",
    "nameReference",
];

impl Config {
    /// Reads a file that adds fields to those that kustomize knows.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn read(root: &Node) -> Result<Config, Diagnostics> {
        if root.is_null() {
            return Ok(Config::default());
        }
        let mut reader = Reader::strict();
        let config = read(&mut reader, root);
        reader.finish(config)
    }
}

fn read(reader: &mut Reader, root: &Node) -> Option<Config> {
    let map = reader.map(root, "a configuration", KEYS)?;
    let mut list = |key: &str| specs(reader, &map, key);
    let mut config = Config {
        name_prefix: list("namePrefix"),
        name_suffix: list("nameSuffix"),
        namespace: list("namespace"),
        common_labels: list("commonLabels"),
        labels: list("labels"),
        template_labels: list("templateLabels"),
        common_annotations: list("commonAnnotations"),
        name_references: Vec::new(),
        var_references: list("varReference"),
        images: list("images"),
        replicas: list("replicas"),
    };
    for item in reader.list_at(&map, "nameReference") {
        let keys = ["group", "version", "kind", "fieldSpecs"];
        let Some(map) = reader.map(item, "an item of `nameReference`", &keys) else { continue };
        let gvk = reader.gvk(&map);
        config.name_references.push(NameReference {
            group: gvk.group,
            version: gvk.version,
            kind: gvk.kind,
            referrers: specs(reader, &map, "fieldSpecs"),
        });
    }
    Some(config)
}

/// The field specs of the list at a key.
pub fn specs(reader: &mut Reader, map: &Map, key: &str) -> Vec<FieldSpec> {
    let items = reader.list_at(map, key);
    items.iter().filter_map(|item| spec(reader, item)).collect()
}

fn spec(reader: &mut Reader, item: &Node) -> Option<FieldSpec> {
    let map = reader.map(item, "a field", &["group", "version", "kind", "path", "create"])?;
    let gvk = reader.gvk(&map);
    let path = reader.string_at(&map, "path").unwrap_or_default();
    let create = reader.flag_at(&map, "create");
    if path.split('/').count() > MAX_KEYS {
        reader.fault(item.span, &format!("a `path` has at most {MAX_KEYS} keys"));
        return None;
    }
    let spec = FieldSpec::row(&gvk.group, &gvk.kind, &path, create);
    Some(FieldSpec { version: gvk.version, ..spec })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse_text;

    #[test]
    fn configurations_add_fields() {
        let text = "images: [{path: spec/image, kind: Mine}]\n\
                    nameReference: [{kind: Secret, fieldSpecs: [{path: spec/secret}]}]";
        let config = Config::read(&parse_text(text).expect("YAML")).expect("a configuration");
        assert_eq!(config.images, [FieldSpec::row("", "Mine", "spec/image", false)]);
        assert_eq!(config.name_references[0].referrers[0].path, "spec/secret");
        let fault = Config::read(&parse_text("image: []").expect("YAML")).expect_err("a fault");
        assert_eq!(fault.to_string(), "unknown field \"image\"");
        let fault = Config::read(&parse_text("images: {}").expect("YAML")).expect_err("a fault");
        assert_eq!(fault.iter().next().expect("a fault").code, "wharf::transform::configuration");
    }

    #[test]
    fn whether_a_field_is_made_is_said_once() {
        let text = "commonLabels: [{path: spec/selector, kind: Service, version: v1}]";
        let config = Config::read(&parse_text(text).expect("YAML")).expect("a configuration");
        let mut merged = Config::defaults().as_ref().clone();
        let conflict = merged.merge(&config).expect_err("a conflict");
        assert_eq!(
            conflict.to_string(),
            "failed to merge CommonLabels fieldSpec: conflicting fieldspecs"
        );
    }
}
