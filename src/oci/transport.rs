//! One request to a registry, done properly: credentials, redirects, retries, time limits.
//!
//! reqwest moves the bytes; everything that needs judgement is here. It follows no redirect and
//! knows no credentials by itself, so that `Authorization` never reaches a host that a registry
//! merely points at (blob stores, mirrors), and an encrypted request never continues in plain text.
//!
//! A request is tried again with growing waits when the connection fails, nothing moves for the
//! stall time, or the answer is 429 or 5xx; `Retry-After` is honoured. There is no limit on the
//! whole: a large blob over a slow line is fine as long as bytes move.

use super::auth::{Credentials, Keyring};
use super::error::OciError;
use super::reference::{Repository, is_loopback};
use super::tls::Tls;
use super::token::{Challenge, Granted, Tokens, basic, redact};
use super::upload::Content;
use super::{Event, Progress};
use crate::base::digest::Digest;
use crate::base::retry::Backoff;
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HeaderMap, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use reqwest::{Response, Url};
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Most hops from a registry to where a blob really lies.
const REDIRECTS: usize = 5;

/// Most bytes of an error answer or a token.
const ANSWER_LIMIT: usize = 256 << 10;

/// Longest wait that `Retry-After` can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How requests are made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who asks.
    pub keyring: Keyring,
    /// Speak plain HTTP to hosts other than loopback too.
    pub plain_http: bool,
    /// Whom to trust, and who one is.
    pub tls: Tls,
    /// How long nothing may move before a connection is given up.
    pub stall: Duration,
    /// How often a request is tried again.
    pub retries: u32,
    /// The first wait between two tries.
    pub first_wait: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            keyring: Keyring::none(),
            plain_http: false,
            tls: Tls::default(),
            stall: Duration::from_secs(30),
            retries: 5,
            first_wait: Duration::from_millis(250),
        }
    }
}

/// One request.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<(&'a Content, std::ops::Range<u64>)>,
    pub(super) repository: &'a Repository,
    /// What the request needs: `pull`, `pull,push`, `pull,push,delete`; more scopes after a space.
    pub(super) scope: String,
    /// For messages: what is asked for.
    pub(super) what: String,
    /// Statuses beside success that the caller wants to see.
    pub(super) expects: &'a [StatusCode],
    /// Whom to tell about sent bytes.
    pub(super) progress: Option<(&'a Progress, Digest)>,
}

/// Makes requests.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) options: Options,
    /// For loopback: no proxy, and no certificates to load.
    near: OnceLock<reqwest::Client>,
    far: OnceLock<reqwest::Client>,
    tokens: Tokens,
}

impl Transport {
    pub(super) fn new(options: Options) -> Transport {
        Transport {
            options,
            near: OnceLock::new(),
            far: OnceLock::new(),
            tokens: Tokens::default(),
        }
    }

    /// The URL of something in a repository.
    pub(super) fn url(&self, repository: &Repository, rest: &str) -> Result<Url, OciError> {
        let scheme = if self.is_plain(repository.host()) { "http" } else { "https" };
        let text = format!("{scheme}://{}/v2/{}/{rest}", repository.host(), repository.path());
        Url::parse(&text).map_err(|error| OciError::Malformed {
            what: format!("the address of {repository}"),
            reason: error.to_string(),
        })
    }

    pub(super) fn is_plain(&self, host: &str) -> bool {
        self.options.plain_http || is_loopback(host)
    }

    pub(super) fn backoff(&self) -> Backoff {
        Backoff::new(self.options.first_wait, Duration::from_secs(10), 2, self.options.retries)
    }

