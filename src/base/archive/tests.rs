//! Archives that come back unchanged, and archives that must not come in at all.

use super::*;
use std::fmt::Write as _;

fn tree(files: &[(&str, &str)]) -> FileTree {
    let mut tree = FileTree::new("test.tgz");
    for (path, text) in files {
        tree.insert(SafePath::parse(path).expect("a path"), text.as_bytes().to_vec());
    }
    tree
}

#[test]
fn a_tree_comes_back_and_its_bytes_do_not_change() {
    let long = format!("templates/{}.yaml", "n".repeat(200));
    let tree = tree(&[("Chart.yaml", "name: a\n"), (&long, "x"), ("files/empty", "")]);
    let bytes = pack(&tree, "demo").expect("an archive");
    assert_eq!(bytes, pack(&tree.clone(), "demo").expect("an archive"));
    assert_eq!(&bytes[..10], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], "no name, no time");
    let (top, back) = unpack(&bytes, "test.tgz", &Limits::default()).expect("a package");
    assert_eq!(top, "demo");
    let list = |tree: &FileTree| {
        tree.iter().map(|(path, bytes)| (path.clone(), bytes.clone())).collect::<Vec<_>>()
    };
    assert_eq!(list(&back), list(&tree));
}

/// One ustar entry with any type and link target.
fn raw(path: &str, flag: u8, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::file_header(path, content.len() as u64, 0).expect("a header");
    header[156] = flag;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend_from_slice(content);
    header.resize(header.len().next_multiple_of(BLOCK), 0);
    header
}

fn gzip(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    for part in parts {
        gzip.write_all(part).expect("memory");
    }
    gzip.finish().expect("memory")
}

fn error(bytes: &[u8], limits: &Limits) -> String {
    let error = unpack(bytes, "bad.tgz", limits).map(|_| ()).expect_err("a fault");
    let mut text = error.to_string();
    let code = miette::Diagnostic::code(&error).expect("a code").to_string();
    assert!(
        ["wharf::base::archive_format", "wharf::base::archive_entry", "wharf::base::archive_limit"]
            .contains(&code.as_str()),
        "{code}"
    );
    if let Some(source) = std::error::Error::source(&error) {
        let _ = write!(text, ": {source}");
    }
    text
}

#[test]
fn hostile_entries_are_refused_by_name() {
    let file = || raw("demo/a.yaml", b'0', "", b"a: 1\n");
    for (entry, expected) in [
        (raw("demo/../../etc/passwd", b'0', "", b"x"), "entry `demo/../../etc/passwd` leads out"),
        (raw("../x", b'0', "", b"x"), "entry `../x` leads out of the package with `..`"),
        (raw("/etc/passwd", b'0', "", b"x"), "entry `/etc/passwd` cannot be unpacked: path"),
        (raw("demo/l", b'2', "/etc", b""), "entry `demo/l` is a symbolic link"),
        (raw("demo/h", b'1', "/etc/shadow", b""), "entry `demo/h` is a hard link"),
        (raw("demo/dev", b'3', "", b""), "entry `demo/dev` is a character device"),
        (raw("demo/disk", b'4', "", b""), "entry `demo/disk` is a block device"),
        (raw("demo/pipe", b'6', "", b""), "entry `demo/pipe` is a named pipe"),
        (raw("demo/a.yaml", b'0', "", b"x"), "entry `demo/a.yaml` is there twice"),
        (raw("demo/./a.yaml", b'0', "", b"x"), "entry `demo/./a.yaml` is there twice"),
        (
            raw("other/b", b'0', "", b"x"),
            "entry `other/b` lies outside of the package's folder `demo`",
        ),
        (raw("alone", b'0', "", b"x"), "entry `alone` lies outside of the package's folder"),
        (raw("demo\\b", b'0', "", b"x"), "holds a character that is not allowed"),
    ] {
        let text = error(&gzip(&[file(), entry]), &Limits::default());
        assert!(text.contains(expected), "{text}");
    }
    let mut latin = raw("demo/x", b'0', "", b"x");
    latin[5] = 0xff;
    latin[148..156].copy_from_slice(b"        ");
    let sum: u32 = latin[..BLOCK].iter().map(|byte| u32::from(*byte)).sum();
    latin[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(error(&gzip(&[latin]), &Limits::default()).contains("not UTF-8"));
}

#[test]
fn broken_archives_are_refused() {
    let good = pack(&tree(&[("a", &"text ".repeat(1000))]), "demo").expect("an archive");
    let limits = Limits::default();
    assert!(error(b"PK\x03\x04 a zip file", &limits).contains("not a readable package archive"));
    assert!(error(b"", &limits).contains("not a readable package archive"));
    assert!(error(&good[..good.len() / 2], &limits).contains("not a readable package archive"));
    assert!(error(&gzip(&[vec![0; 1024]]), &limits).contains("holds no file"));
}

#[test]
fn bombs_are_left_at_once() {
    let limits = Limits { files: 100, file_bytes: 64 << 20, total_bytes: 512 << 20 };
    let zeros = gzip(&[raw("demo/zeros", b'0', "", &vec![0; 40 << 20])]);
    assert!(error(&zeros, &limits).contains("unpacks to more than"), "ratio");
    let large = Limits { file_bytes: 1000, ..limits };
    let text = error(&gzip(&[raw("demo/big", b'0', "", &[1; 1001])]), &large);
    assert!(text.contains("entry `demo/big` has 1001 bytes, 1000 are allowed"), "{text}");
    let many: Vec<_> = (0..150).map(|n| raw(&format!("demo/{n}"), b'0', "", b"")).collect();
    assert!(error(&gzip(&many), &limits).contains("more than 100 files"));
    let folders: Vec<_> = (0..250).map(|n| raw(&format!("demo/{n}/"), b'5', "", b"")).collect();
    assert!(error(&gzip(&folders), &limits).contains("more than 100 files"));
    // a claim of 8 GiB that never comes
    let mut claim = raw("demo/claim", b'0', "", b"");
    claim[124..135].copy_from_slice(b"77777777777");
    claim[148..156].copy_from_slice(b"        ");
    let sum: u32 = claim.iter().map(|byte| u32::from(*byte)).sum();
    claim[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(error(&gzip(&[claim]), &limits).contains("are allowed for a file"));
}

#[test]
fn what_cannot_be_written_is_named() {
    let source = io::Error::other("a file of 8 GiB");
    let error = ArchiveError::Write { archive: "shop".into(), source };
    assert_eq!(
        miette::Diagnostic::code(&error).expect("a code").to_string(),
        "wharf::base::archive_write"
    );
    assert_eq!(error.to_string(), "cannot write the archive of `shop`");
}
