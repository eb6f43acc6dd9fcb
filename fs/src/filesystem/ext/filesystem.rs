//! An opened ext2, ext3 or ext4 filesystem.

use super::codes;
use super::content::Content;
use super::directory::{Directory, Found as DirFound, expect_directory};
use super::disk::Disk;
use super::fast::FastCommits;
use super::features::{compat, incompat, names, ro_compat};
use super::group::Groups;
use super::inode::{BLOCK_AREA_LEN, Inode, flags};
use super::runs::Runs;
use super::superblock::{PRIMARY_OFFSET, ROOT_INODE, Superblock};
use super::{backup, block_map, extent, journal, second_reader, xattr};
use crate::bytes::{clamp_usize, len_u64, uuid_text};
use crate::cache::Cache;
use crate::error::{Error, Fault, Request, Result};
use crate::filesystem::check::{CheckContext, CheckItem, StartSecondReader};
use crate::filesystem::{DirCursor, DirEntry, DirItem, Filesystem, Found, StreamName, Want};
use crate::format::{OpenContext, ReplayPolicy};
use crate::name::{RawName, XattrName};
use crate::node::{CaseRule, FileKind, FsInfo, FsState, Metadata, NodeId, Timestamp};
use crate::source::{ByteSource, Memory};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Longest target of a symbolic link (`PATH_MAX`).
const LINK_LEN_MAX: u64 = 4096;

/// An opened filesystem.
#[derive(Debug)]
pub(super) struct ExtFilesystem {
    disk: Arc<Disk>,
    groups: Groups,
    maps: Cache<u32, Arc<Runs>>,
    fast: FastCommits,
    info: FsInfo,
}

impl ExtFilesystem {
    /// Opens the filesystem on `source`, with its journal replayed if it has to be.
    ///
    /// # Errors
    /// A superblock that makes no sense, an unknown feature, a journal that cannot be replayed.
    pub(super) fn open(source: &Arc<dyn ByteSource>, ctx: &OpenContext<'_>) -> Result<Self> {
        let (raw_sb, copy) = backup::read(source.as_ref(), ctx.checksums)?;
        let mut notes: Vec<_> = copy.iter().cloned().collect();
        let settled = settle_journal(source, &raw_sb, copy.is_some(), ctx, &mut notes)?;
        let Settled {
            device,
            state,
            fast,
        } = settled;
        // The superblock is metadata as well: the journal may hold a newer one.
        let sb = match state {
            FsState::Replayed => backup::read(device.as_ref(), ctx.checksums)?.0,
            FsState::Clean | FsState::NotReplayed => raw_sb,
        };
        let (groups, group_notes) = Groups::read(device.as_ref(), &sb, ctx.checksums);
        notes.extend(group_notes);
        notes.extend(oddities(&sb, device.size()));
        let info = describe(&sb, state, notes);
        let maps = Cache::new(ctx.limits.cache_bytes);
        let disk = Disk::new(device, sb, ctx.limits.clone(), ctx.checksums);
        Ok(Self {
            disk: Arc::new(disk),
            groups,
            maps,
            fast,
            info,
        })
    }

    /// The device for the second reader.
    ///
    /// # Errors
    /// Those of the source.
    pub(super) fn second_reader_device(&self) -> Result<Arc<dyn ByteSource>> {
        second_reader::settled(&self.disk)
    }

    fn inode(&self, node: NodeId) -> Result<Inode> {
        let number = u32::try_from(node.0).map_err(|_| Error::from(Request::NoSuchNode))?;
        if !self.fast.has_inode(number) {
            return Inode::read(&self.disk, &self.groups, number);
        }
        let at = self.groups.inode_at(&self.disk.sb, number)?;
        let on_disk = self.disk.piece(at, usize::from(self.disk.sb.inode_size))?;
        match self.fast.inode(number, &on_disk) {
            Some(raw) => Inode::from_bytes(&self.disk.sb, number, at, raw),
            // The disk's own inode is the state before the change: showing it would be stale.
            None => {
                let detail = format!("a fast commit holds too little of inode {number}");
                Err(Error::corrupt(codes::JOURNAL_BLOCK, at, detail))
            }
        }
    }

    /// The map of a file in blocks. Kept in memory while there is room.
    fn map(&self, inode: &Inode) -> Result<Arc<Runs>> {
        self.maps.get_or_insert(inode.number, || {
            let runs = if inode.has(flags::EXTENTS) {
                extent::read(&self.disk, inode)?
            } else {
                block_map::read(&self.disk, inode)?
            };
            let runs = self.fast.map(&self.disk, inode.number, runs, inode.at)?;
            if inode.kind == FileKind::Directory
                && let Some(block) = runs.shared_block()
            {
                let detail = format!("block {block} is used twice in one directory");
                return Err(Error::corrupt(codes::DIRECTORY_SHARED, inode.at, detail));
            }
            let bytes = runs.bytes();
            Ok((Arc::new(runs), bytes))
        })
    }

