//! The key derivation `scrypt` (RFC 7914), with the parameters that `derivePassword` has.

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use std::num::NonZeroU32;

const BLOCK_SIZE: usize = 8;
const COST: usize = 32768;
const PARALLEL: usize = 2;
/// Words of a block.
const WORDS: usize = 32 * BLOCK_SIZE;

/// A key of 64 bytes from a password and a salt.
pub(super) fn derive(password: &[u8], salt: &[u8]) -> [u8; 64] {
    let mut bytes = vec![0; PARALLEL * WORDS * 4];
    pbkdf2(password, salt, &mut bytes);
    for part in bytes.chunks_mut(WORDS * 4) {
        mix(part);
    }
    let mut key = [0; 64];
    pbkdf2(password, &bytes, &mut key);
    key
}

fn pbkdf2(password: &[u8], salt: &[u8], out: &mut [u8]) {
    pbkdf2::derive(PBKDF2_HMAC_SHA256, NonZeroU32::MIN, salt, password, out);
}

/// ROMix: fills a table from the block, then mixes the block with entries that it names itself.
fn mix(bytes: &mut [u8]) {
    let mut block = [0u32; WORDS];
    for (word, bytes) in block.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_le_bytes(bytes.try_into().expect("four of them"));
    }
    let mut table = Vec::with_capacity(COST * WORDS);
    for _ in 0..COST {
        table.extend_from_slice(&block);
        block = mix_block(&block);
    }
    for _ in 0..COST {
        let index = usize::try_from(block[WORDS - 16]).expect("32 bits") % COST;
        for (word, other) in block.iter_mut().zip(&table[index * WORDS..]) {
            *word ^= other;
        }
        block = mix_block(&block);
    }
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(block) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}

/// BlockMix: each part of 64 bytes is mixed with the one before, even ones come first.
fn mix_block(block: &[u32; WORDS]) -> [u32; WORDS] {
    let mut out = [0; WORDS];
    let mut last: [u32; 16] = block[WORDS - 16..].try_into().expect("sixteen words");
    for (index, part) in block.chunks_exact(16).enumerate() {
        for (word, other) in last.iter_mut().zip(part) {
            *word ^= other;
        }
        salsa(&mut last);
        let place = index / 2 + index % 2 * BLOCK_SIZE;
        out[place * 16..][..16].copy_from_slice(&last);
    }
    out
}

/// The core of Salsa20 with eight rounds.
fn salsa(words: &mut [u32; 16]) {
    let mut x = *words;
    let mut quarter = |a: usize, b: usize, c: usize, d: usize| {
        x[b] ^= x[a].wrapping_add(x[d]).rotate_left(7);
        x[c] ^= x[b].wrapping_add(x[a]).rotate_left(9);
        x[d] ^= x[c].wrapping_add(x[b]).rotate_left(13);
        x[a] ^= x[d].wrapping_add(x[c]).rotate_left(18);
    };
    for _ in 0..4 {
        quarter(0, 4, 8, 12);
        quarter(5, 9, 13, 1);
        quarter(10, 14, 2, 6);
        quarter(15, 3, 7, 11);
        quarter(0, 1, 2, 3);
        quarter(5, 6, 7, 4);
        quarter(10, 11, 8, 9);
        quarter(15, 12, 13, 14);
    }
    for (word, mixed) in words.iter_mut().zip(x) {
        *word = word.wrapping_add(mixed);
    }
}

#[cfg(test)]
mod tests {
    use super::salsa;

    /// The example of RFC 7914, section 8.
    #[test]
    fn salsa_of_the_specification() {
        let bytes: Vec<u8> = (0..64)
            .map(|i| u8::from_str_radix(&INPUT[2 * i..2 * i + 2], 16).expect("hex"))
            .collect();
        let mut words = [0u32; 16];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_le_bytes(bytes.try_into().expect("four"));
        }
        salsa(&mut words);
        assert_eq!(words[0].to_le_bytes(), [0xa4, 0x1f, 0x85, 0x9c]);
        assert_eq!(words[15].to_le_bytes(), [0xc7, 0x61, 0x8f, 0x81]);
    }

    const INPUT: &str = "7e879a214f3ec9867ca940e641718f26baee555b8c61c1b50df846116dcd3b1dee24f319df9b3d8514121e4b5ac5aa3276021d2909c74829edebc68db8b8c25e";
}
