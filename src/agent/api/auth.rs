//! Who asks: the subject of a client certificate that the agent's authority signed, or the holder
//! of a bearer token. What they may do is not looked at: every identity here is an administrator.

use crate::base::digest::Digest;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// A caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// The user's name.
    pub(crate) user: String,
    /// Groups, as the certificate names them.
    pub(crate) groups: Vec<String>,
}

/// What callers are checked against.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// The digest of the administrator's token: comparing digests takes the same time for every
    /// wrong token.
    token: Digest,
}

impl Authenticator {
    pub(crate) fn new(token: &str) -> Authenticator {
        Authenticator { token: Digest::of(token.as_bytes()) }
    }

    /// The caller, when a certificate or a token says who it is. A wrong token is not made good by
    /// a certificate.
    pub(crate) fn identify(
        &self,
        certificate: Option<&Identity>,
        headers: &HeaderMap,
    ) -> Option<Identity> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(header) = header else { return certificate.cloned() };
        let token = header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("bearer "))?;
        (Digest::of(token.trim().as_bytes()) == self.token).then(|| Identity {
            user: "wharf-admin".into(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
        })
    }
}

/// The subject of a certificate: its common name is the user, its organizations are the groups.
/// The certificate has been verified by TLS before.
pub(crate) fn subject(certificate: &[u8]) -> Option<Identity> {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
    let mut body = element(element(certificate)?.0)?.0;
    // version (tagged), serial number, algorithm, issuer, validity, subject: RFC 5280, 4.1
    if body.first() == Some(&0xa0) {
        body = element(body)?.1;
    }
    for _ in 0..4 {
        body = element(body)?.1;
    }
    let mut names = element(body)?.0;
    let mut user = None;
    let mut groups = Vec::new();
    while !names.is_empty() {
        let (set, rest) = element(names)?;
        names = rest;
        let (kind, value) = element(element(set)?.0)?;
        let text = std::str::from_utf8(element(value)?.0).ok()?.to_owned();
        match kind {
            COMMON_NAME => user = Some(text),
            ORGANIZATION => groups.push(text),
            _ => {}
        }
    }
    groups.push("system:authenticated".into());
    Some(Identity { user: user?, groups })
}

/// Splits off the content of the first DER element; `None` when the bytes are no DER.
fn element(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&short, rest) = bytes.get(1..)?.split_first()?;
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_of_a_certificate_is_read() {
        use rustls::pki_types::pem::PemObject;
        let folder = tempfile::tempdir().expect("a folder");
        let pki = crate::agent::api::pki::open(folder.path(), "host").expect("makes certificates");
        let der =
            rustls::pki_types::CertificateDer::from_pem_slice(pki.admin.certificate.as_bytes())
                .expect("is PEM");
        let identity = subject(&der).expect("has a subject");
        assert_eq!(identity.user, "wharf-admin");
        assert_eq!(identity.groups, ["system:masters", "system:authenticated"]);
        for cut in 0..der.len() {
            let _ = subject(&der[..cut]);
        }
    }

    #[test]
    fn only_the_right_token_lets_in() {
        let authenticator = Authenticator::new("right");
        let check = |header: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, header.parse().expect("is a header"));
            authenticator.identify(None, &headers).is_some()
        };
        assert!(check("Bearer right"));
        assert!(!check("Bearer wrong"));
        assert!(!check("Basic right"));
        assert!(authenticator.identify(None, &HeaderMap::new()).is_none());
    }
}