    /// Content of an inode, whatever its kind, without any check of what it is.
    fn content(&self, inode: &Inode) -> Result<Arc<dyn ByteSource>> {
        if inode.has(flags::INLINE_DATA) {
            return Ok(Arc::new(Memory::new(self.inline_data(inode)?)));
        }
        Ok(Arc::new(Content::new(
            Arc::clone(&self.disk),
            self.map(inode)?,
            inode.size,
        )))
    }

    /// The bytes that lie in the inode: `i_block`, then the value of `system.data`.
    fn inline_data(&self, inode: &Inode) -> Result<Vec<u8>> {
        let mut data = inode.block.to_vec();
        if inode.size > len_u64(BLOCK_AREA_LEN) {
            let entries = xattr::entries(&self.disk, inode)?;
            data.extend_from_slice(
                entries
                    .iter()
                    .find_map(|e| e.inline_data())
                    .unwrap_or_default(),
            );
        }
        if len_u64(data.len()) < inode.size {
            let detail = format!("{} of {} bytes of inline data", data.len(), inode.size);
            return Err(Error::corrupt(codes::INLINE_DATA, inode.at, detail));
        }
        data.truncate(clamp_usize(inode.size, data.len()));
        Ok(data)
    }

    fn directory(&self, node: NodeId) -> Result<Directory> {
        let inode = self.inode(node)?;
        expect_directory(&inode)?;
        let changes = self.fast.names(inode.number);
        Ok(self.directory_on_disk(inode)?.with_changes(changes))
    }

    fn directory_on_disk(&self, inode: Inode) -> Result<Directory> {
        let disk = Arc::clone(&self.disk);
        if self.fast.is_created(inode.number) {
            // Its blocks were never written; all its entries are changes.
            return Ok(Directory::inline(disk, inode, &[], BLOCK_AREA_LEN));
        }
        if inode.has(flags::INLINE_DATA) {
            let data = self.inline_data(&inode)?;
            return Ok(Directory::inline(disk, inode, &data, BLOCK_AREA_LEN));
        }
        let block_size = u64::from(self.disk.sb.block_size);
        if inode.size == 0 || inode.size > self.disk.limits.directory_bytes_max {
            let detail = format!("a directory of {} bytes", inode.size);
            return Err(Error::corrupt(codes::DIRECTORY_SIZE, inode.at, detail));
        }
        let size = inode.size.next_multiple_of(block_size);
        let content = Content::new(Arc::clone(&disk), self.map(&inode)?, size);
        Ok(Directory::in_blocks(disk, inode, content))
    }

    /// The value of an attribute of `owner` that lies in an inode of its own.
    fn value_inode(&self, owner: &Inode, number: u32, size: u32) -> Result<Vec<u8>> {
        let inode = self.inode(NodeId(number.into()))?;
        if !inode.has(flags::EA_INODE) || inode.size != u64::from(size) {
            let detail = format!("inode {number} does not hold a value of {size} bytes");
            return Err(Error::corrupt(codes::XATTR_INODE, inode.at, detail));
        }
        let mut value = vec![0; clamp_usize(inode.size, usize::MAX)];
        self.content(&inode)?.read_at(0, &mut value)?;
        // The value's checksum stands where other inodes have their time of access. Values that Lustre
        // wrote have none; they name their owner instead (`ext4_xattr_inode_iget`).
        let (stored, computed) = (
            low_word(inode.atime),
            self.disk.sb.checksum_seed.with(&value).value(),
        );
        let of_lustre =
            low_word(inode.mtime) == owner.number && inode.generation == owner.generation;
        if self.disk.obeys_checksums() && stored != computed && !of_lustre {
            let detail = format!(
                "the checksum of the value in inode {number} is {stored:#x}, not {computed:#x}"
            );
            return Err(Error::corrupt(codes::XATTR_CHECKSUM, inode.at, detail));
        }
        Ok(value)
    }

    /// Whether a link's target lies in `i_block` (`ext4_inode_is_fast_symlink`).
    fn is_fast_link(&self, inode: &Inode) -> bool {
        let cluster = self
            .disk
            .sb
            .block_size
            .saturating_mul(self.disk.sb.cluster_blocks);
        let attributes = if inode.file_acl == 0 {
            0
        } else {
            u64::from(cluster >> 9)
        };
        let no_blocks = inode.sectors <= attributes || self.disk.sb.has(incompat::EA_INODE);
        !inode.has(flags::EXTENTS) && no_blocks && inode.size < len_u64(BLOCK_AREA_LEN)
    }
}

