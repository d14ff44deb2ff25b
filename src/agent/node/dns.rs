//! Names for pods: the zone `cluster.local`, and everything else from the host's name servers.
//!
//! Answers are made from the store when they are asked for, so a name is right the moment the
//! object is. Names follow Kubernetes' DNS specification 1.1: `SVC.NS.svc.cluster.local` (address,
//! or all pods of a headless service), `HOST.SVC.NS.svc…` for pods with a hostname, `_PORT._PROTO.…`
//! services, `1-2-3-4.NS.pod…`. Addresses are IPv4 only.

use crate::agent::endpoints::{Endpoint, endpoints, given, selector};
use crate::agent::store::{Key, Store};
use crate::yaml::Node;
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, SOA, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The domain of the cluster.
pub const DOMAIN: &str = "cluster.local";

/// How long answers may be kept: short, since pods come and go.
const TTL: u32 = 5;

/// How long a name server of the host has to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// So many questions are worked on at once; more wait.
const AT_ONCE: usize = 256;

/// Answers questions.
#[derive(Debug)]
pub struct Resolver {
    store: Store,
    upstream: Vec<SocketAddr>,
}

impl Resolver {
    /// Makes a resolver that forwards what it does not know to `upstream`.
    #[must_use]
    pub fn new(store: Store, upstream: Vec<SocketAddr>) -> Resolver {
        Resolver { store, upstream }
    }

