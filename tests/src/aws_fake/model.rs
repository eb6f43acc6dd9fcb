//! What there is: snapshots, volumes, instances and images. States are functions of time.

use crate::stand_in::Blocks;
use std::collections::{BTreeMap, BTreeSet};

/// Tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// A snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// `snap-…`
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// The volume that it is of; arbitrary for a copy.
    pub volume_id: String,
    /// Size of that volume in GiB.
    pub gib: u64,
    /// What is in it.
    pub blocks: Blocks,
    /// Description.
    pub description: String,
    /// When it was started, in milliseconds since 1970.
    pub started: i64,
    /// Pending until then, in milliseconds since 1970.
    pub completes: i64,
    /// Another state than `pending` or `completed`, with its message: `error`, `recoverable`, ….
    pub status: Option<(String, String)>,
    /// The key it is encrypted with.
    pub kms_key: Option<String>,
    /// Whether that key may not be used by anybody.
    pub kms_denied: bool,
    /// Whether it is in the archive.
    pub archived: bool,
    /// Whether it is on an Outpost, which EBS direct cannot read.
    pub outpost: bool,
    /// Other accounts that may use it.
    pub shared_with: BTreeSet<String>,
    /// Whether everybody may use it.
    pub public: bool,
    /// Bytes of all blocks that are stored, if EC2 is to say so.
    pub full_bytes: Option<u64>,
    /// Tags.
    pub tags: Tags,
    /// Block tokens of an older generation are no longer valid.
    pub token_generation: u64,
}

impl Snapshot {
    /// A completed one of a volume of its own, owned by the account `111122223333` in `us-east-1`.
    #[must_use]
    pub fn new(id: &str, blocks: Blocks) -> Self {
        Self {
            id: id.to_owned(),
            owner: super::config::ACCOUNT.to_owned(),
            region: super::config::REGION.to_owned(),
            volume_id: id.replacen("snap-", "vol-", 1),
            gib: blocks.gib(),
            blocks,
            description: String::new(),
            started: 1_795_176_000_000,
            completes: 0,
            status: None,
            kms_key: None,
            kms_denied: false,
            archived: false,
            outpost: false,
            shared_with: BTreeSet::new(),
            public: false,
            full_bytes: None,
            tags: Tags::new(),
            token_generation: 0,
        }
    }

    pub(crate) fn state(&self, now: i64) -> &str {
        match &self.status {
            Some((status, _)) => status,
            None if now < self.completes => "pending",
            None => "completed",
        }
    }

    /// Whether an account may see it.
    pub(crate) fn is_visible(&self, account: &str) -> bool {
        self.public || self.owner == account || self.shared_with.contains(account)
    }
}

/// How a volume is attached.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// To this instance.
    pub instance_id: String,
    /// Under this name, such as `/dev/xvdaa`.
    pub device: String,
    /// Asked for then, in milliseconds since 1970.
    pub asked: i64,
    /// Attaching until then, in milliseconds since 1970; `i64::MAX` is stuck.
    pub attached: i64,
    /// Detaching until then, if it is; `i64::MAX` is stuck.
    pub detached: Option<i64>,
    /// Whether it ends with the instance.
    pub delete_on_termination: bool,
}

impl Attachment {
    pub(crate) fn state(&self, now: i64) -> &'static str {
        match self.detached {
            Some(_) => "detaching",
            None if now < self.attached => "attaching",
            None => "attached",
        }
    }
}

/// A volume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// `vol-…`
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// Availability zone.
    pub zone: String,
    /// Size in GiB.
    pub gib: u64,
    /// The snapshot it was made from.
    pub snapshot_id: Option<String>,
    /// What is in it at first.
    pub blocks: Option<Blocks>,
    /// `gp3` and the like.
    pub kind: String,
    /// The key it is encrypted with.
    pub kms_key: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// Creating until then, in milliseconds since 1970.
    pub ready: i64,
    /// Its creation fails when it would be ready: then it is gone.
    pub fails: bool,
    /// Another state than time gives it: `error`.
    pub status: Option<String>,
    /// What it is attached to. It may be over: see `Volume::attachment`.
    pub attached_to: Option<Attachment>,
    /// Deleting until then, if it is, in milliseconds since 1970; `i64::MAX` is stuck.
    pub gone: Option<i64>,
    /// Tags.
    pub tags: Tags,
    /// The token that it was made with.
    pub client_token: Option<String>,
}

impl Volume {
    /// An empty one, available, owned by the account `111122223333` in `us-east-1a`.
    #[must_use]
    pub fn new(id: &str, gib: u64) -> Self {
        Self {
            id: id.to_owned(),
            owner: super::config::ACCOUNT.to_owned(),
            region: super::config::REGION.to_owned(),
            zone: format!("{}a", super::config::REGION),
            gib,
            snapshot_id: None,
            blocks: None,
            kind: "gp3".to_owned(),
            kms_key: None,
            created: 0,
            ready: 0,
            fails: false,
            status: None,
            attached_to: None,
            gone: None,
            tags: Tags::new(),
            client_token: None,
        }
    }

