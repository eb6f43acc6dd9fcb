//! An opened NTFS volume.

use super::attribute::types;
use super::boot::BootSector;
use super::directory::{Directory, Found as DirFound};
use super::disk::Disk;
use super::efs;
use super::file::File;
use super::file_name::FileName;
use super::index::{Index, Parts};
use super::mft::{self, Mft};
use super::node::{INDEX_NAME, Node};
use super::rebuild::{Parents, Records};
use super::reference::FileReference;
use super::reparse::{self, Content};
use super::secure::Secure;
use super::special::{self, Plain, Special};
use super::stream::{Sizes, Stream, Value};
use super::upcase::{UPCASE_LEN_MAX, UpCase};
use super::volume_state::{self, Hiberfil};
use super::wof::{self, Algorithm, Overlay};
use super::{
    check, codes, compressed, content, free_space, hibernation, owner, particulars, second_reader,
    utf16, xattr,
};
use crate::bytes::len_u64;
use crate::cache::Cache;
use crate::error::{Error, Fault, Request, Result};
use crate::filesystem::check::{CheckContext, CheckItem, StartSecondReader};
use crate::filesystem::{
    DirCursor, DirEntry, DirItem, Filesystem, Found, OwnerSids, Particular, StreamInfo, StreamName,
    Want,
};
use crate::format::OpenContext;
use crate::name::{RawName, XattrName};
use crate::node::{CaseRule, FileKind, FsInfo, FsState, Metadata, NodeId};
use crate::source::{ByteSource, Memory};
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

