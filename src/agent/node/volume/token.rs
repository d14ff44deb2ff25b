//! The token of a pod's account as a file: kept until most of its time is over, then made anew.

use super::{Facts, VolumeError};
use crate::agent::store::Key;
use crate::agent::token::{Claims, ISSUER};
use crate::object::meta;
use crate::yaml::Node;
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::path::Path;

/// A token is renewed after a day, however long it is valid.
const LONGEST: i64 = 24 * 60 * 60;

/// A token, and when another is to take its place.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) renewal: Timestamp,
}

/// The token that a volume's source asks for: the one in the file, unless it is due.
pub(super) fn of(source: &Node, file: &Path, facts: &Facts<'_>) -> Result<Token, VolumeError> {
    let audience = source.str_at(&["audience"]).filter(|audience| !audience.is_empty());
    let audience = audience.unwrap_or(ISSUER);
    if let Ok(text) = fs::read_to_string(file)
        && let Some(claims) = facts.tokens.verify(&text, facts.now, &[audience])
        && let Some(renewal) = renewal(&claims).filter(|renewal| facts.now < *renewal)
    {
        return Ok(Token { text, renewal });
    }
    let name = facts.pod.str_at(&["spec", "serviceAccountName"]).unwrap_or("default");
    let account = Key::new("serviceaccounts", meta::namespace(facts.pod), name);
    let account = facts.store.get(&account).ok_or_else(|| {
        VolumeError(format!("failed to fetch token: serviceaccount {name:?} not found"))
    })?;
    let node = facts.store.get(&Key::new("nodes", "", facts.node));
    let claims = Claims {
        account: &account.object,
        audiences: &[Node::from(audience)],
        seconds: source.i64_at(&["expirationSeconds"]).unwrap_or(3600),
        bound: Some(("pod", facts.pod)),
        node: node.as_ref().map(|node| &node.object),
    };
    let claims = claims.to_node(facts.now);
    let renewal = renewal(&claims).unwrap_or(facts.now);
    Ok(Token { text: facts.tokens.issue(&claims), renewal })
}

/// When four fifths of a token's time are over, as the kubelet does it.
fn renewal(claims: &Node) -> Option<Timestamp> {
    let (from, to) = (claims.i64_at(&["iat"])?, claims.i64_at(&["exp"])?);
    let from = Timestamp::from_second(from).ok()?;
    let kept = (to - from.as_second()).saturating_mul(4) / 5;
    from.checked_add(SignedDuration::from_secs(kept.min(LONGEST))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::node::environment::Configs;
    use crate::agent::store::{Op, Store};
    use crate::agent::token::Tokens;
    use serde_json::json;

    #[tokio::test]
    async fn a_token_is_kept_until_most_of_its_time_is_over() {
        let store = Store::in_memory().expect("a store in memory");
        let object = Node::from(json!({"metadata": {"name": "a", "namespace": "n", "uid": "1"}}));
        let key = Key::new("serviceaccounts", "n", "a");
        store.commit(vec![Op::Create { key, object }]).await.expect("a new object");
        let tokens = Tokens::new(&Tokens::new_key()).expect("is a key");
        let pod = Node::from(json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "2"},
            "spec": {"serviceAccountName": "a"},
        }));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        let source = Node::from(json!({"expirationSeconds": 1000}));
        let at = |second: i64| {
            let facts = Facts {
                pod: &pod,
                capacity: &Node::NULL,
                configs: Configs::new(&store, "n"),
                store: &store,
                tokens: &tokens,
                node: "here",
                now: Timestamp::from_second(1_000_000 + second).expect("is a time"),
            };
            of(&source, &file, &facts).expect("a token")
        };
        let first = at(0);
        assert_eq!(first.renewal.as_second(), 1_000_800);
        fs::write(&file, &first.text).expect("a file");
        assert_eq!(at(799).text, first.text);
        let second = at(800);
        assert_ne!(second.text, first.text);
        assert_eq!(second.renewal.as_second(), 1_001_600);
    }
}
