//! The pod network of a host: one bridge, one link and address per pod, routed through the host.
//!
//! ```text
//!   pod: eth0 10.42.0.7/32, default via 10.42.0.1      pod: eth0 10.42.0.8/32
//!     │ veth                                             │ veth
//!   wh0a2a0007 ──────────── bridge wharf0 ──────────── wh0a2a0008     (hairpin ports)
//!                            10.42.0.1/16
//! ```
//!
//! Pods hold single addresses and know only the gateway, so traffic between pods goes through the
//! host's routing like any other, and Services work between pods of one host without
//! `br_netfilter`. Where that is on, as other container engines leave it, packets to Services are
//! bridged to their new destination, and the ports' hairpin mode lets a pod be its own backend.

use super::super::error::{RuntimeError, network};
use super::ipam::Subnet;
use super::netlink::{Refused, Socket};
use super::{link, proxy};
use rustix::fd::AsFd;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

/// How the pod network is to be.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The bridge's name, at most 15 bytes.
    pub bridge: String,
    /// The nf_tables table's name.
    pub table: String,
    /// Where pods' addresses come from.
    pub pod_subnet: Subnet,
    /// Where Services' addresses come from: routed to the bridge, so that a host without a default
    /// route reaches them too.
    pub service_subnet: Option<Subnet>,
}

impl NetworkConfig {
    /// Looks whether the host has other networks where these are to be.
    ///
    /// # Errors
    /// When it has, or when the kernel does not tell.
    pub fn check(&self) -> Result<(), RuntimeError> {
        let socket = link::socket().map_err(network("open a netlink socket"))?;
        for subnet in [Some(self.pod_subnet), self.service_subnet].into_iter().flatten() {
            let occupant = link::occupant(&socket, &self.bridge, subnet);
            if let Some((link, address)) = occupant.map_err(network("list addresses"))? {
                let (subnet, address) = (subnet.to_string(), address.to_string());
                return Err(RuntimeError::SubnetTaken { subnet, link, address });
            }
        }
        Ok(())
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            bridge: "wharf0".to_owned(),
            table: "wharf".to_owned(),
            pod_subnet: "10.42.0.0/16".parse().expect("a subnet"),
            service_subnet: Some("10.43.0.0/16".parse().expect("a subnet")),
        }
    }
}

/// The host's side of the pod network.
#[derive(Debug)]
pub(crate) struct Bridge {
    config: NetworkConfig,
    socket: Socket,
    index: u32,
    mtu: u32,
}

impl Bridge {
    /// Makes the bridge, routes and base rules, or finds those there are.
    pub(crate) fn open(config: &NetworkConfig) -> Result<Bridge, RuntimeError> {
        let name = &config.bridge;
        let socket = link::socket().map_err(network("open a netlink socket"))?;
        let index = link::ensure_bridge(&socket, name, config.pod_subnet).map_err(refused)?;
        if let Some(services) = config.service_subnet {
            link::route_to(&socket, services, index).map_err(refused)?;
        }
        set("ipv4/ip_forward", "1")?;
        for (key, value) in [
            // NodePorts on 127.0.0.1 leave through the bridge
            ("route_localnet", "1"),
            // packets between pods come and go on one link, which is no mistake to report
            ("send_redirects", "0"),
            // answers may come from another address than the one asked
            ("rp_filter", "0"),
        ] {
            set(&format!("ipv4/conf/{name}/{key}"), value)?;
        }
        set("ipv4/conf/all/send_redirects", "0")?;
        proxy::install(config)?;
        Ok(Bridge { config: config.clone(), socket, index, mtu: uplink_mtu() })
    }

    /// How it is.
    pub(crate) fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Joins a network namespace to the bridge; `inside` is a socket opened in it.
    pub(crate) fn attach(
        &self,
        netns: &Path,
        inside: &Inside,
        address: Ipv4Addr,
    ) -> Result<(), RuntimeError> {
        let file = link::netns(netns).map_err(network("open the pod's network"))?;
        let host = host_link(address);
        let add =
            || link::add_pair(&self.socket, &host, self.index, file.as_fd(), address, self.mtu);
        add()
            .or_else(|fault| {
                if fault.error.kind() != io::ErrorKind::AlreadyExists {
                    return Err(fault);
                }
                // one that lost its bridge, which the sweep did not see: no pod has the address
                link::delete(&self.socket, &host)?;
                add()
            })
            .map_err(refused)?;
        let gateway = self.config.pod_subnet.gateway();
        link::set_up_inside(&inside.0, address, gateway).map_err(refused)
    }

    /// Takes a pod's link away.
    pub(crate) fn detach(&self, address: Ipv4Addr) -> Result<(), RuntimeError> {
        link::delete(&self.socket, &host_link(address)).map_err(refused)
    }

    /// Takes away the links of pods that no longer exist.
    pub(crate) fn sweep(&self, known: &BTreeSet<Ipv4Addr>) -> Result<(), RuntimeError> {
        let keep: BTreeSet<String> = known.iter().map(|&address| host_link(address)).collect();
        let ports = link::ports(&self.socket, self.index).map_err(network("list links"))?;
        for port in ports.iter().filter(|port| !keep.contains(*port)) {
            link::delete(&self.socket, port).map_err(refused)?;
        }
        Ok(())
    }

    /// Removes the bridge and the rules.
    pub(crate) fn remove(&self) -> Result<(), RuntimeError> {
        proxy::remove(&self.config)?;
        link::delete(&self.socket, &self.config.bridge).map_err(refused)
    }
}

/// A way to configure the network namespace of the thread that made it.
#[derive(Debug)]
pub(crate) struct Inside(Socket);

impl Inside {
    pub(crate) fn open() -> io::Result<Inside> {
        link::socket().map(Inside)
    }
}

/// The name of the host's end of a pod's link.
fn host_link(address: Ipv4Addr) -> String {
    format!("wh{:08x}", u32::from(address))
}

fn refused(refused: Refused) -> RuntimeError {
    network(refused.label)(refused.error)
}

fn set(key: &str, value: &str) -> Result<(), RuntimeError> {
    let path = format!("/proc/sys/net/{key}");
    if fs::read_to_string(&path).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    fs::write(&path, value).map_err(network(format!("set {path} to {value}")))
}

/// The size of packets that the host's way out takes; pods must not send larger ones.
fn uplink_mtu() -> u32 {
    const USUAL: u32 = 1500;
    let table = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let default =
        table.lines().skip(1).map(|line| line.split_ascii_whitespace()).find_map(|mut fields| {
            let link = fields.next()?;
            (fields.next()? == "00000000").then_some(link)
        });
    default
        .and_then(|link| fs::read_to_string(format!("/sys/class/net/{link}/mtu")).ok())
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(USUAL)
}