impl Filesystem for ExtFilesystem {
    fn info(&self) -> &FsInfo {
        &self.info
    }

    fn root(&self) -> NodeId {
        NodeId(ROOT_INODE.into())
    }

    fn metadata(&self, node: NodeId) -> Result<Metadata> {
        Ok(self.inode(node)?.metadata())
    }

    fn lookup(&self, dir: NodeId, name: RawName<'_>) -> Result<Option<Found>> {
        let Some((stored_name, number)) = self.directory(dir)?.find(name.as_bytes())? else {
            return Ok(None);
        };
        let node = NodeId(number.into());
        Ok(Some(Found {
            node,
            stored_name,
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
        self.directory(dir)?.read(from, &mut |found| match found {
            DirFound::Entry(entry, next) => {
                let node = NodeId(entry.inode.into());
                let metadata = match want {
                    Want::Names => None,
                    Want::Metadata => Some(self.metadata(node)),
                };
                let name = RawName::new(entry.name);
                visit(DirItem::Entry(DirEntry {
                    name,
                    node,
                    kind: entry.kind,
                    next,
                    metadata,
                    hidden: false,
                }))
            }
            DirFound::Damaged(fault) => visit(DirItem::Damaged(fault)),
        });
        Ok(())
    }

    fn read_link(&self, node: NodeId) -> Result<Vec<u8>> {
        let inode = self.inode(node)?;
        if inode.kind != FileKind::Symlink {
            return Err(Request::NotALink.into());
        }
        refuse_encrypted(&inode, "the target of this link")?;
        if inode.size > LINK_LEN_MAX || inode.size == 0 {
            let detail = format!("a link of {} bytes", inode.size);
            return Err(Error::corrupt(codes::SYMLINK_SIZE, inode.at, detail));
        }
        let len = clamp_usize(inode.size, usize::MAX);
        if !inode.has(flags::INLINE_DATA) && self.is_fast_link(&inode) {
            return whole_target(&inode, inode.block.get(..len).unwrap_or_default().to_vec());
        }
        let mut target = vec![0; len];
        self.content(&inode)?.read_at(0, &mut target)?;
        whole_target(&inode, target)
    }

    fn xattr_names(&self, node: NodeId) -> Result<Vec<XattrName>> {
        let entries = xattr::entries(&self.disk, &self.inode(node)?)?;
        Ok(entries.iter().filter_map(xattr::Entry::full_name).collect())
    }

    fn xattr(&self, node: NodeId, name: &XattrName) -> Result<Option<Vec<u8>>> {
        let inode = self.inode(node)?;
        let entries = xattr::entries(&self.disk, &inode)?;
        let Some(entry) = entries
            .iter()
            .find(|e| e.full_name().as_ref() == Some(name))
        else {
            return Ok(None);
        };
        let bytes_max = self.disk.limits.xattr_value_bytes_max;
        entry
            .value(bytes_max, |number, size| {
                self.value_inode(&inode, number, size)
            })
            .map(Some)
    }

    fn open(&self, node: NodeId, stream: StreamName<'_>) -> Result<Arc<dyn ByteSource>> {
        let inode = self.inode(node)?;
        match (inode.kind, stream) {
            (_, StreamName::Named(_)) => return Err(Request::NoSuchStream.into()),
            (FileKind::File, StreamName::Main) => {}
            (FileKind::Directory, StreamName::Main) => return Err(Request::IsADirectory.into()),
            (_, StreamName::Main) => return Err(Request::NoContent.into()),
        }
        refuse_encrypted(&inode, "the content of this file")?;
        if inode.has(flags::COMPRESSED) {
            let detail = "a file compressed by the e2compr patches";
            return Err(Error::unsupported(codes::COMPRESSED, inode.at, detail));
        }
        self.content(&inode)
    }

    fn check(&self, ctx: &CheckContext<'_>, report: &mut dyn FnMut(CheckItem)) -> Result<u64> {
        super::check::check(&self.disk, &self.groups, &self.info.state, ctx, report)
    }

    fn second_reader(&self) -> Option<StartSecondReader> {
        Some(second_reader::start(&self.disk, !self.fast.is_empty()))
    }
}

/// A link's target, which holds no NUL. The kernel refuses a short target that does (`__ext4_iget`) and
/// shows a long one up to there, which would pass for the whole.
fn whole_target(inode: &Inode, target: Vec<u8>) -> Result<Vec<u8>> {
    match target.iter().position(|byte| *byte == 0) {
        None => Ok(target),
        Some(len) => {
            let detail = format!(
                "a link of {} bytes whose target ends after {len}",
                inode.size
            );
            Err(Error::corrupt(codes::SYMLINK_SIZE, inode.at, detail))
        }
    }
}

/// The lower half of a time's seconds, as stored.
fn low_word(time: Timestamp) -> u32 {
    let [a, b, c, d, ..] = time.seconds.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn refuse_encrypted(inode: &Inode, what: &str) -> Result<()> {
    if !inode.has(flags::ENCRYPTED) {
        return Ok(());
    }
    let detail = format!("{what} is encrypted (fscrypt); the key is not on the disk");
    Err(Error::Locked(Fault::new(
        codes::ENCRYPTED,
        inode.at,
        detail,
    )))
}

/// A device whose journal has been dealt with.
pub(super) struct Settled {
    /// The device as its log leaves it; fast commits are not part of it.
    pub device: Arc<dyn ByteSource>,
    state: FsState,
    fast: FastCommits,
}

/// Replays the journal if it has to be, and says what became of it.
///
/// `from_copy`: `sb` is a copy of the superblock, which does not tell whether the journal holds
/// changes; the journal does.
pub(super) fn settle_journal(
    source: &Arc<dyn ByteSource>,
    sb: &Superblock,
    from_copy: bool,
    ctx: &OpenContext<'_>,
    notes: &mut Vec<Fault>,
) -> Result<Settled> {
    let as_it_is = |state| {
        Ok(Settled {
            device: Arc::clone(source),
            state,
            fast: FastCommits::default(),
        })
    };
    let has_journal = sb.feature_compat & compat::HAS_JOURNAL != 0;
    let maybe = from_copy && has_journal;
    if !sb.has(incompat::RECOVER) && !maybe {
        return as_it_is(FsState::Clean);
    }
    if ctx.replay == ReplayPolicy::Ignore {
        // Where only a copy of the superblock is left, nobody knows; the careful answer is the same.
        return as_it_is(FsState::NotReplayed);
    }
    let log = journal::locate(source, sb, ctx)?;
    let Some(replayed) = journal::replay(source, &log, sb.blocks_count, &ctx.limits)? else {
        return as_it_is(FsState::Clean);
    };
    if !from_copy {
        backup::expect_superblock(replayed.source.as_ref())?;
    }
    let (transactions, changes) = (replayed.transactions, replayed.fast_commits.len());
    let detail = match changes {
        0 => format!("{transactions} transactions of the journal are applied"),
        _ => format!(
            "{transactions} transactions of the journal and {changes} changes of fast commits \
             are applied"
        ),
    };
    notes.push(Fault::new(codes::JOURNAL_REPLAYED, sb.at, detail));
    Ok(Settled {
        device: replayed.source,
        state: FsState::Replayed,
        fast: FastCommits::new(replayed.fast_commits),
    })
}

/// What a user should know of the state the filesystem was left in.
fn oddities(sb: &Superblock, source_size: u64) -> Vec<Fault> {
    let mut notes = Vec::new();
    let mut note = |code, detail: String| notes.push(Fault::new(code, sb.at, detail));
    if sb.size() > source_size {
        let detail = format!("{} bytes of {} are there", source_size, sb.size());
        note(codes::SUPERBLOCK_SIZE, detail);
    }
    let journal = sb.feature_compat & compat::HAS_JOURNAL != 0;
    // Copies are written when the filesystem is made, and know nothing of how it was left.
    let first = sb.at == PRIMARY_OFFSET;
    if first && sb.state & 0x1 == 0 && !journal {
        note(
            codes::STATE,
            "not unmounted cleanly, and there is no journal".into(),
        );
    }
    if sb.state & 0x2 != 0 {
        note(
            codes::STATE,
            "the source machine recorded errors in this filesystem".into(),
        );
    }
    if sb.last_orphan != 0 || sb.feature_ro_compat & ro_compat::ORPHAN_PRESENT != 0 {
        note(
            codes::ORPHANS,
            "files were deleted while open; their space is not freed yet".into(),
        );
    }
    notes
}

fn describe(sb: &Superblock, state: FsState, notes: Vec<Fault>) -> FsInfo {
    let casefold = sb.has(incompat::CASEFOLD);
    FsInfo {
        kind: sb.kind(),
        label: sb.label.clone(),
        uuid: (sb.uuid != [0; 16]).then(|| uuid_text(&sb.uuid)),
        size: sb.size(),
        block_size: sb.block_size,
        blocks_free: sb.free_blocks_count.min(sb.blocks_count),
        nodes: sb.inodes_count.into(),
        nodes_free: sb.free_inodes_count.into(),
        case_rule: if casefold {
            CaseRule::PerDirectory
        } else {
            CaseRule::Sensitive
        },
        state,
        notes,
        features: names(sb.feature_compat, sb.feature_incompat, sb.feature_ro_compat),
        last_mounted: sb.last_mounted.clone(),
    }
}
