//! The documents of a registry: descriptors, manifests, indexes; OCI's and Docker's.
//!
//! They are wire types: fields that wharf does not know are dropped, because a manifest is never
//! changed and written back; what is pushed again is pushed as the bytes that came.

use super::error::OciError;
use crate::base::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Media types.
pub mod media {
    /// An OCI image or artifact manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// Docker's image manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// The config of an OCI image.
    pub const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// The config of a Docker image.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// A gzip-compressed layer.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// The config of an artifact that has none: `{}`.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// Everything that may stand where a manifest is asked for.
    pub const ACCEPT: [&str; 4] = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST];
}

/// Names a blob or manifest: what it is, which bytes, how many.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Which bytes.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
    /// Which machines it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What kind of artifact it is, in answers about referrers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Remarks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Describes some bytes.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            platform: None,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// A kind of machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// As Go names it: `amd64`, `arm64`.
    pub architecture: String,
    /// `v8` of arm64, `v7` of arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Linux on the processor that this program runs on.
    #[must_use]
    pub fn host() -> Platform {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            "loongarch64" => "loong64",
            other => other,
        };
        Platform { os: "linux".into(), architecture: architecture.into(), variant: None }
    }

    /// How well `offered` runs here: nothing when it does not, less is better.
    fn distance(&self, offered: &Platform) -> Option<u8> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        let plain = |variant: &Option<String>| match (self.architecture.as_str(), variant) {
            ("arm64", None) => "v8".to_owned(),
            ("amd64", None) => "v1".to_owned(),
            (_, variant) => variant.clone().unwrap_or_default(),
        };
        match (plain(&self.variant), plain(&offered.variant)) {
            (own, other) if own == other => Some(0),
            // a later level of the instruction set does not run on every machine
            _ if self.variant.is_none() => Some(1),
            _ => None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// An image or artifact: a config and layers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u8,
    /// What this document is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// What kind of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Remarks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// One artifact for several platforms.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u8,
    /// What this document is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
    /// Remarks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// The manifest for a platform; of several that run there, the one that fits best.
    #[must_use]
    pub fn select(&self, platform: &Platform) -> Option<&Descriptor> {
        self.manifests
            .iter()
            .filter_map(|entry| Some((platform.distance(entry.platform.as_ref()?)?, entry)))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, entry)| entry)
    }

    /// The platforms that it has manifests for; attestations have none that exists.
    #[must_use]
    pub fn platforms(&self) -> Vec<String> {
        let known = |platform: &&Platform| platform.os != "unknown";
        let platforms = self.manifests.iter().filter_map(|entry| entry.platform.as_ref());
        platforms.filter(known).map(ToString::to_string).collect()
    }
}

/// What a tag can name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Document {
    /// One artifact.
    Manifest(Box<Manifest>),
    /// One for several platforms.
    Index(Index),
}

impl Document {
    /// Reads a document. Its own media type decides what it is, and must agree with its form: a
    /// document that is a manifest for one reader and an index for another is refused
    /// (CVE-2021-41190).
    ///
    /// # Errors
    /// When it is neither a manifest nor an index.
    pub fn parse(bytes: &[u8], media_type: &str, what: &str) -> Result<Document, OciError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Shape {
            #[serde(default)]
            schema_version: u64,
            #[serde(default)]
            media_type: Option<String>,
            #[serde(default)]
            manifests: Option<serde::de::IgnoredAny>,
            #[serde(default)]
            layers: Option<serde::de::IgnoredAny>,
            #[serde(default)]
            config: Option<serde::de::IgnoredAny>,
        }
        let bad = |reason: String| OciError::Malformed { what: what.to_owned(), reason };
        let shape: Shape = serde_json::from_slice(bytes)
            .map_err(|error| bad(format!("it is no manifest: {error}")))?;
        if shape.schema_version != 2 {
            let version = shape.schema_version;
            return Err(bad(format!("it has schema version {version}; only 2 is supported")));
        }
        let stated = shape.media_type.as_deref().unwrap_or(media_type);
        let is_index = shape.manifests.is_some();
        if is_index && (shape.layers.is_some() || shape.config.is_some()) {
            return Err(bad("it is an index and a manifest at once".into()));
        }
        if is_index != matches!(stated, media::INDEX | media::DOCKER_LIST)
            && media::ACCEPT.contains(&stated)
        {
            return Err(bad(format!("it is not the `{stated}` that it claims to be")));
        }
        let parsed = if is_index {
            serde_json::from_slice(bytes).map(Document::Index)
        } else {
            serde_json::from_slice(bytes).map(|manifest| Document::Manifest(Box::new(manifest)))
        };
        parsed.map_err(|error| bad(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(os: &str, architecture: &str, variant: Option<&str>) -> Descriptor {
        let text = format!("{os}{architecture}{variant:?}");
        Descriptor {
            platform: Some(Platform {
                os: os.into(),
                architecture: architecture.into(),
                variant: variant.map(str::to_owned),
            }),
            ..Descriptor::of(media::MANIFEST, text.as_bytes())
        }
    }

    #[test]
    fn an_index_gives_the_manifest_of_the_platform() {
        let manifests = vec![
            entry("unknown", "unknown", None),
            entry("windows", "amd64", None),
            entry("linux", "amd64", Some("v3")),
            entry("linux", "amd64", None),
            entry("linux", "arm64", Some("v8")),
            entry("linux", "arm", Some("v7")),
        ];
        let index = Index {
            schema_version: 2,
            media_type: String::new(),
            manifests,
            annotations: BTreeMap::new(),
        };
        let pick = |architecture: &str| {
            let wanted =
                Platform { os: "linux".into(), architecture: architecture.into(), variant: None };
            let chosen = index.select(&wanted)?.platform.as_ref()?;
            Some(chosen.to_string())
        };
        assert_eq!(pick("amd64").as_deref(), Some("linux/amd64"));
        assert_eq!(pick("arm64").as_deref(), Some("linux/arm64/v8"));
        assert_eq!(pick("s390x"), None);
        assert_eq!(index.platforms().len(), 5);
    }

    #[test]
    fn documents_are_what_they_claim_to_be() {
        let descriptor = serde_json::to_string(&Descriptor::of(media::EMPTY, b"{}")).expect("JSON");
        let manifest = format!(r#"{{"schemaVersion":2,"config":{descriptor},"layers":[]}}"#);
        let parse = |text: &str, media: &str| {
            Document::parse(text.as_bytes(), media, "h/a:1").map_err(|error| error.to_string())
        };
        assert!(matches!(parse(&manifest, media::MANIFEST), Ok(Document::Manifest(_))));
        assert!(matches!(parse(&manifest, "text/plain"), Ok(Document::Manifest(_))));
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(matches!(parse(index, media::DOCKER_LIST), Ok(Document::Index(_))));
        for (text, media, expected) in [
            (index, media::MANIFEST, "not the `application/vnd.oci.image.manifest.v1+json`"),
            (&manifest, media::INDEX, "not the `application/vnd.oci.image.index.v1+json`"),
            (r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, media::INDEX, "at once"),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, "", "schema version 1"),
            ("<html>", "text/html", "no manifest"),
            (r#"{"schemaVersion":2}"#, media::MANIFEST, "missing field"),
        ] {
            let error = parse(text, media).expect_err("a fault");
            assert!(error.contains(expected), "{error}");
        }
    }
}
