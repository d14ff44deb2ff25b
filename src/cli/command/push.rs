//! `wharf push`: a package or an image into a registry.

use crate::base::digest::Digest;
use crate::cli::exit::{FINE, Failure};
use crate::cli::registry_args::{RegistryArgs, pack, progress, registry_failure};
use crate::cli::ui::Ui;
use crate::oci::Reference;
use crate::oci::artifact::{self, Artifact};
use crate::oci::layout::Layout;
use crate::oci::reference::version_tag;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Push a package, chart or image to a registry
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf push shop oci://registry.example/packages        as packages/shop, tagged with its version
  wharf push shop-1.0.0.tgz oci://localhost:5000/shop:stable
  wharf push ./image oci://localhost:5000/demo:1.0       an image, from a folder in the OCI layout")]
pub struct Args {
    /// Folder or archive of the package, or folder of an image in the OCI layout
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Where to: a namespace, to which the package's name and version are added, or a name with tag
    #[arg(value_name = "OCI")]
    reference: String,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Pushes and prints reference and digest.
///
/// # Errors
/// When it is no package, or the registry does not take it.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    if let Some(layout) = Layout::find(Path::new(&args.source)) {
        return push_image(ui, args, &layout);
    }
    let packed = pack(&args.source)?;
    let named = Reference::oci(&args.reference).map_err(Failure::failed)?;
    let reference = match &named.tag {
        Some(_) => named,
        None => named
            .repository
            .child(&packed.name)
            .and_then(|repository| repository.tagged(&version_tag(&packed.version)))
            .map_err(Failure::failed)?,
    };
    // the keys that Helm writes; no time of creation, so that the digest depends on the content
    let mut annotations = BTreeMap::new();
    let mut note = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            annotations.insert(format!("org.opencontainers.image.{key}"), value.to_owned());
        }
    };
    note("title", Some(&packed.name));
    note("version", Some(&packed.version));
    note("description", packed.metadata.str_at(&["description"]));
    note("url", packed.metadata.str_at(&["home"]));
    let artifact = Artifact {
        kind: packed.kind,
        config: serde_json::to_vec(&packed.metadata).expect("a value is JSON").into(),
        archive: packed.archive,
        annotations,
    };
    let client = args.registry.client();
    let digest = ui.block_on(async {
        artifact::push(&client, &reference, &artifact, &progress(ui))
            .await
            .map_err(registry_failure)
    })?;
    tell(ui, &reference, digest)
}

/// Pushes an image; its reference must say the whole name.
fn push_image(ui: &Ui, args: &Args, layout: &Layout) -> Result<u8, Failure> {
    let reference = Reference::oci(&args.reference).map_err(Failure::failed)?;
    if reference.tag.is_none() {
        return Err(Failure::Usage(format!(
            "an image needs a tag: write `{}:1.0`, or another tag",
            args.reference
        )));
    }
    let client = args.registry.client();
    let digest = ui.block_on(async {
        layout.push(&client, &reference, &progress(ui)).await.map_err(registry_failure)
    })?;
    tell(ui, &reference, digest)
}

fn tell(ui: &Ui, reference: &Reference, digest: Digest) -> Result<u8, Failure> {
    let mut out = ui.out();
    writeln!(out, "Pushed: {reference}\nDigest: {digest}")?;
    out.flush()?;
    Ok(FINE)
}
