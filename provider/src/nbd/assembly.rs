//! The bytes of one read, put together from pieces in any order.

use super::wire::Violation;
use std::collections::BTreeMap;

/// Pieces may be as short as this on average; a server that cuts finer is not worth the memory.
const PIECE_MIN: usize = 512;
/// What a read may have of pieces whatever its length.
const PIECES_MIN: usize = 64;

/// What has arrived of a read.
#[derive(Debug)]
pub(super) struct Assembly {
    offset: u64,
    len: usize,
    /// Zeros where nothing has arrived; no memory until something does.
    bytes: Vec<u8>,
    /// Beginnings and ends of what was claimed, relative to `offset`, neighbours merged.
    claimed: BTreeMap<usize, usize>,
    pieces: usize,
}

impl Assembly {
    /// Nothing yet, of `len` bytes at `offset`.
    pub(super) fn new(offset: u64, len: u32) -> Self {
        Self {
            offset,
            len: usize::try_from(len).unwrap_or(usize::MAX),
            bytes: Vec::new(),
            claimed: BTreeMap::new(),
            pieces: 0,
        }
    }

    /// Bytes that were asked for.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Whether a byte of the export was asked for.
    pub(super) fn contains(&self, offset: u64) -> bool {
        self.relative(offset, 1).is_some()
    }

    /// Beginning and end of a piece, relative to what was asked for.
    fn relative(&self, offset: u64, len: usize) -> Option<(usize, usize)> {
        let from = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        let end = from.checked_add(len)?;
        (end <= self.len).then_some((from, end))
    }

    /// A piece of `len` bytes is announced. Gives the position for [`fill`](Self::fill); what is not
    /// filled is zeros.
    pub(super) fn claim(&mut self, offset: u64, len: usize) -> Result<usize, Violation> {
        let Some((from, end)) = self.relative(offset, len) else {
            return Err(Violation::new(format!(
                "expected bytes of a read of {} at {:#x}, found {len} at {offset:#x}",
                self.len, self.offset
            )));
        };
        self.pieces = self.pieces.saturating_add(1);
        let most = self.len.checked_div(PIECE_MIN).unwrap_or(0);
        if self.pieces > most.saturating_add(PIECES_MIN) {
            return Err(Violation::new("expected an answer in fewer pieces"));
        }
        let before = self.claimed.range(..end).next_back();
        let (mut first, mut last) = (from, end);
        if let Some((&start, &stop)) = before {
            if stop > from {
                return Err(Violation::new(format!(
                    "expected bytes once, found those at {offset:#x} twice"
                )));
            }
            if stop == from {
                first = start;
            }
        }
        if let Some(stop) = self.claimed.remove(&end) {
            last = stop;
        }
        self.claimed.insert(first, last);
        if self.bytes.is_empty() {
            self.bytes = vec![0; self.len];
        }
        Ok(from)
    }

    /// All of it in one piece.
    pub(super) fn claim_all(&mut self) -> Result<usize, Violation> {
        self.claim(self.offset, self.len)
    }

    /// Bytes of a claimed piece.
    pub(super) fn fill(&mut self, at: usize, data: &[u8]) -> Result<(), Violation> {
        let end = at.saturating_add(data.len());
        let part = self.bytes.get_mut(at..end);
        let part = part.ok_or_else(|| Violation::new("expected bytes inside of a read"))?;
        part.copy_from_slice(data);
        Ok(())
    }

    /// All the bytes.
    pub(super) fn finish(self) -> Result<Vec<u8>, Violation> {
        if self.claimed.get(&0) == Some(&self.len) {
            return Ok(self.bytes);
        }
        let found = self.claimed.iter();
        let found = found.fold(0_usize, |sum, (from, end)| {
            sum.saturating_add(end.saturating_sub(*from))
        });
        Err(Violation::new(format!(
            "expected {} bytes at {:#x}, found {found}",
            self.len, self.offset
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_any_order() {
        let mut read = Assembly::new(1000, 10);
        for (offset, data) in [(1006, b"ghij".as_slice()), (1000, b"ab"), (1002, b"cd")] {
            let at = read.claim(offset, data.len()).unwrap();
            read.fill(at, data).unwrap();
        }
        read.claim(1004, 2).unwrap();
        assert_eq!(read.claimed.len(), 1);
        assert_eq!(read.finish().unwrap(), b"abcd\0\0ghij");
    }

    #[test]
    fn bytes_come_once_and_from_inside() {
        let mut read = Assembly::new(1000, 10);
        read.claim(1002, 4).unwrap();
        for (offset, len) in [
            (1002, 4),
            (1000, 3),
            (1005, 1),
            (1001, 9),
            (1003, 1),
            (1002, 1),
        ] {
            assert!(read.claim(offset, len).is_err(), "{offset} {len}");
        }
        for (offset, len) in [
            (999, 1),
            (1010, 1),
            (1009, 2),
            (u64::MAX, 2),
            (1008, usize::MAX),
        ] {
            assert!(read.claim(offset, len).is_err(), "{offset} {len}");
        }
        assert!(read.contains(1009) && !read.contains(1010) && !read.contains(999));
        assert!(read.finish().is_err());
        assert!(Assembly::new(0, 1).finish().is_err());
    }

    #[test]
    fn crumbs_are_refused() {
        let mut read = Assembly::new(0, 4096);
        let claimed = (0..4096)
            .step_by(2)
            .take_while(|at| read.claim(*at, 1).is_ok());
        assert_eq!(claimed.count(), 8 + 64);
    }
}
