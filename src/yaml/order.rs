//! The order in which go-yaml sorts keys: naturally, so that `a9` stands before `a10`.
//!
//! Signs and digits come before letters. Runs of digits are compared as numbers. Within a number,
//! version 3 puts a letter before other signs (`1a` before `1-`), version 2 does not.
//!
//! The comparison is not transitive for every set of keys, so the sort here is one that takes any
//! answers: the result is then as arbitrary as Go's.

use super::emit::Flavor;

/// Whether a key comes before another.
type Less = fn(&str, &str) -> bool;

pub(super) fn less(flavor: Flavor) -> Less {
    match flavor {
        Flavor::Kubernetes => |a, b| comes_before(a, b, false),
        Flavor::Kustomize => |a, b| comes_before(a, b, true),
    }
}

fn comes_before(a: &str, b: &str, numbers_end: bool) -> bool {
    let shared = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let (left, right) = (a.as_bytes().get(shared), b.as_bytes().get(shared));
    let (Some(left), Some(right)) = (left, right) else { return a.len() < b.len() };
    if left.is_ascii_lowercase() && right.is_ascii_lowercase() {
        return left < right;
    }
    // back to where the characters begin
    let mut at = shared;
    while !a.is_char_boundary(at) {
        at -= 1;
    }
    let (head, left, right) = (&a[..at], &a[at..], &b[at..]);
    let first = |text: &str| text.chars().next().unwrap_or_default();
    let (l, r) = (first(left), first(right));
    match (l.is_alphabetic(), r.is_alphabetic()) {
        (true, true) => return l < r,
        (false, false) => {}
        (letter, other) => {
            let in_number = head.chars().next_back().is_some_and(is_digit);
            return if numbers_end && in_number { letter } else { other };
        }
    }
    // a zero inside of a number does not lead it
    let inside =
        (l == '0' || r == '0') && head.chars().rev().take_while(|c| is_digit(*c)).any(|c| c != '0');
    let start = i64::from(inside);
    let (left_number, left_length) = number(left, start);
    let (right_number, right_length) = number(right, start);
    if left_number != right_number {
        return left_number < right_number;
    }
    if left_length != right_length {
        return left_length < right_length;
    }
    l < r
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit() || !character.is_ascii() && character.is_numeric()
}

fn number(text: &str, start: i64) -> (i64, usize) {
    let digits = text.chars().take_while(|c| is_digit(*c));
    digits.fold((start, 0), |(value, length), digit| {
        let digit = i64::from(u32::from(digit)) - i64::from(u32::from('0'));
        (value.wrapping_mul(10).wrapping_add(digit), length + 1)
    })
}

/// Sorts by insertion, and what is long by merging halves; never panics, whatever `less` says.
pub(super) fn sort<T: Copy>(items: &mut Vec<T>, less: &dyn Fn(&T, &T) -> bool) {
    const SHORT: usize = 12;
    if items.windows(2).all(|pair| !less(&pair[1], &pair[0])) {
        return;
    }
    if items.len() <= SHORT {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && less(&items[at], &items[at - 1]) {
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let mut right = items.split_off(items.len() / 2);
    sort(items, less);
    sort(&mut right, less);
    let mut merged = Vec::with_capacity(items.len() + right.len());
    let (mut a, mut b) = (items.iter().peekable(), right.iter().peekable());
    while let (Some(left), Some(next)) = (a.peek(), b.peek()) {
        let from = if less(next, left) { &mut b } else { &mut a };
        merged.extend(from.next());
    }
    merged.extend(a);
    merged.extend(b);
    *items = merged;
}
