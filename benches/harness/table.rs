//! The report as a Markdown table, aligned for the terminal.

use super::figure::{Bound, Figure, Peer, Samples, Unit};
use std::fmt::Write as _;

const HEAD: [&str; 7] = ["case", "wharf", "spread", "bound", "holds", "peer", "ratio"];

/// One line for each figure and peer.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut rows: Vec<[String; 7]> = vec![HEAD.map(str::to_owned)];
    for figure in figures {
        let mut row = row(figure);
        let mut peers = figure.peers.iter();
        if let Some(first) = peers.next() {
            [row[5], row[6]] = peer(figure, first);
        }
        rows.push(row);
        for next in peers {
            let mut row: [String; 7] = Default::default();
            [row[5], row[6]] = peer(figure, next);
            rows.push(row);
        }
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for width in widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

fn row(figure: &Figure) -> [String; 7] {
    let unit = figure.unit;
    let (ours, spread) = match &figure.ours {
        Ok(samples) => (shown(samples.median(), unit), spread(samples)),
        Err(why) => (why.clone(), String::new()),
    };
    let bound = match figure.bound {
        Bound::AtMost(most) => format!("≤ {}", shown(most, unit)),
        Bound::AtLeast(least) => format!("≥ {}", shown(least, unit)),
        Bound::None => String::new(),
    };
    let holds = match (figure.bound, figure.holds()) {
        (Bound::None, _) => "",
        (_, true) => "yes",
        (_, false) => "NO",
    };
    let name = figure.name.clone();
    [name, ours, spread, bound, holds.to_owned(), String::new(), String::new()]
}

fn peer(figure: &Figure, peer: &Peer) -> [String; 2] {
    match &peer.samples {
        Ok(samples) => {
            let ratio = figure.ratio(samples).map_or(String::new(), |ratio| format!("{ratio:.1}x"));
            [format!("{}: {}", peer.name, shown(samples.median(), figure.unit)), ratio]
        }
        Err(why) if why.is_empty() => [peer.name.clone(), String::new()],
        Err(why) => [format!("{}: {why}", peer.name), String::new()],
    }
}

fn spread(samples: &Samples) -> String {
    if samples.len() == 1 {
        return String::new();
    }
    let (low, high) = samples.spread();
    format!("{} – {}", number(low), number(high))
}

fn shown(value: f64, unit: Unit) -> String {
    let unit = match unit {
        Unit::Milliseconds => "ms",
        Unit::Megabytes => "MB",
        Unit::MegabytesPerSecond => "MB/s",
        Unit::Percent => "%",
        Unit::Times => "times",
    };
    format!("{} {unit}", number(value))
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
