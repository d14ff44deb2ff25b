//! Forms of names, with the texts of k8s.io/apimachinery `pkg/util/validation`.

/// `'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.…)*'`
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters \
    or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', \
    regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or \
    '-', start with an alphabetic character, and end with an alphanumeric character (e.g. \
    'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

const QUALIFIED_NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must \
    start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', \
    regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric \
    characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
    'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or \
    '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
    '[-._a-zA-Z0-9]+')";

fn is_small(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Starts and ends with `edge`, and has only `inner` or `edge` between.
fn framed(text: &str, edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => edge(*only),
        [first, middle @ .., last] => {
            edge(*first) && edge(*last) && middle.iter().all(|&byte| edge(byte) || inner(byte))
        }
    }
}

fn is_label(text: &str) -> bool {
    framed(text, is_small, |byte| byte == b'-')
}

/// The name of a kernel setting, with dots or slashes between its parts.
pub(crate) fn is_sysctl(text: &str) -> bool {
    let inner = |byte| matches!(byte, b'-' | b'_');
    text.len() <= 253 && text.split(['.', '/']).all(|part| framed(part, is_small, inner))
}

/// A DNS subdomain, which names of most kinds are.
pub(crate) fn subdomain(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if text.len() > 253 {
        faults.push("must be no more than 253 characters".into());
    }
    if !text.split('.').all(is_label) {
        faults.push(SUBDOMAIN.into());
    }
    faults
}

/// A part of a path, which names of roles are.
pub(crate) fn path_segment(text: &str) -> Vec<String> {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    let found = ['/', '%'].into_iter().filter(|&sign| text.contains(sign));
    found.map(|sign| format!("may not contain '{sign}'")).collect()
}

/// A DNS label, which names of namespaces and containers are.
pub(crate) fn label(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if text.len() > 63 {
        faults.push("must be no more than 63 characters".into());
    }
    if !is_label(text) {
        faults.push(LABEL.into());
    }
    faults
}

/// A DNS label that starts with a letter, which names of Services are.
pub(crate) fn label_1035(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if text.len() > 63 {
        faults.push("must be no more than 63 characters".into());
    }
    if !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        faults.push(LABEL_1035.into());
    }
    faults
}

/// Key of a label: an optional DNS prefix, and a name of at most 63 characters.
pub(crate) fn label_key(text: &str) -> Vec<String> {
    qualified(text, "a valid label key")
}

/// A name with an optional DNS prefix.
pub(crate) fn qualified_name(text: &str) -> Vec<String> {
    qualified(text, "a qualified name")
}

fn qualified(text: &str, what: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let parts: Vec<&str> = text.split('/').collect();
    let name = match parts.as_slice() {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                faults.push("prefix part must be non-empty".into());
            } else {
                let wrong = subdomain(prefix);
                faults.extend(wrong.into_iter().map(|fault| format!("prefix part {fault}")));
            }
            name
        }
        _ => {
            return vec![format!(
                "{what} {QUALIFIED_NAME} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        faults.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        faults.push("name part must be no more than 63 bytes".into());
    }
    if !framed(name, |byte| byte.is_ascii_alphanumeric(), |byte| b"-_.".contains(&byte)) {
        faults.push(format!("name part {QUALIFIED_NAME}"));
    }
    faults
}

/// Value of a label.
pub(crate) fn label_value(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if text.len() > 63 {
        faults.push("must be no more than 63 bytes".into());
    }
    let framed = framed(text, |byte| byte.is_ascii_alphanumeric(), |byte| b"-_.".contains(&byte));
    if !text.is_empty() && !framed {
        faults.push(LABEL_VALUE.into());
    }
    faults
}

/// Key of a `ConfigMap` or Secret: the name of a file.
pub(crate) fn config_key(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if text.len() > 253 {
        faults.push("must be no more than 253 characters".into());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || !text.bytes().all(plain) {
        faults.push(CONFIG_KEY.into());
    }
    match text {
        "." => faults.push("must not be '.'".into()),
        ".." => faults.push("must not be '..'".into()),
        text if text.starts_with("..") => faults.push("must not start with '..'".into()),
        _ => {}
    }
    faults
}

/// Name of an environment variable: printable ASCII but `=`.
pub(crate) fn env_name(text: &str) -> Vec<String> {
    let plain = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b'=';
    if !text.is_empty() && text.bytes().all(plain) {
        return Vec::new();
    }
    vec![
        "a valid environment variable name must consist only of printable ASCII characters other \
          than '='"
            .into(),
    ]
}

/// Name of a port: an IANA service name.
pub(crate) fn port_name(text: &str) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    if text.len() > 15 {
        faults.push("must be no more than 15 characters".into());
    }
    if !text.bytes().all(|byte| is_small(byte) || byte == b'-') {
        faults
            .push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".into());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        faults.push("must contain at least one letter (a-z)".into());
    }
    if text.contains("--") {
        faults.push("must not contain consecutive hyphens".into());
    }
    if text.starts_with('-') || text.ends_with('-') {
        faults.push("must not begin or end with a hyphen".into());
    }
    faults
}

/// A port number.
pub(crate) fn port(number: i64) -> Vec<String> {
    if (1..=65535).contains(&number) {
        return Vec::new();
    }
    vec!["must be between 1 and 65535, inclusive".into()]
}
