//! `wharf registry serve`: a registry of one's own.

use crate::cli::exit::Failure;
use crate::cli::ui::Ui;
use crate::oci::registry::Registry;
use std::io::Write;
use std::path::PathBuf;

/// Serve packages and images from a folder, as an OCI registry
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Serve a folder until Ctrl-C
    Serve(Serve),
}

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf registry serve --root ./registry
  wharf push shop oci://127.0.0.1:5000/packages

There are no users: whoever reaches the address may read and write. Keep it on loopback.")]
struct Serve {
    /// Address to listen on; port 0 takes any free one
    #[arg(long, visible_alias = "listen", default_value = "127.0.0.1:5000")]
    #[arg(value_name = "HOST:PORT")]
    addr: String,
    /// Folder to keep everything in
    #[arg(long, default_value = "registry", value_name = "FOLDER")]
    root: PathBuf,
}

/// Serves until Ctrl-C.
///
/// # Errors
/// When the address or the folder cannot be used.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let Command::Serve(serve) = &args.command;
    let cannot = |what: String| {
        move |error: std::io::Error| {
            Failure::remote(miette::MietteDiagnostic::new(format!("cannot {what}: {error}")))
        }
    };
    let registry =
        Registry::open(&serve.root).map_err(cannot(format!("use {}", serve.root.display())))?;
    ui.block_on(async {
        let listener = tokio::net::TcpListener::bind(&serve.addr)
            .await
            .map_err(cannot(format!("listen on {}", serve.addr)))?;
        let address = listener.local_addr()?;
        let mut out = ui.out();
        writeln!(out, "serving {} on {address}", serve.root.display())?;
        out.flush()?;
        tokio::select! {
            never = registry.serve(listener) => match never {},
            _ = tokio::signal::ctrl_c() => Ok(crate::cli::exit::FINE),
        }
    })
}
