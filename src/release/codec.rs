//! Records to and from Secrets.
//!
//! ```text
//! name    sh.helm.release.v1.<release>.v<revision>      type  helm.sh/release.v1
//! labels  owner=helm  name  status  version  createdAt | modifiedAt  and the user's
//! data    release: base64( base64( gzip( JSON ) ) )      the outer base64 is the Secret's own
//! ```
//!
//! Very old releases are plain JSON inside; Helm's `ConfigMap` driver leaves the outer base64 out.
//! Both are read. Writing gives Secrets.

use super::error::ReleaseError;
use super::record::Record;
use crate::object::meta;
use crate::yaml::{Map, Node};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use std::io::{Read, Write};

/// The API's limit on the data of a Secret.
pub const RECORD_LIMIT: usize = 1_048_576;

/// Unpacked, a record may be at most this large.
const UNPACKED_LIMIT: u64 = 256 << 20;

const HOLDER: &str = "wharf.dev/holder";

/// Labels that say what a record is; all others are the user's.
const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// The name of the Secret that holds a revision.
#[must_use]
pub fn object_name(release: &str, version: i64) -> String {
    format!("sh.helm.release.v1.{release}.v{version}")
}

/// Reads a record out of a Secret or `ConfigMap`.
///
/// # Errors
/// [`ReleaseError::Unreadable`] when it holds no release.
pub fn from_object(object: &Node) -> Result<Record, ReleaseError> {
    let wrong =
        |message: String| ReleaseError::Unreadable { name: meta::name(object).to_owned(), message };
    let in_config_map = object.str_at(&["kind"]) == Some("ConfigMap");
    let text = object
        .str_at(&["data", "release"])
        .ok_or_else(|| wrong("it has no `data.release`".to_owned()))?;
    let inner = if in_config_map {
        text.as_bytes().to_vec()
    } else {
        STANDARD.decode(text).map_err(|error| wrong(error.to_string()))?
    };
    let packed = STANDARD.decode(&inner).map_err(|error| wrong(error.to_string()))?;
    let json = if packed.starts_with(&[0x1f, 0x8b, 0x08]) {
        let mut json = Vec::new();
        GzDecoder::new(packed.as_slice())
            .take(UNPACKED_LIMIT)
            .read_to_end(&mut json)
            .map_err(|error| wrong(error.to_string()))?;
        json
    } else {
        packed
    };
    let root: Node = serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
    if root.as_map().is_none() {
        return Err(wrong("it is no map".to_owned()));
    }
    let mut record = Record::of_root(root);
    let labels = meta::labels(object);
    record.labels = labels
        .into_iter()
        .flat_map(Map::iter)
        .filter(|entry| !SYSTEM_LABELS.contains(&entry.key.as_str()))
        .map(|entry| (entry.key.to_string(), entry.value.as_str().unwrap_or_default().to_owned()))
        .collect();
    record.created_at =
        labels.and_then(|labels| labels.get("createdAt")).and_then(Node::as_str).map(str::to_owned);
    record.holder = meta::annotation(object, HOLDER).map(str::to_owned);
    object
        .str_at(&["metadata", "resourceVersion"])
        .unwrap_or_default()
        .clone_into(&mut record.resource_version);
    record.in_config_map = in_config_map;
    Ok(record)
}

/// Packs a record into a Secret. `created` is for the first write, the others are modifications.
///
/// # Errors
/// [`ReleaseError::TooLarge`] when it does not fit one.
pub fn to_secret(record: &Record, created: bool, now: Timestamp) -> Result<Node, ReleaseError> {
    let inner = STANDARD.encode(pack(&record.root));
    if inner.len() > RECORD_LIMIT {
        return Err(ReleaseError::TooLarge {
            release: record.name().to_owned(),
            size: inner.len(),
        });
    }
    let version = record.version();
    let mut labels: Map =
        record.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let seconds = now.as_second().to_string();
    labels.insert(if created { "createdAt" } else { "modifiedAt" }, seconds);
    labels.insert("name", record.name());
    labels.insert("owner", "helm");
    labels.insert("status", record.status().as_str());
    labels.insert("version", version.to_string());
    let mut secret = Node::map();
    secret.set("apiVersion", "v1");
    secret.set("kind", "Secret");
    secret.set_at(&["metadata", "name"], object_name(record.name(), version));
    secret.set_at(&["metadata", "namespace"], record.namespace());
    secret.set_at(&["metadata", "labels"], labels);
    if let Some(holder) = &record.holder {
        secret.set_at(&["metadata", "annotations", HOLDER], holder);
    }
    secret.set("type", "helm.sh/release.v1");
    secret.set_at(&["data", "release"], STANDARD.encode(inner));
    Ok(secret)
}

