//! What a cluster has against manifests that are only shown: kinds that it does not serve, and
//! objects that belong to someone else.

use super::error::DeployError;
use super::live::{self, Kinds};
use crate::cluster::Client;
use crate::object::inventory::Key;
use crate::object::{Object, meta};
use crate::plan::{Forecast, Options, Subject, build, prepare};
use crate::release::MANAGER;
use crate::yaml::Node;
use std::sync::Arc;

/// Judges the manifests of a release, which is a name and a namespace. Changes nothing.
///
/// # Errors
/// When a kind is not served, or an object is there and is another's, unless they are taken over.
pub async fn judge(
    client: &Client,
    manifests: &[&Node],
    release: (&str, &str),
    take_ownership: bool,
) -> Result<(), DeployError> {
    // the server says what it has before it is asked for any of it
    client.api_versions().await?;
    let mut wanted = Vec::with_capacity(manifests.len());
    for root in manifests {
        let Some(gvk) = meta::gvk(root) else { continue };
        let resource = client.resource(&gvk).await?;
        let object = Object { root: (*root).clone(), origin: Arc::default() };
        wanted.push(prepare(&object, resource.namespaced, release));
    }
    let ids: Vec<_> = wanted.iter().map(|desired| &desired.id).collect();
    let mut live = live::fetch(client, &ids, &Kinds::none()).await?;
    let subjects = wanted.into_iter().map(|desired| Subject {
        live: live.remove(&Key::from(&desired.id)),
        desired,
        forecast: Forecast::Unknown,
        manager: MANAGER.to_owned(),
        from_helm: false,
        owned: true,
    });
    let options = Options { release, take_ownership, ..Options::default() };
    build(subjects.collect(), Vec::new(), &options)?;
    Ok(())
}
