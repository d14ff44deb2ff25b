//! Tests for primes of eight numbers, or with eight bases, at once: one in each lane of the widest
//! vectors.
//!
//! Processors with AVX-512 IFMA multiply eight pairs of 52 bits in one step. Numbers stand in limbs
//! of 52 bits, the same limb of all eight in one vector, so that no lane ever needs another. Sums of
//! products grow in the upper bits and are brought back to 52 bits once for each square. There is
//! room above the modulus, so that nothing has to be compared with it: squares stay below twice the
//! modulus, and doubling one leaves it below four times.
//!
//! These are the same tests as [`super::montgomery`] has, and give the same answers; other processors
//! use those.

use super::montgomery::Limbs;

/// How many numbers are tested at once.
pub(super) const LANES: usize = 8;

/// Which of the numbers, at most eight, pass Fermat's test to base 2; nothing where the processor
/// cannot do it, or for sizes other than those of the primes of usual keys.
pub(super) fn fermat<const N: usize>(numbers: &[Limbs<N>]) -> Option<[bool; LANES]> {
    let passed = run(&Test::Fermat, &filled(numbers)?)?;
    Some(std::array::from_fn(|lane| passed >> lane & 1 == 1))
}

/// Whether a number passes the test of Miller and Rabin with each of the bases, at most eight;
/// nothing as above.
pub(super) fn witnesses<const N: usize>(number: &Limbs<N>, bases: &[Limbs<N>]) -> Option<bool> {
    let passed = run(&Test::MillerRabin { bases: filled(bases)? }, &[*number; LANES])?;
    Some(passed == u8::MAX)
}

/// What is asked of the numbers.
enum Test<const N: usize> {
    Fermat,
    /// The numbers of all lanes are the same.
    MillerRabin {
        bases: [Limbs<N>; LANES],
    },
}

/// One for each lane, the last again and again where there are fewer.
fn filled<const N: usize>(numbers: &[Limbs<N>]) -> Option<[Limbs<N>; LANES]> {
    let last = numbers.last().filter(|_| numbers.len() <= LANES)?;
    Some(std::array::from_fn(|lane| *numbers.get(lane).unwrap_or(last)))
}

