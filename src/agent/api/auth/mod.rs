//! Who asks, and what they may do.
//!
//! Callers are the subject of a client certificate that the agent's authority signed, the holder of
//! the administrator's bearer token, or a ServiceAccount with a token that this agent issued
//! ([`Tokens`]). An administrator may speak for others. What a caller may do is said by roles
//! ([`authorize`]).

pub(super) mod authorize;
pub(super) mod bootstrap;
mod escalation;

pub(super) use escalation::check as check_escalation;

use super::Api;
use super::kind;
use super::status::Status;
use crate::agent::token::{self, Tokens};
use crate::base::digest::Digest;
use crate::object::meta;
use crate::yaml::Node;
use authorize::Action;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::sync::Arc;

/// The group of those who may do everything.
pub(super) const MASTERS: &str = "system:masters";

/// The group of everybody who is known.
const AUTHENTICATED: &str = "system:authenticated";

/// A caller.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Identity {
    /// The user's name.
    pub(crate) user: String,
    /// Tells users of the same name apart.
    pub(crate) uid: String,
    /// Groups, in the order in which they were told.
    pub(crate) groups: Vec<String>,
    /// What else is known of the user.
    pub(crate) extra: Vec<(String, Vec<String>)>,
}

impl Identity {
    /// The user of a ServiceAccount.
    pub(crate) fn service_account(namespace: &str, name: &str, uid: &str) -> Identity {
        Identity {
            user: format!("system:serviceaccount:{namespace}:{name}"),
            uid: uid.into(),
            groups: vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
                AUTHENTICATED.into(),
            ],
            extra: Vec::new(),
        }
    }

    /// As `UserInfo`.
    pub(crate) fn to_node(&self) -> Node {
        let texts =
            |list: &[String]| list.iter().map(|t| Node::from(t.as_str())).collect::<Vec<_>>();
        let mut info = Node::map();
        info.set("username", self.user.as_str());
        if !self.uid.is_empty() {
            info.set("uid", self.uid.as_str());
        }
        info.set("groups", texts(&self.groups));
        for (key, values) in &self.extra {
            info.set_at(&["extra", key.as_str()], texts(values));
        }
        info
    }
}

/// What callers are checked against.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// The digest of the administrator's token: comparing digests takes the same time for every
    /// wrong token.
    token: Digest,
    /// Issues and checks tokens of ServiceAccounts.
    pub(super) tokens: Arc<Tokens>,
}

impl Authenticator {
    pub(crate) fn new(token: &str, tokens: Arc<Tokens>) -> Authenticator {
        Authenticator { token: Digest::of(token.as_bytes()), tokens }
    }

    /// The holder of a bearer token for one of some audiences.
    pub(crate) fn holder(&self, api: &Api, token: &str, audiences: &[&str]) -> Option<Identity> {
        if Digest::of(token.as_bytes()) == self.token {
            return Some(Identity {
                user: "wharf-admin".into(),
                groups: vec![MASTERS.into(), AUTHENTICATED.into()],
                ..Identity::default()
            });
        }
        let claims = self.tokens.verify(token, api.now(), audiences)?;
        let text = |path: &[&str]| claims.str_at(path).unwrap_or_default();
        let namespace = text(&["kubernetes.io", "namespace"]);
        let name = text(&["kubernetes.io", "serviceaccount", "name"]);
        let uid = text(&["kubernetes.io", "serviceaccount", "uid"]);
        // a token ends with its account, and with what it is bound to
        for (what, resource, namespace) in [
            ("serviceaccount", "serviceaccounts", namespace),
            ("pod", "pods", namespace),
            ("secret", "secrets", namespace),
            ("node", "nodes", ""),
        ] {
            let Some(name) = claims.str_at(&["kubernetes.io", what, "name"]) else { continue };
            let stored = api.store.get(&kind::built_in(resource).key(namespace, name))?;
            if meta::uid(&stored.object) != text(&["kubernetes.io", what, "uid"]) {
                return None;
            }
        }
        let mut identity = Identity::service_account(namespace, name, uid);
        let extra = |key: &str, value: &str| {
            (format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()])
        };
        identity.extra.push(extra("credential-id", &format!("JTI={}", text(&["jti"]))));
        for what in ["node", "pod"] {
            for field in ["name", "uid"] {
                if let Some(value) = claims.str_at(&["kubernetes.io", what, field]) {
                    identity.extra.push(extra(&format!("{what}-{field}"), value));
                }
            }
        }
        Some(identity)
    }
}

/// The caller, when a certificate or a token says who it is. A wrong token is not made good by a
/// certificate.
pub(crate) fn identify(
    api: &Api,
    certificate: Option<&Identity>,
    headers: &HeaderMap,
) -> Option<Identity> {
    let Some(header) = headers.get(AUTHORIZATION) else { return certificate.cloned() };
    let header = header.to_str().ok()?;
    let token = header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("bearer "))?;
    api.authenticator.holder(api, token.trim(), &[token::ISSUER])
}

/// The user for whom the caller speaks, which is the caller unless `Impersonate-…` headers say
/// otherwise.
pub(crate) fn impersonate(
    api: &Api,
    caller: Identity,
    headers: &HeaderMap,
) -> Result<Identity, Status> {
    const EXTRA: &str = "impersonate-extra-";
    let all = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    };
    let mut asked = Identity {
        user: all("impersonate-user").into_iter().next().unwrap_or_default(),
        uid: all("impersonate-uid").into_iter().next().unwrap_or_default(),
        groups: all("impersonate-group"),
        extra: Vec::new(),
    };
    for name in headers.keys().map(http::HeaderName::as_str) {
        if let Some(key) = name.strip_prefix(EXTRA) {
            asked.extra.push((super::query::decode(key, false), all(name)));
        }
    }
    if asked.user.is_empty() {
        if asked != Identity::default() {
            let message = "requested impersonation without the user's name";
            return Err(Status::internal(message));
        }
        return Ok(caller);
    }
    let may = |group: &str, resource: &str, namespace: &str, name: &str| {
        let action =
            Action::resource("impersonate", group, resource, namespace).named(name.to_owned());
        authorize::require(api, &caller, &action)
    };
    let account = asked.user.strip_prefix("system:serviceaccount:").map(str::to_owned);
    match account.as_deref().and_then(|account| account.split_once(':')) {
        Some((namespace, name)) => {
            may("", "serviceaccounts", namespace, name)?;
            if asked.groups.is_empty() {
                asked.groups = Identity::service_account(namespace, name, "").groups;
            }
        }
        None => may("", "users", "", &asked.user)?,
    }
    for group in &asked.groups {
        may("", "groups", "", group)?;
    }
    if !asked.uid.is_empty() {
        may("authentication.k8s.io", "uids", "", &asked.uid)?;
    }
    for (key, values) in &asked.extra {
        for value in values {
            may("authentication.k8s.io", &format!("userextras/{key}"), "", value)?;
        }
    }
    if asked.user != "system:anonymous" && !asked.groups.iter().any(|group| group == AUTHENTICATED)
    {
        asked.groups.push(AUTHENTICATED.into());
    }
    Ok(asked)
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
    groups.push(AUTHENTICATED.into());
    Some(Identity { user: user?, groups, ..Identity::default() })
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
        let pki = crate::agent::api::pki::open(folder.path(), &[]).expect("makes certificates");
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
}
