//! The syntax of names, keys and labels, as an API server demands it. Each function says what is
//! wrong with a text, or nothing.

use crate::object::selector;

/// A name's longest part, and the longest name with dots.
const LABEL: usize = 63;
const SUBDOMAIN: usize = 253;

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn too_long(text: &str, most: usize) -> Option<String> {
    (text.len() > most).then(|| format!("has {} characters, {most} are allowed", text.len()))
}

/// RFC 1123 label: the names of namespaces, containers, volumes.
pub(super) fn label(text: &str) -> Option<String> {
    if !is_label(text) {
        return Some(
            "must be lower-case letters, digits and `-`, with a letter or digit at both ends"
                .to_owned(),
        );
    }
    too_long(text, LABEL)
}

/// RFC 1123 subdomain: the names of most objects.
pub(super) fn subdomain(text: &str) -> Option<String> {
    if !selector::is_subdomain(text) {
        return Some(
            "must be lower-case letters, digits, `-` and `.`, with a letter or digit at both ends"
                .to_owned(),
        );
    }
    too_long(text, SUBDOMAIN)
}

/// RFC 1035 label: the names of Services.
pub(super) fn service(text: &str) -> Option<String> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Some("must begin with a letter".to_owned());
    }
    label(text)
}

/// A part of a path: the names of roles and role bindings.
pub(super) fn path_segment(text: &str) -> Option<String> {
    let bad = text == "." || text == ".." || text.contains(['/', '%']);
    bad.then(|| "must not be `.` or `..`, nor contain `/` or `%`".to_owned())
}

/// RFC 6335 service name: the names of ports.
pub(super) fn port(text: &str) -> Option<String> {
    if text.len() > 15 {
        return Some(format!("has {} characters, 15 are allowed", text.len()));
    }
    let letter = text.bytes().any(|byte| byte.is_ascii_lowercase());
    if !is_label(text) || !letter || text.contains("--") {
        return Some(
            "must be lower-case letters, digits and single `-`, with at least one letter"
                .to_owned(),
        );
    }
    None
}

/// A key of a `ConfigMap` or Secret.
pub(super) fn data_key(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(allowed) {
        return Some("must be letters, digits, `-`, `_` and `.`".to_owned());
    }
    if text == "." || text.starts_with("..") {
        return Some("must not be `.`, nor begin with `..`".to_owned());
    }
    too_long(text, SUBDOMAIN)
}

/// The name of an environment variable, by the relaxed rule of Kubernetes 1.30.
pub(super) fn env(text: &str) -> Option<String> {
    let allowed = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    (text.is_empty() || !text.bytes().all(allowed))
        .then(|| "must be printable ASCII characters without `=`".to_owned())
}

/// The key of a label.
pub(super) fn label_key(text: &str) -> Option<String> {
    selector::label_key_fault(text).map(|_| {
        "must be at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both \
         ends, after an optional domain and `/`"
            .to_owned()
    })
}

/// The key of an annotation: as that of a label, in any case.
pub(super) fn annotation_key(text: &str) -> Option<String> {
    label_key(&text.to_lowercase())
}

/// The value of a label.
pub(super) fn label_value(text: &str) -> Option<String> {
    selector::label_value_fault(text).map(|_| {
        "must be at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"
            .to_owned()
    })
}

/// A name that would do, close to one that does not.
pub(super) fn suggestion(text: &str, fault: fn(&str) -> Option<String>) -> Option<String> {
    let mapped: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    let name = mapped.trim_matches(['-', '.']);
    (name != text && fault(name).is_none()).then(|| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_syntax() {
        type Rule = fn(&str) -> Option<String>;
        let long = "a".repeat(64);
        let cases: &[(Rule, &[&str], &[&str])] = &[
            (label, &["a", "web-1", "0"], &["", "-a", "a-", "A", "a.b", "a_b", &long]),
            (subdomain, &["a.b", "1.2", &long], &["", "a..b", ".a", "a-.b", "A"]),
            (service, &["a1"], &["1a", "a.b"]),
            (path_segment, &["system:node", "A b"], &["..", "a/b", "50%"]),
            (port, &["http", "h2c-1"], &["", "80", "a--b", "Http", "a-name-too-long-1"]),
            (data_key, &["a", ".env", "A_b-c.d"], &["", ".", "..", "..a", "a/b", "a b"]),
            (env, &["A", "a.b-c", "1 x"], &["", "A=B", "ü"]),
            (label_key, &["app", "example.com/App_1"], &["", "/a", "a/b/c", "-a", "A.b/c!"]),
            (label_value, &["", "a", "A.b_c-1"], &["a ", "-a", "a/b", &long]),
            (annotation_key, &["Example.COM/a"], &["a b"]),
        ];
        for (at, (rule, good, bad)) in cases.iter().enumerate() {
            good.iter().for_each(|text| assert_eq!(rule(text), None, "{at}: {text}"));
            bad.iter().for_each(|text| assert!(rule(text).is_some(), "{at}: {text}"));
        }
        assert_eq!(suggestion("My_App", label).as_deref(), Some("did you mean `my-app`?"));
        assert_eq!(suggestion("!", label), None);
    }
}
