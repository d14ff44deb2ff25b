//! Who asks: user names and passwords for registries.
//!
//! They come from docker's configuration file (`$DOCKER_CONFIG/config.json`, else
//! `~/.docker/config.json`), so that a login by docker, podman, helm or skopeo counts here and the
//! other way round. Order for one registry: its `credHelpers` entry, then `auths`, then
//! `credsStore`. A Kubernetes pull secret has the same form, but names no helpers: running a
//! program because a Secret says so would hand the host to whoever may write Secrets.
//!
//! Keys of `auths` are hosts, with or without `https://` and `/v1/`, perhaps with a repository
//! behind them; the longest key that fits wins. `*` stands for one label of a host, as the kubelet
//! reads it.

use super::error::OciError;
use super::reference::Repository;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How docker's configuration names Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Most bytes of a configuration file or a helper's answer.
const CONFIG_LIMIT: u64 = 4 << 20;

/// How long a credential helper may think; some ask the user.
const HELPER_TIME: Duration = Duration::from_secs(60);

/// Proof of who asks. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user name and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A token to be exchanged for others.
    IdentityToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Basic { user, .. } => write!(f, "Basic {{ user: {user:?}, password: … }}"),
            Credentials::IdentityToken(_) => f.write_str("IdentityToken(…)"),
        }
    }
}

/// Finds credentials for repositories.
#[derive(Clone, Default, Debug)]
pub struct Keyring {
    /// Keys as `auths` has them, in the order in which they were added.
    entries: Vec<(Pattern, Credentials)>,
    docker: bool,
}

impl Keyring {
    /// Knows nobody.
    #[must_use]
    pub fn none() -> Keyring {
        Keyring::default()
    }

    /// Looks into docker's configuration file, afresh each time.
    #[must_use]
    pub fn docker() -> Keyring {
        Keyring { docker: true, ..Keyring::default() }
    }

    /// Adds credentials for a registry, before those of docker's configuration.
    #[must_use]
    pub fn with(mut self, registry: &str, credentials: Credentials) -> Keyring {
        self.entries.push((Pattern::new(registry), credentials));
        self
    }

    /// Adds the content of a pull secret: docker's `config.json`, or with `legacy` its `auths` alone
    /// (`kubernetes.io/dockercfg`).
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn add_pull_secret(&mut self, json: &[u8], legacy: bool) -> Result<(), OciError> {
        let bad = |reason: &str| OciError::Credentials {
            what: "read",
            registry: "an image pull secret".into(),
            reason: reason.to_owned(),
        };
        // serde's message could show a part of the secret
        let auths = if legacy {
            serde_json::from_slice(json).map_err(|_| bad("it is not docker's form"))?
        } else {
            let file: ConfigFile =
                serde_json::from_slice(json).map_err(|_| bad("it is not docker's form"))?;
            file.auths
        };
        for (key, entry) in &auths {
            let found =
                entry.credentials().ok_or_else(|| bad("`auth` is not base64 of user:password"))?;
            self.entries.extend(found.map(|credentials| (Pattern::new(key), credentials)));
        }
        Ok(())
    }

    /// The credentials for a repository, or nothing. May run a helper program, so it waits.
    ///
    /// # Errors
    /// When the configuration or a helper is broken.
    pub fn find(&self, repository: &Repository) -> Result<Option<Credentials>, OciError> {
        let fits = self.entries.iter().filter(|(pattern, _)| pattern.fits(repository));
        // the first of the longest
        let best = fits.rev().max_by_key(|(pattern, _)| pattern.length());
        if let Some((_, credentials)) = best {
            return Ok(Some(credentials.clone()));
        }
        if !self.docker {
            return Ok(None);
        }
        let Some(bytes) = read_config(repository.registry())? else { return Ok(None) };
        let file: ConfigFile = parse_config(&bytes, repository.registry())?;
        let helper = file.cred_helpers.iter().find(|(key, _)| Pattern::new(key).fits(repository));
        if let Some((key, helper)) = helper {
            return ask_helper(helper, key);
        }
        let mut found = None;
        for (key, entry) in &file.auths {
            let pattern = Pattern::new(key);
            let credentials = entry.credentials().ok_or_else(|| {
                fault(
                    "read",
                    key,
                    "`auth` in docker's configuration is not base64 of user:password",
                )
            })?;
            let longer = found.as_ref().is_none_or(|(length, _)| pattern.length() > *length);
            if let Some(credentials) = credentials.filter(|_| longer && pattern.fits(repository)) {
                found = Some((pattern.length(), credentials));
            }
        }
        match (found, file.creds_store) {
            (Some((_, credentials)), _) => Ok(Some(credentials)),
            (None, Some(store)) => ask_helper(&store, &config_key(repository.registry())),
            (None, None) => Ok(None),
        }
    }
}

