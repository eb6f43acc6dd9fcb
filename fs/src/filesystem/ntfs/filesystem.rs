//! An opened NTFS volume.

use super::attribute::types;
use super::boot::BootSector;
use super::directory::{Directory, Found as DirFound};
use super::disk::Disk;
use super::file::File;
use super::file_name::FileName;
use super::index::{Index, Parts};
use super::mft::{self, Mft};
use super::node::{INDEX_NAME, Node};
use super::rebuild::{Parents, Records};
use super::reference::FileReference;
use super::stream::{Sizes, Stream, Value};
use super::upcase::{UPCASE_LEN_MAX, UpCase};
use super::{codes, compressed, content, utf16};
use crate::bytes::len_u64;
use crate::cache::Cache;
use crate::error::{Error, Fault, Request, Result};
use crate::filesystem::{
    DirCursor, DirEntry, DirItem, Filesystem, Found, StreamInfo, StreamName, Want,
};
use crate::format::OpenContext;
use crate::name::{RawName, XattrName};
use crate::node::{CaseRule, FileKind, FsInfo, FsState, Metadata, NodeId};
use crate::source::{ByteSource, Memory};
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

/// Record of `$UpCase`.
const UPCASE: u64 = 10;
/// Longest label: 32 characters, and room for writers that allow more.
const LABEL_LEN_MAX: u64 = 512;

/// An opened volume. A node's id is the number of its record; hard links are one node.
///
/// Sequence numbers are not part of ids: they are checked where a directory entry is followed, and the
/// source does not change afterwards.
#[derive(Debug)]
pub(super) struct NtfsFilesystem {
    disk: Arc<Disk>,
    mft: Mft,
    upcase: UpCase,
    parents: OnceLock<Arc<Parents>>,
    directories: Cache<u64, Arc<Directory>>,
    streams: Cache<(u64, Box<[u8]>), Arc<Stream>>,
    info: FsInfo,
}

impl NtfsFilesystem {
    /// Opens the volume on `source`.
    ///
    /// # Errors
    /// A boot sector or a record 0 that makes no sense and has no sound copy.
    pub(super) fn open(source: &Arc<dyn ByteSource>, ctx: &OpenContext<'_>) -> Result<Self> {
        let (boot, copy) = BootSector::read(source.as_ref())?;
        let mut notes: Vec<_> = copy.into_iter().collect();
        if boot.volume_size > source.size() {
            let detail = format!(
                "a volume of {:#x} bytes in {:#x}: what lies behind the end is missing",
                boot.volume_size,
                source.size()
            );
            notes.push(Fault::new(codes::VOLUME_SIZE, source.size(), detail));
        }
        let disk = Arc::new(Disk {
            source: Arc::clone(source),
            boot,
            limits: ctx.limits.clone(),
        });
        let (mft, mft_notes) = Mft::open(&disk)?;
        notes.extend(mft_notes);
        let upcase = read_upcase(&mft).unwrap_or_else(|error| {
            let detail = format!("names are compared by a table of our own, because: {error}");
            notes.push(Fault::new(codes::UPCASE, 0, detail));
            UpCase::default()
        });
        let info = describe(&mft, notes);
        let kept = ctx.limits.cache_bytes / 4;
        Ok(Self {
            disk,
            mft,
            upcase,
            parents: OnceLock::new(),
            // In one piece: a large directory would not fit in a share.
            directories: Cache::with_shards(kept, 1),
            streams: Cache::new(kept),
            info,
        })
    }

