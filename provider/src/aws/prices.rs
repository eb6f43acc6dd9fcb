//! What calls cost, for estimates: us-east-1, dollars. Other regions differ a little.

/// A call of ListSnapshotBlocks or ListChangedBlocks: $0.0006 for a thousand.
/// Source: <https://aws.amazon.com/ebs/pricing/>, "EBS direct APIs for Snapshots".
pub const EBS_LIST: f64 = 0.000_000_6;

/// A block got with GetSnapshotBlock: $0.003 for a thousand. Source: as [`EBS_LIST`].
pub const EBS_GET: f64 = 0.000_003;

/// A GiB of a gp3 volume for a month of 730 hours. Source: <https://aws.amazon.com/ebs/pricing/>.
pub const GP3_GIB_MONTH: f64 = 0.08;
