//! The Service `default/kubernetes`, under whose name pods know this API, and what stands behind it:
//! the address of the host that pods reach.

use super::Api;
use super::kind;
use super::verb::create;
use crate::agent::endpoints::SLICES;
use crate::agent::store::{Key, Op, Store, StoreError, metadata};
use crate::yaml::Node;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};

const NAMESPACE: &str = "default";
const NAME: &str = "kubernetes";
const PORT: &str = "https";

/// The address that the Service has; `first` unless it was made with other addresses of Services.
pub(super) fn address(store: &Store, first: Ipv4Addr) -> Ipv4Addr {
    let service = store.get(&Key::new("services", NAMESPACE, NAME));
    let found = service.and_then(|stored| {
        stored.object.str_at(&["spec", "clusterIP"]).and_then(|ip| ip.parse().ok())
    });
    found.unwrap_or(first)
}

/// Makes the Service and says where it leads, which may be another port with each start. `inside`
/// is where pods reach the API, if there are pods.
pub(super) async fn ensure(
    api: &Api,
    address: Ipv4Addr,
    port: u16,
    inside: Option<SocketAddr>,
) -> Result<(), StoreError> {
    let metadata = |labels: Value| json!({"name": NAME, "namespace": NAMESPACE, "labels": labels});
    let service = json!({
        "metadata": metadata(json!({"component": "apiserver", "provider": "kubernetes"})),
        "spec": {
            "clusterIP": address.to_string(),
            "ports": [{"name": PORT, "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    });
    write(api, "services", Some(service), &[&["spec", "ports"]]).await?;
    let ports = json!([{"name": PORT, "port": port, "protocol": "TCP"}]);
    let endpoints = inside.map(|inside| {
        json!({
            "metadata": metadata(json!({"endpointslice.kubernetes.io/skip-mirror": "true"})),
            "subsets": [{"addresses": [{"ip": inside.ip().to_string()}], "ports": ports}],
        })
    });
    write(api, "endpoints", endpoints, &[&["subsets"]]).await?;
    let slice = inside.map(|inside| {
        let addresses = [inside.ip().to_string()];
        json!({
            "metadata": metadata(json!({"kubernetes.io/service-name": NAME})),
            "addressType": "IPv4",
            "endpoints": [{"addresses": addresses, "conditions": {"ready": true}}],
            "ports": ports,
        })
    });
    write(api, SLICES, slice, &[&["endpoints"], &["ports"]]).await
}

/// Creates the object of a resource, brings some parts of it up to date, or deletes it.
async fn write(
    api: &Api,
    resource: &str,
    wanted: Option<Value>,
    parts: &[&[&str]],
) -> Result<(), StoreError> {
    let kind = kind::built_in(resource);
    let key = kind.key(NAMESPACE, NAME);
    let former = api.store.get(&key);
    let mut wanted = wanted.map(|wanted| create::headed(kind, Node::from(wanted)));
    if let Some(wanted) = &mut wanted {
        (kind.rules.default)(wanted);
    }
    let mut held = None;
    let op = match (wanted, former) {
        (None, None) => return Ok(()),
        (None, Some(_)) => Op::Delete { key, expect: None },
        (Some(wanted), Some(former)) => {
            let mut object = former.object.clone();
            for part in parts {
                object.set_at(part, wanted.at(part).cloned().unwrap_or_default());
            }
            Op::Update { key, object, expect: None }
        }
        (Some(mut object), None) => {
            metadata::prepare_create(&mut object, api.now(), kind.generation);
            // nothing is stored before it that could have taken its address
            held = api.allocate(kind, &mut object, None).await.ok().flatten();
            Op::Create { key, object }
        }
    };
    let written = api.store.commit(vec![op]).await;
    drop(held);
    match written {
        Ok(_) | Err(StoreError::Exists(_) | StoreError::Missing(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
