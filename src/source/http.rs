//! Files from web servers: values, charts, and the index of a Helm repository.
//!
//! Nothing is kept: what is asked for is fetched each time, within a limit. A login goes to the host
//! that it is for and to no other, wherever redirects lead.

use crate::base::source::FileId;
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
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The name; empty for none.
    pub name: String,
    /// The password.
    pub password: String,
}

/// Fetches a file.
///
/// # Errors
/// When there is none, the server fails, or it is too large.
pub async fn get(address: &str, login: Option<&Login>) -> Result<Bytes, HttpError> {
    let url = parse(address)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let failed = |error: reqwest::Error| {
        let mut reason: &dyn std::error::Error = &error;
        while let Some(inner) = reason.source() {
            reason = inner;
        }
        HttpError::NoAnswer { host: host.clone(), reason: reason.to_string() }
    };
    // the provider may be there already
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("wharf/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .timeout(PATIENCE)
        .build()
        .map_err(&failed)?;
    let mut request = client.get(url.clone());
    if let Some(login) = login.filter(|login| !login.name.is_empty()) {
        request = request.basic_auth(&login.name, Some(&login.password));
    }
    let mut response = request.send().await.map_err(&failed)?;
    let shown = || format!("{}://{}{}", url.scheme(), url.authority(), url.path());
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

fn parse(address: &str) -> Result<Url, HttpError> {
    let url = Url::parse(address).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    url.ok_or_else(|| HttpError::Address(address.to_owned()))
}

/// Fetches a chart's archive from a Helm repository: the highest version that suits, of those that
/// are final unless the range names others.
///
/// # Errors
/// When the repository cannot be read, or does not have it.
pub async fn chart(
    repository: &str,
    name: &str,
    version: &str,
    login: Option<&Login>,
) -> Result<Bytes, HttpError> {
    let base = format!("{}/", repository.trim_end_matches('/'));
    let index = format!("{base}index.yaml");
    let bytes = get(&index, login).await?;
    let text = String::from_utf8_lossy(&bytes);
    let root = yaml::parse_first(&text, FileId::NONE, Dialect::GoYamlV2)
        .map_err(|_| HttpError::Index { url: index.clone() })?;
    let address = find(&root, name, version).map_err(|help| HttpError::NoChart {
        repository: repository.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        help,
    })?;
    let url = parse(&base)?.join(&address).map_err(|_| HttpError::Address(address))?;
    let same = parse(&base)?.host_str() == url.host_str();
    get(url.as_str(), login.filter(|_| same)).await
}

/// The address of a chart's archive in an index; else what may be meant.
fn find(index: &Node, name: &str, version: &str) -> Result<String, Option<String>> {
    let charts = index.get("entries").and_then(Node::as_map);
    let known = || charts.into_iter().flat_map(yaml::Map::keys);
    let releases = charts.and_then(|charts| charts.get(name)).and_then(Node::as_list);
    let Some(releases) = releases else {
        return Err(crate::base::suggest::did_you_mean(name, known()));
    };
    let range = if version.is_empty() { "*" } else { version };
    let range = Constraint::parse(range.as_bytes()).ok();
    let mut best: Option<(Version, &Node)> = None;
    for release in releases {
        let text = release.str_at(&["version"]).unwrap_or_default();
        if !version.is_empty() && text == version {
            return address(release).ok_or(None);
        }
        let Ok(found) = Version::parse(text.as_bytes()) else { continue };
        let suits = range.as_ref().is_some_and(|range| range.allows(&found));
        if suits && best.as_ref().is_none_or(|(best, _)| found.precedence(best).is_gt()) {
            best = Some((found, release));
        }
    }
    match best {
        Some((_, release)) => address(release).ok_or(None),
        None => {
            let first = releases.first().and_then(|release| release.str_at(&["version"]));
            Err(first.map(|first| format!("it has {first}, for one")))
        }
    }
}

fn address(release: &Node) -> Option<String> {
    release.items_at(&["urls"]).first().and_then(Node::as_str).map(ToOwned::to_owned)
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
        assert_eq!(run(chart(&base, "web", "1.x", None)).unwrap(), "archive");
    }

    #[test]
    fn what_cannot_be_had_is_told() {
        let base = server(vec![answer("404 Not Found", "")]);
        assert_eq!(
            run(get(&format!("{base}/a.yaml"), None)).unwrap_err(),
            format!("wharf::source::answer {base}/a.yaml: the server answered 404")
        );
        assert_eq!(
            run(get("ftp://x", None)).unwrap_err(),
            "wharf::source::address `ftp://x` is no address of a web server"
        );
        let base = server(vec![answer("200 OK", "a: [")]);
        let error = run(chart(&base, "web", "", None)).unwrap_err();
        assert!(error.starts_with("wharf::source::index "), "{error}");
        let base = server(vec![answer("200 OK", "entries: {web: [{version: 1.0.0}]}")]);
        let error = run(chart(&base, "web", "2.x", None)).unwrap_err();
        assert!(error.starts_with("wharf::source::no_chart "), "{error}");
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = run(get(&format!("http://{closed}/"), None)).unwrap_err();
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
            assert_eq!(find(&index, name, version), expected, "{name} {version}");
        }
    }
}
