//! What a registry granted: answers to `WWW-Authenticate`, kept until they run out.
//!
//! A registry that wants to know who asks answers 401 with a challenge. `Basic` is answered with
//! the credentials themselves; `Bearer` sends us to a token service, which gives a token for some
//! scopes of one repository. Credentials go only to the registry and to the token service that it
//! names, and never over plain HTTP unless the registry itself is spoken to that way.

use super::auth::Credentials;
use super::error::OciError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderValue;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a token holds whose service does not say (the token specification's default).
const DEFAULT_LIFE: u64 = 60;

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User name and password with each request.
    Basic,
    /// A token of a service.
    Bearer {
        /// Where the service is.
        realm: String,
        /// What it calls the registry.
        service: Option<String>,
        /// What must be asked for.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads one `WWW-Authenticate` header; nothing for a scheme that is not known.
    pub(super) fn parse(header: &str) -> Option<Challenge> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut fields = fields(rest);
        Some(Challenge::Bearer {
            realm: fields.remove("realm")?,
            service: fields.remove("service"),
            scope: fields.remove("scope"),
        })
    }
}

/// `key="value", key=value`, with quoted values that may hold commas.
fn fields(mut text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    while let Some((key, rest)) = text.split_once('=') {
        let key = key.trim_matches([',', ' ', '\t']).to_ascii_lowercase();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        found.insert(key, value.trim().to_owned());
        text = rest;
    }
    found
}

/// The `Authorization` header for user name and password.
pub(super) fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            .ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A token service's answer.
#[derive(Deserialize)]
pub(super) struct Granted {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// A header, and until when it holds.
type Kept = (HeaderValue, Option<Instant>);

/// Headers by host and scope.
#[derive(Default)]
pub(super) struct Tokens {
    kept: Mutex<HashMap<(String, String), Kept>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// The header for requests in a scope, when one is known that still holds.
    pub(super) fn get(&self, host: &str, scope: &str) -> Option<HeaderValue> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (header, until) = kept.get(&(host.to_owned(), scope.to_owned()))?;
        until.is_none_or(|until| until > Instant::now()).then(|| header.clone())
    }

    /// Keeps a header that holds as long as the program runs.
    pub(super) fn keep_basic(&self, host: &str, scope: &str, header: HeaderValue) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((host.to_owned(), scope.to_owned()), (header, None));
    }

    /// Keeps a token until shortly before it runs out.
    pub(super) fn keep(&self, host: &str, scope: &str, granted: Granted) -> Result<(), OciError> {
        let bad = || OciError::Malformed {
            what: format!("the answer of the token service of {host}"),
            reason: "it holds no token".into(),
        };
        let token = granted.token.or(granted.access_token).filter(|token| !token.is_empty());
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.ok_or_else(bad)?))
            .map_err(|_| bad())?;
        header.set_sensitive(true);
        let life = granted.expires_in.unwrap_or(DEFAULT_LIFE).clamp(DEFAULT_LIFE, 86_400);
        let until = Instant::now() + Duration::from_secs(life - life / 10);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((host.to_owned(), scope.to_owned()), (header, Some(until)));
        Ok(())
    }
}

/// Takes secrets out of a text that a registry sent, in case it repeats them.
pub(super) fn redact(text: &str, credentials: Option<&Credentials>) -> String {
    match credentials {
        Some(Credentials::Basic { password: secret, .. } | Credentials::IdentityToken(secret))
            if !secret.is_empty() =>
        {
            text.replace(secret.as_str(), "…")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = r#"Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.example/token".into(),
            service: Some("registry".into()),
            scope: Some("repository:a/b:pull,push".into()),
        };
        assert_eq!(Challenge::parse(bearer), Some(expected));
        assert_eq!(Challenge::parse("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("basic"), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("Negotiate"), None);
        assert_eq!(Challenge::parse("Bearer service=x"), None);
        assert_eq!(
            Challenge::parse("Bearer realm=\""),
            Some(Challenge::Bearer { realm: String::new(), service: None, scope: None })
        );
    }

    #[test]
    fn tokens_hold_for_their_host_and_scope_only() {
        let tokens = Tokens::default();
        let granted: Granted = serde_json::from_str(r#"{"token":"abc"}"#).expect("JSON");
        tokens.keep("h", "s", granted).expect("a token");
        assert!(tokens.get("h", "s").is_some_and(|header| header.is_sensitive()));
        assert_eq!(tokens.get("other", "s"), None);
        assert_eq!(tokens.get("h", "other"), None);
    }
}
