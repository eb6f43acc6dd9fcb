//! What a cluster has: SVMs, volumes with snapshots and files, LUNs, initiator groups.

use super::content::Content;
use super::files::Files;
use std::collections::BTreeMap;

/// A storage virtual machine.
#[derive(Clone, Debug)]
pub struct Svm {
    /// UUID.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// `running`, `stopped`.
    pub state: String,
}

/// What a volume is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeType {
    /// Read and write.
    Rw,
    /// Destination of a SnapMirror: nothing can be written there.
    Dp,
    /// Load sharing: as `Dp`.
    Ls,
}

impl VolumeType {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Rw => "rw",
            Self::Dp => "dp",
            Self::Ls => "ls",
        }
    }
}

/// What space a volume has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Enough.
    Enough,
    /// So little that a clone is made and is in the state `space_error`.
    ForBrokenClones,
    /// None: clones are refused.
    Full,
}

/// Of what a FlexClone volume is a clone.
#[derive(Clone, Debug)]
pub struct Parent {
    /// UUID of the volume.
    pub volume: String,
    /// UUID of the snapshot.
    pub snapshot: String,
}

/// A volume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// UUID.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Name of its SVM.
    pub svm: String,
    /// What it is for.
    pub kind: VolumeType,
    /// Whether it is a FlexGroup, which has no clones of LUNs or files.
    pub flexgroup: bool,
    /// Whether a SnapMirror destination has had its first transfer.
    pub initialised: bool,
    /// `online`, `offline`, `restricted`, `error`, `mixed`.
    pub state: String,
    /// Size in bytes.
    pub size: u64,
    /// What space is left.
    pub space: Space,
    /// Where it is mounted in its SVM's namespace.
    pub junction: Option<String>,
    /// Whether `.snapshot` is listed.
    pub snapshot_directory: bool,
    /// For people.
    pub comment: String,
    /// Of what it is a FlexClone.
    pub parent: Option<Parent>,
    /// Files as they are now, without LUNs.
    pub files: Files,
    /// Snapshots, the oldest first.
    pub snapshots: Vec<Snapshot>,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
}

impl Volume {
    /// A snapshot by its name.
    #[must_use]
    pub fn snapshot(&self, name: &str) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.name == name)
    }

    /// The same, to be changed.
    pub fn snapshot_mut(&mut self, name: &str) -> Option<&mut Snapshot> {
        let mut snapshots = self.snapshots.iter_mut();
        snapshots.find(|snapshot| snapshot.name == name)
    }
}

/// A LUN as a snapshot has it.
#[derive(Clone, Debug)]
pub struct SnapshotLun {
    /// Its bytes at that time.
    pub content: Content,
    /// Such as `linux`.
    pub os_type: String,
}

/// A snapshot of a volume.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// UUID, which stays when it is renamed.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// When it was taken, in milliseconds since 1970.
    pub created: i64,
    /// Until when it cannot be deleted, in milliseconds since 1970.
    pub expires: Option<i64>,
    /// Who holds it, beside FlexClone volumes.
    pub owners: Vec<String>,
    /// Of FlexGroups: `valid`, `partial`, `invalid`, `unknown`, `pre_conversion`.
    pub state: Option<String>,
    /// Size in bytes.
    pub size: u64,
    /// For people.
    pub comment: Option<String>,
    /// Label for SnapMirror.
    pub snapmirror_label: Option<String>,
    /// LUNs by their paths in the volume.
    pub luns: BTreeMap<String, SnapshotLun>,
    /// Files, without LUNs.
    pub files: Files,
}

/// A LUN.
#[derive(Clone, Debug)]
pub struct Lun {
    /// UUID.
    pub uuid: String,
    /// UUID of its volume.
    pub volume: String,
    /// Path in the volume: `lun0`, `qtree/lun0`.
    pub path: String,
    /// Its bytes.
    pub content: Content,
    /// Such as `linux`.
    pub os_type: String,
    /// Twelve characters.
    pub serial: String,
    /// For people.
    pub comment: Option<String>,
    /// `online`, `offline`, `nvfail`, `space_error`, `foreign_lun_error`.
    pub state: String,
    /// Whether space is held for all of it.
    pub guaranteed: bool,
    /// Whether it goes when the volume is full.
    pub auto_delete: bool,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
}

