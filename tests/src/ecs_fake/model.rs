//! What there is: snapshots, disks, instances and images. States are functions of time, which is in
//! milliseconds since 1970.

use super::config::{ACCOUNT, INSTANCE, REGION, ROLE, ZONE};
use crate::stand_in::Blocks;
use std::collections::{BTreeMap, BTreeSet};

/// When things were made unless said otherwise: 20 November 2026, 12:00.
const MADE: i64 = 1_795_176_000_000;

/// Tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// A snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// `s-…`
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// The disk that it is of.
    pub disk_id: String,
    /// `system` or `data`.
    pub disk_kind: String,
    /// Category of that disk.
    pub disk_category: String,
    /// Size of that disk in GiB.
    pub gib: u64,
    /// What is in it.
    pub blocks: Blocks,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// When it was started.
    pub created: i64,
    /// `progressing` until then.
    pub accomplished: i64,
    /// Whether disks can be made of it before.
    pub available_early: bool,
    /// Whether it is `failed`.
    pub failed: bool,
    /// The key it is encrypted with.
    pub kms_key: Option<String>,
    /// `standard`, `flash` or `archive`.
    pub category: String,
    /// `user` or `auto`.
    pub kind: String,
    /// Days that it is kept; none: for ever.
    pub retention_days: Option<u64>,
    /// What it is a copy of.
    pub source_snapshot_id: Option<String>,
    /// The group it belongs to.
    pub group_id: Option<String>,
    /// Other accounts that may make disks of it.
    pub shared_with: BTreeSet<String>,
    /// Tags.
    pub tags: Tags,
    /// Whether a client of the stand-in has made it.
    pub by_client: bool,
}

impl Snapshot {
    /// An accomplished one of a data disk of its own, of the usual account and region.
    #[must_use]
    pub fn new(id: &str, blocks: Blocks) -> Self {
        Self {
            id: id.to_owned(),
            owner: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            disk_id: id.replacen("s-", "d-", 1),
            disk_kind: "data".to_owned(),
            disk_category: "cloud_essd".to_owned(),
            gib: blocks.gib(),
            blocks,
            name: String::new(),
            description: String::new(),
            created: MADE,
            accomplished: 0,
            available_early: false,
            failed: false,
            kms_key: None,
            category: "standard".to_owned(),
            kind: "user".to_owned(),
            retention_days: None,
            source_snapshot_id: None,
            group_id: None,
            shared_with: BTreeSet::new(),
            tags: Tags::new(),
            by_client: false,
        }
    }

    pub(crate) fn status(&self, now: i64) -> &'static str {
        match self.failed {
            true => "failed",
            false if now < self.accomplished => "progressing",
            false => "accomplished",
        }
    }

    /// Whether disks can be made of it.
    pub(crate) fn is_available(&self, now: i64) -> bool {
        match self.status(now) {
            "accomplished" => self.category != "archive",
            "progressing" => self.available_early,
            _ => false,
        }
    }
}

/// Snapshots of several disks at one moment.
#[derive(Clone, Debug)]
pub struct SnapshotGroup {
    /// `ssg-…`
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// The instance whose disks they are of.
    pub instance_id: String,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// When it was started.
    pub created: i64,
    /// Its snapshots.
    pub snapshots: Vec<String>,
    /// Tags.
    pub tags: Tags,
}

/// How a disk is attached.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// To this instance.
    pub instance_id: String,
    /// The name that the service gives it, which is a hint only.
    pub device: String,
    /// Asked for then.
    pub asked: i64,
    /// `Attaching` until then; `i64::MAX` is stuck.
    pub attached: i64,
    /// `Detaching` until then, if it is; `i64::MAX` is stuck.
    pub detached: Option<i64>,
}

