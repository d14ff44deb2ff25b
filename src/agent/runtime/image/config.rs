//! The config document of an image: how to start it, and which layers it has.

use super::error::ImageError;
use crate::base::digest::Digest;
use crate::oci::Platform;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How an image wants to be run.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ImageConfig {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Arguments, or the program when there is no entry point.
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Where the program starts; empty for the root.
    pub working_dir: String,
    /// `user`, `uid`, `user:group`, `uid:gid`; empty for root.
    pub user: String,
    /// What stops it gracefully: a name or a number.
    pub stop_signal: Option<String>,
    /// `8080/tcp`.
    pub exposed_ports: Vec<String>,
    /// Remarks.
    pub labels: BTreeMap<String, String>,
}

/// A config document: the config, and the layers' diff ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Document {
    pub(super) config: ImageConfig,
    pub(super) diff_ids: Vec<Digest>,
}

// Docker writes `null` where others leave a field out
type Nullable<T> = Option<T>;

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    config: Nullable<WireConfig>,
    rootfs: WireRoot,
}

#[derive(Deserialize)]
struct WireRoot {
    diff_ids: Nullable<Vec<Digest>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct WireConfig {
    entrypoint: Nullable<Vec<String>>,
    cmd: Nullable<Vec<String>>,
    env: Nullable<Vec<String>>,
    working_dir: Nullable<String>,
    user: Nullable<String>,
    stop_signal: Nullable<String>,
    exposed_ports: Nullable<serde_json::Map<String, serde_json::Value>>,
    labels: Nullable<BTreeMap<String, String>>,
}

impl Document {
    /// Reads a config document.
    pub(super) fn parse(
        bytes: &[u8],
        platform: &Platform,
        reference: &str,
    ) -> Result<Document, ImageError> {
        let bad = |reason: String| ImageError::Format { reference: reference.to_owned(), reason };
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|error| bad(format!("its config: {error}")))?;
        // an image without an index says only here what it runs on
        if (!wire.os.is_empty() && wire.os != platform.os)
            || (!wire.architecture.is_empty() && wire.architecture != platform.architecture)
        {
            let (os, architecture) = (wire.os, wire.architecture);
            return Err(bad(format!("it is for {os}/{architecture}, this host is {platform}")));
        }
        let config = wire.config.unwrap_or_default();
        Ok(Document {
            config: ImageConfig {
                entrypoint: config.entrypoint.unwrap_or_default(),
                cmd: config.cmd.unwrap_or_default(),
                env: config.env.unwrap_or_default(),
                working_dir: config.working_dir.unwrap_or_default(),
                user: config.user.unwrap_or_default(),
                stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
                exposed_ports: config
                    .exposed_ports
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(port, _)| port)
                    .collect(),
                labels: config.labels.unwrap_or_default(),
            },
            diff_ids: wire.rootfs.diff_ids.unwrap_or_default(),
        })
    }
}