    /// Sends a request until it has an answer that is worth telling the caller.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Response, OciError> {
        self.attempt(call, self.backoff()).await
    }

    /// Sends a request that cannot be repeated as it is; credentials are still asked for.
    pub(super) async fn try_once(&self, call: &Call<'_>) -> Result<Response, OciError> {
        self.attempt(call, Backoff::new(Duration::ZERO, Duration::ZERO, 1, 0)).await
    }

    async fn attempt(&self, call: &Call<'_>, mut backoff: Backoff) -> Result<Response, OciError> {
        let mut challenged = 0;
        loop {
            let response = match self.once(call).await {
                Ok(response) => response,
                Err(error) if error.is_temporary() => match backoff.next() {
                    Some(wait) => {
                        tracing::debug!(%error, "trying again");
                        tokio::time::sleep(jittered(wait)).await;
                        continue;
                    }
                    None => return Err(error),
                },
                Err(error) => return Err(error),
            };
            let status = response.status();
            if status.is_success() || call.expects.contains(&status) {
                return Ok(response);
            }
            if status == StatusCode::UNAUTHORIZED
                && challenged < 2
                && same_origin(response.url(), &call.url)
            {
                challenged += 1;
                if self.answer_challenge(call, response.headers()).await? {
                    continue;
                }
            }
            let again = matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504);
            match if again { backoff.next() } else { None } {
                Some(wait) => {
                    let wait = retry_after(response.headers()).unwrap_or(jittered(wait));
                    tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
                }
                None => return Err(self.refusal(call, response).await),
            }
        }
    }

    /// Reads the rest of an answer, up to a limit.
    pub(super) async fn read(
        &self,
        call: &Call<'_>,
        response: Response,
        limit: usize,
    ) -> Result<Bytes, OciError> {
        let too_large = || OciError::Size {
            what: call.what.clone(),
            reason: format!("is larger than {limit} bytes, the most that is read"),
        };
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        let mut response = response;
        while let Some(chunk) = self.chunk(&mut response, call.repository, &call.what).await? {
            if bytes.len() + chunk.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// The next bytes of an answer.
    pub(super) async fn chunk(
        &self,
        response: &mut Response,
        repository: &Repository,
        what: &str,
    ) -> Result<Option<Bytes>, OciError> {
        match tokio::time::timeout(self.options.stall, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(unreachable(repository.host(), what, error)),
            Err(_) => Err(self.stalled(repository.host(), what)),
        }
    }

    /// One try, redirects included.
    async fn once(&self, call: &Call<'_>) -> Result<Response, OciError> {
        let host = call.repository.host();
        let mut url = call.url.clone();
        let redirect = |reason: String| OciError::Redirect {
            host: host.to_owned(),
            what: call.what.clone(),
            reason,
        };
        for _ in 0..=REDIRECTS {
            let response = self.hop(call, &url).await?;
            let follows = matches!(call.method, Method::GET | Method::HEAD)
                && matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            if !follows {
                return Ok(response);
            }
            let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let target = target.and_then(|target| url.join(target).ok());
            let target = target.ok_or_else(|| redirect("to nowhere".into()))?;
            let plain_is_fine = url.scheme() == "http" || self.options.plain_http;
            if !(target.scheme() == "https" || (target.scheme() == "http" && plain_is_fine)) {
                return Err(redirect(format!("from {} to {}", url.scheme(), target.scheme())));
            }
            url = target;
        }
        Err(redirect(format!("more than {REDIRECTS} times")))
    }

    /// One request to one URL.
    async fn hop(&self, call: &Call<'_>, url: &Url) -> Result<Response, OciError> {
        let host = call.repository.host();
        let mut request =
            self.http(url).request(call.method.clone(), url.clone()).headers(call.headers.clone());
        let known = self.tokens.get(host, &call.full_scope());
        if let Some(header) = known.filter(|_| same_origin(url, &call.url)) {
            request = request.header(AUTHORIZATION, header);
        }
        let sent = Arc::new(AtomicU64::new(0));
        if let Some((content, range)) = &call.body {
            let progress = call.progress.map(|(progress, digest)| (progress.clone(), digest));
            let count = Arc::clone(&sent);
            let tell = move |bytes: u64| {
                count.fetch_add(bytes, Ordering::Relaxed);
                if let Some((progress, digest)) = &progress {
                    progress.tell(Event::Moved(*digest, bytes));
                }
            };
            let length = range.end - range.start;
            request = request
                .header(http::header::CONTENT_LENGTH, length)
                .body(content.stream(range.clone(), tell).await?);
        }
        let mut answer = Box::pin(request.send());
        let mut moved = 0;
        loop {
            match tokio::time::timeout(self.options.stall, &mut answer).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(unreachable(host, &call.what, error)),
                Err(_) if sent.load(Ordering::Relaxed) > moved => {
                    moved = sent.load(Ordering::Relaxed);
                }
                Err(_) => return Err(self.stalled(host, &call.what)),
            }
        }
    }

    /// Gets what the registry wants to see; false when there is nothing more to show.
    async fn answer_challenge(
        &self,
        call: &Call<'_>,
        headers: &HeaderMap,
    ) -> Result<bool, OciError> {
        let host = call.repository.host();
        let scope = call.full_scope();
        let challenges: Vec<Challenge> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| Challenge::parse(value.to_str().ok()?))
            .collect();
        let credentials = self.credentials(call.repository).await?;
        let bearer =
            challenges.into_iter().max_by_key(|one| matches!(one, Challenge::Bearer { .. }));
        match (bearer, credentials) {
            (Some(Challenge::Basic), Some(Credentials::Basic { user, password })) => {
                let Some(header) = basic(&user, &password) else { return Ok(false) };
                if self.tokens.get(host, &scope).as_ref() == Some(&header) {
                    return Ok(false);
                }
                self.tokens.keep_basic(host, &scope, header);
                Ok(true)
            }
            (Some(Challenge::Bearer { realm, service, scope: wanted }), credentials) => {
                let granted = self
                    .token(
                        call,
                        &realm,
                        service.as_deref(),
                        wanted.as_deref(),
                        credentials.as_ref(),
                    )
                    .await?;
                self.tokens.keep(host, &scope, granted)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Asks a token service.
    async fn token(
        &self,
        call: &Call<'_>,
        realm: &str,
        service: Option<&str>,
        wanted: Option<&str>,
        credentials: Option<&Credentials>,
    ) -> Result<Granted, OciError> {
        let host = call.repository.host();
        let what = format!("a token for {}", call.what);
        let malformed = |reason: &str| OciError::Malformed {
            what: format!("the challenge of registry {host}"),
            reason: reason.to_owned(),
        };
        let mut url = Url::parse(realm).map_err(|_| malformed("its realm is no address"))?;
        let may_be_plain = self.is_plain(host) && url.host_str().is_some_and(|h| self.is_plain(h));
        if url.scheme() != "https" && !(url.scheme() == "http" && may_be_plain) {
            return Err(malformed("its token service is not encrypted"));
        }
        let own = call.full_scope();
        let mut scopes: Vec<&str> = own.split(' ').filter(|scope| !scope.is_empty()).collect();
        if let Some(wanted) = wanted {
            scopes
                .extend(wanted.split(' ').filter(|scope| !own.split(' ').any(|has| has == *scope)));
        }
        let request = if let Some(Credentials::IdentityToken(token)) = credentials {
            let mut form = url::form(&[
                ("grant_type", "refresh_token"),
                ("client_id", "wharf"),
                ("refresh_token", token),
                ("scope", &scopes.join(" ")),
            ]);
            if let Some(service) = service {
                form.push('&');
                form.push_str(&url::form(&[("service", service)]));
            }
            self.http(&url)
                .post(url)
                .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form)
        } else {
            {
                let mut query = url.query_pairs_mut();
                if let Some(service) = service {
                    query.append_pair("service", service);
                }
                for scope in scopes {
                    query.append_pair("scope", scope);
                }
            }
            let request = self.http(&url).get(url);
            match credentials {
                Some(Credentials::Basic { user, password }) => match basic(user, password) {
                    Some(header) => request.header(AUTHORIZATION, header),
                    None => request,
                },
                _ => request,
            }
        };
        let response = tokio::time::timeout(self.options.stall, request.send())
            .await
            .map_err(|_| self.stalled(host, &what))?
            .map_err(|error| unreachable(host, &what, error))?;
        if !response.status().is_success() {
            return Err(self.refusal(&Call { what, ..call.copy() }, response).await);
        }
        let text = self.read(call, response, ANSWER_LIMIT).await?;
        serde_json::from_slice(&text).map_err(|_| OciError::Malformed {
            what: format!("the answer of the token service of {host}"),
            reason: "it is no JSON of the known form".into(),
        })
    }

    async fn credentials(&self, repository: &Repository) -> Result<Option<Credentials>, OciError> {
        let (keyring, repository) = (self.options.keyring.clone(), repository.clone());
        // a helper program may take its time
        tokio::task::spawn_blocking(move || keyring.find(&repository))
            .await
            .expect("looking for credentials does not panic")
    }

    /// The error for an answer that is none of those hoped for.
    async fn refusal(&self, call: &Call<'_>, response: Response) -> OciError {
        let status = response.status();
        let (host, what) = (call.repository.host().to_owned(), call.what.clone());
        let body = self.read(call, response, ANSWER_LIMIT).await.unwrap_or_default();
        let credentials = self.credentials(call.repository).await.ok().flatten();
        let detail = redact(&detail(&body), credentials.as_ref());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let registry = call.repository.registry();
                let help = if credentials.is_some() {
                    format!(
                        "the stored login for {registry} does not allow this; `wharf login {registry}` replaces it"
                    )
                } else {
                    format!("log in with `wharf login {registry}`")
                };
                OciError::Unauthorized { host, what, detail, help }
            }
            StatusCode::NOT_FOUND => OciError::NotFound { host, what, detail },
            status => OciError::Registry { host, what, status: status.as_u16(), detail },
        }
    }

    fn http(&self, url: &Url) -> &reqwest::Client {
        let near = url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
        let cell = if near { &self.near } else { &self.far };
        cell.get_or_init(|| {
            // fails only when it was done before
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let builder = reqwest::Client::builder()
                .user_agent(concat!("wharf/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(self.options.stall.min(Duration::from_secs(10)));
            let builder = if near {
                builder.no_proxy().tls_certs_only([])
            } else {
                self.options.tls.apply(builder)
            };
            builder.build().expect("settings that were tried out")
        })
    }

    fn stalled(&self, host: &str, what: &str) -> OciError {
        let seconds = self.options.stall.as_secs();
        OciError::Stalled { host: host.to_owned(), what: what.to_owned(), seconds }
    }
}

impl Call<'_> {
    /// The scope as token services write it.
    fn full_scope(&self) -> String {
        if self.scope.is_empty() {
            return String::new();
        }
        let (own, more) = self.scope.split_once(' ').unwrap_or((&self.scope, ""));
        let scope = format!("repository:{}:{own}", self.repository.path());
        if more.is_empty() { scope } else { format!("{scope} {more}") }
    }

    /// The same request without its body.
    fn copy(&self) -> Call<'_> {
        Call {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: HeaderMap::new(),
            body: None,
            repository: self.repository,
            scope: self.scope.clone(),
            what: self.what.clone(),
            expects: self.expects,
            progress: None,
        }
    }
}

