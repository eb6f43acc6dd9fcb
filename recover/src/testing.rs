//! A filesystem in memory, for tests: whatever a real one may hold, and what none should.

use crate::view::View;
use flr_fs::bytes::len_u64;
use flr_fs::source::{Location, check_nonempty, check_range};
use flr_fs::{
    ByteSource, CaseRule, Code, DirCursor, DirEntry, DirItem, Error, Fault, FileKind, Filesystem,
    Found, FsInfo, FsState, Memory, Metadata, NodeFlags, NodeId, RawName, Request, Result, Segment,
    SegmentKind, StreamName, Timestamp, Want, XattrName,
};
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// The root directory.
pub(crate) const ROOT: NodeId = NodeId(0);

/// What reading damaged content says.
pub(crate) const BAD: Code = Code::new("test.bad");

#[derive(Debug)]
pub(crate) struct MemoryFs {
    info: FsInfo,
    nodes: Vec<Node>,
    /// Directories a part of which cannot be read.
    damaged: Vec<NodeId>,
}

#[derive(Debug)]
struct Node {
    metadata: Metadata,
    content: Content,
    xattrs: Vec<(XattrName, Result<Vec<u8>>)>,
}

#[derive(Debug)]
enum Content {
    File(Arc<dyn ByteSource>),
    Dir(Vec<(Vec<u8>, NodeId)>),
    Link(Vec<u8>),
    Nothing,
}

fn index(count: u64) -> usize {
    usize::try_from(count).unwrap()
}

impl MemoryFs {
    pub(crate) fn new() -> Self {
        let info = FsInfo {
            kind: "memory",
            label: Vec::new(),
            uuid: None,
            size: 0,
            block_size: 4096,
            blocks_free: 0,
            nodes: 0,
            nodes_free: 0,
            case_rule: CaseRule::Sensitive,
            state: FsState::Clean,
            notes: Vec::new(),
            features: Vec::new(),
            last_mounted: Vec::new(),
        };
        let mut fs = Self {
            info,
            nodes: Vec::new(),
            damaged: Vec::new(),
        };
        fs.add(FileKind::Directory, Content::Dir(Vec::new()), 0);
        fs
    }

    fn add(&mut self, kind: FileKind, content: Content, size: u64) -> NodeId {
        let id = NodeId(len_u64(self.nodes.len()));
        let time = |seconds| Timestamp {
            seconds,
            nanoseconds: 123_456_789,
        };
        let metadata = Metadata {
            kind,
            mode: if kind == FileKind::Directory {
                0o755
            } else {
                0o644
            },
            uid: 0,
            gid: 0,
            size,
            nlink: 1,
            inode: id.0,
            blocks: 0,
            rdev: None,
            atime: time(1_500_000_000),
            mtime: time(1_400_000_000),
            ctime: time(1_600_000_000),
            btime: None,
            flags: NodeFlags::default(),
            generation: 0,
            project: None,
        };
        self.nodes.push(Node {
            metadata,
            content,
            xattrs: Vec::new(),
        });
        id
    }

    fn node(&self, id: NodeId) -> Result<&Node> {
        let node = usize::try_from(id.0).ok().and_then(|i| self.nodes.get(i));
        node.ok_or_else(|| Request::NoSuchNode.into())
    }

    /// A further name of a node.
    pub(crate) fn enter(&mut self, dir: NodeId, name: impl AsRef<[u8]>, node: NodeId) {
        let Content::Dir(entries) = &mut self.nodes[index(dir.0)].content else {
            panic!("not a directory");
        };
        entries.push((name.as_ref().to_vec(), node));
    }

    pub(crate) fn dir(&mut self, parent: NodeId, name: impl AsRef<[u8]>) -> NodeId {
        let id = self.add(FileKind::Directory, Content::Dir(Vec::new()), 4096);
        self.enter(parent, name, id);
        id
    }

