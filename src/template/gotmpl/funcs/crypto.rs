//! Checksums, passwords and encryption.

use super::base64;
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{STRING, UINT32};
use crate::template::gotmpl::scrypt;
use crate::template::gotmpl::value::Value;
use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptionContext, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};
use aws_lc_rs::iv::FixedLength;
use std::fmt::Write as _;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("adler32sum", &[&STRING], adler32),
    Function::new("bcrypt", &[&STRING], |call| {
        let hash = bcrypt(call, 0)?;
        Ok(Value::text(hash))
    }),
    Function::new("decryptAES", &[&STRING, &STRING], decrypt),
    Function::new(
        "derivePassword",
        &[&UINT32, &STRING, &STRING, &STRING, &STRING],
        derive_password,
    ),
    Function::new("encryptAES", &[&STRING, &STRING], encrypt),
    Function::new("getHostByName", &[&STRING], |call| {
        let name = call.text(0).lossy();
        Ok(Value::text(call.world.resolve.map_or(String::new(), |resolve| resolve(&name))))
    }),
    Function::new("htpasswd", &[&STRING, &STRING], htpasswd),
    Function::new("sha1sum", &[&STRING], |call| hash(call, &SHA1_FOR_LEGACY_USE_ONLY)),
    Function::new("sha256sum", &[&STRING], |call| hash(call, &SHA256)),
    Function::new("sha512sum", &[&STRING], |call| hash(call, &SHA512)),
];

type Outcome = Result<Value, Failure>;

fn hash(call: &mut Call<'_>, algorithm: &'static digest::Algorithm) -> Outcome {
    call.templates.spend(call.text(0).len() / 64 + 1)?;
    let sum = digest::digest(algorithm, call.text(0));
    let mut hex = String::with_capacity(128);
    for byte in sum.as_ref() {
        write!(hex, "{byte:02x}").expect("a text takes all that is written");
    }
    Ok(Value::text(hex))
}

fn adler32(call: &mut Call<'_>) -> Outcome {
    call.templates.spend(call.text(0).len() / 64 + 1)?;
    let (mut low, mut high) = (1u32, 0u32);
    // so many bytes cannot overflow 32 bits
    for block in call.text(0).chunks(5552) {
        for byte in block {
            low += u32::from(*byte);
            high += low;
        }
        low %= 65521;
        high %= 65521;
    }
    Ok(Value::text((high << 16 | low).to_string()))
}

/// What hashing a password costs in fuel: about what rendering does in the same time.
const COST: usize = 500_000;

/// The hash of the password at a parameter, or what is wrong with it.
fn bcrypt(call: &mut Call<'_>, index: usize) -> Result<String, Failure> {
    const ROUNDS: u32 = 10;
    let password = call.text(index).clone();
    if password.len() > 72 {
        return Ok(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
                .to_owned(),
        );
    }
    call.templates.spend(COST)?;
    let mut salt = [0; 16];
    call.world.random.borrow_mut().fill(&mut salt);
    let parts = bcrypt::hash_with_salt(&password[..], ROUNDS, salt)
        .map_err(|error| Failure::new(error.to_string()))?;
    Ok(parts.format_for_version(bcrypt::Version::TwoA))
}

fn htpasswd(call: &mut Call<'_>) -> Outcome {
    let user = call.text(0).clone();
    if user.contains(&b':') {
        return Ok(Value::text([b"invalid username: ", &user[..]].concat()));
    }
    let hash = bcrypt(call, 1)?;
    Ok(Value::text([&user[..], b":", hash.as_bytes()].concat()))
}

/// The password as a key: cut, or filled up with zeros.
fn cipher_key(password: &[u8]) -> UnboundCipherKey {
    let mut key = [0; 32];
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password[..length]);
    UnboundCipherKey::new(&AES_256, &key).expect("the key has the length of the cipher's")
}

