//! Arithmetic modulo a large odd number with its highest bit set, in Montgomery's form, and the
//! tests for primes that are made of it.
//!
//! Products are added up two rows of limbs at a time. The carries of one row do not wait for those
//! of the other, so that the processor works on both at once, and each limb of the sum is read and
//! written half as often. Squares are made of half the products. The time that all this takes
//! depends on the numbers: nobody but the owner of the keys can watch it here.

/// A number of `N` limbs of 64 bits, the least first.
pub(super) type Limbs<const N: usize> = [u64; N];

/// A number of twice the limbs.
type Wide<const N: usize> = [Limbs<N>; 2];

/// An odd number with its highest bit set; `N` is even.
pub(super) struct Montgomery<const N: usize> {
    modulus: Limbs<N>,
    /// Minus the inverse of the modulus, modulo 2^64.
    factor: u64,
    /// One in the form, which is 2^(64 N) modulo the modulus.
    one: Limbs<N>,
}

impl<const N: usize> Montgomery<N> {
    pub(super) fn of(modulus: Limbs<N>) -> Montgomery<N> {
        const { assert!(N.is_multiple_of(2), "rows go in pairs") };
        let mut one = [0; N];
        subtract(&mut one, &modulus);
        Montgomery { modulus, factor: inverse(modulus[0]).wrapping_neg(), one }
    }

    /// Minus the inverse of the modulus, modulo 2^64.
    pub(super) fn factor(&self) -> u64 {
        self.factor
    }

    /// A power of two that is at least 2^(64 N), modulo the modulus.
    pub(super) fn power_of_two(&self, exponent: usize) -> Limbs<N> {
        let mut power = self.one;
        for _ in 64 * N..exponent {
            self.double(&mut power);
        }
        power
    }

    /// True when 2^(n - 1) is 1: Fermat's test, to the base that is the cheapest.
    pub(super) fn fermat(&self) -> bool {
        let mut power = self.one;
        for index in (0..N).rev() {
            for bit in (0..64).rev() {
                // n - 1 differs from n in the lowest bit
                let set = self.modulus[index] >> bit & 1 == 1 && (index, bit) != (0, 0);
                power = self.square(&power);
                if set {
                    self.double(&mut power);
                }
            }
        }
        power == self.one
    }

    /// True when the base does not show that the modulus is no prime: the test of Miller and Rabin.
    pub(super) fn witness(&self, base: &Limbs<N>) -> bool {
        let (odd, zeros) = odd_part(&self.modulus);
        let mut minus_one = self.modulus;
        subtract(&mut minus_one, &self.one);
        // any number will do as a base, in the form or not
        let mut base = *base;
        if at_least(&base, &self.modulus) {
            subtract(&mut base, &self.modulus);
        }
        let mut power = self.power(&base, &odd);
        if power == self.one || power == minus_one {
            return true;
        }
        (1..zeros).any(|_| {
            power = self.square(&power);
            power == minus_one
        })
    }

    /// A power, four bits of the exponent at a time.
    fn power(&self, base: &Limbs<N>, exponent: &Limbs<N>) -> Limbs<N> {
        let mut powers = [self.one; 16];
        for index in 1..powers.len() {
            powers[index] = self.multiply(&powers[index - 1], base);
        }
        let mut power = self.one;
        for digit in digits(exponent) {
            for _ in 0..4 {
                power = self.square(&power);
            }
            if digit != 0 {
                power = self.multiply(&power, &powers[digit]);
            }
        }
        power
    }

    fn double(&self, number: &mut Limbs<N>) {
        let top = number[N - 1] >> 63;
        for index in (1..N).rev() {
            number[index] = number[index] << 1 | number[index - 1] >> 63;
        }
        number[0] <<= 1;
        if top != 0 || at_least(number, &self.modulus) {
            subtract(number, &self.modulus);
        }
    }

    fn multiply(&self, left: &Limbs<N>, right: &Limbs<N>) -> Limbs<N> {
        let mut product = [[0; N]; 2];
        let out = product.as_flattened_mut();
        for (index, factors) in left.as_chunks().0.iter().enumerate() {
            let rows = Rows { factors: *factors, carries: [0, 0], last: 0 };
            let end = rows.add(&mut out[2 * index..], right);
            (out[2 * index + N], out[2 * index + N + 1]) = (low(end), high(end));
        }
        self.reduce(&mut product)
    }

