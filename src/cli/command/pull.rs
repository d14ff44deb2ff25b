//! `wharf pull`: a package out of a registry.

use crate::cli::exit::{FINE, Failure};
use crate::cli::registry_args::{RegistryArgs, progress, registry_failure};
use crate::cli::ui::Ui;
use crate::oci::Reference;
use crate::oci::reference::{tag_version, version_tag};
use crate::source::cache::Cache;
use crate::source::oci::{self, RegistryError};
use std::io::Write;
use std::path::PathBuf;

/// Pull a package or chart from a registry
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf pull oci://registry.example/packages/shop:1.0.0
  wharf pull oci://registry.example/packages/shop --untar -d vendor    the highest version")]
pub struct Args {
    /// The package
    #[arg(value_name = "OCI")]
    source: String,
    /// Version to pull, instead of a tag
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Unpack it into a folder of its name
    #[arg(long)]
    untar: bool,
    /// Folder to write to
    #[arg(long, short = 'd', default_value = ".", value_name = "FOLDER")]
    destination: PathBuf,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Pulls and prints reference and digest.
///
/// # Errors
/// When there is no such package, or the folder cannot be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let mut reference = Reference::oci(&args.source).map_err(Failure::failed)?;
    if let Some(version) = &args.version {
        let tagged = reference.repository.tagged(&version_tag(version)).map_err(Failure::failed)?;
        reference.tag = tagged.tag;
    }
    let client = args.registry.client();
    let pulled = ui.block_on(async {
        oci::pull(&client, &reference, &Cache::user(), &progress(ui)).await.map_err(source_failure)
    })?;
    // read whole before anything is written
    let (_, tree) = pulled.unpack().map_err(Failure::failed)?;
    let name = pulled.reference.repository.name();
    if args.untar {
        let folder = args.destination.join(name);
        if folder.exists() {
            let message = format!("{} is there already", folder.display());
            return Err(Failure::failed(miette::MietteDiagnostic::new(message)));
        }
        std::fs::create_dir_all(&args.destination)?;
        // whole or not at all
        let work = tempfile::tempdir_in(&args.destination)?;
        let inner = work.path().join(name);
        std::fs::create_dir(&inner)?;
        for (path, bytes) in tree.iter() {
            let target = inner.join(path.as_str());
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(target, bytes)?;
        }
        std::fs::rename(&inner, &folder)?;
    } else {
        let version = pulled.reference.tag.as_deref().map(tag_version);
        let version = version.unwrap_or_else(|| pulled.digest.hex()[..12].to_owned());
        std::fs::create_dir_all(&args.destination)?;
        let mut file = tempfile::NamedTempFile::new_in(&args.destination)?;
        file.write_all(&pulled.archive)?;
        file.persist(args.destination.join(format!("{name}-{version}.tgz")))
            .map_err(|error| error.error)?;
    }
    let mut out = ui.out();
    writeln!(out, "Pulled: {}\nDigest: {}", pulled.reference, pulled.digest)?;
    out.flush()?;
    Ok(FINE)
}

/// Sorts the errors of a package in a registry.
pub(crate) fn source_failure(error: RegistryError) -> Failure {
    match error {
        RegistryError::Registry(error) => registry_failure(error),
        error => Failure::failed(error),
    }
}
