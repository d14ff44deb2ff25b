//! `wharf rollback`: an earlier revision again.

use crate::cli::exit::{FINE, Failure};
use crate::cli::progress::Steps;
use crate::cli::release;
use crate::cli::ui::Ui;
use crate::deploy;
use std::time::Duration;

/// Put an earlier revision of a release back.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = "Examples:\n  wharf rollback shop\n  wharf rollback shop 3")]
pub struct Args {
    /// The release
    release: String,
    /// The revision (default: the last one before the current that was whole)
    revision: Option<i64>,
    /// Take fields over from other field managers
    #[arg(long)]
    force_conflicts: bool,
    /// Delete and make anew what cannot be changed in place
    #[arg(long)]
    force_recreate: bool,
    /// Do not run hooks
    #[arg(long)]
    no_hooks: bool,
    /// Do not wait until everything is ready
    #[arg(long)]
    no_wait: bool,
    /// Wait until Jobs are complete, too: without it, until they have begun
    #[arg(long, conflicts_with = "no_wait")]
    wait_for_jobs: bool,
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
    let settings = deploy::Settings {
        force_conflicts: args.force_conflicts,
        force_recreate: args.force_recreate,
        wait: !args.no_wait,
        wait_for_jobs: args.wait_for_jobs,
        without_hooks: args.no_hooks,
        timeout: args.timeout,
        history_max: args.history_max,
        ..deploy::Settings::default()
    };
    ui.block_on(release::on_each(ui, async |client| {
        let steps = Steps::new(ui);
        let (namespace, name, to) = (client.namespace(), &args.release, args.revision);
        let outcome = release::interruptible(ui, &steps, async |cancel| {
            deploy::rollback(&client, namespace, name, to, &settings, &steps, cancel).await
        })
        .await;
        release::say_warnings(ui, &client);
        release::say_outcome(ui, &args.release, &outcome?);
        Ok(())
    }))?;
    Ok(FINE)
}
