//! The arithmetic of rolling updates: how many pods each ReplicaSet may have now.

use crate::yaml::{Node, Value};

/// One ReplicaSet as far as the arithmetic needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Pods asked for.
    pub(super) wanted: i64,
    /// Pods that serve.
    pub(super) available: i64,
}

/// How far a rolling update may stray from the number of pods asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Pods above the number asked for.
    pub(super) surge: i64,
    /// Pods that may be missing.
    pub(super) unavailable: i64,
}

impl Bounds {
    /// Reads `maxSurge` and `maxUnavailable`, numbers or percentages of `replicas`: surge is
    /// rounded up, unavailable down; when both come to nothing, one pod may be missing.
    pub(super) fn of(rolling: Option<&Node>, replicas: i64) -> Bounds {
        let read = |key: &str, up: bool| {
            rolling.and_then(|rolling| rolling.get(key)).map_or_else(
                || share(25, replicas, up),
                |value| match &value.value {
                    Value::String(text) => {
                        let percent = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
                        share(percent.unwrap_or(0), replicas, up)
                    }
                    _ => value.as_i64().unwrap_or(0),
                },
            )
        };
        let (surge, unavailable) = (read("maxSurge", true), read("maxUnavailable", false));
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        Bounds { surge, unavailable: unavailable.min(replicas) }
    }
}

fn share(percent: i64, of: i64, up: bool) -> i64 {
    (percent * of + if up { 99 } else { 0 }) / 100
}

/// How many pods the new ReplicaSet may have now.
pub(super) fn grow(replicas: i64, bounds: Bounds, new: Counts, all_wanted: i64) -> i64 {
    if new.wanted >= replicas {
        return replicas;
    }
    let room = (replicas + bounds.surge - all_wanted).max(0);
    new.wanted + room.min(replicas - new.wanted)
}

/// How many pods the old ReplicaSets, oldest first, may have now: those that do not serve go
/// first, then as many as can be missed.
pub(super) fn shrink(replicas: i64, bounds: Bounds, new: Counts, old: &[Counts]) -> Vec<i64> {
    let mut wanted: Vec<i64> = old.iter().map(|counts| counts.wanted).collect();
    let least = replicas - bounds.unavailable;
    let all: i64 = wanted.iter().sum::<i64>() + new.wanted;
    let mut spare = all - least - (new.wanted - new.available).max(0);
    if spare <= 0 {
        return wanted;
    }
    for (wanted, counts) in wanted.iter_mut().zip(old) {
        let idle = (*wanted - counts.available).clamp(0, spare);
        *wanted -= idle;
        spare -= idle;
    }
    let available: i64 = old.iter().map(|counts| counts.available).sum::<i64>() + new.available;
    let mut spare = available - least;
    for wanted in &mut wanted {
        let cut = (*wanted).clamp(0, spare.max(0));
        *wanted -= cut;
        spare -= cut;
    }
    wanted
}

/// Distributes a changed number of pods over ReplicaSets in proportion to what they have, as a
/// Deployment that is scaled in the middle of a rollout does: the largest take the remainder.
pub(super) fn scale_in_proportion(allowed: i64, sets: &[i64]) -> Vec<i64> {
    let total: i64 = sets.iter().sum();
    if total == 0 {
        return sets.to_vec();
    }
    let mut order: Vec<usize> = (0..sets.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(sets[*at]), *at));
    let mut scaled = vec![0; sets.len()];
    let mut left = allowed;
    for at in &order {
        // rounded half up
        let share = ((2 * sets[*at] * allowed + total) / (2 * total)).min(left);
        scaled[*at] = share;
        left -= share;
    }
    if let Some(largest) = order.first() {
        scaled[*largest] += left;
    }
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn counts(wanted: i64, available: i64) -> Counts {
        Counts { wanted, available }
    }

    #[test]
    fn bounds_round_surge_up_and_missing_down() {
        for (rolling, replicas, surge, unavailable) in [
            (json!({}), 2, 1, 0),
            (json!({}), 10, 3, 2),
            (json!({"maxSurge": 0, "maxUnavailable": 0}), 3, 0, 1),
            (json!({"maxSurge": "50%", "maxUnavailable": "50%"}), 3, 2, 1),
            (json!({"maxSurge": 1, "maxUnavailable": 5}), 3, 1, 3),
        ] {
            let bounds = Bounds::of(Some(&Node::from(rolling.clone())), replicas);
            assert_eq!(bounds, Bounds { surge, unavailable }, "{rolling}");
        }
    }

    /// Plays a whole rollout in which pods become available one step after they are made.
    fn play(replicas: i64, bounds: Bounds) {
        let (mut new, mut old) = (counts(0, 0), [counts(replicas, replicas)]);
        for _ in 0..4 * replicas + 4 {
            new.wanted = grow(replicas, bounds, new, new.wanted + old[0].wanted);
            old[0].wanted = shrink(replicas, bounds, new, &old)[0];
            old[0].available = old[0].available.min(old[0].wanted);
            assert!(new.wanted + old[0].wanted <= replicas + bounds.surge);
            assert!(new.available + old[0].available >= replicas - bounds.unavailable);
            new.available = new.wanted;
        }
        assert_eq!((new.wanted, old[0].wanted), (replicas, 0), "{replicas} {bounds:?}");
    }

    #[test]
    fn every_rollout_ends_and_stays_within_its_bounds() {
        for replicas in 1..12 {
            for surge in 0..4 {
                for unavailable in 0..4 {
                    if surge + unavailable > 0 {
                        play(replicas, Bounds { surge, unavailable: unavailable.min(replicas) });
                    }
                }
            }
        }
    }

    #[test]
    fn pods_that_do_not_serve_go_first() {
        let bounds = Bounds { surge: 1, unavailable: 0 };
        assert_eq!(shrink(2, bounds, counts(1, 0), &[counts(2, 1)]), [2]);
        assert_eq!(shrink(2, bounds, counts(1, 1), &[counts(2, 1)]), [1]);
        assert_eq!(shrink(2, bounds, counts(2, 2), &[counts(1, 1), counts(1, 0)]), [0, 0]);
    }

    #[test]
    fn scaling_in_the_middle_keeps_proportions() {
        assert_eq!(scale_in_proportion(10, &[4, 1]), [8, 2]);
        assert_eq!(scale_in_proportion(5, &[8, 2]), [4, 1]);
        assert_eq!(scale_in_proportion(0, &[3, 2]), [0, 0]);
        assert_eq!(scale_in_proportion(7, &[1, 1]), [4, 3]);
    }
}