    /// Serves UDP and TCP at an address until it is cancelled.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn serve(self, address: SocketAddr) -> io::Result<()> {
        let udp = Arc::new(UdpSocket::bind(address).await?);
        let tcp = TcpListener::bind(address).await?;
        let resolver = Arc::new(self);
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut buffer = vec![0; 4096];
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
            let resolver = Arc::clone(&resolver);
            tokio::select! {
                received = udp.recv_from(&mut buffer) => {
                    let Ok((length, from)) = received else { continue };
                    let question = buffer[..length].to_vec();
                    let udp = Arc::clone(&udp);
                    tokio::spawn(async move {
                        if let Some(answer) = resolver.answer(&question, true).await {
                            let _ = udp.send_to(&answer, from).await;
                        }
                        drop(slot);
                    });
                }
                accepted = tcp.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    tokio::spawn(async move {
                        let _ = timeout(PATIENCE * 4, resolver.serve_stream(stream)).await;
                        drop(slot);
                    });
                }
            }
        }
    }

    async fn serve_stream(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let length = stream.read_u16().await?;
            let mut question = vec![0; length.into()];
            stream.read_exact(&mut question).await?;
            let Some(answer) = self.answer(&question, false).await else { return Ok(()) };
            let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
            stream.write_u16(length).await?;
            stream.write_all(&answer).await?;
        }
    }

    /// The answer to a question in wire format, or nothing to what is no question.
    async fn answer(&self, wire: &[u8], is_udp: bool) -> Option<Vec<u8>> {
        let question = Message::from_vec(wire).ok()?;
        let id = question.metadata.id;
        let [query] = question.queries.as_slice() else {
            let code = ResponseCode::FormErr;
            return Message::error_msg(id, question.metadata.op_code, code).to_vec().ok();
        };
        if question.metadata.op_code != OpCode::Query {
            let code = ResponseCode::NotImp;
            return Message::error_msg(id, question.metadata.op_code, code).to_vec().ok();
        }
        let name = query.name().to_lowercase();
        let text = name.to_ascii();
        let Some(inner) = within(&text) else { return self.forward(wire, &question, is_udp).await };
        let mut answer = Message::response(id, OpCode::Query);
        answer.metadata.authoritative = true;
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        match self.records(inner, query.query_type()) {
            Some(found) => {
                for data in found {
                    answer.add_answer(Record::from_rdata(query.name().clone(), TTL, data));
                }
            }
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
        if answer.answers.is_empty() {
            answer.add_authority(authority());
        }
        let bytes = answer.to_vec().ok()?;
        let most = usize::from(question.max_payload()).clamp(512, 4096);
        if is_udp && bytes.len() > most {
            return answer.truncate().to_vec().ok();
        }
        Some(bytes)
    }

    /// The records of a name in the zone; nothing when there is no such name.
    fn records(&self, inner: &str, kind: RecordType) -> Option<Vec<RData>> {
        let labels: Vec<&str> = inner.split('.').filter(|label| !label.is_empty()).collect();
        match labels.as_slice() {
            // the zone itself, and names that only lead to others
            [] | ["svc" | "pod"] | [_, "svc" | "pod"] => Some(Vec::new()),
            [dashed, _, "pod"] => {
                let ip: Ipv4Addr = dashed.replace('-', ".").parse().ok()?;
                Some(addresses(kind, [ip]))
            }
            [service, namespace, "svc"] => self.service(service, namespace, kind),
            [port, protocol, service, namespace, "svc"]
                if port.starts_with('_') && protocol.starts_with('_') =>
            {
                let name = format!("{service}.{namespace}.svc.{DOMAIN}.");
                self.ports(&name, service, namespace, &port[1..], &protocol[1..], kind)
            }
            [host, service, namespace, "svc"] => {
                let (_, endpoints) = self.endpoints(service, namespace)?;
                let of_host =
                    endpoints.into_iter().filter(|endpoint| host_label(endpoint) == *host);
                let ips: Vec<Ipv4Addr> = of_host.map(|endpoint| endpoint.ip).collect();
                (!ips.is_empty()).then(|| addresses(kind, ips))
            }
            _ => None,
        }
    }

    fn endpoints(&self, service: &str, namespace: &str) -> Option<(Node, Vec<Endpoint>)> {
        let service = self.store.get(&Key::new("services", namespace, service))?;
        let object = &service.object;
        let found = if selector(object).is_some() {
            let (pods, _) = self.store.list(&"pods".into(), Some(namespace));
            endpoints(object, pods.iter().map(|pod| &pod.object))
        } else {
            given(&self.store, object)
        };
        Some((object.clone(), found))
    }

    fn service(&self, service: &str, namespace: &str, kind: RecordType) -> Option<Vec<RData>> {
        let stored = self.store.get(&Key::new("services", namespace, service))?;
        let spec = |key: &str| stored.object.str_at(&["spec", key]);
        if spec("type") == Some("ExternalName") {
            let target = Name::from_utf8(spec("externalName")?).ok()?;
            return Some(vec![RData::CNAME(CNAME(target))]);
        }
        match spec("clusterIP") {
            Some("None") => {
                let (_, endpoints) = self.endpoints(service, namespace)?;
                if endpoints.is_empty() {
                    return None;
                }
                Some(addresses(kind, endpoints.into_iter().map(|endpoint| endpoint.ip)))
            }
            Some(ip) => Some(addresses(kind, ip.parse::<Ipv4Addr>().ok())),
            None => Some(Vec::new()),
        }
    }

    fn ports(
        &self,
        name: &str,
        service: &str,
        namespace: &str,
        port: &str,
        protocol: &str,
        kind: RecordType,
    ) -> Option<Vec<RData>> {
        let (object, endpoints) = self.endpoints(service, namespace)?;
        let service_port = object.items_at(&["spec", "ports"]).iter().find(|candidate| {
            candidate.str_at(&["name"]) == Some(port)
                && candidate.str_at(&["protocol"]).unwrap_or("TCP").eq_ignore_ascii_case(protocol)
        })?;
        if kind != RecordType::SRV {
            return Some(Vec::new());
        }
        let srv = |port: u16, target: &str| {
            Some(RData::SRV(SRV::new(0, 100, port, Name::from_utf8(target).ok()?)))
        };
        if object.str_at(&["spec", "clusterIP"]) == Some("None") {
            let records = endpoints.iter().filter_map(|endpoint| {
                let (_, number) = endpoint.ports.iter().find(|(known, _)| known == port)?;
                srv(*number, &format!("{}.{name}", host_label(endpoint)))
            });
            return Some(records.collect());
        }
        let number = service_port.i64_at(&["port"]).and_then(|port| u16::try_from(port).ok())?;
        Some(srv(number, name).into_iter().collect())
    }

    /// Asks the host's name servers, one after the other.
    async fn forward(&self, wire: &[u8], question: &Message, is_udp: bool) -> Option<Vec<u8>> {
        for server in &self.upstream {
            let asked = async {
                if is_udp { ask_udp(*server, wire).await } else { ask_tcp(*server, wire).await }
            };
            if let Ok(Ok(answer)) = timeout(PATIENCE, asked).await {
                return Some(answer);
            }
        }
        let metadata = &question.metadata;
        let mut failed = Message::error_msg(metadata.id, metadata.op_code, ResponseCode::ServFail);
        failed.add_queries(question.queries.clone());
        failed.to_vec().ok()
    }
}