    pub(crate) fn file(
        &mut self,
        dir: NodeId,
        name: impl AsRef<[u8]>,
        bytes: impl Into<Arc<[u8]>>,
    ) -> NodeId {
        self.source(dir, name, Arc::new(Memory::new(bytes)))
    }

    pub(crate) fn source(
        &mut self,
        dir: NodeId,
        name: impl AsRef<[u8]>,
        source: Arc<dyn ByteSource>,
    ) -> NodeId {
        let size = source.size();
        let id = self.add(FileKind::File, Content::File(source), size);
        self.enter(dir, name, id);
        id
    }

    pub(crate) fn symlink(
        &mut self,
        dir: NodeId,
        name: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> NodeId {
        let target = target.as_ref().to_vec();
        let size = len_u64(target.len());
        let id = self.add(FileKind::Symlink, Content::Link(target), size);
        self.enter(dir, name, id);
        id
    }

    /// A device, FIFO or socket.
    pub(crate) fn special(&mut self, dir: NodeId, name: &str, kind: FileKind) -> NodeId {
        let id = self.add(kind, Content::Nothing, 0);
        self.enter(dir, name, id);
        id
    }

    pub(crate) fn edit(&mut self, node: NodeId) -> &mut Metadata {
        &mut self.nodes[index(node.0)].metadata
    }

    pub(crate) fn xattr(&mut self, node: NodeId, name: &str, value: Result<&[u8]>) {
        let name = XattrName::new(name.as_bytes());
        let value = value.map(<[u8]>::to_vec);
        self.nodes[index(node.0)].xattrs.push((name, value));
    }

    /// Says that a part of a directory, which held other entries, cannot be read.
    pub(crate) fn damage(&mut self, dir: NodeId) {
        self.damaged.push(dir);
    }

    pub(crate) fn set_uuid(&mut self, uuid: &str) {
        self.info.uuid = Some(uuid.to_owned());
    }

    pub(crate) fn view(self) -> View {
        View::new(Arc::new(self))
    }
}

impl Filesystem for MemoryFs {
    fn info(&self) -> &FsInfo {
        &self.info
    }

    fn root(&self) -> NodeId {
        ROOT
    }

    fn metadata(&self, node: NodeId) -> Result<Metadata> {
        Ok(self.node(node)?.metadata.clone())
    }

    fn lookup(&self, dir: NodeId, name: RawName<'_>) -> Result<Option<Found>> {
        let Content::Dir(entries) = &self.node(dir)?.content else {
            return Err(Request::NotADirectory.into());
        };
        let Some((stored, node)) = entries.iter().find(|(n, _)| n == name.as_bytes()) else {
            return Ok(None);
        };
        Ok(Some(Found {
            node: *node,
            stored_name: stored.clone(),
            metadata: self.metadata(*node)?,
        }))
    }

    fn read_dir(
        &self,
        dir: NodeId,
        from: DirCursor,
        _want: Want,
        visit: &mut dyn FnMut(DirItem<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let Content::Dir(entries) = &self.node(dir)?.content else {
            return Err(Request::NotADirectory.into());
        };
        for (i, (name, node)) in entries.iter().enumerate().skip(index(from.0)) {
            let entry = DirEntry {
                name: RawName::new(name),
                node: *node,
                kind: None,
                next: DirCursor(len_u64(i).saturating_add(1)),
                metadata: None,
                hidden: false,
            };
            if visit(DirItem::Entry(entry)).is_break() {
                return Ok(());
            }
        }
        if self.damaged.contains(&dir) {
            let _end = visit(DirItem::Damaged(Fault::new(
                BAD,
                0,
                "a part of a directory",
            )));
        }
        Ok(())
    }

    fn read_link(&self, node: NodeId) -> Result<Vec<u8>> {
        match &self.node(node)?.content {
            Content::Link(target) => Ok(target.clone()),
            _ => Err(Request::NotALink.into()),
        }
    }

    fn xattr_names(&self, node: NodeId) -> Result<Vec<XattrName>> {
        let xattrs = &self.node(node)?.xattrs;
        Ok(xattrs.iter().map(|(name, _)| name.clone()).collect())
    }

    fn xattr(&self, node: NodeId, name: &XattrName) -> Result<Option<Vec<u8>>> {
        let found = self.node(node)?.xattrs.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.clone()).transpose()
    }

