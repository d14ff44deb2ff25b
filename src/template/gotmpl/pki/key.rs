//! Private keys: made from random bytes, read from PEM, written as Go writes them, and used.

use super::der::{self, Reader};
use super::montgomery::Limbs;
use super::prime;
use super::stream::Stream;
use super::{Bytes, pem};
use aws_lc_rs::agreement;
use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use num_bigint::BigUint;

/// A private key.
pub(super) enum Key {
    /// Its encoding by PKCS #1, with its public part.
    Rsa { private: Vec<u8>, public: Vec<u8> },
    /// A curve and the number that is the key.
    Ec(&'static Curve, Vec<u8>),
    /// The seed.
    Ed25519([u8; 32]),
    /// Its encoding by OpenSSL.
    Dsa(Vec<u8>),
}

/// An elliptic curve of NIST.
pub(super) struct Curve {
    bytes: usize,
    oid: &'static [u32],
    order: &'static str,
    agreement: &'static agreement::Algorithm,
    signature_oid: &'static [u32],
    digest: &'static digest::Algorithm,
}

static CURVES: [Curve; 3] = [
    Curve {
        bytes: 32,
        oid: &[1, 2, 840, 10045, 3, 1, 7],
        order: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        agreement: &agreement::ECDH_P256,
        signature_oid: &[1, 2, 840, 10045, 4, 3, 2],
        digest: &digest::SHA256,
    },
    Curve {
        bytes: 48,
        oid: &[1, 3, 132, 0, 34],
        order: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        agreement: &agreement::ECDH_P384,
        signature_oid: &[1, 2, 840, 10045, 4, 3, 3],
        digest: &digest::SHA384,
    },
    Curve {
        bytes: 66,
        oid: &[1, 3, 132, 0, 35],
        order: "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        agreement: &agreement::ECDH_P521,
        signature_oid: &[1, 2, 840, 10045, 4, 3, 4],
        digest: &digest::SHA512,
    },
];

const RSA: &[u32] = &[1, 2, 840, 113_549, 1, 1, 1];
const RSA_SHA256: &[u32] = &[1, 2, 840, 113_549, 1, 1, 11];
const EC: &[u32] = &[1, 2, 840, 10045, 2, 1];
const ED25519: &[u32] = &[1, 3, 101, 112];
const EXPONENT: u32 = 65537;

impl Key {
    /// A new RSA key with two primes of `64 * N` bits.
    pub(super) fn rsa<const N: usize>(random: &mut Bytes<'_>) -> Key {
        loop {
            let mut streams = [random(), random()].map(Stream::new);
            let [p, q] = prime::random::<N, 2>(&mut streams, &|prime| {
                // the exponent is to have an inverse
                big(prime) % EXPONENT != BigUint::from(1u8)
            });
            // FIPS 186-5, A.1.3: the first hundred bits are not to be the same
            let start =
                |prime: &Limbs<N>| u128::from(prime[N - 1]) << 64 | u128::from(prime[N - 2]);
            if start(&p).abs_diff(start(&q)) >> 28 != 0 {
                return rsa_of(&big(&p), &big(&q));
            }
        }
    }

    /// A new DSA key of 2048 bits, whose subgroup has 256.
    pub(super) fn dsa(random: &mut Bytes<'_>) -> Key {
        let mut stream = Stream::new(random());
        let [order] = prime::random::<4, 1>(std::array::from_mut(&mut stream), &|_| true);
        let order = big(&order);
        let twice = &order * 2u8;
        let step: Limbs<32> = limbs(&twice);
        let modulus = loop {
            let mut start = stream.limbs::<32>();
            start[31] |= 1 << 63;
            let start = big(&start);
            // one more than a multiple of the order
            let start = &start - (&start % &twice) + 1u8;
            if start.bits() != 2048 {
                continue;
            }
            if let Some(prime) = prime::in_progression(limbs(&start), step, &mut stream) {
                break big(&prime);
            }
        };
        let exponent = (&modulus - 1u8) / &order;
        let one = BigUint::from(1u8);
        let generator = (2..=u8::MAX)
            .map(|base| BigUint::from(base).modpow(&exponent, &modulus))
            .find(|power| *power != one)
            .expect("nearly every base will do");
        let private = below(&order, 32, &mut || big(&stream.limbs::<4>()).to_bytes_be());
        let public = generator.modpow(&private, &modulus);
        let numbers = [modulus, order, generator, public, private]
            .map(|number| der::integer(&number.to_bytes_be()));
        Key::Dsa(der::sequence(&[&der::integer(&[]), &numbers.concat()]))
    }

    /// A new key on the curve P-256.
    pub(super) fn ec(random: &mut Bytes<'_>) -> Key {
        let curve = &CURVES[0];
        Key::Ec(curve, curve.scalar(random))
    }

    /// A new key of Ed25519.
    pub(super) fn ed25519(random: &mut Bytes<'_>) -> Key {
        Key::Ed25519(random())
    }

