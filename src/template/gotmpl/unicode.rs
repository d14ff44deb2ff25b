//! Characters as Go's packages `unicode` and `utf8` see them.
//!
//! Cases are simple mappings there, one character to one (`ß` has no upper case), and classes are
//! general categories (`Ⓐ` is no upper case letter), which is where Rust's own methods differ.

use regex::Regex;
use std::sync::LazyLock;

/// The characters of a text, U+FFFD for each byte that is no UTF-8.
pub fn chars(text: &[u8]) -> impl Iterator<Item = char> {
    runes(text).map(|(char, _)| char)
}

/// The characters of a text, each with the number of its bytes: one for a byte that is no UTF-8,
/// which counts as U+FFFD.
pub fn runes(text: &[u8]) -> impl Iterator<Item = (char, usize)> {
    text.utf8_chunks().flat_map(|chunk| {
        let invalid = chunk.invalid().iter().map(|_| (char::REPLACEMENT_CHARACTER, 1));
        chunk.valid().chars().map(|char| (char, char.len_utf8())).chain(invalid)
    })
}

/// Go's `unicode.IsSpace`.
#[must_use]
pub fn is_space(char: char) -> bool {
    char.is_whitespace()
}

/// Go's `unicode.IsLetter`.
#[must_use]
pub fn is_letter(char: char) -> bool {
    static CLASS: LazyLock<Regex> = LazyLock::new(|| class(r"\pL"));
    in_class(char, u8::is_ascii_alphabetic, &CLASS)
}

/// Go's `unicode.IsUpper`.
#[must_use]
pub fn is_upper(char: char) -> bool {
    static CLASS: LazyLock<Regex> = LazyLock::new(|| class(r"\p{Lu}"));
    in_class(char, u8::is_ascii_uppercase, &CLASS)
}

/// Go's `unicode.IsLower`.
#[must_use]
pub fn is_lower(char: char) -> bool {
    static CLASS: LazyLock<Regex> = LazyLock::new(|| class(r"\p{Ll}"));
    in_class(char, u8::is_ascii_lowercase, &CLASS)
}

/// Go's `unicode.IsTitle`.
#[must_use]
pub fn is_title(char: char) -> bool {
    static CLASS: LazyLock<Regex> = LazyLock::new(|| class(r"\p{Lt}"));
    in_class(char, |_| false, &CLASS)
}

/// Go's `unicode.IsDigit`: decimal digits.
#[must_use]
pub fn is_digit(char: char) -> bool {
    static CLASS: LazyLock<Regex> = LazyLock::new(|| class(r"\p{Nd}"));
    in_class(char, u8::is_ascii_digit, &CLASS)
}

/// Go's `unicode.IsNumber`.
#[must_use]
pub fn is_number(char: char) -> bool {
    static CLASS: LazyLock<Regex> = LazyLock::new(|| class(r"\pN"));
    in_class(char, u8::is_ascii_digit, &CLASS)
}

/// Go's `unicode.IsPunct`, for which `$+<=>^`|~` are symbols and no punctuation.
#[must_use]
pub fn is_punct(char: char) -> bool {
    static CLASS: LazyLock<Regex> = LazyLock::new(|| class(r"\pP"));
    let symbol = |byte: &u8| b"$+<=>^`|~".contains(byte);
    in_class(char, |byte| byte.is_ascii_punctuation() && !symbol(byte), &CLASS)
}

/// Go's `unicode.ToUpper`.
#[must_use]
pub fn to_upper(char: char) -> char {
    if let Some(upper) = single(char.to_uppercase()) {
        return upper;
    }
    // letters with a subscript iota: in full two letters, in simple the title form
    let code = u32::from(char);
    let shift = match code {
        0x1f80..=0x1faf if code & 8 == 0 => 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => 9,
        _ => 0,
    };
    char::from_u32(code + shift).unwrap_or(char)
}

/// Go's `unicode.ToLower`.
#[must_use]
pub fn to_lower(char: char) -> char {
    match char {
        'İ' => 'i',
        _ => single(char.to_lowercase()).unwrap_or(char),
    }
}

/// Go's `unicode.ToTitle`.
#[must_use]
pub fn to_title(char: char) -> char {
    match char {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        // Georgian: capitals are for whole words
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => char,
        _ => to_upper(char),
    }
}

fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next();
    if mapped.next().is_some() { None } else { first }
}

fn class(name: &str) -> Regex {
    Regex::new(&format!("^{name}")).expect("a class of Unicode's")
}

fn in_class(char: char, ascii: impl Fn(&u8) -> bool, class: &Regex) -> bool {
    match u8::try_from(char) {
        Ok(byte) if byte.is_ascii() => ascii(&byte),
        _ => class.is_match(char.encode_utf8(&mut [0; 4])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_simple_mappings() {
        for (char, upper, lower, title) in [
            ('a', 'A', 'a', 'A'),
            ('ß', 'ß', 'ß', 'ß'),
            ('İ', 'İ', 'i', 'İ'),
            ('ǆ', 'Ǆ', 'ǆ', 'ǅ'),
            ('ᾳ', 'ᾼ', 'ᾳ', 'ᾼ'),
            ('ა', 'Ა', 'ა', 'ა'),
            ('ŉ', 'ŉ', 'ŉ', 'ŉ'),
        ] {
            assert_eq!((to_upper(char), to_lower(char), to_title(char)), (upper, lower, title));
        }
    }

    #[test]
    fn classes_are_general_categories() {
        assert!(is_upper('É') && !is_upper('Ⓐ') && is_lower('ß') && !is_lower('ª'));
        assert!(is_punct('-') && !is_punct('+') && is_number('½') && !is_digit('½'));
        assert!(is_letter('語') && is_title('ǅ') && is_space('\u{2003}'));
    }

    #[test]
    fn each_bad_byte_is_a_character() {
        let found: Vec<_> = runes(b"a\xe6\x97z").collect();
        assert_eq!(found, [('a', 1), ('\u{fffd}', 1), ('\u{fffd}', 1), ('z', 1)]);
    }
}
