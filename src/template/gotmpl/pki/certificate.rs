//! Certificates: what is asked of one, and what Go makes of it.

use super::der::{self, Reader};
use super::key::Key;
use super::{Bytes, pem};
use crate::template::gotmpl::fmt::quote::quote;
use crate::template::gotmpl::time::Time;
use crate::template::gotmpl::time::zone::Zone;
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// A certificate and its private key, both as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate.
    pub cert: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

/// What a new certificate is to be.
#[derive(Debug)]
pub struct Request<'a> {
    /// The common name of its subject.
    pub name: &'a [u8],
    /// The addresses it is for.
    pub addresses: Vec<IpAddr>,
    /// The names it is for.
    pub names: Vec<Vec<u8>>,
    /// How long it is valid, in days.
    pub days: i64,
    /// When that begins, in nanoseconds since 1970.
    pub now: i64,
    /// True for one that signs others.
    pub authority: bool,
    /// The private key as PEM; a new one is made without it.
    pub key: Option<&'a [u8]>,
}

/// Who signs.
struct Issuer {
    subject: Vec<u8>,
    key_id: Vec<u8>,
}

const COMMON_NAME: &[u32] = &[2, 5, 4, 3];
const SUBJECT_KEY_ID: &[u32] = &[2, 5, 29, 14];
const KEY_USAGE: &[u32] = &[2, 5, 29, 15];
const ALTERNATIVE_NAMES: &[u32] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u32] = &[2, 5, 29, 19];
const AUTHORITY_KEY_ID: &[u32] = &[2, 5, 29, 35];
const EXTENDED_KEY_USAGE: &[u32] = &[2, 5, 29, 37];
const SERVER: &[u32] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
const CLIENT: &[u32] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];

const DAY: i64 = 86_400 * 1_000_000_000;
const MALFORMED: &str = "error parsing certificate: decodedCert.Bytes: x509: malformed certificate";

impl Request<'_> {
    /// A certificate that its own key signs.
    ///
    /// # Errors
    /// Go's text.
    pub fn self_signed(&self, random: &mut Bytes<'_>) -> Result<Certificate, String> {
        let key = self.key(random)?;
        let serial = random();
        let issuer = Issuer { subject: self.subject()?, key_id: Vec::new() };
        self.signed(&key, serial, &issuer, &key, random)
    }

    /// A certificate that an authority signs.
    ///
    /// # Errors
    /// Go's text.
    pub fn signed_by(
        &self,
        authority: &Certificate,
        random: &mut Bytes<'_>,
    ) -> Result<Certificate, String> {
        let key = self.key(random)?;
        let (_, bytes) = pem::decode(&authority.cert).ok_or("unable to decode certificate")?;
        let (issuer, public) = parse(&bytes).ok_or(MALFORMED)?;
        let signer = Key::read(&authority.key)
            .map_err(|message| format!("error parsing private key: {message}"))?;
        let serial = random();
        if signer
            .public()
            .is_some_and(|(algorithm, bits)| subject_public(&algorithm, &bits) != public)
        {
            return Err("error creating certificate: x509: provided PrivateKey doesn't match \
                        parent's PublicKey"
                .to_owned());
        }
        self.signed(&key, serial, &issuer, &signer, random)
    }

    fn key(&self, random: &mut Bytes<'_>) -> Result<Key, String> {
        match self.key {
            Some(text) => {
                Key::read(text).map_err(|message| format!("parsing private key: {message}"))
            }
            None => Ok(Key::rsa::<16>(random)),
        }
    }

    fn signed(
        &self,
        key: &Key,
        serial: [u8; 32],
        issuer: &Issuer,
        signer: &Key,
        random: &mut Bytes<'_>,
    ) -> Result<Certificate, String> {
        const NO_SIGNER: &str = "error creating certificate: x509: certificate private key does \
                                 not implement crypto.Signer";
        let algorithm = signer.signature_algorithm().ok_or(NO_SIGNER)?;
        let (public_algorithm, public) = key.public().ok_or(
            "error creating certificate: x509: unsupported public key type: *dsa.PublicKey",
        )?;
        let subject = self.subject()?;
        let extensions = self.extensions(&subject, issuer, &public)?;
        let contents = der::sequence(&[
            &der::value(der::around(0), &der::integer(&[2])),
            &der::integer(&serial[..16]),
            &algorithm,
            &issuer.subject,
            &self.validity()?,
            &subject,
            &subject_public(&public_algorithm, &public),
            &der::value(der::around(3), &extensions),
        ]);
        let (algorithm, signature) = signer.sign(&contents, random).ok_or(NO_SIGNER)?;
        let whole = der::sequence(&[&contents, &algorithm, &der::bits(&signature)]);
        Ok(Certificate {
            cert: pem::encode("CERTIFICATE", &whole).into_bytes(),
            key: key.pem().into_bytes(),
        })
    }

    fn subject(&self) -> Result<Vec<u8>, String> {
        if self.name.is_empty() {
            return Ok(der::sequence(&[]));
        }
        let printable = |byte: &u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(byte);
        let tag = if self.name.iter().all(printable) {
            der::PRINTABLE_STRING
        } else if std::str::from_utf8(self.name).is_ok() {
            der::UTF8_STRING
        } else {
            return Err("error creating certificate: asn1: string not valid UTF-8".to_owned());
        };
        let name = der::sequence(&[&der::oid(COMMON_NAME), &der::value(tag, self.name)]);
        Ok(der::sequence(&[&der::value(der::SET, &name)]))
    }

    fn validity(&self) -> Result<Vec<u8>, String> {
        let begin = Time::unix_nanos(self.now, Zone::Utc);
        let end = begin.add(DAY.wrapping_mul(self.days));
        Ok(der::sequence(&[&moment(&begin)?, &moment(&end)?]))
    }

    /// The extensions, in Go's order.
    fn extensions(
        &self,
        subject: &[u8],
        issuer: &Issuer,
        public: &[u8],
    ) -> Result<Vec<u8>, String> {
        // digital signature and key encipherment, and for authorities signing of certificates
        let usage: &[u8] = if self.authority { &[2, 0xA4] } else { &[5, 0xA0] };
        let constraints =
            if self.authority { der::sequence(&[der::TRUE]) } else { der::sequence(&[]) };
        let purposes = der::sequence(&[&der::oid(SERVER), &der::oid(CLIENT)]);
        let mut all = vec![
            extension(KEY_USAGE, true, &der::value(der::BIT_STRING, usage)),
            extension(EXTENDED_KEY_USAGE, false, &purposes),
            extension(BASIC_CONSTRAINTS, true, &constraints),
        ];
        if self.authority {
            let id = der::value(der::OCTET_STRING, &Sha256::digest(public)[..20]);
            all.push(extension(SUBJECT_KEY_ID, false, &id));
        }
        if issuer.subject != subject && !issuer.key_id.is_empty() {
            let id = der::value(der::implicit(0), &issuer.key_id);
            all.push(extension(AUTHORITY_KEY_ID, false, &der::sequence(&[&id])));
        }
        if !self.names.is_empty() || !self.addresses.is_empty() {
            // without a subject the names are all there is
            let critical = subject == der::sequence(&[]);
            all.push(extension(ALTERNATIVE_NAMES, critical, &self.alternative_names()?));
        }
        Ok(der::value(der::SEQUENCE, &all.concat()))
    }

    fn alternative_names(&self) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        for name in &self.names {
            if !name.is_ascii() {
                return Err(format!(
                    "error creating certificate: x509: {} cannot be encoded as an IA5String",
                    quote(name)
                ));
            }
            all.extend(der::value(der::implicit(2), name));
        }
        for address in &self.addresses {
            all.extend(match address.to_canonical() {
                IpAddr::V4(address) => der::value(der::implicit(7), &address.octets()),
                IpAddr::V6(address) => der::value(der::implicit(7), &address.octets()),
            });
        }
        Ok(der::value(der::SEQUENCE, &all))
    }
}