/// The patch that shows that whoever works on a record is alive.
#[must_use]
pub(super) fn holder_patch(holder: &str) -> Node {
    let mut patch = Node::map();
    patch.set_at(&["metadata", "annotations", HOLDER], holder);
    patch
}

fn pack(root: &Node) -> Vec<u8> {
    let json = serde_json::to_vec(root).expect("a node can be written as JSON");
    let mut encoder = GzEncoder::new(Vec::with_capacity(json.len() / 4), Compression::best());
    encoder.write_all(&json).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

#[cfg(test)]
mod tests {
    use super::super::record::{Draft, Status};
    use super::*;
    use serde_json::json;
    use std::fmt::Write;

    fn draft(manifest: String) -> Record {
        let now: Timestamp = "2026-11-21T12:00:00.5Z".parse().expect("a time");
        let draft = Draft {
            name: "shop".into(),
            namespace: "prod".into(),
            version: 3,
            status: Status::PendingUpgrade,
            description: "Preparing upgrade".into(),
            first_deployed: Some("2026-11-20T12:00:00Z".into()),
            chart: super::super::Chart {
                name: "shop".into(),
                version: "1.2.3".into(),
                ..super::super::Chart::default()
            },
            defaults: Node::map(),
            config: Node::from(json!({"a": null})),
            manifest,
            hooks: Vec::new(),
            notes: None,
        };
        Record::new(draft, now)
    }

    #[test]
    fn records_survive_the_way_through_a_secret() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let mut record = draft("---\n# Source: shop/a.yaml\n".into());
        record.labels = vec![("team".into(), "a".into())];
        record.holder = Some("here".into());
        record.root.set_at(&["info", "unknown_field"], 7);
        let secret = to_secret(&record, true, now).expect("it fits");
        assert_eq!(meta::name(&secret), "sh.helm.release.v1.shop.v3");
        let label = |key: &str| secret.str_at(&["metadata", "labels", key]);
        assert_eq!(label("status"), Some("pending-upgrade"));
        assert_eq!((label("createdAt"), label("modifiedAt")), (Some("1795262400"), None));
        let read = from_object(&secret).expect("a record");
        assert_eq!(read.root, record.root);
        assert_eq!((read.labels.len(), read.holder.as_deref()), (1, Some("here")));
        assert_eq!(read.last_deployed(), "2026-11-21T12:00:00.5Z");
    }

    #[test]
    fn what_does_not_fit_or_is_no_record_is_refused() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        // not compressible: a counter run through a multiplicative hash
        let mut noise = String::new();
        for n in 0_u64..200_000 {
            let _ = write!(noise, "{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        let error = to_secret(&draft(noise), true, now).expect_err("too large");
        assert!(error.to_string().contains("1048576 at most fit a Secret"), "{error}");
        let bad = Node::from(json!({"kind": "Secret", "metadata": {"name": "x"},
            "data": {"release": "bm8="}}));
        let error = from_object(&bad).expect_err("no record");
        assert!(error.to_string().starts_with("the release record `x` cannot be read"), "{error}");
    }

    /// Every record that Helm 3 and 4 wrote is read as it should be, and rewritten without loss.
    #[test]
    #[expect(clippy::print_stderr, reason = "a test says that it was skipped")]
    fn helms_own_records_are_read_and_rewritten_whole() {
        let Some(shared) = std::env::var_os("WHARF_SHARED") else {
            assert!(std::env::var_os("WHARF_CI").is_none(), "WHARF_SHARED is not set");
            eprintln!("skipped: WHARF_SHARED names no folder with Helm's records");
            return;
        };
        let root = std::path::Path::new(&shared).join("fixtures/helm-releases");
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let mut count = 0;
        for tool in ["helm3", "helm4", "mixed"] {
            for case in std::fs::read_dir(root.join(tool)).expect("a folder") {
                let case = case.expect("an entry").path();
                for file in std::fs::read_dir(&case).expect("a folder") {
                    let path = file.expect("an entry").path();
                    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                    if !name.starts_with("sh.helm.") {
                        continue;
                    }
                    let read = |path| -> Node {
                        serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
                    };
                    let record = from_object(&read(path.clone())).expect("a record");
                    let case = case.file_name().expect("a name");
                    let decoded = read(root.join("decoded").join(tool).join(case).join(&name));
                    assert_eq!(record.root, decoded, "{}", path.display());
                    let again = from_object(&to_secret(&record, false, now).expect("it fits"))
                        .expect("a record");
                    assert_eq!(again.root, decoded, "{}", path.display());
                    assert_ne!(record.status(), Status::Unknown, "{}", path.display());
                    count += 1;
                }
            }
        }
        assert!(count > 80, "only {count} records were found");
    }
}
