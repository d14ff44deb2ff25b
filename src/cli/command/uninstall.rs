//! `wharf uninstall`: a release and its objects go.

use crate::cli::exit::{FINE, Failure};
use crate::cli::progress::Steps;
use crate::cli::release;
use crate::cli::ui::Ui;
use crate::cluster::Client;
use crate::deploy::{self, RemoveOptions};
use crate::plan::summary;
use std::time::Duration;

/// Remove releases and everything that they own.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  wharf uninstall shop\n  wharf uninstall shop --dry-run")]
pub struct Args {
    /// The releases
    #[arg(required = true, value_name = "RELEASE")]
    releases: Vec<String>,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Keep its records, marked as uninstalled
    #[arg(long)]
    keep_history: bool,
    /// Do not mind when there is no such release
    #[arg(long)]
    ignore_not_found: bool,
    /// Do not run hooks
    #[arg(long)]
    no_hooks: bool,
    /// Wait until the objects are gone
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, default_value = "5m", value_parser = release::duration, value_name = "TIME")]
    timeout: Duration,
}

/// Removes the releases.
///
/// # Errors
/// When there is no such release, or an object cannot be deleted.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    ui.block_on(release::on_each(ui, async |client| {
        for name in &args.releases {
            remove(ui, args, &client, name).await?;
        }
        Ok(())
    }))?;
    Ok(FINE)
}

async fn remove(ui: &Ui, args: &Args, client: &Client, name: &str) -> Result<(), Failure> {
    let namespace = client.namespace();
    if args.dry_run {
        let prepared = deploy::prepare_removal(client, namespace, name).await;
        let Some((plan, _)) = found(ui, args, prepared.map_err(release::sorted))? else {
            return Ok(());
        };
        for action in &plan.actions {
            ui.say(format_args!("{:<9} {}", action.change.as_str(), action.id));
        }
        ui.say(format_args!("release {name}: {}", summary(&plan)));
        return Ok(());
    }
    let options = RemoveOptions {
        keep_history: args.keep_history,
        without_hooks: args.no_hooks,
        wait: args.wait,
        timeout: args.timeout,
    };
    let steps = Steps::new(ui);
    let removal = release::interruptible(ui, &steps, async |cancel| {
        deploy::uninstall(client, namespace, name, &options, &steps, cancel).await
    })
    .await;
    let Some(removal) = found(ui, args, removal)? else { return Ok(()) };
    for object in &removal.kept {
        ui.say(format_args!("kept      {object}"));
    }
    ui.say(format_args!("release {name} is removed: {} deleted", removal.deleted));
    Ok(())
}

/// Nothing when there is no such release and that is none to mind.
fn found<T>(ui: &Ui, args: &Args, result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Err(failure) if args.ignore_not_found && failure.has_code("wharf::release::not_found") => {
            let message = failure.messages().swap_remove(0).1;
            ui.say(message);
            Ok(None)
        }
        result => result.map(Some),
    }
}
