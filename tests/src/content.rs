//! The content of files: where it is and its hash.

use flr_fs::{ByteSource, SegmentKind};
use sha2::{Digest, Sha256};

/// Bytes read at once: not a multiple of any block, so that reads begin and end amid blocks.
const READ_LEN: usize = (1 << 20) - 4093;

/// Ranges of data as `SEEK_DATA` and `SEEK_HOLE` tell them.
///
/// # Errors
/// Those of the source.
pub fn data_ranges(source: &dyn ByteSource) -> flr_fs::Result<Vec<(u64, u64)>> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    while at < source.size() {
        let segment = source.segment_at(at..source.size())?;
        let end = at + segment.len;
        assert!(segment.len > 0 && end <= source.size());
        match segment.kind {
            SegmentKind::Hole | SegmentKind::Unwritten => {}
            _ => match ranges.last_mut() {
                Some(last) if last.1 == at => last.1 = end,
                _ => ranges.push((at, end)),
            },
        }
        at = end;
    }
    Ok(ranges)
}

/// SHA-256 of the ranges of a source, one behind the other.
///
/// # Errors
/// Those of the source.
pub fn sha256(source: &dyn ByteSource, ranges: &[(u64, u64)]) -> flr_fs::Result<String> {
    let mut digest = Sha256::new();
    let mut buf = vec![0; READ_LEN];
    for (start, end) in ranges {
        let mut at = *start;
        while at < *end {
            let len = usize::try_from(end - at).map_or(READ_LEN, |left| left.min(READ_LEN));
            let piece = &mut buf[..len];
            source.read_at(at, piece)?;
            digest.update(&piece);
            at += u64::try_from(len).expect("a length");
        }
    }
    let bytes = digest.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
