//! Files from web servers: values, charts, and the index of a Helm repository.
//!
//! Nothing is kept: what is asked for is fetched each time, within a limit. A login goes to the host
//! that it is for and to no other, wherever redirects and indexes lead, unless the user wishes so.

use crate::base::digest::Digest;
use crate::base::source::FileId;
use crate::oci::Tls;
use crate::template::gotmpl::version::{Constraint, Version};
use crate::yaml::{self, Dialect, Node};
use bytes::Bytes;
use reqwest::{Client, Url};
use std::time::Duration;

/// How large an index or an archive may be.
pub const LIMIT: u64 = 128 << 20;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why something could not be had from a web server.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum HttpError {
    /// It is no address.
    #[error("`{0}` is no address of a web server")]
    #[diagnostic(code("wharf::source::address"), help("write `https://host/path`"))]
    Address(String),
    /// The server cannot be reached, or broke off.
    #[error("{host} gave no answer: {reason}")]
    #[diagnostic(code("wharf::source::no_answer"))]
    NoAnswer {
        /// The server.
        host: String,
        /// What the system says.
        reason: String,
    },
    /// The server says no.
    #[error("{url}: the server answered {status}")]
    #[diagnostic(code("wharf::source::answer"))]
    Answer {
        /// What was asked for, without a login.
        url: String,
        /// The status.
        status: u16,
    },
    /// It is larger than it may be.
    #[error("{url} is larger than {} MiB", LIMIT >> 20)]
    #[diagnostic(code("wharf::source::answer_limit"))]
    Limit {
        /// What was asked for.
        url: String,
    },
    /// The index of a repository is no index.
    #[error("{url} is no index of a Helm repository")]
    #[diagnostic(code("wharf::source::index"))]
    Index {
        /// The index.
        url: String,
    },
    /// An archive is another one than the repository says.
    #[error("{url} is not the archive that its repository's index describes")]
    #[diagnostic(
        code("wharf::source::digest"),
        help("its digest differs: the index is outdated, or the archive was exchanged")
    )]
    Digest {
        /// The archive.
        url: String,
    },
    /// The repository does not have the chart.
    #[error("{repository} has no chart `{name}`{}", wanted(version))]
    #[diagnostic(code("wharf::source::no_chart"))]
    NoChart {
        /// The repository.
        repository: String,
        /// The chart.
        name: String,
        /// The version, or a range of versions.
        version: String,
        /// What it has.
        #[help]
        help: Option<String>,
    },
}

fn wanted(version: &str) -> String {
    if version.is_empty() { String::new() } else { format!(" of version {version}") }
}

/// Name and password.
#[derive(Clone, Default)]
pub struct Login {
    /// The name; empty for none.
    pub name: String,
    /// The password.
    pub password: String,
    /// It goes to other hosts, too, when a repository's index names them.
    pub everywhere: bool,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A client of web servers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Web {
    client: Client,
    login: Login,
}

impl Default for Web {
    /// Without a login, and with what the system trusts.
    fn default() -> Web {
        Web::new(Login::default(), &Tls::default())
    }
}

impl Web {
    /// A client with a login and settings of encrypted connections.
    #[must_use]
    pub fn new(login: Login, tls: &Tls) -> Web {
        // the provider may be there already
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("wharf/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(PATIENCE);
        let client = tls.apply(builder).build().expect("settings that were tried out");
        Web { client, login }
    }

    /// Fetches a file.
    ///
    /// # Errors
    /// When there is none, the server fails, or it is too large.
    pub async fn get(&self, address: &str) -> Result<Bytes, HttpError> {
        self.fetch(parse(address)?, true).await
    }

    async fn fetch(&self, url: Url, logged_in: bool) -> Result<Bytes, HttpError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let failed = |error: reqwest::Error| {
            let mut reason: &dyn std::error::Error = &error;
            while let Some(inner) = reason.source() {
                reason = inner;
            }
            HttpError::NoAnswer { host: host.clone(), reason: reason.to_string() }
        };
        let mut request = self.client.get(url.clone());
        if logged_in && !self.login.name.is_empty() {
            request = request.basic_auth(&self.login.name, Some(&self.login.password));
        }
        let mut response = request.send().await.map_err(&failed)?;
        let shown = || {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{host}{port}{}", url.scheme(), url.path())
        };
        if !response.status().is_success() {
            return Err(HttpError::Answer { url: shown(), status: response.status().as_u16() });
        }
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(&failed)? {
            bytes.extend_from_slice(&part);
            if bytes.len() as u64 > LIMIT {
                return Err(HttpError::Limit { url: shown() });
            }
        }
        Ok(bytes.into())
    }

