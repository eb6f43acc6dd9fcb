//! What a filesystem tells about its nodes: identity, kind, metadata, times.

use crate::error::Fault;
use std::fmt;

/// A node of one filesystem, in a form the driver chooses (an inode number, a record number).
///
/// Stable for as long as the filesystem is open, and across openings of the same image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
}

impl FileKind {
    /// The word used in JSON: `file dir symlink char block fifo socket`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "dir",
            Self::Symlink => "symlink",
            Self::CharDevice => "char",
            Self::BlockDevice => "block",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
        }
    }
}

/// A point in time: seconds since 1970-01-01T00:00:00Z, which may be negative, plus nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// 0 to 999 999 999, counted forward from `seconds`.
    pub nanoseconds: u32,
}

/// Major and minor number of a device node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceNumber {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// Attribute flags that users of `lsattr` or Explorer know. A set, as bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct NodeFlags(u32);

impl NodeFlags {
    /// Cannot be changed (`chattr +i`).
    pub const IMMUTABLE: Self = Self(1);
    /// Can only be appended to (`chattr +a`).
    pub const APPEND_ONLY: Self = Self(1 << 1);
    /// Content and names are encrypted by the filesystem.
    pub const ENCRYPTED: Self = Self(1 << 2);
    /// Content is compressed by the filesystem.
    pub const COMPRESSED: Self = Self(1 << 3);
    /// Names in this directory are compared without regard to case.
    pub const CASE_INSENSITIVE: Self = Self(1 << 4);
    /// Content is authenticated by fs-verity.
    pub const VERITY: Self = Self(1 << 5);
    /// Left out by `dump` (`chattr +d`).
    pub const NO_DUMP: Self = Self(1 << 6);
    /// Content lies inside of the node itself.
    pub const INLINE: Self = Self(1 << 7);
    /// Names in this directory are compared byte for byte, unlike elsewhere on the volume.
    pub const CASE_SENSITIVE: Self = Self(1 << 8);
    /// Programs of Windows may not write to it (`attrib +r`).
    pub const READ_ONLY: Self = Self(1 << 9);
    /// Left out by `dir` and Explorer (`attrib +h`).
    pub const HIDDEN: Self = Self(1 << 10);
    /// Used by the system (`attrib +s`).
    pub const SYSTEM: Self = Self(1 << 11);
    /// Changed since the last backup (`attrib +a`).
    pub const ARCHIVE: Self = Self(1 << 12);
    /// Content, or a part of it, is kept somewhere else.
    pub const OFFLINE: Self = Self(1 << 13);
    /// Content may have holes.
    pub const SPARSE: Self = Self(1 << 14);
    /// Will be deleted soon.
    pub const TEMPORARY: Self = Self(1 << 15);
    /// Left out by the search of Windows (`attrib +i`).
    pub const NOT_INDEXED: Self = Self(1 << 16);
    /// There is a reparse point.
    pub const REPARSE: Self = Self(1 << 17);

    const WORDS: [(Self, &'static str); 18] = [
        (Self::IMMUTABLE, "immutable"),
        (Self::APPEND_ONLY, "append"),
        (Self::ENCRYPTED, "encrypted"),
        (Self::COMPRESSED, "compressed"),
        (Self::CASE_INSENSITIVE, "casefold"),
        (Self::VERITY, "verity"),
        (Self::NO_DUMP, "nodump"),
        (Self::INLINE, "inline"),
        (Self::CASE_SENSITIVE, "casesensitive"),
        (Self::READ_ONLY, "readonly"),
        (Self::HIDDEN, "hidden"),
        (Self::SYSTEM, "system"),
        (Self::ARCHIVE, "archive"),
        (Self::OFFLINE, "offline"),
        (Self::SPARSE, "sparse"),
        (Self::TEMPORARY, "temporary"),
        (Self::NOT_INDEXED, "notindexed"),
        (Self::REPARSE, "reparse"),
    ];

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The words used in JSON, in a fixed order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS
            .into_iter()
            .filter(move |(flag, _)| self.contains(*flag))
            .map(|(_, word)| word)
    }
}

impl fmt::Debug for NodeFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.words()).finish()
    }
}

/// Everything `stat` knows about a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What the node is.
    pub kind: FileKind,
    /// Permission bits including set-id and sticky: 0 to 0o7777.
    pub mode: u32,
    /// Owner; [`NO_OWNER`](Self::NO_OWNER) if it is not known.
    pub uid: u32,
    /// Group, likewise.
    pub gid: u32,
    /// Content in bytes; the target's length for a symbolic link.
    pub size: u64,
    /// Names this node has. 1 also stands for "a directory with too many subdirectories to count".
    pub nlink: u32,
    /// The number `ls -i` shows on the source machine.
    pub inode: u64,
    /// Space taken, in units of 512 bytes.
    pub blocks: u64,
    /// Device number, for device nodes.
    pub rdev: Option<DeviceNumber>,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of content.
    pub mtime: Timestamp,
    /// Last change of the node.
    pub ctime: Timestamp,
    /// Creation, where the format keeps it.
    pub btime: Option<Timestamp>,
    /// Attribute flags.
    pub flags: NodeFlags,
    /// Tells reuses of an inode number apart (NFS handles).
    pub generation: u64,
    /// Project of a project quota, where the format keeps it.
    pub project: Option<u32>,
}

impl Metadata {
    /// An owner or group that is not known, as `(uid_t) -1` of POSIX: no id, and what `chown` leaves as it is.
    pub const NO_OWNER: u32 = u32::MAX;
}

/// How much of the log was, or was not, applied when the filesystem was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FsState {
    /// Nothing to replay: it was unmounted, or all of its log had been written back.
    Clean,
    /// The log has been applied in memory.
    Replayed,
    /// There are changes in the log that are not shown.
    NotReplayed,
}

impl FsState {
    /// The words used by `flr volumes` and in JSON.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Replayed => "replayed",
            Self::NotReplayed => "not replayed",
        }
    }
}

/// How names are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseRule {
    /// Byte for byte.
    Sensitive,
    /// Without regard to case everywhere.
    Insensitive,
    /// Directory by directory.
    PerDirectory,
}

/// What an opened filesystem says about itself.
#[derive(Clone, Debug)]
pub struct FsInfo {
    /// `ext2`, `ext4`, `ntfs` …
    pub kind: &'static str,
    /// Volume label, as bytes from the image; empty if there is none.
    pub label: Vec<u8>,
    /// UUID or serial number as text, as `blkid` prints it.
    pub uuid: Option<String>,
    /// Size in bytes as the filesystem sees it.
    pub size: u64,
    /// Unit of allocation in bytes.
    pub block_size: u32,
    /// Free space in blocks, as last recorded by the source machine.
    pub blocks_free: u64,
    /// Nodes there is room for.
    pub nodes: u64,
    /// Unused nodes, as last recorded by the source machine.
    pub nodes_free: u64,
    /// How names are compared.
    pub case_rule: CaseRule,
    /// Whether a log had to be, or was, applied.
    pub state: FsState,
    /// Oddities found while opening, such as a backup superblock in use.
    pub notes: Vec<Fault>,
    /// Format features by the names that the format's own tools print.
    pub features: Vec<String>,
    /// Where the source machine last mounted it, if the format keeps that; empty otherwise.
    pub last_mounted: Vec<u8>,
}