mod url {
    //! The one form that is posted.

    /// Encodes pairs as `application/x-www-form-urlencoded`.
    pub(super) fn form(pairs: &[(&str, &str)]) -> String {
        let mut url = reqwest::Url::parse("http://form/").expect("a fixed address");
        url.query_pairs_mut().extend_pairs(pairs);
        url.query().unwrap_or_default().to_owned()
    }
}

fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

fn unreachable(host: &str, what: &str, error: reqwest::Error) -> OciError {
    let is_connect = error.is_connect();
    // addresses of blob stores carry signatures
    let source = innermost(&error.without_url());
    // a registry of one's own that has no certificate is the usual cause
    let help = is_connect.then(|| {
        if is_loopback(host) {
            return "is the registry running? `wharf registry serve` starts one".to_owned();
        }
        if OciError::is_mistrust(&source) {
            return "name the authority that signed its certificate with `SSL_CERT_FILE=FILE`"
                .to_owned();
        }
        format!("check the name and the network; if {host} speaks plain HTTP, add `--plain-http`")
    });
    OciError::Unreachable { host: host.to_owned(), what: what.to_owned(), source, help }
}

/// The cause that says something: those above it tell which part of the client passed it on.
fn innermost(error: &reqwest::Error) -> std::io::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    std::io::Error::other(cause.to_string())
}