    /// Fetches a chart's archive from a Helm repository: the highest version that suits, of those
    /// that are final unless the range names others. Gives its version, too.
    ///
    /// # Errors
    /// When the repository cannot be read, or does not have it.
    pub async fn chart(
        &self,
        repository: &str,
        name: &str,
        version: &str,
    ) -> Result<(String, Bytes), HttpError> {
        let base = format!("{}/", repository.trim_end_matches('/'));
        let index = format!("{base}index.yaml");
        let bytes = self.get(&index).await?;
        let text = String::from_utf8_lossy(&bytes);
        let root = yaml::parse_first(&text, FileId::NONE, Dialect::GoYamlV2)
            .map_err(|_| HttpError::Index { url: index.clone() })?;
        let found = find(&root, name, version).map_err(|help| HttpError::NoChart {
            repository: repository.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            help,
        })?;
        let base = parse(&base)?;
        let url = base.join(&found.address).map_err(|_| HttpError::Address(found.address))?;
        let bytes = self.fetch(url.clone(), self.login.everywhere || same(&base, &url)).await?;
        let expected = found.digest.trim_start_matches("sha256:");
        if !expected.is_empty() && !Digest::of(&bytes).hex().eq_ignore_ascii_case(expected) {
            return Err(HttpError::Digest { url: url.to_string() });
        }
        Ok((found.version, bytes))
    }
}

/// True when a login for one address may be shown at another.
fn same(one: &Url, other: &Url) -> bool {
    let place = |url: &Url| {
        (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default())
    };
    place(one) == place(other)
}

fn parse(address: &str) -> Result<Url, HttpError> {
    let url = Url::parse(address).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    url.ok_or_else(|| HttpError::Address(address.to_owned()))
}

/// A version of a chart in an index.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    version: String,
    /// Where its archive is, from the index on.
    address: String,
    /// The archive's SHA-256, or empty.
    digest: String,
}

/// The version of a chart that suits; else what may be meant.
fn find(index: &Node, name: &str, version: &str) -> Result<Found, Option<String>> {
    let charts = index.get("entries").and_then(Node::as_map);
    let known = || charts.into_iter().flat_map(yaml::Map::keys);
    let releases = charts.and_then(|charts| charts.get(name)).and_then(Node::as_list);
    let Some(releases) = releases else {
        return Err(crate::base::suggest::did_you_mean(name, known()));
    };
    let text = |release: &Node, key: &str| release.str_at(&[key]).unwrap_or_default().to_owned();
    let exact = releases.iter().find(|release| release.str_at(&["version"]) == Some(version));
    let versions: Vec<String> = releases.iter().map(|release| text(release, "version")).collect();
    let suits = || highest(versions.iter().map(String::as_str), version).map(|at| &releases[at]);
    let Some(release) = exact.or_else(suits) else {
        return Err(versions.first().map(|first| format!("it has {first}, for one")));
    };
    let address = release.items_at(&["urls"]).first().and_then(Node::as_str);
    Ok(Found {
        version: text(release, "version"),
        address: address.ok_or(None)?.to_owned(),
        digest: text(release, "digest"),
    })
}

