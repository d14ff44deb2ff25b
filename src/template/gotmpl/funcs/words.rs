//! Words: their cases, their first letters, and lines of them.

use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{INT, STRING};
use crate::template::gotmpl::unicode::{self, is_space, is_upper, to_lower, to_title, to_upper};
use crate::template::gotmpl::value::{Text, Value};

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("camelcase", &[&STRING], |call| Ok(Value::text(pascal_case(call.text(0))))),
    Function::new("initials", &[&STRING], initials),
    Function::new("kebabcase", &[&STRING], |call| Ok(Value::text(split_case(call.text(0), '-')))),
    Function::new("lower", &[&STRING], |call| Ok(mapped(call.text(0), to_lower))),
    Function::new("snakecase", &[&STRING], |call| Ok(Value::text(split_case(call.text(0), '_')))),
    Function::new("swapcase", &[&STRING], |call| Ok(Value::text(swap_case(call.text(0))))),
    Function::new("title", &[&STRING], title),
    Function::new("untitle", &[&STRING], untitle),
    Function::new("upper", &[&STRING], |call| Ok(mapped(call.text(0), to_upper))),
    Function::new("wrap", &[&INT, &STRING], wrap),
    Function::new("wrapWith", &[&INT, &STRING, &STRING], wrap_with),
];

fn mapped(text: &Text, map: fn(char) -> char) -> Value {
    let mut changed = false;
    let chars = unicode::runes(text).map(|(char, size)| {
        let new = map(char);
        // a byte that is no UTF-8 becomes a character of its own
        changed |= new != char || size != char.len_utf8();
        new
    });
    let out: String = chars.collect();
    if changed { Value::text(out) } else { Value::Text(text.clone()) }
}

/// Takes bytes for characters, as sprig does.
fn initials(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut after_space = true;
    let latin = call.text(0).iter().map(|byte| char::from(*byte));
    let first = latin.filter(|char| {
        let before = std::mem::replace(&mut after_space, is_space(*char));
        before && !after_space
    });
    Ok(Value::text(first.collect::<String>()))
}

fn title(call: &mut Call<'_>) -> Result<Value, Failure> {
    let is_separator = |char: char| match char {
        '\0'..='\x7f' => !char.is_ascii_alphanumeric() && char != '_',
        _ => !unicode::is_letter(char) && !unicode::is_digit(char) && is_space(char),
    };
    let mut previous = ' ';
    let mut out = String::new();
    for char in unicode::chars(call.text(0)) {
        out.push(if is_separator(previous) { to_title(char) } else { char });
        previous = char;
    }
    Ok(Value::text(out))
}

fn untitle(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut first = true;
    let lowered = unicode::chars(call.text(0)).map(|char| {
        if is_space(char) {
            first = true;
            char
        } else if std::mem::replace(&mut first, false) {
            to_lower(char)
        } else {
            char
        }
    });
    Ok(Value::text(lowered.collect::<String>()))
}

fn swap_case(text: &[u8]) -> String {
    let mut after_space = true;
    let swapped = unicode::chars(text).map(|char| {
        if is_upper(char) || unicode::is_title(char) {
            after_space = false;
            to_lower(char)
        } else if unicode::is_lower(char) {
            let first = std::mem::replace(&mut after_space, false);
            if first { to_title(char) } else { to_upper(char) }
        } else {
            after_space = is_space(char);
            char
        }
    });
    swapped.collect()
}

fn is_connector(char: char) -> bool {
    matches!(char, '-' | '_') || is_space(char)
}

/// `some_words` → `SomeWords`; connectors at the start stay, of several in a row all but one. A
/// text of connectors alone gets its last one twice.
fn pascal_case(text: &[u8]) -> String {
    let mut out = String::new();
    let mut chars = unicode::chars(text);
    let mut held = loop {
        match chars.next() {
            None => {
                out.extend(out.chars().next_back());
                return out;
            }
            Some(char) if is_connector(char) => out.push(char),
            Some(char) => break char,
        }
    };
    let mut in_capitals = is_upper(held);
    held = to_upper(held);
    for next in chars {
        let mut char = next;
        if is_connector(held) {
            if is_connector(char) {
                out.push(held);
                held = char;
                continue;
            }
            in_capitals = is_upper(char);
            char = to_upper(char);
        } else {
            if in_capitals {
                if is_upper(char) {
                    char = to_lower(char);
                } else {
                    in_capitals = false;
                }
            }
            out.push(held);
        }
        held = char;
    }
    out.push(held);
    out
}

/// What the characters of a word have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    End,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punct,
    Other,
}

/// `FirstName` → `first_name`, as huandu's xstrings cuts words.
fn split_case(text: &[u8], connector: char) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    let (mut kind, mut word) = next_word(&mut rest);
    let connect = |out: &mut Vec<u8>| out.push(connector as u8);
    let put = |out: &mut Vec<u8>, kind, word| lowered(out, kind, word, connector);
    let ends = |kind| matches!(kind, Word::End | Word::Punct | Word::Connector);
    while !rest.is_empty() {
        if kind != Word::Connector {
            put(&mut out, kind, word);
        }
        let (before, last) = (kind, word);
        (kind, word) = next_word(&mut rest);
        match before {
            Word::Number => {
                while matches!(kind, Word::Alphabet | Word::Number) {
                    put(&mut out, kind, word);
                    (kind, word) = next_word(&mut rest);
                }
                if !ends(kind) {
                    connect(&mut out);
                }
            }
            Word::Connector => put(&mut out, before, last),
            Word::Punct => {}
            _ if kind != Word::Number => {
                if kind != Word::Connector && kind != Word::Punct {
                    connect(&mut out);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word) = next_word(&mut rest);
                if kind == Word::Alphabet {
                    // small letters follow the number: HTTP2xx
                    connect(&mut out);
                    put(&mut out, Word::Number, number);
                    while matches!(kind, Word::Alphabet | Word::Number) {
                        put(&mut out, kind, word);
                        (kind, word) = next_word(&mut rest);
                    }
                    if !ends(kind) {
                        connect(&mut out);
                    }
                } else {
                    // the number belongs to the word before: Bld4Floor
                    put(&mut out, Word::Number, number);
                    if kind != Word::Connector && kind != Word::Punct {
                        connect(&mut out);
                    }
                }
            }
        }
    }
    put(&mut out, kind, word);
    out
}

