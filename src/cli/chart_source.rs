//! Where `wharf template` finds a chart, in Helm's order: a folder or archive, a registry, a web
//! server, a repository that Helm knows by name.

use super::exit::Failure;
use super::source_args::{SourceArgs, SourceFlags};
use super::ui::Ui;
use crate::base::archive;
use crate::base::source::Sources;
use crate::base::tree::{FileTree, Limits};
use crate::source::http::{self, HttpError, Login};
use crate::yaml::{self, Dialect, Node};
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// Flags that say where a chart is.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ChartArgs {
    /// Address of the Helm repository that holds the chart
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
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
}

impl ChartArgs {
    /// The files of a chart.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn load(&self, ui: &Ui, chart: &str, flags: &SourceFlags) -> Result<FileTree, Failure> {
        let local = |source: String| SourceArgs { source, flags: flags.clone() }.load(ui);
        if let Some(repository) = &self.repo {
            return self.in_repository(ui, repository, chart, &self.login());
        }
        if chart.starts_with("oci://") {
            let tagged = chart.rsplit('/').next().is_some_and(|name| name.contains([':', '@']));
            return match &self.version {
                Some(version) if !tagged => {
                    let tag = crate::oci::reference::version_tag(version);
                    local(format!("{chart}:{tag}"))
                }
                _ => local(chart.to_owned()),
            };
        }
        if is_web(chart) {
            let bytes = ui
                .block_on(async { http::get(chart, Some(&self.login())).await.map_err(failure) })?;
            return unpacked(&bytes, chart);
        }
        if !Path::new(chart).exists()
            && let Some((name, inner)) = chart.split_once('/')
            && let Some((address, login)) = repository(name)
        {
            let login = if self.username.is_some() { self.login() } else { login };
            return self.in_repository(ui, &address, inner, &login);
        }
        local(chart.to_owned())
    }

    fn login(&self) -> Login {
        Login {
            name: self.username.clone().unwrap_or_default(),
            password: self.password.clone().unwrap_or_default(),
        }
    }

    fn in_repository(
        &self,
        ui: &Ui,
        repository: &str,
        name: &str,
        login: &Login,
    ) -> Result<FileTree, Failure> {
        let version = match (&self.version, self.devel) {
            (Some(version), _) => version,
            (None, true) => ">0.0.0-0",
            (None, false) => "",
        };
        let bytes: Bytes = ui.block_on(async {
            http::chart(repository, name, version, Some(login)).await.map_err(failure)
        })?;
        unpacked(&bytes, name)
    }
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

fn unpacked(bytes: &[u8], label: &str) -> Result<FileTree, Failure> {
    let (_, tree) = archive::unpack(bytes, label, &Limits::default()).map_err(Failure::failed)?;
    Ok(tree)
}

/// Address and login of a repository that `helm repo add` has noted.
fn repository(name: &str) -> Option<(String, Login)> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let file = variable("HELM_REPOSITORY_CONFIG").map(PathBuf::from).or_else(|| {
        let config = variable("HELM_CONFIG_HOME").map(PathBuf::from).or_else(|| {
            let base = variable("XDG_CONFIG_HOME").map(PathBuf::from);
            let home = || Some(PathBuf::from(variable("HOME")?).join(".config"));
            Some(base.or_else(home)?.join("helm"))
        })?;
        Some(config.join("repositories.yaml"))
    })?;
    let text = std::fs::read_to_string(file).ok()?;
    let sources = Sources::new();
    let id = sources.add("repositories.yaml", text);
    let root = yaml::parse_one(&sources, id, Dialect::GoYamlV2).ok()?;
    let found =
        root.items_at(&["repositories"]).iter().find(|one| one.str_at(&["name"]) == Some(name))?;
    let text = |key: &str| found.get(key).and_then(Node::as_str).unwrap_or_default().to_owned();
    Some((text("url"), Login { name: text("username"), password: text("password") }))
}
