//! The crate `ntfs` 0.4 as the second reader.
//!
//! It decodes no compression, takes whatever lies behind the initialised size for content, joins pieces
//! of an attribute list by a number that is not theirs, reads a record of two pieces of the `$MFT` as
//! if they lay side by side, and knows no reparse points. Such files are left out and counted. It walks
//! a loop of index blocks for ever, so that every call gets a number of reads that is enough for sound
//! volumes, and no more.

use super::attribute::types;
use super::file;
use super::filesystem::NtfsFilesystem;
use super::node::INDEX_NAME;
use super::stream::{Stream, Value};
use super::{codes, utf16};
use crate::bytes::{clamp_usize, len_u64};
use crate::error::{Error, Result};
use crate::filesystem::Filesystem;
use crate::filesystem::check::{Refusal, SecondFile, SecondReader, StartSecondReader};
use crate::format::OpenContext;
use crate::node::{FileKind, Metadata, NodeId};
use crate::source::ByteSource;
use lru::LruCache;
use ntfs::structured_values::NtfsFileNamespace;
use ntfs::{Ntfs, NtfsError, NtfsReadSeek};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

/// Reads that one call may make besides those that content or an index of this size needs.
const READ_COUNT_MAX: u64 = 4096;
/// Bytes of content or of an index for which one more read is granted: it reads no smaller pieces.
const BYTES_OF_A_READ: u64 = 64;
/// Of what is compared in one go.
const SIZE_MAX: u64 = 64 << 30;
/// Bytes of an index block, in every volume that Windows or `mkntfs` makes.
const INDEX_BLOCK_SIZE: u32 = 4096;
/// Bytes of an index that it may keep in memory.
const INDEX_BYTES_MAX: u64 = 64 << 20;
/// Directories whose listings are kept, to find the way to files by what it saw in them.
const LISTING_COUNT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

const OUT_OF_READS: &str = "more reads than a sound volume needs";

/// Starts the reader on the volume on `source`.
pub(super) fn start(source: &Arc<dyn ByteSource>) -> StartSecondReader {
    let source = Arc::clone(source);
    Box::new(move || {
        let failed = |error: Error| Refusal::Failed(error.to_string());
        let ours = NtfsFilesystem::open(&source, &OpenContext::default()).map_err(failed)?;
        let mut notes = ours.info().notes.iter();
        if notes.any(|note| [codes::BOOT_COPY, codes::MIRROR].contains(&note.code)) {
            // It knows of no copies.
            return Err(Refusal::NotComparable("volume read from copies"));
        }
        let mft = ours.file(NodeId(super::mft::MFT)).map_err(failed)?;
        if file::list_of(ours.disk(), &mft.base).is_some() {
            return Err(Refusal::NotComparable("MFT with an attribute list"));
        }
        let mft = mft.stream(types::DATA, &[]).map_err(failed)?;
        let mft = mft.ok_or_else(|| Refusal::Failed("no MFT".into()))?;
        let device = Device::new(&source);
        device.grant(0);
        let ntfs = Ntfs::new(&mut device.clone()).map_err(|error| device.refusal(&error))?;
        Ok(Box::new(Other {
            ours,
            mft,
            ntfs: Rc::new(ntfs),
            device,
            asked: Cell::new(NodeId(0)),
            listings: RefCell::new(LruCache::new(LISTING_COUNT)),
        }))
    })
}

/// The volume with a position, as the crate wants it, and with a count of what may still be read.
#[derive(Clone)]
struct Device {
    source: Arc<dyn ByteSource>,
    at: u64,
    left: Rc<Cell<u64>>,
}

impl Device {
    fn new(source: &Arc<dyn ByteSource>) -> Self {
        Self {
            source: Arc::clone(source),
            at: 0,
            left: Rc::default(),
        }
    }

    /// Allows the reads of one call that concerns so many bytes.
    fn grant(&self, size: u64) {
        let reads = size.min(SIZE_MAX) / BYTES_OF_A_READ;
        self.left.set(reads.saturating_add(READ_COUNT_MAX));
    }

