//! How long a Job waits after pods failed: ten seconds, twice as long with each failure since the
//! last success, ten minutes at most.

use crate::agent::control::Seen;
use crate::agent::control::pod::{is_ready, ready_since, time};
use crate::yaml::Node;
use jiff::{SignedDuration, Timestamp};

const FIRST: SignedDuration = SignedDuration::from_secs(10);
const MOST: SignedDuration = SignedDuration::from_mins(10);

/// How long it is until the next pod may be made, after these ended. `failed` says of a pod that
/// has ended whether it failed.
pub(super) fn remaining<'a>(
    ended: impl Iterator<Item = &'a Seen>,
    failed: impl Fn(&Node) -> bool,
    now: Timestamp,
) -> SignedDuration {
    let mut ends: Vec<(Timestamp, bool)> =
        ended.map(|pod| (ended_at(pod).unwrap_or(now), failed(pod))).collect();
    ends.sort_unstable();
    let failures = ends.iter().rev().take_while(|(_, failed)| *failed).count();
    let Some((last, _)) = ends.last().filter(|_| failures > 0) else {
        return SignedDuration::ZERO;
    };
    // six doublings are beyond the most
    let doublings = u32::try_from(failures - 1).unwrap_or(u32::MAX).min(6);
    let wait = (FIRST * 2_i32.pow(doublings)).min(MOST);
    (wait - now.duration_since(*last)).max(SignedDuration::ZERO)
}

/// When a pod ended: its last container did, or it was no longer ready, or its deletion was asked
/// for.
fn ended_at(pod: &Node) -> Option<Timestamp> {
    let statuses = pod.items_at(&["status", "containerStatuses"]).iter();
    let ends: Option<Vec<Timestamp>> =
        statuses.map(|status| time(status, &["state", "terminated", "finishedAt"])).collect();
    let asked = || {
        let deleted = time(pod, &["metadata", "deletionTimestamp"])?;
        let grace = pod.i64_at(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
        deleted.checked_sub(SignedDuration::from_secs(grace)).ok()
    };
    ends.and_then(|ends| ends.into_iter().max())
        .or_else(|| ready_since(pod).filter(|_| !is_ready(pod)))
        .or_else(asked)
        .or_else(|| time(pod, &["metadata", "creationTimestamp"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::store::{Key, Stored};
    use serde_json::json;
    use std::sync::Arc;

    fn pod(ended: &str) -> Seen {
        let object = Node::from(json!({"status": {"containerStatuses": [
            {"state": {"terminated": {"finishedAt": format!("2024-01-01T00:{ended}Z")}}}]}}));
        Arc::new(Stored { key: Key::new("pods", "n", ended), object, revision: 1 }).into()
    }

    #[test]
    fn each_failure_since_the_last_success_doubles_the_wait() {
        let now: Timestamp = "2024-01-01T00:10:00Z".parse().expect("a time");
        for (ended, failed, seconds) in [
            (vec![], true, 0),
            (vec!["09:58"], true, 8),
            (vec!["09:58"], false, 0),
            (vec!["09:40"], true, 0),
            (vec!["09:55", "09:20", "09:30"], true, 35),
            (vec!["01:00"; 40], true, 60),
        ] {
            let pods: Vec<Seen> = ended.iter().map(|ended| pod(ended)).collect();
            let left = remaining(pods.iter(), |_| failed, now);
            assert_eq!(left.as_secs(), seconds, "{ended:?}");
        }
    }
}
