//! DER, the encoding of keys and certificates: as much of it as they need, both ways.

/// `BOOLEAN` true.
pub(super) const TRUE: &[u8] = &[1, 1, 0xFF];
/// `NULL`.
pub(super) const NULL: &[u8] = &[5, 0];

pub(super) const INTEGER: u8 = 2;
pub(super) const BIT_STRING: u8 = 3;
pub(super) const OCTET_STRING: u8 = 4;
pub(super) const OID: u8 = 6;
pub(super) const UTF8_STRING: u8 = 12;
pub(super) const PRINTABLE_STRING: u8 = 19;
pub(super) const UTC_TIME: u8 = 23;
pub(super) const GENERALIZED_TIME: u8 = 24;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of `[number]` around a constructed value.
pub(super) const fn around(number: u8) -> u8 {
    0xA0 | number
}

/// The tag of `[number]` in place of a primitive value's own.
pub(super) const fn implicit(number: u8) -> u8 {
    0x80 | number
}

/// A value with its tag and length.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    match length {
        [] => out.push(0),
        [short @ ..0x80] => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).expect("at most eight"));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A `SEQUENCE` of values.
pub(super) fn sequence(values: &[&[u8]]) -> Vec<u8> {
    value(SEQUENCE, &values.concat())
}

/// An `INTEGER` that is not negative, from its bytes, the highest first.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    match bytes.first() {
        Some(..0x80) => value(INTEGER, bytes),
        // a bit would be taken for the sign
        _ => value(INTEGER, &[&[0], bytes].concat()),
    }
}

/// A `BIT STRING` of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    value(BIT_STRING, &[&[0], bytes].concat())
}

/// An `OBJECT IDENTIFIER`.
pub(super) fn oid(arcs: &[u32]) -> Vec<u8> {
    let mut content = Vec::new();
    let first = arcs[0] * 40 + arcs[1];
    for arc in std::iter::once(&first).chain(&arcs[2..]) {
        let mut groups = vec![(arc & 0x7F).to_le_bytes()[0]];
        let mut rest = arc >> 7;
        while rest > 0 {
            groups.push(0x80 | (rest & 0x7F).to_le_bytes()[0]);
            rest >>= 7;
        }
        groups.reverse();
        content.append(&mut groups);
    }
    value(OID, &content)
}

/// Values that are read one after the other.
#[derive(Clone, Copy)]
pub(super) struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    pub(super) fn new(bytes: &'d [u8]) -> Reader<'d> {
        Reader(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next value.
    pub(super) fn tag(self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next value: its content, and all of it.
    pub(super) fn any(&mut self) -> Option<(&'d [u8], &'d [u8])> {
        let [_, first, rest @ ..] = self.0 else { return None };
        let (length, header) = match first {
            ..=0x7F => (usize::from(*first), 2),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7F);
                let bytes = rest.get(..count)?;
                let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                (length, 2 + count)
            }
            _ => return None,
        };
        let (whole, rest) = self.0.split_at_checked(header.checked_add(length)?)?;
        self.0 = rest;
        Some((&whole[header..], whole))
    }

    /// The content of the next value, which is to have a tag.
    pub(super) fn value(&mut self, tag: u8) -> Option<&'d [u8]> {
        if self.tag()? != tag {
            return None;
        }
        Some(self.any()?.0)
    }

    /// The content of the next value, when it has a tag.
    pub(super) fn optional(&mut self, tag: u8) -> Option<&'d [u8]> {
        if self.tag() == Some(tag) { self.value(tag) } else { None }
    }

    /// The values in the next value, which is to be a `SEQUENCE`.
    pub(super) fn sequence(&mut self) -> Option<Reader<'d>> {
        self.value(SEQUENCE).map(Reader)
    }

    /// The bytes of an `INTEGER` that is not negative, without zeros before them.
    pub(super) fn integer(&mut self) -> Option<&'d [u8]> {
        let bytes = self.value(INTEGER)?;
        let positive = bytes.first().is_some_and(|first| *first < 0x80);
        positive.then(|| &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..])
    }
}