/// Where a login is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// In docker's configuration file.
    File(PathBuf),
    /// By a credential helper.
    Helper(String),
}

/// Keeps a login where docker would: with the configured helper, else in the file.
///
/// # Errors
/// When the helper refuses or the file cannot be written.
pub fn store(registry: &str, credentials: &Credentials) -> Result<Kept, OciError> {
    let (user, secret) = match credentials {
        Credentials::Basic { user, password } => (user.as_str(), password),
        Credentials::IdentityToken(token) => ("<token>", token),
    };
    let key = config_key(registry);
    if let Some(helper) = helper_for(registry)? {
        let entry = serde_json::json!({"ServerURL": key, "Username": user, "Secret": secret});
        run_helper(&helper, "store", &entry.to_string(), "store", registry)?;
        return Ok(Kept::Helper(helper));
    }
    let entry = match credentials {
        Credentials::Basic { user, password } => {
            serde_json::json!({"auth": STANDARD.encode(format!("{user}:{password}"))})
        }
        Credentials::IdentityToken(token) => {
            serde_json::json!({"auth": STANDARD.encode("<token>:"), "identitytoken": token})
        }
    };
    let path = change_config("store", registry, |config| {
        let auths = config.entry("auths").or_insert_with(|| serde_json::json!({}));
        if let Some(auths) = auths.as_object_mut() {
            auths.insert(key, entry);
        }
    })?;
    Ok(Kept::File(path))
}

/// Forgets a login; false when there was none.
///
/// # Errors
/// When the helper refuses or the file cannot be written.
pub fn erase(registry: &str) -> Result<bool, OciError> {
    let key = config_key(registry);
    if let Some(helper) = helper_for(registry)? {
        let known = ask_helper(&helper, &key)?.is_some();
        run_helper(&helper, "erase", &key, "erase", registry)?;
        return Ok(known);
    }
    let Some(bytes) = read_config(registry)? else { return Ok(false) };
    let file: ConfigFile = parse_config(&bytes, registry)?;
    let wanted = Pattern::new(registry);
    let keys: Vec<String> =
        file.auths.keys().filter(|key| Pattern::new(key) == wanted).cloned().collect();
    if keys.is_empty() {
        return Ok(false);
    }
    change_config("erase", registry, |config| {
        if let Some(auths) = config.get_mut("auths").and_then(|auths| auths.as_object_mut()) {
            auths.retain(|key, _| !keys.contains(key));
        }
    })?;
    Ok(true)
}

#[derive(Deserialize, Default)]
struct ConfigFile {
    #[serde(default)]
    auths: BTreeMap<String, AuthEntry>,
    #[serde(default, rename = "credsStore")]
    creds_store: Option<String>,
    #[serde(default, rename = "credHelpers")]
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct AuthEntry {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    identitytoken: Option<String>,
}

impl AuthEntry {
    /// `Some(None)` when the entry is empty, as docker leaves it beside a helper.
    #[expect(clippy::option_option, reason = "broken, empty and filled are three things")]
    fn credentials(&self) -> Option<Option<Credentials>> {
        let filled = |text: &&String| !text.is_empty();
        if let Some(token) = self.identitytoken.as_ref().filter(filled) {
            return Some(Some(Credentials::IdentityToken(token.clone())));
        }
        if let Some(auth) = self.auth.as_ref().filter(filled) {
            let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
            let (user, password) = text.split_once(':')?;
            let password = password.trim_end_matches('\0').to_owned();
            return Some(Some(Credentials::Basic { user: user.to_owned(), password }));
        }
        Some(match (&self.username, &self.password) {
            (Some(user), Some(password)) => {
                Some(Credentials::Basic { user: user.clone(), password: password.clone() })
            }
            _ => None,
        })
    }
}

/// A key of `auths`: which repositories it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Pattern {
    host: String,
    path: String,
}

