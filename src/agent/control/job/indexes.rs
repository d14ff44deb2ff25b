//! Sets of completion indexes, as a Job's status and rules write them: `0-2,4`.

use std::fmt;

/// A set of indexes, as ranges in order that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes(Vec<(i64, i64)>);

impl Indexes {
    /// Reads a text; what is at or beyond `completions`, or is no range, is left out.
    pub(super) fn parse(text: &str, completions: i64) -> Indexes {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (first.parse::<i64>().ok()?, last.parse::<i64>().ok()?);
            let last = last.min(completions - 1);
            (0 <= first && first <= last).then_some((first, last))
        };
        Indexes::of(text.split(',').filter_map(range).collect())
    }

    fn of(mut ranges: Vec<(i64, i64)>) -> Indexes {
        ranges.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
                _ => joined.push((first, last)),
            }
        }
        Indexes(joined)
    }

    /// The set with more indexes.
    pub(super) fn with(&self, more: impl IntoIterator<Item = i64>) -> Indexes {
        let more = more.into_iter().map(|index| (index, index));
        Indexes::of(self.0.iter().copied().chain(more).collect())
    }

    pub(super) fn contains(&self, index: i64) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < index);
        self.0.get(at).is_some_and(|(first, _)| *first <= index)
    }

    pub(super) fn total(&self) -> i64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// How many indexes are in both sets.
    pub(super) fn shared(&self, other: &Indexes) -> i64 {
        let (mut shared, mut mine, mut theirs) = (0, self.0.iter(), other.0.iter());
        let (mut one, mut two) = (mine.next(), theirs.next());
        while let (Some(a), Some(b)) = (one, two) {
            shared += (a.1.min(b.1) - a.0.max(b.0) + 1).max(0);
            if a.1 < b.1 {
                one = mine.next();
            } else {
                two = theirs.next();
            }
        }
        shared
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                // two that follow each other are no range in Kubernetes' own writing
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_read_and_write_as_a_status_has_them() {
        for (text, completions, written, total) in [
            ("", 5, "", 0),
            ("0-2", 5, "0-2", 3),
            ("3,1,2", 5, "1-3", 3),
            ("0,1,4", 5, "0,1,4", 3),
            ("0-9", 5, "0-4", 5),
            ("7", 5, "", 0),
            ("x,2,3-1,-4", 5, "2", 1),
        ] {
            let read = Indexes::parse(text, completions);
            assert_eq!((read.to_string(), read.total()), (written.to_owned(), total), "{text}");
        }
    }

    #[test]
    fn sets_grow_and_are_compared() {
        let set = Indexes::parse("0-2,6", 10).with([4, 3, 9]);
        assert_eq!(set.to_string(), "0-4,6,9");
        assert!(set.contains(4) && set.contains(9) && !set.contains(5) && !set.contains(10));
        assert_eq!(set.shared(&Indexes::parse("3-7,9", 10)), 4);
        assert_eq!(set.shared(&Indexes::default()), 0);
    }
}
