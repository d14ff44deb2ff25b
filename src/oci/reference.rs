//! Names of things in registries.
//!
//! ```text
//! oci://registry.example:5000/team/charts/shop:1.2.0@sha256:…
//!       └──── registry ─────┘ └─ repository ─┘└ tag ┘└ digest ┘
//! ```
//!
//! A name after `oci://` always says its registry. An image name may leave it out, with Docker's
//! rules: the first part is a registry when it holds a dot or a colon, is `localhost`, or has an
//! upper-case letter; otherwise the registry is `docker.io`, where a name of one part lies in
//! `library/`. With a digest, the tag is only for people: the digest decides.

use crate::base::digest::Digest;
use std::fmt;

/// The registry of names that say none.
const DOCKER_HUB: &str = "docker.io";

/// A repository in a registry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Repository {
    registry: String,
    path: String,
}

/// An artifact in a repository: by tag, by digest, or by both.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Reference {
    /// The repository.
    pub repository: Repository,
    /// The tag, when one is named.
    pub tag: Option<String>,
    /// The digest, when one is named.
    pub digest: Option<Digest>,
}

/// A text that names nothing in a registry.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, miette::Diagnostic)]
#[error("`{text}` is not a valid {kind}: {reason}")]
#[diagnostic(code("wharf::oci::reference"))]
pub struct ReferenceError {
    text: String,
    kind: &'static str,
    reason: String,
    #[help]
    help: &'static str,
}

impl Repository {
    /// Makes a repository of a registry (`host` or `host:port`) and a path.
    ///
    /// # Errors
    /// When one of them has characters that its kind cannot have.
    pub fn new(registry: &str, path: &str) -> Result<Repository, ReferenceError> {
        check_registry(registry)
            .and_then(|()| check_path(path))
            .map_err(|reason| fault(&format!("{registry}/{path}"), "repository", reason))?;
        Ok(Repository { registry: registry.to_owned(), path: path.to_owned() })
    }

    /// The registry as it is named: `host` or `host:port`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The host that answers for the registry: Docker Hub's is not the one in its names.
    #[must_use]
    pub fn host(&self) -> &str {
        if self.registry == DOCKER_HUB { "registry-1.docker.io" } else { &self.registry }
    }

    /// The path in the registry.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The repository below this one.
    ///
    /// # Errors
    /// When the name cannot be part of a path.
    pub fn child(&self, name: &str) -> Result<Repository, ReferenceError> {
        Repository::new(&self.registry, &format!("{}/{name}", self.path))
    }

    /// The artifact with a tag.
    ///
    /// # Errors
    /// When the text is no tag.
    pub fn tagged(&self, tag: &str) -> Result<Reference, ReferenceError> {
        check_tag(tag).map_err(|reason| fault(tag, "tag", reason))?;
        Ok(Reference { repository: self.clone(), tag: Some(tag.to_owned()), digest: None })
    }

    /// The artifact with a digest.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { repository: self.clone(), tag: None, digest: Some(digest) }
    }
}

impl Reference {
    /// Reads the name of an image, with Docker's rules for what it may leave out. Without tag and
    /// digest the tag is `latest`.
    ///
    /// # Errors
    /// When it names nothing.
    pub fn image(text: &str) -> Result<Reference, ReferenceError> {
        let bad = |reason| fault(text, "image name", reason);
        let (name, tag, digest) = split(text).map_err(bad)?;
        let is_registry = |part: &str| {
            part.contains(['.', ':']) || part == "localhost" || part.chars().any(char::is_uppercase)
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest.to_owned()),
            _ => (DOCKER_HUB, name.to_owned()),
        };
        let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
        let path = if registry == DOCKER_HUB && !path.contains('/') {
            format!("library/{path}")
        } else {
            path
        };
        let tag = match (tag, digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        };
        Reference::assemble(registry, &path, tag, digest).map_err(bad)
    }

    /// Reads `oci://registry/repository[:tag][@digest]`. `+` in the tag, which registries cannot
    /// keep, is written `_`, as Helm does it.
    ///
    /// # Errors
    /// When it names nothing.
    pub fn oci(text: &str) -> Result<Reference, ReferenceError> {
        let bad = |reason| fault(text, "registry reference", reason);
        let rest = text.strip_prefix("oci://").ok_or_else(|| bad("it lacks `oci://`".into()))?;
        let (name, tag, digest) = split(rest).map_err(bad)?;
        let (registry, path) =
            name.split_once('/').ok_or_else(|| bad("it names no repository".into()))?;
        let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
        let tag = tag.map(version_tag);
        Reference::assemble(registry, path, tag.as_deref(), digest).map_err(bad)
    }

    fn assemble(
        registry: &str,
        path: &str,
        tag: Option<&str>,
        digest: Option<Digest>,
    ) -> Result<Reference, String> {
        check_registry(registry)?;
        check_path(path)?;
        tag.map_or(Ok(()), check_tag)?;
        let repository = Repository { registry: registry.to_owned(), path: path.to_owned() };
        Ok(Reference { repository, tag: tag.map(str::to_owned), digest })
    }

    /// What a registry is asked for: the digest when there is one, else the tag, else `latest`.
    #[must_use]
    pub fn selector(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

/// The tag of a version: `1.0.0+build` is kept as `1.0.0_build`.
#[must_use]
pub fn version_tag(version: &str) -> String {
    version.replace('+', "_")
}

/// The version of a tag that [`version_tag`] made.
#[must_use]
pub fn tag_version(tag: &str) -> String {
    tag.replace('_', "+")
}

/// True for hosts that only this machine reaches: those may speak plain HTTP.
#[must_use]
pub fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => registry.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn fault(text: &str, kind: &'static str, reason: String) -> ReferenceError {
    let help = match kind {
        "image name" => "write [registry/]repository[:tag][@sha256:…]",
        "registry reference" => "write oci://registry/repository[:tag][@sha256:…]",
        "tag" => "tags have letters, digits, `_`, `.` and `-`, at most 128 of them",
        _ => "write registry/repository",
    };
    let text = text.chars().filter(|c| !c.is_control()).take(300).collect();
    ReferenceError { text, kind, reason, help }
}

/// Splits off the digest and the tag.
fn split(text: &str) -> Result<(&str, Option<&str>, Option<Digest>), String> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            (rest, Some(Digest::parse(digest).map_err(|error| error.to_string())?))
        }
        None => (text, None),
    };
    // a colon before the last slash belongs to the registry's port
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    match rest[last..].find(':') {
        Some(colon) => Ok((&rest[..last + colon], Some(&rest[last + colon + 1..]), digest)),
        None => Ok((rest, None, digest)),
    }
}

