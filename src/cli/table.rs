//! Results as a table for people, or as JSON or YAML for programs.

use crate::yaml::{Node, emit, json};
use jiff::Timestamp;

/// How results are printed.
#[derive(clap::ValueEnum, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Output {
    /// For people
    #[default]
    Table,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// Rows with the names of their columns, in the form that was asked for.
#[must_use]
pub fn listed(keys: &[&str], rows: &[Vec<Node>], output: Output) -> String {
    if output == Output::Table {
        let heading = keys.iter().map(|key| key.replace('_', " ").to_uppercase()).collect();
        let cells = rows.iter().map(|row| row.iter().zip(keys).map(cell).collect());
        return table(&std::iter::once(heading).chain(cells).collect::<Vec<_>>());
    }
    let items = rows.iter().map(|row| {
        let mut node = Node::map();
        for (key, value) in keys.iter().zip(row) {
            node.set(key, value.clone());
        }
        node
    });
    as_text(&Node::from(items.collect::<Vec<Node>>()), output)
}

/// A value as JSON or YAML.
#[must_use]
pub fn as_text(node: &Node, output: Output) -> String {
    match output {
        Output::Yaml => emit::to_string(node, &emit::Style::default()),
        _ => json::to_string_pretty(node) + "\n",
    }
}

/// A time to the second, as far as the text is one.
#[must_use]
pub fn seconds(time: &str) -> String {
    let parsed: Result<Timestamp, _> = time.parse();
    parsed
        .map_or_else(|_| time.to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// One cell of a table: text as it is, on one line.
fn cell((value, key): (&Node, &&str)) -> String {
    let text = match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_null() => String::new(),
        None => json::to_string(value),
    };
    let line = text.lines().next().unwrap_or_default();
    if *key == "updated" { seconds(line) } else { line.to_owned() }
}

/// Lines of cells in columns.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("   ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_line_up_and_numbers_stay_numbers() {
        let rows =
            [vec![Node::from("shop"), Node::from(2)], vec![Node::from("a\nb"), Node::from(10)]];
        let keys = ["name", "app_version"];
        assert_eq!(
            listed(&keys, &rows, Output::Table),
            "NAME   APP VERSION\nshop   2\na      10\n"
        );
        let json: serde_json::Value =
            serde_json::from_str(&listed(&keys, &rows[..1], Output::Json)).expect("JSON");
        assert_eq!(json, json!([{"name": "shop", "app_version": 2}]));
    }

    #[test]
    fn times_are_shown_to_the_second() {
        assert_eq!(seconds("2026-11-21T15:22:03.923542615Z"), "2026-11-21 15:22:03 UTC");
        assert_eq!(seconds("2026-11-21T17:22:03+02:00"), "2026-11-21 15:22:03 UTC");
        assert_eq!(seconds("once"), "once");
    }
}
