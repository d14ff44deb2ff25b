//! Which texts can be written without quotes, and which quotes the others need.
//!
//! Two questions decide: would the text, read back, be anything but this text; and does it hold
//! characters that one way of writing cannot hold. Almost every text of a manifest is answered by
//! one look at each byte.

use super::emit::Flavor;
use super::resolve;

/// How a text is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Plain,
    Single,
    Double,
    Literal,
}

/// What a text holds.
#[derive(Clone, Copy)]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    /// It may stand without quotes, outside of brackets.
    pub(super) plain: bool,
    pub(super) single: bool,
    pub(super) block: bool,
}

/// A letter, a digit, or a sign without meaning in block context.
const SAFE: u8 = 0;
/// A sign that means something at the start of a text only.
const START: u8 = 1;
/// A space, a colon or a hash: it depends on the neighbours.
const NEIGHBOURS: u8 = 2;
/// A line break, a control character, or part of a character beyond ASCII.
const OTHER: u8 = 3;

const CLASS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = SAFE;
        byte += 1;
    }
    let start = b",[]{}&*!|>'\"%@`?-";
    let mut index = 0;
    while index < start.len() {
        table[start[index] as usize] = START;
        index += 1;
    }
    table[b' ' as usize] = NEIGHBOURS;
    table[b':' as usize] = NEIGHBOURS;
    table[b'#' as usize] = NEIGHBOURS;
    table
};

/// How go-yaml writes a text as a value, or, with `simple_key`, as a key on one line.
pub(super) fn form(text: &str, simple_key: bool, flavor: Flavor) -> Form {
    if plain_at_a_glance(text.as_bytes()) {
        return if is_text(text) { Form::Plain } else { Form::Double };
    }
    if text.is_empty() {
        return Form::Double;
    }
    let analysis = analyze(text, flavor);
    if simple_key && analysis.multiline {
        return Form::Double;
    }
    if text.contains('\n') {
        return if analysis.block && !simple_key { Form::Literal } else { Form::Double };
    }
    match (is_text(text), analysis) {
        (true, Analysis { plain: true, .. }) => Form::Plain,
        (true, Analysis { single: true, .. }) => Form::Single,
        _ => Form::Double,
    }
}

/// Whether kustomize's encoder writes a text without quotes.
pub(super) fn is_plain(text: &str) -> bool {
    form(text, false, Flavor::Kustomize) == Form::Plain
}

/// Whether the text holds a line break of any kind.
pub(super) fn is_multiline(text: &str) -> bool {
    text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
}

/// True for a text whose bytes allow it to stand without quotes. False means: look closer.
fn plain_at_a_glance(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if CLASS[*first as usize] != SAFE && !(*first == b'-' && bytes.len() > 1) {
        return false;
    }
    if CLASS[*last as usize] >= NEIGHBOURS || bytes.starts_with(b"---") || bytes.starts_with(b"...")
    {
        return false;
    }
    let mut before = 0;
    for byte in bytes {
        let class = CLASS[*byte as usize];
        if class >= NEIGHBOURS {
            if class == OTHER {
                return false;
            }
            // `: ` and ` #` and, for `- `, a space as the second character
            if *byte == b'#' && before == b' ' || *byte == b' ' && before == b':' {
                return false;
            }
        }
        before = *byte;
    }
    !(*first == b'-' && bytes[1] == b' ')
}

/// Whether a plain text is read back as text.
fn is_text(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(
            b'0'..=b'9'
            | b'+'
            | b'-'
            | b'.'
            | b'y'
            | b'Y'
            | b'n'
            | b'N'
            | b't'
            | b'T'
            | b'f'
            | b'F'
            | b'o'
            | b'O'
            | b'~',
        ) => resolve::is_text(text) && !is_base_60(text),
        Some(_) => true,
        None => false,
    }
}

/// `190:20:30`: a number to readers of YAML 1.1, though not to go-yaml.
fn is_base_60(text: &str) -> bool {
    if !text.contains(':') {
        return false;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (unsigned, ""),
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut places = whole.split(':');
    let first = places.next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_digit())
        && number(first)
        && number(fraction)
        && places.all(|place| match place.as_bytes() {
            [digit] => digit.is_ascii_digit(),
            [tens, digit] => matches!(tens, b'0'..=b'5') && digit.is_ascii_digit(),
            _ => false,
        })
}

/// libyaml's analysis of a text that is not empty.
pub(super) fn analyze(text: &str, flavor: Flavor) -> Analysis {
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let (mut line_breaks, mut special, mut tabs) = (false, false, false);
    let (mut break_space, mut space_break) = (false, false);
    let (mut previous_space, mut previous_break) = (false, false);
    let mut after_space = true;
    let mut first = true;
    let mut rest = text;
    loop {
        // what means nothing anywhere only parts spaces and line breaks
        let safe = rest.bytes().take_while(|byte| CLASS[*byte as usize] == SAFE).count();
        if safe > 0 {
            (previous_space, previous_break, after_space, first) = (false, false, false, false);
            rest = &rest[safe..];
        }
        let mut characters = rest.chars();
        let Some(character) = characters.next() else { break };
        rest = characters.as_str();
        let before_space = matches!(rest.as_bytes().first(), None | Some(b' ' | b'\t'));
        indicators |= match character {
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`' => first,
            '#' => first || after_space,
            '?' | '-' => first && before_space,
            ':' => before_space,
            _ => false,
        };
        if character == '\t' && flavor == Flavor::Kustomize {
            tabs = true;
        } else if !is_printable(character) {
            special = true;
        }
        let space = character == ' ';
        let line_break = is_break(character);
        line_breaks |= line_break;
        break_space |= space && previous_break;
        space_break |= line_break && previous_space;
        (previous_space, previous_break) = (space, line_break);
        after_space = matches!(character, ' ' | '\t') || line_break;
        first = false;
    }
    let starts = text.starts_with(|c| c == ' ' || is_break(c));
    let trailing_space = text.ends_with(' ');
    let ends = trailing_space || text.ends_with(is_break);
    Analysis {
        multiline: line_breaks,
        plain: !(indicators
            || starts
            || ends
            || line_breaks
            || break_space
            || space_break
            || special
            || tabs),
        single: !(break_space || space_break || special || tabs),
        block: !(trailing_space || space_break || special),
    }
}

/// What stands behind the sign of a block scalar: its indentation when its first line has spaces of
/// its own, and what becomes of the line breaks at its end.
pub(super) fn block_indicators(text: &str) -> &'static str {
    let mut from_end = text.chars().rev();
    let (last, before) = (from_end.next(), from_end.next());
    let ends = last.is_some_and(is_break);
    let keeps = ends && before.is_none_or(is_break);
    match (text.starts_with(|first| first == ' ' || is_break(first)), ends, keeps) {
        (false, false, _) => "-",
        (false, true, true) => "+",
        (false, true, false) => "",
        (true, false, _) => "2-",
        (true, true, true) => "2+",
        (true, true, false) => "2",
    }
}

pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What may stand as it is; go-yaml escapes everything beyond the basic plane.
pub(super) fn is_printable(character: char) -> bool {
    matches!(
        character,
        '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}'
    )
}