    /// Reads a key from the first block of PEM in a text.
    pub(super) fn read(text: &[u8]) -> Result<Key, String> {
        let (kind, bytes) = pem::decode(text).ok_or("no PEM data in input")?;
        if kind == "PRIVATE KEY" {
            return pkcs8(&bytes).ok_or_else(|| {
                "decoding PEM as PKCS#8: asn1: structure error: tags don't match".to_owned()
            });
        }
        let Some(algorithm) = kind.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {kind}"));
        };
        let key = match algorithm {
            "RSA" => pkcs1(&bytes),
            "EC" => sec1(&bytes, None),
            "DSA" => Reader::new(&bytes).sequence().is_some().then_some(Key::Dsa(bytes)),
            _ => return Err(format!("invalid private key type {algorithm}")),
        };
        key.ok_or_else(|| {
            format!(
                "parsing {algorithm} private key from PEM: asn1: structure error: tags don't match"
            )
        })
    }

    /// The key as PEM.
    pub(super) fn pem(&self) -> String {
        match self {
            Key::Rsa { private, .. } => pem::encode("RSA PRIVATE KEY", private),
            Key::Dsa(bytes) => pem::encode("DSA PRIVATE KEY", bytes),
            Key::Ec(curve, scalar) => {
                let point = der::bits(&curve.point(scalar).unwrap_or_default());
                let bytes = der::sequence(&[
                    &der::integer(&[1]),
                    &der::value(der::OCTET_STRING, scalar),
                    &der::value(der::around(0), &der::oid(curve.oid)),
                    &der::value(der::around(1), &point),
                ]);
                pem::encode("EC PRIVATE KEY", &bytes)
            }
            Key::Ed25519(seed) => {
                let seed = der::value(der::OCTET_STRING, seed);
                let bytes = der::sequence(&[
                    &der::integer(&[]),
                    &der::sequence(&[&der::oid(ED25519)]),
                    &der::value(der::OCTET_STRING, &seed),
                ]);
                pem::encode("PRIVATE KEY", &bytes)
            }
        }
    }

    /// The algorithm and the bits of the public key; nothing for keys that cannot sign
    /// certificates.
    pub(super) fn public(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        Some(match self {
            Key::Rsa { public, .. } => {
                (der::sequence(&[&der::oid(RSA), der::NULL]), public.clone())
            }
            Key::Ec(curve, scalar) => {
                (der::sequence(&[&der::oid(EC), &der::oid(curve.oid)]), curve.point(scalar)?)
            }
            Key::Ed25519(seed) => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
                (der::sequence(&[&der::oid(ED25519)]), pair.public_key().as_ref().to_vec())
            }
            Key::Dsa(_) => return None,
        })
    }

    /// The algorithm of signatures and the signature of a message.
    pub(super) fn sign(
        &self,
        message: &[u8],
        random: &mut Bytes<'_>,
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        let algorithm = self.signature_algorithm()?;
        let signature = match self {
            Key::Rsa { private, .. } => {
                let pair = RsaKeyPair::from_der(private).ok()?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
                signature
            }
            Key::Ec(curve, scalar) => curve.sign(scalar, message, random)?,
            Key::Ed25519(seed) => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
                pair.sign(message).as_ref().to_vec()
            }
            Key::Dsa(_) => return None,
        };
        Some((algorithm, signature))
    }

    /// The algorithm of its signatures.
    pub(super) fn signature_algorithm(&self) -> Option<Vec<u8>> {
        Some(match self {
            Key::Rsa { .. } => der::sequence(&[&der::oid(RSA_SHA256), der::NULL]),
            Key::Ec(curve, _) => der::sequence(&[&der::oid(curve.signature_oid)]),
            Key::Ed25519(_) => der::sequence(&[&der::oid(ED25519)]),
            Key::Dsa(_) => return None,
        })
    }
}

impl Curve {
    fn order(&self) -> BigUint {
        BigUint::parse_bytes(self.order.as_bytes(), 16).expect("a number to base 16")
    }

    /// A random number from 1 to the order of the curve.
    fn scalar(&self, random: &mut Bytes<'_>) -> Vec<u8> {
        let order = self.order();
        let excess = self.bytes * 8 - usize::try_from(order.bits()).expect("a few hundred");
        let number = below(&order, self.bytes, &mut || {
            let mut bytes = [random(), random(), random()].concat();
            bytes.truncate(self.bytes);
            bytes[0] &= 0xFF >> excess;
            bytes
        });
        padded(&number, self.bytes)
    }

    /// The public key, uncompressed.
    fn point(&self, scalar: &[u8]) -> Option<Vec<u8>> {
        let key = agreement::PrivateKey::from_private_key(self.agreement, scalar).ok()?;
        Some(key.compute_public_key().ok()?.as_ref().to_vec())
    }

