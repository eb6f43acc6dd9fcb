//! What a stand-in starts with, and what of it may be changed while it runs.

pub use crate::stand_in::AccessKey;
use crate::stand_in::Rate;
use crate::stand_in::device::Bus;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// The account that things belong to unless said otherwise.
pub const ACCOUNT: &str = "1234567890123456";
/// Another account with a key.
pub const OTHER_ACCOUNT: &str = "6543210987654321";
/// The region that things are in unless said otherwise.
pub const REGION: &str = "cn-hangzhou";
/// The zone that things are in unless said otherwise.
pub const ZONE: &str = "cn-hangzhou-h";
/// The instance that the metadata are of.
pub const INSTANCE: &str = "i-bp100000000000000001";
/// The role of that instance.
pub const ROLE: &str = "flr-tester";

/// What a stand-in starts with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port on 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// Regions; the first is the one of the instance that the metadata are of. Each has the zones `-h`
    /// and `-k`.
    pub regions: Vec<String>,
    /// Keys that signatures are checked with; the first is the one of `Fake::environment`.
    pub keys: Vec<AccessKey>,
    /// Where devices of attached disks appear, below `dev` and `sys`; none: nowhere.
    pub dev_root: Option<PathBuf>,
    /// What is chosen at random is chosen by this.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        let secret = |letter: &str| letter.repeat(30);
        Self {
            port: 0,
            regions: vec![REGION.to_owned(), "cn-shanghai".to_owned()],
            keys: vec![
                AccessKey::new("LTAI5fake0000000000001", &secret("a"), ACCOUNT),
                AccessKey::new("LTAI5fake0000000000002", &secret("b"), OTHER_ACCOUNT),
            ],
            dev_root: None,
            seed: 1,
        }
    }
}

/// How an account stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Money {
    /// It has paid.
    #[default]
    Paid,
    /// It owes: `Account.Arrearage`, and its disks are locked.
    Arrears,
    /// `InvalidAccountStatus.NotEnoughBalance`.
    NotEnough,
}

/// What a command of Cloud Assistant comes to.
#[derive(Clone, Debug)]
pub struct Assistant {
    /// How long it runs.
    pub run_time: Duration,
    /// Another end than the plugin's own, by its codes: 1 to 16, 255.
    pub exit_code: Option<i64>,
    /// Another output than the plugin's own.
    pub output: Option<String>,
}

/// What of the behaviour may be changed while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a disk is `Creating`.
    pub create_time: Duration,
    /// How long after its creation a disk cannot be deleted: `IncorrectDiskStatus.Initializing`.
    pub initialize_time: Duration,
    /// How long a disk is `Attaching`.
    pub attach_time: Duration,
    /// How long a disk is `Detaching`.
    pub detach_time: Duration,
    /// How long a deleted disk is still described.
    pub delete_time: Duration,
    /// How long a snapshot is `progressing`.
    pub snapshot_time: Duration,
    /// How long a call with a client token keeps others with it out: `IdempotentProcessing`.
    pub processing_time: Duration,
    /// Whether an instance has only one disk attached or detached at a time.
    pub one_at_a_time: bool,
    /// The next so many creations of disks fail after they were answered.
    pub creations_that_fail: u32,
    /// The next so many attachments never get beyond `Attaching`.
    pub attachments_that_hang: u32,
    /// The next so many attachments never get beyond `Detaching`.
    pub detachments_that_hang: u32,
    /// The next so many deletions of disks are answered, and nothing comes of them.
    pub deletions_lost: u32,
    /// How far every describing call of ECS is behind.
    pub lag: Duration,
    /// How far single operations of ECS are behind instead.
    pub lag_of: BTreeMap<String, Duration>,
    /// Pay-as-you-go disks that each account may have.
    pub disks_max: Option<usize>,
    /// Snapshots that each disk may have.
    pub snapshots_max: usize,
    /// How each account stands that does not stand well.
    pub money: BTreeMap<String, Money>,
    /// Whether snapshots may be made at all.
    pub snapshot_service: bool,
    /// Categories that are refused, as `cloud_auto` or `cloud_essd/PL0`, with status and code.
    pub refused: BTreeMap<String, (u16, String)>,
    /// Zones where nothing is sold.
    pub not_on_sale: BTreeSet<String>,
    /// Bounds on single operations, for each account.
    pub rates: BTreeMap<String, Rate>,
    /// What a bound that is reached tells the client to wait, if it does.
    pub retry_after: Option<Duration>,
    /// Actions, such as `ecs:CreateDisk`, that nobody may do.
    pub denied: BTreeSet<String>,
    /// Things on a page, if fewer were not asked for.
    pub page_max: usize,
    /// Whether the last page has a `NextToken` that is empty, not none.
    pub empty_next_token: bool,
    /// Whether numbers are texts and texts are numbers, where the service has been seen to have both.
    pub numbers_swapped: bool,
    /// Whether times of disks and snapshots have no seconds, too.
    pub short_times: bool,
    /// Whether new disks have no serial number, as very old ones.
    pub no_serial: bool,
    /// How disks are connected to the instance of the metadata.
    pub bus: Bus,
    /// What commands of Cloud Assistant come to.
    pub assistant: Assistant,
    /// Cloud Backup answers with this code and message in its body, and status 200.
    pub hbr_refuses: Option<(String, String)>,
    /// Roles that may be assumed, `acs:ram::ACCOUNT:role/NAME`, and the external id they want.
    pub roles: BTreeMap<String, Option<String>>,
    /// Providers of identities, by what they are called, and the token that is theirs.
    pub oidc_tokens: BTreeMap<String, String>,
    /// Tags that a disk of ours has begin with this.
    pub tag_prefix: String,
}

impl Default for Settings {
    fn default() -> Self {
        let short = Duration::from_millis(20);
        Self {
            create_time: short,
            initialize_time: Duration::ZERO,
            attach_time: short,
            detach_time: short,
            delete_time: short,
            snapshot_time: short,
            processing_time: Duration::ZERO,
            one_at_a_time: false,
            creations_that_fail: 0,
            attachments_that_hang: 0,
            detachments_that_hang: 0,
            deletions_lost: 0,
            lag: Duration::ZERO,
            lag_of: BTreeMap::new(),
            disks_max: None,
            snapshots_max: 256,
            money: BTreeMap::new(),
            snapshot_service: true,
            refused: BTreeMap::new(),
            not_on_sale: BTreeSet::new(),
            rates: BTreeMap::new(),
            retry_after: None,
            denied: BTreeSet::new(),
            page_max: 1000,
            empty_next_token: true,
            numbers_swapped: false,
            short_times: false,
            no_serial: false,
            bus: Bus::Virtio,
            assistant: Assistant {
                run_time: short,
                exit_code: None,
                output: None,
            },
            hbr_refuses: None,
            roles: BTreeMap::from([(format!("acs:ram::{ACCOUNT}:role/{ROLE}"), None)]),
            oidc_tokens: BTreeMap::new(),
            tag_prefix: "flr:".to_owned(),
        }
    }
}
