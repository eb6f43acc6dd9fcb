//! Points in time of an object, and what opening one gives.

use crate::engine::{Cleanup, UnixTime};
use crate::error::{Error, Result};
use crate::spent::Spent;
use flr_fs::{ByteSource, Filesystem};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A point in time of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointInfo {
    /// The provider's id: of the snapshot, or of the first one if it has several disks.
    pub id: String,
    /// What the provider or the user calls it.
    pub name: Option<String>,
    /// What it is a point of: `vol-…`, `i-…`.
    pub object: String,
    /// When it was taken.
    pub time: UnixTime,
    /// Bytes of all disks together.
    pub size: u64,
    /// The provider's word: `completed`, `pending`.
    pub state: String,
    /// What may be expected of the files.
    pub consistency: Consistency,
    /// How it can be read.
    pub access: Access,
    /// When the provider will delete it.
    pub expires: Option<UnixTime>,
    /// Where it lies.
    pub region: Option<String>,
    /// Whose it is.
    pub account: Option<String>,
    /// `standard`, `archive`.
    pub tier: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Longest time between the snapshots of two of its disks, if it has several.
    pub skew: Option<Duration>,
    /// Its disks, the one that the system boots from first.
    pub disks: Vec<DiskInfo>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

impl PointInfo {
    /// Whether it was taken whole. One that is not yet, or never will be, is no answer to `latest`.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let unfinished = [
            "pending",
            "progressing",
            "error",
            "failed",
            "recoverable",
            "recovering",
            "deleting",
            "invalid",
            "missing",
        ];
        // Of an instance some volumes may lack a snapshot, and the others are read; a volume of ONTAP
        // that lacks some of its parts cannot be.
        let in_parts = self.state == "partial" && matches!(self.access, Access::None(_));
        !in_parts && !unfinished.contains(&self.state.as_str())
    }
}

/// A disk of a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskInfo {
    /// The snapshot's id.
    pub id: String,
    /// What it was taken of: `vol-…`.
    pub volume: Option<String>,
    /// Where it was attached: `/dev/xvda`.
    pub device: Option<String>,
    /// Bytes; 0 if the provider does not say.
    pub size: u64,
}

/// What may be expected of the files at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Applications had written everything.
    Application,
    /// Filesystems had.
    Filesystem,
    /// As after a loss of power.
    Crash,
    /// The provider does not say.
    Unknown,
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Application => "application",
            Self::Filesystem => "filesystem",
            Self::Crash => "crash",
            Self::Unknown => "unknown",
        })
    }
}

/// How a point can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Through the provider's block interface; nothing is made.
    Direct,
    /// Something has to be made first.
    Clone,
    /// Not now, and why, in words.
    None(String),
}

impl Access {
    /// The word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Clone => "clone",
            Self::None(_) => "none",
        }
    }
}

/// How a point is to be read: `--access`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessMode {
    /// Directly where that is possible, else through something temporary.
    #[default]
    Auto,
    /// Directly, or not at all.
    Direct,
    /// Through something temporary.
    Clone,
}

/// What the user allows and wants of the opening of a point.
#[derive(Clone, Debug, Default)]
pub struct OpenHow {
    /// Which way.
    pub access: AccessMode,
    /// For how long temporary resources are promised to be gone after.
    pub ttl: Option<Duration>,
    /// Leave temporary resources until they expire.
    pub keep: bool,
    /// Dollars that it may cost, with all that is in `spent` already.
    pub max_cost: Option<f64>,
    /// What the command has spent so far, at this point and all others.
    pub spent: Spent,
    /// Costs and side effects are accepted.
    pub yes: bool,
    /// What for, as the user wrote it; shown by `flr session ls`.
    pub reason: Option<String>,
    /// More tags for what is made.
    pub tags: Vec<(String, String)>,
    /// Raised by whoever wants this to end: making ends, reading fails, cleaning up goes on.
    pub interrupt: Option<Arc<AtomicBool>>,
}

/// What a price depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PricedBy {
    /// The number of calls.
    Calls,
    /// How long something temporary may live.
    Time,
}

impl OpenHow {
    /// Counts dollars that are about to be spent on `what`, such as `a volume of snap-…`.
    ///
    /// # Errors
    /// [`Error::Cost`] if that is more than may be spent in all; then nothing is counted.
    pub fn spend(&self, dollars: f64, by: PricedBy, what: &str) -> Result<()> {
        let Some(max) = self.max_cost.filter(|_| !self.yes) else {
            return Ok(());
        };
        let before = self.spent.dollars();
        if self.spent.add(dollars, max) {
            return Ok(());
        }
        // Calls cost less than what four digits show.
        let told = |dollars: f64| match dollars < 0.001 {
            true => format!("${dollars:.7}"),
            false => format!("${dollars:.4}"),
        };
        let before = match before > 0.0 {
            true => format!(", with {} for what was read before it", told(before)),
            false => String::new(),
        };
        let dollars = told(dollars);
        Err(Error::Cost {
            what: format!("{what} would cost {dollars}, more than ${max}{before}"),
            hint: Some(match by {
                PricedBy::Calls => "a higher --max-cost, or --yes".to_owned(),
                PricedBy::Time => "a shorter --ttl, a higher --max-cost, or --yes".to_owned(),
            }),
        })
    }
}

