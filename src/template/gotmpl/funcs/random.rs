//! What is random: characters, numbers, identifiers. All of it comes from the render's own source.

use crate::template::gotmpl::fmt::quote;
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{INT, STRING};
use crate::template::gotmpl::value::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("randAlpha", &[&INT], |call| characters(call, |byte| byte.is_ascii_alphabetic())),
    Function::new("randAlphaNum", &[&INT], |call| {
        characters(call, |byte| byte.is_ascii_alphanumeric())
    }),
    Function::new("randAscii", &[&INT], |call| {
        characters(call, |byte| (b' '..0x7F).contains(&byte))
    }),
    Function::new("randBytes", &[&INT], bytes),
    Function::new("randInt", &[&INT, &INT], int),
    Function::new("randNumeric", &[&INT], |call| characters(call, |byte| byte.is_ascii_digit())),
    Function::new("shuffle", &[&STRING], shuffle),
    Function::new("uuidv4", &[], uuid),
];

type Outcome = Result<Value, Failure>;

/// What a random character costs in fuel: nobody needs millions of them.
const PRICE: usize = 8;

/// Fills a buffer with random bytes.
fn fill(call: &Call<'_>, buffer: &mut [u8]) {
    call.world.random.borrow_mut().fill(buffer);
}

/// A number below a limit, each as likely as the others.
fn below(call: &Call<'_>, limit: u64) -> u64 {
    loop {
        let mut bytes = [0; 8];
        fill(call, &mut bytes);
        let number = u64::from_be_bytes(bytes);
        // what is left over after the last whole round would make some likelier
        if number < u64::MAX - u64::MAX % limit {
            return number % limit;
        }
    }
}

/// So many characters of a kind; none for a negative number.
fn characters(call: &mut Call<'_>, kind: fn(u8) -> bool) -> Outcome {
    let count = usize::try_from(call.int(0)).unwrap_or(0);
    call.templates.spend(count.saturating_mul(PRICE))?;
    let mut text = Vec::with_capacity(count);
    let mut buffer = [0; 256];
    while text.len() < count {
        fill(call, &mut buffer);
        let wanted = buffer.iter().map(|byte| byte & 0x7F).filter(|byte| kind(*byte));
        text.extend(wanted.take(count - text.len()));
    }
    Ok(Value::text(text))
}

/// Random bytes in base64.
fn bytes(call: &mut Call<'_>) -> Outcome {
    let Ok(count) = usize::try_from(call.int(0)) else {
        return Err("runtime error: makeslice: len out of range".into());
    };
    call.templates.spend(count.saturating_mul(PRICE))?;
    let mut bytes = vec![0; count];
    fill(call, &mut bytes);
    Ok(Value::text(STANDARD.encode(bytes)))
}

/// A number from the first up to, but not, the second.
fn int(call: &mut Call<'_>) -> Outcome {
    let (min, max) = (call.int(0), call.int(1));
    match u64::try_from(max.wrapping_sub(min)) {
        Ok(range @ 1..) => Ok(Value::int(min.wrapping_add(below(call, range).cast_signed()))),
        _ => Err("invalid argument to Intn".into()),
    }
}

/// The characters of a text in another order.
fn shuffle(call: &mut Call<'_>) -> Outcome {
    call.templates.spend(call.text(0).len() / 8 + 1)?;
    let text = call.text(0);
    let mut runes: Vec<&[u8]> = quote::runes(text)
        .map(|(bytes, rune)| if rune.is_some() { bytes } else { "\u{FFFD}".as_bytes() })
        .collect();
    for index in (1..runes.len()).rev() {
        let limit = u64::try_from(index + 1).expect("a text has fewer characters");
        let other = usize::try_from(below(call, limit)).expect("an index of the text");
        runes.swap(index, other);
    }
    Ok(Value::text(runes.concat()))
}

/// A random UUID.
fn uuid(call: &mut Call<'_>) -> Outcome {
    let mut bytes = [0; 16];
    fill(call, &mut bytes);
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let number = u128::from_be_bytes(bytes);
    let hex = format!("{number:032x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(Value::text(parts.join("-")))
}