fn lowered(out: &mut Vec<u8>, kind: Word, word: &[u8], connector: char) {
    if kind != Word::Upper && kind != Word::Connector {
        out.extend_from_slice(word);
        return;
    }
    for char in unicode::chars(word) {
        let char = match char {
            char if is_connector(char) => connector,
            char if is_upper(char) => to_lower(char),
            char => char,
        };
        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Takes the next word off a text.
fn next_word<'a>(rest: &mut &'a [u8]) -> (Word, &'a [u8]) {
    let mut cursor = Cursor { text: rest, at: 0, last: char::REPLACEMENT_CHARACTER };
    let (first, _) = cursor.peek();
    cursor.take();
    let kind = if first == char::REPLACEMENT_CHARACTER {
        Word::End
    } else if is_connector(first) {
        cursor.take_while(is_connector);
        Word::Connector
    } else if unicode::is_punct(first) {
        cursor.take_while(unicode::is_punct);
        Word::Punct
    } else if is_upper(first) {
        cursor.take_upper();
        Word::Upper
    } else if is_alphabet(first) {
        cursor.take_while(|char| is_alphabet(char) && !is_upper(char));
        Word::Alphabet
    } else if unicode::is_number(first) {
        cursor.take_while(unicode::is_number);
        Word::Number
    } else {
        cursor.take_while(|char| {
            let other = is_connector(char) || is_alphabet(char);
            !other && !unicode::is_number(char) && !unicode::is_punct(char)
        });
        Word::Other
    };
    let (word, after) = rest.split_at(cursor.at);
    *rest = after;
    (kind, word)
}

/// Where in a text the next word ends.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// The last character, which stands for what is no UTF-8 at the end.
    last: char,
}

impl Cursor<'_> {
    fn is_done(&self) -> bool {
        self.at == self.text.len()
    }

    /// The next character that is UTF-8, and the number of bytes to its end.
    fn peek(&self) -> (char, usize) {
        let mut size = 0;
        for (char, width) in unicode::runes(&self.text[self.at..]) {
            size += width;
            if char != char::REPLACEMENT_CHARACTER {
                return (char, size);
            }
        }
        (self.last, size)
    }

    fn take(&mut self) -> usize {
        let (char, size) = self.peek();
        self.last = char;
        self.at += size;
        size
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> usize {
        let mut size = 0;
        while !self.is_done() && belongs(self.peek().0) {
            size = self.take();
        }
        size
    }

    /// What follows a capital: capitals, without the one that begins the next word, or letters.
    fn take_upper(&mut self) {
        if self.is_done() {
            return;
        }
        if is_upper(self.peek().0) {
            let size = self.take_while(is_upper);
            if !self.is_done() && is_alphabet(self.peek().0) {
                self.at -= size;
            }
        } else if is_alphabet(self.peek().0) {
            self.take_while(|char| is_alphabet(char) && !is_upper(char));
        }
    }
}

/// A letter that is no Chinese character.
fn is_alphabet(char: char) -> bool {
    let chinese = matches!(
        char,
        '\u{4e00}'..='\u{9fcc}' | '\u{3400}'..='\u{4d85}' | '\u{20000}'..='\u{2b81d}'
    );
    unicode::is_letter(char) && !chinese
}

fn wrap(call: &mut Call<'_>) -> Result<Value, Failure> {
    wrapped(call, b"", false)
}

fn wrap_with(call: &mut Call<'_>) -> Result<Value, Failure> {
    let separator = call.text(1);
    wrapped(call, separator, true)
}

/// The text in lines of a number of bytes, cut at spaces, and within long words if asked to.
fn wrapped(call: &mut Call<'_>, separator: &[u8], cut_words: bool) -> Result<Value, Failure> {
    let width = usize::try_from(call.int(0)).unwrap_or(1).max(1);
    let text = call.text(call.args.len() - 1);
    let separator = if separator.is_empty() { b"\n" } else { separator };
    let mut out = Vec::new();
    let mut at = 0;
    while text.len() - at > width {
        if text[at] == b' ' {
            at += 1;
            continue;
        }
        let space = text[at..=at + width].iter().rposition(|byte| *byte == b' ');
        let (end, next) = match space {
            Some(space) => (at + space, at + space + 1),
            None if cut_words => (at + width, at + width),
            None => match text[at + width..].iter().position(|byte| *byte == b' ') {
                Some(space) => (at + width + space, at + width + space + 1),
                None => {
                    out.extend_from_slice(&text[at..]);
                    return Ok(Value::text(out));
                }
            },
        };
        call.templates.pay_text(end - at + separator.len())?;
        out.extend_from_slice(&text[at..end]);
        out.extend_from_slice(separator);
        at = next;
    }
    out.extend_from_slice(&text[at..]);
    Ok(Value::text(out))
}
