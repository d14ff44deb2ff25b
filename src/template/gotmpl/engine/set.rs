//! The templates of a chart and its subcharts, parsed.

use super::super::error::ParseError;
use super::super::funcs;
use super::super::syntax::{Functions, ast::Template, parse};
use super::super::value::Text;
use super::{Cause, RenderError, message};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

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
        let mut set = Set { templates: HashMap::new(), functions };
        for source in ordered {
            set.add(source).map_err(|error| RenderError {
                message: message::of_parsing(&source.name, &error),
                cause: Cause::Parse(error),
            })?;
        }
        Ok(set)
    }

    fn add(&mut self, source: &Source) -> Result<(), ParseError> {
        for template in parse(&source.name, &source.text, self.functions)? {
            let known = self.templates.contains_key(&template.name);
            if !known || !template.blank {
                self.templates.insert(template.name.clone(), Arc::new(template));
            }
        }
        Ok(())
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
