//! File patterns as Go's `path/filepath` matches them.

/// True when a pattern matches a whole path. `*` and `?` match anything but `/`, `[a-z]` and
/// `[^a-z]` are classes, `\` takes the next character as it is. Nothing for a pattern that is none.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> Option<bool> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars().peekable();
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
    Some(run(&parts, &path.chars().collect::<Vec<_>>()))
}

enum Part {
    Star,
    Any,
    Char(char),
    Class(bool, Vec<(char, char)>),
}

/// A character of a class.
fn bound(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        char => Some(char),
    }
}

/// Matches with one place to come back to: the last star, since an earlier one need not take more
/// when a later one can.
fn run(parts: &[Part], path: &[char]) -> bool {
    let (mut part, mut at) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        let fits = match (parts.get(part), path.get(at)) {
            (None, None) => return true,
            (Some(Part::Star), _) => {
                back = Some((part, at));
                part += 1;
                continue;
            }
            (Some(Part::Any), Some(char)) => *char != '/',
            (Some(Part::Char(wanted)), Some(char)) => wanted == char,
            (Some(Part::Class(negated, ranges)), Some(char)) => {
                *char != '/' && *negated != ranges.iter().any(|(a, b)| (a..=b).contains(&char))
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        if fits {
            part += 1;
            at += 1;
            continue;
        }
        // the star takes one more, but no slash
        match back {
            Some((star, from)) if path.get(from).is_some_and(|char| *char != '/') => {
                back = Some((star, from + 1));
                part = star + 1;
                at = from + 1;
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

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
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
