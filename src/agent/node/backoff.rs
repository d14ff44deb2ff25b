//! How long a container or an image waits before the next try.
//!
//! The kubelet's rule: the first try after a failure comes at once for containers and after ten
//! seconds for images, then the wait doubles up to five minutes; what ran for ten minutes starts
//! afresh.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_secs(300);

/// What ran so long has recovered.
pub const RECOVERED: Duration = Duration::from_secs(600);

/// Waits that double.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    failures: u32,
}

impl Waits {
    /// Goes on after an agent was restarted: a container has failed so often.
    #[must_use]
    pub fn after(failures: u32) -> Waits {
        Waits { failures }
    }

    /// The wait before a container is started again.
    pub fn of_container(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        match self.failures {
            1 => Duration::ZERO,
            failures => doubled(failures - 2),
        }
    }

    /// The wait before an image is asked for again.
    pub fn of_image(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        doubled(self.failures - 1)
    }

    /// All is well again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

fn doubled(times: u32) -> Duration {
    (FIRST * 2_u32.pow(times.min(8))).min(MOST)
}

/// A wait as Go prints a duration: `10s`, `1m20s`, `5m0s`.
#[must_use]
pub fn go_text(wait: Duration) -> String {
    let seconds = wait.as_secs();
    if seconds < 60 {
        return format!("{seconds}s");
    }
    format!("{}m{}s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let mut waits = Waits::default();
        let texts: Vec<String> = (0..8).map(|_| go_text(waits.of_container())).collect();
        assert_eq!(texts, ["0s", "10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]);
        let mut waits = Waits::default();
        assert_eq!(go_text(waits.of_image()), "10s");
    }
}
