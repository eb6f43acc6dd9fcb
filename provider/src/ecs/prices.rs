//! What disks cost, for estimates: dollars. Regions differ.

/// A GiB of the dearest disk that may be made, an ESSD of PL1, for a month of 730 hours.
pub const DISK_GIB_MONTH: f64 = 0.15;
