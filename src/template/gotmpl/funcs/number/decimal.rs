//! Decimal numbers of any size, as shopspring's `decimal` reckons: sums and products are exact, a
//! quotient has 16 places after the point, rounded half away from zero.

use crate::template::gotmpl::fmt::float;
use crate::template::gotmpl::function::Failure;
use crate::yaml::json::scientific;
use std::cmp::Ordering;

/// `±magnitude × 10^exponent`.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    negative: bool,
    magnitude: Natural,
    exponent: i32,
}

/// Places after the point of a quotient.
const PLACES: i32 = 16;

impl Decimal {
    /// The shortest decimal that reads as the double.
    pub(super) fn of(value: f64) -> Result<Decimal, Failure> {
        if !value.is_finite() {
            let text = float::shortest(value);
            return Err(format!("Cannot create a Decimal from {text}").into());
        }
        if value == 0.0 {
            return Ok(Decimal { negative: false, magnitude: Natural::default(), exponent: 0 });
        }
        let text = scientific(value.abs());
        let (digits, exponent) = text.split_once('e').expect("`e` notation has an exponent");
        let places = digits.len().saturating_sub(2);
        let exponent: i32 = exponent.parse().expect("an exponent is an integer");
        let digits: u64 = digits.replace('.', "").parse().expect("17 digits at most");
        Ok(Decimal {
            negative: value < 0.0,
            magnitude: Natural::of(digits),
            exponent: exponent - i32::try_from(places).expect("17 digits at most"),
        })
    }

    /// The nearest double.
    pub(super) fn to_float(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        let text = format!("{sign}{}e{}", self.magnitude.digits(), self.exponent);
        text.parse().expect("digits and an exponent are a number")
    }

    /// How much there is to reckon with.
    pub(super) fn size(&self) -> usize {
        self.magnitude.0.len()
    }

    #[expect(clippy::unnecessary_wraps, reason = "has the signature of the other operations")]
    pub(super) fn plus(&self, other: &Decimal) -> Result<Decimal, Failure> {
        let exponent = self.exponent.min(other.exponent);
        let (a, b) = (self.scaled(exponent), other.scaled(exponent));
        Ok(Decimal::signed_sum((self.negative, &a), (other.negative, &b), exponent))
    }

    pub(super) fn minus(&self, other: &Decimal) -> Result<Decimal, Failure> {
        self.plus(&Decimal { negative: !other.negative, ..other.clone() })
    }

    pub(super) fn times(&self, other: &Decimal) -> Result<Decimal, Failure> {
        let exponent = self.exponent.checked_add(other.exponent);
        let overflow = || {
            let exponent = i64::from(self.exponent) + i64::from(other.exponent);
            Failure::new(format!("exponent {exponent} overflows an int32!"))
        };
        Ok(Decimal {
            negative: self.negative != other.negative,
            magnitude: self.magnitude.times(&other.magnitude),
            exponent: exponent.ok_or_else(overflow)?,
        }
        .normal())
    }

    pub(super) fn divided(&self, other: &Decimal) -> Result<Decimal, Failure> {
        if other.magnitude.is_zero() {
            return Err("decimal division by 0".into());
        }
        let shift = i64::from(self.exponent) - i64::from(other.exponent) + i64::from(PLACES);
        let shift = i32::try_from(shift).map_err(|_| "overflow in decimal QuoRem")?;
        let power = Natural::power_of_ten(shift.unsigned_abs());
        let (dividend, divisor) = if shift < 0 {
            (self.magnitude.clone(), other.magnitude.times(&power))
        } else {
            (self.magnitude.times(&power), other.magnitude.clone())
        };
        let (quotient, rest) = dividend.divided(&divisor);
        let up = rest.plus(&rest).compare(&divisor) != Ordering::Less;
        let magnitude = if up { quotient.plus(&Natural::of(1)) } else { quotient };
        let negative = self.negative != other.negative;
        Ok(Decimal { negative, magnitude, exponent: -PLACES }.normal())
    }

    fn scaled(&self, exponent: i32) -> Natural {
        self.magnitude.times(&Natural::power_of_ten(self.exponent.abs_diff(exponent)))
    }

    fn signed_sum(a: (bool, &Natural), b: (bool, &Natural), exponent: i32) -> Decimal {
        let (negative, magnitude) = match (a.0 == b.0, a.1.compare(b.1)) {
            (true, _) => (a.0, a.1.plus(b.1)),
            (false, Ordering::Less) => (b.0, b.1.minus(a.1)),
            (false, _) => (a.0, a.1.minus(b.1)),
        };
        Decimal { negative, magnitude, exponent }.normal()
    }

    /// Zero has no sign.
    fn normal(mut self) -> Decimal {
        self.negative &= !self.magnitude.is_zero();
        self
    }
}

