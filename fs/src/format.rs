//! What formats have in common: a probe, a name, and the context they are opened in.

use crate::error::{Code, Error, Fault, Result};
use crate::filesystem::Filesystem;
use crate::limits::Limits;
use crate::source::ByteSource;
use std::fmt;
use std::sync::Arc;

/// What every format can do: recognise itself.
pub trait Format: fmt::Debug + Send + Sync {
    /// Short lower-case name: `gpt`, `ext`.
    fn name(&self) -> &'static str;

    /// Every code the format can report, for the tests that keep them unique and covered.
    fn codes(&self) -> &'static [Code];

    /// Whether `source` looks like this format, and how sure that is. Reads little: at most a few
    /// blocks at fixed places.
    ///
    /// # Errors
    /// Only if the source cannot be read. Bytes that make no sense are `Ok(None)`.
    fn probe(&self, source: &dyn ByteSource) -> Result<Option<Match>>;

    /// Whether copies of the format's structures are there although its beginning is gone. Asked only
    /// where no probe recognised anything, so it may read more: a few dozen blocks. What cannot be
    /// read counts as not there.
    fn probe_copies(&self, _source: &dyn ByteSource) -> Option<Match> {
        None
    }
}

/// How sure a probe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A signature that other formats carry as well.
    Weak,
    /// Signature and contents agree.
    Likely,
    /// Signature, contents and a checksum or several independent fields agree.
    Certain,
}

/// A probe's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// How sure it is.
    pub confidence: Confidence,
}

/// One step of the stack: sources in, volumes out. Partition tables, volume managers, containers.
pub trait Layer: Format {
    /// Opens the layer over all members of its set (one, for most).
    ///
    /// # Errors
    /// What makes the whole layer unreadable. A single damaged volume is listed with its fault.
    fn open(&self, members: &[Arc<dyn ByteSource>], ctx: &OpenContext<'_>) -> Result<Opened>;
}

/// What a layer found.
#[derive(Debug)]
pub struct Opened {
    /// The volumes, in the order of the format's own numbering.
    pub volumes: Vec<Volume>,
    /// Oddities of the layer as a whole: a backup header in use, a loop cut.
    pub notes: Vec<Fault>,
}

/// Bytes that discovery looks into.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Address below the layer: `part/2`. Without slashes at the ends.
    pub name: String,
    /// What kind of volume this is, in a word for users: `disk`, `partition`.
    pub kind: &'static str,
    /// The bytes, or why there are none (an entry past the end of the disk).
    pub source: Result<Arc<dyn ByteSource>>,
    /// Size in bytes as the layer records it.
    pub size: u64,
    /// Offset in the layer's first member, where there is one.
    pub offset: Option<u64>,
    /// Identity of the volume itself, not of what is on it: PARTUUID for a partition.
    pub uuid: Option<String>,
    /// Name that the layer keeps: PARTLABEL for a partition.
    pub label: Option<String>,
    /// The layer's own type of the volume, in words where it is known.
    pub type_name: Option<String>,
    /// Whether the bytes may be a container. Only objects (files) may; a guest can write a container's
    /// header on a disk of its own, which must stay raw.
    pub may_be_container: bool,
}

impl Volume {
    /// A whole disk: the root of a discovery.
    #[must_use]
    pub fn disk(source: Arc<dyn ByteSource>) -> Self {
        Self {
            name: String::new(),
            kind: "disk",
            size: source.size(),
            source: Ok(source),
            offset: None,
            uuid: None,
            label: None,
            type_name: None,
            may_be_container: false,
        }
    }
}

/// Opens filesystems of one family.
pub trait FilesystemDriver: Format {
    /// Opens the filesystem over all members of its set (one, for most).
    ///
    /// # Errors
    /// Damage or features that leave no safe way to read it.
    fn open(
        &self,
        members: &[Arc<dyn ByteSource>],
        ctx: &OpenContext<'_>,
    ) -> Result<Arc<dyn Filesystem>>;
}

/// What to do with a log that holds changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplayPolicy {
    /// Apply it in memory; refuse the filesystem if that cannot be done.
    #[default]
    Replay,
    /// Show the state before it, and say so.
    Ignore,
}

/// What to do with a metadata checksum that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumPolicy {
    /// The structure is damaged: an error, as on the source machine.
    #[default]
    Strict,
    /// Read on.
    Ignore,
}

/// How a format is opened: bounds and policies.
#[derive(Clone)]
pub struct OpenContext<'a> {
    /// Bounds on work and memory.
    pub limits: Limits,
    /// What to do with a log.
    pub replay: ReplayPolicy,
    /// What to do with checksums that do not fit.
    pub checksums: ChecksumPolicy,
    /// Other volumes of the same object, for formats that keep a part of themselves elsewhere: an
    /// external journal.
    pub others: &'a [Arc<dyn ByteSource>],
    /// Asked between steps of long work; `true` ends it with [`crate::error::Request::Cancelled`].
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl fmt::Debug for OpenContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenContext")
            .field("limits", &self.limits)
            .field("replay", &self.replay)
            .field("checksums", &self.checksums)
            .finish_non_exhaustive()
    }
}

impl Default for OpenContext<'_> {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            replay: ReplayPolicy::default(),
            checksums: ChecksumPolicy::default(),
            others: &[],
            cancelled: &|| false,
        }
    }
}

/// The only member of a set of one.
///
/// # Errors
/// [`crate::error::Request::NotOffered`] for any other number of members.
pub fn only_member(members: &[Arc<dyn ByteSource>]) -> Result<&Arc<dyn ByteSource>> {
    match members {
        [member] => Ok(member),
        _ => Err(Error::Request(crate::error::Request::NotOffered)),
    }
}
