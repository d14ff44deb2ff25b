//! Services: packets to a Service's address or node port go to one of its backends.
//!
//! ```text
//! prerouting, output ─> services ─┬─ address . protocol . port ─> chain of the Service
//!                                 └─ port of this host ─────────> the same chain
//! chain of a Service: number = random mod n (or a hash of the sender) ─> backend ─> dnat
//! postrouting: pods leaving the host, node ports on 127.0.0.1, and pods that reached themselves
//!              through a Service are masqueraded
//! forward, output: what is still addressed to a Service's address has no backend: rejected
//! ```
//!
//! [`apply`] replaces the whole table in one transaction. Connections that exist are in the
//! kernel's connection table and go on. Session affinity is a hash of the sender's address: it
//! holds as long as the backends stay the same, without a table of clients.

use super::super::error::RuntimeError;
use super::bridge::NetworkConfig;
use super::nft::{self, Holds, Hook, REGISTER, Rule, Ruleset, Value};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// A transport protocol of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// One port of one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRule {
    /// The Service's address.
    pub cluster_ip: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port of every address of this host that leads to it too.
    pub node_port: Option<u16>,
    /// Addresses of the outside that lead to it too (`externalIPs`, load balancers).
    pub external_ips: Vec<Ipv4Addr>,
    /// One sender always gets the same backend.
    pub session_affinity: bool,
    /// Who answers.
    pub backends: Vec<(Ipv4Addr, u16)>,
}

/// Where source addresses and destinations are changed (`NF_IP_PRI_NAT_*`).
const DESTINATION_PRIORITY: i32 = -100;
const SOURCE_PRIORITY: i32 = 100;

/// Puts the rules of a host without Services into effect, unless rules are there already: those of
/// an agent that ended serve on until the new one knows the Services.
pub(crate) fn install(config: &NetworkConfig) -> Result<(), RuntimeError> {
    if nft::exists(&config.table)? { Ok(()) } else { apply(config, &[]) }
}

/// Replaces all rules in one step.
pub(crate) fn apply(config: &NetworkConfig, rules: &[ServiceRule]) -> Result<(), RuntimeError> {
    ruleset(config, rules).commit()
}

/// Removes all rules.
pub(crate) fn remove(config: &NetworkConfig) -> Result<(), RuntimeError> {
    Ruleset::remove(&config.table).commit()
}

fn ruleset(config: &NetworkConfig, rules: &[ServiceRule]) -> Ruleset {
    let mut set = Ruleset::replace(&config.table);
    let (mut services, mut ports) = (Vec::new(), Vec::new());
    let mut hairpins = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for rule in rules.iter().filter(|rule| !rule.backends.is_empty()) {
        let chain = format!("{}-{}-{}", rule.cluster_ip, rule.protocol.name(), rule.port);
        if !seen.insert(chain.clone()) {
            continue;
        }
        backends(&mut set, &chain, rule);
        let protocol = [rule.protocol.number(), 0, 0, 0];
        for address in std::iter::once(&rule.cluster_ip).chain(&rule.external_ips) {
            let key = [&address.octets()[..], &protocol, &port_key(rule.port)].concat();
            if seen.insert(format!("{address} {protocol:?} {}", rule.port)) {
                services.push((key, Value::Chain(chain.clone())));
            }
        }
        if let Some(port) = rule.node_port
            && seen.insert(format!("{protocol:?} {port}"))
        {
            let key = [&protocol[..], &port_key(port)].concat();
            ports.push((key, Value::Chain(chain.clone())));
        }
        hairpins.extend(rule.backends.iter().map(|(address, _)| *address));
    }
    let hairpins: Vec<_> = hairpins
        .into_iter()
        .map(|address| ([address.octets(), address.octets()].concat(), Value::None))
        .collect();
    set.set("services", nft::address_protocol_port_type(), 12, Holds::Chains, &services);
    set.set("node-ports", nft::protocol_port_type(), 8, Holds::Chains, &ports);
    set.set("hairpins", nft::address_pair_type(), 8, Holds::Keys, &hairpins);
    redirecting(&mut set);
    leaving(&mut set, config);
    refusing(&mut set, config);
    set
}

fn port_key(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}

/// The chain of one Service, with the map of its backends.
fn backends(set: &mut Ruleset, chain: &str, rule: &ServiceRule) {
    let elements: Vec<_> = (0_u32..)
        .zip(&rule.backends)
        .map(|(number, (address, port))| {
            let value = [address.octets(), port_key(*port)].concat();
            (number.to_ne_bytes().to_vec(), Value::Bytes(value))
        })
        .collect();
    let count = u32::try_from(elements.len()).expect("fewer backends than addresses");
    let map = format!("{chain}-backends");
    set.set(&map, nft::NUMBER_TYPE, 4, Holds::Values(8), &elements);
    set.chain(chain, None);
    let pick = Rule::default();
    let pick = if rule.session_affinity { pick.by_sender(count) } else { pick.random(count) };
    set.rule(chain, &pick.translate(&map).redirect());
}

fn redirecting(set: &mut Ruleset) {
    set.chain("to-services", None);
    let by_address = Rule::default()
        .load_destination(REGISTER)
        .load_protocol(REGISTER + 1)
        .load_destination_port(REGISTER + 2)
        .go_by("services");
    set.rule("to-services", &by_address);
    let by_port = Rule::default()
        .addressed_here()
        .load_protocol(REGISTER)
        .load_destination_port(REGISTER + 1)
        .go_by("node-ports");
    set.rule("to-services", &by_port);
    for (name, number) in [("prerouting", 0), ("output", 3)] {
        let hook = Hook { kind: "nat", number, priority: DESTINATION_PRIORITY };
        set.chain(name, Some(hook));
        set.rule(name, &Rule::default().jump("to-services"));
    }
}

fn leaving(set: &mut Ruleset, config: &NetworkConfig) {
    const NAME: &str = "postrouting";
    set.chain(NAME, Some(Hook { kind: "nat", number: 4, priority: SOURCE_PRIORITY }));
    // a pod that reached itself would else get its own packet with its own address
    let hairpin = Rule::default()
        .was_redirected()
        .load_source(REGISTER)
        .load_destination(REGISTER + 1)
        .found_in("hairpins");
    set.rule(NAME, &hairpin.masquerade());
    let loopback = Rule::default()
        .source_in(Ipv4Addr::new(127, 0, 0, 0), Ipv4Addr::new(255, 0, 0, 0))
        .leaves_through(&config.bridge, true);
    set.rule(NAME, &loopback.masquerade());
    let (network, mask) = (config.pod_subnet.network(), config.pod_subnet.mask());
    let outwards = Rule::default()
        .source_in(network, mask)
        .destination_in(network, mask, false)
        .leaves_through(&config.bridge, false);
    set.rule(NAME, &outwards.masquerade());
}

fn refusing(set: &mut Ruleset, config: &NetworkConfig) {
    let Some(services) = config.service_subnet else { return };
    for (name, number) in [("refuse-forward", 2), ("refuse-output", 3)] {
        set.chain(name, Some(Hook { kind: "filter", number, priority: 0 }));
        let rule = Rule::default().destination_in(services.network(), services.mask(), true);
        set.rule(name, &rule.reject());
    }
}
