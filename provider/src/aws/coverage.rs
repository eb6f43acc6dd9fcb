//! What is known of a listing: stretches of indexes within which every one that is listed is known, and
//! therefore every one that is not. What lies outside is unknown, which is never the same as absent.

use crate::engine::UnixTime;
use std::collections::BTreeMap;
use std::ops::Range;

/// Memory that a stretch takes beside its entries, about.
const STRETCH_BYTES: usize = 160;

/// What an entry holds beside its index.
pub(super) trait Held {
    /// Bytes of memory outside of itself.
    fn heap(&self) -> usize;
}

impl Held for () {
    fn heap(&self) -> usize {
        0
    }
}

/// Indexes of which everything is known.
#[derive(Debug)]
pub(super) struct Stretch<T> {
    /// From where to where.
    pub(super) range: Range<u64>,
    /// What is listed in there, ascending.
    pub(super) entries: Vec<(u32, T)>,
    /// Until when the entries are good for a call. That they are listed holds for ever.
    pub(super) expires: Option<UnixTime>,
}

impl<T: Held> Stretch<T> {
    /// The entry of an index.
    pub(super) fn get(&self, index: u64) -> Option<&T> {
        let found = self
            .entries
            .binary_search_by_key(&index, |(at, _)| u64::from(*at));
        let entry = self.entries.get(found.ok()?)?;
        Some(&entry.1)
    }

    /// Indexes from `range` that are listed.
    pub(super) fn listed(&self, range: &Range<u64>) -> impl Iterator<Item = u64> {
        let first = self.position(range.start);
        let last = self.position(range.end);
        let within = self.entries.get(first..last).unwrap_or_default();
        within.iter().map(|(index, _)| u64::from(*index))
    }

    /// Where the first entry is that is not before `index`.
    fn position(&self, index: u64) -> usize {
        self.entries
            .partition_point(|(at, _)| u64::from(*at) < index)
    }

    /// Keeps what lies in `range` only.
    pub(super) fn clip(&mut self, range: &Range<u64>) {
        self.entries.truncate(self.position(range.end));
        self.entries.drain(..self.position(range.start));
        let start = self.range.start.max(range.start);
        self.range = start..self.range.end.min(range.end).max(start);
    }

    fn bytes(&self) -> usize {
        let each = self.entries.iter().map(|(_, held)| held.heap());
        let heap: usize = each.sum();
        let entries = self.entries.len().saturating_mul(size_of::<(u32, T)>());
        heap.saturating_add(entries).saturating_add(STRETCH_BYTES)
    }
}

/// Known stretches, the least recently used of which are forgotten beyond a bound on memory.
#[derive(Debug)]
pub(super) struct Coverage<T> {
    /// By their first index. They do not overlap.
    known: BTreeMap<u64, Known<T>>,
    bytes: usize,
    bytes_max: usize,
    uses: u64,
}

#[derive(Debug)]
struct Known<T> {
    stretch: Stretch<T>,
    bytes: usize,
    used: u64,
}

