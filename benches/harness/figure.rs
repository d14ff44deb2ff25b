//! One measured figure: samples of ours, its bound, and samples of the peers.

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Megabytes,
    MegabytesPerSecond,
    /// Of one core.
    Percent,
    /// How many times less than a peer.
    Times,
}

/// What a figure must hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// Reported only.
    None,
}

/// Measurements of the same thing, the smallest first.
#[derive(Clone, Debug)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Sorts measurements, of which there is at least one.
    pub(crate) fn new(mut values: Vec<f64>) -> Samples {
        assert!(!values.is_empty(), "a figure has at least one sample");
        values.sort_by(f64::total_cmp);
        Samples(values)
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            return self.0[middle];
        }
        f64::midpoint(self.0[middle - 1], self.0[middle])
    }

    /// The quartiles around the median; of few samples, the smallest and the largest.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let quarter = self.0.len() / 4;
        (self.0[quarter], self.0[self.0.len() - 1 - quarter])
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A tool that does the same work.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its name, with the version where it is known.
    pub(crate) name: String,
    /// What it took, or why it was not measured.
    pub(crate) samples: Result<Samples, String>,
}

/// A line of the report.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) bound: Bound,
    /// What wharf took, or why it was not measured.
    pub(crate) ours: Result<Samples, String>,
    pub(crate) peers: Vec<Peer>,
}

impl Figure {
    /// True when the bound holds. What was not measured does not hold.
    pub(crate) fn holds(&self) -> bool {
        match (&self.ours, self.bound) {
            (Err(_), _) => false,
            (Ok(_), Bound::None) => true,
            (Ok(samples), Bound::AtMost(most)) => samples.median() <= most,
            (Ok(samples), Bound::AtLeast(least)) => samples.median() >= least,
        }
    }

    /// How many times better ours is than a peer's.
    pub(crate) fn ratio(&self, peer: &Samples) -> Option<f64> {
        let ours = self.ours.as_ref().ok()?.median();
        let ratio = match self.unit {
            Unit::MegabytesPerSecond => ours / peer.median(),
            _ => peer.median() / ours,
        };
        ratio.is_finite().then_some(ratio)
    }
}