    fn refusal(&self, error: &NtfsError) -> Refusal {
        match self.left.get() {
            0 => Refusal::NotComparable(OUT_OF_READS),
            _ => Refusal::Failed(error.to_string()),
        }
    }
}

impl Read for Device {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if left <= 1 {
            return Err(io::Error::other(OUT_OF_READS));
        }
        let rest = self.source.size().saturating_sub(self.at);
        let len = clamp_usize(rest, buf.len());
        let Some(room) = buf.get_mut(..len) else {
            return Ok(0);
        };
        (self.source.read_at(self.at, room)).map_err(io::Error::other)?;
        self.at = self.at.saturating_add(len_u64(len));
        Ok(len)
    }
}

impl Seek for Device {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(step) => self.at.checked_add_signed(step),
            SeekFrom::End(step) => self.source.size().checked_add_signed(step),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

type Listing = BTreeMap<Vec<u8>, u64>;

struct Other {
    /// Our own view, to know what to leave out.
    ours: NtfsFilesystem,
    mft: Stream,
    ntfs: Rc<Ntfs>,
    device: Device,
    /// The node that the next call is about.
    asked: Cell<NodeId>,
    /// Records by name, by the path of the directory.
    listings: RefCell<LruCache<Vec<u8>, Listing>>,
}

impl Other {
    /// Whether the record of this number lies in one piece of the MFT.
    fn is_contiguous(&self, number: u64) -> bool {
        let Value::Mapped(runs) = &self.mft.value else {
            return false;
        };
        let boot = &self.ours.disk().boot;
        let size = u64::from(boot.record_size);
        let vcn = |byte: u64| byte.checked_div(boot.cluster_size.into()).unwrap_or(0);
        let start = number.saturating_mul(size);
        let last = vcn(start.saturating_add(size.saturating_sub(1)));
        runs.run_at(vcn(start))
            .is_some_and(|run| last < run.vcn.saturating_add(run.clusters))
    }

    /// The record that it found under this path, or ours if it has not listed the directory.
    fn record(&self, path: &[u8]) -> Result<u64, Refusal> {
        let ours = self.asked.get().0;
        let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
            return Ok(ours);
        };
        let (parent, name) = path.split_at(slash);
        let (parent, name) = match (parent, name.get(1..)) {
            (_, None | Some([])) => return Ok(ours),
            ([], Some(name)) => (&b"/"[..], name),
            (parent, Some(name)) => (parent, name),
        };
        match self.listings.borrow_mut().get(parent) {
            None => Ok(ours),
            Some(listing) => (listing.get(name).copied())
                .ok_or_else(|| Refusal::Failed("no such name in what it listed".into())),
        }
    }
}

