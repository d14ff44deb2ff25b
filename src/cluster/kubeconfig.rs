//! Kubeconfig files: which targets there are, which is chosen, and choosing another.
//!
//! Loading and merging of lists in `KUBECONFIG` follow client-go: missing files of a list are
//! skipped, the first file that sets something wins, and a change goes to the file that has it.

use super::error::ClusterError;
use crate::base::suggest;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use std::path::{Path, PathBuf};

/// One context of a kubeconfig.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// The cluster's name.
    pub cluster: String,
    /// Where the cluster is.
    pub server: String,
    /// The user's name, or empty.
    pub user: String,
    /// Its namespace, or `default`.
    pub namespace: String,
    /// True for the one that is used when none is named.
    pub current: bool,
}

/// The kubeconfig files that count: the given one, those of `KUBECONFIG`, or the default one.
#[must_use]
pub fn files(explicit: Option<&Path>) -> Vec<PathBuf> {
    if let Some(path) = explicit {
        return vec![path.to_owned()];
    }
    let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .map(|value| std::env::split_paths(&value).filter(|p| !p.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    if !listed.is_empty() {
        return listed;
    }
    std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect()
}

/// Reads and merges the files.
pub(super) fn load(explicit: Option<&Path>) -> Result<Kubeconfig, ClusterError> {
    let files = files(explicit);
    let mut merged: Option<Kubeconfig> = None;
    for path in files.iter().filter(|path| explicit.is_some() || path.exists()) {
        let read = Kubeconfig::read_from(path).map_err(|error| ClusterError::Kubeconfig {
            message: first_line(&error),
            help: explicit.map(|_| "check the file that `--kubeconfig` names".to_owned()),
        })?;
        let wrong = |error: kube::config::KubeconfigError| ClusterError::Kubeconfig {
            message: first_line(&error),
            help: None,
        };
        merged = Some(match merged {
            None => read,
            Some(before) => before.merge(read).map_err(wrong)?,
        });
    }
    merged.ok_or_else(|| {
        let shown: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        ClusterError::Kubeconfig {
            message: format!("there is none at {}", shown.join(", ")),
            help: Some(
                "start the bundled agent with `wharf agent run`, which writes one, or name a \
                 file with `--kubeconfig`"
                    .to_owned(),
            ),
        }
    })
}

/// What is wrong with a kubeconfig, without the excerpt that follows: it may show a token.
fn first_line(error: &kube::config::KubeconfigError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The configuration for one context, with the context's name.
pub(super) async fn config(
    explicit: Option<&Path>,
    context: Option<&str>,
) -> Result<(Config, String), ClusterError> {
    let loaded = match load(explicit) {
        Ok(loaded) => loaded,
        Err(error) => {
            // in a pod the service account stands in for a kubeconfig, as for kubectl
            let config = (explicit.is_none() && context.is_none())
                .then(|| Config::incluster().ok())
                .flatten();
            return config.map(|config| (config, "in-cluster".to_owned())).ok_or(error);
        }
    };
    let chosen = context.map(str::to_owned).or_else(|| loaded.current_context.clone());
    let Some(name) = chosen.filter(|name| !name.is_empty()) else {
        let path = files(explicit).into_iter().next().unwrap_or_default();
        return Err(ClusterError::NoTarget { path });
    };
    known(&loaded, &name)?;
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(loaded, &options).await.map_err(|error| {
        ClusterError::Kubeconfig { message: format!("target `{name}`: {error}"), help: None }
    })?;
    Ok((config, name))
}

fn known(loaded: &Kubeconfig, name: &str) -> Result<(), ClusterError> {
    let names = || loaded.contexts.iter().map(|context| context.name.as_str());
    if names().any(|known| known == name) {
        return Ok(());
    }
    let help = suggest::did_you_mean(name, names()).unwrap_or_else(|| {
        let listed: Vec<&str> = names().collect();
        match listed.as_slice() {
            [] => "it has no contexts at all".to_owned(),
            listed => format!("there are: {}", listed.join(", ")),
        }
    });
    Err(ClusterError::UnknownTarget { name: name.to_owned(), help: Some(help) })
}

/// All targets, in the order of the files. `chosen` takes the place of the current context.
///
/// # Errors
/// When no kubeconfig can be read.
pub fn targets(explicit: Option<&Path>, chosen: Option<&str>) -> Result<Vec<Target>, ClusterError> {
    let loaded = load(explicit)?;
    let current = chosen.or(loaded.current_context.as_deref()).unwrap_or_default().to_owned();
    let targets = loaded.contexts.iter().map(|named| {
        let context = named.context.clone().unwrap_or_default();
        let server = loaded
            .clusters
            .iter()
            .find(|cluster| cluster.name == context.cluster)
            .and_then(|cluster| cluster.cluster.as_ref()?.server.clone());
        Target {
            current: named.name == current,
            name: named.name.clone(),
            server: server.unwrap_or_default(),
            cluster: context.cluster,
            user: context.user.unwrap_or_default(),
            namespace: context.namespace.unwrap_or_else(|| "default".to_owned()),
        }
    });
    Ok(targets.collect())
}

/// The namespace of a context, or else of the current one; nothing when it says none.
#[must_use]
pub fn namespace(explicit: Option<&Path>, context: Option<&str>) -> Option<String> {
    if !files(explicit).iter().any(|path| path.is_file()) {
        return None;
    }
    let targets = targets(explicit, context).ok()?;
    targets.into_iter().find(|target| target.current).map(|target| target.namespace)
}

/// Makes a target the current one and gives the file that was changed: the first one that sets a
/// current context, else the first one.
///
/// # Errors
/// When there is no such target, or the file cannot be read or written.
pub fn choose(explicit: Option<&Path>, name: &str) -> Result<PathBuf, ClusterError> {
    known(&load(explicit)?, name)?;
    let wrong = |path: &Path, error: std::io::Error| ClusterError::Kubeconfig {
        message: format!("{}: {error}", path.display()),
        help: None,
    };
    let files: Vec<PathBuf> = files(explicit).into_iter().filter(|path| path.exists()).collect();
    let mut texts = Vec::with_capacity(files.len());
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&path, error))?;
        texts.push((path, text));
    }
    let holder = texts.iter().position(|(_, text)| current_line(text).is_some()).unwrap_or(0);
    let (path, text) = texts.swap_remove(holder);
    let changed = with_current(&text, name);
    replace(&path, &changed).map_err(|error| wrong(&path, error))?;
    Ok(path)
}

