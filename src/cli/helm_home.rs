//! What Helm keeps for its user: repositories with their names, and logins to registries.

use super::exit::Failure;
use crate::base::source::Sources;
use crate::oci::Tls;
use crate::source::http::Login;
use crate::yaml::{self, Dialect, Node};
use std::path::{Path, PathBuf};

/// A repository that `helm repo add` has noted.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Who asks it.
    pub login: Login,
    authorities: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    insecure: bool,
}

impl Repository {
    /// Whom to trust, and who one is.
    ///
    /// # Errors
    /// When a file that it names cannot be used.
    pub fn tls(&self) -> Result<Tls, Failure> {
        if self.authorities.is_none() && self.identity.is_none() && !self.insecure {
            return Ok(Tls::default());
        }
        let identity = self.identity.as_ref();
        let identity = identity.map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        Tls::read(self.authorities.as_deref(), identity, self.insecure).map_err(Failure::failed)
    }
}

/// The repositories that have names; none when Helm was never used.
#[must_use]
pub fn repositories(named: Option<&Path>) -> Vec<Repository> {
    let text = read(named, "HELM_REPOSITORY_CONFIG", "repositories.yaml");
    let Some(text) = text.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Vec::new();
    };
    let sources = Sources::new();
    let id = sources.add("repositories.yaml", text);
    let root = yaml::parse_one(&sources, id, Dialect::GoYamlV2).unwrap_or_default();
    root.items_at(&["repositories"]).iter().map(entry).collect()
}

fn entry(node: &Node) -> Repository {
    let text = |key: &str| node.str_at(&[key]).unwrap_or_default().to_owned();
    let flag = |key: &str| node.get(key).and_then(Node::as_bool).unwrap_or_default();
    let path = |key: &str| Some(text(key)).filter(|path| !path.is_empty()).map(PathBuf::from);
    Repository {
        name: text("name"),
        url: text("url"),
        login: Login {
            name: text("username"),
            password: text("password"),
            everywhere: flag("pass_credentials_all"),
        },
        authorities: path("caFile"),
        identity: path("certFile").zip(path("keyFile")),
        insecure: flag("insecure_skip_tls_verify"),
    }
}

/// The logins to registries, in docker's form.
#[must_use]
pub fn registry_config(named: Option<&Path>) -> Option<Vec<u8>> {
    read(named, "HELM_REGISTRY_CONFIG", "registry/config.json")
}

/// A file of Helm's: the one that is named, that of a variable, or the usual one.
fn read(named: Option<&Path>, variable: &str, usual: &str) -> Option<Vec<u8>> {
    let set =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || {
        let base = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
        Some(set("HELM_CONFIG_HOME").or_else(|| Some(base?.join("helm")))?.join(usual))
    };
    let path = named.map(PathBuf::from).or_else(|| set(variable)).or_else(home)?;
    std::fs::read(path).ok()
}
