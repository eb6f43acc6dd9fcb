//! What reading costs.

use crate::aws::prices::{EBS_GET, EBS_LIST, GP3_GIB_MONTH};
use crate::engine::Settings;
use crate::point::{Access, AccessMode, Estimate, OpenHow, PointInfo};

/// Calls until a first small file is found whose journal is clean: not more than these. On 20 GiB it took 8 blocks
/// and 1 listing.
const FIRST_GETS: u64 = 16;
const FIRST_LISTS: u64 = 8;

/// Bytes of a block.
const CHUNK_LEN: u64 = 512 << 10;

/// Entries of one page of a listing.
const PAGE_LEN: u64 = 10_000;

/// What it costs to open a point and read `bytes` of files.
pub(super) fn estimate(point: &PointInfo, how: &OpenHow, bytes: u64) -> Estimate {
    let direct = how.access != AccessMode::Clone && point.access == Access::Direct;
    match direct {
        true => by_calls(point, bytes),
        false => by_volume(point, how),
    }
}

/// Read directly: calls and nothing else.
fn by_calls(point: &PointInfo, bytes: u64) -> Estimate {
    let disks = u64::try_from(point.disks.len()).unwrap_or(u64::MAX);
    let first_gets = FIRST_GETS.saturating_mul(disks);
    // A file begins and ends anywhere in a chunk.
    let chunks = bytes
        .div_ceil(CHUNK_LEN)
        .saturating_add(u64::from(bytes > 0));
    let gets = first_gets.saturating_add(chunks);
    let pages = chunks.div_ceil(PAGE_LEN);
    let lists = FIRST_LISTS.saturating_mul(disks).saturating_add(pages);
    Estimate {
        requests: vec![
            ("ListSnapshotBlocks".to_owned(), lists),
            ("GetSnapshotBlock".to_owned(), gets),
        ],
        bytes: gets.saturating_mul(CHUNK_LEN),
        dollars: Some(dollars(gets, EBS_GET) + dollars(lists, EBS_LIST)),
        duration: None,
        notes: vec!["read directly: nothing is made".to_owned()],
    }
}

/// Read through volumes: their size for as long as they may live.
fn by_volume(point: &PointInfo, how: &OpenHow) -> Estimate {
    const MONTH_SECONDS: f64 = 730.0 * 3600.0;
    let gib = point.size.div_ceil(1 << 30);
    let ttl = how.ttl.unwrap_or(Settings::default().ttl);
    let months = ttl.as_secs_f64() / MONTH_SECONDS;
    let count = u64::try_from(point.disks.len()).unwrap_or(u64::MAX);
    Estimate {
        requests: vec![
            ("CreateVolume".to_owned(), count),
            ("AttachVolume".to_owned(), count),
        ],
        bytes: 0,
        dollars: Some(dollars(gib, GP3_GIB_MONTH) * months),
        duration: None,
        notes: vec![format!(
            "makes volumes of {gib} GiB in all, which are deleted at the end; the price is that of {} minutes",
            ttl.as_secs().div_euclid(60)
        )],
    }
}

/// So many at this price.
pub(super) fn dollars(count: u64, each: f64) -> f64 {
    // Exact below 4 thousand millions; a price needs no more.
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) * each
}
