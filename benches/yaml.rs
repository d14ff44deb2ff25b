//! Reading and writing YAML in memory, on one core.

use crate::harness::{Bound, Figure, Race, Unit, deployments, megabytes};
use std::time::Instant;
use wharf::base::source::Sources;
use wharf::yaml::emit::{self, Style};
use wharf::yaml::{self, Dialect};

pub(crate) fn figures() -> Vec<Figure> {
    let sources = Sources::new();
    let text = deployments(20_000);
    let size = megabytes(text.len());
    let file = sources.add("deployments.yaml", text);
    let parse = || yaml::parse_documents(&sources, file, Dialect::Strict).expect("good YAML");
    let documents = parse();
    let style = Style::default();
    let read = Race::new("YAML: parse", Unit::MegabytesPerSecond, Bound::AtLeast(40.0), || {
        let start = Instant::now();
        let documents = parse();
        let took = start.elapsed().as_secs_f64();
        assert_eq!(documents.len(), 20_000);
        size / took
    });
    let write = Race::new("YAML: emit", Unit::MegabytesPerSecond, Bound::AtLeast(100.0), || {
        let start = Instant::now();
        let written: usize = documents.iter().map(|node| emit::to_string(node, &style).len()).sum();
        megabytes(written) / start.elapsed().as_secs_f64()
    });
    vec![read.run(), write.run()]
}
