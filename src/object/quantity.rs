//! Amounts as Kubernetes writes them: `100m`, `1Gi`, `1e3`.
//!
//! Held exactly as billionths, because Kubernetes rounds what is finer up to one billionth, and
//! caps amounts at 2^63-1. The text form is canonical: no fraction, the largest suffix that loses
//! nothing, in the family of suffixes that it was written in.

use crate::yaml::{Node, Value};
use std::cmp::Ordering;
use std::fmt;

/// Billionths in one.
const NANO: i128 = 1_000_000_000;

/// The largest amount, in billionths.
const MAX: i128 = (i64::MAX as i128) * NANO;

/// The family of suffixes that an amount was written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// `n`, `u`, `m`, none, `k`, `M`, … in steps of 1000.
    #[default]
    Decimal,
    /// `Ki`, `Mi`, … in steps of 1024.
    Binary,
    /// `e3`, `e6`, ….
    Exponent,
}

/// An amount.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// Why a text is no amount, in the words of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not look like an amount at all.
    #[error(
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The suffix is none that is known.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

impl Quantity {
    /// An amount of whole units.
    #[must_use]
    pub fn new(units: i64, format: Format) -> Quantity {
        Quantity { nanos: i128::from(units) * NANO, format }
    }

    /// An amount of thousandths.
    #[must_use]
    pub fn from_milli(milli: i64) -> Quantity {
        Quantity { nanos: i128::from(milli) * (NANO / 1000), format: Format::Decimal }
    }

    /// Reads an amount.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return Err(QuantityError::Format);
        }
        let (format, base, exponent) = suffix_of(suffix)?;
        let size = scaled(whole, fraction, base, exponent);
        Ok(Quantity { nanos: if negative { -size } else { size }, format })
    }

    /// Reads an amount that is a string or a number.
    #[must_use]
    pub fn from_node(node: &Node) -> Option<Quantity> {
        match &node.value {
            Value::String(text) => Quantity::parse(text).ok(),
            Value::Number(number) => Quantity::parse(&number.to_string()).ok(),
            _ => None,
        }
    }

    /// Whole units, rounded up (away from zero).
    #[must_use]
    pub fn value(self) -> i64 {
        round_up(self.nanos, NANO)
    }

    /// Thousandths, rounded up (away from zero).
    #[must_use]
    pub fn milli(self) -> i64 {
        round_up(self.nanos, NANO / 1000)
    }

    /// The nearest double.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "rounding is what is asked for")]
    pub fn as_f64(self) -> f64 {
        self.nanos as f64 / NANO as f64
    }

    /// True for zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }
}

impl std::ops::Add for Quantity {
    type Output = Quantity;

    fn add(self, other: Quantity) -> Quantity {
        let format = if self.is_zero() { other.format } else { self.format };
        Quantity { nanos: (self.nanos + other.nanos).clamp(-MAX, MAX), format }
    }
}

impl std::ops::Sub for Quantity {
    type Output = Quantity;

    fn sub(self, other: Quantity) -> Quantity {
        let format = if self.is_zero() { other.format } else { self.format };
        Quantity { nanos: (self.nanos - other.nanos).clamp(-MAX, MAX), format }
    }
}

impl PartialEq for Quantity {
    /// Amounts are equal when they are the same number, however written.
    fn eq(&self, other: &Quantity) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let units = self.nanos / NANO;
        let binary =
            self.format == Format::Binary && self.nanos % NANO == 0 && units.unsigned_abs() >= 1024;
        if binary {
            let (mut number, mut step) = (units, 0);
            while number % 1024 == 0 && step < BINARY.len() - 1 {
                number /= 1024;
                step += 1;
            }
            return write!(f, "{number}{}", BINARY[step]);
        }
        let (mut number, mut exponent) = (self.nanos, -9);
        while number % 1000 == 0 && exponent < 18 {
            number /= 1000;
            exponent += 3;
        }
        write!(f, "{number}")?;
        match (self.format, exponent) {
            (_, 0) => Ok(()),
            (Format::Exponent, _) => write!(f, "e{exponent}"),
            _ => f.write_str(
                DECIMAL.iter().find(|(_, known)| *known == exponent).map_or("", |(text, _)| text),
            ),
        }
    }
}

const BINARY: &[&str] = &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

const DECIMAL: &[(&str, i32)] = &[
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

/// Format, base and exponent of a suffix.
fn suffix_of(suffix: &str) -> Result<(Format, i128, i32), QuantityError> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(text, _)| *text == suffix) {
        return Ok((Format::Decimal, 10, *exponent));
    }
    if let Some(step) = (0..).zip(BINARY).find(|(_, text)| **text == suffix).map(|(step, _)| step) {
        return Ok((Format::Binary, 1024, step));
    }
    let unknown = if suffix
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches(['+', '-'])
        .chars()
        .all(|c| "eEinumkKMGTP".contains(c))
    {
        QuantityError::Suffix
    } else {
        QuantityError::Format
    };
    let digits = suffix.strip_prefix(['e', 'E']).ok_or(unknown)?;
    let exponent: i64 = digits.parse().map_err(|_| unknown)?;
    Ok((Format::Exponent, 10, i32::try_from(exponent.clamp(-1000, 1000)).unwrap_or(0)))
}