/// The byte range of the line that sets the current context.
fn current_line(text: &str) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("current-context:") {
            return Some(start..start + line.len());
        }
        start += line.len();
    }
    None
}

/// The text with another current context; everything else, comments too, stays as it is.
fn with_current(text: &str, name: &str) -> String {
    let quoted = serde_json::to_string(name).expect("a text can be written as JSON");
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@".contains(c))
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !matches!(name, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    let line = format!("current-context: {}\n", if plain { name } else { &quoted });
    match current_line(text) {
        Some(range) => format!("{}{line}{}", &text[..range.start], &text[range.end..]),
        None if text.is_empty() || text.ends_with('\n') => format!("{text}{line}"),
        None => format!("{text}\n{line}"),
    }
}

/// Writes a file in one step, keeping its permissions: a reader sees the old text or the new one.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let real = std::fs::canonicalize(path)?;
    let folder = real.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::metadata(&real)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&real)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choosing_a_target_changes_one_line() {
        let text = "apiVersion: v1\ncurrent-context: a # mine\nkind: Config\n";
        let changed = "apiVersion: v1\ncurrent-context: b\nkind: Config\n";
        assert_eq!(with_current(text, "b"), changed);
        assert_eq!(with_current("kind: Config", "b"), "kind: Config\ncurrent-context: b\n");
        assert_eq!(with_current("", "1:2"), "current-context: \"1:2\"\n");
    }

    #[test]
    fn targets_are_read_chosen_and_suggested() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: one\nclusters:\n\
            - name: c\n  cluster: {server: 'https://h:1'}\ncontexts:\n\
            - name: one\n  context: {cluster: c, user: u}\n\
            - name: two\n  context: {cluster: c, user: u, namespace: shop}\nusers: []\n";
        std::fs::write(&path, text).expect("a written file");
        assert_eq!(choose(Some(&path), "two").expect("a target"), path);
        let targets = targets(Some(&path), None).expect("targets");
        let shown: Vec<_> =
            targets.iter().map(|t| (t.name.as_str(), t.namespace.as_str(), t.current)).collect();
        assert_eq!(shown, [("one", "default", false), ("two", "shop", true)]);
        assert_eq!(targets[0].server, "https://h:1");
        let error = choose(Some(&path), "tow").expect_err("no such target");
        assert_eq!(error.to_string(), "there is no target `tow` in the kubeconfig");
        let missing = load(Some(&folder.path().join("none"))).expect_err("no such file");
        assert!(missing.to_string().starts_with("cannot read the kubeconfig: "), "{missing}");
    }
}