    /// ECDSA with a number from the render's own source, which a library would not take.
    fn sign(&self, scalar: &[u8], message: &[u8], random: &mut Bytes<'_>) -> Option<Vec<u8>> {
        let order = self.order();
        let hash = BigUint::from_bytes_be(digest(self.digest, message).as_ref());
        let private = BigUint::from_bytes_be(scalar);
        loop {
            let secret = self.scalar(random);
            let point = self.point(&secret)?;
            let r = BigUint::from_bytes_be(&point[1..=self.bytes]) % &order;
            let inverse = BigUint::from_bytes_be(&secret).modinv(&order)?;
            let s = inverse * (&hash + &r * &private) % &order;
            if r.bits() > 0 && s.bits() > 0 {
                let numbers = [r, s].map(|number| der::integer(&number.to_bytes_be()));
                return Some(der::sequence(&[&numbers[0], &numbers[1]]));
            }
        }
    }
}

/// A number from 1 to a limit, from bytes that are drawn until they fit.
fn below(limit: &BigUint, length: usize, draw: &mut dyn FnMut() -> Vec<u8>) -> BigUint {
    loop {
        let mut bytes = draw();
        bytes.truncate(length);
        let number = BigUint::from_bytes_be(&bytes);
        if number.bits() > 0 && number < *limit {
            return number;
        }
    }
}

fn padded(number: &BigUint, length: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; length - bytes.len()], bytes].concat()
}

fn big<const N: usize>(limbs: &Limbs<N>) -> BigUint {
    BigUint::from_bytes_be(
        &limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect::<Vec<_>>(),
    )
}

fn limbs<const N: usize>(number: &BigUint) -> Limbs<N> {
    let mut limbs = [0; N];
    for (limb, digit) in limbs.iter_mut().zip(number.iter_u64_digits()) {
        *limb = digit;
    }
    limbs
}

/// The key of two primes.
fn rsa_of(first: &BigUint, second: &BigUint) -> Key {
    let (below_first, below_second) = (first - 1u8, second - 1u8);
    let exponent = BigUint::from(EXPONENT);
    let modulus = first * second;
    let common = &below_first * &below_second / gcd(&below_first, &below_second);
    let private = exponent.modinv(&common).expect("the primes were chosen so");
    let inverse = second.modinv(first).expect("primes have no common divisor");
    let rests = [&private % &below_first, &private % &below_second];
    let numbers = [&modulus, &exponent, &private, first, second, &rests[0], &rests[1], &inverse];
    let numbers = numbers.map(|number| der::integer(&number.to_bytes_be()));
    Key::Rsa {
        private: der::sequence(&[&der::integer(&[]), &numbers.concat()]),
        public: der::sequence(&[&numbers[0], &numbers[1]]),
    }
}

fn gcd(left: &BigUint, right: &BigUint) -> BigUint {
    let (mut left, mut right) = (left.clone(), right.clone());
    while right.bits() > 0 {
        (left, right) = (right.clone(), left % right);
    }
    left
}

fn pkcs1(bytes: &[u8]) -> Option<Key> {
    let mut outer = Reader::new(bytes);
    let mut key = outer.sequence()?;
    key.integer()?;
    let (n, e) = (key.integer()?, key.integer()?);
    for _ in 0..6 {
        key.integer()?;
    }
    if !outer.is_empty() {
        return None;
    }
    let public = der::sequence(&[&der::integer(n), &der::integer(e)]);
    Some(Key::Rsa { private: bytes.to_vec(), public })
}

/// A key on a curve, which is either told in it or around it.
fn sec1(bytes: &[u8], curve: Option<&'static Curve>) -> Option<Key> {
    let mut key = Reader::new(bytes).sequence()?;
    key.integer()?;
    let scalar = key.value(der::OCTET_STRING)?;
    let named = key.optional(der::around(0)).and_then(|oid| named_curve(&mut Reader::new(oid)));
    let curve = curve.or(named)?;
    let number = BigUint::from_bytes_be(scalar);
    let fits = number.bits() > 0 && number < curve.order();
    fits.then(|| Key::Ec(curve, padded(&number, curve.bytes)))
}

fn named_curve(reader: &mut Reader<'_>) -> Option<&'static Curve> {
    let (_, oid) = reader.any()?;
    CURVES.iter().find(|curve| der::oid(curve.oid) == oid)
}

fn pkcs8(bytes: &[u8]) -> Option<Key> {
    let mut key = Reader::new(bytes).sequence()?;
    key.integer()?;
    let mut algorithm = key.sequence()?;
    let (_, oid) = algorithm.any()?;
    let content = key.value(der::OCTET_STRING)?;
    if oid == der::oid(RSA) {
        pkcs1(content)
    } else if oid == der::oid(EC) {
        sec1(content, named_curve(&mut algorithm))
    } else if oid == der::oid(ED25519) {
        let seed = Reader::new(content).value(der::OCTET_STRING)?;
        Some(Key::Ed25519(seed.try_into().ok()?))
    } else {
        None
    }
}