/// What stands before the cluster's domain, when a name is in it.
fn within(name: &str) -> Option<&str> {
    let name = name.trim_end_matches('.');
    if name == DOMAIN {
        return Some("");
    }
    name.strip_suffix(DOMAIN)?.strip_suffix('.')
}

fn addresses(kind: RecordType, ips: impl IntoIterator<Item = Ipv4Addr>) -> Vec<RData> {
    if !matches!(kind, RecordType::A | RecordType::ANY) {
        return Vec::new();
    }
    ips.into_iter().map(|ip| RData::A(A(ip))).collect()
}

/// A pod's name under a headless service: its hostname, or its address with dashes.
fn host_label(endpoint: &Endpoint) -> String {
    endpoint.hostname.clone().unwrap_or_else(|| endpoint.ip.to_string().replace('.', "-"))
}

fn authority() -> Record {
    let name = |text: &str| Name::from_ascii(text).unwrap_or_else(|_| Name::root());
    let (zone, mail) = (name("cluster.local."), name("hostmaster.cluster.local."));
    let server = name("ns.dns.cluster.local.");
    Record::from_rdata(zone, TTL, RData::SOA(SOA::new(server, mail, 1, 7200, 1800, 86_400, TTL)))
}

async fn ask_udp(server: SocketAddr, wire: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(server).await?;
    socket.send(wire).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // an answer to somebody else's question is none
        if buffer.get(..2) == wire.get(..2) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn ask_tcp(server: SocketAddr, wire: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_u16(u16::try_from(wire.len()).map_err(io::Error::other)?).await?;
    stream.write_all(wire).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// The name servers in the text of a `resolv.conf`; its search domains come second.
#[must_use]
pub fn read_resolv_conf(text: &str) -> (Vec<SocketAddr>, Vec<String>) {
    let mut servers = Vec::new();
    let mut search = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => {
                let ip = words.next().and_then(|ip| ip.parse().ok());
                servers.extend(ip.map(|ip| SocketAddr::new(ip, 53)));
            }
            Some("search" | "domain") => search = words.map(str::to_owned).collect(),
            _ => {}
        }
    }
    (servers, search)
}