/// Record of `$UpCase`.
pub(super) const UPCASE: u64 = 10;

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
    secure: OnceLock<Secure>,
    owners: owner::Known,
    blocks_free: OnceLock<u64>,
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
        let mut opened = Self {
            disk,
            mft,
            upcase,
            parents: OnceLock::new(),
            // In one piece: a large directory would not fit in a share.
            directories: Cache::with_shards(kept, 1),
            streams: Cache::new(kept),
            secure: OnceLock::new(),
            owners: owner::Known::new(kept),
            blocks_free: OnceLock::new(),
            info,
        };
        let hiberfil = opened.hiberfil();
        let state = volume_state::read(&opened.mft, hiberfil);
        opened.info.label = state.label;
        opened.info.features = state.features;
        opened.info.state = state.state;
        opened.info.notes.extend(state.notes);
        Ok(opened)
    }

    /// `hiberfil.sys` in the root directory.
    fn hiberfil(&self) -> Result<Option<Hiberfil>> {
        let name = RawName::new(hibernation::NAME);
        let Some(hit) = self.directory(self.root())?.find(self, name.as_bytes())? else {
            return Ok(None);
        };
        let file = self.file(NodeId(hit.reference.record()))?;
        let stream = self.data(&file, &[])?;
        let content = stream.map(|stream| self.readable(&file, &stream));
        Ok(content.transpose()?.map(|content| Hiberfil {
            content,
            at: file.base.at,
        }))
    }

    /// What the file is, and its metadata.
    fn node(&self, file: &File<'_>) -> Result<(Special, Metadata)> {
        let node = Node::read(file)?;
        let mut metadata = node.metadata;
        let plain = Plain {
            attributes: node.info.flags,
            data_size: node.has_data.then_some(metadata.size),
            has_reparse_point: node.has_reparse_point,
        };
        let special = special::of(file, plain)?;
        special.apply(&mut metadata, || self.depth(file))?;
        if node.has_ea {
            special::lx_of(file)?.apply(&mut metadata);
        }
        Ok((special, metadata))
    }

    /// How many directories below the root the file stands, by its first name.
    fn depth(&self, file: &File<'_>) -> Result<usize> {
        let mut depth: usize = 0;
        let mut parent = special::parent_of(file)?;
        while parent.record() != mft::ROOT {
            depth = depth.saturating_add(1);
            if depth > special::DEPTH_MAX {
                let detail = "a link so deep below the root that the way there may not end";
                return Err(Error::limit(codes::REPARSE_LINK, file.base.at, detail));
            }
            let directory = self.file(NodeId(parent.record()))?;
            if !parent.fits(directory.base.sequence) {
                let detail = format!("directory {parent} above a link is gone");
                return Err(Error::corrupt(codes::FILE_NAME, file.base.at, detail));
            }
            parent = special::parent_of(&directory)?;
        }
        Ok(depth)
    }

    fn secure(&self) -> Result<&Secure> {
        if let Some(secure) = self.secure.get() {
            return Ok(secure);
        }
        // Not kept if it fails: reading it again may help.
        let secure = Secure::open(&self.mft)?;
        Ok(self.secure.get_or_init(|| secure))
    }

    pub(super) fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    pub(super) const fn upcase_table(&self) -> &UpCase {
        &self.upcase
    }

    pub(super) fn file(&self, node: NodeId) -> Result<File<'_>> {
        let record = self.mft.record(node.0)?;
        if record.base.is_some() {
            return Err(Request::NoSuchNode.into());
        }
        Ok(File::new(&self.mft, record))
    }

    pub(super) fn directory(&self, node: NodeId) -> Result<Arc<Directory>> {
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
        let (special, metadata) = self.node(file)?;
        match metadata.kind {
            FileKind::File => {}
            FileKind::Directory => return Err(Request::IsADirectory.into()),
            _ => return Err(Request::NoContent.into()),
        }
        let stream = self.data(file, &[])?;
        match (special.content, &stream) {
            (Content::Here, _) => {}
            (Content::HereIfWhole, Some(stream)) if stream.is_whole() => {}
            (Content::Overlay, _) => return self.overlay(file, metadata.size),
            _ => return Err(reparse::not_here(special.tag.unwrap_or(0), file.base.at)),
        }
        match stream {
            Some(stream) => self.readable(file, &stream),
            // Indexes that are no directories, such as `$Extend/$ObjId`, have no content at all.
            None if file.base.is_index() => Ok(Arc::new(Memory::new([]))),
            None => {
                let detail = format!("no data attribute in record {}", file.base.number);
                Err(Error::corrupt(codes::STREAM, file.base.at, detail))
            }
        }
    }

    /// The content of a file of `size` bytes that the Windows Overlay Filter has compressed.
    fn overlay(&self, file: &File<'_>, size: u64) -> Result<Arc<dyn ByteSource>> {
        let at = file.base.at;
        let missing = |what: &str| Error::corrupt(codes::WOF, at, what);
        let value = file.value(types::REPARSE_POINT, &[], reparse::ATTRIBUTE_BYTES_MAX)?;
        let value = value.ok_or_else(|| missing("no reparse point"))?;
        let algorithm = Algorithm::parse(reparse::parse(&value, at)?.data, at)?;
        let name = wof::STREAM_NAME.encode_utf16().flat_map(u16::to_le_bytes);
        let stream = self.data(file, &name.collect::<Vec<_>>())?;
        let stream = stream.ok_or_else(|| missing("no stream with the compressed content"))?;
        let stored = self.readable(file, &stream)?;
        Ok(Arc::new(Overlay::new(stored, size, algorithm, at)?))
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

    fn blocks_free(&self) -> Result<u64> {
        if let Some(count) = self.blocks_free.get() {
            return Ok(*count);
        }
        let count = free_space::count(&self.disk, &self.mft)?;
        Ok(*self.blocks_free.get_or_init(|| count))
    }

    fn root(&self) -> NodeId {
        NodeId(mft::ROOT)
    }

    fn metadata(&self, node: NodeId) -> Result<Metadata> {
        Ok(self.node(&self.file(node)?)?.1)
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
        let file = self.file(node)?;
        let (special, _) = self.node(&file)?;
        let target = special.path(|| self.depth(&file))?;
        target.ok_or_else(|| Request::NotALink.into())
    }

    fn xattr_names(&self, node: NodeId) -> Result<Vec<XattrName>> {
        xattr::names(&self.file(node)?)
    }

    fn xattr(&self, node: NodeId, name: &XattrName) -> Result<Option<Vec<u8>>> {
        xattr::value(&self.file(node)?, || self.secure(), name)
    }

    fn has_streams(&self) -> bool {
        true
    }

    fn streams(&self, node: NodeId) -> Result<Vec<StreamInfo>> {
        let file = self.file(node)?;
        let mut streams = Vec::new();
        let mut damage = None;
        file.each(&is_named_data, &mut |found| {
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
        if let Some(error) = damage {
            return Err(error);
        }
        let compressed = |stream: &StreamInfo| stream.name == wof::STREAM_NAME.as_bytes();
        // Windows hides it as well.
        if streams.iter().any(compressed) && self.node(&file)?.0.content == Content::Overlay {
            streams.retain(|stream| !compressed(stream));
        }
        Ok(streams)
    }

    fn check(&self, ctx: &CheckContext<'_>, report: &mut dyn FnMut(CheckItem)) -> Result<u64> {
        let is_closed = self.info.state == FsState::Clean;
        check::check(self, &self.mft, is_closed, ctx, report)
    }

    fn second_reader(&self) -> Option<StartSecondReader> {
        Some(second_reader::start(&self.disk.source))
    }

    fn particulars(&self, node: NodeId) -> Result<Vec<Particular>> {
        particulars::of(&self.file(node)?, || self.secure())
    }

    fn owner_sids(&self, node: NodeId) -> Result<Option<OwnerSids>> {
        owner::of(&self.file(node)?, &self.owners, || self.secure()).map(Some)
    }

    fn open(&self, node: NodeId, stream: StreamName<'_>) -> Result<Arc<dyn ByteSource>> {
        let file = self.file(node)?;
        match stream {
            StreamName::Main => self.open_main(&file),
            StreamName::Named(name) => match self.stream_name(&file, name) {
                Err(Error::Request(Request::NoSuchStream)) => {
                    let main = self.data(&file, &[])?.ok_or(Request::NoSuchStream)?;
                    let stored = efs::open(&self.disk, &file, &main, name)?;
                    stored.ok_or_else(|| Request::NoSuchStream.into())
                }
                name => {
                    let stream = self.data(&file, &name?)?.ok_or(Request::NoSuchStream)?;
                    self.readable(&file, &stream)
                }
            },
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
    UpCase::new(&table).ok_or_else(|| {
        let detail = "$UpCase holds no table of upper case";
        Error::corrupt(codes::UPCASE, file.base.at, detail)
    })
}

/// What the boot sector says. `$Volume` and others add the rest.
fn describe(mft: &Mft, notes: Vec<Fault>) -> FsInfo {
    let boot = &mft.disk.boot;
    FsInfo {
        kind: "ntfs",
        label: Vec::new(),
        uuid: Some(format!("{:016X}", boot.serial)),
        size: boot.volume_size,
        block_size: boot.cluster_size,
        // Kept nowhere but in the bitmap of all clusters, which may be far away: `Filesystem::blocks_free`.
        blocks_free: 0,
        nodes: mft.record_count(),
        nodes_free: 0,
        case_rule: CaseRule::PerDirectory,
        state: FsState::NotReplayed,
        notes,
        features: Vec::new(),
        last_mounted: Vec::new(),
    }
}
