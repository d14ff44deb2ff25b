//! What kustomize says of a document that is YAML, but no object.
//!
//! kustomize puts in what aliases and merge keys stand for, writes the tree, and reads that text
//! into values, so the lines of its messages are those of a text that nobody has seen. The same is
//! done here, and only for documents that are known to have a fault.

use super::{Tree, TreeDocument, TreeKind};
use crate::yaml::resolve::{self, Dialect};
use crate::yaml::{Number, Value};
use std::collections::HashMap;
use std::fmt::Write;

/// More nodes than this are not made of aliases: the document has a fault in any case.
const MOST_NODES: usize = 100_000;

/// kustomize's words for the fault of a text; nothing when it finds none.
pub(in crate::yaml) fn build_fault(text: &str) -> Option<String> {
    let mut document = match Tree::parse(text) {
        Ok(document) => document?,
        Err(error) => return Some(error.go_text),
    };
    let mut expansion = Expansion::default();
    if let Err(fault) = expansion.expand(&mut document.root) {
        return Some(fault);
    }
    let written = document.encode();
    let TreeDocument { root, .. } = Tree::parse(&written).ok()??;
    let mut decoding = Decoding::default();
    if let Err(fault) = decoding.root(&root) {
        return Some(format!("yaml: {fault}"));
    }
    if !decoding.faults.is_empty() {
        return Some(format!("yaml: unmarshal errors:\n  {}", decoding.faults.join("\n  ")));
    }
    unsupported(&root, true)
}

/// Puts in what aliases and merge keys stand for.
#[derive(Default)]
struct Expansion {
    anchors: HashMap<String, Option<Tree>>,
    made: usize,
}

impl Expansion {
    fn expand(&mut self, tree: &mut Tree) -> Result<(), String> {
        self.made += 1;
        if self.made > MOST_NODES {
            return Err("yaml: document contains excessive aliasing".to_owned());
        }
        if tree.kind == TreeKind::Alias {
            *tree = self.target(&tree.text)?;
            self.made += count(tree);
            return Ok(());
        }
        let anchor = tree.anchor.take();
        if let Some(anchor) = &anchor {
            self.anchors.insert(anchor.clone(), None);
        }
        if tree.kind == TreeKind::Mapping {
            self.merge(tree)?;
        }
        for child in &mut tree.content {
            self.expand(child)?;
        }
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Some(tree.clone()));
        }
        Ok(())
    }

    fn target(&self, name: &str) -> Result<Tree, String> {
        match self.anchors.get(name) {
            Some(Some(tree)) => Ok(tree.clone()),
            Some(None) => Err(format!("yaml: anchor '{name}' value contains itself")),
            None => Err(format!("yaml: unknown anchor '{name}' referenced")),
        }
    }

    fn merge(&mut self, tree: &mut Tree) -> Result<(), String> {
        let keys = || (0..tree.content.len()).step_by(2);
        let mut merges = keys().filter(|at| tree.content[*at].tag == "!!merge");
        let merged = match (merges.next(), merges.next()) {
            (Some(_), Some(_)) => return Err("duplicate merge key".to_owned()),
            (Some(at), None) => self.merged(&tree.content[at + 1])?,
            (None, _) => Vec::new(),
        };
        if let Some(at) = keys().find(|at| tree.content[*at].text == "<<") {
            tree.content.drain(at..at + 2);
        }
        let own = tree.content.clone();
        for from in merged.iter().map(|from| from.content.as_slice()).chain([own.as_slice()]) {
            for at in (0..from.len()).step_by(2) {
                // of keys that are alike the first is found for each of them
                let name = &from[at].text;
                let first = (0..from.len()).step_by(2).find(|at| from[*at].text == *name);
                let first = first.unwrap_or(at);
                set(&mut tree.content, &from[first], &from[first + 1]);
            }
        }
        Ok(())
    }

    fn merged(&self, value: &Tree) -> Result<Vec<Tree>, String> {
        match value.kind {
            TreeKind::Mapping => Ok(vec![value.clone()]),
            TreeKind::Alias => {
                let target = self.target(&value.text)?;
                if target.kind != TreeKind::Mapping {
                    let text = "invalid map merge: received alias for a non-map value";
                    return Err(text.to_owned());
                }
                Ok(vec![target])
            }
            TreeKind::Sequence => {
                let mut all = Vec::new();
                for item in &value.content {
                    if item.kind == TreeKind::Sequence {
                        return Err("invalid map merge: received a nested sequence".to_owned());
                    }
                    all.splice(0..0, self.merged(item)?);
                }
                Ok(all)
            }
            TreeKind::Scalar => {
                Err("map merge requires map or sequence of maps as the value".to_owned())
            }
        }
    }
}

/// Sets an entry of a map. A key that is null has no name, so that it is never found again.
fn set(content: &mut Vec<Tree>, key: &Tree, value: &Tree) {
    let name = if key.tag == "!!null" { "" } else { key.text.as_str() };
    let found = (0..content.len()).step_by(2).find(|at| content[*at].text == name);
    match found {
        Some(at) => {
            content[at] = key.clone();
            content[at + 1] = value.clone();
        }
        None => content.extend([key.clone(), value.clone()]),
    }
}

fn count(tree: &Tree) -> usize {
    1 + tree.content.iter().map(count).sum::<usize>()
}

/// Reads a tree into values as Go does; what does not fit is noted, the rest is read on.
#[derive(Default)]
struct Decoding {
    faults: Vec<String>,
}