    /// What it is attached to at a time.
    #[must_use]
    pub fn attachment(&self, now: i64) -> Option<&Attachment> {
        let attachment = self.attached_to.as_ref()?;
        let over = attachment.detached.is_some_and(|detached| detached <= now);
        (!over).then_some(attachment)
    }

    /// Its state at a time; none if it is gone.
    #[must_use]
    pub fn state(&self, now: i64) -> Option<&str> {
        match (self.gone, &self.status) {
            (Some(gone), _) => (now < gone).then_some("deleting"),
            (None, Some(status)) => Some(status),
            (None, None) if now < self.ready => Some("creating"),
            (None, None) if self.fails => None,
            (None, None) => match self.attachment(now) {
                Some(_) => Some("in-use"),
                None => Some("available"),
            },
        }
    }
}

/// An instance. Its disks are the volumes that are attached to it.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `i-…`
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// Availability zone.
    pub zone: String,
    /// `running`, `stopped`, ….
    pub state: String,
    /// The image it was made from.
    pub image_id: String,
    /// `t3.micro` and the like.
    pub kind: String,
    /// The name under which it boots.
    pub root_device: String,
    /// `windows` or nothing.
    pub platform: Option<String>,
    /// When it was started, in milliseconds since 1970.
    pub launched: i64,
    /// Tags.
    pub tags: Tags,
}

impl Instance {
    /// A running one, owned by the account `111122223333` in `us-east-1a`.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            owner: super::config::ACCOUNT.to_owned(),
            region: super::config::REGION.to_owned(),
            zone: format!("{}a", super::config::REGION),
            state: "running".to_owned(),
            image_id: "ami-0123456789abcdef0".to_owned(),
            kind: "t3.micro".to_owned(),
            root_device: "/dev/xvda".to_owned(),
            platform: None,
            launched: 1_795_176_000_000,
            tags: Tags::new(),
        }
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
}

/// An image of a machine.
#[derive(Clone, Debug)]
pub struct Image {
    /// `ami-…`
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// `available`, `pending`, ….
    pub state: String,
    /// The name under which it boots.
    pub root_device: String,
    /// Its disks.
    pub disks: Vec<ImageDisk>,
    /// Whether everybody may use it.
    pub public: bool,
    /// `windows` or nothing.
    pub platform: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// Tags.
    pub tags: Tags,
}

impl Image {
    /// One that is available, owned by the account `111122223333` in `us-east-1`.
    #[must_use]
    pub fn new(id: &str, disks: Vec<ImageDisk>) -> Self {
        Self {
            id: id.to_owned(),
            owner: super::config::ACCOUNT.to_owned(),
            region: super::config::REGION.to_owned(),
            name: id.to_owned(),
            state: "available".to_owned(),
            root_device: "/dev/xvda".to_owned(),
            disks,
            public: false,
            platform: None,
            created: 1_795_176_000_000,
            tags: Tags::new(),
        }
    }
}

/// All that EC2 describes, by id.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Snapshots.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Volumes, also those that are gone.
    pub volumes: BTreeMap<String, Volume>,
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

    /// Adds a volume, or puts it in the place of the one with its id.
    pub fn add_volume(&mut self, volume: Volume) {
        self.volumes.insert(volume.id.clone(), volume);
    }

    /// Adds an instance, or puts it in the place of the one with its id.
    pub fn add_instance(&mut self, instance: Instance) {
        self.instances.insert(instance.id.clone(), instance);
    }

    /// Adds an image, or puts it in the place of the one with its id.
    pub fn add_image(&mut self, image: Image) {
        self.images.insert(image.id.clone(), image);
    }

    /// Attaches a volume, as if it had always been.
    ///
    /// # Panics
    /// If there is no such volume.
    pub fn attach(&mut self, volume: &str, instance: &str, device: &str) {
        let volume = self.volumes.get_mut(volume).expect("a volume");
        volume.attached_to = Some(Attachment {
            instance_id: instance.to_owned(),
            device: device.to_owned(),
            asked: 0,
            attached: 0,
            detached: None,
            delete_on_termination: false,
        });
    }

    /// Ends an instance, and what ends with it, at a time in milliseconds since 1970.
    ///
    /// # Panics
    /// If there is no such instance.
    pub fn terminate(&mut self, instance: &str, now: i64) {
        let ended = self.instances.get_mut(instance).expect("an instance");
        "terminated".clone_into(&mut ended.state);
        for volume in self.volumes.values_mut() {
            let attachment = volume.attachment(now).cloned();
            let attachment = attachment.filter(|to| to.instance_id == instance);
            if let Some(mut attachment) = attachment {
                attachment.detached = Some(now);
                volume.gone = attachment.delete_on_termination.then_some(now);
                volume.attached_to = Some(attachment);
            }
        }
    }
}
