//! Addresses of kustomizations in git repositories, as kustomize reads them.
//!
//! ```text
//! https://github.com/org/repo//path/to/folder?ref=v1.2&timeout=60s&submodules=false
//! └── host ────────┘└ path ─┘  └ folder ────┘ └ query ────────────────────────────┘
//! ```
//!
//! The repository ends at `//`, behind `.git`, one part behind `_git/`, or else after two parts;
//! `file://` takes all of them. A host without a scheme is GitHub, or stands behind `user@` with a
//! `:` after it. Addresses of GitHub are made equal, whatever their scheme.

use std::time::Duration;

/// Longer than this no clone may take, unless the address says so.
const TIMEOUT: Duration = Duration::from_secs(27);

/// The longest time that an address may ask for.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

/// A folder in a git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The address as it was written.
    pub raw: String,
    /// Scheme, user and host, with the separator behind it.
    pub host: String,
    /// The path of the repository at its host.
    pub path: String,
    /// The folder in the repository; empty for its root.
    pub folder: String,
    /// The branch, tag or commit; empty for the default branch.
    pub reference: String,
    /// How long fetching may take.
    pub timeout: Duration,
    /// Fetch its submodules too.
    pub submodules: bool,
}

/// Why a text is no address of a repository. The texts are kustomize's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is a path of this machine.
    #[error("uri looks like abs path: {0}")]
    Absolute(String),
    /// It has no scheme, and no host that needs none.
    #[error("failed to parse scheme")]
    Scheme,
    /// It names no host.
    #[error("failed to parse host segment")]
    Host,
    /// It names no repository.
    #[error("failed to parse repo path segment")]
    Path,
    /// Its folder is not in the repository.
    #[error("url path exits repo: {0}")]
    Outside(String),
}

impl Repository {
    /// Reads an address.
    pub fn parse(raw: &str) -> Result<Repository, AddressError> {
        if raw.starts_with('/') {
            return Err(AddressError::Absolute(raw.to_owned()));
        }
        let (address, query) = raw.split_once('?').unwrap_or((raw, ""));
        let (host, path) = host(address)?;
        let (path, folder) = parts(&path, host.starts_with("file://"))?;
        let mut repository = Repository {
            raw: raw.to_owned(),
            host,
            path,
            folder,
            reference: String::new(),
            timeout: TIMEOUT,
            submodules: true,
        };
        repository.read_query(query);
        Ok(repository)
    }

    /// What `git` is told to fetch from.
    #[must_use]
    pub fn clone_address(&self) -> String {
        format!("{}{}", self.host, self.path)
    }

    fn read_query(&mut self, query: &str) {
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(key), Some(value)) = (decoded(key), decoded(value)) else { return };
            pairs.push((key, value));
        }
        let first = |wanted: &str| {
            let found = pairs.iter().find(|(key, _)| key == wanted);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let reference = first("ref").or_else(|| first("version"));
        self.reference = reference.map(str::to_owned).unwrap_or_default();
        if let Some(timeout) = first("timeout").and_then(duration) {
            self.timeout = timeout.min(MAX_TIMEOUT);
        }
        match first("submodules") {
            Some("1" | "t" | "T" | "TRUE" | "true" | "True") => self.submodules = true,
            Some("0" | "f" | "F" | "FALSE" | "false" | "False") => self.submodules = false,
            _ => {}
        }
    }
}

/// Scheme, user and host, and what stands behind.
fn host(address: &str) -> Result<(String, String), AddressError> {
    let address = without(address, "git::").unwrap_or(address);
    let schemes = ["ssh://", "https://", "http://", "file://"];
    let found = schemes.iter().find_map(|scheme| Some((*scheme, without(address, scheme)?)));
    let (scheme, rest) = found.unwrap_or(("", address));
    let (user, rest) = user(rest);
    let lower = rest.to_ascii_lowercase();
    let is_github = lower.starts_with("github.com/") || lower.starts_with("github.com:");
    let may_have_colon = scheme.is_empty() && (!user.is_empty() || is_github);
    if scheme.is_empty() && !may_have_colon {
        return Err(AddressError::Scheme);
    }
    if scheme == "file://" {
        return Ok((scheme.to_owned(), format!("{user}{rest}")));
    }
    let slash = rest.find('/');
    let colon = rest.find(':').filter(|_| may_have_colon);
    let end = match (slash, colon) {
        (None, colon) => colon,
        (Some(slash), Some(colon)) if colon > 0 && colon < slash => Some(colon),
        (slash, _) => slash,
    };
    let (name, path) = end.map_or((rest, ""), |end| rest.split_at(end + 1));
    if is_github {
        let host = if scheme == "ssh://" || !user.is_empty() {
            format!("{user}github.com:")
        } else {
            "https://github.com/".to_owned()
        };
        return Ok((host, path.to_owned()));
    }
    if name.is_empty() {
        return Err(AddressError::Host);
    }
    Ok((format!("{scheme}{user}{name}"), path.to_owned()))
}

