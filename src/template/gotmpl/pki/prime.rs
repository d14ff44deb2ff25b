//! Large primes from a source of random bytes, always the same ones from the same bytes.
//!
//! A search begins at a random odd number and takes the first prime from there on, as those of
//! OpenSSL and PGP do: primes after long gaps come a little more often than others, which is of no
//! use to anyone. Candidates are sieved with small primes; what is left is tested with Fermat's test
//! to base 2, which is the cheapest there is, and the one that passes with that of Miller and Rabin.
//!
//! All threads test the candidates of one search, then those of the next: each takes the first few
//! that nobody has taken, and stops behind the least that passed. So it does not matter who is fast.

use super::lanes::{self, LANES};
use super::montgomery::{Limbs, Montgomery, high, low};
use super::sieve;
use super::stream::Stream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many threads search at most: more would mostly test numbers behind the one that is found.
const THREADS: usize = 8;

/// Random primes of `64 * N` bits, one from each stream, their two highest bits set, for which
/// `accept` holds.
pub(super) fn random<const N: usize, const COUNT: usize>(
    streams: &mut [Stream; COUNT],
    accept: &(impl Fn(&Limbs<N>) -> bool + Sync),
) -> [Limbs<N>; COUNT] {
    let small = small_primes::<N>();
    let mut step = [0; N];
    step[0] = 2;
    let mut found = [None; COUNT];
    while found.contains(&None) {
        let missing = streams.iter_mut().zip(&mut found).filter(|(_, found)| found.is_none());
        let (searches, places): (Vec<_>, Vec<_>) = missing
            .map(|(stream, place)| {
                let mut start = stream.limbs::<N>();
                start[0] |= 1;
                start[N - 1] |= 3 << 62;
                (Search::new(start, step, stream, &small), place)
            })
            .unzip();
        for (place, prime) in places.into_iter().zip(first_primes(searches, accept)) {
            *place = prime;
        }
    }
    found.map(|prime| prime.expect("all were found"))
}

/// The first prime of `start`, `start + step`, … when there is one nearby.
pub(super) fn in_progression<const N: usize>(
    start: Limbs<N>,
    step: Limbs<N>,
    stream: &mut Stream,
) -> Option<Limbs<N>> {
    let small = small_primes::<N>();
    first_primes(vec![Search::new(start, step, stream, &small)], &|_| true).pop()?
}

/// The primes to sieve with: the larger the numbers, the more it costs to test one.
fn small_primes<const N: usize>() -> Vec<u32> {
    sieve::odd_primes(N << 14)
}

/// A progression that is searched.
struct Search<'a, const N: usize> {
    start: Limbs<N>,
    step: Limbs<N>,
    stream: &'a mut Stream,
    small_primes: &'a [u32],
    /// The members that no small prime divides.
    candidates: OnceLock<Vec<usize>>,
    /// The first candidate that no thread has taken.
    next: AtomicUsize,
    /// The first candidate that passed Fermat's test.
    passed: AtomicUsize,
    prime: Option<Limbs<N>>,
    /// True when there is nothing more to test.
    done: bool,
}

/// Searches in many progressions at once.
fn first_primes<const N: usize>(
    mut searches: Vec<Search<'_, N>>,
    accept: &(impl Fn(&Limbs<N>) -> bool + Sync),
) -> Vec<Option<Limbs<N>>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    while searches.iter().any(|search| !search.done) {
        thread::scope(|scope| {
            let searches = &searches;
            let work = move |own: usize| {
                if let Some(own) = searches.get(own) {
                    own.candidates();
                }
                for search in searches.iter().filter(|search| !search.done) {
                    search.test(accept);
                }
            };
            for own in 1..threads {
                scope.spawn(move || work(own));
            }
            work(0);
        });
        thread::scope(|scope| {
            for search in searches.iter_mut().filter(|search| !search.done) {
                scope.spawn(|| search.settle());
            }
        });
    }
    searches.into_iter().map(|search| search.prime).collect()
}

impl<'a, const N: usize> Search<'a, N> {
    fn new(
        start: Limbs<N>,
        step: Limbs<N>,
        stream: &'a mut Stream,
        small_primes: &'a [u32],
    ) -> Search<'a, N> {
        Search {
            start,
            step,
            stream,
            small_primes,
            candidates: OnceLock::new(),
            next: AtomicUsize::new(0),
            passed: AtomicUsize::new(usize::MAX),
            prime: None,
            done: false,
        }
    }

    fn candidates(&self) -> &[usize] {
        // a prime is to be expected after about 22 · N odd numbers
        let length = 512 * N;
        self.candidates
            .get_or_init(|| sieve::survivors(&self.start, &self.step, length, self.small_primes))
    }

    /// Tests candidates until one passes, together with other threads.
    fn test(&self, accept: &impl Fn(&Limbs<N>) -> bool) {
        let candidates = self.candidates();
        loop {
            let taken = self.next.fetch_add(LANES, Ordering::Relaxed);
            if taken >= candidates.len() || taken >= self.passed.load(Ordering::Relaxed) {
                return;
            }
            let (indices, numbers): (Vec<_>, Vec<_>) = (taken..candidates.len())
                .take(LANES)
                .filter_map(|index| Some((index, self.member(candidates[index])?)))
                .filter(|(_, number)| accept(number))
                .unzip();
            if let Some(first) = first_passing(&numbers) {
                self.passed.fetch_min(indices[first], Ordering::Relaxed);
            }
        }
    }

    /// Tests what passed once more, with bases that nobody could foresee.
    fn settle(&mut self) {
        let passed = *self.passed.get_mut();
        let Some(index) = self.candidates().get(passed) else {
            self.done = true;
            return;
        };
        let prime = self.member(*index).expect("it was tested");
        let bases: Vec<_> = (0..rounds(64 * N)).map(|_| self.stream.limbs()).collect();
        if is_prime(&prime, &bases) {
            (self.prime, self.done) = (Some(prime), true);
        } else {
            self.next = AtomicUsize::new(passed + 1);
            self.passed = AtomicUsize::new(usize::MAX);
        }
    }

    /// A number of the progression, unless it is too large.
    fn member(&self, index: usize) -> Option<Limbs<N>> {
        let index = u128::try_from(index).expect("it has 64 bits at most");
        let mut member = [0; N];
        let mut carry = 0;
        for ((out, start), step) in member.iter_mut().zip(&self.start).zip(&self.step) {
            let wide = u128::from(*start) + u128::from(*step) * index + u128::from(carry);
            *out = low(wide);
            carry = high(wide);
        }
        (carry == 0).then_some(member)
    }
}

