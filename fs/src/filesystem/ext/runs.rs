//! The map of a file: which of its blocks lie where.

use super::codes;
use crate::error::{Error, Result};

/// Consecutive blocks of a file that lie one behind the other on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// First block of the file.
    pub logical: u64,
    /// First block on the disk.
    pub physical: u64,
    /// Number of blocks, at least 1.
    pub len: u64,
    /// Whether the blocks have been written. Those that have not read as zeros, whatever the disk
    /// holds there.
    pub written: bool,
}

impl Run {
    /// First block of the file behind the run.
    pub(super) const fn end(&self) -> u64 {
        self.logical.saturating_add(self.len)
    }
}

/// All runs of a file in order. What lies between them is a hole.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
}

impl Runs {
    /// Adds a run behind the others, and joins it with the last one if they touch.
    ///
    /// # Errors
    /// [`codes::EXTENT_ORDER`] if it does not lie behind them, [`codes::RUN_COUNT`] past `max` runs.
    /// `at` is the place of the structure that tells of the run.
    pub(super) fn push(&mut self, run: Run, max: usize, at: u64) -> Result<()> {
        if let Some(last) = self.runs.last_mut() {
            if run.logical < last.end() {
                let detail = format!("block {} behind block {}", run.logical, last.end());
                return Err(Error::corrupt(codes::EXTENT_ORDER, at, detail));
            }
            let touches = run.logical == last.end()
                && run.physical == last.physical.saturating_add(last.len)
                && run.written == last.written;
            if touches {
                last.len = last.len.saturating_add(run.len);
                return Ok(());
            }
        }
        if self.runs.len() >= max {
            let detail = format!("a file in more than {max} pieces");
            return Err(Error::limit(codes::RUN_COUNT, at, detail));
        }
        self.runs.push(run);
        Ok(())
    }

    /// Index of the first run that ends behind `block`.
    pub(super) fn find(&self, block: u64) -> usize {
        self.runs.partition_point(|run| run.end() <= block)
    }

    /// The run at `index`.
    pub(super) fn get(&self, index: usize) -> Option<&Run> {
        self.runs.get(index)
    }

    /// The runs as a list.
    pub(super) fn into_vec(self) -> Vec<Run> {
        self.runs
    }

    /// A block of the disk that holds two blocks of the file. Unwritten ones hold nothing.
    pub(super) fn shared_block(&self) -> Option<u64> {
        let written = self.runs.iter().filter(|run| run.written);
        let mut places: Vec<_> = written.map(|run| (run.physical, run.len)).collect();
        places.sort_unstable();
        let pairs = places.iter().zip(places.iter().skip(1));
        let mut shared =
            pairs.filter(|((start, len), (next, _))| start.saturating_add(*len) > *next);
        shared.next().map(|(_, (next, _))| *next)
    }

    /// Memory taken, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.runs
            .capacity()
            .saturating_mul(size_of::<Run>())
            .saturating_add(size_of::<Self>())
    }

    /// Gives back memory that is not needed.
    pub(super) fn shrink(&mut self) {
        self.runs.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(logical: u64, physical: u64, len: u64, written: bool) -> Run {
        Run {
            logical,
            physical,
            len,
            written,
        }
    }

    #[test]
    fn a_block_in_two_places_is_found() {
        let of = |all: &[Run]| {
            let runs = all.to_vec();
            Runs { runs }.shared_block()
        };
        let apart = [
            run(0, 100, 2, true),
            run(9, 98, 2, true),
            run(20, 102, 1, true),
        ];
        assert_eq!(of(&apart), None);
        assert_eq!(of(&[run(0, 100, 9, true), run(9, 104, 1, true)]), Some(104));
        assert_eq!(of(&[run(0, 100, 9, true), run(9, 104, 1, false)]), None);
    }

    #[test]
    fn neighbours_are_joined_and_order_is_kept() {
        let mut runs = Runs::default();
        for new in [
            run(0, 100, 2, true),
            run(2, 102, 3, true),
            run(5, 105, 1, false),
        ] {
            runs.push(new, 3, 0).unwrap();
        }
        runs.push(run(10, 106, 1, true), 3, 0).unwrap();
        assert_eq!(runs.get(0), Some(&run(0, 100, 5, true)));
        assert_eq!(runs.get(1), Some(&run(5, 105, 1, false)));
        assert_eq!(
            (runs.find(4), runs.find(5), runs.find(6), runs.find(11)),
            (0, 1, 2, 3)
        );
        let order = runs.push(run(10, 200, 1, true), 9, 7).unwrap_err();
        assert_eq!(order.code(), codes::EXTENT_ORDER);
        let count = runs.push(run(12, 200, 1, true), 3, 7).unwrap_err();
        assert_eq!(count.code(), codes::RUN_COUNT);
    }
}
