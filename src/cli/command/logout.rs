//! `wharf logout`: forgets credentials.

use crate::cli::exit::{FINE, Failure};
use crate::cli::registry_args::registry_failure;
use crate::cli::ui::Ui;
use crate::oci::auth;

/// Forget the login to a registry
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The registry: host or host:port
    #[arg(value_name = "REGISTRY")]
    registry: String,
}

/// Forgets the login.
///
/// # Errors
/// When docker's configuration or a helper cannot be used.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let text = if auth::erase(&args.registry).map_err(registry_failure)? {
        "logged out of"
    } else {
        "not logged in to"
    };
    ui.say(format_args!("{text} {}", args.registry));
    Ok(FINE)
}