/// How snapshots of an instance are to be taken.
#[derive(Clone, Debug, Default)]
pub struct TakeHow {
    /// Applications, or at least filesystems, are to hold still.
    pub application: Option<Application>,
    /// Disks to leave out.
    pub exclude: Vec<String>,
    /// What they are to be called.
    pub name: Option<String>,
    /// Tags for them.
    pub tags: Vec<(String, String)>,
    /// How long all of it may take.
    pub timeout: Duration,
    /// Raised by whoever wants this to end. What was begun goes on.
    pub interrupt: Option<Arc<AtomicBool>>,
}

/// How applications hold still.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Application {
    /// Scripts inside of the instance: before and after.
    pub scripts: Option<(String, String)>,
    /// The instance's role; looked up if none is named.
    pub role: Option<String>,
}

/// Snapshots that were taken. They are the user's: nothing deletes them.
#[derive(Clone, Debug)]
pub struct TakenPoint {
    /// They, as a point.
    pub point: PointInfo,
    /// What was done, for people.
    pub notes: Vec<String>,
    /// What is less than was asked for.
    pub warnings: Vec<String>,
}

/// A disk that was opened.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its bytes.
    pub source: Arc<dyn ByteSource>,
    /// Whether the bytes may be a container. Only files may: a guest can write a container's header on
    /// a disk of its own.
    pub may_be_container: bool,
}

/// What came of opening a point.
#[derive(Debug)]
pub struct OpenedPoint {
    /// Its disks, in the order of [`PointInfo::disks`].
    pub disks: Vec<Disk>,
    /// What was done, for people: which way it is read, what was made.
    pub notes: Vec<String>,
    /// What was made for it; deleted by [`Held::close`].
    pub held: Option<Box<dyn Held>>,
}

/// What came of opening a point that is no disk: files, as the provider shows them.
#[derive(Debug)]
pub struct OpenedFiles {
    /// Its files.
    pub filesystem: Arc<dyn Filesystem>,
    /// What was done, for people.
    pub notes: Vec<String>,
    /// What reading them may make; deleted by [`Held::close`].
    pub held: Option<Box<dyn Held>>,
}

/// Temporary resources that an opened point needs. Renewed in the background for as long as this lives.
pub trait Held: fmt::Debug + Send + Sync {
    /// The session, as `flr session` shows it; empty as long as nothing was made.
    fn session(&self) -> String;
    /// Deletes everything and returns when it was seen gone. All sources of the point must be closed.
    /// Blocks; a second call gives the outcome of the first.
    fn close(&self) -> Cleanup;
}

/// An estimate of what reading costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Calls, by their names.
    pub requests: Vec<(String, u64)>,
    /// Bytes that are transferred.
    pub bytes: u64,
    /// Dollars; `None` where the price is not known.
    pub dollars: Option<f64>,
    /// How long it may take.
    pub duration: Option<Duration>,
    /// What is made, and other things to know before acting.
    pub notes: Vec<String>,
}

/// Which bytes of a disk are the same at two points, on the word of the provider that keeps both.
pub trait Unchanged: fmt::Debug + Send + Sync {
    /// How many bytes from `range.start` on, at least 1 and at most those of the range, which must not be
    /// empty, are alike in this: known to be the same at both points, or not known to be. What cannot be
    /// found out is not known. May block on a call.
    fn stretch(&self, range: Range<u64>) -> (u64, bool);
}

/// A disk that two points have in common.
#[derive(Clone, Debug)]
pub struct CommonDisk {
    /// Its index among the disks of the one point.
    pub before: usize,
    /// And of the other.
    pub after: usize,
    /// What is the same at both.
    pub unchanged: Arc<dyn Unchanged>,
}

/// A provider that keeps points in time of objects.
pub trait Catalog: fmt::Debug + Send + Sync {
    /// Points of an object (an id, an ARN or a name, as in an address), oldest first. With an id of a
    /// snapshot: that one. Blocks.
    ///
    /// # Errors
    /// There is no such object, the name is not unique, the provider refuses or cannot be reached.
    fn points(&self, object: &str) -> Result<Vec<PointInfo>>;

    /// Opens a point. Blocks; what it has made by the time of an error is deleted or in the journal.
    ///
    /// # Errors
    /// It cannot be read in that way, and why; the provider refuses or cannot be reached.
    fn open(&self, point: &PointInfo, how: &OpenHow) -> Result<OpenedPoint>;

    /// Opens a point whose files the provider shows itself, without a disk in between. `None`: it has
    /// disks. Blocks. What is read later may make something, and says so then.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn open_files(&self, _point: &PointInfo, _how: &OpenHow) -> Result<Option<OpenedFiles>> {
        Ok(None)
    }

    /// Takes snapshots of all disks of an instance and waits until they are whole. Blocks.
    ///
    /// # Errors
    /// This provider takes none, the instance cannot, the provider refuses or cannot be reached.
    fn take(&self, object: &str, _how: &TakeHow) -> Result<TakenPoint> {
        Err(Error::Refused {
            what: format!(
                "{object}: snapshots are taken only of instances of Alibaba Cloud as yet"
            ),
            hint: Some(
                "take it with the provider's own tools, then flr points shows it".to_owned(),
            ),
        })
    }

    /// Disks of two points of this catalog of which it can be asked what changed between them. Which point is
    /// the older one does not matter. Makes no call: what there is to ask is asked when it is needed.
    fn common(&self, _before: &PointInfo, _after: &PointInfo, _how: &OpenHow) -> Vec<CommonDisk> {
        Vec::new()
    }

    /// What it costs to open a point and read so many bytes of files.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn cost(&self, point: &PointInfo, how: &OpenHow, bytes: u64) -> Result<Estimate>;
}
