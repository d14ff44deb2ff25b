//! Base64 and base32. What cannot be decoded gives the text of the error.

use super::base64;
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::STRING;
use crate::template::gotmpl::value::Value;
use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("b32dec", &[&STRING], b32dec),
    Function::new("b32enc", &[&STRING], b32enc),
    Function::new("b64dec", &[&STRING], b64dec),
    Function::new("b64enc", &[&STRING], b64enc),
];

fn b64enc(call: &mut Call<'_>) -> Result<Value, Failure> {
    call.templates.pay_text(call.text(0).len())?;
    Ok(Value::text(STANDARD.encode(&**call.text(0))))
}

fn b64dec(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(base64::decode(call.text(0)).map_or_else(Value::text, Value::text))
}

fn b32dec(call: &mut Call<'_>) -> Result<Value, Failure> {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let text: Vec<u8> = call.text(0).iter().copied().filter(|byte| !is_break(byte)).collect();
    Ok(decode_32(&text).map_or_else(illegal, Value::text))
}

fn illegal(at: usize) -> Value {
    Value::text(format!("illegal base32 data at input byte {at}"))
}

const DIGITS_32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn b32enc(call: &mut Call<'_>) -> Result<Value, Failure> {
    call.templates.pay_text(call.text(0).len())?;
    let mut out = String::new();
    for chunk in call.text(0).chunks(5) {
        let mut bytes = [0; 8];
        bytes[3..3 + chunk.len()].copy_from_slice(chunk);
        let group = u64::from_be_bytes(bytes);
        let digits = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = usize::try_from(group >> (35 - 5 * index) & 31).expect("five bits");
            out.push(if index < digits { char::from(DIGITS_32[digit]) } else { '=' });
        }
    }
    Ok(Value::text(out))
}

/// Groups of eight digits; or the offset of what Go finds wrong.
fn decode_32(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 8 * 5);
    let mut at = 0;
    let mut ended = false;
    while at < text.len() && !ended {
        let (mut group, mut count) = (0u64, 0);
        while count < 8 {
            let byte = *text.get(at).ok_or(text.len() - count)?;
            at += 1;
            let left = text.len() - at;
            if byte == b'=' && count >= 2 && left < 8 {
                if left + count < 7 {
                    return Err(text.len());
                }
                let padding = text[at..].iter().take(7 - count);
                if let Some(wrong) = padding.into_iter().position(|byte| *byte != b'=') {
                    return Err(at + wrong - 1);
                }
                if matches!(count, 3 | 6) {
                    return Err(at - 1);
                }
                ended = true;
                break;
            }
            let digit = DIGITS_32.iter().position(|digit| *digit == byte).ok_or(at - 1)?;
            group = group << 5 | u64::try_from(digit).expect("five bits");
            count += 1;
        }
        let bytes = (group << (5 * (8 - count))).to_be_bytes();
        out.extend_from_slice(&bytes[3..3 + count * 5 / 8]);
    }
    Ok(out)
}
