//! Texts cut, searched, joined and padded. They are bytes: a cut may go through a character.

use super::strval::text_of;
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{ANY, INT, STRING};
use crate::template::gotmpl::unicode;
use crate::template::gotmpl::value::Value;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("abbrev", &[&INT, &STRING], abbrev),
    Function::new("abbrevboth", &[&INT, &INT, &STRING], abbrevboth),
    Function::variadic("cat", &[&ANY], cat),
    Function::new("contains", &[&STRING, &STRING], contains),
    Function::new("hasPrefix", &[&STRING, &STRING], has_prefix),
    Function::new("hasSuffix", &[&STRING, &STRING], has_suffix),
    Function::new("hello", &[], |_| Ok(Value::text("Hello!"))),
    Function::new("indent", &[&INT, &STRING], indent),
    Function::new("nindent", &[&INT, &STRING], nindent),
    Function::new("nospace", &[&STRING], nospace),
    Function::new("plural", &[&STRING, &STRING, &INT], plural),
    Function::variadic("quote", &[&ANY], quote),
    Function::new("repeat", &[&INT, &STRING], repeat),
    Function::new("replace", &[&STRING, &STRING, &STRING], replace),
    Function::variadic("squote", &[&ANY], squote),
    Function::new("substr", &[&INT, &INT, &STRING], substr),
    Function::new("toString", &[&ANY], |call| Ok(Value::Text(text_of(&call.args[0])?))),
    Function::new("trim", &[&STRING], trim),
    Function::new("trimAll", &[&STRING, &STRING], trim_all),
    Function::new("trimPrefix", &[&STRING, &STRING], trim_prefix),
    Function::new("trimSuffix", &[&STRING, &STRING], trim_suffix),
    Function::new("trimall", &[&STRING, &STRING], trim_all),
    Function::new("trunc", &[&INT, &STRING], trunc),
];

fn abbrev(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (width, text) = (call.int(0), call.text(1));
    Ok(if width < 4 { Value::Text(text.clone()) } else { Value::text(shortened(text, 0, width)) })
}

fn abbrevboth(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (left, right, text) = (call.int(0), call.int(1), call.text(2));
    if right < 4 || left > 0 && right < 7 {
        return Ok(Value::Text(text.clone()));
    }
    Ok(Value::text(shortened(text, left, right)))
}

/// The text from an offset in at most `width` bytes, three dots on each side that was cut.
fn shortened(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const DOTS: &[u8] = b"...";
    let (Ok(width), length) = (usize::try_from(width), text.len()) else { return Vec::new() };
    if length <= width {
        return text.to_vec();
    }
    let kept = width.saturating_sub(3);
    let offset = usize::try_from(offset).unwrap_or(0).min(length).min(length - kept);
    if offset <= 4 {
        return [&text[..kept], DOTS].concat();
    }
    if offset + kept < length {
        let rest = if kept < 4 { Vec::new() } else { shortened(&text[offset..], 0, int(kept)) };
        return [DOTS, &rest].concat();
    }
    [DOTS, &text[length - kept..]].concat()
}

fn cat(call: &mut Call<'_>) -> Result<Value, Failure> {
    let given = call.args.iter().filter(|value| !matches!(value, Value::Nil));
    let texts = given.map(super::strval::printed).collect::<Result<Vec<_>, _>>()?;
    call.templates.pay_text(texts.iter().map(|text| text.len() + 1).sum())?;
    Ok(Value::text(texts.join(&b' ')))
}

fn contains(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (part, text) = (call.text(0), call.text(1));
    Ok(Value::Bool(part.is_empty() || occurrences(text, part).next().is_some()))
}

fn has_prefix(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(call.text(1).starts_with(call.text(0))))
}

fn has_suffix(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(call.text(1).ends_with(call.text(0))))
}

fn indent(call: &mut Call<'_>) -> Result<Value, Failure> {
    indented(call, b"")
}

fn nindent(call: &mut Call<'_>) -> Result<Value, Failure> {
    indented(call, b"\n")
}

fn indented(call: &mut Call<'_>, before: &[u8]) -> Result<Value, Failure> {
    let (width, text) = (allocated(repetitions(call.int(0))?)?, call.text(1));
    let lines = text.split(|byte| *byte == b'\n').count();
    let size = width.saturating_mul(lines).saturating_add(text.len());
    call.templates.pay_text(size)?;
    let mut out = Vec::with_capacity(before.len() + size);
    out.extend_from_slice(before);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.resize(out.len() + width, b' ');
        out.extend_from_slice(line);
    }
    if text.last().is_none_or(|byte| *byte == b'\n') {
        out.resize(out.len() + width, b' ');
    }
    Ok(Value::text(out))
}

/// A number of repetitions, as `strings.Repeat` takes it.
fn repetitions(count: i64) -> Result<usize, Failure> {
    usize::try_from(count).map_err(|_| Failure::new("strings: negative Repeat count"))
}

/// A number of bytes, if Go would try to allocate them.
fn allocated(size: usize) -> Result<usize, Failure> {
    const LIMIT: usize = 1 << 48;
    if size > LIMIT { Err("runtime error: makeslice: len out of range".into()) } else { Ok(size) }
}

/// Takes bytes for characters, as sprig does.
fn nospace(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = call.text(0);
    let latin = |byte: &u8| char::from(*byte);
    if !text.iter().map(latin).any(unicode::is_space) {
        return Ok(Value::Text(text.clone()));
    }
    call.templates.pay_text(text.len())?;
    let kept: String = text.iter().map(latin).filter(|char| !unicode::is_space(*char)).collect();
    Ok(Value::text(kept))
}

