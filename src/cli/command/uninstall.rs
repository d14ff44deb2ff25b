//! `wharf uninstall`: a release and its objects go.

use crate::cli::exit::{FINE, Failure};
use crate::cli::release::{self, Lines};
use crate::cli::ui::Ui;
use crate::deploy::{self, RemoveOptions};
use std::time::Duration;

/// Remove a release and everything that it owns.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  wharf uninstall shop")]
pub struct Args {
    /// The release
    release: String,
    /// Keep its records, marked as uninstalled
    #[arg(long)]
    keep_history: bool,
    /// Wait until the objects are gone
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, default_value = "5m", value_parser = release::duration, value_name = "TIME")]
    timeout: Duration,
}

/// Removes the release.
///
/// # Errors
/// When there is no such release, or an object cannot be deleted.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    ui.block_on(async {
        let client = release::connect(ui).await?;
        let options = RemoveOptions {
            keep_history: args.keep_history,
            wait: args.wait,
            timeout: args.timeout,
        };
        let lines = Lines(ui);
        let namespace = client.namespace();
        let removal = release::interruptible(ui, async |cancel| {
            deploy::uninstall(&client, namespace, &args.release, &options, &lines, cancel).await
        })
        .await?;
        for object in &removal.kept {
            ui.say(format_args!("kept      {object}"));
        }
        ui.say(format_args!("release {} is removed: {} deleted", args.release, removal.deleted));
        Ok(FINE)
    })
}
