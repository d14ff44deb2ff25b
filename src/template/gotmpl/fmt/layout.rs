//! Flags, widths and padding: how one number or text is laid out.

use super::float::{self, Digits};
use super::quote;
use crate::template::gotmpl::function::Failure;

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%+v`: fields have names.
    pub(super) names: bool,
    /// `%#v`: Go's syntax.
    pub(super) syntax: bool,
}

/// A number or text may be made so long by its width; all of a printed text by all of them.
const LIMIT: usize = 64 << 20;

/// The text so far, with the flags of the operand at hand.
#[derive(Default, Debug)]
pub(super) struct Layout {
    pub(super) out: Vec<u8>,
    pub(super) flags: Flags,
}

impl Layout {
    /// Fails when the text has grown beyond all measure.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.out.len() > LIMIT {
            return Err(Failure::new("printed text is larger than 64 MiB"));
        }
        Ok(())
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn char(&mut self, char: char) {
        self.raw(char.encode_utf8(&mut [0; 4]));
    }

    fn padding(&mut self, count: usize) {
        // zeros only stand on the left
        let fill = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        self.out.resize(self.out.len() + count, fill);
    }

    /// Writes a text with the padding of the width.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let missing = match self.flags.width {
            None | Some(0) => 0,
            Some(width) => width.saturating_sub(characters(text)),
        };
        if !self.flags.minus {
            self.padding(missing);
        }
        self.out.extend_from_slice(text);
        if self.flags.minus {
            self.padding(missing);
        }
    }

    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(text);
        self.flags.zero = zero;
    }

    fn cut<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.flags.precision {
            None => text,
            Some(count) => {
                let end: usize = quote::runes(text).take(count).map(|(bytes, _)| bytes.len()).sum();
                &text[..end]
            }
        }
    }

    /// `%s`.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.pad(self.cut(text));
    }

    /// `%q`.
    pub(super) fn quoted(&mut self, text: &[u8]) {
        let text = self.cut(text);
        let quoted = if self.flags.sharp && quote::fits_backquotes(text) {
            [b"`", text, b"`"].concat()
        } else {
            quote::quoted(text, self.flags.plus)
        };
        self.pad(&quoted);
    }

    /// `%x` of a text.
    pub(super) fn hex(&mut self, text: &[u8], upper: bool) {
        let text = &text[..self.flags.precision.unwrap_or(text.len()).min(text.len())];
        let prefix = if upper { "0X" } else { "0x" };
        let digits: &[u8; 16] = if upper { UPPER } else { LOWER };
        let mut hex = Vec::with_capacity(2 * text.len());
        for (index, byte) in text.iter().enumerate() {
            if self.flags.space && index > 0 {
                hex.push(b' ');
            }
            if self.flags.sharp && (self.flags.space || index == 0) {
                hex.extend_from_slice(prefix.as_bytes());
            }
            hex.push(digits[usize::from(byte >> 4)]);
            hex.push(digits[usize::from(byte & 15)]);
        }
        if hex.is_empty() {
            // on either side of nothing, the padding is the same
            self.padding(self.flags.width.unwrap_or(0));
        } else {
            self.pad(&hex);
        }
    }

    /// An integer to a base: its magnitude, and whether it is negative.
    pub(super) fn integer(&mut self, magnitude: u64, negative: bool, base: u64, verb: char) {
        let flags = self.flags;
        let wanted = match flags.precision {
            Some(0) if magnitude == 0 => {
                // nothing but the padding
                let zero = std::mem::replace(&mut self.flags.zero, false);
                self.padding(flags.width.unwrap_or(0));
                self.flags.zero = zero;
                return;
            }
            Some(precision) => precision,
            None => match flags.width {
                Some(width) if flags.zero && !flags.minus => {
                    let sign = negative || flags.plus || flags.space;
                    width.saturating_sub(usize::from(sign))
                }
                _ => 0,
            },
        };
        let upper = verb == 'X';
        let digits = digits(magnitude, base, upper);
        let mut text = String::with_capacity(wanted.max(digits.len()) + 4);
        if negative {
            text.push('-');
        } else if flags.plus {
            text.push('+');
        } else if flags.space {
            text.push(' ');
        }
        if verb == 'O' {
            text.push_str("0o");
        }
        let zeros = wanted.saturating_sub(digits.len());
        if flags.sharp {
            match base {
                2 => text.push_str("0b"),
                8 if zeros == 0 && !digits.starts_with('0') => text.push('0'),
                16 => text.push_str(if upper { "0X" } else { "0x" }),
                _ => (),
            }
        }
        text.extend(std::iter::repeat_n('0', zeros));
        text.push_str(&digits);
        self.pad_with_spaces(text.as_bytes());
    }

    /// `%U`.
    pub(super) fn code_point(&mut self, number: u64) {
        let precision = self.flags.precision.unwrap_or(0).max(4);
        let mut text = format!("{number:X}");
        let zeros = precision.saturating_sub(text.len());
        text = format!("U+{}{text}", "0".repeat(zeros));
        if self.flags.sharp
            && let Some(char) = u32::try_from(number).ok().and_then(char::from_u32)
            && quote::is_printable(char)
        {
            text = format!("{text} '{char}'");
        }
        self.pad_with_spaces(text.as_bytes());
    }

    /// `%c`.
    pub(super) fn character(&mut self, number: u64) {
        self.pad(rune(number).encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// `%q` of a number.
    pub(super) fn quoted_character(&mut self, number: u64) {
        let quoted = quote::quoted_char(rune(number), self.flags.plus);
        self.pad(quoted.as_bytes());
    }

    /// A floating-point number in a form of [`float::format`].
    pub(super) fn float(&mut self, number: f64, form: u8, digits: Digits, single: bool) {
        let digits = self.flags.precision.map_or(digits, Digits::Exactly);
        let mut text = float::format(number, form, digits, single);
        if !text.starts_with(['-', '+']) {
            text.insert(0, '+');
        }
        if self.flags.space && text.starts_with('+') && !self.flags.plus {
            text.replace_range(..1, " ");
        }
        if number.is_nan() || number.is_infinite() {
            // NaN has no sign unless one is asked for; that of infinity stays
            let bare = number.is_nan() && !self.flags.space && !self.flags.plus;
            self.pad_with_spaces(&text.as_bytes()[usize::from(bare)..]);
            return;
        }
        if self.flags.sharp && form != b'b' {
            text = with_point(&text, form, digits);
        }
        if self.flags.plus || !text.starts_with('+') {
            match self.flags.width {
                Some(width) if self.flags.zero && !self.flags.minus && width > text.len() => {
                    self.raw(&text[..1]);
                    self.padding(width - text.len());
                    self.raw(&text[1..]);
                }
                _ => self.pad(text.as_bytes()),
            }
        } else {
            self.pad(&text.as_bytes()[1..]);
        }
    }
}

/// With a decimal point and the zeros at the end, as the flag `#` asks for. The first byte is a
/// sign.
fn with_point(text: &str, form: u8, digits: Digits) -> String {
    let mut missing = match form {
        b'g' | b'G' | b'x' => match digits {
            Digits::Shortest => 6,
            Digits::Exactly(count) => i64::try_from(count).unwrap_or(i64::MAX),
        },
        _ => 0,
    };
    let hex = matches!(form, b'x' | b'X');
    let end = text[1..]
        .find(|c| matches!(c, 'p' | 'P') || !hex && matches!(c, 'e' | 'E'))
        .map_or(text.len(), |at| at + 1);
    let (number, tail) = text.split_at(end);
    let mut nonzero = false;
    for char in number[1..].chars().filter(|c| *c != '.') {
        nonzero |= char != '0';
        missing -= i64::from(nonzero);
    }
    let mut out = number.to_owned();
    if !number.contains('.') {
        // a leading zero counts once
        missing -= i64::from(&number[1..] == "0");
        out.push('.');
    }
    out.extend(std::iter::repeat_n('0', usize::try_from(missing).unwrap_or(0)));
    out.push_str(tail);
    out
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn digits(number: u64, base: u64, upper: bool) -> String {
    match (base, upper) {
        (2, _) => format!("{number:b}"),
        (8, _) => format!("{number:o}"),
        (16, false) => format!("{number:x}"),
        (16, true) => format!("{number:X}"),
        _ => number.to_string(),
    }
}

/// How many characters Go counts; each byte that is no UTF-8 is one.
fn characters(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        Ok(text) => text.chars().count(),
        Err(_) => quote::runes(text).count(),
    }
}

fn rune(number: u64) -> char {
    u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}
