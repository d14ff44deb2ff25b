//! Formats: `fmt.Sprintf`.

use super::layout::Flags;
use super::print::{Printer, type_name};
use crate::template::gotmpl::function::Failure;
use crate::template::gotmpl::value::{Text, Value};

/// `fmt.Sprintf`. A format that does not fit its operands is no error: the text tells it.
///
/// # Errors
/// When values hold themselves, or the text would be immense.
pub fn sprintf(format: &[u8], values: &[Value]) -> Result<Text, Failure> {
    let mut printer = Printer::default();
    let mut cursor = Cursor { format, at: 0, values, next: 0, reordered: false, good: true };
    while cursor.at < format.len() {
        let rest = &format[cursor.at..];
        let plain = rest.iter().position(|byte| *byte == b'%').unwrap_or(rest.len());
        printer.layout.out.extend_from_slice(&rest[..plain]);
        cursor.at += plain;
        if cursor.at == format.len() {
            break;
        }
        cursor.at += 1;
        if !verb(&mut printer, &mut cursor)? {
            break;
        }
        printer.layout.check()?;
    }
    if !cursor.reordered && cursor.next < values.len() {
        printer.layout.flags = Flags::default();
        printer.layout.raw("%!(EXTRA ");
        for (index, value) in values[cursor.next..].iter().enumerate() {
            if index > 0 {
                printer.layout.raw(", ");
            }
            if !matches!(value, Value::Nil) {
                printer.layout.raw(type_name(value));
                printer.layout.raw("=");
            }
            printer.operand(value, 'v')?;
        }
        printer.layout.raw(")");
    }
    Ok(printer.layout.out.into())
}

/// A format that is being read, and the operand that comes next.
struct Cursor<'f> {
    format: &'f [u8],
    at: usize,
    values: &'f [Value],
    next: usize,
    /// An index such as `[2]` was seen: operands left over are no longer told.
    reordered: bool,
    /// The indexes of this verb make sense.
    good: bool,
}

/// One verb, after its `%`; false at the end of the format.
fn verb(printer: &mut Printer, cursor: &mut Cursor<'_>) -> Result<bool, Failure> {
    cursor.good = true;
    let mut flags = Flags::default();
    while let Some(byte) = cursor.peek() {
        match byte {
            b'#' => flags.sharp = true,
            b'0' => flags.zero = true,
            b'+' => flags.plus = true,
            b'-' => flags.minus = true,
            b' ' => flags.space = true,
            _ => break,
        }
        cursor.at += 1;
    }
    let mut indexed = cursor.index();
    if cursor.peek() == Some(b'*') {
        cursor.at += 1;
        let width = cursor.star();
        if width.is_none() {
            printer.layout.raw("%!(BADWIDTH)");
        }
        if width.is_some_and(|width| width < 0) {
            flags.minus = true;
            flags.zero = false;
        }
        flags.width = width.and_then(|width| usize::try_from(width.unsigned_abs()).ok());
        indexed = false;
    } else {
        flags.width = cursor.number();
        if indexed && flags.width.is_some() {
            cursor.good = false;
        }
    }
    if cursor.peek() == Some(b'.') && cursor.at + 1 < cursor.format.len() {
        cursor.at += 1;
        if indexed {
            cursor.good = false;
        }
        indexed = cursor.index();
        if cursor.peek() == Some(b'*') {
            cursor.at += 1;
            // a negative precision makes no sense
            flags.precision = cursor.star().and_then(|precision| usize::try_from(precision).ok());
            if flags.precision.is_none() {
                printer.layout.raw("%!(BADPREC)");
            }
            indexed = false;
        } else {
            flags.precision = Some(cursor.number().unwrap_or(0));
        }
    }
    if !indexed {
        cursor.index();
    }
    let Some(verb) = cursor.char() else {
        printer.layout.raw("%!(NOVERB)");
        return Ok(false);
    };
    if verb == '%' {
        printer.layout.raw("%");
        return Ok(true);
    }
    let problem = if !cursor.good {
        "(BADINDEX)"
    } else if cursor.next >= cursor.values.len() {
        "(MISSING)"
    } else {
        if matches!(verb, 'v' | 'w') {
            flags.syntax = std::mem::take(&mut flags.sharp);
            flags.names = std::mem::take(&mut flags.plus);
        }
        printer.layout.flags = flags;
        printer.operand(&cursor.values[cursor.next], verb)?;
        cursor.next += 1;
        return Ok(true);
    };
    printer.layout.raw("%!");
    printer.layout.char(verb);
    printer.layout.raw(problem);
    Ok(true)
}

/// Widths, precisions and indexes beyond this are refused, as Go does.
const LARGEST: i64 = 1_000_000;

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// The character here, U+FFFD for a byte that is no UTF-8.
    fn char(&mut self) -> Option<char> {
        let (bytes, rune) = super::quote::runes(&self.format[self.at..]).next()?;
        self.at += bytes.len();
        Some(rune.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// A number here, if there is one. One that is too large ends the format.
    fn number(&mut self) -> Option<usize> {
        let (number, end) = digits(self.format, self.at, self.format.len());
        self.at = end;
        number
    }

    /// An index such as `[2]` here: true when it was one that makes sense.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let closing =
            if rest.len() < 3 { None } else { rest.iter().position(|byte| *byte == b']') };
        let Some(closing) = closing else {
            self.at += 1;
            self.good = false;
            return false;
        };
        let (number, end) = digits(rest, 1, closing);
        self.at += closing + 1;
        match number {
            Some(number) if end == closing => {
                if (1..=self.values.len()).contains(&number) {
                    self.next = number - 1;
                } else {
                    self.good = false;
                }
                true
            }
            _ => {
                self.good = false;
                false
            }
        }
    }

    /// The operand that `*` takes, when it is an integer of a sensible size.
    fn star(&mut self) -> Option<i64> {
        let number = match self.values.get(self.next)? {
            Value::Int(int, _) => Some(*int),
            Value::Uint(int, _) => i64::try_from(*int).ok(),
            _ => None,
        };
        self.next += 1;
        number.filter(|number| (-LARGEST..=LARGEST).contains(number))
    }
}

/// A number in `text[start..end]`, and where it ends. One that is too large takes all.
fn digits(text: &[u8], start: usize, end: usize) -> (Option<usize>, usize) {
    let mut number: Option<i64> = None;
    let mut at = start;
    while at < end && text[at].is_ascii_digit() {
        let so_far = number.unwrap_or(0);
        if so_far > LARGEST {
            return (None, end);
        }
        number = Some(so_far * 10 + i64::from(text[at] - b'0'));
        at += 1;
    }
    (number.map(|number| usize::try_from(number).expect("it is not negative")), at)
}
