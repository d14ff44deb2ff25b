//! Links, addresses and routes through rtnetlink.

use super::ipam::Subnet;
use super::netlink::{Attributes, Batch, CREATE, EXCLUSIVE, REPLACE, Refused, Socket, attributes};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use std::io;
use std::net::Ipv4Addr;

// linux/rtnetlink.h
const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
// linux/if_link.h
const ADDRESS: u16 = 1;
const NAME: u16 = 3;
const MTU: u16 = 4;
const MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const NETNS_FD: u16 = 28;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const INFO_PORT_KIND: u16 = 4;
const INFO_PORT_DATA: u16 = 5;
const VETH_PEER: u16 = 1;
const PORT_HAIRPIN: u16 = 4;
const UP: u32 = 1;
const INET: u8 = 2;
// linux/if_addr.h
const LOCAL: u16 = 2;

/// `struct ifinfomsg`.
fn link_header(index: u32, up: bool) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    let flags = if up { UP } else { 0 };
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&flags.to_ne_bytes());
    header
}

/// The number of a link in the socket's network namespace.
pub(super) fn index(socket: &Socket, name: &str) -> io::Result<u32> {
    Ok(rustix::net::netdevice::name_to_index(socket.fd(), name)?)
}

/// A hardware address made from an IPv4 address, so that an address that is used again answers
/// with the same one.
fn hardware(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x0a, 0x58, a, b, c, d]
}

/// Another link than the one of that name with an address in the subnet: two of them would each get
/// a part of its packets.
pub(super) fn occupant(
    socket: &Socket,
    name: &str,
    subnet: Subnet,
) -> io::Result<Option<(String, Ipv4Addr)>> {
    // struct ifaddrmsg
    let header = [INET, 0, 0, 0, 0, 0, 0, 0];
    for body in socket.dump(GET_ADDRESS, &header, &Attributes::default())? {
        let Some((header, rest)) = body.split_first_chunk::<8>() else { continue };
        let local = attributes(rest).into_iter().find(|(kind, _)| *kind == LOCAL);
        let Some(octets) = local.and_then(|(_, octets)| <[u8; 4]>::try_from(octets).ok()) else {
            continue;
        };
        let index = u32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
        if !subnet.contains(octets.into()) {
            continue;
        }
        // one that is gone meanwhile is in nobody's way
        let link = rustix::net::netdevice::index_to_name(socket.fd(), index).unwrap_or_default();
        if !link.is_empty() && link != name {
            return Ok(Some((link, octets.into())));
        }
    }
    Ok(None)
}

/// Makes a bridge with the subnet's gateway address, or keeps the one there is.
pub(super) fn ensure_bridge(socket: &Socket, name: &str, subnet: Subnet) -> Result<u32, Refused> {
    let gateway = subnet.gateway();
    if index(socket, name).is_err() {
        let mut batch = Batch::default();
        let info = Attributes::default().text(INFO_KIND, "bridge");
        // with an address of its own it does not change when pods come and go
        let link = Attributes::default()
            .text(NAME, name)
            .bytes(ADDRESS, &hardware(gateway))
            .nest(LINK_INFO, &info);
        batch.push(format!("make bridge {name}"), NEW_LINK, CREATE, &link_header(0, false), &link);
        socket.transact(&batch)?;
    }
    let index = index(socket, name)
        .map_err(|error| Refused { label: format!("find bridge {name}"), error })?;
    let mut batch = Batch::default();
    push_address(&mut batch, index, gateway, subnet.prefix());
    let none = Attributes::default();
    batch.push(format!("start bridge {name}"), NEW_LINK, 0, &link_header(index, true), &none);
    socket.transact(&batch)?;
    Ok(index)
}

/// Makes a pair of links: `host` on the bridge, `eth0` in another network namespace.
pub(super) fn add_pair(
    socket: &Socket,
    host: &str,
    bridge: u32,
    netns: BorrowedFd,
    address: Ipv4Addr,
    mtu: u32,
) -> Result<(), Refused> {
    let netns = netns.as_raw_fd().cast_unsigned();
    let peer = Attributes::default()
        .text(NAME, "eth0")
        .bytes(ADDRESS, &hardware(address))
        .host(MTU, mtu)
        .host(NETNS_FD, netns);
    // it starts later: a veth without its other half refuses
    let peer = Attributes([&link_header(0, false)[..], &peer.0].concat());
    let info = Attributes::default()
        .text(INFO_KIND, "veth")
        .nest(INFO_DATA, &Attributes::default().bytes(VETH_PEER, &peer.0));
    let link = Attributes::default()
        .text(NAME, host)
        .host(MTU, mtu)
        .host(MASTER, bridge)
        .nest(LINK_INFO, &info);
    let mut batch = Batch::default();
    let label = format!("make link {host}");
    batch.push(label, NEW_LINK, CREATE | EXCLUSIVE, &link_header(0, true), &link);
    // Where br_netfilter is on, a packet whose destination a Service changed is bridged on to its
    // new one, and that may be the pod it came from.
    let port = Attributes::default()
        .text(INFO_PORT_KIND, "bridge")
        .nest(INFO_PORT_DATA, &Attributes::default().bytes(PORT_HAIRPIN, &[1]));
    let link = Attributes::default().text(NAME, host).nest(LINK_INFO, &port);
    batch.push(format!("let {host} reach itself"), NEW_LINK, 0, &link_header(0, false), &link);
    socket.transact(&batch)
}

