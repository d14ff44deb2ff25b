//! A plan out of a file: carried out only when the cluster is as it was when the plan was made.

use super::error::DeployError;
use super::live::{self, Kinds, Prepared};
use crate::cluster::{Client, ClusterError};
use crate::object::ObjectId;
use crate::object::inventory::Key;
use crate::plan::{Saved, moved};
use crate::release::{Record, Store};
use crate::yaml::Node;

/// Makes sure that nothing moved since a plan was made.
///
/// # Errors
/// [`DeployError::Drift`] with everything that moved, and how.
pub async fn check(client: &Client, saved: Saved) -> Result<Prepared, DeployError> {
    let Saved { intent, server, plan } = saved;
    if server != client.server() {
        return Err(DeployError::OtherCluster {
            planned: server,
            server: client.server().to_owned(),
        });
    }
    let store = Store::new(client.clone(), &*intent.namespace);
    let history = store.history(&intent.name).await?;
    let mut drift = Vec::new();
    let last = history.last().map_or(0, Record::version);
    if last != intent.base_revision {
        let revision = |number: i64| Some(Node::from(number));
        drift.push((
            format!("release {}", intent.name),
            vec![crate::plan::FieldChange {
                path: "revision".to_owned(),
                before: revision(intent.base_revision),
                after: revision(last),
            }],
        ));
    }
    let mut ids: Vec<&ObjectId> = Vec::with_capacity(plan.actions.len());
    for action in &plan.actions {
        match client.resource(&action.id.gvk).await {
            Ok(_) => ids.push(&action.id),
            // a kind that the plan itself defines
            Err(ClusterError::UnknownKind { .. }) if action.live.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let now = live::fetch(client, &ids, &Kinds::none()).await?;
    for action in &plan.actions {
        if let Some(fields) = moved(action.live.as_ref(), now.get(&Key::from(&action.id))) {
            drift.push((action.id.to_string(), fields));
        }
    }
    if !drift.is_empty() {
        return Err(DeployError::Drift { moved: drift });
    }
    Ok(Prepared { intent, plan, history })
}