/// The registry's own words: `CODE: message` of each of its errors.
fn detail(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let text = match serde_json::from_slice::<Errors>(body) {
        Ok(Errors { errors }) => {
            let each = errors.iter().map(|one| match (one.code.as_str(), one.message.as_str()) {
                ("", message) => message.to_owned(),
                (code, "") => code.to_owned(),
                (code, message) => format!("{code}: {message}"),
            });
            each.collect::<Vec<_>>().join("; ")
        }
        // an HTML page says nothing to anybody
        Err(_) if body.trim_ascii_start().starts_with(b"<") => String::new(),
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = until.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// A wait with up to a quarter more, so that many clients do not come back at once.
fn jittered(wait: Duration) -> Duration {
    let random = std::hash::RandomState::new().build_hasher().finish();
    let quarter = u64::try_from(wait.as_millis() / 4).unwrap_or(0);
    wait + Duration::from_millis(random % (quarter + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_own_words_are_told_briefly() {
        for (body, expected) in [
            (
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}"#,
                "MANIFEST_UNKNOWN: manifest unknown",
            ),
            (r#"{"errors":[{"code":"DENIED"},{"message":"no"}]}"#, "DENIED; no"),
            ("<html>gateway</html>", ""),
            ("plain\nwords", "plain words"),
            ("", ""),
        ] {
            assert_eq!(detail(body.as_bytes()), expected);
        }
        assert_eq!(detail("x".repeat(1000).as_bytes()).len(), 300);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let headers = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("a header"));
            headers
        };
        assert_eq!(retry_after(&headers("3")), Some(Duration::from_secs(3)));
        assert_eq!(retry_after(&headers("Wed, 21 Oct 2015 07:28:00 GMT")), Some(Duration::ZERO));
        assert_eq!(retry_after(&headers("soon")), None);
    }
}
