//! Large primes from a source of random bytes, always the same ones from the same bytes.
//!
//! Numbers of a progression are sieved with small primes, then tested with Fermat's test to base 2,
//! which is the cheapest there is, and what passes with the test of Miller and Rabin. The time that
//! this takes depends on the numbers: nobody but the owner of the keys can watch it here.

use super::stream::Stream;
use std::sync::LazyLock;

/// A number of `N` limbs of 64 bits, the least first.
pub(super) type Limbs<const N: usize> = [u64; N];

/// Small primes below this are sieved with.
const SMALL: u32 = 1 << 17;
/// Rounds of Miller and Rabin: of random numbers of 1024 bits, less than one in 2^100 passes wrongly.
const ROUNDS: usize = 4;

/// A random prime of `64 * N` bits, its two highest bits set, for which `accept` holds.
pub(super) fn random<const N: usize>(
    stream: &mut Stream,
    accept: impl Fn(&Limbs<N>) -> bool,
) -> Limbs<N> {
    let mut step = [0; N];
    step[0] = 2;
    loop {
        let mut start = stream.limbs::<N>();
        start[0] |= 1;
        start[N - 1] |= 3 << 62;
        if let Some(prime) = in_progression(start, &step, stream, &accept) {
            return prime;
        }
    }
}

/// The first prime of `start`, `start + step`, … for which `accept` holds, when there is one nearby.
pub(super) fn in_progression<const N: usize>(
    start: Limbs<N>,
    step: &Limbs<N>,
    stream: &mut Stream,
    accept: &impl Fn(&Limbs<N>) -> bool,
) -> Option<Limbs<N>> {
    // a prime is to be expected after about 22 · N odd numbers
    let length = 512 * N;
    let mut bases = [[0; N]; ROUNDS];
    bases.fill_with(|| stream.limbs::<N>());
    let candidates = sieve(&start, step, length);
    candidates.into_iter().find_map(|index| {
        let candidate = add(&start, &multiple(step, index)?)?;
        (accept(&candidate) && is_prime(candidate, &bases)).then_some(candidate)
    })
}

/// True for primes, as far as the bases show.
fn is_prime<const N: usize>(candidate: Limbs<N>, bases: &[Limbs<N>]) -> bool {
    if cfg!(debug_assertions) {
        // without optimization, that of a library is many times faster
        return slow::is_prime(&candidate, bases);
    }
    let field = Montgomery::new(candidate);
    field.fermat() && bases.iter().all(|base| field.witness(base))
}

/// Which members of a progression no small prime divides.
fn sieve<const N: usize>(start: &Limbs<N>, step: &Limbs<N>, length: usize) -> Vec<u64> {
    let starts = residues(start, &PRIMES);
    let steps = residues(step, &PRIMES);
    let mut composite = vec![false; length];
    for ((prime, start), step) in PRIMES.iter().zip(starts).zip(steps) {
        // the first index with start + index * step divisible by the prime
        let Some(inverse) = inverse(step, u64::from(*prime)) else { continue };
        let prime = u64::from(*prime);
        let first = (prime - start) % prime * inverse % prime;
        let mut index = usize::try_from(first).expect("less than a small prime");
        while index < length {
            composite[index] = true;
            index += usize::try_from(prime).expect("a small prime");
        }
    }
    (0..).zip(composite).filter(|(_, composite)| !composite).map(|(index, _)| index).collect()
}

static PRIMES: LazyLock<Vec<u32>> = LazyLock::new(small_primes);

fn small_primes() -> Vec<u32> {
    let limit = usize::try_from(SMALL).expect("it is small");
    let mut composite = vec![false; limit];
    let mut primes = Vec::with_capacity(limit / 10);
    for number in 2..limit {
        if composite[number] {
            continue;
        }
        primes.push(u32::try_from(number).expect("it is small"));
        for multiple in (number * number..limit).step_by(number) {
            composite[multiple] = true;
        }
    }
    primes
}