/// A disk.
#[derive(Clone, Debug)]
pub struct Disk {
    /// `d-…`
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// Zone.
    pub zone: String,
    /// Size in GiB.
    pub gib: u64,
    /// The snapshot it was made from.
    pub snapshot_id: Option<String>,
    /// What is in it at first.
    pub blocks: Option<Blocks>,
    /// `cloud_essd` and the like.
    pub category: String,
    /// `PL0` to `PL3`, where its category has levels.
    pub level: Option<String>,
    /// The key it is encrypted with.
    pub kms_key: Option<String>,
    /// `system` or `data`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Its serial number; very old ones have none.
    pub serial: Option<String>,
    /// Whether it can be detached, and is paid as it is used.
    pub portable: bool,
    /// Whether it ends with its instance.
    pub delete_with_instance: bool,
    /// Why it is locked: `financial`, `security`.
    pub locks: Vec<String>,
    /// When it was made.
    pub created: i64,
    /// `Creating` until then.
    pub ready: i64,
    /// It cannot be deleted until then.
    pub initialized: i64,
    /// Its creation fails when it would be ready: then it is gone.
    pub fails: bool,
    /// What it is attached to. It may be over: see `Disk::attachment`.
    pub attached_to: Option<Attachment>,
    /// Described until then, if it is deleted.
    pub gone: Option<i64>,
    /// Tags.
    pub tags: Tags,
    /// The token that it was made with.
    pub client_token: Option<String>,
    /// Whether a client of the stand-in has made it.
    pub by_client: bool,
}

impl Disk {
    /// An empty data disk, available, of the usual account and zone.
    #[must_use]
    pub fn new(id: &str, gib: u64) -> Self {
        Self {
            id: id.to_owned(),
            owner: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            zone: ZONE.to_owned(),
            gib,
            snapshot_id: None,
            blocks: None,
            category: "cloud_essd".to_owned(),
            level: Some("PL1".to_owned()),
            kms_key: None,
            kind: "data".to_owned(),
            name: String::new(),
            description: String::new(),
            serial: id.strip_prefix("d-").map(str::to_owned),
            portable: true,
            delete_with_instance: false,
            locks: Vec::new(),
            created: MADE,
            ready: 0,
            initialized: 0,
            fails: false,
            attached_to: None,
            gone: None,
            tags: Tags::new(),
            client_token: None,
            by_client: false,
        }
    }

    /// What it is attached to at a time.
    #[must_use]
    pub fn attachment(&self, now: i64) -> Option<&Attachment> {
        let attachment = self.attached_to.as_ref()?;
        let over = attachment.detached.is_some_and(|detached| detached <= now);
        (!over).then_some(attachment)
    }

    /// Its status at a time; none if it is gone. There is none for a disk that is being deleted.
    #[must_use]
    pub fn status(&self, now: i64) -> Option<&'static str> {
        let is_over = self.gone.is_some_and(|gone| gone <= now);
        match self.attachment(now) {
            _ if is_over || (self.fails && now >= self.ready) => None,
            _ if now < self.ready => Some("Creating"),
            None => Some("Available"),
            Some(to) if to.detached.is_some() => Some("Detaching"),
            Some(to) if now < to.attached => Some("Attaching"),
            Some(_) => Some("In_use"),
        }
    }
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `i-…`
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// Zone.
    pub zone: String,
    /// `Running`, `Stopped`, ….
    pub status: String,
    /// Name.
    pub name: String,
    /// `ecs.g7.large` and the like.
    pub kind: String,
    /// `linux` or `windows`.
    pub os: String,
    /// When it was made.
    pub created: i64,
    /// Disks that it may have, with its system disk.
    pub disks_max: usize,
    /// Categories of disks that it cannot have.
    pub not_categories: BTreeSet<String>,
    /// Why it is locked: `financial`, `security`.
    pub locks: Vec<String>,
    /// Its role.
    pub role: Option<String>,
    /// Whether that role may make snapshots.
    pub role_allows: bool,
    /// Whether Cloud Assistant runs on it.
    pub assistant: bool,
    /// Scripts on it that can be run before and after a snapshot.
    pub scripts: BTreeSet<String>,
    /// Tags.
    pub tags: Tags,
}

