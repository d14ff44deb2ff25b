//! `wharf list`: the releases of a namespace.

use crate::cli::exit::{FINE, Failure};
use crate::cli::release;
use crate::cli::table::{Output, listed};
use crate::cli::ui::Ui;
use crate::release::{Record, Store};
use crate::yaml::Node;
use std::io::Write;

/// List releases.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  wharf list -A\n  wharf list -o json")]
pub struct Args {
    /// Those of all namespaces
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Form of the output
    #[arg(long, short = 'o', value_enum, default_value_t)]
    output: Output,
}

/// Prints the releases.
///
/// # Errors
/// When the cluster cannot be reached or refuses.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let found = ui.block_on(release::on_each(ui, async |client| {
        let namespace = (!args.all_namespaces).then(|| client.namespace().to_owned());
        let records = Store::list(&client, namespace.as_deref()).await;
        Ok((client.target().to_owned(), records.map_err(release::recorded)?))
    }))?;
    let keys =
        ["target", "name", "namespace", "revision", "updated", "status", "chart", "app_version"];
    // which target it is needs to be said only when there are several
    let from = usize::from(found.len() == 1);
    let rows = found.iter().flat_map(|(target, records)| {
        records.iter().map(move |record| row(target, record).split_off(from))
    });
    let rows: Vec<Vec<Node>> = rows.collect();
    let mut out = ui.out();
    out.write_all(listed(&keys[from..], &rows, args.output).as_bytes())?;
    out.flush()?;
    Ok(FINE)
}

fn row(target: &str, record: &Record) -> Vec<Node> {
    let chart = record.chart();
    vec![
        Node::from(target),
        Node::from(record.name()),
        Node::from(record.namespace()),
        Node::from(record.version()),
        Node::from(record.last_deployed()),
        Node::from(record.status().as_str()),
        Node::from(chart.to_string()),
        Node::from(chart.app_version),
    ]
}