/// The text of a pod's `resolv.conf`, by its `dnsPolicy` and `dnsConfig`.
#[must_use]
pub fn resolv_conf(pod: &Node, server: Ipv4Addr, host: &str) -> String {
    use std::fmt::Write as _;
    let policy = pod.str_at(&["spec", "dnsPolicy"]).unwrap_or("ClusterFirst");
    let host_network = pod.at(&["spec", "hostNetwork"]).and_then(Node::as_bool) == Some(true);
    let (host_servers, host_search) = read_resolv_conf(host);
    let namespace = crate::object::meta::namespace(pod);
    let (mut servers, mut search, mut options) = match policy {
        "None" => (Vec::new(), Vec::new(), Vec::new()),
        "Default" => return_host(&host_servers, host_search),
        "ClusterFirst" if host_network => return_host(&host_servers, host_search),
        _ => {
            let mut search = vec![
                format!("{namespace}.svc.{DOMAIN}"),
                format!("svc.{DOMAIN}"),
                DOMAIN.to_owned(),
            ];
            search.extend(host_search);
            (vec![server.to_string()], search, vec!["ndots:5".to_owned()])
        }
    };
    let config = |key: &str| pod.items_at(&["spec", "dnsConfig", key]).iter();
    servers.extend(config("nameservers").filter_map(Node::as_str).map(str::to_owned));
    search.extend(config("searches").filter_map(Node::as_str).map(str::to_owned));
    for option in config("options") {
        let name = option.str_at(&["name"]).unwrap_or_default();
        options.retain(|known: &String| known.split(':').next() != Some(name));
        options.push(match option.str_at(&["value"]) {
            Some(value) => format!("{name}:{value}"),
            None => name.to_owned(),
        });
    }
    let mut text = String::new();
    if !search.is_empty() {
        let _ = writeln!(text, "search {}", search.join(" "));
    }
    for server in servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !options.is_empty() {
        let _ = writeln!(text, "options {}", options.join(" "));
    }
    text
}

type Parts = (Vec<String>, Vec<String>, Vec<String>);

fn return_host(servers: &[SocketAddr], search: Vec<String>) -> Parts {
    (servers.iter().map(|server| server.ip().to_string()).collect(), search, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::store::Op;
    use serde_json::json;

    async fn resolver() -> Resolver {
        let store = Store::in_memory().unwrap();
        let service = |name: &str, ip: &str| {
            let object = Node::from(json!({
                "metadata": {"name": name, "namespace": "n"},
                "spec": {"clusterIP": ip, "selector": {"app": "a"},
                    "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
            }));
            Op::Create { key: Key::new("services", "n", name), object }
        };
        let pod = Node::from(json!({
            "metadata": {"name": "p", "namespace": "n", "labels": {"app": "a"}},
            "spec": {"hostname": "zero", "containers": [{}]},
            "status": {"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]},
        }));
        let pod = Op::Create { key: Key::new("pods", "n", "p"), object: pod };
        store.commit(vec![service("web", "10.96.0.9"), service("db", "None"), pod]).await.unwrap();
        Resolver::new(store, Vec::new())
    }

    #[tokio::test]
    async fn names_of_the_zone_are_answered_from_the_store() {
        let resolver = resolver().await;
        for (name, kind, expected) in [
            ("web.n.svc", RecordType::A, Some("10.96.0.9")),
            ("web.n.svc", RecordType::AAAA, Some("")),
            ("db.n.svc", RecordType::A, Some("10.0.0.7")),
            ("zero.db.n.svc", RecordType::A, Some("10.0.0.7")),
            ("10-0-0-7.n.pod", RecordType::A, Some("10.0.0.7")),
            ("_http._tcp.web.n.svc", RecordType::SRV, Some("0 100 80 web.n.svc.cluster.local.")),
            (
                "_http._tcp.db.n.svc",
                RecordType::SRV,
                Some("0 100 8080 zero.db.n.svc.cluster.local."),
            ),
            ("none.n.svc", RecordType::A, None),
            ("a.b.c.d", RecordType::A, None),
        ] {
            let found = resolver.records(name, kind).map(|records| {
                records.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            });
            assert_eq!(found.as_deref(), expected, "{name} {kind}");
        }
    }

    #[test]
    fn pods_look_in_their_namespace_first() {
        let pod = Node::from(json!({"metadata": {"namespace": "n"}, "spec": {"dnsConfig": {
            "nameservers": ["1.1.1.1"], "options": [{"name": "ndots", "value": "2"}]}}}));
        let host = "# host\nsearch example.com\nnameserver 9.9.9.9\n";
        assert_eq!(
            resolv_conf(&pod, Ipv4Addr::new(10, 0, 0, 1), host),
            "search n.svc.cluster.local svc.cluster.local cluster.local example.com\n\
             nameserver 10.0.0.1\nnameserver 1.1.1.1\noptions ndots:2\n"
        );
    }
}
