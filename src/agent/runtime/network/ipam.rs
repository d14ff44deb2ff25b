//! Addresses of pods: which subnet, which are free.
//!
//! Nothing of its own is on disk: an address is taken as long as a sandbox's record names it, so
//! that no list can disagree with what exists.

use super::super::error::RuntimeError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 network as `address/prefix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    network: u32,
    prefix: u8,
}

impl Subnet {
    /// How many leading bits are the network's.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The network's own address.
    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network)
    }

    /// The first address: the host's side of the bridge.
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network + 1)
    }

    /// The bits of the network as an address.
    pub fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::MAX << (32 - u32::from(self.prefix)))
    }

    /// Whether the address belongs to it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & u32::from(self.mask()) == self.network
    }

    fn last(self) -> u32 {
        self.network | !u32::from(self.mask())
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Subnet, String> {
        let fault = || {
            format!(
                "`{text}` is no subnet; expected an IPv4 address and a prefix of 8 to 29, such as 10.42.0.0/16"
            )
        };
        let (address, prefix) = text.split_once('/').ok_or_else(fault)?;
        let address: Ipv4Addr = address.parse().map_err(|_| fault())?;
        let prefix: u8 = prefix.parse().map_err(|_| fault())?;
        if !(8..=29).contains(&prefix) {
            return Err(fault());
        }
        let mask = u32::MAX << (32 - u32::from(prefix));
        Ok(Subnet { network: u32::from(address) & mask, prefix })
    }
}

impl TryFrom<String> for Subnet {
    type Error = String;

    fn try_from(text: String) -> Result<Subnet, String> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> String {
        subnet.to_string()
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.prefix)
    }
}

/// Gives out the addresses of a subnet.
#[derive(Debug)]
pub(crate) struct Pool {
    subnet: Subnet,
    taken: BTreeSet<u32>,
    /// The address given last: the search goes on from there, so that an address rests before it is
    /// used again.
    last: u32,
}

impl Pool {
    pub(crate) fn new(subnet: Subnet) -> Pool {
        Pool { subnet, taken: BTreeSet::new(), last: subnet.network + 1 }
    }

    /// Marks an address that a sandbox found on disk has.
    pub(crate) fn take(&mut self, address: Ipv4Addr) {
        self.taken.insert(address.into());
        self.last = self.last.max(address.into()).min(self.subnet.last() - 1);
    }

    /// Gives a free address.
    pub(crate) fn allocate(&mut self) -> Result<Ipv4Addr, RuntimeError> {
        let (first, end) = (self.subnet.network + 2, self.subnet.last());
        let free = (self.last + 1..end)
            .chain(first..end.min(self.last + 1))
            .find(|address| !self.taken.contains(address))
            .ok_or_else(|| RuntimeError::AddressesExhausted { subnet: self.subnet.to_string() })?;
        self.taken.insert(free);
        self.last = free;
        Ok(free.into())
    }

    /// Takes an address back.
    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets() {
        let subnet: Subnet = "10.42.3.4/16".parse().expect("a subnet");
        assert_eq!(subnet.to_string(), "10.42.0.0/16");
        assert_eq!(subnet.gateway(), Ipv4Addr::new(10, 42, 0, 1));
        assert!(subnet.contains(Ipv4Addr::new(10, 42, 255, 1)));
        assert!(!subnet.contains(Ipv4Addr::new(10, 43, 0, 1)));
        for bad in ["10.42.0.0", "10.42.0.0/31", "10.42.0/16", "x/16", "10.0.0.0/-1"] {
            let fault = bad.parse::<Subnet>().expect_err(bad);
            assert!(fault.contains("is no subnet"), "{fault}");
        }
    }

    #[test]
    fn addresses_rest_before_they_are_used_again() {
        let mut pool = Pool::new("10.0.0.0/29".parse().expect("a subnet"));
        let ip = |last| Ipv4Addr::new(10, 0, 0, last);
        assert_eq!(pool.allocate().expect("free"), ip(2));
        pool.release(ip(2));
        for last in 3..=6 {
            assert_eq!(pool.allocate().expect("free"), ip(last));
        }
        assert_eq!(pool.allocate().expect("free"), ip(2));
        let fault = pool.allocate().expect_err("none is left");
        assert_eq!(fault.to_string(), "no free address is left in the pod subnet 10.0.0.0/29");
        let mut found = Pool::new("10.0.0.0/29".parse().expect("a subnet"));
        found.take(ip(3));
        assert_eq!(found.allocate().expect("free"), ip(4));
    }
}
