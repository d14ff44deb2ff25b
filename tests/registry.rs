//! The client against registries: our own, and one that misbehaves.

use bytes::Bytes;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wharf::base::digest::Digest;
use wharf::oci::artifact::{self, Artifact, Kind};
use wharf::oci::manifest::media;
use wharf::oci::registry::Registry;
use wharf::oci::{
    Client, Content, Descriptor, Keyring, Manifest, OciError, Options, Progress, Reference,
    Repository,
};

/// Our own registry on a free port, as long as the runtime lives.
async fn own(root: &std::path::Path) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(Registry::open(root).expect("a folder").serve(listener));
    address
}

fn client() -> Client {
    Client::new(Options {
        first_wait: Duration::from_millis(5),
        stall: Duration::from_millis(500),
        ..Options::default()
    })
}

#[tokio::test]
async fn packages_come_back_as_they_went() {
    let root = tempfile::tempdir().expect("a folder");
    let address = own(root.path()).await;
    let reference = Reference::oci(&format!("oci://{address}/ns/demo:1.0.0+b")).expect("a name");
    let artifact = Artifact {
        kind: Kind::Chart,
        config: Bytes::from_static(b"{}"),
        archive: Bytes::from(vec![7; 100_000]),
        annotations: [].into(),
    };
    let pushed = artifact::push(&client(), &reference, &artifact, &Progress::none()).await;
    let pushed = pushed.expect("a push");
    let located = artifact::locate(&client(), &reference).await.expect("a package");
    assert_eq!((located.kind, located.digest), (Kind::Chart, pushed));
    let repository = &reference.repository;
    let bytes = client().blob_bytes(repository, &located.content, 1 << 20, &Progress::none()).await;
    assert_eq!(bytes.expect("the archive"), artifact.archive);
    assert_eq!(client().tags(repository).await.expect("tags"), ["1.0.0_b"]);
    assert_eq!(client().resolve(&reference).await.expect("a manifest").digest, pushed);
    client().delete(&repository.with_digest(pushed)).await.expect("a removal");
    let error = client().manifest(&reference).await.expect_err("nothing");
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn large_blobs_go_in_chunks_and_are_mounted() {
    let root = tempfile::tempdir().expect("a folder");
    let address = own(root.path()).await;
    let from = Repository::new(&address, "a/from").expect("a name");
    let to = Repository::new(&address, "a/to").expect("a name");
    let bytes: Bytes = (0..40_000_000u32).map(|n| n.to_le_bytes()[1]).collect::<Vec<_>>().into();
    let blob = Descriptor::of("application/octet-stream", &bytes);
    let content = Content::Bytes(bytes.clone());
    let none = Progress::none();
    client().push_blob(&from, &blob, &content, None, &none).await.expect("a push");
    client().push_blob(&to, &blob, &content, Some(&from), &none).await.expect("a mount");
    let back = client().blob_bytes(&to, &blob, 1 << 30, &none).await.expect("a blob");
    assert!(back == bytes);
    let wrong = Descriptor { digest: Digest::of(b"other"), ..blob };
    let error = client().push_blob(&to, &wrong, &content, None, &none).await.expect_err("a lie");
    assert!(error.to_string().contains("DIGEST_INVALID"), "{error}");
}

/// A server that answers each request as a function of its head and its number says.
fn bad(answer: impl Fn(&str, usize, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).to_lowercase();
                answer(&head, count.fetch_add(1, Ordering::SeqCst), &mut stream);
            });
        }
    });
    address
}

