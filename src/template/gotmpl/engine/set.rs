//! The templates of a chart and its subcharts, parsed.

use super::super::funcs;
use super::super::syntax::{Functions, ast::Template, parse};
use super::super::value::Text;
use super::{Cause, RenderError, message};
use hashbrown::HashMap;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::sync::Arc;

/// So many bytes are worth more than one thread.
const LARGE: usize = 256 * 1024;

/// The text of a template file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name: chart, `templates/`, file.
    pub name: Text,
    /// Its text.
    pub text: Text,
}

/// Templates by their names: files, and what they define. It can be shared by threads.
#[derive(Clone, Debug)]
pub struct Set {
    templates: HashMap<Text, Arc<Template>>,
    functions: Functions,
}

impl Set {
    /// Parses files in Helm's order. Of two templates with one name the later one stays, unless it
    /// is blank.
    ///
    /// # Errors
    /// At the first text that is no template.
    pub fn parse(sources: &[Source]) -> Result<Set, RenderError> {
        Set::parse_with(sources, funcs::find)
    }

    /// Parses files that can call other functions than those of charts.
    ///
    /// # Errors
    /// As [`Set::parse`].
    pub fn parse_with(sources: &[Source], functions: Functions) -> Result<Set, RenderError> {
        let mut ordered: Vec<&Source> = sources.iter().collect();
        ordered.sort_by(|a, b| order(&a.name, &b.name));
        let read = |source: &&Source| parse(&source.name, &source.text, functions);
        let size: usize = ordered.iter().map(|source| source.text.len()).sum();
        let parsed: Vec<_> = if size < LARGE {
            ordered.iter().map(read).collect()
        } else {
            ordered.par_iter().map(read).collect()
        };
        let mut set = Set { templates: HashMap::new(), functions };
        for (source, parsed) in ordered.iter().zip(parsed) {
            // what nests too deep for the stack of another thread may fit this one
            let templates = parsed.or_else(|_| read(source)).map_err(|error| RenderError {
                message: message::of_parsing(&source.name, &error),
                cause: Cause::Parse(error),
            })?;
            set.add(templates);
        }
        Ok(set)
    }

    fn add(&mut self, templates: Vec<Template>) {
        for template in templates {
            let known = self.templates.contains_key(&template.name);
            if !known || !template.blank {
                self.templates.insert(template.name.clone(), Arc::new(template));
            }
        }
    }

    pub(super) fn functions(&self) -> Functions {
        self.functions
    }

    pub(super) fn get(&self, name: &Text) -> Option<&Arc<Template>> {
        self.templates.get(name)
    }
}

/// Helm's order of templates: deep ones first, and in one depth by name, backwards.
pub(super) fn order(left: &[u8], right: &[u8]) -> Ordering {
    let depth = |name: &[u8]| name.split(|byte| *byte == b'/').count();
    depth(right).cmp(&depth(left)).then_with(|| right.cmp(left))
}
