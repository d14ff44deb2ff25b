//! Keys and certificates that charts make, in the eyes of OpenSSL.

use crate::prerequisites;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::process::{Command, Stdio};
use wharf::template::gotmpl::pki::{Certificate, Request, private_key};

/// Random bytes that are the same in each run.
fn source() -> impl FnMut() -> [u8; 32] {
    let mut count = 0u8;
    move || {
        count += 1;
        Sha256::digest([count]).into()
    }
}

/// What `openssl` says about a text, when it is content with it.
fn openssl(args: &[&str], input: &[u8]) -> String {
    let mut command = Command::new("openssl");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("openssl reads");
    drop(stdin);
    let output = child.wait_with_output().expect("openssl ends");
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{args:?}: {said:?}");
    said.concat()
}

#[test]
fn keys_are_valid() {
    if !prerequisites::has("openssl") {
        return;
    }
    let mut random = source();
    for (kind, args, expected) in [
        ("rsa", &["rsa", "-check", "-noout"][..], "RSA key ok"),
        ("rsa", &["rsa", "-text", "-noout"], "(4096 bit, 2 primes)"),
        ("ecdsa", &["ec", "-check", "-noout"], "EC Key valid"),
        ("dsa", &["dsa", "-text", "-noout"], "(2048 bit)"),
        ("ed25519", &["pkey", "-text", "-noout"], "ED25519 Private-Key"),
    ] {
        let key = private_key(kind.as_bytes(), &mut random).expect("a kind that is known");
        let said = openssl(args, key.as_bytes());
        assert!(said.contains(expected), "{kind}: {said}");
    }
}

#[test]
fn certificates_are_valid() {
    if !prerequisites::has("openssl") {
        return;
    }
    let mut random = source();
    let request = |name: &'static str, authority| Request {
        name: name.as_bytes(),
        addresses: Vec::new(),
        names: vec![b"a.example".to_vec()],
        days: 3650,
        now: 1_700_000_000_000_000_000,
        authority,
        key: None,
    };
    let authority: Certificate =
        request("ca", true).self_signed(&mut random).expect("an authority");
    let leaf = request("leaf", false).signed_by(&authority, &mut random).expect("a certificate");
    for pair in [&authority, &leaf] {
        let said = openssl(&["rsa", "-check", "-noout"], &pair.key);
        assert!(said.contains("RSA key ok"), "{said}");
        let public = openssl(&["rsa", "-pubout"], &pair.key);
        let certified = openssl(&["x509", "-pubkey", "-noout"], &pair.cert);
        assert!(public.contains(certified.trim()), "the certificate is that of the key");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &authority.cert).expect("it can be written");
    let file = file.to_str().expect("a plain name");
    let args = ["verify", "-attime", "1700000001", "-CAfile", file];
    assert!(openssl(&args, &leaf.cert).contains("OK"));
}
