//! What an agent takes that has nothing to do.

use crate::harness::{Agent, Bound, Figure, Samples, Unit};
use std::thread::sleep;
use std::time::Duration;

/// How long it is watched.
const SECONDS: u8 = 60;

pub(crate) fn figures() -> Vec<Figure> {
    let measured = Agent::of_pods().map(|agent| {
        // starting is over by then
        sleep(Duration::from_secs(5));
        let before = agent.used();
        sleep(Duration::from_secs(SECONDS.into()));
        let used = (agent.used() - before) / f64::from(SECONDS) * 100.0;
        (agent.resident(), used)
    });
    let figure = |name: &str, unit, bound, ours: Result<f64, String>| Figure {
        name: name.to_owned(),
        unit,
        bound: Bound::AtMost(bound),
        ours: ours.map(|value| Samples::new(vec![value])),
        peers: Vec::new(),
    };
    let memory = measured.clone().map(|(memory, _)| memory);
    let processor = measured.map(|(_, processor)| processor);
    vec![
        figure("agent, idle: resident memory", Unit::Megabytes, 30.0, memory),
        figure("agent, idle for 60 s: of one core", Unit::Percent, 0.3, processor),
    ]
}
