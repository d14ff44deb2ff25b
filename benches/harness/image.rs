//! The image of the measured pods: the example's program, served by a registry in this process.

use std::net::SocketAddr;
use std::path::Path;
use tokio::runtime::Runtime;
use wharf::oci::registry::Registry;
use wharf::oci::{Client, Content, Descriptor, OciError, Options, Platform, Progress, Reference};

/// As the build script left it; empty where it could not be compiled.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/demo"));

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A registry that serves the image as long as this lives.
pub(crate) struct Image {
    /// What pods name it by.
    pub(crate) reference: String,
    _threads: Runtime,
}

impl Image {
    /// Serves the image from a folder.
    pub(crate) fn serve(folder: &Path) -> Result<Image, String> {
        if PROGRAM.is_empty() {
            return Err("no static C library was there to compile the image's program".to_owned());
        }
        let threads = Runtime::new().expect("threads");
        let address = threads.block_on(registry(&folder.join("registry")));
        let reference = format!("{address}/bench/demo:1");
        let name = Reference::image(&reference).expect("a good reference");
        threads.block_on(push(&name)).expect("a registry of our own takes it");
        Ok(Image { reference, _threads: threads })
    }
}

async fn registry(folder: &Path) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(Registry::open(folder).expect("a folder of our own").serve(listener));
    address
}

async fn push(name: &Reference) -> Result<(), OciError> {
    let client = Client::new(Options::default());
    let layer = layer();
    let config = serde_json::json!({
        "architecture": Platform::host().architecture,
        "os": "linux",
        "config": {"Entrypoint": ["/bin/demo"]},
        "rootfs": {"type": "layers", "diff_ids": [Descriptor::of(LAYER, &layer).digest]},
    });
    let config = config.to_string().into_bytes();
    let mut descriptors = Vec::new();
    for (media_type, bytes) in [(CONFIG, config), (LAYER, layer)] {
        let blob = Descriptor::of(media_type, &bytes);
        let content = Content::Bytes(bytes.into());
        client.push_blob(&name.repository, &blob, &content, None, &Progress::none()).await?;
        descriptors.push(blob);
    }
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptors[0],
        "layers": [descriptors[1]],
    });
    client.push_manifest(name, MANIFEST, &manifest.to_string().into_bytes().into()).await?;
    Ok(())
}

/// A tar archive that holds the program, which everyone may execute.
fn layer() -> Vec<u8> {
    let mut head = [0u8; 512];
    let size = format!("{:011o}", PROGRAM.len());
    let fields: [(usize, &[u8]); 8] = [
        (0, b"bin/demo"),
        (100, b"0000755"),
        (108, b"0000000"),
        (116, b"0000000"),
        (124, size.as_bytes()),
        (136, b"00000000000"),
        (148, b"        "),
        (156, b"0"),
    ];
    for (at, bytes) in fields {
        head[at..at + bytes.len()].copy_from_slice(bytes);
    }
    head[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = head.to_vec();
    archive.extend_from_slice(PROGRAM);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}
