//! Layers as they come out of registries, and layers that want out of their folder.

use super::stream::decompressed;
use super::unpack::{Fault, LayerLimits, inherit, unpack};
use crate::base::tar::{BLOCK, file_header};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// One tar entry in the making.
struct Item {
    header: Vec<u8>,
    content: Vec<u8>,
    pax: String,
}

fn item(flag: u8, path: &str, link: &str) -> Item {
    let mut header = file_header("x", 0, 7).expect("a header");
    header[..100].fill(0);
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[156] = flag;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    if flag == b'5' {
        header[100..108].copy_from_slice(b"0000755\0");
    }
    Item { header, content: Vec::new(), pax: String::new() }
}

fn file(path: &str, content: &str) -> Item {
    let mut item = item(b'0', path, "");
    item.content = content.as_bytes().to_vec();
    item.field(124, &format!("{:011o}\0", content.len()))
}

fn folder(path: &str) -> Item {
    item(b'5', path, "")
}

impl Item {
    fn field(mut self, at: usize, text: &str) -> Item {
        self.header[at..at + text.len()].copy_from_slice(text.as_bytes());
        self
    }

    fn mode(self, mode: u32) -> Item {
        self.field(100, &format!("{mode:07o}\0"))
    }

    fn owner(self, user: u32, group: u32) -> Item {
        self.field(108, &format!("{user:07o}\0")).field(116, &format!("{group:07o}\0"))
    }

    fn device(self, major: u32, minor: u32) -> Item {
        self.field(329, &format!("{major:07o}\0")).field(337, &format!("{minor:07o}\0"))
    }

    fn pax(mut self, key: &str, value: &str) -> Item {
        let rest = key.len() + value.len() + 3;
        let digits = (rest + 2).to_string().len();
        writeln!(self.pax, "{} {key}={value}", rest + digits).expect("memory");
        self
    }

    fn bytes(self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.pax.is_empty() {
            let head = item(b'x', "pax", "").field(124, &format!("{:011o}\0", self.pax.len()));
            out.extend(Item { content: self.pax.into_bytes(), ..head }.bytes());
        }
        let mut header = self.header;
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(header);
        out.extend(self.content);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
        out
    }
}

fn tar(items: Vec<Item>) -> Vec<u8> {
    let mut bytes: Vec<u8> = items.into_iter().flat_map(Item::bytes).collect();
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

fn root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var_os("WHARF_CI").is_none(), "needs root");
        let _ = writeln!(std::io::stderr(), "skipped: needs root");
    }
    is_root
}

/// A folder with a `fs` inside to unpack to, and beside it what must not be touched.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a folder");
    fs::create_dir(place.path().join("fs")).expect("a folder");
    fs::create_dir(place.path().join("outside")).expect("a folder");
    fs::write(place.path().join("outside/secret"), "secret").expect("a file");
    place
}

fn apply(place: &Path, items: Vec<Item>) -> Result<super::unpack::Unpacked, String> {
    apply_with(place, items, &LayerLimits::default())
}

fn apply_with(
    place: &Path,
    items: Vec<Item>,
    limits: &LayerLimits,
) -> Result<super::unpack::Unpacked, String> {
    unpack(&mut &*tar(items), &place.join("fs"), limits).map_err(|fault| match fault {
        Fault::Tar(error) => error.to_string(),
        Fault::Entry { entry, reason } => format!("{entry} {reason}"),
        Fault::Limit(reason) => reason,
    })
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 64];
    let count = rustix::fs::lgetxattr(path, name, &mut *buffer).ok()?;
    buffer.truncate(count);
    Some(buffer)
}