fn encrypt(call: &mut Call<'_>) -> Outcome {
    if call.text(1).is_empty() {
        return Ok(Value::text(""));
    }
    call.templates.spend(call.text(1).len() / 64 + 1)?;
    let mut iv = [0; 16];
    call.world.random.borrow_mut().fill(&mut iv);
    let mut text = call.text(1).to_vec();
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(cipher_key(call.text(0)))
        .expect("the mode takes keys of this length");
    key.less_safe_encrypt(&mut text, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| Failure::new("encryption failed"))?;
    Ok(Value::text(STANDARD.encode([&iv[..], &text].concat())))
}

fn decrypt(call: &mut Call<'_>) -> Outcome {
    const BLOCK: usize = 16;
    if call.text(1).is_empty() {
        return Ok(Value::text(""));
    }
    call.templates.spend(call.text(1).len() / 64 + 1)?;
    let text = base64::decode(call.text(1))?;
    // what goes wrong from here on is a panic in Go, with the capacity of its buffer
    let capacity = call.text(1).len() / 4 * 3;
    if text.len() < BLOCK && capacity < BLOCK {
        let message =
            format!("runtime error: slice bounds out of range [:{BLOCK}] with capacity {capacity}");
        return Err(message.into());
    }
    if text.len() < BLOCK {
        return Err(
            format!("runtime error: slice bounds out of range [{BLOCK}:{}]", text.len()).into()
        );
    }
    let (iv, body) = text.split_at(BLOCK);
    if body.len() % BLOCK != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    if body.is_empty() {
        return Err("runtime error: index out of range [-1]".into());
    }
    let mut body = body.to_vec();
    let iv: [u8; BLOCK] = iv.try_into().expect("a block");
    let key =
        DecryptingKey::cbc(cipher_key(call.text(0))).expect("the mode takes keys of this length");
    let plain = key
        .decrypt(&mut body, DecryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| Failure::new("decryption failed"))?;
    // the last byte tells the padding, and is believed
    let padding = usize::from(*plain.last().expect("at least a block"));
    match plain.len().checked_sub(padding) {
        Some(end) => Ok(Value::text(&plain[..end])),
        None => {
            let excess = padding - plain.len();
            Err(format!("runtime error: slice bounds out of range [:-{excess}]").into())
        }
    }
}

/// The passwords of the scheme "Master Password": one for each site, from one.
fn derive_password(call: &mut Call<'_>) -> Outcome {
    const SCOPE: &[u8] = b"com.lyndir.masterpassword";
    let Value::Uint(counter, _) = call.args[0] else { panic!("a number by the signature") };
    let counter = u32::try_from(counter).expect("it has 32 bits by the signature");
    let Some(templates) = password_templates(call.text(1)) else {
        return Ok(Value::text([b"cannot find password template ", &call.text(1)[..]].concat()));
    };
    call.templates.spend(COST)?;
    let (password, user, site) = (call.text(2), call.text(3), call.text(4));
    let length = |text: &[u8]| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [SCOPE, &length(user), user].concat();
    let key = scrypt::derive(password, &salt);
    let message = [SCOPE, &length(site), site, &counter.to_be_bytes()].concat();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
    let seed = aws_lc_rs::hmac::sign(&key, &message);
    let (first, rest) = seed.as_ref().split_first().expect("32 bytes");
    let template = templates[usize::from(*first) % templates.len()];
    let password: Vec<u8> = template
        .bytes()
        .zip(rest)
        .map(|(class, byte)| {
            let characters = template_characters(class).as_bytes();
            characters[usize::from(*byte) % characters.len()]
        })
        .collect();
    Ok(Value::text(password))
}

fn password_templates(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

/// The characters that a letter of a template stands for.
fn template_characters(class: u8) -> &'static str {
    match class {
        b'V' => "AEIOU",
        b'C' => "BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => "aeiou",
        b'c' => "bcdfghjklmnpqrstvwxyz",
        b'a' => "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => "0123456789",
        b'o' => "@&%?,=[]_:-+*$#!'^~;()/.",
        _ => "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}
