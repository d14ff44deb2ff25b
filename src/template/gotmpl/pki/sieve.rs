//! Which members of a progression of large numbers no small prime divides.
//!
//! Small primes are taken a few at a time, as many as their product fits 64 bits. The rest of a
//! large number by such a product takes two multiplications for each limb: the number is not
//! divided, but made divisible by 2^64 limb by limb, as in Montgomery's arithmetic.

use super::montgomery::{Limbs, high, inverse, low};

/// The odd primes below a bound.
pub(super) fn odd_primes(bound: usize) -> Vec<u32> {
    /// So many flags stay in the nearest cache.
    const PART: usize = 1 << 15;
    let mut primes = Vec::with_capacity(bound / 8);
    // a prime whose multiples are struck out, and the index of the next one
    let mut striking: Vec<(usize, usize)> = Vec::new();
    let mut composite = vec![false; PART];
    for begin in (0..bound / 2).step_by(PART) {
        composite.fill(false);
        // the flag at an index is that of the odd number 2 * index + 1
        let end = (begin + PART).min(bound / 2);
        for (prime, next) in &mut striking {
            while *next < end {
                composite[*next - begin] = true;
                *next += *prime;
            }
        }
        for index in begin.max(1)..end {
            if composite[index - begin] {
                continue;
            }
            let prime = 2 * index + 1;
            primes.push(u32::try_from(prime).expect("the bound is small"));
            let mut next = prime * prime / 2;
            if next < bound / 2 {
                while next < end {
                    composite[next - begin] = true;
                    next += prime;
                }
                striking.push((prime, next));
            }
        }
    }
    primes
}

/// The indices below `length` at which `start + index * step` is divisible by none of the primes.
pub(super) fn survivors<const N: usize>(
    start: &Limbs<N>,
    step: &Limbs<N>,
    length: usize,
    primes: &[u32],
) -> Vec<usize> {
    let mut composite = vec![false; length];
    let mut strike = |prime: u64, first: u64| {
        let [prime, first] = [prime, first].map(|number| usize::try_from(number).expect("small"));
        for index in (first..length).step_by(prime) {
            composite[index] = true;
        }
    };
    if step[0] == 2 && step[1..] == [0; N][1..] {
        negatives(start, primes, |prime, rest| {
            strike(
                prime,
                if rest.is_multiple_of(2) { rest / 2 } else { u64::midpoint(rest, prime) },
            );
        });
    } else {
        let mut steps = Vec::with_capacity(primes.len());
        negatives(step, primes, |prime, rest| steps.push((prime - rest) % prime));
        let mut steps = steps.into_iter();
        negatives(start, primes, |prime, rest| {
            match steps.next().expect("a step for each prime") {
                // it divides all of them or none
                0 if rest == 0 => strike(1, 0),
                0 => {}
                step => strike(prime, rest * power(step, prime - 2, prime) % prime),
            }
        });
    }
    (0..).zip(composite).filter(|(_, composite)| !composite).map(|(index, _)| index).collect()
}

/// Tells for each prime the rest of minus the number.
fn negatives<const N: usize>(number: &Limbs<N>, primes: &[u32], mut each: impl FnMut(u64, u64)) {
    let mut groups = Groups(primes);
    loop {
        // divisions by different products go on side by side
        let four: [_; 4] = std::array::from_fn(|_| groups.next().unwrap_or((1, &[])));
        let rests = negative(number, four.map(|(product, _)| product));
        for ((_, primes), rest) in four.iter().zip(rests) {
            for prime in *primes {
                each(u64::from(*prime), rest % u64::from(*prime));
            }
        }
        if four[3].1.is_empty() {
            return;
        }
    }
}

/// Primes of which as many are taken at once as their product fits 64 bits.
struct Groups<'a>(&'a [u32]);

impl<'a> Iterator for Groups<'a> {
    type Item = (u64, &'a [u32]);

    fn next(&mut self) -> Option<(u64, &'a [u32])> {
        let mut product = u64::from(*self.0.first()?);
        let mut count = 1;
        while let Some(more) =
            self.0.get(count).and_then(|prime| product.checked_mul(u64::from(*prime)))
        {
            product = more;
            count += 1;
        }
        let (group, rest) = self.0.split_at(count);
        self.0 = rest;
        Some((product, group))
    }
}

/// The rests of minus a number by odd ones of 64 bits.
fn negative<const N: usize>(number: &Limbs<N>, divisors: [u64; 4]) -> [u64; 4] {
    const { assert!(N.is_power_of_two(), "a power is made by squaring") };
    let inverses = divisors.map(inverse);
    // minus the number, divided by 2^(64 N)
    let mut rests = [0; 4];
    for limb in number {
        for ((rest, divisor), inverse) in rests.iter_mut().zip(divisors).zip(inverses) {
            let (limb, borrow) = limb.overflowing_sub(*rest);
            let multiple = u128::from(limb.wrapping_mul(inverse)) * u128::from(divisor);
            *rest = high(multiple) + u64::from(borrow);
        }
    }
    for ((rest, divisor), inverse) in rests.iter_mut().zip(divisors).zip(inverses) {
        // left * right / 2^64, for two numbers that are no larger than the divisor
        let multiply = |left: u64, right: u64| {
            let product = u128::from(left) * u128::from(right);
            let multiple = u128::from(low(product).wrapping_mul(inverse)) * u128::from(divisor);
            let (rest, borrow) = high(product).overflowing_sub(high(multiple));
            if borrow { rest.wrapping_add(divisor) } else { rest }
        };
        // 2^128, 2^192, 2^320, … until 2^(64 (N + 1))
        let square = low(u128::MAX % u128::from(divisor)) + 1;
        let power = (0..N.ilog2()).fold(square, |power, _| multiply(power, power));
        *rest = multiply(*rest, power);
    }
    rests
}

/// A power modulo a small number.
fn power(base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let (mut power, mut base) = (1, base % modulus);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = power * base % modulus;
        }
        base = base * base % modulus;
        exponent >>= 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::{odd_primes, survivors};

    #[test]
    fn primes_in_order() {
        assert_eq!(odd_primes(32), [3, 5, 7, 11, 13, 17, 19, 23, 29, 31]);
        assert_eq!(odd_primes(1 << 17).len(), 12250);
    }

    #[test]
    fn survivors_have_no_small_divisor() {
        let primes = odd_primes(1000);
        let check = |start: [u64; 2], step: [u64; 2]| {
            let number = |limbs: [u64; 2]| u128::from(limbs[1]) << 64 | u128::from(limbs[0]);
            let expected: Vec<usize> = (0u16..500)
                .filter(|index| {
                    let number = number(start) + u128::from(*index) * number(step);
                    primes.iter().all(|prime| number % u128::from(*prime) != 0)
                })
                .map(usize::from)
                .collect();
            assert_eq!(survivors(&start, &step, 500, &primes), expected, "{start:x?} {step:x?}");
        };
        check([1, 0], [2, 0]);
        check([u64::MAX, 0x1234_5678], [2, 0]);
        check([0x0123_4567_89AB_CDEF, u64::MAX - 1], [2, 0]);
        check([0x0123_4567_89AB_CDEF, 7], [0x1111_1111_1111_1111, 3]);
        // a step that the first prime divides
        check([0x0123_4567_89AB_CDEF, 7], [6, 0]);
        check([3, 0], [6, 0]);
    }
}
