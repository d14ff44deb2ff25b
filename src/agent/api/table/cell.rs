//! Texts of cells: ages, labels, lists.

use crate::object::meta;
use crate::yaml::{Map, Node};
use jiff::Timestamp;

/// The name of an object.
pub(super) fn name(object: &Node) -> Node {
    meta::name(object).into()
}

/// The age of an object.
pub(super) fn age(object: &Node, now: Timestamp) -> Node {
    since(object.at(&["metadata", "creationTimestamp"]), now).into()
}

/// The time since a timestamp.
pub(super) fn since(time: Option<&Node>, now: Timestamp) -> String {
    let parsed = time.and_then(Node::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    parsed.map_or_else(
        || "<unknown>".into(),
        |time| human_duration(now.as_second() - time.as_second()),
    )
}

/// Seconds as `duration.HumanDuration` of k8s.io/apimachinery writes them.
pub(super) fn human_duration(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let two = |large: i64, sign: char, rest: i64, small: char| {
        if rest == 0 { format!("{large}{sign}") } else { format!("{large}{sign}{rest}{small}") }
    };
    match seconds {
        ..-1 => "<invalid>".into(),
        -1..0 => "0s".into(),
        0..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, 'm', seconds % MINUTE, 's'),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds / HOUR, 'h', seconds % HOUR / MINUTE, 'm'),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, 'd', seconds % DAY / HOUR, 'h'),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds / DAY / 365, 'y', seconds / DAY % 365, 'd'),
        _ => format!("{}y", seconds / DAY / 365),
    }
}

/// The integer at a path, or 0.
pub(super) fn count(object: &Node, path: &[&str]) -> i64 {
    object.i64_at(path).unwrap_or(0)
}

/// `a=b,c=d` in the order of the keys, or `<none>`.
pub(super) fn labels(map: Option<&Map>) -> String {
    let mut parts: Vec<String> = map
        .into_iter()
        .flatten()
        .map(|entry| format!("{}={}", entry.key, entry.value.as_str().unwrap_or_default()))
        .collect();
    parts.sort();
    if parts.is_empty() { "<none>".into() } else { parts.join(",") }
}

/// The texts of a field of each item, with commas.
pub(super) fn join(items: &[Node], field: &str) -> String {
    items.iter().filter_map(|item| item.str_at(&[field])).collect::<Vec<_>>().join(",")
}

/// The text, or `<none>`.
pub(super) fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

#[cfg(test)]
mod tests {
    use super::human_duration;

    #[test]
    fn durations_read_as_kubectl_shows_them() {
        for (seconds, text) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (30_000, "8h"),
            (180_000, "2d2h"),
            (700_000, "8d"),
            (70_000_000, "2y80d"),
            (300_000_000, "9y"),
        ] {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
    }
}