/// Which of the versions is the highest that a range allows; an empty one allows all that are final.
pub fn highest<'a>(versions: impl Iterator<Item = &'a str>, range: &str) -> Option<usize> {
    let range = if range.is_empty() { "*" } else { range };
    let range = Constraint::parse(range.as_bytes()).ok()?;
    let mut best: Option<(Version, usize)> = None;
    for (at, text) in versions.enumerate() {
        let Ok(found) = Version::parse(text.as_bytes()) else { continue };
        let better = best.as_ref().is_none_or(|(best, _)| found.precedence(best).is_gt());
        if better && range.allows(&found) {
            best = Some((found, at));
        }
    }
    best.map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server that gives these answers, one after the other.
    fn server(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        address
    }

    fn answer(status: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }

    fn web() -> Web {
        Web::new(Login::default(), &Tls::default())
    }

    fn run<T>(future: impl Future<Output = Result<T, HttpError>>) -> Result<T, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future).map_err(|error| {
            let code = miette::Diagnostic::code(&error).map(|code| code.to_string());
            format!("{} {error}", code.unwrap_or_default())
        })
    }

    #[test]
    fn a_chart_comes_from_a_repository() {
        let index = "entries:\n  web:\n  - {version: 1.0.0, urls: [charts/web-1.0.0.tgz]}\n";
        let base = server(vec![answer("200 OK", index), answer("200 OK", "archive")]);
        assert_eq!(run(web().chart(&base, "web", "1.x")).unwrap().1, "archive");
    }

    #[test]
    fn what_cannot_be_had_is_told() {
        let base = server(vec![answer("404 Not Found", "")]);
        assert_eq!(
            run(web().get(&format!("{base}/a.yaml"))).unwrap_err(),
            format!("wharf::source::answer {base}/a.yaml: the server answered 404")
        );
        assert_eq!(
            run(web().get("ftp://x")).unwrap_err(),
            "wharf::source::address `ftp://x` is no address of a web server"
        );
        let base = server(vec![answer("200 OK", "a: [")]);
        let error = run(web().chart(&base, "web", "")).unwrap_err();
        assert!(error.starts_with("wharf::source::index "), "{error}");
        let base = server(vec![answer("200 OK", "entries: {web: [{version: 1.0.0}]}")]);
        let error = run(web().chart(&base, "web", "2.x")).unwrap_err();
        assert!(error.starts_with("wharf::source::no_chart "), "{error}");
        let index = "entries: {web: [{version: 1.0.0, urls: [a.tgz], digest: abc}]}";
        let base = server(vec![answer("200 OK", index), answer("200 OK", "another")]);
        let error = run(web().chart(&base, "web", "")).unwrap_err();
        assert!(error.starts_with("wharf::source::digest "), "{error}");
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = run(web().get(&format!("http://{closed}/"))).unwrap_err();
        assert!(error.starts_with("wharf::source::no_answer 127.0.0.1 "), "{error}");
        let limit = HttpError::Limit { url: "u".into() };
        let code = miette::Diagnostic::code(&limit).map(|code| code.to_string());
        assert_eq!(code.as_deref(), Some("wharf::source::answer_limit"));
    }

    #[test]
    fn the_highest_version_that_suits_is_taken() {
        let index = Node::from(json!({"entries": {"web": [
            {"version": "2.0.0-rc.1", "urls": ["d"]},
            {"version": "1.2.0", "urls": ["b"]},
            {"version": "1.10.0", "urls": ["c"]},
            {"version": "1.0.0", "urls": ["a"]},
        ]}}));
        for (name, version, expected) in [
            ("web", "", Ok("c")),
            ("web", "<1.10", Ok("b")),
            ("web", "1.0.0", Ok("a")),
            ("web", ">0.0.0-0", Ok("d")),
            ("web", "3", Err(Some("it has 2.0.0-rc.1, for one"))),
            ("wep", "", Err(Some("did you mean `web`?"))),
        ] {
            let expected = expected.map(str::to_owned).map_err(|help| help.map(ToOwned::to_owned));
            let found = find(&index, name, version).map(|found| found.address);
            assert_eq!(found, expected, "{name} {version}");
        }
    }
}
