//! `wharf rollback`: an earlier revision again.

use crate::cli::exit::{FINE, Failure};
use crate::cli::release::{self, Lines};
use crate::cli::ui::Ui;
use crate::deploy;
use std::time::Duration;

/// Put an earlier revision of a release back.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  wharf rollback shop\n  wharf rollback shop 3")]
pub struct Args {
    /// The release
    release: String,
    /// The revision (default: the last one before the current that was whole)
    revision: Option<i64>,
    /// Take fields over from other field managers
    #[arg(long)]
    force_conflicts: bool,
    /// Do not wait until everything is ready
    #[arg(long)]
    no_wait: bool,
    /// How long to wait
    #[arg(long, default_value = "5m", value_parser = release::duration, value_name = "TIME")]
    timeout: Duration,
    /// So many revisions are kept; 0: all
    #[arg(long, default_value_t = 10, value_name = "NUMBER", env = "HELM_MAX_HISTORY")]
    history_max: usize,
}

/// Rolls back.
///
/// # Errors
/// When there is no such release or revision, or it does not become ready.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    ui.block_on(async {
        let client = release::connect(ui).await?;
        let settings = deploy::Settings {
            force_conflicts: args.force_conflicts,
            wait: !args.no_wait,
            timeout: args.timeout,
            history_max: args.history_max,
            ..deploy::Settings::default()
        };
        let lines = Lines(ui);
        let (namespace, name, to) = (client.namespace(), &args.release, args.revision);
        let outcome = release::interruptible(ui, async |cancel| {
            deploy::rollback(&client, namespace, name, to, &settings, &lines, cancel).await
        })
        .await?;
        release::say_warnings(ui, &client);
        release::say_outcome(ui, &args.release, &outcome);
        Ok(FINE)
    })
}
