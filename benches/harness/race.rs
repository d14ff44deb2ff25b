//! Runs wharf and its peers in turn, so that whatever else the machine does meets all of them.

use super::figure::{Bound, Figure, Peer, Samples, Unit};
use super::process::Tool;

type Run<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// A figure that is about to be measured.
pub(crate) struct Race<'a> {
    figure: Figure,
    rounds: usize,
    peer_rounds: usize,
    ours: Run<'a>,
    peers: Vec<(String, Run<'a>)>,
}

impl<'a> Race<'a> {
    /// A race in which so far only wharf takes part; `ours` gives one measurement.
    pub(crate) fn new(
        name: &str,
        unit: Unit,
        bound: Bound,
        ours: impl FnMut() -> f64 + 'a,
    ) -> Race<'a> {
        let ours_none = Err("not run".to_owned());
        Race {
            figure: Figure { name: name.to_owned(), unit, bound, ours: ours_none, peers: vec![] },
            rounds: 10,
            peer_rounds: usize::MAX,
            ours: Box::new(ours),
            peers: Vec::new(),
        }
    }

    /// Measures so many times instead of ten.
    pub(crate) fn rounds(mut self, rounds: usize) -> Race<'a> {
        self.rounds = rounds;
        self
    }

    /// Runs peers that take very long only so many times, and without the round to warm up.
    pub(crate) fn peer_rounds(mut self, rounds: usize) -> Race<'a> {
        self.peer_rounds = rounds;
        self
    }

    /// Adds a peer, if it is there.
    pub(crate) fn beside(
        mut self,
        what: &str,
        tool: &'a Result<Tool, String>,
        mut run: impl FnMut(&Tool) -> f64 + 'a,
    ) -> Race<'a> {
        match tool {
            Ok(tool) => {
                let name = format!("{what} ({})", tool.version);
                self.peers.push((name, Box::new(move || run(tool))));
            }
            Err(why) => {
                let peer = Peer { name: what.to_owned(), samples: Err(why.clone()) };
                self.figure.peers.push(peer);
            }
        }
        self
    }

    /// Runs: one round to warm up, then the measured ones.
    pub(crate) fn run(mut self) -> Figure {
        let mut ours = Vec::with_capacity(self.rounds);
        let mut theirs = vec![Vec::with_capacity(self.rounds); self.peers.len()];
        for round in 0..=self.rounds {
            let sample = (self.ours)();
            if round > 0 {
                ours.push(sample);
            }
            if round > self.peer_rounds || round == 0 && self.peer_rounds < self.rounds {
                continue;
            }
            for ((_, run), samples) in self.peers.iter_mut().zip(&mut theirs) {
                let sample = run();
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        self.figure.ours = Ok(Samples::new(ours));
        for ((name, _), samples) in self.peers.into_iter().zip(theirs) {
            self.figure.peers.push(Peer { name, samples: Ok(Samples::new(samples)) });
        }
        self.figure
    }
}
