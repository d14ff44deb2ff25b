//! Keys, certificates and passwords: what is made can be read again, and is what was asked for.

use super::key::Key;
use super::{Certificate, Request, check_pair, private_key};
use sha2::{Digest, Sha256};

/// Random bytes that are the same in each run.
fn source(seed: u8) -> impl FnMut() -> [u8; 32] {
    let mut count = 0u8;
    move || {
        count += 1;
        Sha256::digest([seed, count]).into()
    }
}

fn request<'a>(name: &'a str, key: &'a str) -> Request<'a> {
    Request {
        name: name.as_bytes(),
        addresses: Vec::new(),
        names: Vec::new(),
        days: 365,
        now: 1_700_000_000_000_000_000,
        authority: true,
        key: Some(key.as_bytes()),
    }
}

fn key(kind: &str) -> String {
    private_key(kind.as_bytes(), &mut source(1)).expect("a kind that is known")
}

#[test]
fn same_bytes_give_the_same_certificates() {
    let new = || {
        let (ca, leaf) = (key("ecdsa"), key("ed25519"));
        let mut random = source(2);
        let ca = request("ca", &ca).self_signed(&mut random).expect("an authority");
        let leaf = Request {
            names: vec![b"a.b".to_vec()],
            addresses: vec!["10.0.0.1".parse().expect("an address")],
            authority: false,
            ..request("leaf", &leaf)
        };
        leaf.signed_by(&ca, &mut random).expect("a certificate")
    };
    let first = new();
    assert_eq!(first, new());
    check_pair(&first).expect("they can be read");
    assert_eq!(String::from_utf8_lossy(&first.key), key("ed25519"));
}

/// Made from these bytes once, and found right by `openssl x509` and `openssl verify`.
#[test]
fn fields_stand_as_go_writes_them() {
    let key = key("ed25519");
    let certificate = Request { name: b"a&b", days: 40_000, ..request("", &key) };
    let certificate = certificate.self_signed(&mut source(3)).expect("a certificate");
    let (kind, bytes) = super::pem::decode(&certificate.cert).expect("a block");
    assert_eq!(kind, "CERTIFICATE");
    let position = |part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    let parts: [&[u8]; 5] = [
        // no printable string has an ampersand
        b"\x55\x04\x03\x0c\x03a&b",
        b"\x17\x0d231114221320Z\x18\x0f21330521221320Z",
        b"\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x02\xa4",
        b"\x55\x1d\x25\x04\x16\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01",
        b"\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff",
    ];
    let places: Vec<_> = parts.iter().map(|part| position(part).expect("it is there")).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn keys_come_back_as_they_were() {
    for kind in ["ecdsa", "ed25519"] {
        let text = key(kind);
        assert_eq!(Key::read(text.as_bytes()).expect("a key").pem(), text);
    }
    assert!(private_key(b"nope", &mut source(1)).is_none());
}

#[test]
fn rsa_keys_sign() {
    let key = Key::rsa::<16>(&mut source(4));
    let (algorithm, bits) = key.public().expect("a public key");
    let (_, signature) = key.sign(b"text", &mut source(5)).expect("a signature");
    let verifier = aws_lc_rs::signature::UnparsedPublicKey::new(
        &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256,
        &bits,
    );
    verifier.verify(b"text", &signature).expect("the signature is right");
    assert!(!algorithm.is_empty());
    assert_eq!(Key::read(key.pem().as_bytes()).expect("a key").pem(), key.pem());
}

#[test]
fn faults() {
    #[track_caller]
    fn check<T>(result: Result<T, String>, expected: &str) {
        assert_eq!(result.err().as_deref(), Some(expected));
    }
    check(Key::read(b"bad"), "no PEM data in input");
    let block = |kind: &str| super::pem::encode(kind, b"x");
    check(
        Key::read(block("CERTIFICATE").as_bytes()),
        "no private key data in PEM block of type CERTIFICATE",
    );
    check(Key::read(block("X PRIVATE KEY").as_bytes()), "invalid private key type X");
    let ecdsa = key("ecdsa");
    let ca = request("ca", &ecdsa).self_signed(&mut source(6)).expect("an authority");
    let other = key("ed25519");
    let wrong = Certificate { key: other.clone().into_bytes(), ..ca.clone() };
    check(
        request("leaf", &other).signed_by(&wrong, &mut source(7)),
        "error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey",
    );
    let broken = Certificate { cert: b"x".to_vec(), ..ca };
    check(
        request("leaf", &other).signed_by(&broken, &mut source(7)),
        "unable to decode certificate",
    );
    let names = Request { names: vec!["é".into()], ..request("leaf", &other) };
    check(
        names.self_signed(&mut source(7)),
        "error creating certificate: x509: \"é\" cannot be encoded as an IA5String",
    );
}
