//! `wharf login`: credentials for a registry.

use crate::cli::exit::{FINE, Failure};
use crate::cli::registry_args::registry_failure;
use crate::cli::ui::Ui;
use crate::oci::auth::{self, Kept};
use crate::oci::{Client, Credentials, Keyring, Options};
use std::io::Read;

/// Log in to a registry; docker, podman and helm share the login
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  wharf login registry.example -u robot --password-stdin < token")]
pub struct Args {
    /// The registry: host or host:port
    #[arg(value_name = "REGISTRY")]
    registry: String,
    /// Name of the user
    #[arg(long, short = 'u', value_name = "NAME")]
    username: String,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Speak plain HTTP to the registry (loopback addresses need no flag)
    #[arg(long)]
    plain_http: bool,
}

/// Checks the password with the registry and keeps it.
///
/// # Errors
/// When the registry does not take it, or it cannot be kept.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    if !args.password_stdin {
        let message = "the password comes from standard input: add `--password-stdin`";
        return Err(Failure::Usage(message.into()));
    }
    let mut password = String::new();
    std::io::stdin().lock().take(64 << 10).read_to_string(&mut password)?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    let credentials = Credentials::Basic { user: args.username.clone(), password };
    let client = Client::new(Options {
        keyring: Keyring::none().with(&args.registry, credentials.clone()),
        plain_http: args.plain_http,
        ..Options::default()
    });
    ui.block_on(async { client.check_login(&args.registry).await.map_err(registry_failure) })?;
    match auth::store(&args.registry, &credentials).map_err(registry_failure)? {
        Kept::File(path) => ui.say(format_args!(
            "logged in to {}; the password is in {}, readable by you alone",
            args.registry,
            path.display()
        )),
        Kept::Helper(helper) => ui.say(format_args!(
            "logged in to {}; docker-credential-{helper} keeps the password",
            args.registry
        )),
    }
    Ok(FINE)
}
