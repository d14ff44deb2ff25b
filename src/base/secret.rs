//! Which parts of a text are secrets, so that no excerpt shows them.
//!
//! Told by lines alone, since a text with a fault is often no YAML, and the lines beside a fault
//! are shown with it:
//!
//! - what stands under `data` and `stringData` where a Secret is written or patched,
//! - the literals of a generator of Secrets,
//! - in texts that are no objects, such as values and Compose files: what has a secret's name.
//!
//! A line is hidden from its first secret byte to its end. A template's expression is no secret.

use std::collections::HashMap;

/// Stands for what is not shown.
pub(super) const HIDDEN: &str = "***";

/// Parts of a name that make its value a secret.
const WORDS: &[&str] = &["password", "passwd", "token", "secret", "apikey", "privatekey"];

/// True when a key of that name holds something that must not be shown.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    plain == "key" || plain.ends_with("key") || WORDS.iter().any(|word| plain.contains(word))
}

/// The lines that hold secrets, counted from 1, each with the byte that the first begins at.
pub(super) fn hidden(text: &str) -> HashMap<usize, usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = HashMap::new();
    let mut number = 1;
    for document in lines.chunk_by(|_, next| !next.starts_with("---")) {
        Document::new(document).hide(document, number, &mut found);
        number += document.len();
    }
    found
}

/// Takes the words of a secret out of a message.
pub(super) fn cut(message: &mut String, secret: &str) {
    for word in secret.split_whitespace().filter(|word| !word.starts_with('!')) {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        if word.len() > 2 && message.contains(word) {
            *message = message.replace(word, HIDDEN);
        }
    }
}

/// What of a document is secret.
struct Document {
    /// Keys whose values are.
    keys: Vec<&'static str>,
    /// Whether names tell, too.
    by_name: bool,
}

/// Lines below a key whose value is secret.
struct Block {
    /// Where the key stands.
    indent: usize,
    /// Where the lines of its entries stand.
    inner: Option<usize>,
    /// What ends the part of an entry that is no secret.
    sign: Option<char>,
}

impl Document {
    fn new(lines: &[&str]) -> Document {
        let plain = |line: &&str| line.replace(['"', '\'', ' '], "");
        let is = |kind: &str| {
            lines.iter().filter(|line| line.contains(kind)).map(plain).any(|line| {
                let after = line.split_once("kind:").and_then(|(_, rest)| rest.strip_prefix(kind));
                after.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            })
        };
        let mut keys = Vec::new();
        if is("Secret") || is("SecretList") || lines.iter().any(|line| line.contains("/stringData"))
        {
            keys.extend(["data", "stringData"]);
            // operations of a JSON patch
            if lines.iter().any(|line| line.contains("/data/") || line.contains("/stringData")) {
                keys.push("value");
            }
        }
        if is("SecretGenerator") {
            keys.push("literals");
        }
        let by_name = !lines.iter().any(|line| key_value(line, "kind").is_some());
        Document { keys, by_name }
    }

    fn hide(&self, lines: &[&str], number: usize, found: &mut HashMap<usize, usize>) {
        let mut block: Option<Block> = None;
        let mut generator: Option<usize> = None;
        for (number, line) in (number..).zip(lines) {
            let body = line.trim_start();
            let indent = line.len() - body.len();
            let continues = body.starts_with('-');
            let below = |key: usize| indent > key || (indent == key && continues);
            let is_comment = body.starts_with('#');
            if body.is_empty() {
                continue;
            }
            let from = match block.as_mut().filter(|block| is_comment || below(block.indent)) {
                Some(block) => Some(block.secret_part(line, indent)),
                None => {
                    block = None;
                    generator = generator.filter(|key| below(*key));
                    if let Some((key, _)) = key_value(line, "secretGenerator") {
                        generator = Some(key);
                    }
                    self.key(line, generator.is_some()).and_then(|(value, opened)| {
                        block = opened;
                        (!line[value..].is_empty()).then_some(value)
                    })
                }
            };
            let is_expression = |from: usize| {
                let rest = &line[from..];
                rest.contains("{{") || rest.contains("{%")
            };
            if let Some(from) = from.filter(|from| !is_expression(*from)) {
                found.insert(number, from);
            }
        }
    }

    /// Where the value of the first key of a line stands whose value is secret, and the lines below
    /// that belong to it.
    fn key(&self, line: &str, generates: bool) -> Option<(usize, Option<Block>)> {
        let literals = generates.then_some("literals");
        for key in self.keys.iter().copied().chain(literals) {
            if let Some((indent, value)) = key_value(line, key) {
                let sign = if key == "literals" { '=' } else { ':' };
                return Some((value, Some(Block { indent, inner: None, sign: Some(sign) })));
            }
        }
        self.by_name.then(|| key_named_secret(line)).flatten()
    }
}

