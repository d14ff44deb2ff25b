//! `.helmignore`: which files of a folder are none of the chart's, by Helm's rules.
//!
//! The rules are tried in their order and the first one that says so keeps a file out. A rule that
//! begins with `!` keeps out everything that it does *not* match, which surprises, but is so.

use super::glob::Pattern;

/// The rules of a chart.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// Nothing when less than the whole line is no pattern: such a rule matches nothing.
    pattern: Option<Pattern>,
    negated: bool,
    folders_only: bool,
    /// Matched against the whole path, not the last name only.
    whole_path: bool,
}

impl Rules {
    /// Reads a file of rules; files that begin with a dot in `templates` stay out always.
    ///
    /// # Errors
    /// For a rule that is no pattern, or one with `**`.
    pub fn parse(text: &str) -> Result<Rules, String> {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let lines = text.lines().chain(["templates/.?*"]);
        let rules = lines.filter_map(|line| Rule::parse(line).transpose());
        Ok(Rules { rules: rules.collect::<Result<_, _>>()? })
    }

    /// True when the path stays out, for a folder with everything in it.
    #[must_use]
    pub fn ignores(&self, path: &str, folder: bool) -> bool {
        self.rules.iter().any(|rule| {
            if rule.negated {
                return (rule.folders_only && !folder) || !rule.matches(path);
            }
            (folder || !rule.folders_only) && rule.matches(path)
        })
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Option<Rule>, String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if line.contains("**") {
            return Err("double-star (**) syntax is not supported".to_owned());
        }
        if Pattern::parse(line).is_none() {
            return Err("syntax error in pattern".to_owned());
        }
        let (negated, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (folders_only, line) =
            line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        let whole_path = line.contains('/');
        let pattern = Pattern::parse(line.strip_prefix('/').unwrap_or(line));
        Ok(Some(Rule { pattern, negated, folders_only, whole_path }))
    }

    fn matches(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let pattern = self.pattern.as_ref();
        pattern.is_some_and(|pattern| pattern.matches(if self.whole_path { path } else { name }))
    }
}

#[cfg(test)]
mod tests {
    use super::Rules;

    fn check(rules: &str, cases: &[(&str, bool, bool)]) {
        let parsed = Rules::parse(rules).unwrap();
        for (path, folder, ignored) in cases {
            assert_eq!(parsed.ignores(path, *folder), *ignored, "{path} by {rules:?}");
        }
    }

    #[test]
    fn the_first_rule_that_says_so_keeps_a_file_out() {
        check(
            "# c\n*.bak\ndocs/\n/charts/*.tgz\nci/x.yaml\n",
            &[
                ("a.bak", false, true),
                ("deep/a.bak", false, true),
                ("docs", true, true),
                ("docs", false, false),
                ("sub/docs", true, true),
                ("charts/a.tgz", false, true),
                ("other/charts/a.tgz", false, false),
                ("ci/x.yaml", false, true),
                ("templates/.hidden", false, true),
                ("templates/a/.hidden", false, false),
                (".hidden", false, false),
            ],
        );
    }

    #[test]
    fn what_a_negated_rule_does_not_match_stays_out() {
        check("!keep.txt\n", &[("keep.txt", false, false), ("a.txt", false, true)]);
        check("*.txt\n!keep.txt\n", &[("keep.txt", false, true), ("a.yaml", false, true)]);
    }

    #[test]
    fn rules_that_helm_refuses_are_refused() {
        assert_eq!(Rules::parse("a/**").unwrap_err(), "double-star (**) syntax is not supported");
        assert_eq!(Rules::parse("[a").unwrap_err(), "syntax error in pattern");
    }
}
