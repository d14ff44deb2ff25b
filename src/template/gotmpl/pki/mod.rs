//! Keys and certificates as charts make them, from a source of random bytes: the same bytes give
//! the same keys, certificates and signatures.
//!
//! What Go's `crypto/x509` writes is written here, field by field. Signatures and hashes are those
//! of a library; primes are searched for here, because no library searches in bytes that it is given.

mod certificate;
mod der;
mod key;
mod lanes;
mod montgomery;
mod pem;
mod prime;
mod sieve;
mod stream;

#[cfg(test)]
mod tests;

pub use certificate::{Certificate, Request, check_pair};

use key::Key;

/// Draws 32 random bytes.
pub type Bytes<'a> = dyn FnMut() -> [u8; 32] + 'a;

/// A new private key as PEM; nothing for a kind that is not known.
#[must_use]
pub fn private_key(kind: &[u8], random: &mut Bytes<'_>) -> Option<String> {
    let key = match kind {
        b"" | b"rsa" => Key::rsa::<32>(random),
        b"dsa" => Key::dsa(random),
        b"ecdsa" => Key::ec(random),
        b"ed25519" => Key::ed25519(random),
        _ => return None,
    };
    Some(key.pem())
}
