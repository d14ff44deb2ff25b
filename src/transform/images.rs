//! Other names, tags or digests for container images.
//!
//! Images are looked for in the `containers` and `initContainers` of any object, however deep, and
//! then in the fields of the configuration. Both may lead to the same image, which is then changed
//! twice: seen with `tagSuffix`, which Kustomize adds twice to containers of pod templates.

use super::field_spec::{FieldError, FieldSpec, Make, SpecIndex};
use super::set::ResourceSet;
use super::{Context, Rules, Transformer, failed};
use crate::base::diag::Diagnostic;
use crate::base::source::Span;
use crate::template::gotmpl::regexp;
use crate::yaml::{Form, Node, Value, plain_scalar};
use regex::Regex;
use std::collections::BTreeSet;

/// One image and what becomes of it.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// The name as it stands in containers, without tag and digest: a regular expression.
    pub name: Node,
    /// Another name.
    pub new_name: Option<String>,
    /// Another tag; takes the digest away.
    pub new_tag: Option<String>,
    /// Another digest; takes the tag away, unless there is a new one.
    pub digest: Option<String>,
    /// Text to put after the tag; takes the digest away.
    pub tag_suffix: Option<String>,
    /// Where the change was asked for.
    pub span: Span,
    /// Where images stand beside the containers of objects.
    pub specs: Vec<FieldSpec>,
}