/// Brings up the inside of a pod: loopback, its address, and the way out through the gateway.
pub(super) fn set_up_inside(
    socket: &Socket,
    address: Ipv4Addr,
    gateway: Ipv4Addr,
) -> Result<(), Refused> {
    let find = |name: &str| {
        index(socket, name)
            .map_err(|error| Refused { label: format!("find {name} in the pod"), error })
    };
    let (lo, eth) = (find("lo")?, find("eth0")?);
    let none = Attributes::default();
    let mut batch = Batch::default();
    batch.push("start loopback", NEW_LINK, 0, &link_header(lo, true), &none);
    batch.push("start eth0", NEW_LINK, 0, &link_header(eth, true), &none);
    push_address(&mut batch, eth, address, 32);
    push_route(&mut batch, Some((gateway, 32)), None, eth);
    push_route(&mut batch, None, Some(gateway), eth);
    socket.transact(&batch)
}

/// Sends a subnet's packets to a link.
pub(super) fn route_to(socket: &Socket, subnet: Subnet, link: u32) -> Result<(), Refused> {
    let mut batch = Batch::default();
    push_route(&mut batch, Some((subnet.network(), subnet.prefix())), None, link);
    socket.transact(&batch)
}

/// Removes a link; one that is not there is no fault.
pub(super) fn delete(socket: &Socket, name: &str) -> Result<(), Refused> {
    let mut batch = Batch::default();
    let link = Attributes::default().text(NAME, name);
    batch.push(format!("remove link {name}"), DELETE_LINK, 0, &link_header(0, false), &link);
    match socket.transact(&batch) {
        Err(refused) if refused.error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        result => result,
    }
}

/// The names of the links on a bridge.
pub(super) fn ports(socket: &Socket, bridge: u32) -> io::Result<Vec<String>> {
    let links = socket.dump(GET_LINK, &link_header(0, false), &Attributes::default())?;
    Ok(links
        .iter()
        .filter_map(|body| {
            let attributes = attributes(body.get(16..)?);
            let find = |kind| attributes.iter().find(|(found, _)| *found == kind);
            let (_, master) = find(MASTER)?;
            let (_, name) = find(NAME)?;
            (*master == bridge.to_ne_bytes())
                .then(|| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned())
        })
        .collect())
}

fn push_address(batch: &mut Batch, link: u32, address: Ipv4Addr, prefix: u8) {
    // struct ifaddrmsg
    let mut header = [0; 8];
    header[0] = INET;
    header[1] = prefix;
    header[4..8].copy_from_slice(&link.to_ne_bytes());
    let octets = address.octets();
    let attributes = Attributes::default().bytes(2, &octets).bytes(1, &octets);
    batch.push(
        format!("set address {address}"),
        NEW_ADDRESS,
        CREATE | REPLACE,
        &header,
        &attributes,
    );
}

/// A route to a network (or to everywhere), through a gateway (or directly on the link).
fn push_route(batch: &mut Batch, to: Option<(Ipv4Addr, u8)>, via: Option<Ipv4Addr>, link: u32) {
    const MAIN_TABLE: u8 = 254;
    const BY_AN_ADMINISTRATOR: u8 = 4;
    const ON_THE_LINK: u8 = 253;
    const UNICAST: u8 = 1;
    // struct rtmsg
    let mut header = [0; 12];
    header[0] = INET;
    header[1] = to.map_or(0, |(_, prefix)| prefix);
    header[4] = MAIN_TABLE;
    header[5] = BY_AN_ADMINISTRATOR;
    header[6] = if via.is_some() { 0 } else { ON_THE_LINK };
    header[7] = UNICAST;
    let mut attributes = Attributes::default();
    if let Some((network, _)) = to {
        attributes = attributes.bytes(1, &network.octets());
    }
    if let Some(gateway) = via {
        attributes = attributes.bytes(5, &gateway.octets());
    }
    attributes = attributes.host(4, link);
    batch.push("set a route", NEW_ROUTE, CREATE | REPLACE, &header, &attributes);
}

/// Opens the rtnetlink socket of the current network namespace.
pub(super) fn socket() -> io::Result<Socket> {
    Socket::open(None)
}

/// A file that names a network namespace.
pub(super) fn netns(path: &std::path::Path) -> io::Result<impl AsFd + use<>> {
    std::fs::File::open(path)
}
