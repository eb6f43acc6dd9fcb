//! What the records say of the entries of a directory, asked in the order of the records.
//!
//! Entries stand in the order of their names and lead all over the `$MFT`. Asking about one after the
//! other reads each part of it again and again; a stretch of entries sorted by record reads it once.
//! The answers of the last stretches are kept, since listings come in pieces.

use super::{Directory, Records, Seen, Verdict};
use crate::filesystem::ntfs::reference::FileReference;
use std::ops::ControlFlow;

/// Entries of the first stretch. A listing that is broken off early must not have asked about all.
const FIRST_COUNT: usize = 256;
/// Each stretch has so many times the entries that were asked about before it.
const GROWTH: usize = 3;
/// Entries of the longest stretch, and bytes of their names.
const COUNT_MAX: usize = 64 << 10;
const NAMES_LEN_MAX: usize = 8 << 20;
/// Verdicts that are kept, apart from those that need no keeping.
pub(super) const KEPT_COUNT_MAX: usize = 64 << 10;

/// The answers for one range of places.
#[derive(Debug)]
pub(super) struct Verified {
    start: u64,
    /// Place of the first entry that was not asked about.
    end: u64,
    count: usize,
    /// Places behind entries that do not simply fit; sorted.
    others: Vec<(u64, Verdict)>,
}

impl Verified {
    pub(super) const fn new() -> Self {
        Self {
            start: 0,
            end: 0,
            count: 0,
            others: Vec::new(),
        }
    }

    /// The verdict of the entry from `place` to `next`, if it is known.
    pub(super) fn get(&self, place: u64, next: u64) -> Option<Verdict> {
        if place < self.start || next > self.end {
            return None;
        }
        let found = self.others.binary_search_by_key(&next, |(key, _)| *key);
        let other = found.ok().and_then(|index| self.others.get(index));
        Some(other.map_or(Verdict::Fits, |(_, verdict)| *verdict))
    }

    /// What to ask next, so that the answer for the entry at `place` is among it.
    pub(super) fn plan(&self, place: u64) -> Stretch {
        let goes_on = place == self.end && self.others.len() < KEPT_COUNT_MAX;
        let before = if goes_on { self.count } else { 0 };
        Stretch {
            start: place,
            end: place,
            first_next: None,
            count_max: before.saturating_mul(GROWTH).clamp(FIRST_COUNT, COUNT_MAX),
            entries: Vec::new(),
            names: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Takes the answers of a stretch.
    pub(super) fn take(&mut self, stretch: Stretch) {
        if self.end != stretch.start || self.others.len() >= KEPT_COUNT_MAX {
            *self = Self {
                start: stretch.start,
                ..Self::new()
            };
        }
        self.end = stretch.end;
        self.count = self.count.saturating_add(stretch.entries.len());
        self.others.extend(stretch.others);
    }
}

/// Entries that are asked about together.
#[derive(Debug)]
pub(super) struct Stretch {
    start: u64,
    end: u64,
    /// Place behind the first entry.
    first_next: Option<u64>,
    count_max: usize,
    entries: Vec<Asked>,
    names: Vec<u8>,
    others: Vec<(u64, Verdict)>,
}

#[derive(Debug)]
struct Asked {
    reference: FileReference,
    next: u64,
    name_end: usize,
    name_len: usize,
}

impl Stretch {
    /// The verdict of the first entry.
    pub(super) fn first(&self) -> Verdict {
        let others = self.others.first();
        let first = others.filter(|(next, _)| Some(*next) == self.first_next);
        first.map_or(Verdict::Fits, |(_, verdict)| *verdict)
    }

    /// Collects the entries and asks about them.
    pub(super) fn ask(&mut self, directory: &Directory, records: &dyn Records) {
        let flow = directory.walk(self.start, &mut |seen| {
            let Seen::Entry {
                name,
                reference,
                place,
                next,
                ..
            } = seen
            else {
                return ControlFlow::Continue(());
            };
            if self.entries.len() >= self.count_max || self.names.len() >= NAMES_LEN_MAX {
                self.end = place;
                return ControlFlow::Break(());
            }
            self.names.extend_from_slice(name.name);
            self.entries.push(Asked {
                reference,
                next,
                name_end: self.names.len(),
                name_len: name.name.len(),
            });
            self.first_next.get_or_insert(next);
            ControlFlow::Continue(())
        });
        if flow.is_continue() {
            self.end = u64::MAX;
        }
        self.entries
            .sort_unstable_by_key(|asked| asked.reference.record());
        for asked in &self.entries {
            let start = asked.name_end.saturating_sub(asked.name_len);
            let name = self.names.get(start..asked.name_end).unwrap_or_default();
            let verdict = directory.verdict(records, name, asked.reference);
            if verdict != Verdict::Fits {
                self.others.push((asked.next, verdict));
            }
        }
        self.others.sort_unstable_by_key(|(next, _)| *next);
    }
}