    fn square(&self, number: &Limbs<N>) -> Limbs<N> {
        let mut product = [[0; N]; 2];
        let out = product.as_flattened_mut();
        // the products of different limbs, each once …
        let mut limbs = &number[..];
        let mut place = 1;
        while let [first, second, rest @ ..] = limbs {
            let (sum, carry) = multiply_add(*first, *second, out[place], 0);
            out[place] = sum;
            let rows = Rows { factors: [*first, *second], carries: [carry, 0], last: 0 };
            let end = rows.add(&mut out[place + 1..], rest);
            let after = place + 1 + rest.len();
            out[after] = low(end);
            if !rest.is_empty() {
                out[after + 1] = high(end);
            }
            limbs = rest;
            place += 4;
        }
        // … then twice that, and the squares of limbs
        let (mut shifted, mut carry) = (0, 0);
        for (out, limb) in out.as_chunks_mut::<2>().0.iter_mut().zip(number) {
            let square = u128::from(*limb) * u128::from(*limb);
            let twice = [out[0] << 1 | shifted, out[1] << 1 | out[0] >> 63];
            shifted = out[1] >> 63;
            let least = u128::from(low(square)) + u128::from(twice[0]) + carry;
            let most = u128::from(high(square)) + u128::from(twice[1]) + u128::from(high(least));
            *out = [low(least), low(most)];
            carry = most >> 64;
        }
        self.reduce(&mut product)
    }

    /// A product divided by 2^(64 N), modulo the modulus.
    fn reduce(&self, product: &mut Wide<N>) -> Limbs<N> {
        let out = product.as_flattened_mut();
        let modulus = &self.modulus;
        let mut top = 0;
        for index in (0..N).step_by(2) {
            let [first, second, rest @ ..] = &mut out[index..] else {
                unreachable!("the modulus has half the limbs of the product")
            };
            // multiples of the modulus that make two limbs zero
            let one = first.wrapping_mul(self.factor);
            let (_, carry) = multiply_add(one, modulus[0], *first, 0);
            let (sum, carry) = multiply_add(one, modulus[1], *second, carry);
            let two = sum.wrapping_mul(self.factor);
            let (_, lag) = multiply_add(two, modulus[0], sum, 0);
            let rows = Rows { factors: [one, two], carries: [carry, lag], last: modulus[1] };
            let end = rows.add(&mut rest[..N - 2], &modulus[2..]);
            let least = u128::from(low(end)) + u128::from(rest[N - 2]) + top;
            let most = u128::from(high(end)) + u128::from(rest[N - 1]) + u128::from(high(least));
            (rest[N - 2], rest[N - 1]) = (low(least), low(most));
            top = most >> 64;
        }
        let mut result = product[1];
        if top != 0 || at_least(&result, modulus) {
            subtract(&mut result, modulus);
        }
        result
    }
}

/// Two rows of a product that are added to a sum side by side, the second a limb behind the first.
struct Rows {
    factors: [u64; 2],
    carries: [u64; 2],
    /// The limb that the second row comes to next.
    last: u64,
}

impl Rows {
    /// Adds the products with limbs to as many limbs of a sum, and tells what goes beyond them.
    #[expect(clippy::inline_always, reason = "else there is one for all lengths, which is slower")]
    #[inline(always)]
    fn add(mut self, sum: &mut [u64], limbs: &[u64]) -> u128 {
        let (sums, sum_rest) = sum[..limbs.len()].as_chunks_mut::<4>();
        let (fours, limb_rest) = limbs.as_chunks::<4>();
        for (sum, limbs) in sums.iter_mut().zip(fours) {
            for (sum, limb) in sum.iter_mut().zip(limbs) {
                self.step(sum, *limb);
            }
        }
        for (sum, limb) in sum_rest.iter_mut().zip(limb_rest) {
            self.step(sum, *limb);
        }
        let [first, second] = self.carries.map(u128::from);
        u128::from(self.factors[1]) * u128::from(self.last) + first + second
    }

    #[inline]
    fn step(&mut self, sum: &mut u64, limb: u64) {
        let both;
        (both, self.carries[0]) = multiply_add(self.factors[0], limb, *sum, self.carries[0]);
        (*sum, self.carries[1]) = multiply_add(self.factors[1], self.last, both, self.carries[1]);
        self.last = limb;
    }
}

/// The low and the high half of `left * right + first + second`, which always fits.
///
/// Carries are told apart, and not added up in 128 bits, so that the compiler keeps their order: the
/// one that comes late goes in last.
#[inline]
fn multiply_add(left: u64, right: u64, first: u64, second: u64) -> (u64, u64) {
    let product = u128::from(left) * u128::from(right);
    let (sum, one) = low(product).overflowing_add(first);
    let (sum, two) = sum.overflowing_add(second);
    (sum, high(product).wrapping_add(u64::from(one)).wrapping_add(u64::from(two)))
}

/// The inverse of an odd number, modulo 2^64.
pub(super) fn inverse(odd: u64) -> u64 {
    // Newton's iteration doubles the right bits; three are right from the start
    (0..5)
        .fold(odd, |inverse, _| inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse))))
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
pub(super) fn low(number: u128) -> u64 {
    number as u64
}

pub(super) fn high(number: u128) -> u64 {
    low(number >> 64)
}