/// Rounds of Miller and Rabin after which less than one in 2^100 random numbers passes wrongly
/// (FIPS 186-5, table B.1; the fewer, the larger the numbers), and one more.
const fn rounds(bits: usize) -> usize {
    match bits {
        2048.. => 3,
        1024.. => 5,
        _ => 27,
    }
}

/// The first of a few candidates that passes Fermat's test to base 2.
fn first_passing<const N: usize>(candidates: &[Limbs<N>]) -> Option<usize> {
    // without optimization, the arithmetic of a library is many times faster
    if cfg!(debug_assertions) {
        return candidates.iter().position(slow::fermat);
    }
    match lanes::fermat(candidates) {
        Some(passed) => passed.iter().position(|passed| *passed),
        None => candidates.iter().position(|candidate| Montgomery::of(*candidate).fermat()),
    }
}

/// The test of Miller and Rabin with each of the bases.
fn is_prime<const N: usize>(candidate: &Limbs<N>, bases: &[Limbs<N>]) -> bool {
    if cfg!(debug_assertions) {
        return bases.iter().all(|base| slow::witness(candidate, base));
    }
    lanes::witnesses(candidate, bases).unwrap_or_else(|| {
        let field = Montgomery::of(*candidate);
        bases.iter().all(|base| field.witness(base))
    })
}

/// The same tests with another arithmetic.
mod slow {
    use super::Limbs;
    use num_bigint::BigUint;

    pub(super) fn fermat<const N: usize>(candidate: &Limbs<N>) -> bool {
        let candidate = big(candidate);
        let one = BigUint::from(1u8);
        BigUint::from(2u8).modpow(&(&candidate - &one), &candidate) == one
    }

    pub(super) fn witness<const N: usize>(candidate: &Limbs<N>, base: &Limbs<N>) -> bool {
        let candidate = big(candidate);
        let one = BigUint::from(1u8);
        let even = &candidate - &one;
        let zeros = even.trailing_zeros().unwrap_or(0);
        let mut power = big(base).modpow(&(&even >> zeros), &candidate);
        power == one
            || (0..zeros).any(|_| {
                let found = power == even;
                power = &power * &power % &candidate;
                found
            })
    }

    fn big<const N: usize>(limbs: &Limbs<N>) -> BigUint {
        limbs.iter().rev().fold(BigUint::ZERO, |number, limb| (number << 64u8) + *limb)
    }
}

#[cfg(test)]
mod tests {
    use super::super::montgomery::Montgomery;
    use super::{Limbs, Stream, in_progression, random, slow};

    fn stream(seed: u8) -> Stream {
        Stream::new([seed; 32])
    }

    /// The tests of this arithmetic and of the library's agree, for primes and for others.
    #[test]
    fn both_arithmetics_agree() {
        let [prime] = random::<4, 1>(&mut [stream(1)], &|_| true);
        let check = |number: Limbs<4>| {
            let (field, base) = (Montgomery::of(number), stream(2).limbs());
            assert_eq!(field.fermat(), slow::fermat(&number));
            assert_eq!(field.witness(&base), slow::witness(&number, &base));
            field.witness(&base)
        };
        assert!(check(prime));
        for step in 1..40 {
            let mut other = prime;
            other[0] ^= 2 * step;
            check(other);
        }
    }

    #[test]
    fn same_bytes_give_the_same_primes() {
        let search = || random::<8, 2>(&mut [stream(1), stream(2)], &|_| true);
        let [first, second] = search();
        assert_eq!(search(), [first, second]);
        // side by side or one after the other
        assert_eq!(random::<8, 1>(&mut [stream(2)], &|_| true), [second]);
        assert!(first[7] >> 62 == 3 && second[7] >> 62 == 3);
    }

    #[test]
    fn what_is_not_accepted_is_passed_over() {
        let [first] = random::<4, 1>(&mut [stream(1)], &|_| true);
        let [next] = random::<4, 1>(&mut [stream(1)], &|prime| *prime != first);
        assert!(next > first || next[1..] == first[1..]);
        assert_ne!(next, first);
        let none = random::<4, 1>(&mut [stream(1)], &|prime| prime[3] != first[3]);
        assert_ne!(none[0][3], first[3], "another place is searched");
    }

    #[test]
    fn progressions_end() {
        let mut start = [u64::MAX; 4];
        assert_eq!(in_progression(start, [2, 0, 0, 0], &mut stream(1)), None);
        // 2^256 - 189 is the largest prime of 256 bits
        start[0] -= 400;
        let largest = [u64::MAX - 188, u64::MAX, u64::MAX, u64::MAX];
        let found = in_progression(start, [2, 0, 0, 0], &mut stream(1)).expect("a prime");
        assert!(found[0] <= largest[0]);
        start[0] = largest[0] - 2;
        assert_eq!(in_progression(start, [2, 0, 0, 0], &mut stream(1)), Some(largest));
    }
}
