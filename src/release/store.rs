//! Records in a cluster: one Secret for each revision, in the release's namespace.

use super::codec::{from_object, holder_patch, object_name, to_secret};
use super::error::ReleaseError;
use super::history::History;
use super::record::Record;
use crate::base::suggest;
use crate::cluster::{Client, DeleteOptions, ListOptions, PatchKind, Propagation};
use crate::object::{Gvk, ObjectId};
use crate::yaml::Node;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The field manager of everything that wharf writes.
pub const MANAGER: &str = "wharf";

/// The releases of one namespace.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    namespace: String,
}

impl Store {
    /// Makes one.
    #[must_use]
    pub fn new(client: Client, namespace: impl Into<String>) -> Store {
        Store { client, namespace: namespace.into() }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All revisions of a release; none when there is no such release. Records that cannot be read
    /// are left out, as Helm does.
    ///
    /// # Errors
    /// When the cluster cannot be reached or refuses, or the name cannot be one.
    pub async fn history(&self, release: &str) -> Result<History, ReleaseError> {
        check_name(release)?;
        let labels = format!("name={release},owner=helm");
        let secrets = secrets(&self.client, Some(&self.namespace), labels).await?;
        Ok(History::new(secrets.iter().filter_map(|secret| from_object(secret).ok()).collect()))
    }

    /// All revisions of a release that must be there.
    ///
    /// # Errors
    /// [`ReleaseError::NotFound`] with the nearest name when there is none.
    pub async fn existing(&self, release: &str) -> Result<History, ReleaseError> {
        let history = self.history(release).await?;
        if history.last().is_some() {
            return Ok(history);
        }
        let others = latest(&self.client, Some(&self.namespace)).await?;
        let names = others.iter().map(Record::name);
        let help = suggest::did_you_mean(release, names)
            .unwrap_or_else(|| "`wharf list -A` shows the releases of all namespaces".to_owned());
        Err(ReleaseError::NotFound {
            release: release.to_owned(),
            namespace: self.namespace.clone(),
            help: Some(help),
        })
    }

    /// The last revision of every release, in one namespace or in all (`None`).
    ///
    /// # Errors
    /// When the cluster cannot be reached or refuses.
    pub async fn list(
        client: &Client,
        namespace: Option<&str>,
    ) -> Result<Vec<Record>, ReleaseError> {
        latest(client, namespace).await
    }

    /// Writes a new revision.
    ///
    /// # Errors
    /// [`ReleaseError::Raced`] when that revision is there already.
    pub async fn create(&self, record: &Record, now: Timestamp) -> Result<(), ReleaseError> {
        let secret = to_secret(record, true, now)?;
        match self.client.create(&secret, MANAGER).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_code(409) => Err(ReleaseError::Raced {
                release: record.name().to_owned(),
                version: record.version(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Rewrites a revision.
    ///
    /// # Errors
    /// When the cluster cannot be reached or refuses.
    pub async fn update(&self, record: &Record, now: Timestamp) -> Result<(), ReleaseError> {
        self.client.replace(&to_secret(record, false, now)?, MANAGER).await?;
        Ok(())
    }

    /// Shows that whoever works on a pending revision is alive.
    ///
    /// # Errors
    /// When the cluster cannot be reached or refuses.
    pub async fn touch(&self, record: &Record, holder: &str) -> Result<(), ReleaseError> {
        let id = self.id(record);
        self.client.patch(&id, PatchKind::Merge, &holder_patch(holder), MANAGER).await?;
        Ok(())
    }

    /// Removes the record of a revision.
    ///
    /// # Errors
    /// When the cluster cannot be reached or refuses.
    pub async fn forget(&self, record: &Record) -> Result<(), ReleaseError> {
        let options =
            DeleteOptions { propagation: Propagation::Background, ..DeleteOptions::default() };
        self.client.delete(&self.id(record), options).await?;
        Ok(())
    }

    fn id(&self, record: &Record) -> ObjectId {
        ObjectId {
            gvk: Gvk::new("v1", if record.in_config_map { "ConfigMap" } else { "Secret" }),
            namespace: self.namespace.as_str().into(),
            name: object_name(record.name(), record.version()).into(),
        }
    }
}

async fn secrets(
    client: &Client,
    namespace: Option<&str>,
    labels: String,
) -> Result<Vec<Node>, ReleaseError> {
    let resource = client.resource(&Gvk::new("v1", "Secret")).await?;
    let options = ListOptions { labels: Some(labels), fields: None };
    Ok(client.list(&resource, namespace, &options).await?.items)
}

/// The last revision of every release, in one namespace or in all, ordered by namespace and name.
/// Labels tell which revision is the last, so that only that one is unpacked.
///
/// # Errors
/// When the cluster cannot be reached or refuses.
async fn latest(client: &Client, namespace: Option<&str>) -> Result<Vec<Record>, ReleaseError> {
    let mut last: BTreeMap<(String, String), (i64, Node)> = BTreeMap::new();
    for secret in secrets(client, namespace, "owner=helm".to_owned()).await? {
        let label = |key: &str| secret.str_at(&["metadata", "labels", key]).unwrap_or_default();
        let Ok(version) = label("version").parse::<i64>() else { continue };
        let text = |key: &str| secret.str_at(&["metadata", key]).unwrap_or_default().to_owned();
        let key = (text("namespace"), label("name").to_owned());
        if last.get(&key).is_none_or(|(known, _)| *known < version) {
            last.insert(key, (version, secret));
        }
    }
    Ok(last.into_values().filter_map(|(_, secret)| from_object(&secret).ok()).collect())
}

/// Checks a release's name by Helm's rule.
fn check_name(name: &str) -> Result<(), ReleaseError> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |part: &str| {
        part.starts_with(inner)
            && part.ends_with(inner)
            && part.chars().all(|c| inner(c) || c == '-')
    };
    if name.len() <= 53 && name.split('.').all(label) {
        return Ok(());
    }
    Err(ReleaseError::BadName { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_follow_helms_rule() {
        for (name, good) in [
            ("shop", true),
            ("shop.v2-a", true),
            ("Shop", false),
            ("-a", false),
            ("a..b", false),
            ("", false),
            (&"a".repeat(54), false),
        ] {
            assert_eq!(check_name(name).is_ok(), good, "{name}");
        }
    }
}
