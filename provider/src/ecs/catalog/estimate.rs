//! What reading costs: disks of its size, for as long as they may live.

use crate::ecs::backup::POINT_TAG;
use crate::ecs::prices::DISK_GIB_MONTH;
use crate::engine::Settings;
use crate::point::{Estimate, OpenHow, PointInfo};

const MONTH_SECONDS: f64 = 730.0 * 3600.0;

/// What it costs to open a point. What is read from a disk costs nothing more.
pub(super) fn estimate(point: &PointInfo, how: &OpenHow) -> Estimate {
    let gib = point.size.div_ceil(1 << 30);
    let ttl = how.ttl.unwrap_or(Settings::default().ttl);
    let months = ttl.as_secs_f64() / MONTH_SECONDS;
    let count = u64::try_from(point.disks.len()).unwrap_or(u64::MAX);
    // Exact below 4 thousand millions; a price needs no more.
    let size = f64::from(u32::try_from(gib).unwrap_or(u32::MAX));
    let mut notes = Vec::new();
    if point.tags.contains_key(POINT_TAG) {
        notes.push(format!(
            "{} is managed by Cloud Backup, which lets go of it once a disk is made of it: it never expires \
             then; --yes agrees to that",
            point.id
        ));
    }
    Estimate {
        requests: ["CreateDisk", "AttachDisk", "DetachDisk", "DeleteDisk"]
            .map(|call| (call.to_owned(), count))
            .into(),
        bytes: 0,
        dollars: Some(size * DISK_GIB_MONTH * months),
        duration: None,
        notes: [
            format!(
                "makes disks of {gib} GiB in all, which are deleted at the end; the price is that of {} \
                 minutes",
                ttl.as_secs().div_euclid(60)
            ),
            "a disk is filled from its snapshot while it is read: the first reading of each place is slow"
                .to_owned(),
        ]
        .into_iter()
        .chain(notes)
        .collect(),
    }
}