#[test]
fn owners_modes_times_links_and_attributes_are_kept() {
    if !root() {
        return;
    }
    let place = place();
    let base = place.path().join("fs");
    let items = vec![
        folder("./").mode(0o755),
        folder("bin/").mode(0o750).owner(0, 5),
        file("bin/su", "setuid").mode(0o4755).owner(1, 2),
        item(b'1', "bin/su2", "bin/su"),
        item(b'2', "bin/sh", "/bin/su"),
        item(b'6', "pipe", "").mode(0o600),
        item(b'3', "null", "").device(1, 3).mode(0o666),
        file("deep/er/file", "x").pax("mtime", "1000000000.5").pax("uid", "3000000"),
        file("attr", "x")
            .pax("SCHILY.xattr.user.a", "b")
            .pax("SCHILY.xattr.trusted.overlay.opaque", "y"),
        file("again", "one"),
        file("again", "two"),
        file("/abs", "x"),
    ];
    apply(place.path(), items).expect("a layer");
    let stat = |path: &str| fs::symlink_metadata(base.join(path)).expect("an entry");
    assert_eq!(stat("bin").mode() & 0o7777, 0o750);
    assert_eq!((stat("bin").gid(), stat("bin").mtime()), (5, 7));
    assert_eq!(stat("bin/su").mode() & 0o7777, 0o4755);
    assert_eq!((stat("bin/su").uid(), stat("bin/su").gid()), (1, 2));
    assert_eq!(stat("bin/su").ino(), stat("bin/su2").ino());
    assert_eq!(fs::read_link(base.join("bin/sh")).expect("a link"), Path::new("/bin/su"));
    assert!(stat("pipe").file_type().is_fifo());
    assert!(stat("null").file_type().is_char_device());
    assert_eq!(stat("null").mode() & 0o777, 0o666);
    assert_eq!(
        (stat("deep/er/file").uid(), stat("deep/er/file").mtime()),
        (3_000_000, 1_000_000_000)
    );
    assert_eq!(stat("deep").mode() & 0o7777, 0o755);
    assert_eq!(xattr(&base.join("attr"), "user.a").as_deref(), Some(&b"b"[..]));
    assert_eq!(xattr(&base.join("attr"), "trusted.overlay.opaque"), None);
    assert_eq!(fs::read_to_string(base.join("again")).expect("a file"), "two");
    assert!(base.join("abs").is_file());
}

#[test]
fn whiteouts_become_what_overlayfs_reads() {
    if !root() {
        return;
    }
    let place = place();
    let base = place.path().join("fs");
    let items = vec![
        file("etc/.wh.gone", ""),
        file("var/.wh..wh..opq", ""),
        file("var/new", "x"),
        file(".wh.turned", ""),
        folder("turned/"),
        file("turned/new", "x"),
        folder("kept/"),
        file(".wh.kept", ""),
        file(".wh..wh.plnk", ""),
    ];
    apply(place.path(), items).expect("a layer");
    let gone = fs::symlink_metadata(base.join("etc/gone")).expect("a whiteout");
    assert!(gone.file_type().is_char_device());
    assert_eq!(gone.rdev(), 0);
    for folder in ["var", "turned", "kept"] {
        let opaque = xattr(&base.join(folder), "trusted.overlay.opaque");
        assert_eq!(opaque.as_deref(), Some(&b"y"[..]), "{folder}");
    }
    assert!(base.join("turned/new").is_file());
    assert!(!base.join(".wh..wh.plnk").exists());
}

#[test]
fn nothing_is_written_outside() {
    if !root() {
        return;
    }
    let place = place();
    let outside = place.path().join("outside");
    let outside = outside.to_str().expect("UTF-8");
    // links are followed as in a container: the folder is the root
    for items in [
        vec![item(b'2', "link", outside), file("link/secret", "changed")],
        vec![item(b'2', "link", "../outside"), file("link/secret", "changed")],
        vec![item(b'2', "link", "/../../../../outside"), file("link/secret", "changed")],
        vec![folder("a/"), item(b'2', "a/l", "../../outside"), file("a/l/secret", "changed")],
        vec![item(b'2', "secret", "../outside/secret"), file("secret", "changed")],
        vec![item(b'2', "f", &format!("{outside}/secret")), file("f", "changed").mode(0o777)],
        vec![folder("d/"), file("d/x", ""), item(b'2', "d", outside), file("d/secret", "changed")],
        vec![item(b'2', "l", outside), folder("l/").mode(0o777), file("l/.wh.secret", "")],
        vec![item(b'2', "self", "self"), file("self/x", "")],
        vec![file("../outside/secret", "changed")],
        vec![file("a/../../outside/secret", "changed")],
        vec![item(b'1', "h", "../outside/secret"), file("h", "changed")],
        vec![item(b'1', "h", &format!("{outside}/secret")), file("h", "changed")],
        vec![item(b'2', "l", outside), item(b'1', "h", "l/secret"), file("h", "changed")],
        vec![item(b'2', "l", outside), item(b'5', "l/new", "")],
        vec![item(b'2', "l", outside), file("l/.wh..wh..opq", "")],
    ] {
        // some are refused, some land inside: both are right
        let _ = apply(place.path(), items);
        let secret = place.path().join("outside/secret");
        assert_eq!(fs::read_to_string(&secret).expect("the secret"), "secret");
        assert_eq!(fs::metadata(&secret).expect("the secret").permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(outside).expect("a folder").count(), 1);
        assert_eq!(xattr(Path::new(outside), "trusted.overlay.opaque"), None);
        fs::remove_dir_all(place.path().join("fs")).expect("the layer");
        fs::create_dir(place.path().join("fs")).expect("a folder");
    }
}