/// The same for a key that has a secret's name.
fn key_named_secret(line: &str) -> Option<(usize, Option<Block>)> {
    line.match_indices(':').find_map(|(colon, _)| {
        let name = line[..colon].trim_end_matches(['"', '\'']);
        let indent = name.rfind([' ', '"', '\'', '{', ',']).map_or(0, |sign| sign + 1);
        let rest = &line[colon + 1..];
        let is_key = rest.is_empty() || rest.starts_with(' ') || name.len() < colon;
        if !is_key || !is_secret_name(&name[indent..]) {
            return None;
        }
        let value = rest.trim_start();
        let plain = value.trim_end_matches(['}', ',', ' ']);
        // a map of settings, or a word that is none
        if value.starts_with('{') || matches!(plain, "" | "true" | "false" | "null" | "~" | "\"\"")
        {
            return None;
        }
        let block = Block { indent, inner: None, sign: None };
        Some((line.len() - value.len(), value.starts_with(['|', '>', '[']).then_some(block)))
    })
}

impl Block {
    /// Where the secret part of a line begins that stands below the key.
    fn secret_part(&mut self, line: &str, indent: usize) -> usize {
        if line[indent..].starts_with('#') || *self.inner.get_or_insert(indent) != indent {
            return indent;
        }
        let item = line[indent..].trim_start_matches(['-', ' ']);
        let start = line.len() - item.len();
        let is_entry = self.sign == Some(':') || start > indent;
        match self.sign.filter(|_| is_entry).and_then(|sign| item.find(sign)) {
            Some(at) => {
                let value = &item[at + 1..];
                line.len() - value.trim_start().len()
            }
            None => start,
        }
    }
}

/// Where a key stands in a line and where its value does, when the line has the key.
fn key_value(line: &str, key: &str) -> Option<(usize, usize)> {
    line.match_indices(key).find_map(|(at, _)| {
        let before = line[..at].trim_end_matches(['"', '\'']);
        let after = line[at + key.len()..].trim_start_matches(['"', '\'']);
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        let begins = before.is_empty() || before.ends_with([' ', '\t', '{', ',', '[']);
        begins.then_some((at.min(before.len()), line.len() - value.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        let found = hidden(text);
        let lines = text.lines().enumerate().map(|(at, line)| match found.get(&(at + 1)) {
            Some(from) => format!("{}{HIDDEN}\n", &line[..*from]),
            None => format!("{line}\n"),
        });
        assert_eq!(lines.collect::<String>(), shown);
    }

    #[test]
    fn what_secrets_hold_is_hidden_however_they_are_written() {
        check(
            "data: {a: b}\n---\nstringData:\n  # old\n  a: b\n\n  pem: |\n    x: y\n  no colon\n\
             kind: Secret\nmetadata: {name: a}\n",
            "data: {a: b}\n---\nstringData:\n  ***\n  a: ***\n\n  pem: ***\n    ***\n  ***\n\
             kind: Secret\nmetadata: {name: a}\n",
        );
        check(
            "{\"kind\": \"Secret\",\n \"data\": {\n  \"a\": \"b\"\n },\n \"type\": \"x\"}\n",
            "{\"kind\": \"Secret\",\n \"data\": ***\n  \"a\": ***\n },\n \"type\": \"x\"}\n",
        );
        check("{kind: Secret, stringData: {a: b}}\n", "{kind: Secret, stringData: ***\n");
        check("kind: SecretStore\ndata: {a: b}\n", "kind: SecretStore\ndata: {a: b}\n");
        check(
            "- kind: Secret\n  data:\n    a: {{ .Values.a }}\n    b: c\n- kind: ConfigMap\n",
            "- kind: Secret\n  data:\n    a: {{ .Values.a }}\n    b: ***\n- kind: ConfigMap\n",
        );
        check(
            "- op: add\n  path: /stringData/a\n  value: b\n",
            "- op: add\n  path: /stringData/a\n  value: ***\n",
        );
    }

    #[test]
    fn literals_of_generators_are_hidden() {
        check(
            "secretGenerator:\n- name: a\n  literals:\n  - a=b\n  - \"c=d\"\n  - wrong\n  files: [a=b]\n\
             configMapGenerator:\n- literals: [a=b]\n",
            "secretGenerator:\n- name: a\n  literals:\n  - a=***\n  - \"c=***\n  - ***\n  files: [a=b]\n\
             configMapGenerator:\n- literals: [a=b]\n",
        );
        check(
            "secretGenerator: [{name: a, literals: [a=b]}]\n",
            "secretGenerator: [{name: a, literals: ***\n",
        );
    }

    #[test]
    fn values_are_hidden_by_their_names() {
        check(
            "db:\n  rootPassword: x\n  tokens: [a,\n    b]\n  apiKey: |\n    a: b\n  secret: {a: b}\n  \
             hasToken: true\nport: 1\nauth: {user: a, passwd: 1}\n",
            "db:\n  rootPassword: ***\n  tokens: ***\n    ***\n  apiKey: ***\n    ***\n  secret: {a: b}\n  \
             hasToken: true\nport: 1\nauth: {user: a, passwd: ***\n",
        );
        check("kind: Pod\ntopologyKey: a\n", "kind: Pod\ntopologyKey: a\n");
    }
}
