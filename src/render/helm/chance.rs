//! Chance and time of a render. Both are given by whoever asks for it, so that the same request
//! always gives the same bytes.

use crate::template::gotmpl::World;
use crate::template::gotmpl::world::{Lookup, Random};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::net::ToSocketAddrs;
use std::sync::Arc;

/// Where random values come from, and what time it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chance {
    /// What random values are made from.
    pub seed: [u8; 32],
    /// The time, in nanoseconds since 1970.
    pub now: i64,
    /// Name of the local time zone.
    pub zone: String,
}

impl Default for Chance {
    fn default() -> Chance {
        Chance::reproducible("")
    }
}

impl Chance {
    /// The chance that a text stands for: the same text gives the same values, at the beginning
    /// of 2024.
    #[must_use]
    pub fn reproducible(seed: &str) -> Chance {
        Chance {
            seed: Sha256::digest(seed.as_bytes()).into(),
            now: 1_704_067_200_000_000_000,
            zone: "UTC".to_owned(),
        }
    }

    pub(super) fn world(&self, cluster: Option<Arc<dyn Lookup>>, resolves: bool) -> World {
        World {
            now: self.now,
            zone: self.zone.clone(),
            random: RefCell::new(Box::new(Stream { seed: self.seed, block: 0, left: Vec::new() })),
            cluster,
            resolve: resolves.then_some(resolve),
        }
    }
}

/// The first address of a host, or nothing.
fn resolve(host: &str) -> String {
    let found = (host, 0).to_socket_addrs().ok().and_then(|mut found| found.next());
    found.map(|address| address.ip().to_string()).unwrap_or_default()
}

/// Bytes of SHA-256 over the seed and a counter.
struct Stream {
    seed: [u8; 32],
    block: u64,
    left: Vec<u8>,
}

impl Random for Stream {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.left.is_empty() {
                let mut hasher = Sha256::new();
                hasher.update(self.seed);
                hasher.update(self.block.to_le_bytes());
                self.left = hasher.finalize().to_vec();
                self.block += 1;
            }
            *byte = self.left.pop().expect("it was filled just above");
        }
    }
}
