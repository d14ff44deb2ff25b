//! `wharf history`: the revisions of a release.

use crate::cli::exit::{FINE, Failure};
use crate::cli::release;
use crate::cli::table::{Output, listed};
use crate::cli::ui::Ui;
use crate::release::Store;
use crate::yaml::Node;
use std::io::Write;

/// List the revisions of a release.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  wharf history shop")]
pub struct Args {
    /// The release
    release: String,
    /// Form of the output
    #[arg(long, short = 'o', value_enum, default_value_t)]
    output: Output,
}

/// Prints the revisions, oldest first.
///
/// # Errors
/// When there is no such release, or the cluster cannot be reached or refuses.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let history = ui.block_on(async {
        let client = release::connect(ui).await?;
        let store = Store::new(client.clone(), client.namespace());
        store.existing(&args.release).await.map_err(release::recorded)
    })?;
    let keys = ["revision", "updated", "status", "chart", "app_version", "description"];
    let rows = history.records().iter().map(|record| {
        let chart = record.chart();
        vec![
            Node::from(record.version()),
            Node::from(record.last_deployed()),
            Node::from(record.status().as_str()),
            Node::from(chart.to_string()),
            Node::from(chart.app_version),
            Node::from(record.description()),
        ]
    });
    let mut out = ui.out();
    out.write_all(listed(&keys, &rows.collect::<Vec<_>>(), args.output).as_bytes())?;
    out.flush()?;
    Ok(FINE)
}
