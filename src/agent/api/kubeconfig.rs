//! The context by which clients find the agent, merged into a kubeconfig.
//!
//! Everything else in the file stays as it is. The file is replaced as a whole, readable by its
//! owner alone; one that cannot be read is left alone.

use super::pki::{self, Pki};
use crate::yaml::{Node, emit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::io;
use std::path::Path;

/// The name of context, cluster and user.
pub const CONTEXT: &str = "wharf";

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Adds the context, or renews it. It becomes the current one when there is none.
pub(super) fn write(path: &Path, server: &str, pki: &Pki) -> Result<(), AnyError> {
    let mut config = match std::fs::read_to_string(path) {
        Ok(text) => crate::yaml::parse_text(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Node::NULL,
        Err(error) => return Err(error.into()),
    };
    if config.is_null() {
        config = Node::from(json!({"apiVersion": "v1", "kind": "Config"}));
    }
    if config.as_map().is_none() {
        return Err("the file is no kubeconfig".into());
    }
    let cluster = json!({
        "certificate-authority-data": STANDARD.encode(&pki.authority),
        "server": server,
    });
    let user = json!({
        "client-certificate-data": STANDARD.encode(&pki.admin.certificate),
        "client-key-data": STANDARD.encode(&pki.admin.key),
    });
    put(&mut config, "clusters", "cluster", Node::from(cluster));
    put(
        &mut config,
        "contexts",
        "context",
        Node::from(json!({"cluster": CONTEXT, "user": CONTEXT})),
    );
    put(&mut config, "users", "user", Node::from(user));
    if config.str_at(&["current-context"]).unwrap_or_default().is_empty() {
        config.set("current-context", CONTEXT);
    }
    replace(path, emit::to_string(&config, &emit::Style::kubernetes()).as_bytes())?;
    Ok(())
}

/// Sets the entry of a list that has the context's name.
fn put(config: &mut Node, list: &str, field: &str, value: Node) {
    let mut entry = Node::map();
    entry.set("name", CONTEXT);
    entry.set(field, value);
    let mut items = config.items_at(&[list]).to_vec();
    match items.iter_mut().find(|item| item.str_at(&["name"]) == Some(CONTEXT)) {
        Some(old) => *old = entry,
        None => items.push(entry),
    }
    config.set(list, items);
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // a link is followed, so that it stays one
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    pki::write_private(&path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_merged_into_what_is_there() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let pki = super::super::pki::open(folder.path(), &[]).expect("makes certificates");
        let path = folder.path().join("config");
        std::fs::write(
            &path,
            "apiVersion: v1\nkind: Config\ncurrent-context: other\nclusters:\n- name: other\n  cluster: {server: x}\n",
        )
        .expect("writes");
        for server in ["https://a", "https://b"] {
            write(&path, server, &pki).expect("writes");
        }
        let text = std::fs::read_to_string(&path).expect("is there");
        let config = crate::yaml::parse_text(&text).expect("is YAML");
        assert_eq!(config.str_at(&["current-context"]), Some("other"));
        assert_eq!(config.items_at(&["clusters"]).len(), 2);
        assert_eq!(
            config.items_at(&["clusters"])[1].str_at(&["cluster", "server"]),
            Some("https://b")
        );
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "a: [").expect("writes");
        assert!(write(&path, "https://a", &pki).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("is there"), "a: [");
    }
}
