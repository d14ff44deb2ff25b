//! Tokens of ServiceAccounts: JSON Web Tokens (RFC 7519), signed with a key of the agent's own. The
//! API issues them to whoever may ask, the node to pods.

use super::store::metadata;
use crate::object::meta;
use crate::yaml::{Node, json};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use std::fmt;

/// Who issues tokens, and for whom they are when nothing else is said.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

const HEADER: &str = r#"{"alg":"ES256","typ":"JWT"}"#;

/// Clocks may differ by so many seconds.
const LEEWAY: i64 = 60;

/// What a token says: whose it is, for whom, how long, and the object with which it ends.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// The ServiceAccount.
    pub account: &'a Node,
    /// Those who are to take the token.
    pub audiences: &'a [Node],
    /// How long it is valid.
    pub seconds: i64,
    /// The kind in lower case of the object with which it ends, and that object.
    pub bound: Option<(&'a str, &'a Node)>,
    /// The Node on which the holder runs.
    pub node: Option<&'a Node>,
}

impl Claims<'_> {
    /// The claims of a new token.
    #[must_use]
    pub fn to_node(&self, now: Timestamp) -> Node {
        let (namespace, name) = (meta::namespace(self.account), meta::name(self.account));
        let mut claims = Node::map();
        claims.set("aud", self.audiences.to_vec());
        claims.set("exp", now.as_second() + self.seconds);
        claims.set("iat", now.as_second());
        claims.set("nbf", now.as_second());
        claims.set("iss", ISSUER);
        claims.set("jti", metadata::new_uid());
        claims.set("sub", format!("system:serviceaccount:{namespace}:{name}"));
        claims.set_at(&["kubernetes.io", "namespace"], namespace);
        let node = self.node.map(|node| ("node", node));
        let account = Some(("serviceaccount", self.account));
        for (what, object) in node.into_iter().chain(self.bound).chain(account) {
            claims.set_at(&["kubernetes.io", what, "name"], meta::name(object));
            claims.set_at(&["kubernetes.io", what, "uid"], meta::uid(object));
        }
        claims
    }
}

/// The key that signs.
pub struct Tokens(EcdsaKeyPair);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens { .. }")
    }
}

impl Tokens {
    /// Makes a new key, as text.
    #[must_use]
    pub fn new_key() -> String {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .expect("the system gives random bytes");
        STANDARD.encode(key.as_ref())
    }

    /// Takes a key that [`Tokens::new_key`] made; `None` when it is none.
    #[must_use]
    pub fn new(key: &str) -> Option<Tokens> {
        let bytes = STANDARD.decode(key.trim()).ok()?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &bytes).ok().map(Tokens)
    }

    /// Signs claims.
    #[must_use]
    pub fn issue(&self, claims: &Node) -> String {
        let claims = URL_SAFE_NO_PAD.encode(json::to_string(claims));
        let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(HEADER));
        let signature =
            self.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("the key can sign");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// The claims of a token that was issued here, is valid now, and is for one of the audiences.
    #[must_use]
    pub fn verify(&self, token: &str, now: Timestamp, audiences: &[&str]) -> Option<Node> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        // one algorithm, whatever the token says of itself
        if URL_SAFE_NO_PAD.decode(header).ok()? != HEADER.as_bytes() {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.0.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let claims: Node = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let now = now.as_second();
        let valid = claims.str_at(&["iss"]) == Some(ISSUER)
            && claims.i64_at(&["exp"]).is_some_and(|end| now < end)
            && claims.i64_at(&["nbf"]).is_some_and(|start| start <= now + LEEWAY);
        let meant = claims.items_at(&["aud"]).iter().filter_map(Node::as_str);
        let meant = meant.into_iter().any(|audience| audiences.contains(&audience));
        (valid && meant).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_is_valid_and_only_for_its_time() {
        let tokens = Tokens::new(&Tokens::new_key()).expect("is a key");
        let claims = Node::from(serde_json::json!({
            "iss": ISSUER, "aud": ["a"], "nbf": 1000, "exp": 2000, "sub": "x",
        }));
        let token = tokens.issue(&claims);
        let at = |second| Timestamp::from_second(second).expect("is a time");
        assert_eq!(tokens.verify(&token, at(1500), &["a", "b"]), Some(claims.clone()));
        assert_eq!(tokens.verify(&token, at(1500), &["b"]), None);
        assert_eq!(tokens.verify(&token, at(2000), &["a"]), None);
        assert_eq!(tokens.verify(&token, at(900), &["a"]), None);
        let other = Tokens::new(&Tokens::new_key()).expect("is a key");
        assert_eq!(other.verify(&token, at(1500), &["a"]), None);
        let none = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
            URL_SAFE_NO_PAD.encode(json::to_string(&claims))
        );
        for broken in
            [none.as_str(), "", "a", "a.b", "a.b.c", &token[1..], &token[..token.len() - 2]]
        {
            assert_eq!(tokens.verify(broken, at(1500), &["a"]), None, "{broken}");
        }
    }
}