impl Pattern {
    fn new(key: &str) -> Pattern {
        let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
        let rest = rest.unwrap_or(key).trim_end_matches('/');
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = if matches!(path, "v1" | "v2") { "" } else { path };
        let host = match host {
            "index.docker.io" | "registry-1.docker.io" => "docker.io",
            host => host,
        };
        Pattern { host: host.to_owned(), path: path.to_owned() }
    }

    fn fits(&self, repository: &Repository) -> bool {
        let host = repository.registry();
        let same_host = self.host == host
            || (self.host.contains('*')
                && self.host.split('.').count() == host.split('.').count()
                && self
                    .host
                    .split('.')
                    .zip(host.split('.'))
                    .all(|(own, its)| own == "*" || own == its));
        let rest = repository.path().strip_prefix(&self.path);
        same_host
            && (self.path.is_empty() || rest.is_some_and(|r| r.is_empty() || r.starts_with('/')))
    }

    fn length(&self) -> usize {
        self.host.len() + self.path.len()
    }
}

fn config_key(registry: &str) -> String {
    if registry == "docker.io" { HUB_KEY.to_owned() } else { registry.to_owned() }
}

fn fault(what: &'static str, registry: &str, reason: impl Into<String>) -> OciError {
    OciError::Credentials { what, registry: registry.to_owned(), reason: reason.into() }
}

fn config_path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")))?;
    Some(folder.join("config.json"))
}

fn read_config(registry: &str) -> Result<Option<Vec<u8>>, OciError> {
    let Some(path) = config_path() else { return Ok(None) };
    let failed =
        |error: std::io::Error| fault("read", registry, format!("{}: {error}", path.display()));
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(CONFIG_LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

fn parse_config<'a, T: Deserialize<'a>>(bytes: &'a [u8], registry: &str) -> Result<T, OciError> {
    // serde's message could show a part of a secret: only the place is told
    serde_json::from_slice(bytes).map_err(|error| {
        let path = config_path().unwrap_or_default();
        let (line, column) = (error.line(), error.column());
        let reason = format!("{}:{line}:{column} is not docker's configuration", path.display());
        fault("read", registry, reason)
    })
}

fn helper_for(registry: &str) -> Result<Option<String>, OciError> {
    let Some(bytes) = read_config(registry)? else { return Ok(None) };
    let file: ConfigFile = parse_config(&bytes, registry)?;
    let wanted = Pattern::new(registry);
    let own = file.cred_helpers.into_iter().find(|(key, _)| Pattern::new(key) == wanted);
    Ok(own.map(|(_, helper)| helper).or(file.creds_store).filter(|helper| !helper.is_empty()))
}

/// Changes docker's configuration and keeps what it does not know; the file is never half-written.
fn change_config(
    what: &'static str,
    registry: &str,
    change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
) -> Result<PathBuf, OciError> {
    let path = config_path()
        .ok_or_else(|| fault(what, registry, "neither DOCKER_CONFIG nor HOME is set"))?;
    let mut config = match read_config(registry)? {
        Some(bytes) => parse_config(&bytes, registry)?,
        None => serde_json::Map::new(),
    };
    change(&mut config);
    let write = || -> std::io::Result<()> {
        // a link to the real file stays one
        let path = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder)?;
        // created with mode 0600
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &config)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|error| fault(what, registry, format!("{}: {error}", path.display())))?;
    Ok(path)
}

