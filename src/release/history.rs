//! All revisions of one release.

use super::record::{Record, Status};

/// The revisions of one release, oldest first.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct History {
    records: Vec<Record>,
}

impl History {
    /// Puts records in order.
    #[must_use]
    pub fn new(mut records: Vec<Record>) -> History {
        records.sort_by_key(Record::version);
        History { records }
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The newest one.
    #[must_use]
    pub fn last(&self) -> Option<&Record> {
        self.records.last()
    }

    /// The newest one that is deployed.
    #[must_use]
    pub fn deployed(&self) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.status() == Status::Deployed)
    }

    /// One revision.
    #[must_use]
    pub fn revision(&self, version: i64) -> Option<&Record> {
        self.records.iter().find(|record| record.version() == version)
    }

    /// The number of the next revision.
    #[must_use]
    pub fn next_version(&self) -> i64 {
        self.last().map_or(1, |last| last.version() + 1)
    }

    /// True when there is nothing to upgrade: no revision, or an uninstalled one.
    #[must_use]
    pub fn is_install(&self) -> bool {
        self.last().is_none_or(|last| last.status() == Status::Uninstalled)
    }

    /// What may be live: the manifests that an upgrade has to take stock of. The deployed revision,
    /// and every later one, since one that failed or was cut off may have made objects.
    #[must_use]
    pub fn live(&self) -> Vec<&Record> {
        if self.is_install() {
            return Vec::new();
        }
        let from = self
            .records
            .iter()
            .rposition(|record| record.status() == Status::Deployed)
            .or_else(|| self.records.iter().rposition(|r| r.status() == Status::Superseded));
        let from = from.unwrap_or(0);
        self.records[from..]
            .iter()
            .filter(|record| record.status() != Status::Uninstalled)
            .collect()
    }

    /// The revision that a rollback without a number goes to: the newest before the last that was
    /// once whole.
    #[must_use]
    pub fn previous(&self) -> Option<&Record> {
        let (_, before) = self.records.split_last()?;
        before
            .iter()
            .rev()
            .find(|record| matches!(record.status(), Status::Deployed | Status::Superseded))
    }

    /// The oldest ones, so many that with one more at most `limit` are left (0: no limit). A
    /// deployed one is never among them.
    #[must_use]
    pub fn to_forget(&self, limit: usize) -> Vec<&Record> {
        if limit == 0 {
            return Vec::new();
        }
        let surplus = (self.records.len() + 1).saturating_sub(limit);
        let deployed = self.deployed().map(Record::version);
        self.records
            .iter()
            .filter(|record| Some(record.version()) != deployed)
            .take(surplus)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Node;
    use serde_json::json;

    fn history(statuses: &[(i64, &str)]) -> History {
        let record = |&(version, status): &(i64, &str)| {
            Record::of_root(Node::from(json!({"version": version, "info": {"status": status}})))
        };
        History::new(statuses.iter().rev().map(record).collect())
    }

    fn versions(records: &[&Record]) -> Vec<i64> {
        records.iter().map(|record| record.version()).collect()
    }

    #[test]
    fn the_live_revisions_reach_back_to_the_deployed_one() {
        for (statuses, live, previous) in [
            (vec![(1, "superseded"), (2, "deployed")], vec![2], Some(1)),
            (vec![(1, "deployed"), (2, "failed"), (3, "pending-upgrade")], vec![1, 2, 3], Some(1)),
            (vec![(1, "failed")], vec![1], None),
            (vec![(1, "superseded"), (2, "failed")], vec![1, 2], Some(1)),
            (vec![(1, "superseded"), (2, "uninstalled")], vec![], Some(1)),
            (vec![], vec![], None),
        ] {
            let history = history(&statuses);
            assert_eq!(versions(&history.live()), live, "{statuses:?}");
            assert_eq!(history.previous().map(Record::version), previous, "{statuses:?}");
        }
    }

    #[test]
    fn the_oldest_are_forgotten_but_never_the_deployed_one() {
        let long: Vec<(i64, &str)> =
            (1..=6).map(|n| (n, if n == 1 { "deployed" } else { "failed" })).collect();
        assert_eq!(versions(&history(&long).to_forget(4)), [2, 3, 4]);
        assert!(history(&long).to_forget(10).is_empty());
        assert!(history(&long).to_forget(0).is_empty());
    }
}
