//! The image of the example packages: one static program, which is part of this binary, and
//! nothing else in it. It is made without a network.

use crate::base::tar::{BLOCK, program_header};
use crate::oci::layout::Layout;
use crate::oci::{Descriptor, OciError, Platform};
use serde_json::json;
use std::path::Path;

/// The program; empty where it could not be compiled.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/demo"));

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// True when this binary carries the program.
pub(super) fn available() -> bool {
    !PROGRAM.is_empty()
}

/// Writes the image as an image layout.
pub(super) fn write(folder: &Path) -> Result<Layout, OciError> {
    let mut layer = program_header("bin/demo", PROGRAM.len() as u64, 0)
        .map_err(|source| OciError::Io { what: "make the layer".into(), source })?;
    layer.extend_from_slice(PROGRAM);
    layer.resize(layer.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    let platform = Platform::host();
    let config = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {"Entrypoint": ["/bin/demo"], "Env": ["PATH=/bin"], "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [Descriptor::of(LAYER, &layer).digest]},
    });
    let config = serde_json::to_vec(&config).expect("plain data");
    Layout::create(folder, (CONFIG, &config), &[(LAYER, &layer)])
}