fn say(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

async fn fetch(address: &str, blob: &Descriptor) -> Result<Bytes, OciError> {
    let repository = Repository::new(address, "a/b").expect("a name");
    client().blob_bytes(&repository, blob, 1 << 30, &Progress::none()).await
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_stopped() {
    let bytes = vec![3u8; 1_000_000];
    let blob = Descriptor::of("x", &bytes);
    let address = bad(move |head, _, stream| {
        let start = head.split("range: bytes=").nth(1).map_or(0, |rest| {
            rest.split('-').next().and_then(|n| n.parse::<usize>().ok()).expect("a number")
        });
        let part = &bytes[start..];
        let head = if start == 0 {
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", part.len())
        } else {
            let (last, all) = (bytes.len() - 1, bytes.len());
            let length = part.len();
            format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {start}-{last}/{all}\r\ncontent-length: {length}\r\n\r\n"
            )
        };
        let _ = stream.write_all(head.as_bytes());
        // never more than a third in one go
        let _ = stream.write_all(&part[..part.len().min(300_000)]);
    });
    assert_eq!(fetch(&address, &blob).await.expect("the whole").len(), 1_000_000);
}

#[tokio::test]
async fn what_a_registry_does_wrong_is_told() {
    let blob = Descriptor::of("x", b"right");
    let error = |address: String| {
        let blob = blob.clone();
        async move { fetch(&address, &blob).await.expect_err("a fault").to_string() }
    };
    let lies = bad(|_, _, stream| say(stream, "200 OK", "", b"wrong"));
    assert!(error(lies).await.contains("expected sha256:"));
    let swells = bad(|_, _, stream| say(stream, "200 OK", "", b"much more than right"));
    assert!(error(swells).await.contains("is larger; its manifest says 5 bytes"));
    let fails = bad(|_, _, stream| {
        let body = br#"{"errors":[{"code":"UNKNOWN","message":"disk full"}]}"#;
        say(stream, "500 Oops", "", body);
    });
    assert!(error(fails).await.contains("answered 500"));
    let circles = bad(|_, _, stream| say(stream, "302 Found", "location: /again\r\n", b""));
    assert!(error(circles).await.contains("redirects blob"));
    let slow = bad(|_, _, _| std::thread::sleep(Duration::from_secs(20)));
    assert!(error(slow).await.contains("stopped answering"));
    let denies = bad(|_, _, stream| say(stream, "401 No", "www-authenticate: Basic\r\n", b""));
    assert!(error(denies).await.contains("does not allow"));
}

#[tokio::test]
async fn trouble_that_passes_is_waited_out() {
    let blob = Descriptor::of("x", b"right");
    let address = bad(|_, number, stream| match number {
        0 => say(stream, "429 Slow down", "retry-after: 0\r\n", b""),
        1 => say(stream, "503 Busy", "", b""),
        2 => {}
        _ => say(stream, "200 OK", "", b"right"),
    });
    assert_eq!(fetch(&address, &blob).await.expect("patience"), "right");
}

#[tokio::test]
async fn credentials_stay_with_their_host() {
    let stranger = bad(|head, _, stream| {
        let leaked = head.contains("authorization");
        say(stream, "200 OK", "", if leaked { b"leak!" } else { b"right" });
    });
    let target = format!("location: http://{stranger}/blob\r\n");
    let address = bad(move |head, _, stream| {
        if head.contains("authorization: basic") {
            say(stream, "307 Elsewhere", &target, b"");
        } else {
            say(stream, "401 Who?", "www-authenticate: Basic realm=\"x\"\r\n", b"");
        }
    });
    let credentials =
        wharf::oci::Credentials::Basic { user: "me".into(), password: "hunter2".into() };
    let keyring = Keyring::none().with(&address, credentials);
    let client = Client::new(Options { keyring, ..Options::default() });
    let repository = Repository::new(&address, "a/b").expect("a name");
    let blob = Descriptor::of("x", b"right");
    let bytes = client.blob_bytes(&repository, &blob, 10, &Progress::none()).await;
    assert_eq!(bytes.expect("the blob without a leak"), "right");
}

#[tokio::test]
async fn huge_manifests_are_left() {
    let address = bad(|_, _, stream| say(stream, "200 OK", "", &vec![b' '; 5 << 20]));
    let reference = Reference::image(&format!("{address}/a:1")).expect("a name");
    let error = client().manifest(&reference).await.expect_err("a bound").to_string();
    assert!(error.contains("is larger than 4194304 bytes"), "{error}");
}

/// A tar archive of one file.
#[cfg(target_os = "linux")]
fn layer(path: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = wharf::base::tar::file_header(path, content.len() as u64, 1).expect("a header");
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
    bytes
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn images_are_pulled_once_and_survive_a_restart() {
    use wharf::agent::runtime::image::{ImageStore, PullOptions};
    if !crate::prerequisites::root() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let address = own(&root.path().join("registry")).await;
    let reference = Reference::image(&format!("{address}/app:1")).expect("a name");
    let layers = [layer("bin/a", b"one"), layer("bin/b", b"two"), layer("bin/a", b"one")];
    let diff_ids: Vec<String> = layers.iter().map(|one| Digest::of(one).to_string()).collect();
    let config = serde_json::json!({
        "os": "linux", "architecture": wharf::oci::Platform::host().architecture,
        "config": {"Cmd": ["/bin/a"], "Env": ["A=1"], "ExposedPorts": {"80/tcp": {}}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let push = |config: Vec<u8>| {
        let (reference, layers) = (reference.clone(), layers.clone());
        async move {
            let none = Progress::none();
            let config = Bytes::from(config);
            let mut manifest = Manifest {
                schema_version: 2,
                media_type: media::MANIFEST.into(),
                artifact_type: None,
                config: Descriptor::of(media::IMAGE_CONFIG, &config),
                layers: Vec::new(),
                subject: None,
                annotations: [].into(),
            };
            let repository = &reference.repository;
            let content = Content::Bytes(config);
            client().push_blob(repository, &manifest.config, &content, None, &none).await?;
            for layer in layers {
                let mut gzip =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(&layer).expect("memory");
                let blob = Bytes::from(gzip.finish().expect("memory"));
                let descriptor = Descriptor::of(media::LAYER_GZIP, &blob);
                let content = Content::Bytes(blob);
                client().push_blob(repository, &descriptor, &content, None, &none).await?;
                manifest.layers.push(descriptor);
            }
            let bytes = Bytes::from(serde_json::to_vec(&manifest).expect("JSON"));
            client().push_manifest(&reference, media::MANIFEST, &bytes).await
        }
    };
    push(config.to_string().into_bytes()).await.expect("a push");
    let folder = root.path().join("images");
    let store = ImageStore::open(&folder).expect("a store");
    assert_eq!(store.resolve(&reference), None);
    let options = PullOptions::default();
    let image = store.pull(&reference, &options, &Progress::none()).await.expect("an image");
    assert_eq!(image.config.cmd, ["/bin/a"]);
    assert_eq!(image.config.exposed_ports, ["80/tcp"]);
    assert_eq!(image.layers.len(), 3);
    assert_eq!(std::fs::read(image.layers[1].join("bin/b")).expect("a file"), b"two");
    std::fs::create_dir(folder.join("tmp/left-by-a-killed-agent")).expect("a folder");
    let again = ImageStore::open(&folder).expect("a store");
    assert_eq!(again.resolve(&reference), Some(image.clone()));
    assert_eq!(std::fs::read_dir(folder.join("tmp")).expect("a folder").count(), 0);
    // an image whose layers are not those that its config names
    let mut lying = config;
    lying["rootfs"]["diff_ids"][1] = serde_json::json!(Digest::of(b"other").to_string());
    push(lying.to_string().into_bytes()).await.expect("a push");
    let error = again.pull(&reference, &options, &Progress::none()).await.expect_err("a lie");
    assert!(error.to_string().contains("an unpacked layer has digest"), "{error}");
    assert_eq!(again.resolve(&reference), Some(image.clone()));
    let collected = again.collect([image.id].into()).await.expect("a collection");
    assert_eq!((collected.images, collected.layers), (0, 0));
    let collected = again.collect([].into()).await.expect("a collection");
    assert_eq!((collected.images, collected.layers), (1, 2));
}
