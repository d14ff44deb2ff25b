//! What a live target says of itself: its version, its kinds, and its objects, for templates that
//! look them up.

use super::exit::Failure;
use super::release::remote;
use crate::cluster::{Client, ClusterError, ListOptions};
use crate::compile::{Lookup, TargetFacts};
use crate::object::{Gvk, ObjectId};
use crate::yaml::Node;
use std::sync::Arc;
use tokio::runtime::Handle;

/// A target that a source is compiled for.
#[derive(Debug)]
pub struct Live {
    /// Its version and kinds.
    pub facts: TargetFacts,
    /// Its objects.
    pub objects: Arc<dyn Lookup>,
}

impl Live {
    /// Asks the target of a client. Its version is not asked for when the user names one.
    ///
    /// # Errors
    /// When it cannot be reached or refuses.
    pub async fn of(client: &Client, version_known: bool) -> Result<Live, Failure> {
        let version = async {
            if version_known {
                return Ok(String::new());
            }
            let version = client.version().await?;
            Ok(version.str_at(&["gitVersion"]).unwrap_or_default().to_owned())
        };
        let (kube_version, api_versions) =
            tokio::try_join!(version, client.api_versions()).map_err(remote)?;
        // a server that lists nothing has everything, as far as is known
        let served = !api_versions.is_empty();
        let objects = Objects { client: client.clone(), runtime: Handle::current() };
        let facts = TargetFacts { kube_version, api_versions, served };
        Ok(Live { facts, objects: Arc::new(objects) })
    }
}

/// The objects of a target. Each is asked for when a template wants it, as it is then.
#[derive(Debug)]
struct Objects {
    client: Client,
    /// Templates wait for answers on whatever thread they run.
    runtime: Handle,
}

impl Lookup for Objects {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Node>, String> {
        let gvk = Gvk::new(api_version, kind);
        let found = find(&self.client, &gvk, namespace, name);
        match tokio::task::block_in_place(|| self.runtime.block_on(found)) {
            Err(ClusterError::Rejected { rejection, .. }) if rejection.code == 404 => Ok(None),
            Err(ClusterError::Rejected { rejection, .. }) => Err(rejection.message),
            Err(ClusterError::UnknownKind { .. }) => Err(format!(
                "unable to get apiresource from unstructured: {api_version}, Kind={kind}: the \
                 server could not find the requested resource"
            )),
            found => found.map_err(|error| error.to_string()),
        }
    }
}

async fn find(
    client: &Client,
    gvk: &Gvk,
    namespace: &str,
    name: &str,
) -> Result<Option<Node>, ClusterError> {
    let served = client.api_versions().await?;
    let has = |version: &str| served.iter().any(|known| known == version);
    let api_version = gvk.api_version();
    if !served.is_empty() && has(&api_version) && !has(&format!("{api_version}/{}", gvk.kind)) {
        // only a group that is not there is an error in Helm
        return Ok(None);
    }
    if !served.is_empty() && !has(&api_version) {
        let kind = gvk.kind.to_string();
        return Err(ClusterError::UnknownKind { api_version, kind });
    }
    let resource = client.resource(gvk).await?;
    let scope = if resource.namespaced { namespace } else { "" };
    if name.is_empty() {
        let scope = (!scope.is_empty()).then_some(scope);
        let found = client.list(&resource, scope, &ListOptions::default()).await?;
        let mut list = Node::map();
        list.set("apiVersion", api_version);
        list.set("kind", format!("{}List", gvk.kind));
        list.set_at(&["metadata", "resourceVersion"], found.resource_version);
        list.set("items", found.items);
        return Ok(Some(list));
    }
    if resource.namespaced && scope.is_empty() {
        // nothing has a name in all namespaces at once
        return Ok(None);
    }
    let id = ObjectId { gvk: gvk.clone(), namespace: scope.into(), name: name.into() };
    client.get(&id).await
}