fn ask_helper(helper: &str, key: &str) -> Result<Option<Credentials>, OciError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "Username")]
        user: String,
        #[serde(rename = "Secret")]
        secret: String,
    }
    let Some(answer) = run_helper(helper, "get", key, "read", key)? else { return Ok(None) };
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| {
        fault("read", key, format!("docker-credential-{helper} gave an answer of unknown form"))
    })?;
    Ok(Some(if answer.user == "<token>" {
        Credentials::IdentityToken(answer.secret)
    } else {
        Credentials::Basic { user: answer.user, password: answer.secret }
    }))
}

/// Runs `docker-credential-<helper> <verb>`; nothing when it knows no such credentials. What it
/// prints is never repeated: it may hold secrets.
fn run_helper(
    helper: &str,
    verb: &str,
    input: &str,
    what: &'static str,
    registry: &str,
) -> Result<Option<Vec<u8>>, OciError> {
    let name = format!("docker-credential-{helper}");
    if helper.contains(['/', '\0']) {
        return Err(fault(what, registry, format!("`{name}` is no name of a program")));
    }
    let failed = |reason: &dyn fmt::Display| fault(what, registry, format!("{name}: {reason}"));
    let mut child = Command::new(&name)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error))?;
    let mut stdin = child.stdin.take().expect("stdin was asked for");
    let stdout = child.stdout.take().expect("stdout was asked for");
    // a helper may end without reading
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.take(CONFIG_LIMIT).read_to_end(&mut bytes).map(|_| bytes)
    });
    let started = std::time::Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| failed(&error))? {
            Some(status) => break status,
            None if started.elapsed() > HELPER_TIME => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(&"it does not answer"));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let answer = reader.join().expect("reading does not panic").map_err(|error| failed(&error))?;
    if status.success() {
        return Ok(Some(answer));
    }
    // the words that docker's own helpers have for it
    if verb == "get" && String::from_utf8_lossy(&answer).contains("credentials not found") {
        return Ok(None);
    }
    Err(failed(&format_args!("it ended with {status}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(registry: &str, path: &str) -> Repository {
        Repository::new(registry, path).expect("a repository")
    }

    #[test]
    fn the_longest_key_that_fits_wins() {
        let mut keyring = Keyring::none();
        let secret = r#"{"auths":{
            "https://index.docker.io/v1/": {"auth": "aHViOmE="},
            "ghcr.io": {"username": "all", "password": "b"},
            "ghcr.io/team": {"username": "team", "password": "c:d"},
            "*.example.com": {"username": "star", "password": "e"},
            "empty.example.org": {}
        }}"#;
        keyring.add_pull_secret(secret.as_bytes(), false).expect("a secret");
        for (registry, path, expected) in [
            ("docker.io", "library/busybox", Some("hub")),
            ("ghcr.io", "team/app", Some("team")),
            ("ghcr.io", "teams/app", Some("all")),
            ("eu.example.com", "x", Some("star")),
            ("a.eu.example.com", "x", None),
            ("empty.example.org", "x", None),
            ("quay.io", "x", None),
        ] {
            let found = keyring.find(&repository(registry, path)).expect("no helper");
            let user = found.map(|credentials| match credentials {
                Credentials::Basic { user, .. } => user,
                Credentials::IdentityToken(_) => "token".into(),
            });
            assert_eq!(user.as_deref(), expected, "{registry}/{path}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let mut keyring = Keyring::none()
            .with("h", Credentials::Basic { user: "u".into(), password: "hunter2".into() });
        assert!(!format!("{keyring:?}").contains("hunter2"));
        assert!(!format!("{:?}", Credentials::IdentityToken("hunter2".into())).contains("hunter2"));
        for bad in [r#"{"auths":{"h":{"auth":"hunter2!"}}}"#, r#"{"auths":{"h":"hunter2"}}"#] {
            let error = keyring.add_pull_secret(bad.as_bytes(), false).expect_err("a fault");
            assert!(error.to_string().contains("an image pull secret"), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
