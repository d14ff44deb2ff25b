//! File patterns as Go's `path/filepath` matches them.

use std::str::Chars;

/// A pattern. `*` and `?` match anything but `/`, `[a-z]` and `[^a-z]` are classes, `\` takes the
/// next character as it is.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Part>);

impl Pattern {
    /// Reads a pattern; nothing for a text that is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Pattern> {
        let mut parts = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            parts.push(match char {
                '*' => Part::Star,
                '?' => Part::Any,
                '\\' => Part::Char(chars.next()?),
                '[' => {
                    let negated = chars.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    while ranges.is_empty() || chars.peek() != Some(&']') {
                        let low = bound(&mut chars)?;
                        let high =
                            if chars.next_if_eq(&'-').is_some() { bound(&mut chars)? } else { low };
                        ranges.push((low, high));
                    }
                    chars.next();
                    Part::Class(negated, ranges)
                }
                char => Part::Char(char),
            });
        }
        Some(Pattern(parts))
    }

    /// True when it matches a whole path.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        run(&self.0, path)
    }
}

#[derive(Clone, Debug)]
enum Part {
    Star,
    Any,
    Char(char),
    Class(bool, Vec<(char, char)>),
}

/// A character of a class.
fn bound(chars: &mut std::iter::Peekable<Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        char => Some(char),
    }
}

/// Matches with one place to come back to: the last star, since an earlier one need not take more
/// when a later one can.
fn run(parts: &[Part], path: &str) -> bool {
    let (mut part, mut rest) = (0, path.chars());
    let mut back: Option<(usize, Chars<'_>)> = None;
    loop {
        let here = rest.clone();
        let fits = match (parts.get(part), rest.next()) {
            (None, None) => return true,
            (Some(Part::Star), _) => {
                part += 1;
                rest = here.clone();
                back = Some((part, here));
                continue;
            }
            (Some(Part::Any), Some(char)) => char != '/',
            (Some(Part::Char(wanted)), Some(char)) => *wanted == char,
            (Some(Part::Class(negated, ranges)), Some(char)) => {
                char != '/' && *negated != ranges.iter().any(|(a, b)| (a..=b).contains(&&char))
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        if fits {
            part += 1;
            continue;
        }
        // the star takes one more, but no slash
        match &mut back {
            Some((after, from)) if from.clone().next().is_some_and(|char| char != '/') => {
                from.next();
                part = *after;
                rest = from.clone();
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, path, expected) in [
            ("templates/*.yaml", "templates/a.yaml", Some(true)),
            ("templates/*.yaml", "templates/b/a.yaml", Some(false)),
            ("*", "a/b", Some(false)),
            ("a*b*c", "axbxbc", Some(true)),
            ("[a-c]?", "bz", Some(true)),
            ("[^a-c]?", "bz", Some(false)),
            ("[]a]", "]", None),
            ("[a", "a", None),
            ("\\*", "*", Some(true)),
            ("", "", Some(true)),
            ("*x", "", Some(false)),
        ] {
            let matches = Pattern::parse(pattern).map(|parsed| parsed.matches(path));
            assert_eq!(matches, expected, "{pattern} {path}");
        }
    }
}
