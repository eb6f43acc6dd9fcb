//! What a stand-in starts with, and what of it may be changed while it runs.

pub use crate::stand_in::AccessKey;
use crate::stand_in::Rate;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// The account that things belong to unless said otherwise.
pub const ACCOUNT: &str = "111122223333";
/// Another account with a key.
pub const OTHER_ACCOUNT: &str = "444455556666";
/// The region that things are in unless said otherwise.
pub const REGION: &str = "us-east-1";

/// What a stand-in starts with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port on 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// Regions; the first is the one of the instance that the metadata is of.
    pub regions: Vec<String>,
    /// Keys that signatures are checked with; the first is the one of `Fake::environment`.
    pub keys: Vec<AccessKey>,
    /// Where devices of attached volumes appear, below `dev` and `sys`; none: nowhere.
    pub dev_root: Option<PathBuf>,
    /// What is chosen at random is chosen by this.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        let secret = |letter: &str| letter.repeat(40);
        Self {
            port: 0,
            regions: vec![REGION.to_owned(), "eu-west-1".to_owned()],
            keys: vec![
                AccessKey::new("AKIAFAKE000000000001", &secret("a"), ACCOUNT),
                AccessKey::new("AKIAFAKE000000000002", &secret("b"), OTHER_ACCOUNT),
            ],
            dev_root: None,
            seed: 1,
        }
    }
}

/// How pages of EBS direct come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pages {
    /// At most so many blocks, whatever was asked for.
    pub max: Option<usize>,
    /// Each page of so many (counted over all) is empty and has a `NextToken`.
    pub empty_every: Option<usize>,
}

/// What of the behaviour may be changed while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a volume is `creating`.
    pub create_time: Duration,
    /// How long a volume is `attaching`.
    pub attach_time: Duration,
    /// How long a volume is `detaching`.
    pub detach_time: Duration,
    /// How long a volume is `deleting`.
    pub delete_time: Duration,
    /// How long Lightsail takes for a copy of a snapshot.
    pub copy_time: Duration,
    /// How long Lightsail takes for an export.
    pub export_time: Duration,
    /// The next so many creations of volumes fail after they were answered.
    pub creations_that_fail: u32,
    /// The next so many attachments never get beyond `attaching`.
    pub attachments_that_hang: u32,
    /// The next so many deletions of volumes never get beyond `deleting`.
    pub deletions_that_hang: u32,
    /// The next so many exports fail.
    pub exports_that_fail: u32,
    /// How far every describing call of EC2 is behind.
    pub lag: Duration,
    /// How far single operations of EC2 are behind instead.
    pub lag_of: BTreeMap<String, Duration>,
    /// Volumes that each account may have.
    pub volumes_max: Option<usize>,
    /// Volumes that may be attached to an instance.
    pub attachments_max: usize,
    /// Life of block tokens.
    pub block_token_life: Duration,
    /// Life of page tokens of EBS direct.
    pub page_token_life: Duration,
    /// Whether each listing of a snapshot makes its older block tokens invalid.
    pub listing_ends_tokens: bool,
    /// How pages of EBS direct come.
    pub pages: Pages,
    /// Things on a page of EC2 and Lightsail, if fewer were not asked for.
    pub page_max: usize,
    /// Bound on GetSnapshotBlock for each snapshot.
    pub snapshot_rate: Option<Rate>,
    /// Bound on GetSnapshotBlock for each account.
    pub block_rate: Option<Rate>,
    /// Bound on ListSnapshotBlocks and ListChangedBlocks for each account.
    pub list_rate: Option<Rate>,
    /// Actions, such as `ebs:GetSnapshotBlock`, that nobody may do.
    pub denied: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let short = Duration::from_millis(20);
        Self {
            create_time: short,
            attach_time: short,
            detach_time: short,
            delete_time: short,
            copy_time: short,
            export_time: Duration::from_millis(50),
            creations_that_fail: 0,
            attachments_that_hang: 0,
            deletions_that_hang: 0,
            exports_that_fail: 0,
            lag: Duration::ZERO,
            lag_of: BTreeMap::new(),
            volumes_max: None,
            attachments_max: 27,
            block_token_life: Duration::from_secs(7 * 24 * 3600),
            page_token_life: Duration::from_secs(3600),
            listing_ends_tokens: false,
            pages: Pages::default(),
            page_max: 1000,
            snapshot_rate: None,
            block_rate: None,
            list_rate: None,
            denied: BTreeSet::new(),
        }
    }
}