    fn open(&self, node: NodeId, _stream: StreamName<'_>) -> Result<Arc<dyn ByteSource>> {
        match &self.node(node)?.content {
            Content::File(source) => Ok(Arc::clone(source)),
            Content::Dir(_) => Err(Request::IsADirectory.into()),
            Content::Link(_) | Content::Nothing => Err(Request::NoContent.into()),
        }
    }
}

/// Content made of parts.
#[derive(Debug)]
pub(crate) struct Parts(pub(crate) Vec<Part>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// Bytes of a pattern that depends on their place in the file.
    Data(u64),
    /// Stored zeros.
    Zeros(u64),
    Hole(u64),
    Unwritten(u64),
    /// Stored, and unreadable.
    Bad(u64),
    /// Known not to be there.
    Missing(u64),
}

impl Part {
    fn len(self) -> u64 {
        match self {
            Self::Data(len)
            | Self::Zeros(len)
            | Self::Hole(len)
            | Self::Unwritten(len)
            | Self::Bad(len)
            | Self::Missing(len) => len,
        }
    }
}

/// The byte of [`Part::Data`] at `offset`: never 0, and of a period that is no power of two.
pub(crate) fn pattern(offset: u64) -> u8 {
    u8::try_from(offset.checked_rem(251).unwrap())
        .unwrap()
        .saturating_add(1)
}

impl Parts {
    /// The parts that `range` meets, with the share of each.
    fn within(&self, range: Range<u64>) -> impl Iterator<Item = (Part, Range<u64>)> {
        let mut at: u64 = 0;
        self.0.iter().filter_map(move |part| {
            let start = at;
            at = at.saturating_add(part.len());
            let share = start.max(range.start)..at.min(range.end);
            (!share.is_empty()).then_some((*part, share))
        })
    }

    /// What can be read, zeros for the rest.
    pub(crate) fn expected(&self) -> Vec<u8> {
        let parts = self.within(0..self.size());
        parts
            .flat_map(|(part, share)| {
                share.map(move |at| match part {
                    Part::Data(_) => pattern(at),
                    _ => 0,
                })
            })
            .collect()
    }
}

impl ByteSource for Parts {
    fn size(&self) -> u64 {
        self.0.iter().map(|part| part.len()).sum()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = check_range(offset, buf.len(), self.size())?;
        for (part, share) in self.within(offset..end) {
            let from = index(share.start.saturating_sub(offset));
            let room = &mut buf[from..];
            match part {
                Part::Bad(_) => {
                    return Err(Error::io(share.start, io::Error::other("bad sector")));
                }
                Part::Missing(_) => return Err(Error::corrupt(BAD, share.start, "not there")),
                Part::Data(_) => room
                    .iter_mut()
                    .zip(share)
                    .for_each(|(b, at)| *b = pattern(at)),
                _ => room.iter_mut().zip(share).for_each(|(b, _)| *b = 0),
            }
        }
        Ok(())
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        check_nonempty(&range, self.size())?;
        let (part, share) = self.within(range).next().unwrap();
        let kind = match part {
            Part::Data(_) | Part::Zeros(_) | Part::Bad(_) => SegmentKind::Stored(Location {
                member: 0,
                offset: share.start,
            }),
            Part::Hole(_) => SegmentKind::Hole,
            Part::Unwritten(_) => SegmentKind::Unwritten,
            Part::Missing(_) => SegmentKind::Missing(BAD),
        };
        let len = share.end.saturating_sub(share.start);
        Ok(Segment { len, kind })
    }
}
