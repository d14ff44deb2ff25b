//! Rendered files through a program of the user's, as Helm 4 does it: before they are sorted, all
//! in one stream, each object with an annotation that says which file it is from.
//!
//! What comes back without one is a file of its own. Comments and quotes do not survive the way.

use crate::base::diag::Diagnostic;
use crate::base::source::FileId;
use crate::template::gotmpl::Rendered;
use crate::template::gotmpl::engine::Trace;
use crate::yaml::emit::{Flavor, Style, to_string};
use crate::yaml::{self, Dialect, Node};
use std::collections::BTreeMap;
use std::fmt;

/// Says which file an object is from, with Helm's key.
const FILE: &str = "postrenderer.helm.sh/postrender-filename";

/// A program that changes manifests.
pub trait PostRender: fmt::Debug + Sync {
    /// The manifests as it gives them back.
    ///
    /// # Errors
    /// A text that says why it gives none.
    fn run(&self, manifests: &[u8]) -> Result<Vec<u8>, String>;
}

/// Rendered files as the program gives them back, by their names.
pub(super) fn through(
    files: &[(String, Rendered)],
    program: &dyn PostRender,
) -> Result<Vec<(String, Rendered)>, Diagnostic> {
    let fault = |text| Diagnostic::error("wharf::render::post_renderer", text);
    let mut stream = String::new();
    for (name, file) in files {
        if name.rsplit('/').next().is_some_and(|base| base.starts_with('_')) {
            continue;
        }
        for mut object in objects(&file.text)
            .map_err(|why| fault(format!("error merging manifests: parsing {name}: {why}")))?
        {
            object.set_at(&["metadata", "annotations", FILE], name.as_str());
            write(&object, &mut stream);
        }
    }
    let changed = program
        .run(stream.as_bytes())
        .map_err(|why| fault(format!("error while running post render on files: {why}")))?;
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let objects = objects(&changed).map_err(|why| {
        fault(format!("error while parsing post rendered output: error parsing YAML: {why}"))
    })?;
    for (at, mut object) in objects.into_iter().enumerate() {
        let from = object.str_at(&["metadata", "annotations", FILE]).map(str::to_owned);
        let name = from.unwrap_or_else(|| format!("generated-by-postrender-{at}.yaml"));
        object.remove_at(&["metadata", "annotations", FILE]);
        let left = object.at(&["metadata", "annotations"]).and_then(Node::as_map);
        if left.is_some_and(yaml::Map::is_empty) {
            object.remove_at(&["metadata", "annotations"]);
        }
        write(&object, texts.entry(name).or_default());
    }
    let file = |(name, text): (String, String)| {
        let rendered =
            Rendered { name: name.as_str().into(), text: text.into(), trace: Trace::default() };
        (name, rendered)
    };
    Ok(texts.into_iter().map(file).collect())
}

fn objects(text: &[u8]) -> Result<Vec<Node>, String> {
    let text = yaml::decode(text).map_err(|error| error.go_text.clone())?;
    let mut found = Vec::new();
    for document in super::manifest::documents(&text) {
        let node = yaml::parse_first(document, FileId::NONE, Dialect::GoYamlV2);
        let node = node.map_err(|error| error.go_text.clone())?;
        if !node.is_null() {
            found.push(node);
        }
    }
    Ok(found)
}

fn write(object: &Node, stream: &mut String) {
    if !stream.is_empty() {
        stream.push_str("---\n");
    }
    let style = Style { flavor: Flavor::Kustomize, ..Style::default() };
    stream.push_str(&to_string(object, &style));
}
