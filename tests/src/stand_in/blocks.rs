//! What is in a snapshot: blocks of 512 KiB, most of which may never have been written.

use super::hash::sha256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{SeekFrom, seek};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Length of a block in bytes.
pub const BLOCK_LEN: usize = 512 * 1024;

const GIB: u64 = 1 << 30;
const BLOCKS_PER_GIB: u64 = 2048;

type Function = dyn Fn(u64) -> Option<Vec<u8>> + Send + Sync;

enum Origin {
    /// A sparse file; its length in bytes.
    File(File, u64),
    /// Blocks by a function, so many.
    Function(Box<Function>, u64),
    /// Others, with some of them changed, added or (`None`) taken away.
    Changed(Blocks, BTreeMap<u64, Option<Vec<u8>>>),
}

struct Inner {
    origin: Origin,
    checksums: Mutex<HashMap<u64, String>>,
}

/// The blocks of a snapshot. Clones are the same blocks.
#[derive(Clone)]
pub struct Blocks(Arc<Inner>);

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocks({})", self.count())
    }
}

impl Blocks {
    fn of(origin: Origin) -> Self {
        let checksums = Mutex::default();
        Self(Arc::new(Inner { origin, checksums }))
    }

    /// Blocks by a function, for the indexes below `count`; `None` was never written. Shorter ones are
    /// filled with zeros.
    pub fn from_fn(
        count: u64,
        block: impl Fn(u64) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Origin::Function(Box::new(block), count))
    }

    /// An image in memory. What is zero all through a block was never written.
    #[must_use]
    pub fn from_bytes(image: Vec<u8>) -> Self {
        let count = image.len().div_ceil(BLOCK_LEN);
        let count = u64::try_from(count).expect("small");
        Self::from_fn(count, move |index| {
            let from = usize::try_from(index).expect("small") * BLOCK_LEN;
            let block = &image[from..image.len().min(from + BLOCK_LEN)];
            block
                .iter()
                .any(|byte| *byte != 0)
                .then(|| block.to_owned())
        })
    }

    /// An image in a file, read as it is asked for. Blocks that are wholly holes were never written.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self::of(Origin::File(file, len)))
    }

    /// These blocks with some changed, added, or (`None`) taken away: a later snapshot.
    #[must_use]
    pub fn changed(&self, changes: BTreeMap<u64, Option<Vec<u8>>>) -> Self {
        Self::of(Origin::Changed(self.clone(), changes))
    }

    /// Blocks up to the end.
    #[must_use]
    pub fn count(&self) -> u64 {
        match &self.0.origin {
            Origin::File(_, len) => len.div_ceil(block_len()),
            Origin::Function(_, count) => *count,
            Origin::Changed(base, changes) => {
                let last = changes.last_key_value().map_or(0, |(index, _)| index + 1);
                base.count().max(last)
            }
        }
    }

    /// The size of the volume that holds them, in GiB.
    #[must_use]
    pub fn gib(&self) -> u64 {
        self.count().div_ceil(BLOCKS_PER_GIB).max(1)
    }

    /// The first block at or after an index that has been written.
    #[must_use]
    pub fn next(&self, from: u64) -> Option<u64> {
        match &self.0.origin {
            Origin::File(file, len) => {
                let at = from.checked_mul(block_len()).filter(|at| at < len)?;
                match seek(file, SeekFrom::Data(at)) {
                    Ok(data) => Some(data / block_len()),
                    Err(rustix::io::Errno::NXIO) => None,
                    // A filesystem without holes has everything.
                    Err(_) => Some(from),
                }
            }
            Origin::Function(block, count) => (from..*count).find(|index| block(*index).is_some()),
            Origin::Changed(base, changes) => {
                let mut at = from;
                loop {
                    let added = changes.range(at..).find(|(_, data)| data.is_some());
                    let added = added.map(|(index, _)| *index);
                    let next = match (base.next(at), added) {
                        (Some(one), Some(other)) => one.min(other),
                        (one, other) => one.or(other)?,
                    };
                    if changes.get(&next).is_none_or(Option::is_some) {
                        return Some(next);
                    }
                    at = next + 1;
                }
            }
        }
    }

    /// A whole block; `None` if it was never written.
    ///
    /// # Panics
    /// If the file cannot be read.
    #[must_use]
    pub fn read(&self, index: u64) -> Option<Vec<u8>> {
        let mut block = match &self.0.origin {
            Origin::File(file, len) => {
                if self.next(index) != Some(index) {
                    return None;
                }
                let at = index * block_len();
                let there = usize::try_from((len - at).min(block_len())).expect("small");
                let mut block = vec![0; there];
                file.read_exact_at(&mut block, at).expect("the image");
                block
            }
            Origin::Function(block, count) if index < *count => block(index)?,
            Origin::Function(..) => return None,
            Origin::Changed(base, changes) => match changes.get(&index) {
                Some(change) => change.clone()?,
                None => base.read(index)?,
            },
        };
        block.resize(BLOCK_LEN, 0);
        Some(block)
    }

    /// SHA-256 of a block, in base64. It is worked out once.
    pub fn checksum(&self, index: u64, block: &[u8]) -> String {
        let known = self
            .0
            .checksums
            .lock()
            .expect("a lock")
            .get(&index)
            .cloned();
        known.unwrap_or_else(|| {
            let sum = STANDARD.encode(sha256(block));
            let mut sums = self.0.checksums.lock().expect("a lock");
            sums.insert(index, sum.clone());
            sum
        })
    }

    /// The first block at or after an index that is not the same in both.
    pub fn next_changed(&self, other: &Self, from: u64) -> Option<u64> {
        if Arc::ptr_eq(&self.0, &other.0) {
            return None;
        }
        let mut at = from;
        loop {
            let next = match (self.candidate(other, at), other.candidate(self, at)) {
                (Some(one), Some(two)) => one.min(two),
                (one, two) => one.or(two)?,
            };
            if self.read(next) != other.read(next) {
                return Some(next);
            }
            at = next + 1;
        }
    }

    /// The next block that may be another one than in `other`.
    fn candidate(&self, other: &Self, from: u64) -> Option<u64> {
        match (&self.0.origin, &other.0.origin) {
            (Origin::Changed(base, changes), _) if Arc::ptr_eq(&base.0, &other.0) => {
                changes.range(from..).next().map(|(index, _)| *index)
            }
            (_, Origin::Changed(base, _)) if Arc::ptr_eq(&base.0, &self.0) => None,
            _ => self.next(from),
        }
    }
}