    fn file(&self, node: NodeId) -> Result<File<'_>> {
        let record = self.mft.record(node.0)?;
        if record.base.is_some() {
            return Err(Request::NoSuchNode.into());
        }
        Ok(File::new(&self.mft, record))
    }

    fn directory(&self, node: NodeId) -> Result<Arc<Directory>> {
        if let Some(directory) = self.directories.get(&node.0) {
            return Ok(directory);
        }
        let file = self.file(node)?;
        if !file.base.is_directory() {
            return Err(Request::NotADirectory.into());
        }
        let case_sensitive = file.standard_information()?.case_sensitive;
        let index = self.index(&file).map_err(|error| match error.fault() {
            Some(fault) => fault.clone(),
            None => Fault::new(codes::INDEX_READ, file.base.at, error.to_string()),
        });
        let own = FileReference::of(file.base.number, file.base.sequence);
        let directory = Arc::new(Directory::new(own, case_sensitive, index));
        let bytes = directory.bytes();
        self.directories
            .insert(node.0, Arc::clone(&directory), bytes);
        Ok(directory)
    }

    fn index(&self, file: &File<'_>) -> Result<Index> {
        let root = file.stream(types::INDEX_ROOT, INDEX_NAME)?;
        let root = root.ok_or_else(|| {
            let detail = format!("the directory in record {} has no index", file.base.number);
            Error::corrupt(codes::INDEX_ROOT, file.base.at, detail)
        })?;
        let Value::Resident(value) = &root.value else {
            let detail = "an index root outside of its record";
            return Err(Error::corrupt(codes::INDEX_ROOT, root.at, detail));
        };
        let part = |type_code| -> Result<Option<Arc<dyn ByteSource>>> {
            let stream = file.stream(type_code, INDEX_NAME)?;
            Ok(stream.map(|stream| content::open(&self.disk, &Arc::new(stream))))
        };
        let parts = Parts {
            root: value,
            at: root.at,
            allocation: part(types::INDEX_ALLOCATION)?,
            bitmap: part(types::BITMAP)?,
            cluster_size: self.disk.boot.cluster_size,
        };
        Index::open(parts, &self.disk.limits)
    }

    /// The `$DATA` of this name (UTF-16 little-endian). Kept in memory while there is room.
    fn data(&self, file: &File<'_>, name: &[u8]) -> Result<Option<Arc<Stream>>> {
        let key = (file.base.number, Box::from(name));
        if let Some(stream) = self.streams.get(&key) {
            return Ok(Some(stream));
        }
        let Some(stream) = file.stream(types::DATA, name)? else {
            return Ok(None);
        };
        let stream = Arc::new(stream.compact());
        let bytes = stream.bytes();
        self.streams.insert(key, Arc::clone(&stream), bytes);
        Ok(Some(stream))
    }

    /// The name of the stream that is meant, as stored: the very one, else one that differs in case.
    fn stream_name(&self, file: &File<'_>, wanted: &[u8]) -> Result<Vec<u8>> {
        let units = utf16::from_wtf8(wanted).ok_or(Request::NoSuchStream)?;
        let exact: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let (mut folded, mut found, mut damage) = (None, false, None);
        file.each(&is_named_data, &mut |attribute| match attribute {
            Ok(attribute) if attribute.name == exact => found = true,
            Ok(attribute) => {
                let stored = utf16::units_of(attribute.name);
                if folded.is_none() && self.upcase.same(&stored, &units) {
                    folded = Some(attribute.name.to_vec());
                }
            }
            Err(error) => damage = Some(error),
        });
        match (found, folded, damage) {
            (true, ..) => Ok(exact),
            (false, Some(folded), None) => Ok(folded),
            // What cannot be read may be the one.
            (false, _, Some(error)) => Err(error),
            (false, None, None) => Err(Request::NoSuchStream.into()),
        }
    }

    /// The bytes of a stream, if they can be had.
    fn readable(&self, file: &File<'_>, stream: &Arc<Stream>) -> Result<Arc<dyn ByteSource>> {
        if stream.flags.is_encrypted() {
            let detail = format!(
                "the content of record {} is encrypted (EFS); the key is not on the disk",
                file.base.number
            );
            let fault = Fault::new(codes::ENCRYPTED, stream.at, detail);
            return Err(Error::Locked(fault));
        }
        match stream.flags.compression() {
            0 => Ok(content::open(&self.disk, stream)),
            _ => compressed::open(&self.disk, stream),
        }
    }

    fn open_main(&self, file: &File<'_>) -> Result<Arc<dyn ByteSource>> {
        let node = Node::read(file)?;
        match node.metadata.kind {
            FileKind::File => {}
            FileKind::Directory => return Err(Request::IsADirectory.into()),
            _ => return Err(Request::NoContent.into()),
        }
        if node.has_reparse_point {
            let detail = "content behind a reparse point, which is not read yet";
            return Err(Error::unsupported(codes::REPARSE, file.base.at, detail));
        }
        match self.data(file, &[])? {
            Some(stream) => self.readable(file, &stream),
            // Indexes that are no directories, such as `$Extend/$ObjId`, have no content at all.
            None if file.base.is_index() => Ok(Arc::new(Memory::new([]))),
            None => {
                let detail = format!("no data attribute in record {}", file.base.number);
                Err(Error::corrupt(codes::STREAM, file.base.at, detail))
            }
        }
    }
}