impl Instance {
    /// A running one, of the usual account and zone.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            owner: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            zone: ZONE.to_owned(),
            status: "Running".to_owned(),
            name: id.to_owned(),
            kind: "ecs.g7.large".to_owned(),
            os: "linux".to_owned(),
            created: MADE,
            disks_max: 17,
            not_categories: BTreeSet::new(),
            locks: Vec::new(),
            role: Some(ROLE.to_owned()),
            role_allows: true,
            assistant: true,
            scripts: BTreeSet::new(),
            tags: Tags::new(),
        }
    }

    /// The one that the metadata are of.
    #[must_use]
    pub fn here() -> Self {
        Self::new(INSTANCE)
    }
}

/// A disk of an image.
#[derive(Clone, Debug)]
pub struct ImageDisk {
    /// Such as `/dev/xvda`.
    pub device: String,
    /// What is in it.
    pub snapshot_id: String,
    /// Size in GiB.
    pub gib: u64,
    /// `system` or `data`.
    pub kind: String,
}

/// An image of a machine.
#[derive(Clone, Debug)]
pub struct Image {
    /// `m-…`
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// `Available`, `Creating`, ….
    pub status: String,
    /// Its disks.
    pub disks: Vec<ImageDisk>,
    /// `linux` or `windows`.
    pub os: String,
    /// When it was made.
    pub created: i64,
    /// Tags.
    pub tags: Tags,
}

impl Image {
    /// One that is available, of the usual account and region.
    #[must_use]
    pub fn new(id: &str, disks: Vec<ImageDisk>) -> Self {
        Self {
            id: id.to_owned(),
            owner: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            name: id.to_owned(),
            status: "Available".to_owned(),
            disks,
            os: "linux".to_owned(),
            created: MADE,
            tags: Tags::new(),
        }
    }
}

/// All that ECS describes, by id.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Snapshots.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Groups of snapshots.
    pub groups: BTreeMap<String, SnapshotGroup>,
    /// Disks, also those that are gone.
    pub disks: BTreeMap<String, Disk>,
    /// Instances.
    pub instances: BTreeMap<String, Instance>,
    /// Images.
    pub images: BTreeMap<String, Image>,
}

impl Tables {
    /// Adds a snapshot, or puts it in the place of the one with its id.
    pub fn add_snapshot(&mut self, snapshot: Snapshot) {
        self.snapshots.insert(snapshot.id.clone(), snapshot);
    }

    /// Adds a disk, or puts it in the place of the one with its id.
    pub fn add_disk(&mut self, disk: Disk) {
        self.disks.insert(disk.id.clone(), disk);
    }

    /// Adds an instance, or puts it in the place of the one with its id.
    pub fn add_instance(&mut self, instance: Instance) {
        self.instances.insert(instance.id.clone(), instance);
    }

    /// Adds an image, or puts it in the place of the one with its id.
    pub fn add_image(&mut self, image: Image) {
        self.images.insert(image.id.clone(), image);
    }

    /// Attaches a disk, as if it had always been.
    ///
    /// # Panics
    /// If there is no such disk.
    pub fn attach(&mut self, disk: &str, instance: &str, device: &str) {
        let disk = self.disks.get_mut(disk).expect("a disk");
        disk.attached_to = Some(Attachment {
            instance_id: instance.to_owned(),
            device: device.to_owned(),
            asked: 0,
            attached: 0,
            detached: None,
        });
    }

    /// Releases an instance, and the disks that end with it, at a time.
    pub fn release(&mut self, instance: &str, now: i64) {
        self.instances.remove(instance);
        for disk in self.disks.values_mut() {
            let attachment = disk.attachment(now).cloned();
            let attachment = attachment.filter(|to| to.instance_id == instance);
            if let Some(mut attachment) = attachment {
                attachment.detached = Some(now);
                disk.attached_to = Some(attachment);
                disk.gone = disk.delete_with_instance.then_some(now);
            }
        }
    }
}
