//! `wharf list`: the releases of a namespace.

use crate::cli::exit::{FINE, Failure};
use crate::cli::release::{self, Output};
use crate::cli::ui::Ui;
use crate::release::Store;
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
    let records = ui.block_on(async {
        let client = release::connect(ui).await?;
        let namespace = (!args.all_namespaces).then(|| client.namespace().to_owned());
        Store::list(&client, namespace.as_deref()).await.map_err(release::recorded)
    })?;
    let keys = ["name", "namespace", "revision", "updated", "status", "chart", "app_version"];
    let rows = records.iter().map(|record| {
        let chart = record.chart();
        vec![
            record.name().to_owned(),
            record.namespace().to_owned(),
            record.version().to_string(),
            record.last_deployed().to_owned(),
            record.status().to_string(),
            chart.to_string(),
            chart.app_version,
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let mut out = ui.out();
    out.write_all(release::listed(&keys, rows, args.output).as_bytes())?;
    out.flush()?;
    Ok(FINE)
}
