//! Sources that are on servers: a registry, a web server, a Helm repository that is named by its
//! address or as Helm knows it.

use super::command::pull::source_failure;
use super::exit::Failure;
use super::helm_home;
use super::registry_args::progress;
use super::ui::Ui;
use crate::base::archive;
use crate::base::tree::{FileTree, Limits};
use crate::oci::Tls;
use crate::oci::auth::Credentials;
use crate::oci::{Client, Keyring, Options, Reference};
use crate::source::cache::Cache;
use crate::source::http::{HttpError, Login, Web};
use crate::source::oci;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// Flags that say where a chart is.
#[derive(clap::Args, Debug, Clone, Default, PartialEq, Eq)]
#[command(next_help_heading = "Where the chart is")]
pub struct ChartArgs {
    /// Address of the Helm repository that holds the chart
    #[arg(long, value_name = "URL")]
    pub repo: Option<String>,
    /// Version of the chart, or a range of versions (default: the highest that is final)
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Versions that are not final count, too
    #[arg(long)]
    devel: bool,
    /// Name to log in to the repository with
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Password to log in to the repository with
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "WHARF_REPOSITORY_PASSWORD",
        hide_env_values = true
    )]
    password: Option<String>,
    /// The login goes to other hosts, too, when the repository's index names them
    #[arg(long)]
    pass_credentials: bool,
    /// Certificates of the authorities that the server's must be signed by
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Certificate to show to the server
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// Key of that certificate
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// Trust servers whoever they are
    #[arg(long)]
    insecure_skip_tls_verify: bool,
    /// Logins to registries, as `helm registry login` keeps them
    #[arg(long, value_name = "FILE", hide = true)]
    registry_config: Option<PathBuf>,
    /// The repositories that have names
    #[arg(long, value_name = "FILE", hide = true)]
    repository_config: Option<PathBuf>,
}

/// A chart that came as an archive.
#[derive(Debug)]
pub struct Fetched {
    /// Its version, as the repository has it.
    pub version: String,
    /// The archive.
    pub archive: Bytes,
}

