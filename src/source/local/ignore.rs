//! `.wharfignore` and `.helmignore`: file patterns, one a line.
//!
//! In `.wharfignore` `*`, `?` and `[…]` match inside one name; a pattern with `/` is matched against
//! the whole path, one without against the last name; a trailing `/` matches folders only; `!` lets
//! a path back in. `.helmignore` has Helm's own rules, in which the first match counts.

use crate::package::chart::ignore::Rules;
use regex::Regex;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

pub(super) enum Ignore {
    /// `.wharfignore`, or nothing.
    Own(Vec<Rule>),
    /// `.helmignore`, and what Helm keeps out of every chart.
    Helm(Rules),
}

pub(super) struct Rule {
    pattern: Regex,
    negated: bool,
    folders_only: bool,
    whole_path: bool,
}

impl Ignore {
    pub(super) fn of_folder(root: &Path) -> io::Result<Ignore> {
        if let Some(text) = text_of(&root.join(".wharfignore"))? {
            return Ok(Ignore::parse(&text));
        }
        match text_of(&root.join(".helmignore"))? {
            Some(text) => Rules::parse(&text).map(Ignore::Helm).map_err(io::Error::other),
            None if root.join("Chart.yaml").is_file() => {
                Rules::parse("").map(Ignore::Helm).map_err(io::Error::other)
            }
            None => Ok(Ignore::Own(Vec::new())),
        }
    }

    fn parse(text: &str) -> Ignore {
        Ignore::Own(text.lines().filter_map(Rule::parse).collect())
    }

    /// True when the path stays out. In `.wharfignore` the last rule that matches decides.
    pub(super) fn matches(&self, path: &str, folder: bool) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name == ".git" {
            return true;
        }
        let rules = match self {
            Ignore::Own(rules) => rules,
            Ignore::Helm(rules) => return rules.ignores(path, folder),
        };
        let decisive = rules.iter().rev().find(|rule| {
            (folder || !rule.folders_only)
                && rule.pattern.is_match(if rule.whole_path { path } else { name })
        });
        decisive.is_some_and(|rule| !rule.negated)
    }
}

fn text_of(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Rule> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (negated, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (folders_only, line) = match line.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let whole_path = line.contains('/');
        let pattern = Regex::new(&glob(line.trim_start_matches('/'))).ok()?;
        Some(Rule { pattern, negated, folders_only, whole_path })
    }
}

/// A file pattern as a regular expression.
fn glob(pattern: &str) -> String {
    let mut regex = String::from("^");
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => {
                regex.push('[');
                for inner in chars.by_ref() {
                    regex.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            '\\' => {
                regex.push_str(&regex::escape(&chars.next().unwrap_or('\\').to_string()));
            }
            other => {
                let _ = write!(regex, "{}", regex::escape(other.encode_utf8(&mut [0; 4])));
            }
        }
    }
    regex.push('$');
    regex
}

#[cfg(test)]
mod tests {
    use super::Ignore;

    #[test]
    fn the_last_rule_that_matches_decides() {
        let ignore = Ignore::parse("*.bak\n!keep.bak\ndocs/\n/charts/*.tgz\n# c\n");
        for (path, folder, ignored) in [
            ("a.bak", false, true),
            ("deep/a.bak", false, true),
            ("keep.bak", false, false),
            ("docs", true, true),
            ("docs", false, false),
            ("charts/a.tgz", false, true),
            ("other/charts/a.tgz", false, false),
            (".git", true, true),
        ] {
            assert_eq!(ignore.matches(path, folder), ignored, "{path}");
        }
    }
}