/// The rests of a number by many small primes, of which several at once make one division.
fn residues<const N: usize>(number: &Limbs<N>, primes: &[u32]) -> Vec<u64> {
    let mut rests = Vec::with_capacity(primes.len());
    let mut from = 0;
    while from < primes.len() {
        let mut product = u64::from(primes[from]);
        let mut to = from + 1;
        while let Some(more) =
            primes.get(to).and_then(|prime| product.checked_mul(u64::from(*prime)))
        {
            product = more;
            to += 1;
        }
        let rest = rest(number, product);
        rests.extend(primes[from..to].iter().map(|prime| rest % u64::from(*prime)));
        from = to;
    }
    rests
}

/// The rest of a number by one of 64 bits.
pub(super) fn rest<const N: usize>(number: &Limbs<N>, divisor: u64) -> u64 {
    let rest = number
        .iter()
        .rev()
        .fold(0, |rest: u128, limb| (rest << 64 | u128::from(*limb)) % u128::from(divisor));
    low(rest)
}

fn inverse(number: u64, prime: u64) -> Option<u64> {
    if number.is_multiple_of(prime) {
        return None;
    }
    if number == 2 {
        return Some(prime.div_ceil(2));
    }
    // Fermat: the power to prime - 2
    let (mut power, mut base, mut exponent) = (1, number % prime, prime - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = power * base % prime;
        }
        base = base * base % prime;
        exponent >>= 1;
    }
    Some(power)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
fn low(number: u128) -> u64 {
    number as u64
}

fn add<const N: usize>(left: &Limbs<N>, right: &Limbs<N>) -> Option<Limbs<N>> {
    let mut sum = [0; N];
    let mut carry = 0;
    for ((out, left), right) in sum.iter_mut().zip(left).zip(right) {
        let wide = u128::from(*left) + u128::from(*right) + carry;
        *out = low(wide);
        carry = wide >> 64;
    }
    (carry == 0).then_some(sum)
}

fn multiple<const N: usize>(number: &Limbs<N>, factor: u64) -> Option<Limbs<N>> {
    let mut product = [0; N];
    let mut carry = 0;
    for (out, limb) in product.iter_mut().zip(number) {
        let wide = u128::from(*limb) * u128::from(factor) + carry;
        *out = low(wide);
        carry = wide >> 64;
    }
    (carry == 0).then_some(product)
}

/// Takes `right` off, as if there were another limb to borrow from.
fn subtract<const N: usize>(left: &mut Limbs<N>, right: &Limbs<N>) {
    let mut borrow = false;
    for (left, right) in left.iter_mut().zip(right) {
        let (first, one) = left.overflowing_sub(*right);
        let (second, two) = first.overflowing_sub(u64::from(borrow));
        *left = second;
        borrow = one || two;
    }
}

fn at_least<const N: usize>(left: &Limbs<N>, right: &Limbs<N>) -> bool {
    left.iter().rev().cmp(right.iter().rev()).is_ge()
}

/// Arithmetic modulo an odd number with its highest bit set, in Montgomery's form.
struct Montgomery<const N: usize> {
    modulus: Limbs<N>,
    /// Minus the inverse of the modulus, modulo 2^64.
    factor: u64,
    /// One in the form, which is 2^(64 N) modulo the modulus.
    one: Limbs<N>,
}