fn plural(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(call.args[usize::from(call.int(2) != 1)].clone())
}

fn quote(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut out = Vec::new();
    for value in call.args.iter().filter(|value| !matches!(value, Value::Nil)) {
        if !out.is_empty() {
            out.push(b' ');
        }
        let text = text_of(value)?;
        // escapes take up to ten bytes for one
        call.templates.pay_text(text.len())?;
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if text.iter().all(plain) {
            out.push(b'"');
            out.extend_from_slice(&text);
            out.push(b'"');
        } else {
            out.extend(crate::template::gotmpl::fmt::quote::quoted(&text, false));
        }
    }
    Ok(Value::text(out))
}

fn repeat(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (count, text) = (repetitions(call.int(0))?, call.text(1));
    let overflow = || Failure::new("strings: Repeat output length overflow");
    let size = text.len().checked_mul(count).filter(|size| i64::try_from(*size).is_ok());
    call.templates.pay_text(allocated(size.ok_or_else(overflow)?)?)?;
    Ok(Value::text(text.repeat(count)))
}

fn replace(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (old, new, text) = (call.text(0), call.text(1), call.text(2));
    let count = if old.is_empty() {
        unicode::runes(text).count() + 1
    } else {
        occurrences(text, old).count()
    };
    call.templates.pay_text(new.len().saturating_mul(count).saturating_add(text.len()))?;
    let mut out = Vec::with_capacity(text.len());
    if old.is_empty() {
        // before each character, and at the end
        let mut at = 0;
        for (_, size) in unicode::runes(text) {
            out.extend_from_slice(new);
            out.extend_from_slice(&text[at..at + size]);
            at += size;
        }
        out.extend_from_slice(new);
        return Ok(Value::text(out));
    }
    let mut end = 0;
    for at in occurrences(text, old) {
        out.extend_from_slice(&text[end..at]);
        out.extend_from_slice(new);
        end = at + old.len();
    }
    if end == 0 {
        return Ok(Value::Text(text.clone()));
    }
    out.extend_from_slice(&text[end..]);
    Ok(Value::text(out))
}

fn squote(call: &mut Call<'_>) -> Result<Value, Failure> {
    let given = call.args.iter().filter(|value| !matches!(value, Value::Nil));
    let quoted = |value| Ok([b"'", &super::strval::printed(value)?[..], b"'"].concat());
    let texts = given.map(quoted).collect::<Result<Vec<_>, Failure>>()?;
    call.templates.pay_text(texts.iter().map(|text| text.len() + 1).sum())?;
    Ok(Value::text(texts.join(&b' ')))
}

fn substr(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (start, end, text) = (call.int(0), call.int(1), call.text(2));
    let length = int(text.len());
    let bounds =
        |what: String| Failure::new(format!("runtime error: slice bounds out of range {what}"));
    let (start, end) = if start < 0 {
        if end < 0 {
            return Err(bounds(format!("[:{end}]")));
        }
        if end > length {
            return Err(bounds(format!("[:{end}] with length {length}")));
        }
        (0, end)
    } else {
        (start, if end < 0 || end > length { length } else { end })
    };
    if start > end {
        return Err(bounds(format!("[{start}:{end}]")));
    }
    let at = |offset| usize::try_from(offset).expect("the bounds have been checked");
    Ok(Value::text(&text[at(start)..at(end)]))
}

fn trim(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = call.text(0);
    let ascii = text.trim_ascii();
    let done = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_graphic);
    let trimmed = if done(ascii.first()) && done(ascii.last()) {
        ascii
    } else {
        trimmed(ascii, unicode::is_space)
    };
    Ok(if trimmed.len() == text.len() { Value::Text(text.clone()) } else { Value::text(trimmed) })
}

fn trim_all(call: &mut Call<'_>) -> Result<Value, Failure> {
    let set: Vec<char> = unicode::chars(call.text(0)).collect();
    Ok(Value::text(trimmed(call.text(1), |char| set.contains(&char))))
}

/// The text without such characters at its ends.
fn trimmed(text: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    let (mut start, mut end, mut at) = (text.len(), text.len(), 0);
    for (char, size) in unicode::runes(text) {
        if !cut(char) {
            start = start.min(at);
            end = at + size;
        }
        at += size;
    }
    &text[start..end]
}

fn trim_prefix(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = call.text(1);
    Ok(text.strip_prefix(&**call.text(0)).map_or_else(|| Value::Text(text.clone()), Value::text))
}

fn trim_suffix(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = call.text(1);
    Ok(text.strip_suffix(&**call.text(0)).map_or_else(|| Value::Text(text.clone()), Value::text))
}

fn trunc(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (count, text) = (call.int(0), call.text(1));
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if text.len() <= size {
        return Ok(Value::Text(text.clone()));
    }
    Ok(Value::text(if count < 0 { &text[text.len() - size..] } else { &text[..size] }))
}

/// Where a part occurs in a text, without overlaps. It must not be empty.
pub(super) fn occurrences<'a>(
    text: &'a [u8],
    part: &'a [u8],
) -> Box<dyn Iterator<Item = usize> + 'a> {
    debug_assert!(!part.is_empty(), "an empty part occurs everywhere");
    match (std::str::from_utf8(text), std::str::from_utf8(part)) {
        (Ok(text), Ok(part)) => Box::new(text.match_indices(part).map(|(at, _)| at)),
        _ => {
            let mut next = 0;
            Box::new(std::iter::from_fn(move || {
                let at = next + text[next..].windows(part.len()).position(|found| found == part)?;
                next = at + part.len();
                Some(at)
            }))
        }
    }
}

fn int(length: usize) -> i64 {
    i64::try_from(length).expect("texts are shorter than memory")
}