/// An initiator group.
#[derive(Clone, Debug)]
pub struct Igroup {
    /// UUID.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Name of its SVM.
    pub svm: String,
    /// Names of initiators.
    pub initiators: Vec<String>,
    /// Whether it goes with its last map.
    pub delete_on_unmap: bool,
}

/// A LUN that an initiator group may use.
#[derive(Clone, Debug)]
pub struct LunMap {
    /// UUID of the LUN.
    pub lun: String,
    /// UUID of the group.
    pub igroup: String,
    /// Number.
    pub number: u64,
}

/// A volume that is deleted and can be had back for a while.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The volume as it was.
    pub volume: Volume,
    /// When it goes, in milliseconds since 1970.
    pub until: i64,
}

/// All that a cluster has.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// SVMs by name.
    pub svms: BTreeMap<String, Svm>,
    /// Volumes by UUID.
    pub volumes: BTreeMap<String, Volume>,
    /// LUNs by UUID.
    pub luns: BTreeMap<String, Lun>,
    /// Initiator groups by UUID.
    pub igroups: BTreeMap<String, Igroup>,
    /// LUN maps.
    pub maps: Vec<LunMap>,
    /// Volumes in the recovery queue.
    pub recovery_queue: Vec<Deleted>,
}

impl Tables {
    /// A volume by names.
    #[must_use]
    pub fn volume(&self, svm: &str, name: &str) -> Option<&Volume> {
        let mut volumes = self.volumes.values();
        volumes.find(|volume| volume.svm == svm && volume.name == name)
    }

    /// The same, to be changed.
    pub fn volume_mut(&mut self, svm: &str, name: &str) -> Option<&mut Volume> {
        let mut volumes = self.volumes.values_mut();
        volumes.find(|volume| volume.svm == svm && volume.name == name)
    }

    /// A LUN by names: SVM, volume, path in the volume.
    #[must_use]
    pub fn lun(&self, svm: &str, volume: &str, path: &str) -> Option<&Lun> {
        let volume = self.volume(svm, volume)?;
        self.lun_of(&volume.uuid, path)
    }

    /// The same, to be changed.
    pub fn lun_mut(&mut self, svm: &str, volume: &str, path: &str) -> Option<&mut Lun> {
        let uuid = self.lun(svm, volume, path)?.uuid.clone();
        self.luns.get_mut(&uuid)
    }

    pub(crate) fn lun_of(&self, volume: &str, path: &str) -> Option<&Lun> {
        let mut luns = self.luns.values();
        luns.find(|lun| lun.volume == volume && lun.path == path)
    }

    /// `/vol/VOLUME/PATH`
    pub(crate) fn name_of(&self, lun: &Lun) -> String {
        let volume = self.volumes.get(&lun.volume);
        let volume = volume.map_or("?", |volume| volume.name.as_str());
        format!("/vol/{volume}/{}", lun.path)
    }

    /// Whether a FlexClone volume, also a deleted one, needs a snapshot.
    pub(crate) fn is_busy(&self, volume: &str, snapshot: &str) -> bool {
        let deleted = self.recovery_queue.iter().map(|deleted| &deleted.volume);
        let mut all = self.volumes.values().chain(deleted);
        all.any(|clone| {
            let parent = clone.parent.as_ref();
            parent.is_some_and(|parent| parent.volume == volume && parent.snapshot == snapshot)
        })
    }

    pub(crate) fn has_clones(&self, volume: &str) -> bool {
        let snapshots = self.volumes.get(volume).map(|volume| &volume.snapshots);
        let mut snapshots = snapshots.into_iter().flatten();
        snapshots.any(|snapshot| self.is_busy(volume, &snapshot.uuid))
    }
}