impl<const N: usize> Montgomery<N> {
    fn new(modulus: Limbs<N>) -> Montgomery<N> {
        // Newton's iteration doubles the right bits
        let mut inverse = modulus[0];
        for _ in 0..6 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(modulus[0].wrapping_mul(inverse)));
        }
        let mut one = [0; N];
        subtract(&mut one, &modulus);
        Montgomery { modulus, factor: inverse.wrapping_neg(), one }
    }

    fn multiply(&self, left: &Limbs<N>, right: &Limbs<N>) -> Limbs<N> {
        let mut sum = [0u64; N];
        let mut top = 0u64;
        for limb in left {
            let mut carry = 0u128;
            for (out, right) in sum.iter_mut().zip(right) {
                let wide = u128::from(*limb) * u128::from(*right) + u128::from(*out) + carry;
                *out = low(wide);
                carry = wide >> 64;
            }
            let high = u128::from(top) + carry;
            let factor = sum[0].wrapping_mul(self.factor);
            let mut carry =
                (u128::from(factor) * u128::from(self.modulus[0]) + u128::from(sum[0])) >> 64;
            for index in 1..N {
                let wide = u128::from(factor) * u128::from(self.modulus[index])
                    + u128::from(sum[index])
                    + carry;
                sum[index - 1] = low(wide);
                carry = wide >> 64;
            }
            let wide = high + carry;
            sum[N - 1] = low(wide);
            top = low(wide >> 64);
        }
        if top != 0 || at_least(&sum, &self.modulus) {
            subtract(&mut sum, &self.modulus);
        }
        sum
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

    /// True when 2^(n - 1) is 1.
    fn fermat(&self) -> bool {
        let mut power = self.one;
        for index in (0..N).rev() {
            for bit in (0..64).rev() {
                // n - 1 differs from n in the lowest bit
                let set = self.modulus[index] >> bit & 1 == 1 && (index, bit) != (0, 0);
                power = self.multiply(&power, &power);
                if set {
                    self.double(&mut power);
                }
            }
        }
        power == self.one
    }

    /// True when the base does not show that the modulus is no prime.
    fn witness(&self, base: &Limbs<N>) -> bool {
        let mut even = self.modulus;
        even[0] -= 1;
        let zeros = even.iter().position(|limb| *limb != 0).map_or(0, |index| {
            64 * u32::try_from(index).expect("few limbs") + even[index].trailing_zeros()
        });
        // any number will do as a base, in the form or not
        let mut base = *base;
        if at_least(&base, &self.modulus) {
            subtract(&mut base, &self.modulus);
        }
        let mut minus_one = self.modulus;
        subtract(&mut minus_one, &self.one);
        let bits = 64 * u32::try_from(N).expect("few limbs");
        let mut power = self.one;
        for bit in (zeros..bits).rev() {
            power = self.multiply(&power, &power);
            let index = usize::try_from(bit / 64).expect("few limbs");
            if even[index] >> (bit % 64) & 1 == 1 {
                power = self.multiply(&power, &base);
            }
        }
        if power == self.one || power == minus_one {
            return true;
        }
        for _ in 1..zeros {
            power = self.multiply(&power, &power);
            if power == minus_one {
                return true;
            }
        }
        false
    }
}

/// The same tests with another arithmetic.
mod slow {
    use super::Limbs;
    use num_bigint::BigUint;

    pub(super) fn is_prime<const N: usize>(candidate: &Limbs<N>, bases: &[Limbs<N>]) -> bool {
        let candidate = big(candidate);
        let (one, two) = (BigUint::from(1u8), BigUint::from(2u8));
        let even = &candidate - &one;
        let zeros = even.trailing_zeros().unwrap_or(0);
        two.modpow(&even, &candidate) == one
            && bases.iter().all(|base| {
                let mut power = big(base).modpow(&(&even >> zeros), &candidate);
                power == one
                    || (0..zeros).any(|_| {
                        let found = power == even;
                        power = power.modpow(&two, &candidate);
                        found
                    })
            })
    }

    fn big<const N: usize>(limbs: &Limbs<N>) -> BigUint {
        limbs.iter().rev().fold(BigUint::ZERO, |number, limb| (number << 64u8) + *limb)
    }
}

#[cfg(test)]
mod tests {
    use super::{Montgomery, slow, small_primes};

    #[test]
    fn knows_primes_from_others() {
        // 2^127 - 1 is no number with its highest bit set: 2^128 - 159 is the largest prime there
        let prime = |low: u64, high: u64| {
            let bases = [[3, 0], [0x1234_5678, 7]];
            let field = Montgomery::new([low, high]);
            let fast = field.fermat() && bases.iter().all(|base| field.witness(base));
            assert_eq!(fast, slow::is_prime(&[low, high], &bases));
            fast
        };
        assert!(prime(u64::MAX - 158, u64::MAX));
        assert!(!prime(u64::MAX - 156, u64::MAX));
        assert!(!prime(u64::MAX, u64::MAX));
        assert_eq!(&small_primes()[..6], [2, 3, 5, 7, 11, 13]);
    }
}