fn check_registry(registry: &str) -> Result<(), String> {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(format!("`{address}` is no IPv6 address"));
            }
            ("", port.strip_prefix(':').or(if port.is_empty() { None } else { Some("?") }))
        }
        None => match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        },
    };
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|number| number > 0)) {
        return Err(format!("`{registry}` has a port that is no number from 1 to 65535"));
    }
    let label = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if registry.starts_with('[') || host.split('.').all(label) {
        return Ok(());
    }
    Err(format!("`{registry}` is no host name"))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` between slashes, at most 255 bytes.
fn check_path(path: &str) -> Result<(), String> {
    if path.len() > 255 {
        return Err("the repository is longer than 255 characters".into());
    }
    for part in path.split('/') {
        if part.is_empty() {
            return Err("the repository has an empty part".into());
        }
        if part.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(format!("`{part}` must be lower case"));
        }
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let separators = part.split(alphanumeric).filter(|between| !between.is_empty());
        let good = part.starts_with(alphanumeric)
            && part.ends_with(alphanumeric)
            && separators.into_iter().all(|between| {
                matches!(between, "." | "_" | "__") || between.chars().all(|c| c == '-')
            });
        if !good {
            return Err(format!(
                "`{part}` must have letters and digits with single `.`, `_`, `__` or `-` between them"
            ));
        }
    }
    Ok(())
}

fn check_tag(tag: &str) -> Result<(), String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if tag.len() <= 128
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || c == '.' || c == '-')
    {
        return Ok(());
    }
    Err(format!("`{tag}` cannot be a tag"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn image_names_are_completed_as_docker_does() {
        let with_digest = format!("busybox@{DIGEST}");
        let both = format!("ghcr.io/a/b:1@{DIGEST}");
        for (text, expected) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1.36", "docker.io/library/busybox:1.36"),
            ("team/app", "docker.io/team/app:latest"),
            ("docker.io/busybox", "docker.io/library/busybox:latest"),
            ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1"),
            ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
            ("127.0.0.1:5055/spk/bb:1", "127.0.0.1:5055/spk/bb:1"),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            ("Host/app", "Host/app:latest"),
            ("a__b/c-d/e.f", "docker.io/a__b/c-d/e.f:latest"),
            (&with_digest, &format!("docker.io/library/{with_digest}")),
            (&both, &both),
        ] {
            assert_eq!(Reference::image(text).map(|r| r.to_string()).as_deref(), Ok(expected));
        }
        let hub = Reference::image("busybox").expect("a name");
        assert_eq!(hub.repository.host(), "registry-1.docker.io");
    }

    #[test]
    fn registry_references_are_explicit() {
        for (text, expected) in [
            ("oci://ghcr.io/org/chart:1.0.0", "ghcr.io/org/chart:1.0.0"),
            ("oci://localhost:5000/chart", "localhost:5000/chart"),
            ("oci://h/chart:1.0.0+build.5", "h/chart:1.0.0_build.5"),
        ] {
            assert_eq!(Reference::oci(text).map(|r| r.to_string()).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_names_nothing_says_why() {
        for (text, expected) in [
            ("", "empty part"),
            ("UPPER/x:1", "docker"),
            ("a/UPPER", "`UPPER` must be lower case"),
            ("a//b", "empty part"),
            ("a..b", "`a..b` must have letters"),
            ("-a", "`-a` must have letters"),
            ("a___b", "`a___b` must have letters"),
            ("a:", "`` cannot be a tag"),
            ("a:.x", "`.x` cannot be a tag"),
            ("a@sha256:12", "is not a digest"),
            ("h:99999/a", "port that is no number"),
            ("h:0/a", "port that is no number"),
            ("[::1/a", "port that is no number"),
            ("[zz]:1/a", "is no IPv6 address"),
            ("a.b_c/d", "is no host name"),
            ("../../etc", "`..` is no host name"),
            ("h.x/../etc", "`..` must have letters"),
        ] {
            match Reference::image(text) {
                Err(error) => assert!(error.to_string().contains(expected), "{text}: {error}"),
                Ok(reference) => assert_eq!(expected, "docker", "{text}: {reference}"),
            }
        }
        assert!(Reference::image(&"a".repeat(300)).is_err());
        assert!(Reference::oci("ghcr.io/a/b").is_err());
        assert!(Reference::oci("oci://ghcr.io").is_err());
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("[::1]:5000", true),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("10.0.0.1:5000", false),
            ("[2001:db8::1]:5000", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }
}
