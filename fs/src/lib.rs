//! Bytes to files: byte sources, partition tables and filesystems, read-only and in user space.
//!
//! This crate does no I/O of its own, starts no threads, and knows no network, clock or environment.
//! Everything it is given may be hostile: work is bounded by [`Limits`], and what is damaged is
//! reported with its place, never skipped in silence and never replaced by zeros.

pub mod bytes;
pub mod cache;
pub mod cut;
pub mod discover;
pub mod error;
pub mod filesystem;
pub mod format;
pub mod layer;
pub mod limits;
pub mod name;
pub mod node;
pub mod registry;
pub mod signature;
pub mod source;

pub use discover::{Content, Opened, Tree, VolumeId, VolumeNode, discover};
pub use error::{Code, Error, Fault, Request, Result};
pub use filesystem::{
    DirCursor, DirEntry, DirItem, Filesystem, Found, OwnerSids, Particular, Sids, StreamInfo,
    StreamName, Want,
};
pub use format::{
    ChecksumPolicy, FilesystemDriver, Format, Layer, OpenContext, ReplayPolicy, Volume,
};
pub use limits::Limits;
pub use name::{RawName, XattrName};
pub use node::{
    CaseRule, DeviceNumber, FileKind, FsInfo, FsState, Metadata, NodeFlags, NodeId, Timestamp,
};
pub use source::{ByteSource, Memory, ReadRequest, Segment, SegmentKind, Slice};