impl Decoding {
    fn root(&mut self, root: &Tree) -> Result<(), String> {
        match root.kind {
            TreeKind::Sequence => root.content.iter().try_for_each(|item| self.any(item)),
            TreeKind::Mapping => {
                if !self.keys_are_unique(root) {
                    return Ok(());
                }
                for entry in root.content.chunks_exact(2) {
                    let (key, value) = (&entry[0], &entry[1]);
                    match key.kind {
                        TreeKind::Scalar => {
                            scalar(key)?;
                        }
                        _ => {
                            self.misfit(key, "string");
                            continue;
                        }
                    }
                    if key.tag != "!!null" {
                        self.any(value)?;
                    }
                }
                Ok(())
            }
            TreeKind::Scalar | TreeKind::Alias => {
                scalar(root)?;
                if root.tag != "!!null" {
                    self.misfit(root, "map[string]interface {}");
                }
                Ok(())
            }
        }
    }

    fn any(&mut self, tree: &Tree) -> Result<(), String> {
        match tree.kind {
            TreeKind::Scalar | TreeKind::Alias => scalar(tree).map(drop),
            TreeKind::Sequence => tree.content.iter().try_for_each(|item| self.any(item)),
            TreeKind::Mapping => {
                if !self.keys_are_unique(tree) {
                    return Ok(());
                }
                for entry in tree.content.chunks_exact(2) {
                    self.any(&entry[0])?;
                    if matches!(entry[0].kind, TreeKind::Mapping | TreeKind::Sequence) {
                        return Err(format!("invalid map key: {}", go_syntax(&entry[0])));
                    }
                    self.any(&entry[1])?;
                }
                Ok(())
            }
        }
    }

    fn keys_are_unique(&mut self, tree: &Tree) -> bool {
        let before = self.faults.len();
        let mut seen: HashMap<(TreeKind, &str), Vec<&Tree>> = HashMap::new();
        let mut found: Vec<(usize, usize, &Tree, &Tree)> = Vec::new();
        for (at, key) in tree.content.iter().step_by(2).enumerate() {
            let same = seen.entry((key.kind, &key.text)).or_default();
            found.extend(same.iter().enumerate().map(|(nth, first)| (nth, at, *first, key)));
            // of many that are alike only some are told
            if same.len() < 10 {
                same.push(key);
            }
        }
        found.sort_by_key(|(_, at, first, _)| (first.line, *at));
        for (_, _, first, key) in found {
            self.faults.push(format!(
                "line {}: mapping key {:?} already defined at line {}",
                key.line, key.text, first.line
            ));
        }
        self.faults.len() == before
    }

    fn misfit(&mut self, tree: &Tree, wanted: &str) {
        let mut value = String::new();
        if tree.tag != "!!seq" && tree.tag != "!!map" {
            let cut = tree.text.len() > 10;
            let mut end = if cut { 7 } else { tree.text.len() };
            while !tree.text.is_char_boundary(end) {
                end -= 1;
            }
            let _ = write!(value, " `{}{}`", &tree.text[..end], if cut { "..." } else { "" });
        }
        let line = tree.line;
        self.faults
            .push(format!("line {line}: cannot unmarshal {}{value} into {wanted}", tree.tag));
    }
}

/// The value of a scalar, or Go's words on why its tag does not fit.
fn scalar(tree: &Tree) -> Result<Value, String> {
    if tree.tagged {
        return resolve::tagged(
            &tree.tag.replace("!!", "tag:yaml.org,2002:"),
            &tree.text,
            Dialect::GoYamlV3,
        );
    }
    if tree.tag == "!!str" {
        return Ok(Value::from(tree.text.as_str()));
    }
    Ok(resolve::plain(&tree.text, Dialect::GoYamlV3))
}

/// Whether all keys are texts: only such a map can become JSON.
fn has_text_keys(tree: &Tree) -> bool {
    tree.content.iter().step_by(2).all(|key| matches!(key.tag.as_str(), "!!str" | "!!merge"))
}

/// What JSON cannot hold.
fn unsupported(tree: &Tree, root: bool) -> Option<String> {
    match tree.kind {
        TreeKind::Scalar | TreeKind::Alias => match scalar(tree) {
            Ok(Value::Number(Number::Float(float))) if !float.is_finite() => {
                let shown = match (float.is_nan(), float > 0.0) {
                    (true, _) => "NaN",
                    (_, true) => "+Inf",
                    _ => "-Inf",
                };
                Some(format!("json: unsupported value: {shown}"))
            }
            _ => None,
        },
        TreeKind::Sequence => tree.content.iter().find_map(|item| unsupported(item, false)),
        TreeKind::Mapping if !root && !has_text_keys(tree) => {
            Some("json: unsupported type: map[interface {}]interface {}".to_owned())
        }
        TreeKind::Mapping => {
            let mut entries: Vec<_> = tree.content.chunks_exact(2).collect();
            entries.sort_by(|a, b| a[0].text.cmp(&b[0].text));
            entries.iter().find_map(|entry| unsupported(&entry[1], false))
        }
    }
}

/// The value as Go's `%#v` prints it.
fn go_syntax(tree: &Tree) -> String {
    match tree.kind {
        TreeKind::Sequence => {
            let items: Vec<String> = tree.content.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        TreeKind::Mapping => {
            let key = if has_text_keys(tree) { "string" } else { "interface {}" };
            let mut entries: Vec<String> = tree
                .content
                .chunks_exact(2)
                .map(|entry| format!("{}:{}", go_syntax(&entry[0]), go_syntax(&entry[1])))
                .collect();
            entries.sort();
            format!("map[{key}]interface {{}}{{{}}}", entries.join(", "))
        }
        TreeKind::Scalar | TreeKind::Alias => match scalar(tree) {
            Ok(Value::Null) | Err(_) => "interface {}(nil)".to_owned(),
            Ok(value) => format!("{value:?}"),
        },
    }
}