/// A natural number in groups of nine digits, the least first, without zeros at the end.
#[derive(Clone, Debug, Default)]
struct Natural(Vec<u32>);

const BASE: u64 = 1_000_000_000;

impl Natural {
    fn of(mut value: u64) -> Natural {
        let mut groups = Vec::new();
        while value > 0 {
            groups.push(group(value % BASE));
            value /= BASE;
        }
        Natural(groups)
    }

    fn power_of_ten(exponent: u32) -> Natural {
        let mut groups = vec![0; exponent as usize / 9];
        groups.push(10u32.pow(exponent % 9));
        Natural(groups)
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn digits(&self) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        for (index, group) in self.0.iter().rev().enumerate() {
            let width = if index == 0 { 1 } else { 9 };
            let _ = write!(out, "{group:0width$}");
        }
        if out.is_empty() { "0".to_owned() } else { out }
    }

    fn compare(&self, other: &Natural) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn plus(&self, other: &Natural) -> Natural {
        let length = self.0.len().max(other.0.len());
        let mut groups = Vec::with_capacity(length + 1);
        let mut carry = 0;
        for index in 0..=length {
            let sum = carry + at(&self.0, index) + at(&other.0, index);
            groups.push(group(sum % BASE));
            carry = sum / BASE;
        }
        Natural(groups).trimmed()
    }

    /// The difference from a smaller number.
    fn minus(&self, other: &Natural) -> Natural {
        let mut groups = Vec::with_capacity(self.0.len());
        let mut borrow = 0;
        for index in 0..self.0.len() {
            let taken = at(&other.0, index) + borrow;
            let have = at(&self.0, index);
            borrow = u64::from(have < taken);
            groups.push(group(have + borrow * BASE - taken));
        }
        Natural(groups).trimmed()
    }

    fn times(&self, other: &Natural) -> Natural {
        let mut groups = vec![0u32; self.0.len() + other.0.len()];
        for (i, a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for j in 0..=other.0.len() {
                if i + j == groups.len() {
                    break;
                }
                let sum = u64::from(groups[i + j]) + u64::from(*a) * at(&other.0, j) + carry;
                groups[i + j] = group(sum % BASE);
                carry = sum / BASE;
            }
        }
        Natural(groups).trimmed()
    }

    /// Quotient and rest, group by group; each group of the quotient is found by halving.
    fn divided(&self, divisor: &Natural) -> (Natural, Natural) {
        let mut quotient = vec![0; self.0.len()];
        let mut rest = Natural::default();
        for index in (0..self.0.len()).rev() {
            rest.0.insert(0, self.0[index]);
            rest = rest.trimmed();
            let (mut low, mut high) = (0, BASE);
            while high - low > 1 {
                let middle = u64::midpoint(low, high);
                match divisor.times(&Natural::of(middle)).compare(&rest) {
                    Ordering::Greater => high = middle,
                    _ => low = middle,
                }
            }
            rest = rest.minus(&divisor.times(&Natural::of(low)));
            quotient[index] = group(low);
        }
        (Natural(quotient).trimmed(), rest)
    }

    fn trimmed(mut self) -> Natural {
        let length = self.0.iter().rposition(|group| *group != 0).map_or(0, |last| last + 1);
        self.0.truncate(length);
        self
    }
}

fn at(groups: &[u32], index: usize) -> u64 {
    groups.get(index).copied().map_or(0, u64::from)
}

fn group(value: u64) -> u32 {
    u32::try_from(value).expect("a group has nine digits")
}

#[cfg(test)]
mod tests {
    use super::{Decimal, Failure};

    type Operation = fn(&Decimal, &Decimal) -> Result<Decimal, Failure>;

    #[test]
    fn reckons_as_people_do() {
        let check = |a: f64, operation: Operation, b: f64, expected: f64| {
            let (a, b) = (Decimal::of(a).expect("finite"), Decimal::of(b).expect("finite"));
            let found = operation(&a, &b).expect("a result").to_float();
            assert!(found.to_bits() == expected.to_bits(), "{found} is not {expected}");
        };
        check(0.1, Decimal::plus, 0.2, 0.3);
        check(1e300, Decimal::plus, -1e300, 0.0);
        check(1.1, Decimal::times, 1.1, 1.21);
        check(1.0, Decimal::divided, 3.0, 0.333_333_333_333_333_3);
        check(-2.0, Decimal::divided, 3.0, -0.666_666_666_666_666_7);
        check(5.0, Decimal::minus, 7.5, -2.5);
        check(123_456_789_012.0, Decimal::divided, 1e-9, 1.234_567_890_12e20);
        check(1e-20, Decimal::divided, 1.0, 0.0);
        check(1e308, Decimal::times, 1e308, f64::INFINITY);
    }
}