/// The path of the repository, and the folder in it.
fn parts(path: &str, takes_all: bool) -> Result<(String, String), AddressError> {
    let marked = if let Some(at) = path.find("_git/") {
        let end = at + "_git/".len();
        let end = path[end..].find('/').map_or(path.len(), |slash| end + slash);
        Some((&path[..end], path[end..].strip_prefix('/').unwrap_or_default()))
    } else if let Some(at) = path.find("//") {
        Some((&path[..at], &path[at + 2..]))
    } else {
        path.find(".git").map(|at| path.split_at(at + ".git".len()))
    };
    let (repository, folder) = match marked {
        Some(parts) => parts,
        None if takes_all => (path, ""),
        None => {
            let slash = path.find('/').ok_or(AddressError::Path)?;
            let end = path[slash + 1..].find('/').map_or(path.len(), |next| slash + 1 + next);
            (&path[..end], path[end..].strip_prefix('/').unwrap_or_default())
        }
    };
    if repository.is_empty() {
        return Err(AddressError::Path);
    }
    let folder = folder.strip_prefix('/').unwrap_or(folder);
    let mut depth = 0_usize;
    for part in folder.split('/').filter(|part| !part.is_empty() && *part != ".") {
        depth = match part {
            ".." => depth.checked_sub(1).ok_or_else(|| AddressError::Outside(path.to_owned()))?,
            _ => depth + 1,
        };
    }
    Ok((repository.to_owned(), folder.to_owned()))
}

fn without<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// A user with the `@` behind it.
fn user(text: &str) -> (&str, &str) {
    let name = text.split('@').next().unwrap_or_default();
    let is_name = name.len() < text.len()
        && name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    text.split_at(if is_name { name.len() + 1 } else { 0 })
}

/// `61`, `61s`, `1m30s`: seconds, or numbers with units.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return (seconds > 0).then(|| Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let after = &rest[end..];
        let unit_end = after.find(|char: char| char.is_ascii_digit()).unwrap_or(after.len());
        let seconds = match &after[..unit_end] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &after[unit_end..];
    }
    (total > Duration::ZERO).then_some(total)
}

/// A part of a query without its escapes; nothing when one is broken.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            b';' => return None,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_host_path_folder_and_reference() {
        for (raw, host, path, folder, reference) in [
            ("github.com/o/r", "https://github.com/", "o/r", "", ""),
            ("github.com/o/r/a/b?ref=v1", "https://github.com/", "o/r", "a/b", "v1"),
            ("GitHub.com/o/r.git//a?version=v2", "https://github.com/", "o/r.git", "a", "v2"),
            ("https://github.com/o/r//a?ref=x&version=y", "https://github.com/", "o/r", "a", "x"),
            ("git@github.com:o/r.git/a", "git@github.com:", "o/r.git", "a", ""),
            ("ssh://git@github.com/o/r", "git@github.com:", "o/r", "", ""),
            ("ssh://github.com/o/r", "github.com:", "o/r", "", ""),
            ("git::https://github.com/o/r", "https://github.com/", "o/r", "", ""),
            ("https://gitlab.x/g/s/r.git/a", "https://gitlab.x/", "g/s/r.git", "a", ""),
            ("https://x.com:8080/o/r/a", "https://x.com:8080/", "o/r", "a", ""),
            (
                "https://u@dev.azure.com/o/p/_git/r/a/b",
                "https://u@dev.azure.com/",
                "o/p/_git/r",
                "a/b",
                "",
            ),
            ("git@host:path/to/r.git//a", "git@host:", "path/to/r.git", "a", ""),
            ("file:///srv/r.git//a?ref=main", "file://", "/srv/r.git", "a", "main"),
            ("file:///srv/r", "file://", "/srv/r", "", ""),
            ("https://x.com/o/r?ref=a%2Fb", "https://x.com/", "o/r", "", "a/b"),
        ] {
            let found = Repository::parse(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
            let parts = (&*found.host, &*found.path, &*found.folder, &*found.reference);
            assert_eq!(parts, (host, path, folder, reference), "{raw}");
        }
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for (raw, expected) in [
            ("/abs/path", "uri looks like abs path: /abs/path"),
            ("../base", "failed to parse scheme"),
            ("base", "failed to parse scheme"),
            ("bitbucket.org/o/r", "failed to parse scheme"),
            ("https://", "failed to parse host segment"),
            ("https://github.com/o", "failed to parse repo path segment"),
            ("https://x.com/o/r//../../a", "url path exits repo: o/r//../../a"),
        ] {
            let error = Repository::parse(raw).expect_err(raw);
            assert_eq!(error.to_string(), expected, "{raw}");
        }
    }

    #[test]
    fn the_query_says_how_long_and_whether_submodules_come() {
        for (query, seconds, submodules) in [
            ("", 27, true),
            ("timeout=61", 61, true),
            ("timeout=1m30s&submodules=false", 90, false),
            ("timeout=-1&submodules=maybe", 27, true),
            ("timeout=9999999s", 3600, true),
        ] {
            let found = Repository::parse(&format!("github.com/o/r?{query}")).expect("an address");
            assert_eq!(
                (found.timeout.as_secs(), found.submodules),
                (seconds, submodules),
                "{query}"
            );
        }
    }
}