impl ChartArgs {
    /// The files of a source that is on a server; nothing when it is not.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn load(
        &self,
        ui: &Ui,
        source: &str,
        plain_http: bool,
    ) -> Result<Option<FileTree>, Failure> {
        let remote = self.repo.is_some()
            || source.starts_with("oci://")
            || is_web(source)
            || (!Path::new(source).exists() && self.named(source).is_some());
        if !remote {
            return Ok(None);
        }
        let fetched = ui.block_on(self.fetch(ui, source, plain_http))?;
        let unpacked = archive::unpack(&fetched.archive, source, &Limits::default());
        let (_, tree) = unpacked.map_err(Failure::failed)?;
        Ok(Some(tree))
    }

    /// The archive of a chart that is on a server.
    async fn fetch(&self, ui: &Ui, chart: &str, plain_http: bool) -> Result<Fetched, Failure> {
        let range = self.range();
        if let Some(repository) = &self.repo {
            return in_repository(&self.web()?, repository, chart, range).await;
        }
        if chart.starts_with("oci://") {
            return self.in_registry(ui, chart, range, plain_http).await;
        }
        if is_web(chart) {
            let archive = self.web()?.get(chart).await.map_err(failure)?;
            return Ok(Fetched { version: String::new(), archive });
        }
        let Some((entry, inner)) = self.named(chart) else {
            let message = format!("`{chart}` is in no repository that Helm knows");
            return Err(Failure::failed(miette::MietteDiagnostic::new(message)));
        };
        if entry.url.starts_with("oci://") {
            let chart = format!("{}/{inner}", entry.url.trim_end_matches('/'));
            return self.in_registry(ui, &chart, range, plain_http).await;
        }
        let login = if self.username.is_some() { self.login() } else { entry.login.clone() };
        let tls = if self.speaks_of_tls() { self.tls()? } else { entry.tls()? };
        in_repository(&Web::new(login, &tls), &entry.url, inner, range).await
    }

    /// A dependency's archive: its repository is an address, `@name`, or `alias:name`.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn dependency(
        &self,
        ui: &Ui,
        repository: &str,
        name: &str,
        range: &str,
        plain_http: bool,
    ) -> Result<Fetched, Failure> {
        let known = helm_home::repositories(self.repository_config.as_deref());
        let alias = repository.strip_prefix('@').or_else(|| repository.strip_prefix("alias:"));
        let named = |alias: &str| known.iter().find(|entry| entry.name == alias);
        let same = |entry: &&helm_home::Repository| {
            entry.url.trim_end_matches('/') == repository.trim_end_matches('/')
        };
        let entry = match alias {
            Some(alias) => Some(named(alias).ok_or_else(|| {
                let message = format!("there is no repository `{alias}`");
                let help = "`helm repo add` gives repositories their names";
                Failure::failed(miette::MietteDiagnostic::new(message).with_help(help))
            })?),
            None => known.iter().find(same),
        };
        let url = entry.map_or(repository, |entry| entry.url.as_str());
        if url.starts_with("oci://") {
            let chart = format!("{}/{name}", url.trim_end_matches('/'));
            return self.in_registry(ui, &chart, range, plain_http).await;
        }
        let web = match entry {
            Some(entry) if !self.speaks_of_tls() => Web::new(entry.login.clone(), &entry.tls()?),
            Some(entry) => Web::new(entry.login.clone(), &self.tls()?),
            // a login on the command line is for the chart that is named there
            None => Web::new(Login::default(), &self.tls()?),
        };
        in_repository(&web, url, name, range).await
    }

    /// The repository of `name/chart`, and the chart.
    fn named<'a>(&self, chart: &'a str) -> Option<(helm_home::Repository, &'a str)> {
        let (name, inner) = chart.split_once('/')?;
        let known = helm_home::repositories(self.repository_config.as_deref());
        Some((known.into_iter().find(|entry| entry.name == name)?, inner))
    }

    async fn in_registry(
        &self,
        ui: &Ui,
        chart: &str,
        range: &str,
        plain_http: bool,
    ) -> Result<Fetched, Failure> {
        let mut reference = Reference::oci(chart).map_err(Failure::failed)?;
        let client = self.registry(&reference, plain_http)?;
        let tag = reference.tag.as_deref().map(crate::oci::reference::tag_version);
        match tag {
            Some(tag) if !range.is_empty() && range != tag && !self.devel => {
                let message = format!("chart reference and version mismatch: {tag} is not {range}");
                return Err(Failure::failed(miette::MietteDiagnostic::new(message)));
            }
            None if reference.digest.is_none() => {
                // a whole version is a tag; who may read it need not be allowed to list them all
                let exact = semver::Version::parse(range).is_ok();
                reference = if exact {
                    let tag = crate::oci::reference::version_tag(range);
                    reference.repository.tagged(&tag).map_err(Failure::failed)?
                } else {
                    let chosen = oci::choose(&client, &reference.repository, range).await;
                    chosen.map_err(source_failure)?
                };
            }
            _ => {}
        }
        let pulled = oci::pull(&client, &reference, &Cache::user(), &progress(ui)).await;
        let pulled = pulled.map_err(source_failure)?;
        let version = pulled.reference.tag.as_deref().map(crate::oci::reference::tag_version);
        Ok(Fetched { version: version.unwrap_or_default(), archive: pulled.archive })
    }

    /// A client for a registry: with the login of the command line, else one that was kept.
    fn registry(&self, reference: &Reference, plain_http: bool) -> Result<Client, Failure> {
        let mut keyring = Keyring::docker();
        if let Some(json) = helm_home::registry_config(self.registry_config.as_deref()) {
            keyring.add_pull_secret(&json, false).map_err(Failure::failed)?;
        }
        if let Some(user) = &self.username {
            let password = self.password.clone().unwrap_or_default();
            let credentials = Credentials::Basic { user: user.clone(), password };
            keyring = keyring.with(reference.repository.registry(), credentials);
        }
        let tls = self.tls()?;
        Ok(Client::new(Options { keyring, plain_http, tls, ..Options::default() }))
    }

    fn web(&self) -> Result<Web, Failure> {
        Ok(Web::new(self.login(), &self.tls()?))
    }

    /// A client for files of values, which no login is for.
    ///
    /// # Errors
    /// When a file of certificates cannot be used.
    pub fn for_values(&self) -> Result<Web, Failure> {
        Ok(Web::new(Login::default(), &self.tls()?))
    }

    fn speaks_of_tls(&self) -> bool {
        self.ca_file.is_some() || self.cert_file.is_some() || self.insecure_skip_tls_verify
    }

    fn tls(&self) -> Result<Tls, Failure> {
        if !self.speaks_of_tls() {
            return Ok(Tls::default());
        }
        let identity = self.cert_file.as_deref().zip(self.key_file.as_deref());
        Tls::read(self.ca_file.as_deref(), identity, self.insecure_skip_tls_verify)
            .map_err(Failure::failed)
    }

    fn login(&self) -> Login {
        Login {
            name: self.username.clone().unwrap_or_default(),
            password: self.password.clone().unwrap_or_default(),
            everywhere: self.pass_credentials,
        }
    }

    fn range(&self) -> &str {
        match (&self.version, self.devel) {
            (Some(version), _) => version,
            (None, true) => ">0.0.0-0",
            (None, false) => "",
        }
    }
}

async fn in_repository(
    web: &Web,
    repository: &str,
    name: &str,
    range: &str,
) -> Result<Fetched, Failure> {
    let (version, archive) = web.chart(repository, name, range).await.map_err(failure)?;
    Ok(Fetched { version, archive })
}

/// True for an address of a web server.
#[must_use]
pub fn is_web(source: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| source.starts_with(scheme))
}

/// What a server lacks or refuses is an answer, the rest is its trouble.
pub(super) fn failure(error: HttpError) -> Failure {
    match error {
        HttpError::NoAnswer { .. } => Failure::remote(error),
        error => Failure::failed(error),
    }
}
