//! Stores that have no holes: bytes in chunks of one length, of which the last may be shorter.

use super::store::{ChunkRun, ChunkState};
use crate::fault::{Fault, FaultKind};
use std::num::NonZeroU32;
use std::ops::Range;

/// How such a store is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Even {
    /// Bytes of a chunk.
    pub(crate) chunk_len: NonZeroU32,
    /// Chunks that one call may ask for.
    pub(crate) coalesce_max: NonZeroU32,
}

impl Even {
    /// The bytes of these chunks, of a store of `size` bytes: at least one.
    ///
    /// # Errors
    /// There are none, they begin behind the end, or they are too many.
    pub(crate) fn bytes_of(self, chunks: &Range<u64>, size: u64) -> Result<Range<u64>, Fault> {
        let len = u64::from(self.chunk_len.get());
        let start = chunks.start.checked_mul(len);
        let end = chunks.end.checked_mul(len).map(|end| end.min(size));
        let count = chunks.end.saturating_sub(chunks.start);
        match (start, end) {
            (Some(start), Some(end))
                if start < end && count <= u64::from(self.coalesce_max.get()) =>
            {
                Ok(start..end)
            }
            _ => {
                let message = format!("there are no chunks {}..{}", chunks.start, chunks.end);
                Err(Fault::new(FaultKind::Refused, message))
            }
        }
    }
}

/// A map without holes.
pub(crate) fn all_present(chunks: Range<u64>) -> Vec<ChunkRun> {
    let run = |chunks| ChunkRun {
        chunks,
        state: ChunkState::Present,
    };
    // The trait has no empty runs.
    (!chunks.is_empty())
        .then(|| run(chunks))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_with_the_store() {
        let of = |coalesce_max| Even {
            chunk_len: NonZeroU32::new(1000).unwrap(),
            coalesce_max: NonZeroU32::new(coalesce_max).unwrap(),
        };
        let bytes = |chunks: Range<u64>, size| of(8).bytes_of(&chunks, size);
        assert_eq!(bytes(0..2, 1001), Ok(0..1001));
        assert_eq!(bytes(1..2, 1001), Ok(1000..1001));
        for (bad, size) in [
            (1..2, 1000),
            (0..0, 1000),
            (0..9, 20_000),
            (u64::MAX - 1..u64::MAX, u64::MAX),
        ] {
            bytes(bad.clone(), size).expect_err(&format!("{bad:?} of {size}"));
        }
        of(1).bytes_of(&(0..2), 1001).unwrap_err();
        assert_eq!(all_present(3..3), []);
        assert_eq!(all_present(3..5).len(), 1);
    }
}