impl Records for NtfsFilesystem {
    fn is_live(&self, reference: FileReference) -> Result<bool> {
        match self.mft.record(reference.record()) {
            Ok(record) => Ok(record.base.is_none() && reference.fits(record.sequence)),
            Err(Error::Request(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn names(
        &self,
        record: u64,
        visit: &mut dyn FnMut(FileReference, &FileName<'_>),
    ) -> Result<()> {
        let record = match self.mft.record(record) {
            Ok(record) if record.base.is_none() => record,
            Ok(_) | Err(Error::Request(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let reference = FileReference::of(record.number, record.sequence);
        let mut damage = None;
        File::new(&self.mft, record).each(
            &|type_code, _, _| type_code == types::FILE_NAME,
            &mut |found| {
                let named = found.and_then(|found| {
                    let value = found.resident().unwrap_or_default();
                    visit(reference, &FileName::parse(value, found.at)?);
                    Ok(())
                });
                if let Err(error) = named {
                    damage.get_or_insert(error);
                }
            },
        );
        damage.map_or(Ok(()), Err)
    }

    fn record_count(&self) -> u64 {
        self.mft.record_count()
    }

    fn upcase(&self) -> &UpCase {
        &self.upcase
    }

    fn parents(&self) -> &OnceLock<Arc<Parents>> {
        &self.parents
    }
}

impl Filesystem for NtfsFilesystem {
    fn info(&self) -> &FsInfo {
        &self.info
    }

    fn root(&self) -> NodeId {
        NodeId(mft::ROOT)
    }

    fn metadata(&self, node: NodeId) -> Result<Metadata> {
        Ok(Node::read(&self.file(node)?)?.metadata)
    }

    fn lookup(&self, dir: NodeId, name: RawName<'_>) -> Result<Option<Found>> {
        let Some(hit) = self.directory(dir)?.find(self, name.as_bytes())? else {
            return Ok(None);
        };
        let node = NodeId(hit.reference.record());
        Ok(Some(Found {
            node,
            stored_name: hit.name,
            metadata: self.metadata(node)?,
        }))
    }

    fn read_dir(
        &self,
        dir: NodeId,
        from: DirCursor,
        want: Want,
        visit: &mut dyn FnMut(DirItem<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.directory(dir)?
            .read(self, from, &mut |found| match found {
                DirFound::Entry(entry) => {
                    let node = NodeId(entry.reference.record());
                    visit(DirItem::Entry(DirEntry {
                        name: RawName::new(entry.name),
                        node,
                        kind: entry.kind,
                        next: entry.next,
                        hidden: entry.hidden,
                        metadata: match want {
                            Want::Names => None,
                            Want::Metadata => Some(self.metadata(node)),
                        },
                    }))
                }
                DirFound::Damaged(fault) => visit(DirItem::Damaged(fault)),
            });
        Ok(())
    }

    fn read_link(&self, node: NodeId) -> Result<Vec<u8>> {
        self.file(node)?;
        Err(Request::NotALink.into())
    }

    fn xattr_names(&self, node: NodeId) -> Result<Vec<XattrName>> {
        self.file(node)?;
        Ok(Vec::new())
    }

    fn xattr(&self, node: NodeId, _name: &XattrName) -> Result<Option<Vec<u8>>> {
        self.file(node)?;
        Ok(None)
    }

    fn streams(&self, node: NodeId) -> Result<Vec<StreamInfo>> {
        let mut streams = Vec::new();
        let mut damage = None;
        self.file(node)?.each(&is_named_data, &mut |found| {
            let named = found.and_then(|found| {
                let name = utf16::to_wtf8(found.name);
                let size = Sizes::of(&found)?.data;
                streams.push(StreamInfo { name, size });
                Ok(())
            });
            if let Err(error) = named {
                damage.get_or_insert(error);
            }
        });
        damage.map_or(Ok(streams), Err)
    }

    fn open(&self, node: NodeId, stream: StreamName<'_>) -> Result<Arc<dyn ByteSource>> {
        let file = self.file(node)?;
        match stream {
            StreamName::Main => self.open_main(&file),
            StreamName::Named(name) => {
                let name = self.stream_name(&file, name)?;
                let stream = self.data(&file, &name)?.ok_or(Request::NoSuchStream)?;
                self.readable(&file, &stream)
            }
        }
    }
}

fn is_named_data(type_code: u32, name: &[u8], lowest_vcn: u64) -> bool {
    type_code == types::DATA && !name.is_empty() && lowest_vcn == 0
}

fn read_upcase(mft: &Mft) -> Result<UpCase> {
    let file = File::new(mft, mft.record(UPCASE)?);
    let table = file.value(types::DATA, &[], len_u64(UPCASE_LEN_MAX))?;
    let table = table.ok_or_else(|| {
        let detail = "no data attribute in $UpCase";
        Error::corrupt(codes::UPCASE, file.base.at, detail)
    })?;
    Ok(UpCase::new(&table))
}

fn describe(mft: &Mft, mut notes: Vec<Fault>) -> FsInfo {
    let boot = &mft.disk.boot;
    let (label, is_dirty) = volume(mft).unwrap_or_else(|error| {
        let detail = format!("label and state of the volume are not known, because: {error}");
        notes.push(Fault::new(codes::VOLUME, 0, detail));
        (Vec::new(), true)
    });
    FsInfo {
        kind: "ntfs",
        label,
        uuid: Some(format!("{:016X}", boot.serial)),
        size: boot.volume_size,
        block_size: boot.cluster_size,
        // Kept nowhere but in the bitmap of all clusters, which may be far away.
        blocks_free: 0,
        nodes: mft.record_count(),
        nodes_free: 0,
        case_rule: CaseRule::PerDirectory,
        state: match is_dirty {
            true => FsState::NotReplayed,
            false => FsState::Clean,
        },
        notes,
        features: Vec::new(),
        last_mounted: Vec::new(),
    }
}

/// Label and dirty flag, from `$Volume`.
fn volume(mft: &Mft) -> Result<(Vec<u8>, bool)> {
    let file = File::new(mft, mft.record(mft::VOLUME)?);
    let label = file.value(types::VOLUME_NAME, &[], LABEL_LEN_MAX)?;
    let information = file.value(types::VOLUME_INFORMATION, &[], LABEL_LEN_MAX)?;
    let information = information.unwrap_or_default();
    let flags = crate::bytes::get_le_u16(&information, 0xa).ok_or_else(|| {
        let detail = format!("volume information of {} bytes", information.len());
        Error::corrupt(codes::VOLUME, file.base.at, detail)
    })?;
    let label = utf16::to_wtf8(&label.unwrap_or_default());
    Ok((label, flags & 1 != 0))
}
