//! Metadata that the system writes: uid, creation time, generation, names, deletion.

use crate::base::clock::rfc3339_seconds;
use crate::yaml::Node;
use jiff::Timestamp;

/// Gives a new object its uid and creation time; and generation 1 when its kind counts them. What
/// the object said of these, or of its deletion, is forgotten.
pub fn prepare_create(object: &mut Node, now: Timestamp, counts_generation: bool) {
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
        object.remove_at(&["metadata", field]);
    }
    object.set_at(&["metadata", "uid"], new_uid());
    object.set_at(&["metadata", "creationTimestamp"], rfc3339_seconds(now));
    if counts_generation {
        object.set_at(&["metadata", "generation"], 1);
    }
}

/// A random uid (RFC 9562, version 4).
#[must_use]
pub fn new_uid() -> String {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(bytes);
    let hex = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The five characters that complete a generated name: no vowels, so that they spell nothing, and
/// none that are taken for one another.
#[must_use]
pub fn name_suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut bytes = [0_u8; 5];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// A name made of a prefix; Kubernetes cuts prefixes so that names have at most 63 characters.
#[must_use]
pub fn generate_name(prefix: &str) -> String {
    let mut end = prefix.len().min(58);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{}", &prefix[..end], name_suffix())
}

/// Marks an object as being deleted.
pub fn mark_deleted(object: &mut Node, now: Timestamp, grace_seconds: i64) {
    let when =
        now.checked_add(jiff::SignedDuration::from_secs(grace_seconds)).unwrap_or(Timestamp::MAX);
    object.set_at(&["metadata", "deletionTimestamp"], rfc3339_seconds(when));
    object.set_at(&["metadata", "deletionGracePeriodSeconds"], grace_seconds);
}

/// True for an object that is being deleted.
#[must_use]
pub fn is_deleted(object: &Node) -> bool {
    object.at(&["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_null())
}