#[test]
fn hostile_entries_are_refused_by_name() {
    if !root() {
        return;
    }
    for (items, expected) in [
        (vec![file("a/../../b", "")], "a/../../b leads out of the image with `..`"),
        (vec![item(b'1', "h", "../x")], "h is a hard link to `../x`, out of the layer"),
        (vec![item(b'1', "h", "nothing")], "h is a hard link to `nothing`, which this layer"),
        (vec![item(b'3', "w", "").device(0, 0)], "w is the device 0/0"),
        (vec![file("f", ""), file("f/g", "")], "f/g lies below something that is no folder"),
        (vec![file("x/.wh.", "")], "x/.wh. hides nothing"),
        (vec![file("x/.wh...", "")], "x/.wh... hides nothing"),
        (vec![item(b'2', "l", "l2"), file("l/x", "")], "l/x lies below a symbolic link that leads"),
        (vec![item(b'2', "/", "x")], "/ is a symbolic link in the place of the root"),
        (vec![file("o", "").pax("uid", "4294967295")], "o has the owner 4294967295:0"),
        (vec![file("deep", "").pax("path", &"d/".repeat(300))], "nested more than 256 folders"),
    ] {
        let place = place();
        let error = apply(place.path(), items).map(drop).expect_err("a refusal");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn layers_are_bounded() {
    if !root() {
        return;
    }
    let limits = LayerLimits { entries: 3, bytes: 1000, download: 0 };
    let place = place();
    let many = ["a", "b", "c", "d"].map(|name| file(name, "")).into_iter().collect();
    let error = apply_with(place.path(), many, &limits).map(drop).expect_err("a bound");
    assert_eq!(error, "it has more than 3 entries");
    let large = vec![file("a", &"x".repeat(600)), file("b", &"x".repeat(600))];
    let error = apply_with(place.path(), large, &limits).map(drop).expect_err("a bound");
    assert_eq!(error, "it unpacks to more than 1000 bytes");
}

#[test]
fn implied_folders_look_as_below() {
    if !root() {
        return;
    }
    let (lower, upper) = (place(), place());
    apply(lower.path(), vec![folder("tmp/").mode(0o1777).owner(3, 4)]).expect("a layer");
    let unpacked =
        apply(upper.path(), vec![file("tmp/x", ""), file("new/x", "")]).expect("a layer");
    assert_eq!(unpacked.implied, [b"tmp".to_vec(), b"new".to_vec()]);
    let (below, above) = (lower.path().join("fs"), upper.path().join("fs"));
    inherit(&above, &unpacked.implied, &[&below]).expect("inherited");
    let stat = |path: &str| fs::metadata(above.join(path)).expect("a folder");
    assert_eq!((stat("tmp").mode() & 0o7777, stat("tmp").uid(), stat("tmp").gid()), (0o1777, 3, 4));
    assert_eq!((stat("new").mode() & 0o7777, stat("new").uid()), (0o755, 0));
}

#[test]
fn compression_is_recognised_by_its_first_bytes() {
    let text = b"a layer ".repeat(10_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(&*text, level);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    for (bytes, times) in [
        (text.clone(), 1),
        (gzip.clone(), 1),
        ([gzip.clone(), gzip].concat(), 2),
        (zstd.clone(), 1),
        ([skippable.clone(), zstd.clone(), skippable, zstd].concat(), 2),
        (Vec::new(), 0),
        (b"ab".to_vec(), 0),
    ] {
        let mut out = Vec::new();
        let source = std::io::Cursor::new(bytes.clone());
        decompressed(source).expect("a start").read_to_end(&mut out).expect("the whole");
        if times > 0 {
            assert_eq!(out, text.repeat(times));
        } else {
            assert_eq!(out, bytes);
        }
    }
}