/// A bit for each lane that passed. Limbs of 52 bits have room for four bits more than those of 64.
fn run<const N: usize>(test: &Test<N>, numbers: &[Limbs<N>; LANES]) -> Option<u8> {
    match N {
        8 => vectors::run::<N, 10>(test, numbers),
        16 => vectors::run::<N, 20>(test, numbers),
        32 => vectors::run::<N, 40>(test, numbers),
        _ => None,
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod vectors {
    use super::{LANES, Limbs, Test};

    pub(super) fn run<const N: usize, const L: usize>(
        _: &Test<N>,
        _: &[Limbs<N>; LANES],
    ) -> Option<u8> {
        None
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use super::super::montgomery::{Montgomery, digits, odd_part};
    use super::{LANES, Limbs, Test};
    use std::arch::x86_64::{
        __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epi64_mask,
        _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_set1_epi64, _mm512_setr_epi64,
        _mm512_setzero_si512, _mm512_slli_epi64, _mm512_sllv_epi64, _mm512_srli_epi64,
    };

    const BITS: usize = 52;
    const MASK: u64 = (1 << BITS) - 1;

    pub(super) fn run<const N: usize, const L: usize>(
        test: &Test<N>,
        numbers: &[Limbs<N>; LANES],
    ) -> Option<u8> {
        let able = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
        // SAFETY: the function needs these two features and nothing else
        able.then(|| unsafe { run_wide::<N, L>(test, numbers) })
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn run_wide<const N: usize, const L: usize>(test: &Test<N>, numbers: &[Limbs<N>; LANES]) -> u8 {
        let field = Field::<L>::of(numbers);
        match test {
            Test::Fermat => field.fermat(numbers),
            Test::MillerRabin { bases } => field.miller_rabin(&numbers[0], bases),
        }
    }

    /// Eight moduli.
    struct Field<const L: usize> {
        modulus: [__m512i; L],
        /// Minus the inverses of the moduli, modulo 2^52.
        factor: __m512i,
        /// One in Montgomery's form, which is 2^(52 L) modulo each modulus.
        one: [__m512i; L],
    }

    impl<const L: usize> Field<L> {
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn of<const N: usize>(numbers: &[Limbs<N>; LANES]) -> Field<L> {
            let fields = numbers.map(Montgomery::of);
            let ones = std::array::from_fn(|lane| fields[lane].power_of_two(BITS * L));
            Field {
                modulus: packed(numbers),
                factor: vector(std::array::from_fn(|lane| fields[lane].factor() & MASK)),
                one: packed::<N, L>(&ones),
            }
        }

        /// A bit for each lane where 2^(n - 1) is 1.
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn fermat<const N: usize>(&self, numbers: &[Limbs<N>; LANES]) -> u8 {
            let mut power = self.one;
            for index in (0..N).rev() {
                // n - 1 differs from n in the lowest bit
                let lowest = u64::from(index == 0);
                let mut exponent = vector(numbers.map(|number| number[index] & !lowest));
                for _ in 0..64 {
                    let doubled = _mm512_srli_epi64::<63>(exponent);
                    exponent = _mm512_slli_epi64::<1>(exponent);
                    power = normal(self.product(&power, &power), doubled);
                }
            }
            equal(&self.plain(&power), &small(1))
        }

        /// A bit for each lane whose base does not show that the number is no prime.
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn miller_rabin<const N: usize>(&self, number: &Limbs<N>, bases: &[Limbs<N>; LANES]) -> u8 {
            let (odd, zeros) = odd_part(number);
            let mut minus_one = self.modulus;
            // the number is odd: there is nothing to borrow
            minus_one[0] = _mm512_add_epi64(minus_one[0], _mm512_set1_epi64(-1));
            // any number will do as a base, in the form or not
            let mut power = self.power(&packed::<N, L>(bases), &odd);
            let mut passed = equal(&self.plain(&power), &small(1));
            for _ in 0..zeros {
                passed |= equal(&self.plain(&power), &minus_one);
                power = self.multiply(&power, &power);
            }
            passed
        }

        /// A power, four bits of the exponent at a time.
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn power<const N: usize>(&self, base: &[__m512i; L], exponent: &Limbs<N>) -> [__m512i; L] {
            let mut powers = [self.one; 16];
            for index in 1..powers.len() {
                powers[index] = self.multiply(&powers[index - 1], base);
            }
            let mut power = self.one;
            for digit in digits(exponent) {
                for _ in 0..4 {
                    power = self.multiply(&power, &power);
                }
                power = self.multiply(&power, &powers[digit]);
            }
            power
        }

        /// Out of Montgomery's form, which leaves no more than the modulus.
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn plain(&self, number: &[__m512i; L]) -> [__m512i; L] {
            self.multiply(number, &small(1))
        }

        #[target_feature(enable = "avx512f,avx512ifma")]
        #[inline]
        fn multiply(&self, left: &[__m512i; L], right: &[__m512i; L]) -> [__m512i; L] {
            normal(self.product(left, right), _mm512_setzero_si512())
        }

        /// `left * right / 2^(52 L)` modulo the modulus, in limbs of up to 60 bits.
        #[target_feature(enable = "avx512f,avx512ifma")]
        #[inline]
        fn product(&self, left: &[__m512i; L], right: &[__m512i; L]) -> [__m512i; L] {
            let Field { modulus, factor, .. } = self;
            let zero = _mm512_setzero_si512();
            let mut sum = [zero; L];
            for limb in left {
                let lowest = _mm512_madd52lo_epu64(sum[0], *limb, right[0]);
                // the multiple of the modulus that makes the lowest limb zero, which is then left out
                let multiple = _mm512_madd52lo_epu64(zero, lowest, *factor);
                let carry = _mm512_madd52lo_epu64(lowest, multiple, modulus[0]);
                for index in 0..L - 1 {
                    let high = _mm512_madd52hi_epu64(sum[index + 1], *limb, right[index]);
                    let high = _mm512_madd52hi_epu64(high, multiple, modulus[index]);
                    let both = _mm512_madd52lo_epu64(high, *limb, right[index + 1]);
                    sum[index] = _mm512_madd52lo_epu64(both, multiple, modulus[index + 1]);
                }
                let high = _mm512_madd52hi_epu64(zero, *limb, right[L - 1]);
                sum[L - 1] = _mm512_madd52hi_epu64(high, multiple, modulus[L - 1]);
                sum[0] = _mm512_add_epi64(sum[0], _mm512_srli_epi64::<52>(carry));
            }
            sum
        }
    }

    /// Limbs of 52 bits again, those lanes doubled for which there is a one.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn normal<const L: usize>(mut sum: [__m512i; L], doubled: __m512i) -> [__m512i; L] {
        let mask = _mm512_set1_epi64(MASK.cast_signed());
        let mut carry = _mm512_setzero_si512();
        for limb in &mut sum {
            let wide = _mm512_add_epi64(_mm512_sllv_epi64(*limb, doubled), carry);
            carry = _mm512_srli_epi64::<52>(wide);
            *limb = _mm512_and_si512(wide, mask);
        }
        sum
    }

    /// A bit for each lane in which all limbs are the same.
    #[target_feature(enable = "avx512f")]
    fn equal<const L: usize>(left: &[__m512i; L], right: &[__m512i; L]) -> u8 {
        let mut equal = u8::MAX;
        for (left, right) in left.iter().zip(right) {
            equal &= _mm512_cmpeq_epi64_mask(*left, *right);
        }
        equal
    }

    #[target_feature(enable = "avx512f")]
    fn small<const L: usize>(number: i64) -> [__m512i; L] {
        let mut limbs = [_mm512_setzero_si512(); L];
        limbs[0] = _mm512_set1_epi64(number);
        limbs
    }

    #[target_feature(enable = "avx512f")]
    fn packed<const N: usize, const L: usize>(numbers: &[Limbs<N>; LANES]) -> [__m512i; L] {
        let mut limbs = [_mm512_setzero_si512(); L];
        for (index, limb) in limbs.iter_mut().enumerate() {
            let (word, shift) = (index * BITS / 64, index * BITS % 64);
            *limb = vector(numbers.map(|number| {
                let high = number.get(word + 1).map_or(0, |high| *high << 1 << (63 - shift));
                (number.get(word).map_or(0, |low| *low >> shift) | high) & MASK
            }));
        }
        limbs
    }

    #[target_feature(enable = "avx512f")]
    fn vector(lanes: [u64; LANES]) -> __m512i {
        let lanes = lanes.map(u64::cast_signed);
        _mm512_setr_epi64(
            lanes[0], lanes[1], lanes[2], lanes[3], lanes[4], lanes[5], lanes[6], lanes[7],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::montgomery::Montgomery;
    use super::{LANES, Limbs, fermat, witnesses};

    /// A prime in one lane and what is near it in the others; bases for it and its neighbour. The
    /// answers are those of the arithmetic without vectors.
    fn check<const N: usize>(distance_below_power: u64, lane: usize) {
        let mut numbers = [[u64::MAX; N]; LANES];
        let mut passing = [false; LANES];
        passing[lane] = true;
        for (index, even) in (0..LANES).zip((2..).step_by(2)) {
            let more = if index == lane { 0 } else { even };
            numbers[index][0] = 0u64.wrapping_sub(distance_below_power + more);
        }
        let scalar = numbers.map(|number| Montgomery::of(number).fermat());
        assert_eq!(scalar, passing);
        assert_eq!(fermat(&numbers).unwrap_or(scalar), passing);
        let bases: [Limbs<N>; 3] = [[3; N], [u64::MAX; N], numbers[lane].map(|limb| limb / 7)];
        for (number, passing) in numbers.iter().zip(passing).skip(lane / 2 * 2).take(2) {
            let scalar = bases.iter().all(|base| Montgomery::of(*number).witness(base));
            assert_eq!(scalar, passing);
            assert_eq!(witnesses(number, &bases).unwrap_or(scalar), passing);
        }
    }

    #[test]
    fn knows_primes_from_others() {
        // the largest primes of 512, 1024 and 2048 bits
        check::<8>(569, 0);
        check::<16>(105, 3);
        check::<32>(1_942_289, 7);
    }

    #[test]
    fn takes_no_other_sizes() {
        assert_eq!(fermat(&[[u64::MAX; 4]]), None);
        assert_eq!(fermat::<16>(&[]), None);
        assert_eq!(witnesses(&[u64::MAX; 16], &[[3; 16]; 9]), None);
    }
}