fn extension(oid: &[u32], critical: bool, content: &[u8]) -> Vec<u8> {
    let content = der::value(der::OCTET_STRING, content);
    der::sequence(&[&der::oid(oid), if critical { der::TRUE } else { &[] }, &content])
}

fn subject_public(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
    der::sequence(&[algorithm, &der::bits(bits)])
}

/// A time: two digits of the year until 2049.
fn moment(time: &Time) -> Result<Vec<u8>, String> {
    let year = time.format(b"2006");
    let short = b"1950"[..] <= year[..] && year[..] <= b"2049"[..];
    if year.len() != 4 {
        return Err("error creating certificate: asn1: structure error: cannot represent time as \
                    GeneralizedTime"
            .to_owned());
    }
    Ok(if short {
        der::value(der::UTC_TIME, &time.format(b"060102150405Z"))
    } else {
        der::value(der::GENERALIZED_TIME, &time.format(b"20060102150405Z"))
    })
}

/// What signing needs to know of an authority's certificate: who it is, and its public key.
fn parse(bytes: &[u8]) -> Option<(Issuer, Vec<u8>)> {
    let mut outer = Reader::new(bytes);
    let mut certificate = outer.sequence()?;
    let mut contents = certificate.sequence()?;
    contents.optional(der::around(0));
    contents.value(der::INTEGER)?;
    contents.sequence()?;
    contents.sequence()?;
    contents.sequence()?;
    let (_, subject) = contents.any()?;
    let (_, public) = contents.any()?;
    let mut key_id = Vec::new();
    while let Some(tag) = contents.tag() {
        let (content, _) = contents.any()?;
        if tag == der::around(3) {
            key_id = find_key_id(content).unwrap_or_default();
        }
    }
    if !outer.is_empty() {
        return None;
    }
    Some((Issuer { subject: subject.to_vec(), key_id }, public.to_vec()))
}

fn find_key_id(extensions: &[u8]) -> Option<Vec<u8>> {
    let mut extensions = Reader::new(extensions).sequence()?;
    while !extensions.is_empty() {
        let mut extension = extensions.sequence()?;
        let (_, oid) = extension.any()?;
        if oid == der::oid(SUBJECT_KEY_ID) {
            let content = extension.value(der::OCTET_STRING)?;
            return Reader::new(content).value(der::OCTET_STRING).map(<[u8]>::to_vec);
        }
    }
    None
}

/// Fails unless the texts are a certificate and a private key.
///
/// # Errors
/// Go's text.
pub fn check_pair(pair: &Certificate) -> Result<(), String> {
    let (_, bytes) = pem::decode(&pair.cert).ok_or("unable to decode certificate")?;
    parse(&bytes).ok_or(MALFORMED)?;
    Key::read(&pair.key).map_err(|message| format!("error parsing private key: {message}"))?;
    Ok(())
}
