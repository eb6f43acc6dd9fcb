//! What disks cost, for estimates: dollars.

/// A bound, not a price: a GiB of the dearest disk that may be made, for a month of 730 hours. Prices differ
/// between regions, and no list of them is public.
pub const DISK_GIB_MONTH: f64 = 0.25;
