//! `wharf package`: an archive of a folder.

use crate::cli::exit::{FINE, Failure};
use crate::cli::registry_args::pack;
use crate::cli::ui::Ui;
use std::io::Write;
use std::path::PathBuf;

/// Pack a package or chart into an archive; the same files give the same bytes
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  wharf package shop -d dist")]
pub struct Args {
    /// Folder of the package or chart
    #[arg(value_name = "FOLDER")]
    source: String,
    /// Folder to write the archive to
    #[arg(long, short = 'd', default_value = ".", value_name = "FOLDER")]
    destination: PathBuf,
}

/// Writes the archive and prints its path.
///
/// # Errors
/// When the folder is no package, or the archive cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let packed = pack(&args.source)?;
    let path = args.destination.join(format!("{}-{}.tgz", packed.name, packed.version));
    std::fs::create_dir_all(&args.destination)?;
    let mut file = tempfile::NamedTempFile::new_in(&args.destination)?;
    file.write_all(&packed.archive)?;
    file.persist(&path).map_err(|error| error.error)?;
    let mut out = ui.out();
    writeln!(out, "{}", path.display())?;
    out.flush()?;
    Ok(FINE)
}