impl Transformer for Image {
    fn transform(&self, set: &mut ResourceSet, context: &mut Context<'_>) {
        let wanted = self.name.as_str().unwrap_or_default();
        let tail = "(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?$";
        let Ok(pattern) = regexp::automaton(&format!("^{wanted}{tail}")) else {
            let message = format!("the name of an image, `{wanted}`, is no regular expression");
            let code = "wharf::transform::invalid_expression";
            // kustomize takes it for one that matches nothing
            let fault = match context.rules {
                Rules::Kustomize => Diagnostic::warning(code, message),
                Rules::Overlay => Diagnostic::error(code, message),
            };
            context.sink.push(fault.at(self.name.span, "written here"));
            return;
        };
        let index = SpecIndex::new(&self.specs);
        let mut change = Change { image: self, pattern, found: false, others: BTreeSet::new() };
        for resource in set.contents_mut() {
            if resource.kind() == "CustomResourceDefinition" {
                continue;
            }
            let gvk = resource.gvk();
            let root = &mut resource.root;
            let done = change.containers(root).and_then(|()| {
                index.visit(&gvk, root, Make::Nothing, &mut |node| change.image(node))
            });
            if let Err(error) = done {
                context.sink.push(failed(&error, resource, None).at(self.span, "asked for here"));
            }
        }
        if !change.found && context.rules == Rules::Overlay {
            let known = change.others.iter().map(String::as_str);
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

/// A change on its way through objects.
struct Change<'a> {
    image: &'a Image,
    pattern: Regex,
    found: bool,
    others: BTreeSet<String>,
}

impl Change<'_> {
    /// The images of all lists that are called as lists of containers are.
    fn containers(&mut self, node: &mut Node) -> Result<(), FieldError> {
        match &mut node.value {
            Value::List(items) => items.iter_mut().try_for_each(|item| self.containers(item)),
            Value::Map(map) => map.iter_mut().try_for_each(|(key, value)| {
                if !matches!(value.value, Value::List(_) | Value::Map(_)) {
                    return Ok(());
                }
                self.containers(value)?;
                let named = ["containers", "initContainers"].contains(&key);
                let items = value.as_list_mut().filter(|_| named);
                items.into_iter().flatten().try_for_each(|container| match &mut container.value {
                    Value::Map(fields) => {
                        fields.get_mut("image").map_or(Ok(()), |it| self.image(it))
                    }
                    Value::Null => Ok(()),
                    value => Err(FieldError::wrong("MappingNode", value)),
                })
            }),
            _ => Ok(()),
        }
    }

    fn image(&mut self, node: &mut Node) -> Result<(), FieldError> {
        let number;
        let text = match &node.value {
            Value::String(text) => text.as_str(),
            Value::Null | Value::Bool(_) => return Ok(()),
            Value::Number(value) => {
                number = value.to_string();
                &number
            }
            value => return Err(FieldError::wrong("ScalarNode", value)),
        };
        let (name, tag, digest) = split(text);
        if self.pattern.is_match(text) {
            self.found = true;
            let changed = self.image.changed(name, tag, digest);
            // the new text stands as the old one did
            node.value = match node.form {
                Form::Plain => plain_scalar(&changed),
                _ => changed.into(),
            };
            node.span = self.image.span;
        } else if !self.others.contains(name) {
            self.others.insert(name.to_owned());
        }
        Ok(())
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

/// Name, tag and digest of an image. A colon before the first slash belongs to a port.
fn split(image: &str) -> (&str, &str, &str) {
    let path = image.find('/').unwrap_or(0);
    let find = |mark: char| image[path..].find(mark).map(|at| path + at);
    match (find(':'), find('@')) {
        (None, None) => (image, "", ""),
        (Some(colon), None) => (&image[..colon], &image[colon + 1..], ""),
        (Some(colon), Some(at)) if colon < at => {
            (&image[..colon], &image[colon + 1..at], &image[at + 1..])
        }
        (_, Some(at)) => (&image[..at], "", &image[at + 1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::testing::{check, fault};
    use serde_json::{Value, json};

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

    fn image(name: &str, fields: [&str; 4]) -> Image {
        let [new_name, new_tag, digest, tag_suffix] =
            fields.map(|text| (!text.is_empty()).then(|| text.to_owned()));
        let specs = vec![FieldSpec::row("", "", "spec/containers[]/image", true)];
        let name = name.into();
        Image { name, new_name, new_tag, digest, tag_suffix, specs, ..Image::default() }
    }

    fn custom(images: [&str; 2]) -> Value {
        let containers: Vec<Value> = images.iter().map(|image| json!({"image": image})).collect();
        json!({"apiVersion": "a/v1", "kind": "Any", "metadata": {"name": "x"},
            "deep": [{"initContainers": containers}]})
    }

    #[test]
    fn images_change_wherever_containers_are() {
        for (name, fields, before, after) in [
            ("a", ["b", "", "", ""], ["a", "c/a"], ["b", "c/a"]),
            ("a", ["", "2", "", ""], ["a:1", "a@sha256:12"], ["a:2", "a:2"]),
            ("a", ["", "", "sha256:9", ""], ["a:1", "a"], ["a@sha256:9", "a@sha256:9"]),
            ("a", ["", "2", "sha256:9", ""], ["a:1", "ab"], ["a:2@sha256:9", "ab"]),
            ("a", ["", "", "", "-x"], ["a:1", "a:1@sha256:1"], ["a:1-x", "a:1-x"]),
            ("(.*)/a", ["b", "", "", ""], ["x/a:1", "a:1"], ["b:1", "a:1"]),
        ] {
            check(&image(name, fields), &[custom(before)], &[custom(after)]);
        }
    }

    #[test]
    fn a_pod_has_the_suffix_twice() {
        let pod = |image| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"},
            "spec": {"containers": [{"image": image}]}})
        };
        check(&image("a", ["", "", "", "-x"]), &[pod("a:1")], &[pod("a:1-x-x")]);
    }

    #[test]
    fn containers_are_maps() {
        let odd = json!({"apiVersion": "a/v1", "kind": "Any", "metadata": {"name": "x"},
            "containers": ["a"]});
        let fault = fault(&image("a", ["b", "", "", ""]), &[odd]);
        assert!(fault.contains("expected MappingNode but got ScalarNode"), "{fault}");
    }

    #[test]
    fn a_name_that_is_no_expression_matches_nothing() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"},
            "spec": {"containers": [{"image": "a("}]}});
        check(
            &image("a(", ["b", "", "", ""]),
            std::slice::from_ref(&pod),
            std::slice::from_ref(&pod),
        );
    }
}
