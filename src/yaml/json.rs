//! JSON texts as Go writes them.

use super::node::Node;

/// A double as Go's JSON encoder writes it: shortest digits, exponents below 1e-6 and from 1e21.
#[must_use]
pub fn float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                format!("{digits}e+{exponent}")
            }
            _ => text,
        };
    }
    format!("{value}")
}

/// Reads one JSON text. Spans are not kept.
///
/// # Errors
/// What `serde_json` says of a text that is no JSON, or is nested more than 127 deep.
pub fn parse(text: &[u8]) -> Result<Node, serde_json::Error> {
    serde_json::from_slice(text)
}

/// Writes JSON without spaces.
#[must_use]
pub fn to_string(node: &Node) -> String {
    serde_json::to_string(node).expect("a node has text keys only")
}

/// Writes JSON with two spaces of indentation.
#[must_use]
pub fn to_string_pretty(node: &Node) -> String {
    serde_json::to_string_pretty(node).expect("a node has text keys only")
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-7"),
            (1e-6, "0.000001"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(float(value), text);
        }
    }
}