impl<T: Held> Coverage<T> {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self {
            known: BTreeMap::new(),
            bytes: 0,
            bytes_max,
            uses: 0,
        }
    }

    /// The stretch that an index lies in.
    pub(super) fn find(&mut self, index: u64) -> Option<&Stretch<T>> {
        self.uses = self.uses.saturating_add(1);
        let (_, known) = self.known.range_mut(..=index).next_back()?;
        if index >= known.stretch.range.end {
            return None;
        }
        known.used = self.uses;
        Some(&known.stretch)
    }

    /// The unknown indexes around one that is unknown, below `end`.
    pub(super) fn gap(&self, index: u64, end: u64) -> Range<u64> {
        let before = self.known.range(..=index).next_back();
        let after = self.known.range(index..).next();
        let start = before.map_or(0, |(_, known)| known.stretch.range.end);
        start..after.map_or(end, |(start, _)| *start)
    }

    /// Adds what was learned. What was known of the same indexes is replaced.
    pub(super) fn insert(&mut self, stretch: Stretch<T>)
    where
        T: Clone,
    {
        if stretch.range.is_empty() {
            return;
        }
        self.cut(&stretch.range);
        let newest = stretch.range.start;
        self.add(stretch);
        while self.bytes > self.bytes_max {
            let others = self.known.iter().filter(|(start, _)| **start != newest);
            let oldest = others.min_by_key(|(_, known)| known.used);
            let Some(oldest) = oldest.map(|(start, _)| *start) else {
                return;
            };
            self.remove(oldest);
        }
    }

    fn add(&mut self, stretch: Stretch<T>) {
        let bytes = stretch.bytes();
        self.bytes = self.bytes.saturating_add(bytes);
        self.uses = self.uses.saturating_add(1);
        let known = Known {
            bytes,
            used: self.uses,
            stretch,
        };
        self.known.insert(known.stretch.range.start, known);
    }

    fn remove(&mut self, start: u64) -> Option<Stretch<T>> {
        let known = self.known.remove(&start)?;
        self.bytes = self.bytes.saturating_sub(known.bytes);
        Some(known.stretch)
    }

    /// Forgets what is known of `range`.
    fn cut(&mut self, range: &Range<u64>)
    where
        T: Clone,
    {
        let overlapping = self.known.range(..range.end).rev();
        let overlapping =
            overlapping.take_while(|(_, known)| known.stretch.range.end > range.start);
        let starts: Vec<u64> = overlapping.map(|(start, _)| *start).collect();
        for start in starts {
            let Some(mut before) = self.remove(start) else {
                continue;
            };
            let mut after = Stretch {
                range: before.range.clone(),
                entries: before.entries.clone(),
                expires: before.expires,
            };
            before.clip(&(0..range.start));
            after.clip(&(range.end..u64::MAX));
            for part in [before, after] {
                if !part.range.is_empty() {
                    self.add(part);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(range: Range<u64>, entries: &[u32], expires: u64) -> Stretch<()> {
        Stretch {
            range,
            entries: entries.iter().map(|index| (*index, ())).collect(),
            expires: Some(UnixTime(expires)),
        }
    }

    #[test]
    fn unknown_is_not_absent() {
        let mut coverage = Coverage::new(1 << 20);
        assert!(coverage.find(0).is_none());
        assert_eq!(coverage.gap(5, 100), 0..100);
        coverage.insert(stretch(10..20, &[12, 19], 1));
        coverage.insert(stretch(30..40, &[], 1));
        for (index, known, listed) in [
            (9, false, false),
            (10, true, false),
            (12, true, true),
            (19, true, true),
            (20, false, false),
            (30, true, false),
            (40, false, false),
        ] {
            let found = coverage.find(index);
            assert_eq!(found.is_some(), known, "{index}");
            let found = found.and_then(|found| found.get(index));
            assert_eq!(found.is_some(), listed, "{index}");
        }
        assert_eq!(coverage.gap(5, 100), 0..10);
        assert_eq!(coverage.gap(20, 100), 20..30);
        assert_eq!(coverage.gap(50, 100), 40..100);
        let found = coverage.find(10).unwrap();
        assert_eq!(found.listed(&(0..19)).collect::<Vec<_>>(), [12]);
        assert_eq!(found.listed(&(13..99)).collect::<Vec<_>>(), [19]);
    }

    #[test]
    fn what_is_learned_again_replaces_what_was_known() {
        let mut coverage = Coverage::new(1 << 20);
        coverage.insert(stretch(0..10, &[1, 5, 8], 1));
        coverage.insert(stretch(10..20, &[11], 1));
        coverage.insert(stretch(4..12, &[5, 8, 11], 2));
        let expiry = |coverage: &mut Coverage<()>, index| coverage.find(index).unwrap().expires;
        for index in 0..20 {
            let expected = if (4..12).contains(&index) { 2 } else { 1 };
            assert_eq!(
                expiry(&mut coverage, index),
                Some(UnixTime(expected)),
                "{index}"
            );
            let listed = coverage.find(index).unwrap().get(index).is_some();
            assert_eq!(listed, [1, 5, 8, 11].contains(&index), "{index}");
        }
        coverage.insert(stretch(6..7, &[], 3));
        assert_eq!(expiry(&mut coverage, 5), Some(UnixTime(2)));
        assert_eq!(expiry(&mut coverage, 6), Some(UnixTime(3)));
        assert_eq!(expiry(&mut coverage, 7), Some(UnixTime(2)));
        let counted: usize = coverage
            .known
            .values()
            .map(|known| known.stretch.bytes())
            .sum();
        assert_eq!(counted, coverage.bytes);
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut coverage = Coverage::new(STRETCH_BYTES * 4);
        for at in 0..100 {
            coverage.insert(stretch(at * 10..at * 10 + 5, &[], 1));
            assert!(coverage.find(0).is_some());
            assert!(coverage.bytes <= coverage.bytes_max);
        }
        assert!(coverage.find(10).is_none());
        assert_eq!(coverage.known.len(), 4);
    }
}