/// `whole.fraction × base^exponent` in billionths, rounded up and capped.
fn scaled(whole: &str, fraction: &str, base: i128, exponent: i32) -> i128 {
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    // the digits as an integer times 10^-scale; those beyond what can matter only round up
    let mut digits: i128 = 0;
    let mut scale = 0;
    let mut cut = false;
    for (at, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
        if digits >= 10_i128.pow(27) {
            cut |= byte != b'0';
            scale -= i32::from(at < whole.len());
            continue;
        }
        digits = digits * 10 + i128::from(byte - b'0');
        scale += i32::from(at >= whole.len());
    }
    if digits == 0 {
        return 0;
    }
    let mut ten = 9 - scale;
    if base == 10 {
        ten += exponent;
    } else {
        for _ in 0..exponent {
            while ten < 0 && digits > i128::MAX / base {
                cut |= digits % 10 != 0;
                digits /= 10;
                ten += 1;
            }
            digits = digits.saturating_mul(base);
        }
    }
    while ten > 0 && digits < MAX {
        digits = digits.saturating_mul(10);
        ten -= 1;
    }
    while ten < 0 && digits > 0 {
        cut |= digits % 10 != 0;
        digits /= 10;
        ten += 1;
    }
    digits.saturating_add(i128::from(cut)).min(MAX)
}

fn round_up(nanos: i128, unit: i128) -> i64 {
    let whole = nanos / unit + (nanos % unit).signum();
    i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_written_as_kubernetes_writes_them() {
        for (text, canonical) in [
            ("0", "0"),
            ("0.0", "0"),
            ("0Gi", "0"),
            ("1", "1"),
            ("0.1", "100m"),
            (".5", "500m"),
            ("5.", "5"),
            ("+1", "1"),
            ("-1.5", "-1500m"),
            ("1000m", "1"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("1500k", "1500k"),
            ("1000000k", "1G"),
            ("1Gi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Gi", "512Mi"),
            ("2048Ki", "2Mi"),
            ("1000Ki", "1000Ki"),
            ("0.5Ki", "512"),
            ("1.0001Ki", "1024102400u"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("1e2", "100"),
            ("100e1", "1e3"),
            ("12e6", "12e6"),
            ("1e-3", "1e-3"),
            ("1E", "1E"),
            ("1u", "1u"),
            ("1n", "1n"),
            ("0.1n", "1n"),
            ("1.1n", "2n"),
            ("128974848", "128974848"),
            ("129M", "129M"),
            ("123Mi", "123Mi"),
            ("99999999999999999999", "9223372036854775807"),
            ("1e1000", "9223372036854775807"),
            ("16Ei", "9223372036854775807"),
        ] {
            assert_eq!(
                Quantity::parse(text).map(|q| q.to_string()),
                Ok(canonical.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, error) in [
            ("", QuantityError::Format),
            (".", QuantityError::Format),
            ("1.1.1", QuantityError::Format),
            ("Gi", QuantityError::Format),
            ("1 Gi", QuantityError::Format),
            ("1gi", QuantityError::Format),
            ("1Kii", QuantityError::Suffix),
            ("1K", QuantityError::Suffix),
            ("1e", QuantityError::Suffix),
            ("1mm", QuantityError::Suffix),
        ] {
            assert_eq!(Quantity::parse(text).map(|q| q.to_string()), Err(error), "{text:?}");
        }
    }

    #[test]
    fn numbers_come_out_rounded_up() {
        let quantity = |text| Quantity::parse(text).unwrap();
        assert_eq!((quantity("0.1").value(), quantity("0.1").milli()), (1, 100));
        assert_eq!((quantity("1.5Ki").value(), quantity("100u").milli()), (1536, 1));
        assert!(quantity("1Gi") > quantity("1G") && quantity("1000m") == quantity("1"));
        assert_eq!((quantity("1Gi") + quantity("512Mi")).to_string(), "1536Mi");
        assert_eq!((quantity("1") - quantity("100m")).to_string(), "900m");
    }

    proptest! {
        #[test]
        fn the_canonical_text_is_the_same_amount(text in "[+-]?[0-9]{0,22}(\\.[0-9]{0,12})?([numkMGTPE]|[KMGTPE]i|e[+-]?[0-9]{1,3})?") {
            if let Ok(quantity) = Quantity::parse(&text) {
                let canonical = quantity.to_string();
                let again = Quantity::parse(&canonical).unwrap();
                prop_assert_eq!(again, quantity, "{}", &canonical);
                prop_assert_eq!(again.to_string(), canonical);
            }
        }
    }
}