impl SecondReader for Other {
    fn left_out(
        &self,
        metadata: &Metadata,
        content: Option<&dyn ByteSource>,
    ) -> Result<Option<&'static str>> {
        let node = NodeId(metadata.inode);
        self.asked.set(node);
        if metadata.kind == FileKind::Symlink {
            return Ok(Some("link"));
        }
        if !self.is_contiguous(node.0) {
            return Ok(Some("record in two pieces of the MFT"));
        }
        let file = self.ours.file(node)?;
        if file::list_of(self.ours.disk(), &file.base).is_some() {
            return Ok(Some("attribute list"));
        }
        if file.stream(types::REPARSE_POINT, &[])?.is_some() {
            return Ok(Some("reparse point"));
        }
        let size = content.map_or(metadata.size, ByteSource::size);
        self.device.grant(size);
        if content.is_none() {
            // It counts them in clusters where the format counts in units of 512 bytes.
            let has_blocks = file.stream(types::INDEX_ALLOCATION, INDEX_NAME)?.is_some();
            if has_blocks && self.ours.disk().boot.cluster_size > INDEX_BLOCK_SIZE {
                return Ok(Some("index blocks smaller than a cluster"));
            }
            let is_large = size > INDEX_BYTES_MAX;
            return Ok(is_large.then_some("directory over 64 MiB"));
        }
        if size > SIZE_MAX {
            return Ok(Some("over 64 GiB"));
        }
        let Some(stream) = file.stream(types::DATA, &[])? else {
            return Ok(None);
        };
        Ok(match &stream {
            Stream { flags, .. } if flags.is_encrypted() => Some("encrypted"),
            Stream { flags, .. } if flags.compression() != 0 => Some("compressed"),
            Stream {
                value: Value::Resident(_),
                ..
            } => None,
            _ if stream.initialized_size < stream.data_size => {
                Some("initialised size below its size")
            }
            // It keeps places as numbers that are never 0, and takes that one for a hole.
            Stream {
                value: Value::Mapped(runs),
                ..
            } if runs.runs().iter().any(|run| run.lcn == Some(0)) => Some("cluster 0"),
            _ => None,
        })
    }

    fn names(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
        let refused = |error: NtfsError| self.device.refusal(&error);
        let record = self.record(path)?;
        let mut device = self.device.clone();
        let dir = self.ntfs.file(&mut device, record).map_err(refused)?;
        let index = dir.directory_index(&mut device).map_err(refused)?;
        let mut entries = index.entries();
        let (mut names, mut listing) = (Vec::new(), Listing::new());
        while let Some(entry) = entries.next(&mut device) {
            let entry = entry.map_err(refused)?;
            let Some(key) = entry.key() else {
                continue;
            };
            let key = key.map_err(refused)?;
            let name = utf16::to_wtf8(key.name().0);
            // The root lists itself as `.`.
            if key.namespace() == NtfsFileNamespace::Dos || name == b"." {
                continue;
            }
            listing.insert(name.clone(), entry.file_reference().file_record_number());
            names.push(name);
        }
        self.listings.borrow_mut().put(path.to_vec(), listing);
        Ok(names)
    }

    fn link(&self, _path: &[u8]) -> Result<Vec<u8>, Refusal> {
        Err(Refusal::NotComparable("link"))
    }

    fn open(&self, path: &[u8]) -> Result<Box<dyn SecondFile>, Refusal> {
        let mut file = OtherFile {
            ntfs: Rc::clone(&self.ntfs),
            device: self.device.clone(),
            record: self.record(path)?,
            size: 0,
            at: 0,
        };
        file.size = file.with(|_, size| Ok(size))?.unwrap_or(0);
        Ok(Box::new(file))
    }
}

/// An opened file: its number, since what the crate opens cannot be kept beside what it was opened from.
struct OtherFile {
    ntfs: Rc<Ntfs>,
    device: Device,
    record: u64,
    size: u64,
    at: u64,
}

impl OtherFile {
    /// Opens the content, goes to the place and asks; `None` without an unnamed `$DATA`.
    fn with<T>(
        &self,
        ask: impl FnOnce(
            &mut dyn FnMut(&mut [u8]) -> Result<usize, NtfsError>,
            u64,
        ) -> Result<T, NtfsError>,
    ) -> Result<Option<T>, Refusal> {
        let refused = |error: NtfsError| self.device.refusal(&error);
        let mut device = self.device.clone();
        let file = self.ntfs.file(&mut device, self.record).map_err(refused)?;
        let Some(data) = file.data(&mut device, "") else {
            return Ok(None);
        };
        let data = data.map_err(refused)?;
        let attribute = data.to_attribute().map_err(refused)?;
        let mut value = attribute.value(&mut device).map_err(refused)?;
        let size = value.len();
        if self.at > 0 {
            value
                .seek(&mut device, SeekFrom::Start(self.at))
                .map_err(refused)?;
        }
        ask(&mut |buf| value.read(&mut device, buf), size)
            .map(Some)
            .map_err(refused)
    }
}

impl SecondFile for OtherFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Refusal> {
        let len = self.with(|read, _| read(buf))?.unwrap_or(0);
        self.at = self.at.saturating_add(len_u64(len));
        Ok(len)
    }
}
