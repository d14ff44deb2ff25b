//! How long to wait before the next try.

use std::time::Duration;

/// Exponential back-off: each wait is `factor` times the last, up to `most`, for `tries` tries.
/// Deterministic; callers that need jitter add it.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    most: Duration,
    factor: u32,
    left: u32,
}

impl Backoff {
    /// Makes a back-off of at most `tries` waits.
    #[must_use]
    pub fn new(first: Duration, most: Duration, factor: u32, tries: u32) -> Backoff {
        Backoff { next: first, most, factor, left: tries }
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let wait = self.next;
        self.next = (wait * self.factor).min(self.most);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_end() {
        let waits: Vec<u64> = Backoff::new(Duration::from_secs(1), Duration::from_secs(5), 2, 5)
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }
}
