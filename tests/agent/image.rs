//! The example program as an image of one layer, made and pushed without any network.

use bytes::Bytes;
use serde_json::json;
use wharf::base::digest::Digest;
use wharf::base::tar::{BLOCK, file_header};
use wharf::oci::manifest::media;
use wharf::oci::{Client, Content, Descriptor, Options, Platform, Progress, Reference};

/// The static program that the build script left; empty where no static C library is installed.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/demo"));

/// Whether there is a program to make images of.
pub(super) fn can_be_made() -> bool {
    !PROGRAM.is_empty()
}

/// Pushes an image with the example program as its entry point.
pub(super) async fn push(name: &str) {
    let reference = Reference::image(name).expect("a name");
    let client = Client::new(Options::default());
    let layer = layer();
    let platform = Platform::host();
    let config = json!({
        "os": platform.os, "architecture": platform.architecture,
        "config": {"Entrypoint": ["/demo"], "Env": ["FROM_IMAGE=yes"]},
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer).to_string()]},
    });
    let config = Bytes::from(config.to_string());
    let blobs = [(media::IMAGE_CONFIG, config), ("application/vnd.oci.image.layer.v1.tar", layer)];
    let (mut described, none) = (Vec::new(), Progress::none());
    for (kind, bytes) in blobs {
        let blob = Descriptor::of(kind, &bytes);
        let content = Content::Bytes(bytes);
        let pushed = client.push_blob(&reference.repository, &blob, &content, None, &none);
        pushed.await.expect("the registry takes it");
        described.push(json!({
            "mediaType": kind, "digest": blob.digest.to_string(), "size": blob.size,
        }));
    }
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media::MANIFEST,
        "config": described[0], "layers": [described[1]],
    });
    let manifest = Bytes::from(manifest.to_string());
    client.push_manifest(&reference, media::MANIFEST, &manifest).await.expect("a manifest");
}

fn layer() -> Bytes {
    let mut header = file_header("demo", PROGRAM.len() as u64, 0).expect("a header");
    header[100..108].copy_from_slice(b"0000755\0");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = header;
    tar.extend_from_slice(PROGRAM);
    tar.resize(tar.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    tar.into()
}
