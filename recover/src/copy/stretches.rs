//! A file's content as stretches: bytes to read, zeros that need no reading, bytes that cannot be had.

use flr_fs::bytes::{clamp_usize, len_u64};
use flr_fs::{ByteSource, Error, Result, SegmentKind};
use std::ops::Range;

/// Bytes read in one go. Large enough for a remote source, and every piece but the first and last
/// begins and ends at a multiple of it.
pub(crate) const PIECE_BYTES: usize = 1 << 20;

/// A part of the content.
#[derive(Debug)]
pub(crate) enum Stretch {
    /// At most [`PIECE_BYTES`] that must be read.
    Data(Range<u64>),
    /// Any number of zeros.
    Zeros(Range<u64>),
    /// Bytes that cannot be had, for this reason.
    Missing(Range<u64>, Error),
}

/// Steps through a part of a source.
#[derive(Debug)]
pub(crate) struct Stretches<'a> {
    source: &'a dyn ByteSource,
    at: u64,
    end: u64,
    /// The segment last looked up, if `at` lies before its end.
    known: Option<(u64, SegmentKind)>,
}

impl<'a> Stretches<'a> {
    /// `range` must lie inside of the source.
    pub(crate) fn new(source: &'a dyn ByteSource, range: Range<u64>) -> Self {
        Self {
            source,
            at: range.start,
            end: range.end,
            known: None,
        }
    }

    /// The end of the segment at `self.at` and its kind.
    fn segment(&mut self) -> Result<(u64, SegmentKind)> {
        if let Some((end, kind)) = self.known
            && self.at < end
        {
            return Ok((end, kind));
        }
        let segment = self.source.segment_at(self.at..self.end)?;
        // At least one byte, whatever a driver says: this loop must end.
        let end = self.at.saturating_add(segment.len.max(1)).min(self.end);
        self.known = Some((end, segment.kind));
        Ok((end, segment.kind))
    }

    /// Where the piece that holds `self.at` ends.
    fn piece_end(&self) -> u64 {
        let piece = len_u64(PIECE_BYTES);
        let into = self.at.checked_rem(piece).unwrap_or(0);
        self.at
            .saturating_add(piece.saturating_sub(into))
            .min(self.end)
    }

    /// Neighbouring data segments, up to the end of the piece, as one.
    fn data(&mut self, start: u64, first_end: u64) -> Stretch {
        let piece_end = self.piece_end();
        self.at = first_end.min(piece_end);
        while self.at < piece_end {
            match self.segment() {
                Ok((end, kind)) if is_data(kind) => self.at = end.min(piece_end),
                // What it is, or why it cannot be had, is the next stretch's matter.
                Ok(_) | Err(_) => break,
            }
        }
        if let Some((end, kind)) = self.known
            && self.at < end
            && is_data(kind)
        {
            let next = self.at..end.min(self.at.saturating_add(len_u64(PIECE_BYTES)));
            self.source.will_read(&[next]);
        }
        Stretch::Data(start..self.at)
    }
}

impl Iterator for Stretches<'_> {
    type Item = Stretch;

    fn next(&mut self) -> Option<Stretch> {
        let start = self.at;
        if start >= self.end {
            return None;
        }
        Some(match self.segment() {
            Ok((end, kind)) if is_data(kind) => self.data(start, end),
            Ok((end, SegmentKind::Missing(code))) => {
                self.at = end;
                // The read knows more than the map does.
                let error = match self.source.read_at(start, &mut [0; 1]) {
                    Err(error) => error,
                    Ok(()) => Error::corrupt(code, start, "the content cannot be had"),
                };
                Stretch::Missing(start..end, error)
            }
            Ok((end, _)) => {
                self.at = end;
                Stretch::Zeros(start..end)
            }
            // Nothing is known about what follows. Try again from the next piece on.
            Err(error) => {
                self.at = self.piece_end();
                Stretch::Missing(start..self.at, error)
            }
        })
    }
}

const fn is_data(kind: SegmentKind) -> bool {
    matches!(kind, SegmentKind::Stored(_) | SegmentKind::Opaque)
}

/// Room for one piece, used again and again.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    /// The first bytes of the buffer, as many as `range` has but at most a piece. What they hold is
    /// not specified.
    pub(crate) fn room(&mut self, range: &Range<u64>) -> &mut [u8] {
        let len = clamp_usize(range.end.saturating_sub(range.start), PIECE_BYTES);
        if self.0.len() < len {
            // One worker copies thousands of small files: grow to what is needed, no more.
            self.0.resize(len, 0);
        }
        self.0.get_mut(..len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flr_fs::source::Location;
    use flr_fs::{Code, Segment};

    /// A map without content.
    #[derive(Debug)]
    struct Map(Vec<(u64, SegmentKind)>);

    impl ByteSource for Map {
        fn size(&self) -> u64 {
            self.0.iter().map(|(len, _)| len).sum()
        }
        fn read_at(&self, _: u64, _: &mut [u8]) -> Result<()> {
            Ok(())
        }
        fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
            let mut end = 0;
            for (len, kind) in &self.0 {
                end = len.saturating_add(end);
                if range.start < end {
                    let len = end.min(range.end).saturating_sub(range.start);
                    return Ok(Segment { len, kind: *kind });
                }
            }
            panic!("past the end");
        }
    }

    const STORED: SegmentKind = SegmentKind::Stored(Location {
        member: 0,
        offset: 0,
    });

    fn check(map: Vec<(u64, SegmentKind)>, range: Range<u64>, expected: &[(char, u64, u64)]) {
        let map = Map(map);
        let found: Vec<_> = Stretches::new(&map, range)
            .map(|stretch| match stretch {
                Stretch::Data(range) => ('d', range.start, range.end),
                Stretch::Zeros(range) => ('z', range.start, range.end),
                Stretch::Missing(range, _) => ('m', range.start, range.end),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn pieces_are_aligned_and_small_extents_are_joined() {
        let mib = len_u64(PIECE_BYTES);
        check(
            vec![(mib * 2 + 5, STORED)],
            7..mib * 2 + 5,
            &[
                ('d', 7, mib),
                ('d', mib, mib * 2),
                ('d', mib * 2, mib * 2 + 5),
            ],
        );
        check(
            vec![(4096, STORED); 300],
            0..4096 * 300,
            &[('d', 0, mib), ('d', mib, 4096 * 300)],
        );
    }

    #[test]
    fn holes_are_one_stretch_however_long() {
        let gap = 1 << 50;
        check(
            vec![
                (5, STORED),
                (gap, SegmentKind::Hole),
                (3, SegmentKind::Opaque),
            ],
            0..gap + 8,
            &[('d', 0, 5), ('z', 5, gap + 5), ('d', gap + 5, gap + 8)],
        );
    }

    #[test]
    fn what_is_missing_stays_missing() {
        let missing = SegmentKind::Missing(Code::new("test.missing"));
        check(
            vec![(10, STORED), (20, missing), (5, SegmentKind::Unwritten)],
            0..35,
            &[('d', 0, 10), ('m', 10, 30), ('z', 30, 35)],
        );
        check(Vec::new(), 0..0, &[]);
    }

    #[test]
    fn a_driver_that_says_nothing_does_not_hang_the_copy() {
        check(
            vec![(0, SegmentKind::Hole), (3, STORED)],
            0..3,
            &[('d', 0, 3)],
        );
    }
}