/// The digits of a number to base 16, the highest first.
pub(super) fn digits<const N: usize>(number: &Limbs<N>) -> impl Iterator<Item = usize> {
    let shifts = (0..64).step_by(4).rev();
    let digits = move |limb: u64| shifts.clone().map(move |shift| limb >> shift & 15);
    number.iter().rev().copied().flat_map(digits).map(|it| usize::try_from(it).expect("four bits"))
}

/// What is left of an odd number, less one, without its factors of two, and how many these are.
pub(super) fn odd_part<const N: usize>(number: &Limbs<N>) -> (Limbs<N>, u32) {
    let mut even = *number;
    even[0] -= 1;
    let zeros = even.iter().position(|limb| *limb != 0).map_or(0, |index| {
        64 * u32::try_from(index).expect("few limbs") + even[index].trailing_zeros()
    });
    (shifted(even, zeros), zeros)
}

fn shifted<const N: usize>(mut number: Limbs<N>, bits: u32) -> Limbs<N> {
    let (limbs, bits) = (usize::try_from(bits / 64).expect("few limbs"), bits % 64);
    for index in 0..N {
        let limb = |index: usize| u128::from(number.get(index).copied().unwrap_or(0));
        number[index] = low((limb(index + limbs) | limb(index + limbs + 1) << 64) >> bits);
    }
    number
}

/// Takes `right` off, as if there were another limb to borrow from.
fn subtract<const N: usize>(left: &mut Limbs<N>, right: &Limbs<N>) {
    let mut carry = 1;
    for (left, right) in left.iter_mut().zip(right) {
        let wide = u128::from(*left) + u128::from(!*right) + carry;
        *left = low(wide);
        carry = wide >> 64;
    }
}

fn at_least<const N: usize>(left: &Limbs<N>, right: &Limbs<N>) -> bool {
    let different = left.iter().zip(right).rev().find(|(left, right)| left != right);
    different.is_none_or(|(left, right)| left > right)
}

#[cfg(test)]
mod tests {
    use super::{Limbs, Montgomery};
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn big<const N: usize>(limbs: &Limbs<N>) -> BigUint {
        limbs.iter().rev().fold(BigUint::ZERO, |number, limb| (number << 64u8) + *limb)
    }

    /// Limbs of which many are extreme.
    fn limbs<const N: usize>() -> impl Strategy<Value = Limbs<N>> {
        let limb = prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>(), any::<u64>()];
        prop::collection::vec(limb, N).prop_map(|limbs| limbs.try_into().expect("so many"))
    }

    /// Compares products, squares and powers with those of another arithmetic.
    fn check<const N: usize>(mut modulus: Limbs<N>, numbers: [Limbs<N>; 2]) {
        modulus[0] |= 1;
        modulus[N - 1] |= 1 << 63;
        let field = Montgomery::of(modulus);
        let (modulus, radix) = (big(&modulus), BigUint::from(1u8) << (64 * N));
        let inverse = radix.modinv(&modulus).expect("the modulus is odd");
        let [left, right] = numbers.map(|number| {
            let mut number = number;
            if big(&number) >= modulus {
                super::subtract(&mut number, &field.modulus);
            }
            number
        });
        let expected = big(&left) * big(&right) * &inverse % &modulus;
        assert_eq!(big(&field.multiply(&left, &right)), expected);
        let expected = big(&left) * big(&left) * &inverse % &modulus;
        assert_eq!(big(&field.square(&left)), expected);
        let mut twice = left;
        field.double(&mut twice);
        assert_eq!(big(&twice), big(&left) * 2u8 % &modulus);
        let mut short = [0; N];
        short[0] = right[0] % 100_000;
        let expected = (big(&left) * &inverse % &modulus).modpow(&big(&short), &modulus);
        assert_eq!(big(&field.power(&left, &short)), expected * radix % &modulus);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn is_that_of_num_bigint(
            two in (limbs::<2>(), [limbs(), limbs()]),
            six in (limbs::<6>(), [limbs(), limbs()]),
            sixteen in (limbs::<16>(), [limbs(), limbs()]),
            many in (limbs::<32>(), [limbs(), limbs()]),
        ) {
            check(two.0, two.1);
            check(six.0, six.1);
            check(sixteen.0, sixteen.1);
            check(many.0, many.1);
        }
    }

    #[test]
    fn knows_primes_from_others() {
        let prime = |low: u64, high: u64| {
            let field = Montgomery::of([low, high]);
            let bases = [[3, 0], [0x1234_5678, 7]];
            field.fermat() && bases.iter().all(|base| field.witness(base))
        };
        // 2^128 - 159 is the largest prime of 128 bits
        assert!(prime(u64::MAX - 158, u64::MAX));
        assert!(!prime(u64::MAX - 156, u64::MAX));
        assert!(!prime(u64::MAX, u64::MAX));
        // a product of two primes
        let product = u128::from(u64::MAX - 58) * u128::from(u64::MAX - 82);
        assert!(!prime(super::low(product), super::high(product)));
    }
}
