//! Random bytes without end from a seed of 32: a search does not hold the render's own source, and
//! two searches can go on side by side.

use super::montgomery::Limbs;
use sha2::{Digest, Sha256};

/// SHA-256 of the seed and a counter.
pub(super) struct Stream {
    seed: [u8; 32],
    counter: u64,
}

impl Stream {
    pub(super) fn new(seed: [u8; 32]) -> Stream {
        Stream { seed, counter: 0 }
    }

    pub(super) fn limbs<const N: usize>(&mut self) -> Limbs<N> {
        let mut limbs = [0; N];
        for four in limbs.chunks_mut(4) {
            let block =
                Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes());
            self.counter += 1;
            let block = block.finalize();
            for (limb, bytes) in four.iter_mut().zip(block.chunks_exact(8)) {
                *limb = u64::from_be_bytes(bytes.try_into().expect("eight of them"));
            }
        }
        limbs
    }
}
