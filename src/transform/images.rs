//! Other names, tags or digests for container images.

use super::field_spec::{FieldSpec, Make};
use super::set::ResourceSet;
use super::{Context, Transformer};
use crate::base::diag::Diagnostic;
use crate::base::source::Span;
use crate::yaml::Node;
use std::collections::BTreeSet;

/// One image and what becomes of it.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// The name as it stands in containers, without tag and digest.
    pub name: Node,
    /// Another name.
    pub new_name: Option<String>,
    /// Another tag; takes the digest away.
    pub new_tag: Option<String>,
    /// Another digest; takes the tag away, unless there is a new one.
    pub digest: Option<String>,
    /// Text to put after the tag.
    pub tag_suffix: Option<String>,
    /// Where the change was asked for.
    pub span: Span,
}

/// Where images stand.
const PATHS: &[&str] = &[
    "spec/containers[]/image",
    "spec/initContainers[]/image",
    "spec/ephemeralContainers[]/image",
    "spec/volumes[]/image/reference",
    "spec/template/spec/containers[]/image",
    "spec/template/spec/initContainers[]/image",
    "spec/template/spec/volumes[]/image/reference",
    "spec/jobTemplate/spec/template/spec/containers[]/image",
    "spec/jobTemplate/spec/template/spec/initContainers[]/image",
    "spec/jobTemplate/spec/template/spec/volumes[]/image/reference",
];

impl Transformer for Image {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let wanted = self.name.as_str().unwrap_or_default();
        let specs: Vec<FieldSpec> =
            PATHS.iter().map(|path| FieldSpec::row("", "", path, false)).collect();
        let mut found = false;
        let mut others = BTreeSet::new();
        for object in set.contents_mut().filter(|o| o.kind() != "CustomResourceDefinition") {
            for spec in &specs {
                let _ = spec.visit(&mut object.root, Make::Nothing, &mut |node| {
                    let Some(image) = node.as_str() else { return Ok(()) };
                    let (name, tag, digest) = split(image);
                    if name == wanted {
                        let changed = self.changed(name, tag, digest);
                        *node = Node::new(changed, self.span);
                        found = true;
                    } else {
                        others.insert(name.to_owned());
                    }
                    Ok(())
                });
            }
        }
        if !found {
            let known = others.iter().map(String::as_str);
            let nearest = crate::base::suggest::did_you_mean(wanted, known);
            context.sink.push(
                Diagnostic::warning(
                    "wharf::transform::image_matches_nothing",
                    format!("no container has the image `{wanted}`"),
                )
                .at(self.name.span, "asked for here")
                .maybe_help(nearest),
            );
        }
    }
}

impl Image {
    fn changed(&self, name: &str, tag: &str, digest: &str) -> String {
        let mut text = self.new_name.as_deref().unwrap_or(name).to_owned();
        let (tag, digest) = match (&self.new_tag, &self.digest, &self.tag_suffix) {
            (Some(tag), Some(digest), _) => (tag.clone(), digest.as_str()),
            (Some(tag), None, _) => (tag.clone(), ""),
            (None, Some(digest), _) => (String::new(), digest.as_str()),
            (None, None, Some(suffix)) => (format!("{tag}{suffix}"), ""),
            (None, None, None) => (tag.to_owned(), digest),
        };
        if !tag.is_empty() {
            text = format!("{text}:{tag}");
        }
        if !digest.is_empty() {
            text = format!("{text}@{digest}");
        }
        text
    }
}

/// Name, tag and digest of an image; a colon before the last slash belongs to a port.
fn split(image: &str) -> (&str, &str, &str) {
    let (rest, digest) = image.split_once('@').unwrap_or((image, ""));
    let path = rest.rfind('/').map_or(0, |slash| slash + 1);
    match rest[path..].find(':') {
        Some(colon) => (&rest[..path + colon], &rest[path + colon + 1..], digest),
        None => (rest, "", digest),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn images_split_into_name_tag_and_digest() {
        for (image, parts) in [
            ("nginx", ("nginx", "", "")),
            ("nginx:1.25", ("nginx", "1.25", "")),
            ("a.b:5000/x/y", ("a.b:5000/x/y", "", "")),
            ("a.b:5000/x/y:v1", ("a.b:5000/x/y", "v1", "")),
            ("x@sha256:12", ("x", "", "sha256:12")),
            ("a.b:5000/x:v1@sha256:12", ("a.b:5000/x", "v1", "sha256:12")),
        ] {
            assert_eq!(split(image), parts, "{image}");
        }
    }
}
