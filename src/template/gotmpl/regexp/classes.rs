//! Names of sets of characters in regular expressions, each as a class of the `regex` crate.

/// The set of a Perl class such as `\d`, and whether it is negated. All are ASCII.
pub(super) fn perl(letter: u8) -> Option<(&'static str, bool)> {
    Some(match letter {
        b'd' => ("0-9", false),
        b'D' => ("0-9", true),
        // no vertical tab, unlike elsewhere
        b's' => (r"\t\n\x0C\r ", false),
        b'S' => (r"\t\n\x0C\r ", true),
        b'w' => ("0-9A-Za-z_", false),
        b'W' => ("0-9A-Za-z_", true),
        _ => return None,
    })
}

/// The set of a class such as `[:alnum:]`, whose name may begin with `^`.
pub(super) fn posix(name: &str) -> Option<(&'static str, bool)> {
    let (name, negated) = match name.strip_prefix('^') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let set = match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => r"\x00-\x7F",
        "blank" => r"\t ",
        "cntrl" => r"\x00-\x1F\x7F",
        "digit" => "0-9",
        "graph" => "!-~",
        "lower" => "a-z",
        "print" => " -~",
        "punct" => r"!-/:-@\[-`\{-\x7E",
        "space" => r"\t\n\x0B\x0C\r ",
        "upper" => "A-Z",
        "word" => "0-9A-Za-z_",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    };
    Some((set, negated))
}

/// The set of a Unicode class such as `\p{Greek}`, as items of a bracketed class. Capitals, blanks,
/// hyphens and underscores in the name do not count.
pub(super) fn unicode(name: &str) -> Option<String> {
    let name: String =
        name.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).collect::<String>().to_lowercase();
    let category = match name.as_str() {
        "any" => return Some(r"\x{0}-\x{10FFFF}".to_owned()),
        "ascii" => return Some(r"\x00-\x7F".to_owned()),
        "assigned" => return Some(r"\P{Cn}".to_owned()),
        // UTF-8 has no surrogates
        "cs" | "surrogate" => return Some(NOTHING.to_owned()),
        "c" | "other" => return Some(r"\p{Cc}\p{Cf}\p{Co}\p{Cn}".to_owned()),
        "lc" | "casedletter" => return Some(r"\p{Lu}\p{Ll}\p{Lt}".to_owned()),
        "l" | "letter" => "L",
        "ll" | "lowercaseletter" => "Ll",
        "lm" | "modifierletter" => "Lm",
        "lo" | "otherletter" => "Lo",
        "lt" | "titlecaseletter" => "Lt",
        "lu" | "uppercaseletter" => "Lu",
        "m" | "mark" | "combiningmark" => "M",
        "mc" | "spacingmark" => "Mc",
        "me" | "enclosingmark" => "Me",
        "mn" | "nonspacingmark" => "Mn",
        "n" | "number" => "N",
        "nd" | "decimalnumber" | "digit" => "Nd",
        "nl" | "letternumber" => "Nl",
        "no" | "othernumber" => "No",
        "p" | "punctuation" | "punct" => "P",
        "pc" | "connectorpunctuation" => "Pc",
        "pd" | "dashpunctuation" => "Pd",
        "pe" | "closepunctuation" => "Pe",
        "pf" | "finalpunctuation" => "Pf",
        "pi" | "initialpunctuation" => "Pi",
        "po" | "otherpunctuation" => "Po",
        "ps" | "openpunctuation" => "Ps",
        "s" | "symbol" => "S",
        "sc" | "currencysymbol" => "Sc",
        "sk" | "modifiersymbol" => "Sk",
        "sm" | "mathsymbol" => "Sm",
        "so" | "othersymbol" => "So",
        "z" | "separator" => "Z",
        "zl" | "lineseparator" => "Zl",
        "zp" | "paragraphseparator" => "Zp",
        "zs" | "spaceseparator" => "Zs",
        "cc" | "control" | "cntrl" => "Cc",
        "cf" | "format" => "Cf",
        "cn" | "unassigned" => "Cn",
        "co" | "privateuse" => "Co",
        script => {
            let known = SCRIPTS.split_whitespace().any(|known| known == script);
            return known.then(|| format!(r"\p{{Script={script}}}"));
        }
    };
    Some(format!(r"\p{{{category}}}"))
}

/// A class item that matches nothing.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

/// The scripts that Go finds: those whose name is one word.
const SCRIPTS: &str = "adlam ahom arabic armenian avestan balinese bamum batak bengali bhaiksuki \
    bopomofo brahmi braille buginese buhid carian chakma cham cherokee chorasmian common coptic \
    cuneiform cypriot cyrillic deseret devanagari dogra duployan elbasan elymaic ethiopic georgian \
    glagolitic gothic grantha greek gujarati gurmukhi han hangul hanunoo hatran hebrew hiragana \
    inherited javanese kaithi kannada katakana kawi kharoshthi khmer khojki khudawadi lao latin \
    lepcha limbu lisu lycian lydian mahajani makasar malayalam mandaic manichaean marchen \
    medefaidrin miao modi mongolian mro multani myanmar nabataean nandinagari newa nko nushu ogham \
    oriya osage osmanya palmyrene phoenician rejang runic samaritan saurashtra sharada shavian \
    siddham sinhala sogdian soyombo sundanese syriac tagalog tagbanwa takri tamil tangsa tangut \
    telugu thaana thai tibetan tifinagh tirhuta toto ugaritic vai vithkuqi wancho yezidi yi";