fn block_len() -> u64 {
    GIB / BLOCKS_PER_GIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_is_there() {
        let mut image = vec![0; BLOCK_LEN * 3 + 10];
        image[BLOCK_LEN] = 1;
        image[BLOCK_LEN * 3 + 9] = 2;
        let blocks = Blocks::from_bytes(image);
        assert_eq!((blocks.count(), blocks.gib()), (4, 1));
        assert_eq!(blocks.next(0), Some(1));
        assert_eq!(blocks.next(2), Some(3));
        assert_eq!(blocks.next(4), None);
        assert_eq!(blocks.read(0), None);
        let last = blocks.read(3).expect("written");
        assert_eq!((last.len(), last[9]), (BLOCK_LEN, 2));

        let changes = [(0, Some(vec![7])), (1, None), (2, None), (9, Some(vec![8]))];
        let later = blocks.changed(BTreeMap::from(changes));
        let all = |blocks: &Blocks| -> Vec<u64> {
            std::iter::successors(blocks.next(0), |at| blocks.next(at + 1)).collect()
        };
        assert_eq!(all(&later), [0, 3, 9]);
        assert_eq!(later.read(1), None);
        let differ = |one: &Blocks, two: &Blocks| -> Vec<u64> {
            let next = |at: &u64| one.next_changed(two, at + 1);
            std::iter::successors(one.next_changed(two, 0), next).collect()
        };
        assert_eq!(differ(&blocks, &later), [0, 1, 9]);
        assert_eq!(differ(&later, &blocks), [0, 1, 9]);
        assert_eq!(differ(&later, &later.clone()), [0; 0]);
    }
}
