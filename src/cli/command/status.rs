//! `wharf status`: a release and the readiness of its objects.

use crate::cli::exit::{FAILED, FINE, Failure};
use crate::cli::release::{self, Output};
use crate::cli::ui::Ui;
use crate::deploy;
use crate::object::status::State;
use crate::release::Store;
use std::io::Write;

/// Show a release and how its objects are; exit code 1 when one has failed or is missing.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  wharf status shop")]
pub struct Args {
    /// The release
    release: String,
    /// Form of the output
    #[arg(long, short = 'o', value_enum, default_value_t)]
    output: Output,
}

/// Prints the objects with their readiness.
///
/// # Errors
/// When there is no such release, or the cluster cannot be reached or refuses.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let (record, objects) = ui.block_on(async {
        let client = release::connect(ui).await?;
        let store = Store::new(client.clone(), client.namespace());
        let history = store.existing(&args.release).await.map_err(release::recorded)?;
        let record = history.last().expect("an existing release has a revision").clone();
        let ids = deploy::owned(&client, &record).await.map_err(release::sorted)?;
        let objects = deploy::observe_once(&client, &ids).await.map_err(release::sorted)?;
        Ok((record, objects))
    })?;
    let bad = |state: State| matches!(state, State::Failed | State::Missing);
    let failed = objects.iter().any(|(_, readiness, _)| bad(readiness.state));
    let rows = objects.iter().map(|(id, readiness, _)| {
        vec![id.to_string(), readiness.state.to_string(), readiness.message.clone()]
    });
    let text = release::listed(&["object", "state", "message"], rows.collect(), args.output);
    if args.output == Output::Table {
        ui.say(format_args!(
            "release {} revision {}: {} ({})",
            record.name(),
            record.version(),
            record.status(),
            record.description().lines().next().unwrap_or_default()
        ));
    }
    let mut out = ui.out();
    out.write_all(text.as_bytes())?;
    if let (Some(notes), Output::Table) = (record.notes(), args.output) {
        writeln!(out, "\n{}", notes.trim_end())?;
    }
    out.flush()?;
    Ok(if failed { FAILED } else { FINE })
}
